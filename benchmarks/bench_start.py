"""How long a quick command takes to start: `magmem ps` on a small file against `import pandas`.

Both run as fresh processes in turn. Compared is the least CPU time of each, which says least of
what else the machine does; wall time is printed beside it. Bar: 1.5.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

RUNS = 15

COMMANDS = {
    "import pandas": [sys.executable, "-c", "import pandas"],
    "magmem ps small-machine": [
        sys.executable,
        "-c",
        "from magmem.cli import main; main()",
        "ps",
        "small-machine",
    ],
    "magmem --version": [
        sys.executable,
        "-c",
        "from magmem.cli import main; main()",
        "--version",
    ],
}


def seconds(command: list[str]) -> tuple[float, float]:
    """CPU time and wall time of one fresh process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def main() -> None:
    """Measure in turn, print the least of each and the ratios."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    base_cpu, base_wall = map(min, zip(*taken["import pandas"], strict=True))
    print(f"{'':26} {'CPU':>7}      {'wall':>7}")
    for name, times in taken.items():
        cpu, wall = map(min, zip(*times, strict=True))
        print(
            f"{name:26} {cpu * 1000:4.0f} ms {cpu / base_cpu:5.2f} "
            f"{wall * 1000:4.0f} ms {wall / base_wall:5.2f} × import pandas"
        )
    print("bar: magmem ps ≤ 1.50 × import pandas")


if __name__ == "__main__":
    main()

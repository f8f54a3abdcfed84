"""How long a quick command takes to start: `magmem ps` on a small file against `import pandas`.

Both run as fresh processes in turn; the median of each is compared. Bar: 1.5.
"""

from __future__ import annotations

import statistics
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


def seconds(command: list[str]) -> float:
    """Wall time of one fresh process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure in turn, print medians and the ratio."""
    for command in COMMANDS.values():
        seconds(command)  # fills the file cache
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, median in medians.items():
        ratio = median / medians["import pandas"]
        print(f"{name:26} {median * 1000:7.0f} ms   {ratio:5.2f} × import pandas")
    print("bar: magmem ps ≤ 1.50 × import pandas")


if __name__ == "__main__":
    main()

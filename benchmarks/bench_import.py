"""What `import magmem` costs, beside `import pandas`.

Prints the ratio (bar: at most 1.1). Each import runs in a fresh interpreter, both sides in turn; an
interpreter that imports nothing is subtracted from both. The median of all rounds counts.

    python benchmarks/bench_import.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

BAR = 1.1
STATEMENTS = {
    "nothing": "pass",
    "import pandas": "import pandas",
    "import magmem": "import magmem",
    "magmem + read_capture": "import magmem; magmem.read_capture('small-machine')",
}


def seconds(statement: str) -> float:
    """Wall time of an interpreter that runs one statement."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - begin


def main() -> None:
    """Measure every statement in turn and print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(rounds + 1):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds(statement))
    # The first round fills the file cache and writes the byte code.
    median = {name: statistics.median(values[1:]) for name, values in times.items()}
    empty = median["nothing"]
    for name, value in median.items():
        print(f"{name:>22}: {value * 1000:7.1f} ms  ({(value - empty) * 1000:7.1f} ms of its own)")
    own = {name: value - empty for name, value in median.items()}
    ratio = own["import magmem"] / own["import pandas"]
    print(f"import magmem / import pandas: {ratio:.2f} (bar {BAR})")
    first = own["magmem + read_capture"] / own["import pandas"]
    print(f"import magmem and read a capture / import pandas: {first:.2f}")


if __name__ == "__main__":
    main()

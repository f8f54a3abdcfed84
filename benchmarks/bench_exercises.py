"""Making a variant of every exercise: at most 0.1 s each.

Processor time over many students; the first of each kind, which loads what it needs, apart.

    python benchmarks/bench_exercises.py [STUDENTS]
"""

from __future__ import annotations

import statistics
import sys
import time

from magmem import exercises

BAR_MS = 100.0


def milliseconds(name: str, student: str) -> float:
    """Processor time of one variant."""
    begin = time.process_time()
    exercises.make(name, student)
    return (time.process_time() - begin) * 1000


def main(arguments: list[str]) -> int:
    """Print a row for each exercise; returns 1 if one takes longer than the bar."""
    students = int(arguments[0]) if arguments else 100
    worst = 0.0
    print(f"{'milliseconds':24}{'first':>8}{'median':>8}{'worst':>8}")
    for name in exercises.names():
        first = milliseconds(name, "the first")
        times = [milliseconds(name, f"student {number}") for number in range(students)]
        print(f"{name:24}{first:>8.1f}{statistics.median(times):>8.1f}{max(times):>8.1f}")
        worst = max(worst, *times)
    print(f"{'bar':24}{'':>16}{BAR_MS:>8.1f}")
    return int(worst > BAR_MS)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

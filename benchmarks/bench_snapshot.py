"""What a snapshot of ten rows costs, beside the DataFrames of its tables.

Prints the time of `Snapshot.of` from arrays, checks and all, as a part of the time that making
DataFrames of the same eleven tables takes (bar: at most 1), and that of a simulated machine.

    python benchmarks/bench_snapshot.py [ROUNDS]
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from magmem.sim.machine import Machine
from magmem.snapshot import PAGE_BYTES, TABLES, Snapshot
from magmem.snapshot.frames import frame_of

BAR = 1.0
ROWS = 10


def columns() -> dict[str, dict[str, Any]]:
    """A machine of ten jobs and ten VMOs of one page each."""
    rows = np.arange(ROWS)
    return {
        "tasks": {"koid": rows + 1, "kind": np.zeros(ROWS, np.int8)},
        "vmos": {
            "id": [str(row) for row in rows],
            "size_bytes": np.full(ROWS, PAGE_BYTES),
            "pages_known": np.ones(ROWS, bool),
        },
        "pages": {"vmo": rows, "first_page": rows * 0, "page_count": rows * 0 + 1},
    }


def best(act: Callable[[], object], rounds: int) -> float:
    """The least time of one call in seconds."""
    act()
    return min(timeit.repeat(act, number=20, repeat=rounds)) / 20


def main() -> None:
    """Measure all three and print times and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    given, machine = columns(), Machine()
    snap = Snapshot.of(given)
    frames = best(lambda: [frame_of(snap.table[name]) for name in TABLES], rounds)
    for title, act in (
        ("Snapshot.of ten rows", lambda: Snapshot.of(given)),
        ("Machine.snapshot", machine.snapshot),
    ):
        taken = best(act, rounds)
        print(f"{title}: {taken * 1000:.2f} ms, {taken / frames:.2f} of its DataFrames' time")
    print(f"DataFrames of eleven tables: {frames * 1000:.2f} ms (bar of the first: {BAR})")


if __name__ == "__main__":
    main()

"""What the kernel says of physical memory as a whole, and where that contradicts itself.

From the kernel memory statistics (`kstats -m`), with what they lack filled from the page states of
the arenas. Bytes; None where neither says. Fails on nothing: an empty snapshot knows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from magmem.snapshot import PAGE_BYTES, Snapshot

__all__ = ["Contradiction", "Physical", "statistics_against_arenas"]

STATES = {
    "free_bytes": "free_pages",
    "vmo_bytes": "object_pages",
    "heap_bytes": "heap_pages",
    "wired_bytes": "wired_pages",
    "mmu_bytes": "mmu_pages",
    "other_bytes": "alloc_pages",
}
STATISTICS = {
    "total_bytes": "total_bytes",
    "free_bytes": "free_bytes",
    "vmo_bytes": "vmo_bytes",
    "heap_bytes": "total_heap_bytes",
    "heap_free_bytes": "free_heap_bytes",
    "wired_bytes": "wired_bytes",
    "mmu_bytes": "mmu_overhead_bytes",
    "other_bytes": "other_bytes",
}


@dataclass(frozen=True, slots=True)
class Physical:
    """Physical memory by use, bytes; `heap_bytes` includes `heap_free_bytes`."""

    total_bytes: int | None = None
    free_bytes: int | None = None
    vmo_bytes: int | None = None
    heap_bytes: int | None = None
    heap_free_bytes: int | None = None
    wired_bytes: int | None = None
    mmu_bytes: int | None = None
    other_bytes: int | None = None

    @classmethod
    def of(cls, snap: Snapshot) -> Physical:
        """The machine's state: the last report of the statistics, then the arenas."""
        return cls(**(_arenas(snap) | _statistics(snap)))

    @property
    def parts_bytes(self) -> int | None:
        """Sum of all uses, None unless every one is known."""
        parts = (
            self.free_bytes,
            self.vmo_bytes,
            self.heap_bytes,
            self.wired_bytes,
            self.mmu_bytes,
            self.other_bytes,
        )
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two numbers of one source that ought to be equal.

    Attributes
    ----------
    what : str
        One sentence with both numbers.
    counted_bytes, stated_bytes : int
        What its own parts add up to, and what it states.
    """

    what: str
    counted_bytes: int
    stated_bytes: int

    @property
    def difference_bytes(self) -> int:
        """By how much the parts exceed the statement."""
        return self.counted_bytes - self.stated_bytes


def statistics_against_arenas(snap: Snapshot) -> list[Contradiction]:
    """Uses for which the statistics and the arenas' page states differ."""
    arenas, statistics = _arenas(snap), _statistics(snap)
    return [
        Contradiction(
            f"the arenas hold {arenas[use]:,} bytes of {use.removesuffix('_bytes')}, "
            f"the kernel statistics say {statistics[use]:,}",
            arenas[use],
            statistics[use],
        )
        for use in STATISTICS
        if use in arenas and use in statistics and arenas[use] != statistics[use]
    ]


def _arenas(snap: Snapshot) -> dict[str, int]:
    known: dict[str, int] = {}
    if not snap.knows("arenas"):
        return known
    for use, state in STATES.items():
        pages = snap.arenas[state]
        if pages.notna().all():
            known[use] = int(pages.sum()) * PAGE_BYTES
    if len(known) == len(STATES):
        known["total_bytes"] = sum(known.values())
    elif snap.arenas["size_bytes"].notna().all():
        known["total_bytes"] = int(snap.arenas["size_bytes"].sum())
    return known


def _statistics(snap: Snapshot) -> dict[str, int]:
    if not len(snap.kmem):
        return {}
    report = snap.kmem.iloc[-1]
    return {
        use: int(report[column])
        for use, column in STATISTICS.items()
        if report[column] is not pd.NA
    }

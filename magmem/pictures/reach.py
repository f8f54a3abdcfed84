"""Who reaches the pages of one VMO: the windows onto it, through mappings, clones and handles.

Meant for the few VMOs of a picture; whole machines are attributed by `magmem.accounting`. A page
of a VMO is visible through a mapping of it, or through a clone that has no page of its own there
(reference/accounting.md "exact").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from magmem.snapshot import PAGE_BYTES, Snapshot

__all__ = ["Reach", "Window", "WindowsOnto"]


@dataclass(frozen=True, slots=True)
class Window:
    """Pages ``[first, end)`` of a VMO that an address space maps or a process's handle holds.

    `koid` is the process, None for the kernel; `through` is the row of the clone it sees them
    through, or of the VMO itself; `perms` is empty for a handle.
    """

    koid: int | None
    first: int
    end: int
    through: int
    perms: str


@dataclass(frozen=True, slots=True)
class Reach:
    """A run of committed pages ``[first, end)`` that the same parties reach.

    `mapped_by` are process koids (None: the kernel); `held_by` those with only a handle.
    """

    first: int
    end: int
    mapped_by: frozenset[int | None]
    held_by: frozenset[int | None]


class WindowsOnto:
    """Windows and reach of any VMO of a snapshot; the tables are read once."""

    def __init__(self, snap: Snapshot) -> None:
        self.runs: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for vmo, first, count in snap.pages.itertuples(index=False):
            self.runs[vmo].append((first, first + count))
        vmos = snap.vmos
        sizes = vmos["size_bytes"].fillna(0).tolist()
        self.size_pages = [-(-size // PAGE_BYTES) for size in sizes]
        self.children: dict[int, list[tuple[int, int]]] = defaultdict(list)
        clones = vmos[vmos["parent"].notna()]
        offsets = clones["parent_offset_bytes"].fillna(0)
        for row, parent, offset in zip(clones.index, clones["parent"], offsets, strict=True):
            self.children[parent].append((row, offset // PAGE_BYTES))
        self.mappings: dict[int, list[tuple[int | None, int, int, str]]] = defaultdict(list)
        owner = _plain(snap.aspaces["process_koid"])
        maps = snap.mappings
        for aspace, vmo, offset, size, perms in zip(
            *(
                _plain(maps[c])
                for c in ("aspace", "vmo", "vmo_offset_bytes", "size_bytes", "perms")
            ),
            strict=True,
        ):
            if vmo is not None and offset is not None and size is not None:
                first = offset // PAGE_BYTES
                span = (owner[aspace], first, first + -(-size // PAGE_BYTES), perms or "")
                self.mappings[vmo].append(span)
        self.handles: dict[int, set[int]] = defaultdict(set)
        held = snap.handles[snap.handles["vmo"].notna()]
        for vmo, koid in zip(held["vmo"], held["process_koid"], strict=True):
            self.handles[vmo].add(koid)

    def windows(self, vmo: int) -> Iterator[Window]:
        """Every window onto a VMO, in the VMO's own page numbers."""
        waiting = [(vmo, 0, [(0, self.size_pages[vmo])])]
        while waiting:
            row, shift, spans = waiting.pop()
            for koid, first, end, perms in self.mappings[row]:
                for low, high in _within(spans, first, end):
                    yield Window(koid, low + shift, high + shift, row, perms)
            for koid in sorted(self.handles[row]):
                for low, high in spans:
                    yield Window(koid, low + shift, high + shift, row, "")
            for child, offset in self.children[row]:
                seen = [
                    (low - offset, high - offset)
                    for low, high in _within(spans, offset, offset + self.size_pages[child])
                ]
                for first, end in self.runs[child]:
                    seen = [*_within(seen, 0, first), *_within(seen, end, self.size_pages[child])]
                if seen:
                    waiting.append((child, shift + offset, sorted(seen)))

    def reach(self, vmo: int) -> list[Reach]:
        """The committed pages of a VMO, cut where the parties that reach them change."""
        windows = list(self.windows(vmo))
        cuts = sorted({cut for window in windows for cut in (window.first, window.end)})
        found: list[Reach] = []
        for first, end in self.runs[vmo]:
            edges = [first, *(cut for cut in cuts if first < cut < end), end]
            for low, high in pairwise(edges):
                over = [w for w in windows if w.first <= low and high <= w.end]
                mapped = frozenset(w.koid for w in over if w.perms)
                held = frozenset(w.koid for w in over if not w.perms) - mapped
                if found and (found[-1].end, found[-1].mapped_by, found[-1].held_by) == (
                    low,
                    mapped,
                    held,
                ):
                    low = found.pop().first  # noqa: PLW2901 (the run goes on)
                found.append(Reach(low, high, mapped, held))
        return found


def _within(spans: list[tuple[int, int]], first: int, end: int) -> list[tuple[int, int]]:
    cut = [(max(low, first), min(high, end)) for low, high in spans]
    return [(low, high) for low, high in cut if low < high]


def _plain(column: pd.Series[Any]) -> list[Any]:
    """A nullable column as Python values with None for missing."""
    values = column.astype(object)
    return values.where(column.notna(), None).tolist()  # type: ignore[no-any-return]

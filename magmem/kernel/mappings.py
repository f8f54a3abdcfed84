"""What the kernel itself derives from its objects: counts per VMO, committed bytes per mapping.

These are the numbers every tool of the guide starts from (reference/kernel.md "Share count",
reference/accounting.md "magenta-2017"). All arrays are int64 and as long as the table they
describe. Where a capture has no mappings or no page runs, ask `Snapshot.coverage` first: these
functions count what is in the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from magmem.errors import SnapshotError
from magmem.kernel.byvmo import PAGE_SHIFT, ByVmo, whole_pages
from magmem.kernel.runs import Ints, RunIndex, blocks, order_by, starts_of
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem.snapshot.columns import integers, is_choice, is_known

__all__ = [
    "MAX_PAGES",
    "MAX_SHARE_ASPACES",
    "KernelView",
    "ProcessSums",
    "ShareCounts",
    "kept_with",
    "view_of",
]

T = TypeVar("T")

MAX_SHARE_ASPACES = 64
"""Distinct address spaces the kernel looks at before it estimates (reference/kernel.md)."""

MAX_PAGES = 1 << 40
"""Pages of a 52-bit physical address space: no x86-64 machine has more to commit."""


@dataclass(frozen=True)
class ProcessSums:
    """The kernel's sums for each address space, bytes; int64 arrays, one item per aspaces row."""

    mapped_bytes: Ints
    private_bytes: Ints
    shared_bytes: Ints
    scaled_bytes: Ints

    @property
    def pss_bytes(self) -> Ints:
        """PRIVATE plus the scaled part of SHARED."""
        return self.private_bytes + self.scaled_bytes


@dataclass(frozen=True)
class ShareCounts:
    """#shr of each VMO, one item per vmos row.

    Attributes
    ----------
    counts : int64 array
        At least 1; what is not known is what the table's mappings give.
    known : bool array
        Counted from all mappings, reported by the source, or counted as `guessed` tells.
    guessed : bool array
        Counted from the processes' mappings alone because the capture lacks the kernel's. Too low
        by 1 where the kernel maps the VMO as well.
    """

    counts: Ints
    known: npt.NDArray[np.bool_]
    guessed: npt.NDArray[np.bool_]


class KernelView:
    """The kernel's derived numbers over one snapshot, each computed once when first asked for.

    Attributes
    ----------
    region : int64 array
        Rows of regions that are mappings of a known VMO; the other arrays follow this order.
    vmo, aspace, size_bytes : int64 arrays
        What each mapping maps, where, and how much of it.
    offset_bytes : uint64 array
        From where in the VMO; the kernel lets a mapping begin up to 2^64 − 8192.
    map_seq : int64 array
        Creation order of the mappings; the table's order where the capture does not say.
    """

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        regions = snap.regions
        mapped = is_choice(regions["kind"], "mapping")
        self.region: Ints = np.flatnonzero(mapped & is_known(regions["vmo"]))
        self.vmo: Ints = self._column("vmo")
        self.aspace: Ints = self._column("aspace")
        # Wrapped to int64 by the reading and back again here, so that every bit stays.
        self.offset_bytes = self._column("vmo_offset_bytes").view(np.uint64)
        self.size_bytes: Ints = self._column("size_bytes")
        told = is_known(regions["map_seq"])[self.region].all()
        self.map_seq: Ints = (
            self._column("map_seq") if told else np.arange(len(self.region), dtype=np.int64)
        )

    def _column(self, name: str) -> Ints:
        return integers(self.snap.regions[name])[self.region]

    @cached_property
    def runs(self) -> RunIndex:
        """The committed runs, indexed by VMO. Runs of a physical VMO are no RAM and left out.

        Raises
        ------
        SnapshotError
            More pages than an x86-64 machine can have.
        """
        pages = self.snap.pages
        owner = pages["vmo"].to_numpy()
        first = pages["first_page"].to_numpy()
        count = pages["page_count"].to_numpy()
        physical = is_choice(self.snap.vmos["kind"], "physical")
        if physical.any():
            ram = ~physical[owner]
            owner, first, count = owner[ram], first[ram], count[ram]
        if float(np.sum(count, dtype=np.float64)) > MAX_PAGES:
            raise SnapshotError(
                "pages",
                "all rows",
                f"at most {MAX_PAGES} pages (52 bits of physical address)",
                f"{float(np.sum(count, dtype=np.float64)):.3g}",
            )
        return RunIndex(owner, first, count, len(self.snap.vmos))

    @cached_property
    def committed_bytes(self) -> Ints:
        """Per VMO: bytes of the pages it owns."""
        return self.runs.owner_pages * PAGE_BYTES

    @cached_property
    def size_pages(self) -> Ints:
        """Per VMO: pages of its current size, the last one perhaps in part."""
        return whole_pages(integers(self.snap.vmos["size_bytes"]))

    @cached_property
    def num_children(self) -> Ints:
        """Per VMO: live clones (#chld)."""
        parent = self.snap.vmos["parent"].dropna().to_numpy(dtype=np.int64)
        return np.bincount(parent, minlength=len(self.snap.vmos)).astype(np.int64)

    @cached_property
    def num_mappings(self) -> Ints:
        """Per VMO: mappings of it, everywhere (#map)."""
        return np.bincount(self.vmo, minlength=len(self.snap.vmos)).astype(np.int64)

    @cached_property
    def by_vmo(self) -> ByVmo:
        """The mappings in order of their VMO."""
        return ByVmo(self)

    @property
    def pairs(self) -> tuple[Ints, Ints]:
        """VMO and address space of each distinct pair of which one maps the other, sorted."""
        return self.by_vmo.pairs

    @cached_property
    def num_aspaces(self) -> Ints:
        """Per VMO: distinct address spaces that map it, exactly."""
        return np.bincount(self.pairs[0], minlength=len(self.snap.vmos)).astype(np.int64)

    @cached_property
    def share_count(self) -> Ints:
        """Per VMO: #shr as the kernel counts it, an estimate above 64 address spaces."""
        share = np.where(self.num_mappings < 2, 1, self.num_aspaces)
        many = np.flatnonzero(self.num_aspaces > MAX_SHARE_ASPACES)
        if len(many):
            share[many] = self._estimates(many)
        return share

    @cached_property
    def shares(self) -> ShareCounts:
        """#shr as far as the capture knows it; the one answer that sums and rules divide by.

        The kernel counts its own address space among those that map a VMO (reference/kernel.md
        "Share count"), so the processes' mappings alone do not give the number.
        """
        rows = len(self.snap.vmos)
        if self.snap.knows("mappings", "kernel mappings"):
            return ShareCounts(self.share_count, np.ones(rows, bool), np.zeros(rows, bool))
        column = self.snap.vmos["reported_share_count"]
        reported = is_known(column)
        counts = np.maximum(np.where(reported, integers(column), self.share_count), 1)
        everywhere = self.snap.knows("mappings")
        # A VMO that no process maps has #shr 1, however often the kernel maps it.
        guessed = ~reported & (self.num_mappings > 0) & everywhere
        return ShareCounts(counts, reported | everywhere, guessed)

    def _estimates(self, many: Ints) -> Ints:
        """#shr of VMOs with more than 64 address spaces, newest mapping first."""
        counted = self.num_mappings[many]
        chosen = np.zeros(len(self.num_mappings), bool)
        chosen[many] = True
        mine = np.flatnonzero(np.repeat(chosen, self.num_mappings))
        aspace, seq = self.by_vmo.aspace[mine], self.map_seq[self.by_vmo.order[mine]]
        age = int(self.map_seq.max()) - seq
        vmo = np.repeat(np.arange(len(many)), counted)
        pair = starts_of(vmo * len(self.snap.aspaces) + aspace)
        # The kernel meets an address space at its newest mapping, and stops at the 65th it meets.
        met = np.minimum.reduceat(age, pair)
        each = self.num_aspaces[many]
        last = order_by(vmo[pair], met)[np.cumsum(each) - each + MAX_SHARE_ASPACES]
        stop, where = met[last][vmo], aspace[pair[last]][vmo]
        # A kernel's creation numbers are unique; only captures of two boots, merged, can tie.
        before = (age < stop) | ((age == stop) & (aspace < where))
        visited = np.bincount(vmo[before], minlength=len(many))
        rest = counted - visited
        return np.asarray(MAX_SHARE_ASPACES + rest * MAX_SHARE_ASPACES // visited, dtype=np.int64)

    @cached_property
    def mapped_by_user(self) -> npt.NDArray[np.bool_]:
        """Per VMO: whether some process maps it (if not, it is hidden)."""
        user = is_choice(self.snap.aspaces["kind"], "user")
        seen = np.zeros(len(self.snap.vmos), dtype=bool)
        seen[self.vmo[user[self.aspace]]] = True
        return seen

    @cached_property
    def begin_page(self) -> Ints:
        """Per mapping: page index of the VMO where its range begins."""
        return (self.offset_bytes >> PAGE_SHIFT).view(np.int64)

    @cached_property
    def end_page(self) -> Ints:
        """Per mapping: page index where its range ends, cut to the size of the VMO."""
        end: Ints = self.begin_page + whole_pages(self.size_bytes)
        return np.minimum(end, self.size_pages[self.vmo])

    @cached_property
    def places(self) -> tuple[Ints, Ints]:
        """Per mapping: the half-open range of the VMO's own pages on the axis of `runs`."""
        begin, end = np.empty_like(self.vmo), np.empty_like(self.vmo)
        begin[self.by_vmo.order], end[self.by_vmo.order] = self.by_vmo.places
        return begin, end

    @cached_property
    def mapping_pages(self) -> Ints:
        """Per mapping: committed pages of the VMO's own list inside the mapped range."""
        begin, end = self.by_vmo.places
        pages = np.empty_like(begin)
        pages[self.by_vmo.order] = end - begin
        return pages

    @cached_property
    def sums(self) -> ProcessSums:
        """Per address space: the sums of magenta-2017 over its mappings."""
        mapped, private, shared, scaled = np.zeros((4, len(self.snap.aspaces)), np.int64)
        by_vmo = self.by_vmo
        begin, end = by_vmo.places
        for block in blocks(len(self.vmo)):
            np.add.at(mapped, self.aspace[block], self.size_bytes[block])
            share, aspace = self.shares.counts[by_vmo.vmo[block]], by_vmo.aspace[block]
            committed = (end[block] - begin[block]) * PAGE_BYTES
            alone = np.where(share == 1, committed, 0)
            np.add.at(private, aspace, alone)
            committed -= alone
            np.add.at(shared, aspace, committed)
            np.add.at(scaled, aspace, committed // share)
        return ProcessSums(mapped, private, shared, scaled)


def view_of(snap: Snapshot) -> KernelView:
    """The snapshot's `KernelView`, made once and kept with it."""
    return kept_with(snap, "_kernel_view", lambda: KernelView(snap))


def kept_with(owner: object, name: str, make: Callable[[], T]) -> T:
    """What follows from a frozen object alone: made once and kept in its slot `_kept`.

    The slot is no field, so a state made from another (`Snapshot.renamed`, `with_tables`) starts
    without it: what is kept may hold the old name and the old rows.
    """
    slot: dict[str, T] = owner.__dict__.setdefault("_kept", {})
    if name not in slot:
        slot[name] = make()
    return slot[name]

"""What the kernel itself derives from its objects: counts per VMO, committed bytes per mapping.

These are the numbers every tool of the guide starts from (reference/kernel.md "Share count",
reference/accounting.md "magenta-2017"). All arrays are int64 and as long as the table they
describe. Where a capture has no mappings or no page runs, ask `Snapshot.coverage` first: these
functions count what is in the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.accounting.runs import Ints, RunIndex
from magmem.snapshot import PAGE_BYTES, Snapshot

__all__ = ["MAX_SHARE_ASPACES", "KernelView", "ProcessSums"]

MAX_SHARE_ASPACES = 64
"""Distinct address spaces the kernel looks at before it estimates (reference/kernel.md)."""


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


class KernelView:
    """The kernel's derived numbers over one snapshot, each computed once when first asked for."""

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        regions = snap.regions
        self.region: Ints = np.flatnonzero(
            (regions["kind"].cat.codes.to_numpy() == 1) & regions["vmo"].notna().to_numpy()
        )
        """Rows of regions that are mappings of a known VMO; the arrays below follow this order."""
        at = regions.iloc[self.region]
        self.vmo: Ints = integers(at["vmo"])
        self.aspace: Ints = integers(at["aspace"])
        self.offset_bytes: Ints = integers(at["vmo_offset_bytes"])
        self.size_bytes: Ints = integers(at["size_bytes"])
        sequence = at["map_seq"]
        self.map_seq: Ints = (
            integers(sequence) if sequence.notna().all() else np.arange(len(at), dtype=np.int64)
        )

    @cached_property
    def runs(self) -> RunIndex:
        """The committed runs, indexed by VMO."""
        pages = self.snap.pages
        return RunIndex(
            pages["vmo"].to_numpy(),
            pages["first_page"].to_numpy(),
            pages["page_count"].to_numpy(),
            len(self.snap.vmos),
        )

    @cached_property
    def committed_bytes(self) -> Ints:
        """Per VMO: bytes of the pages it owns."""
        return self.runs.owner_pages * PAGE_BYTES

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
    def num_aspaces(self) -> Ints:
        """Per VMO: distinct address spaces that map it, exactly."""
        pairs = np.unique(self.vmo * max(1, len(self.snap.aspaces)) + self.aspace)
        owner = pairs // max(1, len(self.snap.aspaces))
        return np.bincount(owner, minlength=len(self.snap.vmos)).astype(np.int64)

    @cached_property
    def share_count(self) -> Ints:
        """Per VMO: #shr as the kernel counts it, an estimate above 64 address spaces."""
        share = np.where(self.num_mappings < 2, 1, self.num_aspaces)
        many = np.flatnonzero(self.num_aspaces > MAX_SHARE_ASPACES)
        if len(many):
            order = np.lexsort((-self.map_seq, self.vmo))
            start = np.searchsorted(self.vmo[order], many)
            for vmo, begin in zip(many.tolist(), start.tolist(), strict=True):
                newest_first = self.aspace[order[begin : begin + int(self.num_mappings[vmo])]]
                share[vmo] = _estimate(newest_first)
        return share

    @cached_property
    def mapped_by_user(self) -> npt.NDArray[np.bool_]:
        """Per VMO: whether some process maps it (if not, it is hidden)."""
        user = (self.snap.aspaces["kind"] == "user").to_numpy()
        seen = np.zeros(len(self.snap.vmos), dtype=bool)
        seen[self.vmo[user[self.aspace]]] = True
        return seen

    @cached_property
    def mapping_pages(self) -> Ints:
        """Per mapping: committed pages of the VMO's own list inside the mapped range."""
        begin = self.offset_bytes // PAGE_BYTES
        size_pages = -(-integers(self.snap.vmos["size_bytes"]) // PAGE_BYTES)
        end = begin + -(-self.size_bytes // PAGE_BYTES)
        return self.runs.count(self.vmo, begin, np.minimum(end, size_pages[self.vmo]))

    @cached_property
    def sums(self) -> ProcessSums:
        """Per address space: the sums of magenta-2017 over its mappings."""
        committed = self.mapping_pages * PAGE_BYTES
        share = self.share_count[self.vmo]
        alone = share == 1
        aspaces = len(self.snap.aspaces)

        def total(values: Ints) -> Ints:
            sums = np.zeros(aspaces, np.int64)
            np.add.at(sums, self.aspace, values)
            return sums

        return ProcessSums(
            mapped_bytes=total(self.size_bytes),
            private_bytes=total(np.where(alone, committed, 0)),
            shared_bytes=total(np.where(alone, 0, committed)),
            scaled_bytes=total(np.where(alone, 0, committed // share)),
        )


def integers(series: pd.Series[int]) -> Ints:
    """A column as int64 with 0 where it is missing."""
    return series.fillna(0).to_numpy(dtype=np.int64)


def _estimate(newest_first: Ints) -> int:
    _, first_seen = np.unique(newest_first, return_index=True)
    visited = int(np.sort(first_seen)[MAX_SHARE_ASPACES])
    return MAX_SHARE_ASPACES + (len(newest_first) - visited) * MAX_SHARE_ASPACES // visited

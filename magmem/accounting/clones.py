"""What is seen through copy-on-write clones: pages of ancestors where no copy stands before them.

Rules: reference/kernel.md "Copy-on-write clones" (mid-2017) and reference/accounting.md "exact". A
range of a clone shows its own pages; where it has none, the page of its parent at parent offset +
index, if that lies within the parent's current size; and so on up the chain. Units are pages. Cost
grows with the ranges times the runs of copies inside them and the clones above them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from magmem.kernel.mappings import KernelView
from magmem.kernel.runs import Ints, RunIndex
from magmem.snapshot import PAGE_BYTES
from magmem.snapshot.columns import integers, is_known

__all__ = ["Chains", "Seen", "see_through"]


@dataclass(frozen=True, slots=True)
class Seen:
    """Pages seen by queries: int64 arrays of one length.

    Attributes
    ----------
    query : which query (row of the arrays given) sees them.
    owner : row of the VMO that owns them.
    begin, end : half-open range on the axis of the page runs, never empty.
    """

    query: Ints
    owner: Ints
    begin: Ints
    end: Ints


class Chains:
    """The parents of every VMO.

    Attributes
    ----------
    parent : int64 array
        Row of each VMO's parent, -1 for none.
    offset_pages : int64 array
        Page of the parent where the clone begins.
    """

    def __init__(self, view: KernelView) -> None:
        vmos = view.snap.vmos
        self.parent: Ints = np.where(is_known(vmos["parent"]), integers(vmos["parent"]), -1).astype(
            np.int64
        )
        self.offset_pages: Ints = integers(vmos["parent_offset_bytes"]) // PAGE_BYTES

    def or_above(self, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Per VMO: whether it or any VMO above it has the flag."""
        found = flags.copy()
        clones = np.flatnonzero(self.parent >= 0)
        while len(clones):
            clones = clones[found[self.parent[clones]] & ~found[clones]]
            found[clones] = True
            clones = np.flatnonzero((self.parent >= 0) & ~found) if len(clones) else clones
        return found


def see_through(
    view: KernelView, chains: Chains, vmo: Ints, begin: Ints, end: Ints, copies: bool = True
) -> Seen:
    """The ancestors' pages that ranges of clones show; the VMOs' own pages are not among them.

    Parameters
    ----------
    view, chains
        Of one snapshot.
    vmo, begin, end : int64 arrays of one length
        VMO rows and half-open page ranges in them, cut to the size of the VMO.
    copies : bool
        False: as if no copies stood before the ancestors' pages.

    Returns
    -------
    Seen
        A query may appear many times; its ranges are disjoint.
    """
    query = np.flatnonzero((chains.parent[vmo] >= 0) & (begin < end))
    vmo, begin, end = vmo[query], begin[query], end[query]
    found: list[tuple[Ints, Ints, Ints, Ints]] = []
    while len(query):
        if copies:
            which, begin, end = _holes(view.runs, vmo, begin, end)
            query, vmo = query[which], vmo[which]
        shift, vmo = chains.offset_pages[vmo], chains.parent[vmo]
        begin = begin + shift
        end = np.minimum(end + shift, view.size_pages[vmo])
        inside = begin < end
        query, vmo, begin, end = query[inside], vmo[inside], begin[inside], end[inside]
        first, last = view.runs.pages_below(vmo, begin), view.runs.pages_below(vmo, end)
        owned = np.flatnonzero(first < last)
        found.append((query[owned], vmo[owned], first[owned], last[owned]))
        further = chains.parent[vmo] >= 0
        query, vmo, begin, end = query[further], vmo[further], begin[further], end[further]
    if not found:
        nothing = np.zeros(0, np.int64)
        return Seen(nothing, nothing, nothing, nothing)
    return Seen(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _holes(runs: RunIndex, vmo: Ints, begin: Ints, end: Ints) -> tuple[Ints, Ints, Ints]:
    """The parts of each range in which the VMO owns no page: which range, begin, end."""
    low = runs.first_run_from(vmo, begin)
    # A run that begins before the range may reach into it.
    before = np.maximum(low - 1, 0)
    reaches = (low > runs.start[vmo]) & (runs.end[before] > begin if len(runs.end) else False)
    low = low - reaches
    high = runs.first_run_from(vmo, end)
    copies = high - low
    which = np.repeat(np.arange(len(vmo)), copies + 1)
    hole = np.arange(len(which)) - np.repeat(np.cumsum(copies + 1) - copies - 1, copies + 1)
    run = low[which] + hole
    hole_begin, hole_end = begin[which], end[which]
    after = np.flatnonzero(hole > 0)
    hole_begin[after] = np.maximum(hole_begin[after], runs.end[run[after] - 1])
    ahead = np.flatnonzero(hole < copies[which])
    hole_end[ahead] = np.minimum(hole_end[ahead], runs.first[run[ahead]])
    open_ = np.flatnonzero(hole_begin < hole_end)
    return which[open_], hole_begin[open_], hole_end[open_]

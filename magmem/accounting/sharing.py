"""Who shares each page: ranges of pages laid over each other and counted.

Ranges are half-open and lie on the axis of a `RunIndex`, so every place is one committed page. A
*query* is a range with a row (such as an address space) behind it; `share` tells for each query
into how many parts its pages fall and by how many ranges each part is covered. Cost: n log n in
the ranges (one sort of their ends); groups whose ranges are all the same take one pass. Ranges
that fall into very many parts are kept as they are (`magmem.accounting.wide`), so that cost never
becomes quadratic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from magmem.accounting.amounts import Amounts
from magmem.accounting.summing import NOTHING, Terms
from magmem.accounting.wide import Wide
from magmem.kernel.runs import Ints, group_blocks, order_of, starts_of
from magmem.snapshot import PAGE_BYTES

__all__ = [
    "Shares",
    "cover",
    "disjoint",
    "joined",
    "share",
    "share_block",
    "union",
]

Bools = npt.NDArray[np.bool_]

WIDE = 8
"""Parts of one range above which they are not listed, if there are many parts in all."""

PARTS_PER_RANGE, PARTS_AT_LEAST = 2, 1 << 12
"""Parts per range, on average, that are listed one by one; so many always are."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How the pages of ranges are shared.

    Attributes
    ----------
    terms : list of (row, sharers, pages) int64 arrays
        A row pays for so many pages, each divided by so many ranges.
    wide : tuple of Wide
        The shared pages of ranges with too many parts to list.
    covered_begin, covered_end : int64 arrays
        The pages that some range covers: disjoint, in any order.
    """

    terms: list[Terms]
    wide: tuple[Wide, ...]
    covered_begin: Ints
    covered_end: Ints

    def amounts(self, rows: int) -> Amounts:
        """Bytes charged to each of so many rows."""
        return Amounts.of_terms(rows, self.terms, PAGE_BYTES, self.wide)

    @property
    def covered_pages(self) -> int:
        """Pages that some range covers."""
        return int((self.covered_end - self.covered_begin).sum())


def disjoint(row: Ints, begin: Ints, end: Ints) -> Ints:
    """Move the begins of ranges so that those of one row no longer overlap; the union stays.

    Parameters
    ----------
    row, begin, end : int64 arrays of one length
        Ranges and the row each belongs to. Quickest where rows and places are near each other.

    Returns
    -------
    int64 array
        The new begin of each range, in the order given; what lost everything is empty (begin =
        end).
    """
    if not len(row):
        return begin.copy()
    low = int(begin.min())
    shift = (row - int(row.min())) * (int(end.max()) - low + 1) - low
    order = order_of(begin + shift)
    first, last = (begin + shift)[order], (end + shift)[order]
    reached = np.maximum.accumulate(last)
    cut = first.copy()
    cut[1:] = np.maximum(first[1:], np.minimum(reached[:-1], last[1:]))
    result = np.empty_like(begin)
    result[order] = cut
    return result - shift


def share(begin: Ints, end: Ints, group: Ints, row: Ints) -> Shares:
    """Count for every page of every range how many ranges cover it.

    Parameters
    ----------
    begin, end, group, row : int64 arrays of one length
        Queries. Ranges of different groups do not overlap, and later groups lie further on the
        axis (a group is a VMO); `row` is who pays. Quickest if sorted by group.
    """
    if (group[1:] < group[:-1]).any():
        order = order_of(group)
        begin, end, group, row = begin[order], end[order], group[order], row[order]
    return joined(
        share_block(begin[block], end[block], group[block], row[block])
        for block in group_blocks(group)
    )


def joined(parts: Iterable[Shares]) -> Shares:
    """Shares of blocks of groups, in ascending order of the groups, as one."""
    parts = list(parts)
    return Shares(
        [term for part in parts for term in part.terms],
        tuple(wide for part in parts for wide in part.wide),
        np.concatenate([NOTHING, *(part.covered_begin for part in parts)]),
        np.concatenate([NOTHING, *(part.covered_end for part in parts)]),
    )


def share_block(
    begin: Ints, end: Ints, group: Ints, row: Ints, rows_are_disjoint: bool = False
) -> Shares:
    """`share` of few ranges, sorted by group.

    Parameters
    ----------
    begin, end, group, row : int64 arrays of one length
    rows_are_disjoint : bool
        Ranges of one row do not overlap.
    """
    query = np.flatnonzero(begin < end)
    begin, end, group, row = begin[query], end[query], group[query], row[query]
    sharers, alike, apart = _alike(begin, end, group, row)
    if rows_are_disjoint:
        sharers[apart], alike = 1, alike | apart
    same, other = np.flatnonzero(alike), np.flatnonzero(~alike)
    parts = _Parts(begin[other], end[other], row[other])
    # Of ranges that are all the same, the first of each group stands for what they cover.
    stands = apart[same] & rows_are_disjoint
    stands[starts_of(group[same])] = True
    first = same[stands]
    return Shares(
        [(row[same], sharers[same], (end - begin)[same]), *parts.terms],
        parts.wide,
        np.concatenate((begin[first], parts.covered_begin)),
        np.concatenate((end[first], parts.covered_end)),
    )


def union(begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """What ranges cover together: sorted, disjoint and not touching."""
    some = np.flatnonzero(begin < end)
    order = some[order_of(begin[some])]
    begin, end = begin[order], np.maximum.accumulate(end[order])
    if not len(begin):
        return begin, end
    first = np.concatenate(([True], begin[1:] > end[:-1]))
    last = np.concatenate((first[1:], [True]))
    return begin[first], end[last]


def cover(begin: Ints, end: Ints, at: Ints) -> Ints:
    """Pages below each place `at` that lie in sorted, disjoint ranges."""
    before = np.concatenate(([0], np.cumsum(end - begin)))
    row = np.searchsorted(begin, at, side="right")
    inside = np.maximum(end[row - 1] - at, 0) if len(end) else np.zeros_like(at)
    return np.asarray(before[row] - np.where(row > 0, inside, 0), dtype=np.int64)


def _alike(begin: Ints, end: Ints, group: Ints, row: Ints) -> tuple[Ints, Bools, Bools]:
    """Of each range's group: how many ranges, whether all are the same, whether of one row."""
    group = group - group[0] if len(group) else group
    groups = int(group[-1]) + 1 if len(group) else 0
    first = np.zeros(groups, np.int64)
    first[group] = np.arange(len(group))
    sample = first[group]
    odd, mixed = np.zeros(groups, bool), np.zeros(groups, bool)
    odd[group[(begin != begin[sample]) | (end != end[sample])]] = True
    mixed[group[row != row[sample]]] = True
    return np.bincount(group, minlength=groups)[group].astype(np.int64), ~odd[group], ~mixed[group]


class _Parts:
    """Ranges that overlap in any way, cut at every begin and end into parts."""

    def __init__(self, begin: Ints, end: Ints, row: Ints) -> None:
        count = len(begin)
        ends = np.concatenate((begin, end))
        order = order_of(ends)
        ends = ends[order]
        new = np.concatenate(([True], ends[1:] != ends[:-1])) if count else np.zeros(0, bool)
        place = np.empty(2 * count, np.int64)
        place[order] = np.cumsum(new) - 1
        first, last = place[:count], place[count:]
        bounds = ends[new]
        opened = np.bincount(first, minlength=len(bounds))
        closed = np.bincount(last, minlength=len(bounds))
        self._sharers: Ints = np.cumsum(opened - closed)[:-1].astype(np.int64)
        self._pages: Ints = np.diff(bounds)
        covered = self._sharers > 0
        self.covered_begin: Ints = bounds[:-1][covered]
        self.covered_end: Ints = bounds[1:][covered]
        length = last - first
        listed = np.arange(count)
        self.terms: list[Terms] = []
        self.wide: tuple[Wide, ...] = ()
        if int(length.sum()) > PARTS_PER_RANGE * count + PARTS_AT_LEAST:
            wide, listed = np.flatnonzero(length > WIDE), np.flatnonzero(length <= WIDE)
            self._keep(row[wide], first[wide], last[wide])
        self._list(row[listed], first[listed], length[listed])

    def _list(self, row: Ints, first: Ints, length: Ints) -> None:
        which = np.repeat(np.arange(len(row)), length)
        part = np.arange(len(which)) + (first - (np.cumsum(length) - length))[which]
        self.terms.append((row[which], self._sharers[part], self._pages[part]))

    def _keep(self, row: Ints, first: Ints, last: Ints) -> None:
        """Keep ranges as they are, but list the pages that nobody shares: they stay whole."""
        below = np.concatenate(([0], np.cumsum(np.where(self._sharers == 1, self._pages, 0))))
        whole = np.ones_like(row)
        self.terms.append((row, whole, below[last] - below[first]))
        self.wide = (Wide(self._pages, self._sharers, row, first, last, whole),)

"""Counting pages in ranges of page runs, for a million ranges at once.

Runs are (owner, first page, count), sorted and disjoint, as in the pages and entries tables of a
snapshot. All pages of all runs, laid end to end in table order, make one *axis* of page numbers
0 … total: `RunIndex.pages_below` turns a page index of an owner into a place on that axis, so that
the pages of a range are a difference of two places. Cost: O(runs + queries × log runs of one
owner), no loop over pages.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = [
    "BLOCK",
    "Ints",
    "RunIndex",
    "blocks",
    "group_blocks",
    "order_by",
    "order_of",
    "starts_of",
]

BLOCK = 1 << 16
"""Rows that are worked on together."""

Ints = npt.NDArray[np.int64]


class RunIndex:
    """Sorted, disjoint runs of pages, ready for range counts.

    Parameters
    ----------
    owner, first, count : int64 arrays of one length
        Owner row, first page and number of pages of each run, sorted by owner and first page.
    owners : int
        Number of owners (rows of the table that `owner` points into).

    Attributes
    ----------
    first, end : int64 arrays, one item per run
        The half-open range of page indices of each run.
    start : int64 array of ``owners + 1`` items
        The runs of owner ``o`` are ``start[o] … start[o + 1]``.
    before : int64 array, one item more than runs
        The axis: pages of all earlier runs.
    owner_pages, owner_begin : int64 arrays, one item per owner
        How many pages it has, and where they begin on the axis.
    """

    def __init__(self, owner: Ints, first: Ints, count: Ints, owners: int) -> None:
        self.first = first
        self.end: Ints = first + count
        self.before: Ints = np.zeros(len(count) + 1, np.int64)
        np.cumsum(count, out=self.before[1:])
        self.start: Ints = np.zeros(owners + 1, np.int64)
        np.cumsum(np.bincount(owner, minlength=owners), out=self.start[1:])
        self.owner_begin: Ints = self.before[self.start[:-1]]
        self.owner_pages: Ints = self.before[self.start[1:]] - self.owner_begin
        empty = self.start[1:] == self.start[:-1]
        self._first: Ints = np.where(empty, 0, _at(self.first, self.start[:-1]))
        span = np.where(empty, 0, _at(self.end, self.start[1:] - 1) - self._first)
        self._span_with_gaps: Ints = np.where(span > self.owner_pages, span, 0)
        # Owner and page as one number, so that one search serves all owners.
        width = int(self.end.max(initial=0)) + 1
        self._width = width if width * (owners + 1) < 1 << 62 else 0
        self._keys: Ints = owner * self._width + first

    @property
    def total_pages(self) -> int:
        """Length of the axis."""
        return int(self.before[-1])

    def pages_below(self, owner: Ints, page: Ints) -> Ints:
        """Place on the axis of each `owner`'s page index `page`.

        That is how many pages the owner's runs have below it, plus all pages of earlier owners.
        """
        inside = page - self._first[owner]
        place: Ints = np.minimum(inside, self.owner_pages[owner])
        np.maximum(place, 0, out=place)
        place += self.owner_begin[owner]
        # Between the first and the last page of an owner with gaps, arithmetic is not enough.
        searched = np.flatnonzero((inside > 0) & (inside < self._span_with_gaps[owner]))
        if len(searched):
            page = page[searched]
            run = self.first_run_from(owner[searched], page) - 1
            place[searched] = self.before[run] + np.minimum(page, self.end[run]) - self.first[run]
        return place

    def first_run_from(self, owner: Ints, page: Ints) -> Ints:
        """Row of the first run of `owner` that begins at or after `page`, else the end row."""
        if self._width:
            # Few neighbouring owners are a short stretch of the keys, and that is in the cache.
            begin = int(self.start[owner.min(initial=len(self.start) - 1)])
            end = int(self.start[owner.max(initial=-1) + 1])
            key = owner * self._width + np.minimum(page, self._width - 1)
            return begin + np.searchsorted(self._keys[begin:end], key).astype(np.int64)
        low, high = self.start[owner], self.start[owner + 1]
        active = np.flatnonzero(low < high)
        while len(active):
            middle = (low[active] + high[active]) >> 1
            below = self.first[middle] < page[active]
            low[active[below]] = middle[below] + 1
            high[active[~below]] = middle[~below]
            active = active[low[active] < high[active]]
        return low

    def count(self, owner: Ints, begin: Ints, end: Ints) -> Ints:
        """Pages of each `owner`'s runs in ``[begin, end)``; int64 array of the queries' length."""
        return self.pages_below(owner, np.maximum(begin, end)) - self.pages_below(owner, begin)


def order_of(values: Ints) -> Ints:
    """Stable order of whole numbers."""
    if not len(values):
        return np.zeros(0, np.int64)
    least = int(values.min())
    span = int(values.max()) - least
    if span >= 1 << 48:
        return np.argsort(values, kind="stable")
    # Digit by digit, because numpy sorts numbers of 16 bits by radix, several times faster.
    rest = values - least
    order = np.argsort(rest.astype(np.uint16), kind="stable")
    for shift in (16, 32):
        if span >> shift:
            digit = (rest >> shift).astype(np.uint16)[order]
            order = order[np.argsort(digit, kind="stable")]
    return order


def order_by(major: Ints, minor: Ints) -> Ints:
    """Stable order by two columns of numbers of 0 or more."""
    width = int(minor.max(initial=0)) + 1
    if (int(major.max(initial=0)) + 1) * width < 1 << 62:
        return order_of(major * width + minor)
    return np.lexsort((minor, major))


def blocks(count: int) -> Iterator[slice]:
    """Slices of so many rows, each small enough for the processor's cache.

    Whole columns of a million rows are passed over block by block, because a temporary array of
    that size costs more to come by than the arithmetic in it.
    """
    for begin in range(0, count, BLOCK):
        yield slice(begin, min(begin + BLOCK, count))


def group_blocks(group: Ints) -> Iterator[slice]:
    """The same over sorted groups, each group whole in one slice."""
    begin = 0
    while begin < len(group):
        end = min(begin + BLOCK, len(group))
        end = int(np.searchsorted(group, group[end - 1], side="right"))
        yield slice(begin, end)
        begin = end


def starts_of(values: Ints) -> Ints:
    """Where each run of equal values begins in a sorted array."""
    if not len(values):
        return np.zeros(0, np.int64)
    new = np.empty(len(values), bool)
    new[0] = True
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return np.flatnonzero(new)


def _at(values: Ints, rows: Ints) -> Ints:
    """`values[rows]` where a row may lie one outside; those items mean nothing."""
    if not len(values):
        return np.zeros(len(rows), np.int64)
    return values[np.clip(rows, 0, len(values) - 1)]

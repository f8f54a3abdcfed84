"""Counting pages in ranges of page runs, for a million ranges at once.

Runs are (owner, first page, count), sorted and disjoint, as in the pages and entries tables of a
snapshot. A query counts the pages of one owner's runs inside a half-open page range. Cost:
O((runs + queries) log runs), no loop over pages.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Ints", "RunIndex"]

Ints = npt.NDArray[np.int64]


class RunIndex:
    """Sorted, disjoint runs of pages, ready for range counts.

    Parameters
    ----------
    owner, first, count : int64 arrays of one length
        Owner row, first page and number of pages of each run, sorted by owner and first page.
    owners : int
        Number of owners (rows of the table that `owner` points into).
    """

    def __init__(self, owner: Ints, first: Ints, count: Ints, owners: int) -> None:
        self.first = first
        self.end = first + count
        self.before = np.concatenate(([0], np.cumsum(count)))
        self.start = np.searchsorted(owner, np.arange(owners + 1))
        self.owner_pages: Ints = self.before[self.start[1:]] - self.before[self.start[:-1]]
        last = np.maximum(self.start[1:] - 1, 0)
        extent = np.where(self.start[1:] > self.start[:-1], self.end[last] if len(first) else 0, 0)
        self._extent: Ints = extent.astype(np.int64)
        # Owners laid end to end on one axis, so that one searchsorted serves them all.
        self._shift: Ints = np.concatenate(([0], np.cumsum(self._extent)))
        if float(np.sum(self._extent, dtype=np.float64)) >= 2.0**62:
            raise OverflowError("page runs reach too far to index together")
        self._axis: Ints = first + self._shift[owner]

    def pages_below(self, owner: Ints, page: Ints) -> Ints:
        """Pages of `owner`'s runs with an index below `page`, plus all pages of earlier owners."""
        inside = np.minimum(page, self._extent[owner])
        run = np.searchsorted(self._axis, inside + self._shift[owner], side="left") - 1
        run = np.maximum(run, self.start[owner] - 1)
        whole = self.before[np.maximum(run, 0)]
        part = np.minimum(inside, self.end[run]) - self.first[run] if len(self.first) else 0
        return np.where(run >= self.start[owner], whole + part, self.before[self.start[owner]])

    def count(self, owner: Ints, begin: Ints, end: Ints) -> Ints:
        """Pages of each `owner`'s runs in ``[begin, end)``; int64 array of the queries' length."""
        if not len(self.first):
            return np.zeros(len(owner), np.int64)
        pages = self.pages_below(owner, end) - self.pages_below(owner, np.minimum(begin, end))
        return np.asarray(pages, dtype=np.int64)

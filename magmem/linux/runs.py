"""Runs of pages (owner, first page, count) from single pages, and unions of runs.

All arrays are int64. Cost: one sort.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Runs", "joined", "runs_of", "union"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of pages; arrays of one length.

    Attributes
    ----------
    owner, first, count : int64 arrays
        Owner row, first page, number of pages.
    """

    owner: Ints
    first: Ints
    count: Ints

    @property
    def pages(self) -> int:
        """Pages in all."""
        return int(self.count.sum())

    def per_owner(self, owners: int) -> Ints:
        """Pages of each owner; int64 array of that length."""
        sums = np.zeros(owners, np.int64)
        np.add.at(sums, self.owner, self.count)
        return sums


def runs_of(owner: Ints, page: Ints) -> Runs:
    """Single pages, sorted by owner and page without repeats, as runs."""
    if not len(page):
        return Runs(owner.astype(np.int64), page.astype(np.int64), np.zeros(0, np.int64))
    new = np.append(True, (np.diff(owner) != 0) | (np.diff(page) != 1))
    first = np.flatnonzero(new)
    return Runs(owner[first], page[first], np.diff(np.append(first, len(page))))


def union(runs: Runs) -> Runs:
    """The same pages, each once: sorted, disjoint, neighbours joined."""
    if not len(runs.owner):
        return runs
    order = np.lexsort((runs.first, runs.owner))
    owner, first = runs.owner[order], runs.first[order]
    # Owners follow each other on one axis with a gap, so that their runs never join.
    extent = np.zeros(len(order), np.int64)
    change = np.append(True, np.diff(owner) != 0)
    low = np.repeat(first[change], np.diff(np.append(np.flatnonzero(change), len(order))))
    end = first + runs.count[order] - low
    np.maximum.at(extent, np.cumsum(change) - 1, end)
    shift = np.concatenate(([0], np.cumsum(extent + 1)[:-1]))[np.cumsum(change) - 1] - low
    reached = np.maximum.accumulate(end + low + shift)
    begin = first + shift
    opens = np.append(True, begin[1:] > reached[:-1])
    start = np.flatnonzero(opens)
    last = np.append(start[1:], len(order)) - 1
    return Runs(owner[start], first[start], reached[last] - begin[start])


def joined(*parts: Runs) -> Runs:
    """Runs of several sources after each other."""
    nothing = np.zeros(0, np.int64)
    return Runs(
        np.concatenate([nothing, *(part.owner for part in parts)]),
        np.concatenate([nothing, *(part.first for part in parts)]),
        np.concatenate([nothing, *(part.count for part in parts)]),
    )

"""The job tree of a machine as columns: its order by any column, and what a filter leaves of it.

Places count tasks in the order `ps` prints them (a job, its processes, its child jobs); threads are
left out. Sizes are whole bytes; `UNKNOWN` marks what the capture does not tell, `NONE` what there
is no such number of. Nothing here loops over tasks in Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.kernel.runs import Ints
from magmem.kernel.tasktree import JOB, THREAD, TaskTree
from magmem.snapshot import Snapshot

__all__ = ["NONE", "UNKNOWN", "MachineTree", "Names", "order_of_siblings", "plain", "within"]

Bools = npt.NDArray[np.bool_]

UNKNOWN: Final = -1
NONE: Final = -2


class MachineTree:
    """Jobs and processes below the root job, or all of them where no root job is known.

    Attributes
    ----------
    rows : int64 array
        Rows of the tasks table; the other arrays follow it.
    depth, parent, end : int64 arrays
        Depth below the root, place of the job above (-1: none), and the place where what is below
        ends.
    is_job : bool array
    koid : int64 array
    names : Names
    """

    def __init__(self, snap: Snapshot) -> None:
        tree = TaskTree(snap, snap.root_job_koid)
        task = tree.kind[tree.rows] != THREAD
        self.rows: Ints = tree.rows[task]
        self.depth: Ints = tree.depth[task]
        self.is_job: Bools = np.asarray(tree.kind[self.rows] == JOB)
        self.koid: Ints = snap.tasks["koid"].to_numpy()[self.rows]
        self.names = Names(snap.tasks["name"].iloc[self.rows])
        self.parent, self.end = _links(self.depth)
        self._by_koid = np.argsort(self.koid, kind="stable")

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, koid: int) -> int:
        """Place of a task; -1 if it is not in the tree."""
        return int(self.places(np.array([koid]))[0])

    def places(self, koids: Ints) -> Ints:
        """Place of each koid; -1 where it is not in the tree."""
        if not len(self):
            return np.full(len(koids), -1, np.int64)
        at = np.searchsorted(self.koid, koids, sorter=self._by_koid)
        found = self._by_koid[np.minimum(at, len(self) - 1)]
        return np.where(self.koid[found] == koids, found, -1).astype(np.int64)

    def ordered(self, keys: Any, descending: bool) -> Ints:
        """All places, children by a key below their parents; ties in the order of `ps`.

        Parameters
        ----------
        keys : array of integers
            One for each task; negative ones (unknown) come last either way.
        descending : bool
        """
        siblings = order_of_siblings(keys, descending, self.parent)
        sizes = (self.end - np.arange(len(self)))[siblings]
        above = self.parent[siblings]
        before = np.cumsum(sizes) - sizes
        first = np.ones(len(self), bool)
        first[1:] = above[1:] != above[:-1]
        group = np.maximum.accumulate(np.where(first, np.arange(len(self)), 0))
        offset = np.empty(len(self), np.int64)
        offset[siblings] = before - before[group]
        at = offset
        by_depth = np.argsort(self.depth, kind="stable")
        bounds = np.searchsorted(self.depth[by_depth], np.arange(self._levels + 1))
        for begin, end in zip(bounds[1:-1].tolist(), bounds[2:].tolist(), strict=True):
            level = by_depth[begin:end]
            at[level] += at[self.parent[level]] + 1
        order = np.empty(len(self), np.int64)
        order[at] = np.arange(len(self))
        return order

    @property
    def _levels(self) -> int:
        return int(self.depth.max(initial=-1)) + 1

    def kept(self, found: Bools) -> tuple[Bools, Bools]:
        """What a filter leaves: what is found, all above it and all below it.

        Returns
        -------
        kept, inside : bool arrays
            `inside`: it is found itself, or something above it is.
        """
        sums = np.concatenate(([0], np.cumsum(found)))
        holds = sums[self.end] > sums[:-1]
        inside = self._below(np.flatnonzero(found)) | found
        return holds | inside, inside

    def open_below(self, closed: Iterable[int]) -> Bools:
        """Which tasks are to be seen when the jobs at some places are closed."""
        return ~self._below(np.fromiter(closed, np.int64))

    def _below(self, places: Ints) -> Bools:
        change = np.zeros(len(self) + 1, np.int64)
        np.add.at(change, places + 1, 1)
        np.add.at(change, self.end[places], -1)
        return np.asarray(np.cumsum(change[:-1]) > 0, dtype=bool)

    def job_sums(self, values: Any) -> Any:
        """Each job's sum over the processes below it, processes as they are; ints of any size."""
        sums = np.concatenate(([0], np.cumsum(np.where(self.is_job, 0, values))))
        return np.where(self.is_job, sums[self.end] - sums[:-1], values)


class Names:
    """A column of names: as shown, and what has a text in it, without a loop over the rows."""

    def __init__(self, column: pd.Series[str]) -> None:
        codes, names = pd.factorize(column, use_na_sentinel=True)
        self.codes: Ints = codes.astype(np.int64)
        self.distinct: list[str] = [str(name) for name in names]
        lower = [name.casefold() for name in self.distinct]
        self._lower = np.array([*lower, ""], dtype=np.str_)
        order = np.argsort(self._lower[:-1], kind="stable")
        self._rank = np.full(len(lower) + 1, UNKNOWN, np.int64)
        self._rank[order] = np.arange(len(lower))

    def __getitem__(self, row: int) -> str | None:
        """A name; None where the capture does not tell it."""
        code = int(self.codes[row])
        return None if code < 0 else self.distinct[code]

    @property
    def rank(self) -> Ints:
        """Per row: its place in the alphabet; negative where there is no name."""
        return self._rank[self.codes]

    def having(self, text: str) -> Bools:
        """Per row: whether the name has a text in it, in capitals or not."""
        hit = np.char.find(self._lower, text.casefold()) >= 0
        hit[-1] = False
        return np.asarray(hit[self.codes], dtype=bool)


def order_of_siblings(keys: Any, descending: bool, parent: Ints | None = None) -> Ints:
    """Order of rows by parent, then key; negative keys last, ties as they stand."""
    keys = np.asarray(keys)
    known = keys >= 0
    value = np.where(known, -keys if descending else keys, 0)
    columns = (value, ~known) if parent is None else (value, ~known, parent)
    return np.asarray(np.lexsort(columns), dtype=np.int64)


def within(values: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """First and end of each wanted value in a sorted array."""
    return np.searchsorted(values, wanted), np.searchsorted(values, wanted, side="right")


def plain(column: pd.Series[int]) -> Ints:
    """A nullable column as int64, `UNKNOWN` where it is missing."""
    return np.asarray(column.astype("Int64").to_numpy(dtype=np.int64, na_value=UNKNOWN))


def _links(depth: Ints) -> tuple[Ints, Ints]:
    """Parent and end of each item of a pre-order, from the depths alone."""
    count = len(depth)
    parent, end = np.full(count, -1, np.int64), np.full(count, count, np.int64)
    place = np.arange(count)
    for level in range(int(depth.max(initial=-1)) + 1):
        here = np.flatnonzero(depth == level)
        # Ends where the next task stands that is not deeper.
        stops = np.flatnonzero(depth <= level)
        after = np.searchsorted(stops, here, side="right")
        end[here] = np.append(stops, count)[after]
        if level:
            above = np.flatnonzero(depth == level - 1)
            parent[here] = above[np.searchsorted(above, place[here]) - 1]
    return parent, end

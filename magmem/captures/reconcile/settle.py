"""One value out of several: the first known wins, a finer one that agrees replaces it.

Values of one object from several origins either agree (equal, or within the rounding of a printed
size), or contradict each other. Contradictions are collected with both places and both values, the
first `LIMIT` in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from magmem.captures.reconcile.loose import Bools, Ints, Loose, Origin, Values
from magmem.errors import CaptureError
from magmem.snapshot.schema import TABLES

__all__ = ["LIMIT", "Contradictions", "Notes", "Settler", "group_rows"]

LIMIT = 100
"""Contradictions that are told one by one."""

Agree = Callable[[npt.NDArray[Any], npt.NDArray[Any]], Bools]


class Notes:
    """Rows for the notes table."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []

    def add(self, kind: str, source: str, place: str, message: str) -> None:
        """One remark; `kind` is a choice of the notes table."""
        self.rows.append((kind, source, place, message))


class Contradictions:
    """Where origins disagree; `finish` turns the collection into notes."""

    def __init__(self, origins: Sequence[Origin], notes: Notes) -> None:
        self.origins = origins
        self.notes = notes
        self.count = 0

    def add(self, source: str, place: str, message: str) -> None:
        """One more, told in full while there are few."""
        self.count += 1
        if self.count <= LIMIT:
            self.notes.add("contradiction", source, place, message)

    def finish(self) -> None:
        """Say how many there were beyond those told."""
        if self.count > LIMIT:
            rest = self.count - LIMIT
            first = self.origins[0].source if self.origins else ""
            self.notes.add("contradiction", first, "", f"{rest} more contradictions like these")


def group_rows(*keys: npt.NDArray[Any]) -> tuple[Ints, int]:
    """Number the rows so that equal keys get equal numbers.

    Returns
    -------
    (int64 array, int)
        The number of each row, in the order of the sorted keys, and how many there are.
    """
    rows = len(keys[0])
    if not rows:
        return np.zeros(0, np.int64), 0
    order = np.lexsort(keys[::-1])
    fresh = np.zeros(rows, bool)
    for key in keys:
        ordered = key[order]
        fresh[1:] |= ordered[1:] != ordered[:-1]
    number = np.cumsum(fresh)
    group = np.empty(rows, np.int64)
    group[order] = number
    return group, int(number[-1]) + 1


class Settler:
    """Settles the columns of one table, given which rows are about the same object.

    Parameters
    ----------
    table : str
        Name in `magmem.snapshot.TABLES`.
    rows : Loose
    grouped : (int64 array, int)
        Object of each row, negative for rows to leave out; how many objects there are.
    label : function of int to str
        What to call an object in a message.
    """

    def __init__(
        self,
        table: str,
        rows: Loose,
        grouped: tuple[Ints, int],
        label: Callable[[int], str],
        contradictions: Contradictions,
    ) -> None:
        self.table = table
        self.rows = rows
        group, self.groups = grouped
        self.group = group
        self.label = label
        self.contradictions = contradictions
        order = np.lexsort((np.arange(len(rows)), rows.origin, group))
        self.order: Ints = order[group[order] >= 0]

    def column(
        self,
        name: str,
        *,
        agree: Agree | None = None,
        weight: npt.NDArray[Any] | None = None,
        unlike: str = "",
        quiet: bool = False,
    ) -> Values:
        """The column with one value an object, unknown where no row knows it.

        Parameters
        ----------
        agree : function of two arrays to bool array
            Which differing values agree all the same. Sizes agree within their slack.
        weight : array, one item a row
            Among values that agree with the first, the lightest is taken.
        unlike : str
            If given, a contradiction inside one dump is a `CaptureError` that expects this.
        quiet : bool
            Differences are no contradiction.
        """
        values, known = self.rows.column(name)
        at = self.order[known[self.order]]
        owner = self.group[at]
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        chosen = at[first]
        owners = owner[first]
        if len(at) > len(first):
            basis = np.repeat(chosen, np.diff(first, append=len(at)))
            fits = values[at] == values[basis]
            slack = self.rows.slack.get(name)
            if slack is not None:
                fits |= np.abs(values[at] - values[basis]) <= slack[at] + slack[basis]
                weight = slack
            if agree is not None:
                unequal = np.flatnonzero(~fits)
                fits[unequal] = agree(values[at[unequal]], values[basis[unequal]])
            if weight is not None:
                near = at[fits]
                near = near[np.lexsort((np.arange(len(near)), weight[near], self.group[near]))]
                chosen = near[np.flatnonzero(np.diff(self.group[near], prepend=-1))]
            if not quiet:
                self._tell(name, at[~fits], basis[~fits], unlike)
        settled = np.zeros(self.groups, values.dtype)
        there = np.zeros(self.groups, bool)
        settled[owners] = values[chosen]
        there[owners] = True
        return settled, there

    def _tell(self, name: str, rows: Ints, basis: Ints, unlike: str) -> None:
        origin, line = self.rows.origin, self.rows.line
        if unlike:
            same = np.flatnonzero((origin[rows] == origin[basis]) & (line[rows] > 0))
            if len(same):
                bad, good = int(rows[same[0]]), int(basis[same[0]])
                found = f"{self._shown(name, bad)}, but {self._shown(name, good)}"
                source = self.contradictions.origins[origin[bad]].source
                place = f"line {line[bad]}"
                raise CaptureError(source, place, unlike, f"{found} on line {line[good]}")
        spare = max(0, LIMIT - self.contradictions.count)
        for bad, good in zip(rows[:spare].tolist(), basis[:spare].tolist(), strict=True):
            self._one(name, bad, good)
        self.contradictions.count += max(0, len(rows) - spare)

    def _one(self, name: str, bad: int, good: int) -> None:
        here, there = (self.contradictions.origins[self.rows.origin[row]] for row in (bad, good))
        what = self.label(int(self.group[bad]))
        kept = f"{self._shown(name, good)} in {there.dump} ({there.source}, "
        kept += f"{there.place(int(self.rows.line[good]), good)}), which is kept"
        message = f"{what}: {name} is {self._shown(name, bad)} in {here.dump}, but {kept}"
        place = here.place(int(self.rows.line[bad]), bad)
        self.contradictions.add(here.source, place, message)

    def _shown(self, name: str, row: int) -> str:
        value = self.rows.columns[name][0][row]
        column = TABLES[self.table].columns[name]
        if column.choices:
            return column.choices[int(value)]
        if column.is_address:
            return f"{int(value):#x}"
        return repr(value) if isinstance(value, str) else str(value)

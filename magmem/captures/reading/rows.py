"""Rows of a table while they are read, and the columns they become.

A reader hands over a row as keywords named like the columns of `magmem.snapshot.schema`: choices by
their word, references as row numbers, nothing (or ``None``) for what the source does not say. What
a row leaves out is unknown; nobody keeps columns of equal length by hand.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from magmem.captures.reconcile.loose import HIDDEN, Bools, Bundle, Ints, Loose
from magmem.captures.reconcile.rounding import printed_size
from magmem.snapshot.schema import TABLES, Column

__all__ = ["Rounded", "Rows", "Tables", "size_of"]

BATCH = 4096
"""Rows that are kept as Python objects before they become arrays, so that memory stays bounded."""

_KINDS = {"int": np.int64, "choice": np.int64, "uint": np.uint64, "bool": np.bool_, "text": object}


class Rounded(int):
    """Bytes that were printed with fewer digits; `slack` bytes more or less may be meant."""

    slack: int

    def __new__(cls, size_bytes: int, slack: int) -> Rounded:
        """An int that remembers by how much it may be off."""
        rounded = super().__new__(cls, size_bytes)
        rounded.slack = slack
        return rounded


@lru_cache(maxsize=1 << 16)
def size_of(text: str) -> int:
    """Bytes of a printed size, as `Rounded` where it has a decimal.

    Raises
    ------
    ValueError
        Not a size with a unit, or one of 63 bits or more.
    """
    size_bytes, slack = printed_size(text)
    return Rounded(size_bytes, slack) if slack else size_bytes


class Rows:
    """The rows of one table, as they come.

    Parameters
    ----------
    table : str
        Name in `magmem.snapshot.TABLES`.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self._origins = array("q")
        self._lines = array("q")
        # Rows that give the same columns wait together: a batch becomes arrays in one go.
        self._waiting: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        self._done: dict[str, list[tuple[Ints, npt.NDArray[Any], Bools | None, Ints | None]]] = {}
        self._changes: dict[str, dict[int, Any]] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def add(self, origin: int, line: int, /, **values: Any) -> int:
        """Keep a row.

        Parameters
        ----------
        origin, line : int
            Number of the dump, and the line it stands on.
        **values
            Columns of the table by name; see the module for what they hold.

        Returns
        -------
        int
            Its number, by which other rows may refer to it.
        """
        row = len(self._origins)
        self._origins.append(origin)
        self._lines.append(line)
        names = tuple(values)
        waiting = self._waiting.get(names)
        if waiting is None:
            waiting = self._waiting[names] = []
        waiting.append((row, *values.values()))
        if len(waiting) >= BATCH:
            self._keep(names, waiting)
        return row

    def add_many(self, origin: int, lines: Sequence[int], **columns: Sequence[Any]) -> int:
        """Keep rows that come as columns of one length; returns the number of the first."""
        first = len(self._origins)
        self._origins.extend([origin] * len(lines))
        self._lines.extend(lines)
        rows = np.arange(first, first + len(lines))
        for name, values in columns.items():
            self._keep_column(name, rows, values)
        return first

    def change(self, row: int, **values: Any) -> None:
        """Give columns of a row that is kept already another value."""
        for name, value in values.items():
            self._changes.setdefault(name, {})[row] = value

    def loose(self) -> Loose:
        """All rows as columns with a mask of what is known."""
        for names, waiting in self._waiting.items():
            self._keep(names, waiting)
        for name, changes in self._changes.items():
            self._keep_column(name, np.array(list(changes), np.int64), list(changes.values()))
        self._changes.clear()
        count = len(self)
        columns, slacks = {}, {}
        for name, parts in self._done.items():
            values = np.zeros(count, _kind(self.table, name))
            known = np.zeros(count, bool)
            slack: Ints | None = None
            for rows, given, mask, off in parts:
                values[rows] = given
                known[rows] = True if mask is None else mask
                if off is not None:
                    slack = np.zeros(count, np.int64) if slack is None else slack
                    slack[rows] = off
            if values.dtype == object:
                values[~known] = None
            columns[name] = values, known
            if slack is not None:
                slacks[name] = slack
        return Loose(
            np.array(self._origins, np.int64), np.array(self._lines, np.int64), columns, slacks
        )

    def _keep(self, names: tuple[str, ...], waiting: list[tuple[Any, ...]]) -> None:
        if waiting and names:
            numbers, *columns = zip(*waiting, strict=True)
            rows = np.array(numbers, np.int64)
            for name, values in zip(names, columns, strict=True):
                self._keep_column(name, rows, values)
        waiting.clear()

    def _keep_column(self, name: str, rows: Ints, given: Sequence[Any] | npt.NDArray[Any]) -> None:
        known: Bools | None = None
        slack: Ints | None = None
        if not isinstance(given, np.ndarray):
            column = None if name in HIDDEN else TABLES[self.table].columns[name]
            if column is not None and column.unit == "bytes" and Rounded in set(map(type, given)):
                slack = np.array([getattr(value, "slack", 0) for value in given], np.int64)
            given, known = _filled(column, given)
        values = np.empty(len(rows), _kind(self.table, name))
        values[:] = given
        if known is None or known.any():
            self._done.setdefault(name, []).append((rows, values, known, slack))


def _kind(table: str, name: str) -> Any:
    return HIDDEN[name] if name in HIDDEN else _KINDS[TABLES[table].columns[name].sort]


def _filled(column: Column | None, given: Sequence[Any]) -> tuple[list[Any], Bools | None]:
    """The values without ``None``, choices as their codes, and which are known if not all are."""
    known = None
    if any(value is None for value in given):
        known = np.array([value is not None for value in given], bool)
    if column is not None and column.sort == "choice":
        codes: dict[Any, int] = {word: code for code, word in enumerate(column.choices)}
        codes[None] = -1
        return [codes[word] for word in given], known
    if known is not None and (column is None or column.sort != "text"):
        return [0 if value is None else value for value in given], known
    return list(given), known


class Tables:
    """All rows of a capture, by table; rows refer to each other by their numbers."""

    def __init__(self) -> None:
        self._tables: dict[str, Rows] = {}

    def __getitem__(self, table: str) -> Rows:
        rows = self._tables.get(table)
        if rows is None:
            rows = self._tables[table] = Rows(table)
        return rows

    def bundle(self) -> Bundle:
        """The rows of every table that has any."""
        return {name: rows.loose() for name, rows in self._tables.items() if len(rows)}

"""One table of a snapshot: columns as numpy arrays, and for each which of its rows are known.

The arrays have the types that the schema names and cannot be written to, so whatever is made of a
table may share them. Nothing here needs pandas; `Table.df` asks for it when a DataFrame is wanted,
and values that come from pandas are read by `magmem.snapshot.frames`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from magmem.snapshot.schema import TABLES, Column, TableSpec

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "is_frame"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pair = tuple[npt.NDArray[Any], Bools]

TYPES: Final[Mapping[str, npt.DTypeLike]] = MappingProxyType(
    {"int": np.int64, "uint": np.uint64, "text": object, "bool": np.bool_, "choice": np.int8}
)
"""The array type of each sort of column. Integers have 64 bits wherever numpy's own have 32."""

_BLANK: Final[Mapping[str, Any]] = MappingProxyType(
    {"int": 0, "uint": 0, "text": None, "bool": False, "choice": -1}
)
"""What stands in a column where nothing is known."""

_NONE = type(None)


class Table:
    """The rows of one table of a snapshot; make one with `Table.of`.

    Attributes
    ----------
    spec : TableSpec
        What the columns mean.
    """

    __slots__ = ("__dict__", "_known", "_values", "spec")

    def __init__(
        self, spec: TableSpec, values: Mapping[str, npt.NDArray[Any]], known: Mapping[str, Bools]
    ) -> None:
        """Take columns that are right already.

        Parameters
        ----------
        spec : TableSpec
        values : mapping of column name to array
            Every column in the order of the schema, with the type that `TYPES` has for its sort;
            0, None, False or -1 where it is not known.
        known : mapping of column name to bool array
            Where each column is known.
        """
        self.spec = spec
        self._values = {name: _frozen(array) for name, array in values.items()}
        self._known = {name: _frozen(array) for name, array in known.items()}

    @classmethod
    def of(cls, spec: TableSpec, columns: Mapping[str, Any] | None = None) -> Table:
        """A table from columns, each of them checked.

        Parameters
        ----------
        spec : TableSpec
        columns : mapping of column name to array-like
            All of one length. Lists may hold ``None`` for missing; a pair of arrays is values and
            where they are known. A column that is not given is missing in every row.

        Raises
        ------
        KeyError
            A column that the table does not have, or a required one not given.
        ValueError, TypeError
            Values that the column cannot hold, or columns of different lengths.
        """
        columns = columns or {}
        if unknown := columns.keys() - spec.columns.keys():
            raise KeyError(f"table {spec.name} has no column {min(unknown)!r}")
        first: Any = next(iter(columns.values()), [])
        rows = len(first[0]) if _is_pair(first) else len(first)
        values: dict[str, npt.NDArray[Any]] = {}
        known: dict[str, Bools] = {}
        for name, column in spec.columns.items():
            if name in columns:
                values[name], known[name] = _column(columns[name], column)
            elif column.required and rows:
                raise KeyError(f"table {spec.name} needs column {name!r}")
            else:
                values[name] = np.full(rows, _BLANK[column.sort], TYPES[column.sort])
                known[name] = np.zeros(rows, bool)
        if any(len(part) != rows for part in (*values.values(), *known.values())):
            raise ValueError("All arrays must be of the same length")
        return cls(spec, values, known)

    @classmethod
    def concat(cls, tables: Sequence[Table]) -> Table:
        """The rows of several tables of one kind, one after the other; at least one table."""
        spec = tables[0].spec
        return cls(
            spec,
            {name: np.concatenate([t._values[name] for t in tables]) for name in spec.columns},
            {name: np.concatenate([t._known[name] for t in tables]) for name in spec.columns},
        )

    def __len__(self) -> int:
        return len(self._values[next(iter(self.spec.columns))])

    def __repr__(self) -> str:
        return f"<Table {self.spec.name}: {len(self):,} rows>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.spec.name, self._values, self._known)

    def values(self, name: str) -> npt.NDArray[Any]:
        """A column in its own type (`TYPES`), blank where it is not known."""
        return self._values[name]

    def known(self, name: str) -> Bools:
        """Where a column has a value."""
        return self._known[name]

    def ints(self, name: str) -> Ints:
        """A column of integers as int64, 0 where missing; bits above 2^63 count as negative."""
        numbers: Ints = self._values[name].astype(np.int64, copy=False)
        return numbers

    def codes(self, name: str) -> npt.NDArray[np.int8]:
        """A column of choices as places in `Column.choices`, -1 where missing."""
        return self._values[name]

    def is_choice(self, name: str, choice: str) -> Bools:
        """Where a column has this choice, so not where it is missing.

        Raises
        ------
        KeyError
            The column has no such choice.
        """
        choices = self.spec.columns[name].choices
        if choice not in choices:
            raise KeyError(choice)
        same: Bools = self._values[name] == choices.index(choice)
        return same

    def texts(self, name: str) -> npt.NDArray[np.object_]:
        """A column of text or of choices as str, None where missing."""
        column = self.spec.columns[name]
        if column.sort != "choice":
            return self._values[name]
        words: npt.NDArray[np.object_] = np.array((*column.choices, None), dtype=object)
        chosen: npt.NDArray[np.object_] = words[self._values[name]]
        return chosen

    def take(self, rows: npt.NDArray[Any]) -> Table:
        """The table with these rows alone, given by number or as a bool array."""
        return Table(
            self.spec,
            {name: array[rows] for name, array in self._values.items()},
            {name: array[rows] for name, array in self._known.items()},
        )

    def equals(self, other: Table) -> bool:
        """Whether both are the same table with the same values, to the last."""
        return self is other or (
            self.spec.name == other.spec.name
            and all(
                np.array_equal(self._known[name], other._known[name])
                and np.array_equal(self._values[name], other._values[name])
                for name in self.spec.columns
            )
        )

    @cached_property
    def df(self) -> pd.DataFrame:
        """The table as a DataFrame with the dtypes of the schema, made on first use."""
        from magmem.snapshot.frames import frame_of

        return frame_of(self)


def _restored(name: str, values: dict[str, npt.NDArray[Any]], known: dict[str, Bools]) -> Table:
    """A table that was pickled or copied."""
    return Table(TABLES[name], values, known)


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array, or a view of it, that cannot be written to."""
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def _is_pair(given: Any) -> bool:
    return (
        isinstance(given, tuple)
        and len(given) == 2
        and all(isinstance(part, np.ndarray) for part in given)
        and given[1].dtype == bool
    )


def _column(given: Any, column: Column) -> Pair:
    """Values of a column and where they are known; whatever is unusual is read as pandas does."""
    if _is_pair(given):
        values, known = given
        if column.required and not known.all():
            raise ValueError(f"column {column.name} must be known in every row")
        read = _from_array(values, column)
        if read is not None and column.sort != "text":
            blank = np.asarray(_BLANK[column.sort], read[0].dtype)
            return np.where(known, read[0], blank), known & read[1]
    elif isinstance(given, np.ndarray) and given.ndim == 1:
        read = _from_array(given, column)
    elif isinstance(given, list | tuple | range):
        read = _from_list(given, column)
    else:
        read = None
    if read is not None and not (column.required and not read[1].all() and _is_number(column)):
        return read
    from magmem.snapshot.frames import column_of

    return column_of(given, column)


def _is_number(column: Column) -> bool:
    return column.sort in ("int", "uint", "bool")


def _from_array(given: npt.NDArray[Any], column: Column) -> Pair | None:
    """A column from an array of a fitting kind; None if it is of another."""
    kind, sort = given.dtype.kind, column.sort
    if kind == "O":
        return _from_list(given.tolist(), column, given)
    fits = (
        (sort in ("int", "uint", "choice") and kind == "i")
        or (sort in ("int", "uint") and kind == "u")
        or (sort == "bool" and kind == "b")
    )
    if not fits:
        return None
    if len(given) and kind in "iu" and not _in_range(int(given.min()), int(given.max()), column):
        return None
    values = given.astype(TYPES[sort], copy=False)
    return values, values >= 0 if sort == "choice" else np.ones(len(values), bool)


def _in_range(least: int, most: int, column: Column) -> bool:
    if column.sort == "choice":
        return least >= -1 and most < len(column.choices)
    return least >= 0 if column.sort == "uint" else most < 1 << 63


_SCALARS: Final[Mapping[str, type]] = MappingProxyType(
    {"int": int, "uint": int, "bool": bool, "text": str, "choice": str}
)


def _from_list(
    given: Sequence[Any], column: Column, array: npt.NDArray[Any] | None = None
) -> Pair | None:
    """A column from a list of plain values and None; None if it holds anything else.

    `array` is the same list as an array of objects, if there is one.
    """
    types = set(map(type, given))
    if not types <= {_SCALARS[column.sort], _NONE}:
        return None
    sort = column.sort
    whole = _NONE not in types
    known = np.ones(len(given), bool) if whole else _told(given)
    if sort == "text":
        if array is None:
            array = np.empty(len(given), object)
            array[:] = given
        return array, known
    plain: Iterable[Any] = given
    if sort == "choice":
        code_of = {choice: code for code, choice in enumerate(column.choices)}
        plain = [-1 if value is None else code_of.get(value) for value in given]
        if None in plain:
            return None
    elif not whole:
        plain = [0 if value is None else value for value in given]
    try:
        return np.array(plain, dtype=TYPES[sort]), known
    except OverflowError:
        return None


def _told(given: Sequence[Any]) -> Bools:
    return np.fromiter((value is not None for value in given), bool, len(given))


def is_frame(given: object) -> bool:
    """Whether this is a DataFrame, asked without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(given, pandas.DataFrame)

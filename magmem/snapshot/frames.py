"""Tables as DataFrames and back: the one room of the waist that knows pandas.

Imported only when a DataFrame is asked for or handed in.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from magmem.errors import SnapshotError
from magmem.snapshot.schema import Column, TableSpec

if TYPE_CHECKING:
    from magmem.snapshot.table import Table

__all__ = ["TEXT", "column_of", "dtype_of", "frame_of", "table_of"]

TEXT: Final = pd.StringDtype("python")
"""The dtype of columns of text."""


@cache
def dtype_of(column: Column) -> np.dtype[Any] | ExtensionDtype:
    """The dtype of a column in a DataFrame."""
    dtypes: dict[str, tuple[Any, Any]] = {
        "int": (pd.Int64Dtype(), np.dtype("int64")),
        "uint": (pd.UInt64Dtype(), np.dtype("uint64")),
        "text": (TEXT, TEXT),
        "bool": (pd.BooleanDtype(), np.dtype("bool")),
        "choice": (pd.CategoricalDtype(column.choices), pd.CategoricalDtype(column.choices)),
    }
    dtype: np.dtype[Any] | ExtensionDtype = dtypes[column.sort][column.required]
    return dtype


def frame_of(table: Table) -> pd.DataFrame:
    """A DataFrame with every column of a table; required numbers share the table's memory."""
    data = {
        name: _series_array(table.values(name), table.known(name), column)
        for name, column in table.spec.columns.items()
    }
    return pd.DataFrame(data, copy=False)


def _series_array(values: npt.NDArray[Any], known: npt.NDArray[np.bool_], column: Column) -> Any:
    if column.sort == "choice":
        return pd.Categorical.from_codes(values, dtype=dtype_of(column))
    if column.sort == "text":
        return pd.array(np.where(known, values, pd.NA), dtype=TEXT)
    if column.required:
        return values
    # Masks are written to by pandas' own operations on views, so each frame has its own.
    array = pd.arrays.BooleanArray if column.sort == "bool" else pd.arrays.IntegerArray
    return array(values.copy(), ~known)


def column_of(given: Any, column: Column) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Values and where they are known, from whatever pandas can make the column's dtype of.

    Raises
    ------
    ValueError, TypeError
        Values that the column cannot hold.
    """
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], np.ndarray):
        values, known = given
        given = np.where(known, values, None)
    dtype = dtype_of(column)
    if getattr(given, "dtype", None) != dtype:
        is_codes = isinstance(given, np.ndarray) and given.dtype.kind == "i"
        if column.sort == "choice" and is_codes:
            given = pd.Categorical.from_codes(given, dtype=dtype)
        elif isinstance(dtype, np.dtype):
            given = np.asarray(given, dtype=dtype)
        else:
            given = pd.array(given, dtype=dtype)
    return _read(getattr(given, "array", given), column)


def _read(array: Any, column: Column) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Values and where they are known, of an array that has the column's dtype already."""
    if column.sort == "choice":
        codes = array.codes.astype(np.int8, copy=False)
        return codes, codes >= 0
    if isinstance(dtype_of(column), np.dtype):
        return np.asarray(array), np.ones(len(array), bool)
    known = ~np.asarray(array.isna())
    if column.sort == "text":
        texts: npt.NDArray[Any] = array.to_numpy(dtype=object, na_value=None)
        return texts, known
    kind = {"int": np.int64, "uint": np.uint64, "bool": np.bool_}[column.sort]
    return array.to_numpy(dtype=kind, na_value=kind(0)), known


def table_of(spec: TableSpec, frame: pd.DataFrame) -> Table:
    """The table of a DataFrame that has its columns, in their order, with their dtypes.

    Raises
    ------
    SnapshotError
        Other columns, another index or other dtypes.
    """
    from magmem.snapshot.table import Table

    expected = list(spec.columns)
    if frame.columns.to_list() != expected:
        found = ", ".join(map(str, frame.columns))
        raise SnapshotError(spec.name, "columns", ", ".join(expected), found)
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.start or frame.index.step != 1:
        raise SnapshotError(spec.name, "index", "row numbers from 0", repr(frame.index))
    dtypes = frame.dtypes.to_list()
    for column, dtype in zip(spec.columns.values(), dtypes, strict=True):
        if dtype != dtype_of(column):
            place = f"column {column.name}"
            raise SnapshotError(spec.name, place, f"dtype {dtype_of(column)}", str(dtype))
    read = {name: _read(frame[name].array, column) for name, column in spec.columns.items()}
    values = {name: pair[0] for name, pair in read.items()}
    return Table(spec, values, {name: pair[1] for name, pair in read.items()})

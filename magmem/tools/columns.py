"""Columns of a listing as text: integers, sizes, names; and rows of them put into a template.

Every function works on a whole column. A missing value prints as `UNKNOWN`, never as 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.sizes import format_sizes

__all__ = ["UNKNOWN", "addresses", "integers", "names", "rows", "sizes"]

UNKNOWN = "?"
"""What a value prints as that the capture does not tell."""


def integers(column: pd.Series[int] | npt.NDArray[Any]) -> list[str]:
    """Decimal text of each integer."""
    return _with_unknown(column, lambda values: list(map(str, values.tolist())))


def sizes(column: pd.Series[int] | npt.NDArray[Any], unit: str = "") -> list[str]:
    """`magmem.format_size` of each integer."""
    return _with_unknown(column, lambda values: _sizes(values, unit))


def addresses(column: pd.Series[int] | npt.NDArray[Any]) -> list[str]:
    """Each integer as C's ``%#x``: ``0x1``, and a bare ``0`` for zero."""
    return _with_unknown(
        column, lambda values: [hex(value) if value else "0" for value in values.tolist()]
    )


def names(column: pd.Series[str], empty: str = "") -> list[str]:
    """Names as they are, `empty` for an empty one."""
    values: list[str] = column.fillna(UNKNOWN).tolist()
    return [value or empty for value in values] if empty else values


def rows(template: str, *columns: Iterable[object]) -> str:
    """Every row of the columns put into a ``%`` template, joined."""
    return "".join(map(template.__mod__, zip(*columns, strict=True)))


def _sizes(values: npt.NDArray[Any], unit: str) -> list[str]:
    # A long column repeats few sizes, and numpy's text operations cost more than a sort.
    distinct, place = np.unique(values, return_inverse=True)
    texts = np.asarray(format_sizes(distinct, unit), dtype=object)
    result: list[str] = texts[place].tolist()
    return result


def _with_unknown(column: Any, render: Any) -> list[str]:
    if not isinstance(column, pd.Series) or not column.hasnans:
        return list(render(np.asarray(column)))
    known = column.notna().to_numpy()
    texts = np.full(len(column), UNKNOWN, dtype=object)
    texts[known] = render(column[known].to_numpy(dtype=column.dtype.numpy_dtype))
    result: list[str] = texts.tolist()
    return result

"""A column of a snapshot's table as a numpy array, read without making pandas objects.

A pandas operation on a column of ten rows costs as much as one on ten thousand, so whatever runs
on every snapshot reads its columns here.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["integers", "is_choice", "is_known"]


def integers(series: pd.Series[int]) -> npt.NDArray[np.int64]:
    """A column as int64 with 0 where it is missing; not to be written to."""
    if isinstance(series.dtype, np.dtype):
        numbers: npt.NDArray[np.int64] = series.to_numpy(dtype=np.int64)
        return numbers
    values: npt.NDArray[np.int64] = series.array.to_numpy(dtype=np.int64, na_value=0)
    return values


def is_known(series: pd.Series) -> npt.NDArray[np.bool_]:
    """Where a column has a value; bool array."""
    if isinstance(series.dtype, np.dtype):
        return np.ones(len(series), bool)
    return ~np.asarray(series.array.isna())


def is_choice(series: pd.Series, choice: str) -> npt.NDArray[np.bool_]:
    """Where a column of choices has this one, so not where it is missing; bool array.

    Raises
    ------
    KeyError
        The column has no such choice.
    """
    array = cast("pd.Categorical", series.array)
    same: npt.NDArray[np.bool_] = array.codes == array.categories.get_loc(choice)
    return same

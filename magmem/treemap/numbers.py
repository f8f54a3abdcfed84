"""Exact sizes as columns: whole numbers over one denominator, of any length.

Columns are int64 where every sum of them fits, else Python integers in an object array.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_BITS", "Ints", "Numbers", "exact", "scale_exactly", "sum_exactly"]

MOST_BITS: Final = 2048
"""A million sizes that long take half a gigabyte."""

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
"""int64, or Python integers in an object array where 64 bits do not suffice."""


def exact(scaled: int, scale: int) -> int | Fraction:
    """A number of ``1 / scale`` bytes as bytes: an int when it is whole."""
    size = Fraction(int(scaled), scale)
    return int(size) if size.denominator == 1 else size


def sum_exactly(amount: Numbers, divisor: Numbers) -> Fraction:
    """The sum of ``amount / divisor``, exactly."""
    order = np.argsort(divisor, kind="stable")
    each, starts = np.unique(divisor[order], return_index=True)
    if not len(each):
        return Fraction(0)
    sums = np.add.reduceat(amount[order].astype(object), starts)
    return sum((Fraction(int(s), int(d)) for s, d in zip(sums, each, strict=True)), Fraction(0))


def scale_exactly(amount: Numbers, divisor: Numbers) -> tuple[Numbers, int]:
    """Fractions as whole numbers over one common denominator.

    int64 where every sum of them fits, else Python integers in an object array.

    Raises
    ------
    ValueError
        The common denominator has more than `MOST_BITS` bits: every size would be as long.
    """
    scale = math.lcm(*np.unique(divisor).tolist())
    if scale.bit_length() > MOST_BITS:
        raise ValueError(
            f"expected sizes with a common denominator of at most {MOST_BITS:,} bits, found one "
            f"of {scale.bit_length():,} bits: there are too many different numbers of sharers"
        )
    if scale < 1 << 62 and amount.astype(np.float64).sum() * scale < 2.0**62:
        return amount.astype(np.int64) * (scale // divisor.astype(np.int64)), scale
    factor = {each: scale // each for each in np.unique(divisor).tolist()}
    factors = np.array([factor[each] for each in divisor.tolist()], dtype=object)
    return amount.astype(object) * factors, scale

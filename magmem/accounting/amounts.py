"""Exact amounts of memory: bytes as integer numerators over small denominators, never floats.

An `Amounts` holds one exact rational per row (a process, an address space …) as a sum of
``numerator / share`` terms, which is how shared pages arise: so many bytes, divided by so many
sharers. Terms stay apart until a row is asked for, so a machine of 10,000 processes costs a few
array passes, and totals agree to the byte.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from magmem.accounting.summing import Terms, added_up
from magmem.accounting.wide import Wide, joined_rows
from magmem.kernel.runs import Ints, blocks, order_of, starts_of

__all__ = ["Amounts", "whole_bytes"]


class Amounts:
    """One exact number of bytes per row.

    Parameters
    ----------
    rows : int
        Number of rows.
    row, share, numerator : int64 arrays of one length
        Terms: row `row` gets ``numerator / share`` bytes. Equal (row, share) may repeat; they are
        added up. A numerator may be negative, a share is at least 1.
    wide : tuple of Wide
        Further bytes, too fragmented for terms.

    Attributes
    ----------
    row, share, numerator : int64 arrays
        The terms, each (row, share) once; equal shares stand together.
    """

    def __init__(
        self,
        rows: int,
        row: Ints,
        share: Ints,
        numerator: Ints,
        wide: tuple[Wide, ...] = (),
    ) -> None:
        terms = [(row[block], share[block], numerator[block]) for block in blocks(len(row))]
        self._gather(rows, terms, 1, wide)

    @classmethod
    def of_terms(
        cls,
        rows: int,
        terms: Sequence[Terms],
        unit_bytes: int = 1,
        wide: tuple[Wide, ...] = (),
    ) -> Amounts:
        """The same from blocks of (row, share, numerator), numerators in units of so many bytes."""
        made = cls.__new__(cls)
        made._gather(rows, terms, unit_bytes, wide)
        return made

    def _gather(
        self, rows: int, terms: Sequence[Terms], unit_bytes: int, wide: tuple[Wide, ...]
    ) -> None:
        self.rows, self.wide = rows, wide
        self.row: Ints
        self.share: Ints
        self.numerator: Ints
        self.row, self.share, self.numerator = added_up(rows, terms)
        self.numerator *= unit_bytes

    @classmethod
    def of_bytes(cls, sizes_bytes: Ints) -> Amounts:
        """Whole bytes, one per row."""
        rows = np.arange(len(sizes_bytes), dtype=np.int64)
        return cls._summed(len(sizes_bytes), rows, np.ones_like(rows), sizes_bytes, ())

    @classmethod
    def zero(cls, rows: int) -> Amounts:
        """Nothing in every row."""
        nothing = np.zeros(0, np.int64)
        return cls(rows, nothing, nothing, nothing)

    def moved(self, to: Ints, rows: int) -> Amounts:
        """The same bytes in other rows: row ``r`` goes to ``to[r]``, or is left out if that is -1.

        Parameters
        ----------
        to : int64 array, one item per row
        rows : int
            Number of rows afterwards.
        """
        terms = to[self.row], self.share, self.numerator
        kept = terms[0] >= 0
        if not kept.all():
            terms = terms[0][kept], terms[1][kept], terms[2][kept]
        wide = tuple(one.moved(to) for one in self.wide)
        used = to[to >= 0]
        if (used[1:] > used[:-1]).all():
            return Amounts._summed(rows, *terms, wide)
        return Amounts(rows, *terms, wide)

    @classmethod
    def _summed(
        cls, rows: int, row: Ints, share: Ints, numerator: Ints, wide: tuple[Wide, ...]
    ) -> Amounts:
        """Terms of which each (row, share) is there once, equal shares together."""
        made = cls.__new__(cls)
        made.rows, made.row, made.share = rows, row, share
        made.numerator, made.wide = numerator, wide
        return made

    @property
    def divided(self) -> Amounts:
        """Only what is shared: the rows less their `alone_bytes`."""
        kept = self.share > 1
        terms = self.row[kept], self.share[kept], self.numerator[kept]
        return Amounts._summed(self.rows, *terms, self.wide)

    def __add__(self, other: Amounts) -> Amounts:
        return self._joined(other, 1)

    def __sub__(self, other: Amounts) -> Amounts:
        return self._joined(other, -1)

    def _joined(self, other: Amounts, sign: int) -> Amounts:
        if self.rows != other.rows:
            raise ValueError(f"expected amounts of {self.rows} rows, found {other.rows}")
        return Amounts(
            self.rows,
            np.concatenate((self.row, other.row)),
            np.concatenate((self.share, other.share)),
            np.concatenate((self.numerator, sign * other.numerator)),
            (*self.wide, *(replace(one, sign=sign * one.sign) for one in other.wide)),
        )

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, row: int) -> Fraction:
        """The exact bytes of one row."""
        return self.fractions[row]

    @cached_property
    def by_row(self) -> Terms:
        """Row, share and numerator of the terms in order of their rows."""
        order = order_of(self.row)
        return self.row[order], self.share[order], self.numerator[order]

    @cached_property
    def fractions(self) -> Sequence[Fraction]:
        """The exact bytes of every row."""
        of, share, numerator = self.by_row
        bounds = np.searchsorted(of, np.arange(self.rows + 1)).tolist()
        shares, numerators = share.tolist(), numerator.tolist()
        wide, below = joined_rows(self.wide)
        result = []
        for row, (begin, end) in enumerate(itertools.pairwise(bounds)):
            whole, common = _sum(shares[begin:end], numerators[begin:end])
            further = wide.get(row)
            if further is not None:
                whole, common = whole * below + further * common, common * below
            result.append(Fraction(whole, common))
        return result

    @cached_property
    def total(self) -> Fraction:
        """The exact sum of all rows."""
        first = starts_of(self.share)
        distinct = self.share[first]
        sums = np.add.reduceat(self.numerator, first) if len(first) else first
        listed = Fraction(*_sum(distinct.tolist(), sums.tolist()))
        return listed + sum((one.total for one in self.wide), Fraction(0))

    @property
    def alone_bytes(self) -> Ints:
        """Per row: the bytes that nobody shares; int64 array."""
        alone = self.share == 1
        sums = np.zeros(self.rows, np.int64)
        sums[self.row[alone]] = self.numerator[alone]
        return sums

    @property
    def approximate(self) -> npt.NDArray[np.float64]:
        """Per row, as floats: to sort or draw by, not to add up."""
        sums = np.zeros(self.rows, np.float64)
        np.add.at(sums, self.row, self.numerator / self.share)
        for one in self.wide:
            sums += one.approximate(self.rows)
        return sums


def whole_bytes(parts: Sequence[Fraction]) -> list[int]:
    """Whole bytes that stand for exact parts and still add up.

    Each is less than a byte from its part, and the sum of the first *k* is the exact sum of the
    first *k* parts, rounded half up: so a column of them never contradicts its total.
    """
    if all(part.denominator == 1 for part in parts):
        return [part.numerator for part in parts]
    common = math.lcm(*{part.denominator for part in parts})
    result: list[int] = []
    exact = shown = 0
    for part in parts:
        exact += part.numerator * (common // part.denominator)
        rounded = (2 * exact + common) // (2 * common)
        result.append(rounded - shown)
        shown = rounded
    return result


def _sum(shares: list[int], numerators: list[int]) -> tuple[int, int]:
    """Numerator and denominator of the sum of ``numerator / share``."""
    common = math.lcm(*shares)
    whole = sum(part * (common // share) for share, part in zip(shares, numerators, strict=True))
    return whole, common

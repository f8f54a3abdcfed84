"""Exact amounts of memory: bytes as integer numerators over small denominators, never floats.

An `Amounts` holds one exact rational per row (a process, an address space …) as a sum of
``numerator / share`` terms, which is how shared pages arise: so many bytes, divided by so many
sharers. Terms stay apart until a row is asked for, so a machine of 10,000 processes costs a few
array passes, and totals agree to the byte.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from magmem.accounting.runs import Ints, blocks, starts_of
from magmem.accounting.wide import Wide

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
        The terms, each (row, share) once, by row.
    """

    def __init__(
        self,
        rows: int,
        row: Ints,
        share: Ints,
        numerator: Ints,
        wide: tuple[Wide, ...] = (),
    ) -> None:
        self.rows = rows
        self.wide = wide
        distinct, code_of = _codes(share)
        width = max(1, len(distinct))
        packed = np.empty(len(row), np.int64)
        bits = max(int(numerator.max(initial=0)).bit_length(), 1)
        if rows * width < 1 << (62 - bits) and numerator.min(initial=0) >= 0:
            # Sorted together with its value, a key is found again without a detour.
            for block in blocks(len(row)):
                key = row[block] * width + code_of(share[block])
                packed[block] = (key << bits) | numerator[block]
            packed.sort()
            value = packed & ((1 << bits) - 1)
            packed >>= bits
        else:
            for block in blocks(len(row)):
                packed[block] = row[block] * width + code_of(share[block])
            order = np.argsort(packed)
            packed, value = packed[order], numerator[order]
        first = starts_of(packed)
        cell, sums = packed[first], np.add.reduceat(value, first) if len(first) else value
        if (sums == 0).any():
            cell, sums = cell[sums != 0], sums[sums != 0]
        self.row: Ints = cell // width
        self.share: Ints = distinct[cell - self.row * width] if len(cell) else cell
        self.numerator: Ints = sums

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
        target = to[self.row]
        kept = target >= 0
        wide = tuple(one.moved(to) for one in self.wide)
        terms = target[kept], self.share[kept], self.numerator[kept]
        used = to[to >= 0]
        if (used[1:] > used[:-1]).all():
            return Amounts._summed(rows, *terms, wide)
        return Amounts(rows, *terms, wide)

    @classmethod
    def _summed(
        cls, rows: int, row: Ints, share: Ints, numerator: Ints, wide: tuple[Wide, ...]
    ) -> Amounts:
        """Terms that are already in order, each (row, share) once."""
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
    def fractions(self) -> Sequence[Fraction]:
        """The exact bytes of every row."""
        bounds = np.searchsorted(self.row, np.arange(self.rows + 1)).tolist()
        shares, numerators = self.share.tolist(), self.numerator.tolist()
        result = []
        for begin, end in itertools.pairwise(bounds):
            result.append(_sum(shares[begin:end], numerators[begin:end]))
        for one in self.wide:
            for row, size in one.by_row().items():
                result[row] += size
        return result

    @cached_property
    def total(self) -> Fraction:
        """The exact sum of all rows."""
        distinct, code_of = _codes(self.share)
        sums = np.zeros(len(distinct), np.int64)
        np.add.at(sums, code_of(self.share), self.numerator)
        return _sum(distinct.tolist(), sums.tolist()) + sum(
            (one.total for one in self.wide), Fraction(0)
        )

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
    result: list[int] = []
    exact, shown = Fraction(0), 0
    for part in parts:
        exact += part
        rounded = math.floor(exact + Fraction(1, 2))
        result.append(rounded - shown)
        shown = rounded
    return result


def _sum(shares: list[int], numerators: list[int]) -> Fraction:
    common = math.lcm(*shares)
    whole = sum(part * (common // share) for share, part in zip(shares, numerators, strict=True))
    return Fraction(whole, common)


def _codes(values: Ints) -> tuple[Ints, Callable[[Ints], Ints]]:
    """The distinct values, ascending, and what tells where some of them stand."""
    top = int(values.max(initial=0))
    if top > 4 * len(values) + (1 << 20):
        distinct = np.sort(values)
        distinct = distinct[starts_of(distinct)]
        return distinct, lambda some: np.searchsorted(distinct, some)
    seen = np.zeros(top + 1, bool)
    seen[values] = True
    place = np.cumsum(seen) - 1
    return np.flatnonzero(seen), lambda some: place[some]

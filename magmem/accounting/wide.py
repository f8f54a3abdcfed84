"""Charges of ranges that fall into very many parts: exact sums, made only when asked for.

A range over thousands of parts with thousands of different sharer counts would need as many terms;
ten thousand such ranges would make cost quadratic. A `Wide` keeps the parts once and the ranges as
first and last part. Totals take a few array passes; the exact sum of each row takes one sweep over
the parts in big integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from magmem.kernel.runs import Ints
from magmem.snapshot import PAGE_BYTES

__all__ = ["Wide", "joined_rows"]


@dataclass(frozen=True, eq=False)
class Wide:
    """Ranges of parts, each charging a row the sum of pages / sharers over its shared parts.

    Attributes
    ----------
    pages, sharers : int64 arrays, one item per part
        Parts with one sharer charge nothing here (they stay whole and are listed as terms).
    row, first, last : int64 arrays, one item per range
        Who pays, and the half-open range of parts.
    divisor : int64 array, one item per range
        What the range's sum is divided by besides.
    sign : int
        1, or -1 where the charges are taken away.
    """

    pages: Ints
    sharers: Ints
    row: Ints
    first: Ints
    last: Ints
    divisor: Ints
    sign: int = 1

    def moved(self, to: Ints) -> Wide:
        """Row ``r`` becomes ``to[r]``, or is left out if that is -1."""
        row = to[self.row]
        return self.taken(np.flatnonzero(row >= 0), row[row >= 0])

    def taken(self, ranges: Ints, row: Ints, divisor: Ints | None = None) -> Wide:
        """Some of the ranges, with new rows; `divisor` divides each further."""
        by = self.divisor[ranges]
        return replace(
            self,
            row=row,
            first=self.first[ranges],
            last=self.last[ranges],
            divisor=by if divisor is None else by * divisor,
        )

    @property
    def shared_pages(self) -> Ints:
        """Per range: its shared pages, undivided."""
        shared = np.where(self.sharers > 1, self.pages, 0)
        below = np.concatenate(([0], np.cumsum(shared)))
        return below[self.last] - below[self.first]

    @property
    def total(self) -> Fraction:
        """The exact bytes of all ranges."""
        order = np.argsort(self.divisor)
        divisors = self.divisor[order]
        starts = np.flatnonzero(np.concatenate(([True], divisors[1:] != divisors[:-1])))
        total = Fraction(0)
        for ranges in np.split(order, starts[1:]) if len(order) else ():
            low, high = int(self.first[ranges].min()), int(self.last[ranges].max())
            change = np.zeros(high - low + 1, np.int64)
            np.add.at(change, self.first[ranges] - low, 1)
            np.add.at(change, self.last[ranges] - low, -1)
            sharers = self.sharers[low:high]
            pages = np.where(sharers > 1, self.pages[low:high], 0) * np.cumsum(change)[:-1]
            by_sharers = np.zeros(int(sharers.max(initial=0)) + 1, np.int64)
            np.add.at(by_sharers, sharers, pages)
            counts = np.flatnonzero(by_sharers)
            common = math.lcm(*counts.tolist())
            whole = sum(
                size * (common // count)
                for count, size in zip(counts.tolist(), by_sharers[counts].tolist(), strict=True)
            )
            total += Fraction(whole, common * int(self.divisor[ranges[0]]))
        return total * self.sign * PAGE_BYTES

    def approximate(self, rows: int) -> npt.NDArray[np.float64]:
        """Bytes per row, as floats."""
        shared = self.sharers > 1
        parts = np.where(shared, self.pages / np.maximum(self.sharers, 1), 0.0)
        below = np.concatenate(([0.0], np.cumsum(parts)))
        sums = np.zeros(rows, np.float64)
        np.add.at(sums, self.row, (below[self.last] - below[self.first]) / self.divisor)
        return sums * (self.sign * PAGE_BYTES)

    def by_row(self) -> tuple[dict[int, int], int]:
        """The exact bytes of each row, as numerators over one denominator."""
        touched = np.zeros(len(self.pages) + 1, np.int64)
        np.add.at(touched, self.first, 1)
        np.add.at(touched, self.last, -1)
        part = np.flatnonzero((np.cumsum(touched)[:-1] > 0) & (self.sharers > 1))
        sharers, pages = self.sharers[part].tolist(), self.pages[part].tolist()
        common = math.lcm(*set(sharers))
        worth = {count: common // count for count in set(sharers)}
        # A range's sum is the running sum read at its end less the one read at its begin; each
        # reading comes after all shared parts that lie before its place.
        place = np.concatenate((self.first, self.last))
        order = np.argsort(place)
        due = np.searchsorted(part, place[order]).tolist()
        sign = np.where(order < len(self.row), -1, 1).tolist()
        divisors = math.lcm(*set(self.divisor.tolist()))
        rows = np.tile(self.row, 2)[order].tolist()
        weight = [divisors // by for by in np.tile(self.divisor, 2)[order].tolist()]
        paid = dict.fromkeys(rows, 0)
        running = done = 0
        for at, row, way, times in zip(due, rows, sign, weight, strict=True):
            while done < at:
                running += pages[done] * worth[sharers[done]]
                done += 1
            paid[row] += way * times * running
        unit = self.sign * PAGE_BYTES
        return {row: whole * unit for row, whole in paid.items()}, common * divisors


def joined_rows(wides: Sequence[Wide]) -> tuple[dict[int, int], int]:
    """Rows of several, added up over one denominator."""
    parts = [wide.by_row() for wide in wides]
    common = math.lcm(*(below for _, below in parts))
    sums: dict[int, int] = {}
    for rows, below in parts:
        times = common // below
        for row, whole in rows.items():
            sums[row] = sums.get(row, 0) + whole * times
    return sums, common

"""Adding up terms ``numerator / share`` of rows: each (row, share) once, whole numbers throughout.

Shares that many rows have are added into a table of one cell a row, which takes one pass and no
sort; the others, of which a table would be mostly empty, are sorted. Numbers are int64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from magmem.kernel.runs import Ints, starts_of

__all__ = ["NOTHING", "Terms", "added_up"]

Terms = tuple[Ints, Ints, Ints]
"""Row, share and numerator of some terms, int64 arrays of one length."""

NOTHING = np.zeros(0, np.int64)
"""No numbers."""

COUNTED = 1 << 20
"""Shares below which terms are counted by their share; above, all are sorted."""

CELLS_PER_TERM = 16
"""A share has a table if it has at least a term for so many rows."""


def added_up(rows: int, terms: Sequence[Terms]) -> Terms:
    """Terms of rows below `rows`, equal (row, share) added up, sums of 0 left out.

    Equal shares stand together in the result.
    """
    top = max((int(share.max(initial=0)) for _, share, _ in terms), default=0)
    if top >= COUNTED:
        return _sorted(rows, terms)
    counts = np.zeros(top + 1, np.int64)
    for _, share, _ in terms:
        counts += np.bincount(share, minlength=top + 1)
    tabled = np.flatnonzero(counts * CELLS_PER_TERM >= max(rows, 1))
    # Cell of each share's first row; the shares that are sorted have none.
    begin = np.full(top + 1, -1, np.int64)
    begin[tabled] = np.arange(len(tabled)) * rows
    rest = int(counts.sum() - counts[tabled].sum())
    table = np.zeros(len(tabled) * rows, np.int64)
    others: list[Terms] = []
    for row, share, value in terms:
        cell = begin[share]
        if rest:
            apart = np.flatnonzero(cell < 0)
            if len(apart):
                others.append((row[apart], share[apart], value[apart]))
                inside = np.flatnonzero(cell >= 0)
                row, value, cell = row[inside], value[inside], cell[inside]  # noqa: PLW2901
        cell += row
        np.add.at(table, cell, value)
    filled = np.flatnonzero(table)
    each = np.diff(np.searchsorted(filled, np.arange(len(tabled) + 1) * rows))
    sums = table[filled]
    filled -= np.repeat(begin[tabled], each)
    found = filled, np.repeat(tabled, each), sums
    if not others:
        return found
    row, share, value = map(np.concatenate, zip(found, _sorted(rows, others), strict=True))
    return row, share, value


def _sorted(rows: int, terms: Sequence[Terms]) -> Terms:
    """The same by sorting share and row as one number."""
    row_bits = rows.bit_length()
    packed = np.concatenate([NOTHING, *(share << row_bits | row for row, share, _ in terms)])
    value = np.concatenate([NOTHING, *(value for _, _, value in terms)])
    value_bits = int(value.max(initial=0)).bit_length()
    shares = int(packed.max(initial=0)).bit_length()
    if int(value.min(initial=0)) >= 0 and shares + value_bits < 63:
        # With the value in the number, a plain sort brings equal terms together.
        packed <<= value_bits
        packed |= value
        packed.sort()
        value = packed & ((1 << value_bits) - 1)
        packed >>= value_bits
    else:
        order = np.argsort(packed, kind="stable")
        packed, value = packed[order], value[order]
    first = starts_of(packed)
    cell, sums = packed[first], np.add.reduceat(value, first) if len(first) else value
    kept = np.flatnonzero(sums)
    cell = cell[kept]
    return cell & ((1 << row_bits) - 1), cell >> row_bits, sums[kept]

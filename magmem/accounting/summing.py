"""Adding up terms ``value / share`` of rows: each (row, share) once, whole numbers throughout.

Most terms of a machine have one of few shares (2, 3, the number of all processes …). Their sums
are cells of a table of rows by common shares, so that a term costs one addition; only terms of
rare shares are sorted. The table has at most two cells a term.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from magmem.accounting.runs import Ints, order_of, starts_of

__all__ = ["NOTHING", "Terms", "added_up"]

Terms = tuple[Ints, Ints, Ints]
"""Row, share and numerator of some terms, int64 arrays of one length."""

NOTHING: Ints = np.zeros(0, np.int64)

CELLS_PER_TERM = 2
LARGEST_SHARE = 1 << 22
"""Shares above have no place in a table of shares; terms with one are sorted."""


def added_up(terms: Sequence[Terms]) -> Terms:
    """Terms by ascending row, equal (row, share) added up, without those that come to 0.

    Parameters
    ----------
    terms : sequence of (row, share, value) int64 arrays
        Blocks in any order. Rows are 0 or more, shares at least 1, values may be negative.
    """
    terms = [block for block in terms if len(block[0])]
    if not terms:
        return NOTHING, NOTHING, NOTHING
    least = min(int(row.min()) for row, _, _ in terms)
    rows = max(int(row.max()) for row, _, _ in terms) + 1 - least
    common = _common(terms, rows)
    if not len(common):
        return _sorted(terms)
    column = np.full(max(int(share.max()) for _, share, _ in terms) + 1, -1, np.int32)
    column[common] = np.arange(len(common))
    table = np.zeros(rows * len(common), np.int64)
    rare: list[Terms] = []
    for row, share, value in terms:
        place = column[share]
        if int(place.min()) < 0:
            out = np.flatnonzero(place < 0)
            rare.append((row[out], share[out], value[out]))
            kept = np.flatnonzero(place >= 0)
            row, place, value = row[kept], place[kept], value[kept]  # noqa: PLW2901 (what is left)
        np.add.at(table, (row - least) * len(common) + place, value)
    cell = np.flatnonzero(table)
    at = cell // len(common)
    listed = at + least, common[cell - at * len(common)], table[cell]
    if not rare:
        return listed
    others = _sorted(rare)
    order = order_of(np.concatenate((listed[0], others[0])))
    row, share, value = (np.concatenate(pair)[order] for pair in zip(listed, others, strict=True))
    return row, share, value


def _common(terms: Sequence[Terms], rows: int) -> Ints:
    """The shares that get a column: all, or the most frequent; ascending."""
    places = CELLS_PER_TERM * sum(len(row) for row, _, _ in terms) // rows
    top = max(int(share.max()) for _, share, _ in terms)
    if not places or top > LARGEST_SHARE:
        return NOTHING
    times = np.zeros(top + 1, np.int64)
    for _, share, _ in terms:
        np.add.at(times, share, 1)
    shares = np.flatnonzero(times)
    if len(shares) <= places:
        return shares
    often: npt.NDArray[np.intp] = np.argpartition(times[shares], -places)[-places:]
    return np.sort(shares[often])


def _sorted(terms: Sequence[Terms]) -> Terms:
    """The same by one sort of (row, share)."""
    row, share, value = (np.concatenate(column) for column in zip(*terms, strict=True))
    bits = int(share.max()).bit_length()
    packed = row << bits | share
    order = order_of(packed)
    packed = packed[order]
    first = starts_of(packed)
    cell, sums = packed[first], np.add.reduceat(value[order], first)
    kept = np.flatnonzero(sums)
    cell, sums = cell[kept], sums[kept]
    return cell >> bits, cell & ((1 << bits) - 1), sums

"""Who reaches which pages, directly and through clones: one layer of ranges over all VMOs.

A layer is a set of queries, each a range of a VMO with a row behind it: the mappings of address
spaces (exact), page-table entries (linux), or the VMOs themselves (rfc-0254). Queries are sorted by
VMO. VMOs that no query reaches through a clone are *plain* and worked through block by block; the
others are *families*, for which direct ranges and those seen through clones come together.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from magmem.accounting.amounts import Amounts
from magmem.accounting.clones import Seen
from magmem.accounting.runs import Ints, group_blocks, order_of
from magmem.accounting.sharing import Shares, disjoint, joined, share, share_block
from magmem.snapshot import PAGE_BYTES

__all__ = ["Reach"]


class Reach:
    """One layer of queries.

    Parameters
    ----------
    vmo, row : int64 arrays, one item per query, sorted by VMO
    begin, end : int64 arrays
        The VMO's own pages in each query, as ranges on the axis of the page runs.
    seen : Seen
        What the queries show of ancestors.
    vmos, rows : int
        How many of both there are.
    axis : int or None
        Length of the axis if a row is to have each page once (direct ranges must already be
        disjoint for each row); None if every query counts.
    """

    def __init__(
        self,
        vmo: Ints,
        row: Ints,
        begin: Ints,
        end: Ints,
        seen: Seen,
        vmos: int,
        rows: int,
        axis: int | None,
    ) -> None:
        self.vmo, self.row, self.begin, self.end, self.seen = vmo, row, begin, end, seen
        self.rows, self._axis = rows, axis
        self._in_family: npt.NDArray[np.bool_] = np.zeros(vmos, bool)
        self._in_family[seen.owner] = True

    @cached_property
    def plain(self) -> Shares:
        """Shares of the VMOs that nothing reaches through clones."""
        return joined(self._plain(block) for block in group_blocks(self.vmo))

    def _plain(self, block: slice) -> Shares:
        vmo, row, begin, end = (
            column[block] for column in (self.vmo, self.row, self.begin, self.end)
        )
        at = np.flatnonzero(~self._in_family[vmo])
        return share_block(begin[at], end[at], vmo[at], row[at])

    @cached_property
    def family_queries(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Of the other VMOs, all queries, direct and through clones: owner, row, begin, end."""
        at, seen = self._direct, self.seen
        owner = np.concatenate((self.vmo[at], seen.owner))
        row = np.concatenate((self.row[at], self.row[seen.query]))
        begin = np.concatenate((self.begin[at], seen.begin))
        end = np.concatenate((self.end[at], seen.end))
        order = order_of(owner)
        owner, row, begin, end = owner[order], row[order], begin[order], end[order]
        if self._axis is not None:
            for block in group_blocks(owner):
                begin[block] = disjoint(row[block], begin[block], end[block], self._axis)
        return owner, row, begin, end

    @cached_property
    def _direct(self) -> Ints:
        """The queries of VMOs that are also seen through clones."""
        return np.flatnonzero(self._in_family[self.vmo])

    @cached_property
    def families(self) -> Shares:
        """Shares of those VMOs."""
        owner, row, begin, end = self.family_queries
        return share(begin, end, owner, row)

    def amounts(self) -> Amounts:
        """Bytes charged to each row."""
        return self._with_plain(self.families)

    def direct_amounts(self) -> Amounts:
        """The same as if nothing were seen through clones."""
        at = self._direct
        return self._with_plain(share(self.begin[at], self.end[at], self.vmo[at], self.row[at]))

    def _with_plain(self, others: Shares) -> Amounts:
        terms = [*self.plain.terms, *others.terms]
        return Amounts.of_terms(self.rows, terms, PAGE_BYTES, (*self.plain.wide, *others.wide))

    def whole_bytes(self) -> Ints:
        """Per row: bytes of the pages of its queries, each counted whole; int64 array."""
        sums = np.zeros(self.rows, np.int64)
        for row, _, pages in self.plain.terms:
            np.add.at(sums, row, pages)
        for wide in self.plain.wide:
            np.add.at(sums, wide.row, wide.shared_pages)
        _, row, begin, end = self.family_queries
        np.add.at(sums, row, end - begin)
        return sums * PAGE_BYTES

    def unreached(self, axis: int) -> tuple[Ints, Ints]:
        """Ranges of the axis that no query covers: sorted, disjoint."""
        begin = np.concatenate((self.plain.covered_begin, self.families.covered_begin))
        end = np.concatenate((self.plain.covered_end, self.families.covered_end))
        order = order_of(begin)
        low = np.concatenate(([0], end[order]))
        high = np.concatenate((begin[order], [axis]))
        some = low < high
        return low[some], high[some]

"""Who reaches which pages, directly and through clones: one layer of ranges over all VMOs.

A layer is a set of queries, each a range of a VMO with a row behind it: the mappings of address
spaces (exact), page-table entries (linux), or the VMOs themselves (rfc-0254). They come in blocks,
sorted by VMO. VMOs that no query reaches through a clone are *plain* and worked through block by
block; the others are *families*, for which direct ranges and those seen through clones come
together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from magmem.accounting.amounts import Amounts
from magmem.accounting.clones import Seen
from magmem.accounting.sharing import Shares, disjoint, joined, share, share_block
from magmem.accounting.summing import NOTHING
from magmem.kernel.runs import Ints, group_blocks, order_of
from magmem.snapshot import PAGE_BYTES

__all__ = ["Queries", "Reach"]


@dataclass(frozen=True, slots=True)
class Queries:
    """Some queries: int64 arrays of one length.

    Attributes
    ----------
    vmo : row of the VMO whose own pages these are; ascending.
    row : who is behind the query.
    begin, end : half-open range on the axis of the page runs.
    """

    vmo: Ints
    row: Ints
    begin: Ints
    end: Ints

    def at(self, places: Ints) -> Queries:
        """Some of them."""
        return Queries(self.vmo[places], self.row[places], self.begin[places], self.end[places])

    def shared(self) -> Shares:
        """How their pages are shared."""
        return share(self.begin, self.end, self.vmo, self.row)

    @classmethod
    def joined(cls, parts: Iterable[Queries]) -> Queries:
        """All queries of several parts, sorted by VMO."""
        parts = list(parts)
        every = [
            np.concatenate([NOTHING, *(getattr(part, name) for part in parts)])
            for name in ("vmo", "row", "begin", "end")
        ]
        order = order_of(every[0])
        return cls(*(column[order] for column in every))


class Reach:
    """One layer of queries.

    Parameters
    ----------
    queries : iterable of Queries
        Blocks in ascending order of VMOs, each VMO whole in one.
    seen, seen_row : Seen and int64 array
        What queries show of ancestors, and the row behind each.
    vmos, rows : int
        How many of both there are.
    once : bool
        A row has each page once (direct ranges must already be disjoint for each row); if not,
        every query counts.
    """

    def __init__(
        self,
        queries: Iterable[Queries],
        seen: Seen,
        seen_row: Ints,
        vmos: int,
        rows: int,
        *,
        once: bool,
    ) -> None:
        self.rows = rows
        in_family = np.zeros(vmos, bool)
        in_family[seen.owner] = True
        plain: list[Shares] = []
        direct: list[Queries] = []
        for block in queries:
            inside = in_family[block.vmo]
            if inside.any():
                direct.append(block.at(np.flatnonzero(inside)))
                block = block.at(np.flatnonzero(~inside))  # noqa: PLW2901 (what is left of it)
            plain.append(share_block(block.begin, block.end, block.vmo, block.row, once))
        self.plain = joined(plain)
        self.direct = Queries.joined(direct)
        through = Queries(seen.owner, seen_row, seen.begin, seen.end)
        self.family = Queries.joined((self.direct, through))
        if once:
            for part in group_blocks(self.family.vmo):
                some = self.family.row[part], self.family.begin[part], self.family.end[part]
                self.family.begin[part] = disjoint(*some)
        self.shares = self.family.shared()

    def amounts(self) -> Amounts:
        """Bytes charged to each row."""
        return self._with_plain(self.shares)

    def direct_amounts(self) -> Amounts:
        """The same as if nothing were seen through clones."""
        return self._with_plain(self.direct.shared())

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
        np.add.at(sums, self.family.row, self.family.end - self.family.begin)
        return sums * PAGE_BYTES

    def unreached(self, axis: int) -> tuple[Ints, Ints]:
        """Ranges of the axis that no query covers: sorted, disjoint."""
        begin = np.concatenate((self.plain.covered_begin, self.shares.covered_begin))
        end = np.concatenate((self.plain.covered_end, self.shares.covered_end))
        order = order_of(begin)
        low = np.concatenate(([0], end[order]))
        high = np.concatenate((begin[order], [axis]))
        some = low < high
        return low[some], high[some]

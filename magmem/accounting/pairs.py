"""Exact charges by address space and VMO: whose pages of which VMO, each divided by its sharers.

A page seen through a clone counts in the VMO that owns it. The sums over the VMOs of one address
space are its exact PSS. Sizes are bytes. Asks for complete mappings and page runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import Attribution
from magmem.accounting.clones import see_through
from magmem.accounting.kernel import kept_with
from magmem.accounting.runs import Ints
from magmem.accounting.sharing import disjoint, share
from magmem.snapshot import PAGE_BYTES

__all__ = ["Pairs", "divided", "exact_pairs"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Distinct (row, VMO) pairs, sorted by row, then VMO; the columns are of one length.

    Attributes
    ----------
    row, vmo : int64 arrays
        Who reaches pages of which VMO.
    amounts : Amounts
        What each pair is charged; its rows are the pairs.
    whole_bytes : int64 array
        The same pages before division.
    """

    row: Ints
    vmo: Ints
    amounts: Amounts
    whole_bytes: Ints


def divided(row: Ints, vmo: Ints, begin: Ints, end: Ints, vmos: int) -> Pairs:
    """Ranges of pages as charges, each page divided by the rows that have it.

    Parameters
    ----------
    row, vmo, begin, end : int64 arrays of one length
        Who shows which pages of which VMO: half-open ranges on the axis of the page runs. They may
        overlap; a row has each page once.
    vmos : int
        How many VMOs there are.
    """
    begin = disjoint(row, begin, end, int(end.max(initial=0)))
    keys, pair = np.unique(row * max(vmos, 1) + vmo, return_inverse=True)
    amounts = share(begin, end, vmo, pair).amounts(len(keys))
    pages = np.zeros(len(keys), np.int64)
    np.add.at(pages, pair, end - begin)
    of_row, of_vmo = np.divmod(keys, max(vmos, 1))
    return Pairs(of_row, of_vmo, amounts, pages * PAGE_BYTES)


def exact_pairs(attribution: Attribution) -> Pairs:
    """What address spaces (rows of aspaces) reach by their mappings, by owning VMO.

    Made once and kept with the attribution.
    """
    return kept_with(attribution, "_exact_pairs", lambda: _reached(attribution))


def _reached(attribution: Attribution) -> Pairs:
    view = attribution.view
    seen = see_through(view, attribution.chains, view.vmo, view.begin_page, view.end_page)
    begin, end = view.places
    return divided(
        np.concatenate((view.aspace, view.aspace[seen.query])),
        np.concatenate((view.vmo, seen.owner)),
        np.concatenate((begin, seen.begin)),
        np.concatenate((end, seen.end)),
        len(view.snap.vmos),
    )

"""Charges of pages by who has them and by the VMO that owns them, each divided by its sharers.

A page seen through a clone counts in the VMO that owns it. The sums over the VMOs of one address
space are its PSS by the rule. Sizes are bytes. Asks for complete mappings and page runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import Attribution
from magmem.accounting.clones import see_through
from magmem.accounting.rules.linux import Entries
from magmem.accounting.sharing import disjoint, share
from magmem.kernel.mappings import kept_with
from magmem.kernel.runs import Ints
from magmem.snapshot import PAGE_BYTES

__all__ = ["Pairs", "divided", "entry_pairs", "exact_pairs", "shown_pairs"]


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


def divided(row: Ints, vmo: Ints, begin: Ints, end: Ints, vmos: int, *, once: bool = True) -> Pairs:
    """Ranges of pages as charges, each page divided by the rows that have it.

    Parameters
    ----------
    row, vmo, begin, end : int64 arrays of one length
        Who shows which pages of which VMO: half-open ranges on the axis of the page runs. They may
        overlap.
    vmos : int
        How many VMOs there are.
    once : bool
        A row has each page once; if not, each of its ranges counts.
    """
    if once:
        begin = disjoint(row, begin, end)
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


def entry_pairs(attribution: Attribution) -> Pairs:
    """What page-table entries map: address spaces, by owning VMO; each entry counts."""
    view, by_vmo = attribution.view, attribution.view.by_vmo
    mapping, first, last = Entries(view).of(slice(None))
    vmo, aspace = by_vmo.vmo[mapping], by_vmo.aspace[mapping]
    seen = see_through(view, attribution.chains, vmo, first, last)
    return divided(
        np.concatenate((aspace, aspace[seen.query])),
        np.concatenate((vmo, seen.owner)),
        np.concatenate((view.runs.pages_below(vmo, first), seen.begin)),
        np.concatenate((view.runs.pages_below(vmo, last), seen.end)),
        len(view.snap.vmos),
        once=False,
    )


def shown_pairs(attribution: Attribution) -> Pairs:
    """What VMOs (the rows) show: pages of their own and, through clones, of others."""
    view = attribution.view
    rows, whole = np.arange(attribution.vmos), view.size_pages
    seen = see_through(view, attribution.chains, rows, np.zeros_like(whole), whole)
    return divided(
        np.concatenate((rows, seen.query)),
        np.concatenate((rows, seen.owner)),
        np.concatenate((view.runs.owner_begin, seen.begin)),
        np.concatenate((view.runs.pages_below(rows, whole), seen.end)),
        attribution.vmos,
    )


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

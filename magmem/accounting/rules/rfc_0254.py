"""rfc-0254 (2024 on): copy-on-write pages divided among VMOs first (reference/accounting.md)."""

from __future__ import annotations

import numpy as np

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import Attribution
from magmem.accounting.clones import see_through
from magmem.accounting.reach import Queries, Reach
from magmem.accounting.rules.charges import Charges, Rule
from magmem.accounting.summing import Terms
from magmem.accounting.wide import Wide
from magmem.kernel.runs import Ints, blocks
from magmem.snapshot import PAGE_BYTES

__all__ = ["RULE", "charge"]


def charge(attribution: Attribution) -> Charges:
    """A page's bytes divided among the VMOs that show it, each part among who maps that VMO.

    What no VMO shows, and the part of a VMO that nobody maps, stays with the VMO.
    """
    view = attribution.view
    shown, whole, unseen = _attributed(attribution)
    vmo, aspace = view.pairs
    sharers = view.num_aspaces
    terms = [
        _spread_terms(shown.by_row, vmo[block], aspace[block], sharers)
        for block in blocks(len(vmo))
    ]
    wide = tuple(_spread_wide(one, vmo, aspace, sharers) for one in shown.wide)
    pss = Amounts.of_terms(attribution.aspaces, terms, 1, wide)
    reached = np.zeros(attribution.aspaces, np.int64)
    np.add.at(reached, aspace, whole[vmo])
    kernel, unknown = attribution.elsewhere(pss).fractions
    elsewhere = {
        "mapped by the kernel": kernel,
        "mapped by address spaces of unknown processes": unknown,
        "VMOs that nobody maps": shown.moved(np.where(sharers == 0, 0, -1), 1)[0] + unseen,
    }
    return Charges.split(
        attribution.by_process(pss), attribution.sum_by_process(reached), elsewhere
    )


def _spread_terms(shown: Terms, vmo: Ints, aspace: Ints, sharers: Ints) -> Terms:
    """Terms of VMOs, by VMO, as terms of the address spaces that map them: pairs times terms."""
    row, share, numerator = shown
    start = np.searchsorted(row, vmo)
    count = np.searchsorted(row, vmo, side="right") - start
    which = np.repeat(np.arange(len(vmo)), count)
    term = np.arange(len(which)) + (start - (np.cumsum(count) - count))[which]
    return aspace[which], share[term] * sharers[vmo[which]], numerator[term]


def _spread_wide(wide: Wide, vmo: Ints, aspace: Ints, sharers: Ints) -> Wide:
    """Ranges of VMOs as ranges of the address spaces that map them, each its equal part."""
    start, stop = np.searchsorted(vmo, wide.row), np.searchsorted(vmo, wide.row, side="right")
    count = stop - start
    which = np.repeat(np.arange(len(wide.row)), count)
    pair = np.arange(len(which)) + (start - (np.cumsum(count) - count))[which]
    return wide.taken(which, aspace[pair], sharers[vmo[pair]])


def _attributed(attribution: Attribution) -> tuple[Amounts, Ints, int]:
    """Per VMO its bytes by how many VMOs show each page, the same undivided; bytes none shows."""
    view, chains = attribution.view, attribution.chains
    rows = np.arange(attribution.vmos)
    whole = view.size_pages
    seen = see_through(view, chains, rows, np.zeros_like(whole), whole)
    begin, end = view.runs.owner_begin, view.runs.pages_below(rows, whole)
    queries = (
        Queries(rows[block], rows[block], begin[block], end[block]) for block in blocks(len(rows))
    )
    reach = Reach(queries, seen, seen.query, len(rows), len(rows), once=False)
    first, last = reach.unreached(view.runs.total_pages)
    return reach.amounts(), reach.whole_bytes(), int((last - first).sum()) * PAGE_BYTES


RULE = Rule(
    name="rfc-0254",
    says="each page divided among the VMOs that show it, each part among who maps that VMO",
    source='reference/accounting.md "Later rules, for comparison"',
    needs=("processes", "mappings", "kernel mappings", "vmos", "pages"),
    charge=charge,
)

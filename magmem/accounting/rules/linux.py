"""linux: what ``/proc/PID/smaps`` reports, page-table entries (reference/accounting.md)."""

from __future__ import annotations

import numpy as np

from magmem.accounting.attribution import Attribution
from magmem.accounting.clones import see_through
from magmem.accounting.kernel import integers
from magmem.accounting.rules.charges import Charges, Rule
from magmem.accounting.runs import blocks, order_by
from magmem.accounting.sharing import share
from magmem.snapshot import PAGE_BYTES

__all__ = ["RULE", "charge"]


def charge(attribution: Attribution) -> Charges:
    """Installed pages, each divided by the page-table entries that map it.

    An entry for the zero page counts nothing; entries of one page in one address space count
    separately.
    """
    view = attribution.view
    entries = view.snap.entries
    place = np.full(len(view.snap.regions), -1, np.int64)
    place[view.region] = np.arange(len(view.region))
    mapping = place[integers(entries["region"])]
    told = np.flatnonzero(mapping >= 0)
    # In order of their VMO, neighbours share what they look up.
    told = told[order_by(view.vmo[mapping[told]], told)]
    vmo, row = view.vmo[mapping[told]], view.aspace[mapping[told]]
    begin, end = np.empty_like(told), np.empty_like(told)
    first, last = np.empty_like(told), np.empty_like(told)
    for block in blocks(len(told)):
        at = mapping[told[block]]
        low, high = view.pages_of(at)
        begin[block] = low + integers(entries["first_page"])[told[block]]
        reach = begin[block] + integers(entries["page_count"])[told[block]]
        end[block] = np.maximum(begin[block], np.minimum(reach, high))
        first[block] = view.runs.pages_below(vmo[block], begin[block])
        last[block] = view.runs.pages_below(vmo[block], end[block])
    seen = see_through(view, attribution.chains, vmo, begin, end)
    first, last = np.concatenate((first, seen.begin)), np.concatenate((last, seen.end))
    owner, row = np.concatenate((vmo, seen.owner)), np.concatenate((row, row[seen.query]))
    shares = share(first, last, owner, attribution.vmos, row)
    resident = np.zeros(attribution.aspaces, np.int64)
    np.add.at(resident, row, last - first)
    charged = shares.amounts(row, attribution.aspaces)
    kernel, unknown = attribution.elsewhere(charged).fractions
    return Charges.split(
        attribution.by_process(charged),
        attribution.sum_by_process(resident * PAGE_BYTES),
        {
            "entries of the kernel": kernel,
            "entries of address spaces of unknown processes": unknown,
        },
    )


RULE = Rule(
    name="linux",
    says="installed pages only, each divided by the page-table entries that map it",
    source='reference/accounting.md "linux: what /proc/PID/smaps reports"',
    needs=("processes", "mappings", "kernel mappings", "vmos", "pages", "entries"),
    charge=charge,
)

"""linux: what ``/proc/PID/smaps`` reports, page-table entries (reference/accounting.md)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from magmem.accounting.attribution import Attribution
from magmem.accounting.clones import see_through
from magmem.accounting.kernel import KernelView, integers
from magmem.accounting.reach import Reach
from magmem.accounting.rules.charges import Charges, Rule
from magmem.accounting.runs import Ints, blocks

__all__ = ["RULE", "charge"]


def charge(attribution: Attribution) -> Charges:
    """Installed pages, each divided by the page-table entries that map it.

    An entry for the zero page counts nothing; entries of one page in one address space count
    separately.
    """
    view = attribution.view
    regions = integers(view.snap.entries["region"])
    each = np.bincount(regions, minlength=len(view.snap.regions))
    # In order of their VMO, neighbours share what they look up.
    region = view.region[view.by_vmo]
    start, count = (np.cumsum(each) - each)[region], each[region]
    mapping = np.repeat(view.by_vmo, count)
    told = np.arange(len(mapping)) + np.repeat(start - (np.cumsum(count) - count), count)
    vmo = np.repeat(view.vmo[view.by_vmo], count)
    row = np.repeat(view.aspace[view.by_vmo], count)
    first, last = np.empty_like(told), np.empty_like(told)
    for block in blocks(len(told)):
        begin, end = _pages(view, mapping[block], told[block])
        first[block] = view.runs.pages_below(vmo[block], begin)
        last[block] = view.runs.pages_below(vmo[block], end)
    clones = np.flatnonzero(attribution.chains.parent[vmo] >= 0)
    begin, end = _pages(view, mapping[clones], told[clones])
    seen = see_through(view, attribution.chains, vmo[clones], begin, end)
    seen = replace(seen, query=clones[seen.query])
    reach = Reach(vmo, row, first, last, seen, attribution.vmos, attribution.aspaces, None)
    charged = reach.amounts()
    kernel, unknown = attribution.elsewhere(charged).fractions
    return Charges.split(
        attribution.by_process(charged),
        attribution.sum_by_process(reach.whole_bytes()),
        {
            "entries of the kernel": kernel,
            "entries of address spaces of unknown processes": unknown,
        },
    )


def _pages(view: KernelView, mapping: Ints, entry: Ints) -> tuple[Ints, Ints]:
    """Page range in the VMO of runs of entries, cut to the mapping and to the VMO."""
    entries = view.snap.entries
    low, high = view.pages_of(mapping)
    begin = low + integers(entries["first_page"])[entry]
    end = np.minimum(begin + integers(entries["page_count"])[entry], high)
    return begin, np.maximum(begin, end)


RULE = Rule(
    name="linux",
    says="installed pages only, each divided by the page-table entries that map it",
    source='reference/accounting.md "linux: what /proc/PID/smaps reports"',
    needs=("processes", "mappings", "kernel mappings", "vmos", "pages", "entries"),
    charge=charge,
)

"""linux: what ``/proc/PID/smaps`` reports, page-table entries (reference/accounting.md)."""

from __future__ import annotations

import numpy as np

from magmem.accounting.attribution import Attribution
from magmem.accounting.clones import see_through
from magmem.accounting.rules.charges import Charges, Rule
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
    mapping = place[entries["region"].to_numpy()]
    told = mapping >= 0
    mapping = mapping[told]
    vmo, row = view.vmo[mapping], view.aspace[mapping]
    begin = view.begin_page[mapping] + entries["first_page"].to_numpy()[told]
    end = np.minimum(begin + entries["page_count"].to_numpy()[told], view.end_page[mapping])
    end = np.maximum(begin, end)
    seen = see_through(view, attribution.chains, vmo, begin, end)
    first = np.concatenate((view.runs.pages_below(vmo, begin), seen.begin))
    last = np.concatenate((view.runs.pages_below(vmo, end), seen.end))
    owner, row = np.concatenate((vmo, seen.owner)), np.concatenate((row, row[seen.query]))
    shares = share(first, last, owner, attribution.vmos, row)
    resident = np.zeros(attribution.aspaces, np.int64)
    np.add.at(resident, row, (last - first) * PAGE_BYTES)
    charged = shares.amounts(row, attribution.aspaces)
    kernel, unknown = attribution.elsewhere(charged).fractions
    return Charges.split(
        attribution.by_process(charged),
        attribution.sum_by_process(resident),
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

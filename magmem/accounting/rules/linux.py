"""linux: what ``/proc/PID/smaps`` reports, page-table entries (reference/accounting.md)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import Attribution
from magmem.accounting.clones import see_through
from magmem.accounting.reach import Queries, Reach
from magmem.accounting.rules.charges import Charges, Rule
from magmem.kernel.mappings import KernelView
from magmem.kernel.runs import Ints, group_blocks
from magmem.kernel.system import is_linux
from magmem.snapshot.columns import integers, is_known

__all__ = ["RULE", "Entries", "charge", "reported"]


def charge(attribution: Attribution) -> Charges:
    """Installed pages, each divided by the page-table entries that map it.

    An entry for the zero page counts nothing; entries of one page in one address space count
    separately.
    """
    view, chains = attribution.view, attribution.chains
    entries = Entries(view)
    clones = np.flatnonzero(chains.parent[view.by_vmo.vmo] >= 0)
    mapping, begin, end = entries.of(clones)
    seen = see_through(view, chains, view.by_vmo.vmo[mapping], begin, end)
    seen_row = view.by_vmo.aspace[mapping[seen.query]]
    reach = Reach(
        entries.queries(), seen, seen_row, attribution.vmos, attribution.aspaces, once=False
    )
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


class Entries:
    """The runs of page-table entries, found by mapping."""

    def __init__(self, view: KernelView) -> None:
        self.view = view
        table = view.snap.entries
        self.first, self.count = integers(table["first_page"]), integers(table["page_count"])
        each = np.bincount(integers(table["region"]), minlength=len(view.snap.regions))
        self._start: Ints = np.zeros(len(each) + 1, np.int64)
        np.cumsum(each, out=self._start[1:])

    def of(self, mappings: Ints | slice) -> tuple[Ints, Ints, Ints]:
        """The runs of some mappings: mapping, and page range in its VMO.

        Mappings are places in the view's `ByVmo`. Ranges are cut to the mapping and to the VMO; a
        run outside of both is empty.
        """
        by_vmo = self.view.by_vmo
        region = self.view.region[by_vmo.order[mappings]]
        start = self._start[region]
        count = self._start[region + 1] - start
        which = np.repeat(np.arange(len(region)), count)
        run = np.arange(len(which)) + (start - (np.cumsum(count) - count))[which]
        low, high = (side[mappings][which] for side in by_vmo.pages)
        begin = low + self.first[run]
        end = np.minimum(begin + self.count[run], high)
        which = (
            mappings[which] if isinstance(mappings, np.ndarray) else which + (mappings.start or 0)
        )
        return which, begin, np.maximum(begin, end)

    def queries(self) -> Iterator[Queries]:
        """Every run, as a range of its VMO's own pages; blocks in order of VMOs."""
        runs, by_vmo = self.view.runs, self.view.by_vmo
        for block in group_blocks(by_vmo.vmo):
            mapping, begin, end = self.of(block)
            vmo, row = by_vmo.vmo[mapping], by_vmo.aspace[mapping]
            yield Queries(vmo, row, runs.pages_below(vmo, begin), runs.pages_below(vmo, end))


def reported(attribution: Attribution) -> Charges | None:
    """What Linux itself reported, process by process; missing for those that may not be read."""
    snap = attribution.view.snap
    processes = snap.processes
    columns = [processes[f"reported_{name}_bytes"] for name in ("pss", "private", "shared")]
    unknown = np.logical_or.reduce([~is_known(column) for column in columns])
    if not is_linux(snap) or unknown.all():
        return None
    pss, private, shared = (np.where(unknown, 0, integers(column)) for column in columns)
    gaps = unknown if unknown.any() else None
    scaled = Amounts.of_bytes(pss - private)
    return Charges(private, shared, Amounts.of_bytes(pss), scaled, unknown=gaps)


RULE = Rule(
    name="linux",
    says="installed pages only, each divided by the page-table entries that map it",
    source='reference/accounting.md "linux: what /proc/PID/smaps reports"',
    needs=("processes", "mappings", "kernel mappings", "vmos", "pages", "entries"),
    charge=charge,
    reported=reported,
)

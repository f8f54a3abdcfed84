"""Every committed page charged to whoever can reach it, in exact stages.

The stages R0 … R5 are those of reference/accounting.md "The ledger": R0 is magenta-2017 over every
address space, each further stage replaces one of its approximations by the truth, R5 is the exact
rule. Rows are address spaces, the kernel's included; `by_process` moves them to processes. Bytes
are exact (`Amounts`). Asks for complete mappings and page runs: see `magmem.accounting.knowledge`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from magmem.accounting.amounts import Amounts
from magmem.accounting.clones import Chains, Seen, see_through
from magmem.accounting.reach import Queries, Reach
from magmem.accounting.sharing import cover, disjoint, share
from magmem.kernel.mappings import KernelView, kept_with, view_of
from magmem.kernel.population import Population
from magmem.kernel.runs import Ints, blocks, group_blocks, starts_of
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem.snapshot.columns import integers, is_known

__all__ = ["STAGES", "Attribution", "Hidden", "attribution_of"]

Bools = npt.NDArray[np.bool_]

STAGES = (
    "not running",
    "rounding",
    "sharer estimate",
    "duplicate mappings",
    "partial sharing",
    "clones",
)
"""What each step of the ledger corrects: from the reported PSS to R0, R0 to R1, … R4 to R5."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Pages that no address space reaches.

    Attributes
    ----------
    begin, end : int64 arrays
        Their ranges on the axis of the page runs: sorted, disjoint.
    pages : int
        How many there are.
    by_process : Amounts
        Handle-only bytes of each process.
    handle_only_bytes, kernel_only_bytes : int
        Pages that some process has a handle to, and the rest.
    """

    begin: Ints
    end: Ints
    pages: int
    by_process: Amounts
    handle_only_bytes: int

    @property
    def size_bytes(self) -> int:
        """Bytes of all of them."""
        return self.pages * PAGE_BYTES

    @property
    def kernel_only_bytes(self) -> int:
        """Bytes of the pages that no process can reach by a mapping or a handle."""
        return self.size_bytes - self.handle_only_bytes


class Attribution:
    """The stages over one snapshot, each computed once when first asked for."""

    def __init__(self, view: KernelView) -> None:
        self.view = view
        self.chains = Chains(view)
        self.population = Population(view.snap)
        self.aspaces = len(view.snap.aspaces)
        self.vmos = len(view.snap.vmos)
        self._by_vmo = view.by_vmo

    @property
    def alloc_bytes(self) -> int:
        """Bytes of every page that a paged VMO owns."""
        return self.view.runs.total_pages * PAGE_BYTES

    @cached_property
    def r0(self) -> Amounts:
        """What magenta-2017 counts, for every address space."""
        return Amounts.of_bytes(self.view.sums.pss_bytes)

    @cached_property
    def r1(self) -> Amounts:
        """Divided exactly by the kernel's share count."""
        return self._charged(self.view.share_count, *self._by_vmo.places)

    @cached_property
    def r2(self) -> Amounts:
        """Divided by the exact number of address spaces that map the VMO."""
        if np.array_equal(self.view.num_aspaces, self.view.share_count):
            return self.r1
        return self._charged(self.view.num_aspaces, *self._by_vmo.places)

    @cached_property
    def r3(self) -> Amounts:
        """Each of the VMO's own pages once per address space."""
        return self._charged(self.view.num_aspaces, *self._own)

    @cached_property
    def r4(self) -> Amounts:
        """Each own page divided by the address spaces that map that page of that VMO."""
        return self.reach.direct_amounts()

    @cached_property
    def r5(self) -> Amounts:
        """Exact: pages of ancestors seen through clones as well."""
        return self.reach.amounts()

    @property
    def stages(self) -> tuple[Amounts, ...]:
        """R0 … R5, rows are address spaces."""
        return self.r0, self.r1, self.r2, self.r3, self.r4, self.r5

    @cached_property
    def reached_bytes(self) -> Ints:
        """Per address space: bytes of the pages it reaches, each counted whole; int64 array."""
        return self.reach.whole_bytes()

    @cached_property
    def reach(self) -> Reach:
        """What address spaces reach by their mappings, each page once."""
        vmo, aspace = self._by_vmo.vmo, self._by_vmo.aspace
        begin, end = self._own
        queries = (
            Queries(vmo[block], aspace[block], begin[block], end[block])
            for block in group_blocks(vmo)
        )
        seen = self._seen
        return Reach(queries, seen, aspace[seen.query], self.vmos, self.aspaces, once=True)

    @cached_property
    def hidden(self) -> Hidden:
        """Pages that no mapping reaches, and who holds handles to them."""
        begin, end = self._unreached
        pages = int((end - begin).sum())
        row, owner, first, last = self.held_hidden
        first = disjoint(row, first, last)
        shares = share(first, last, owner, row)
        by_process = shares.amounts(len(self.population))
        return Hidden(begin, end, pages, by_process, shares.covered_pages * PAGE_BYTES)

    @cached_property
    def held_hidden(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Hidden pages shown by handles: process, owner, range on an axis of hidden pages only."""
        begin, end = self._unreached
        low = cover(begin, end, self.view.runs.owner_begin)
        high = cover(begin, end, self.view.runs.owner_begin + self.view.runs.owner_pages)
        row, owner, first, last = self._held(low < high)
        return row, owner, cover(begin, end, first), cover(begin, end, last)

    @cached_property
    def held_pairs(self) -> tuple[Ints, Ints]:
        """VMO and process of each distinct pair of which one has a handle to the other, sorted."""
        handles = self.view.snap.handles
        known = np.flatnonzero(is_known(handles["vmo"]))
        holder = self.population.rows(handles["process_koid"].to_numpy()[known])
        count = max(1, len(self.population))
        key = integers(handles["vmo"])[known] * count + holder
        key.sort()
        key = key[starts_of(key)]
        vmo = key // count
        return vmo, key - vmo * count

    def held_ranges(self) -> tuple[Ints, Ints]:
        """Ranges of the axis that the handle of some process shows, mapped or not."""
        _, _, begin, end = self._held(np.ones(self.vmos, bool))
        return begin, end

    def reached_ranges(self, kernel: bool) -> tuple[Ints, Ints]:
        """Ranges of the axis that the kernel's address space reaches, or those of processes."""
        begin, end = self._own
        aspace = self._by_vmo.aspace
        row = np.concatenate((aspace, aspace[self._seen.query]))
        mine = self.population.is_kernel[row] == kernel
        begin = np.concatenate((begin, self._seen.begin))
        end = np.concatenate((end, self._seen.end))
        return begin[mine], end[mine]

    def ranges_of(self, vmo: int) -> tuple[Ints, Ints, Ints]:
        """What reaches one VMO's own pages: address space, range on the axis; may overlap."""
        aspace = self._by_vmo.aspace
        direct = np.arange(*np.searchsorted(self._by_vmo.vmo, [vmo, vmo + 1]))
        seen = np.flatnonzero(self._seen.owner == vmo)
        begin, end = self._own
        return (
            np.concatenate((aspace[direct], aspace[self._seen.query[seen]])),
            np.concatenate((begin[direct], self._seen.begin[seen])),
            np.concatenate((end[direct], self._seen.end[seen])),
        )

    @cached_property
    def process_stages(self) -> tuple[Amounts, ...]:
        """R0 … R5, rows are processes."""
        return tuple(map(self.by_process, self.stages))

    def by_process(self, amounts: Amounts) -> Amounts:
        """Amounts of address spaces as amounts of processes; the kernel's are left out."""
        return amounts.moved(self.population.of_aspace, len(self.population))

    def sum_by_process(self, by_aspace: Ints) -> Ints:
        """Whole numbers of address spaces, added up per process."""
        owner = self.population.of_aspace
        sums = np.zeros(len(self.population), np.int64)
        np.add.at(sums, owner[owner >= 0], by_aspace[owner >= 0])
        return sums

    def elsewhere(self, amounts: Amounts) -> Amounts:
        """The rest: row 0 is the kernel's address space, row 1 those of no known process."""
        nobody = np.where(self.population.of_aspace < 0, 1, -1)
        return amounts.moved(np.where(self.population.is_kernel, 0, nobody), 2)

    def _charged(self, sharers: Ints, begin: Ints, end: Ints) -> Amounts:
        """Pages of each mapping, by VMO, divided by the `sharers` of its VMO."""
        vmo, aspace = self._by_vmo.vmo, self._by_vmo.aspace
        terms = [
            (aspace[block], sharers[vmo[block]], end[block] - begin[block])
            for block in blocks(len(vmo))
        ]
        return Amounts.of_terms(self.aspaces, terms, PAGE_BYTES)

    @cached_property
    def _own(self) -> tuple[Ints, Ints]:
        """Places of the mappings by VMO, cut so that no address space has a page twice."""
        mappings, home = self._by_vmo, self.view.runs.owner_begin
        begin, end = mappings.places
        cut = begin.copy()
        for block in group_blocks(mappings.vmo):
            at = block.start + np.flatnonzero(mappings.is_again[block])
            vmo, aspace = mappings.vmo[at], mappings.aspace[at]
            # Pairs and places are counted from where each begins: small numbers sort quickly.
            new = (vmo[1:] != vmo[:-1]) | (aspace[1:] != aspace[:-1])
            pair = np.concatenate(([0], np.cumsum(new)))[: len(at)]
            start = home[vmo]
            cut[at] = start + disjoint(pair, begin[at] - start, end[at] - start)
        return cut, end

    @cached_property
    def _seen(self) -> Seen:
        """What the mappings of clones show of ancestors; queries are mappings by VMO."""
        vmo, (begin, end) = self._by_vmo.vmo, self._by_vmo.pages
        query = np.flatnonzero(self.chains.parent[vmo] >= 0)
        seen = see_through(self.view, self.chains, vmo[query], begin[query], end[query])
        return replace(seen, query=query[seen.query])

    @cached_property
    def _unreached(self) -> tuple[Ints, Ints]:
        """Ranges of the axis that no address space reaches."""
        return self.reach.unreached(self.view.runs.total_pages)

    def _held(self, wanted: Bools) -> tuple[Ints, Ints, Ints, Ints]:
        """What handles to wanted VMOs, and to clones, show: process, owner, range on the axis."""
        view = self.view
        vmo, row = self.held_pairs
        useful = self.chains.or_above(wanted)[vmo]
        vmo, row = vmo[useful], row[useful]
        whole = view.size_pages[vmo]
        nothing = np.zeros_like(whole)
        seen = see_through(view, self.chains, vmo, nothing, whole)
        return (
            np.concatenate((row, row[seen.query])),
            np.concatenate((vmo, seen.owner)),
            np.concatenate((view.runs.pages_below(vmo, nothing), seen.begin)),
            np.concatenate((view.runs.pages_below(vmo, whole), seen.end)),
        )


def attribution_of(snap: Snapshot) -> Attribution:
    """The snapshot's `Attribution`, made once and kept with it."""
    return kept_with(snap, "_attribution", lambda: Attribution(view_of(snap)))

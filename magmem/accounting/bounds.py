"""What is certain of exact PSS where a capture does not know its mappings or pages.

For each process a lowest and a highest exact PSS (reference/accounting.md "exact"), from whatever
the capture does tell: committed bytes and counts of VMOs, which process maps what, resident bytes
of mappings, PRIVATE and SHARED. The truth lies between them; where nothing is told the lowest is 0
and the highest is missing. Pages are counted whole, bytes are exact; printed sizes stand for the
range of sizes that print so (reference/tools.md "Sizes").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import Attribution
from magmem.accounting.knowledge import STAGES_NEED, lacks
from magmem.accounting.printed import printed_slack
from magmem.kernel.byvmo import whole_pages
from magmem.kernel.mappings import MAX_SHARE_ASPACES
from magmem.kernel.physical import Physical
from magmem.kernel.runs import Ints, order_by, starts_of
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem.snapshot.columns import integers, is_choice, is_known

__all__ = ["Bounds", "bounds_of"]

Bools = npt.NDArray[np.bool_]

UNKNOWN = 1 << 60
"""Stands for a number of pages or sharers without a limit."""


@dataclass(frozen=True)
class Bounds:
    """Exact PSS of each process from below and from above.

    Attributes
    ----------
    low : sequence of Fraction
        Bytes, one item per process in the order of the tasks table.
    high : sequence of Fraction or None
        The same; None where nothing limits it.
    reason : str
        What the capture does not know.
    """

    low: Sequence[Fraction]
    high: Sequence[Fraction | None]
    reason: str


def bounds_of(attribution: Attribution) -> Bounds:
    """Bounds of the exact PSS; both are the exact PSS where the snapshot knows enough."""
    snap = attribution.view.snap
    missing = lacks(snap, STAGES_NEED)
    reason = f"this capture has no {', '.join(missing)}" if missing else ""
    if missing in ((), ("kernel mappings",), ("complete kernel mappings",)):
        exact = attribution.by_process(attribution.r5)
        low = exact
        if missing:
            # The kernel may be one sharer more of any page.
            low = Amounts(exact.rows, exact.row, exact.share + 1, exact.numerator)
            if exact.wide:
                low = Amounts.zero(exact.rows)
        return Bounds(low.fractions, list(exact.fractions), reason)
    low_pages, high_pages = _Certain(attribution).pages()
    whole = _machine_pages(snap)
    high = [
        None if size is None and whole is None else min(s for s in (size, whole) if s is not None)
        for size in high_pages
    ]
    return Bounds(
        [size * PAGE_BYTES for size in low_pages],
        [None if size is None else size * PAGE_BYTES for size in high],
        reason,
    )


def _machine_pages(snap: Snapshot) -> Fraction | None:
    """No process can reach more than all pages that VMOs own, wired ones included."""
    physical = Physical.of(snap)
    if physical.vmo_bytes is None or physical.wired_bytes is None:
        return None
    size = np.array([physical.vmo_bytes, physical.wired_bytes])
    return Fraction(int((size + printed_slack(snap, "kmem", size)).sum()) // PAGE_BYTES)


class _Certain:
    """What a partial capture tells, as arrays per VMO and per pair of process and VMO."""

    def __init__(self, attribution: Attribution) -> None:
        self.attribution = attribution
        self.snap = attribution.view.snap
        self.processes = len(attribution.population)
        self._vmos()
        self._pairs()

    def pages(self) -> tuple[list[Fraction], list[Fraction | None]]:
        """Lowest and highest number of pages, divided by sharers, of each process."""
        reported = self._reported()
        low = [max(*both) for both in zip(self._low(), self._low_reported(reported), strict=True)]
        high = self._high(reported)
        return low, high

    # what is told of VMOs

    def _vmos(self) -> None:
        vmos, view = self.snap.vmos, self.attribution.view
        size = integers(vmos["size_bytes"])
        slack = printed_slack(self.snap, "vmos", size)
        known_size = is_known(vmos["size_bytes"])
        self.most_pages: Ints = np.where(known_size, whole_pages(size + slack), UNKNOWN)
        told = integers(vmos["reported_committed_bytes"])
        slack = printed_slack(self.snap, "vmos", told)
        reported = is_known(vmos["reported_committed_bytes"])
        counted = vmos["pages_known"].to_numpy()
        physical = is_choice(vmos["kind"], "physical")
        owned = view.runs.owner_pages
        least = -(-np.maximum(told - slack, 0) // PAGE_BYTES)
        most = np.where(reported, (told + slack) // PAGE_BYTES, self.most_pages)
        self.least: Ints = np.where(counted, owned, np.where(reported, least, 0))
        self.most: Ints = np.where(counted, owned, most)
        self.least[physical] = self.most[physical] = 0
        clone = vmos["is_clone"]
        parent_known = is_known(vmos["parent"])
        # Whether everything above a VMO is in the capture.
        whole = parent_known | (clone.notna() & ~clone.fillna(True)).to_numpy(dtype=bool)
        self.whole_chain: Bools = ~self.attribution.chains.or_above(~whole)
        self.sharers: Ints = self._most_sharers()

    def _most_sharers(self) -> Ints:
        """Per VMO: how many address spaces can at most reach a page of it."""
        snap, view = self.snap, self.attribution.view
        vmos = snap.vmos
        parent = self.attribution.chains.parent
        everyone = UNKNOWN
        if snap.coverage["processes"] == "complete":
            everyone = self.processes + 1
        elif snap.knows("mappings", "kernel mappings"):
            everyone = len(snap.aspaces)
        if not lacks(snap, ("mappings", "kernel mappings", "vmos")):
            own, complete = view.num_aspaces, np.ones(len(vmos), bool)
        else:
            share = integers(vmos["reported_share_count"])
            mappings = integers(vmos["reported_num_mappings"])
            # Above 64 the share count is an estimate; there are never more than mappings.
            exact = (share > 0) & (share <= MAX_SHARE_ASPACES)
            own = np.where(exact, np.minimum(share, mappings), mappings)
            told = is_known(vmos["reported_num_mappings"])
            children = vmos["reported_num_children"]
            listed = np.bincount(parent[parent >= 0], minlength=len(vmos))
            complete = told & (children == listed).fillna(False).to_numpy(dtype=bool)
        total, whole = own.astype(np.int64).copy(), complete.copy()
        # A page may be reached through every clone below; sums go up level by level.
        level = np.flatnonzero(parent >= 0)
        added, gap = own.astype(np.int64), ~complete
        while len(level):
            added_up, gap_up = np.zeros_like(total), np.zeros(len(vmos), bool)
            np.add.at(added_up, parent[level], added[level])
            gap_up[parent[level][gap[level]]] = True
            total += added_up
            whole &= ~gap_up
            added, gap = added_up, gap_up
            level = np.flatnonzero((parent >= 0) & ((added > 0) | gap))
        return np.minimum(np.where(whole, np.maximum(total, 1), UNKNOWN), everyone)

    # what is told of mappings

    def _pairs(self) -> None:
        """Distinct pairs of a process and a VMO that it maps, and what is told of each."""
        view, snap = self.attribution.view, self.snap
        process = self.attribution.population.of_aspace[view.aspace]
        rows = np.flatnonzero(process >= 0)
        order = rows[order_by(process[rows], view.vmo[rows])]
        process, vmo = process[order], view.vmo[order]
        key = process * max(1, len(snap.vmos)) + vmo
        first = starts_of(key)
        self.process, self.vmo = process[first], vmo[first]
        self.times: Ints = np.diff(np.append(first, len(key)))
        table = snap.regions
        region = view.region[order]
        ranged = (table["size_bytes"].notna() & table["vmo_offset_bytes"].notna()).to_numpy()
        begin, end = (
            view.begin_page[order],
            view.begin_page[order] + whole_pages(view.size_bytes[order]),
        )
        self._ranges(first, ranged[region], begin, end)
        resident = integers(table["reported_resident_bytes"])[region]
        slack = printed_slack(snap, "regions", resident)
        tells = is_known(table["reported_resident_bytes"])[region]
        surely = np.where(tells, -(-np.maximum(resident - slack, 0) // PAGE_BYTES), 0)
        counted = snap.vmos["pages_known"].to_numpy()[vmo] & ranged[region]
        surely = np.maximum(surely, np.where(counted, view.mapping_pages[order], 0))
        at_most = np.where(tells, (resident + slack) // PAGE_BYTES, UNKNOWN)
        at_most = np.where(counted, view.mapping_pages[order], at_most)
        none = np.zeros(0, np.int64)
        self.resident: Ints = np.maximum.reduceat(surely, first) if len(first) else none
        limit = np.add.reduceat(np.minimum(at_most, UNKNOWN >> 20), first) if len(first) else none
        self.resident_limit: Ints = np.where(limit >= UNKNOWN >> 20, UNKNOWN, limit)
        self.told: Bools = self._told()

    def _ranges(self, first: Ints, ranged: Bools, begin: Ints, end: Ints) -> None:
        """Pages each pair surely covers, at most covers, and whether it covers all of the VMO."""
        size = self.most_pages[self.vmo]
        if not len(first):
            self.covers, self.limit = np.zeros(0, np.int64), np.zeros(0, np.int64)
            self.covers_all = np.zeros(0, bool)
            return
        pair = np.repeat(np.arange(len(first)), self.times)
        clipped = np.minimum(end, size[pair])
        length = np.where(ranged, np.maximum(clipped - begin, 0), 0)
        self.covers = np.maximum.reduceat(length, first)
        every = np.logical_and.reduceat(ranged, first)
        reach = np.add.reduceat(np.minimum(length, UNKNOWN >> 20), first)
        self.limit = np.where(every, reach, UNKNOWN)
        self.covers_all = (self.covers == size) & (size < UNKNOWN)

    def _told(self) -> Bools:
        """Per process: whether the capture shows everything that it maps."""
        snap = self.snap
        if snap.coverage["mappings"] == "complete":
            return np.ones(self.processes, bool)
        told = np.zeros(self.processes, bool)
        if snap.sources["dump"].str.contains("memgraph", regex=False).any():
            # A memgraph with VMOs names every VMO of a process that it names one of.
            told[self.process] = True
        return told

    def _reported(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Pages of PRIVATE and of SHARED as printed, lowest and highest; -1 where not told."""
        processes = self.snap.processes
        sides = []
        printed = [integers(processes[f"reported_{name}_bytes"]) for name in ("private", "shared")]
        known = (
            processes["reported_private_bytes"].notna() & processes["reported_shared_bytes"].notna()
        ).to_numpy()
        # A process that does not run prints zeros, whatever it maps.
        known = known & (printed[0] + printed[1] > 0)
        for size in printed:
            slack = printed_slack(self.snap, "tasks", size)
            low = -(-np.maximum(size - slack, 0) // PAGE_BYTES)
            sides += [np.where(known, low, -1), np.where(known, (size + slack) // PAGE_BYTES, -1)]
        return sides[0], sides[1], sides[2], sides[3]

    # bounds

    def _low(self) -> Sequence[Fraction]:
        """Pages that a process surely reaches by its own mappings, among the most sharers."""
        size = self.most_pages[self.vmo]
        outside = np.where(size < UNKNOWN, size - self.covers, UNKNOWN)
        surely = np.maximum(self.least[self.vmo] - outside, 0)
        surely = np.maximum(surely, self.resident)
        sharers = self.sharers[self.vmo]
        some = sharers < UNKNOWN
        return Amounts(self.processes, self.process[some], sharers[some], surely[some]).fractions

    def _low_reported(self, reported: tuple[Ints, Ints, Ints, Ints]) -> Sequence[Fraction]:
        """From PRIVATE and SHARED: the fewest pages that can add up to them.

        Ps counts a page once per mapping, and as shared if its VMO's #shr is above 1. The fewest
        pages with the most sharers come from the VMOs that are mapped most often.
        """
        share = self.snap.vmos["reported_share_count"]
        complete = np.ones(self.processes, bool)
        complete[self.process[share.isna().to_numpy()[self.vmo]]] = False
        complete &= self.told
        alone = (integers(share) == 1)[self.vmo]
        total = np.array([Fraction(0)] * self.processes, dtype=object)
        for low, mine in ((reported[0], alone), (reported[2], ~alone)):
            wanted = np.where(complete, np.maximum(low, 0), 0)
            total = total + self._fewest(wanted, np.flatnonzero(mine))
        return list(total)

    def _fewest(self, wanted: Ints, pairs: Ints) -> npt.NDArray[np.object_]:
        """Greedy: fill the wanted count from where a counted page is worth least."""
        worth = self.times[pairs] * np.minimum(self.sharers[self.vmo[pairs]], 1 << 30)
        order = pairs[order_by(self.process[pairs], worth.max(initial=0) - worth)]
        process, times = self.process[order], self.times[order]
        room = np.minimum(self.most[self.vmo[order]], UNKNOWN >> 20) * times
        before = np.cumsum(room) - room
        first = starts_of(process)
        base = np.repeat(before[first], np.diff(np.append(first, len(process))))
        filled = np.clip(wanted[process] - (before - base), 0, room)
        sharers = self.sharers[self.vmo[order]]
        some = sharers < UNKNOWN
        sums = Amounts(
            self.processes, process[some], (times * sharers)[some], filled[some]
        ).fractions
        return np.array(sums, dtype=object)

    def _high(self, reported: tuple[Ints, Ints, Ints, Ints]) -> list[Fraction | None]:
        """Pages of every VMO a process can reach, divided by those who surely reach them too."""
        vmos = len(self.snap.vmos)
        full = np.bincount(self.vmo[self.covers_all], minlength=vmos)
        known = self.told.copy()
        known[self.process[~self.whole_chain[self.vmo]]] = False
        direct = np.minimum(self.most[self.vmo], np.minimum(self.limit, self.resident_limit))
        sharers = np.maximum(full[self.vmo] + ~self.covers_all, 1)
        process, vmo = self._above()
        above = self.most[vmo]
        known[self.process[direct >= UNKNOWN]] = False
        by_ps = np.where(reported[1] >= 0, reported[1] + reported[3], UNKNOWN)
        unlimited = np.zeros(self.processes, bool)
        unlimited[process[above >= UNKNOWN]] = True
        below = direct < UNKNOWN
        mapped = Amounts(
            self.processes, self.process[below], sharers[below], direct[below]
        ).fractions
        seen = Amounts(
            self.processes,
            process[above < UNKNOWN],
            np.maximum(full[vmo], 1)[above < UNKNOWN],
            above[above < UNKNOWN],
        ).fractions
        chains = self.told.copy()
        chains[self.process[~self.whole_chain[self.vmo]]] = False
        result: list[Fraction | None] = []
        for row in range(self.processes):
            limits = [mapped[row]] if known[row] else []
            if by_ps[row] < UNKNOWN and chains[row]:
                limits.append(Fraction(int(by_ps[row])))
            if not limits or unlimited[row]:
                result.append(None)
            else:
                result.append(min(limits) + seen[row])
        return result

    def _above(self) -> tuple[Ints, Ints]:
        """Distinct pairs of a process and a VMO above one that it maps."""
        parent = self.attribution.chains.parent
        process, vmo = self.process, self.vmo
        found = [np.zeros((2, 0), np.int64)]
        while len(vmo):
            inner = parent[vmo] >= 0
            process, vmo = process[inner], parent[vmo[inner]]
            found.append(np.stack((process, vmo)))
        every = np.concatenate(found, axis=1)
        order = order_by(every[0], every[1])
        every = every[:, order]
        first = starts_of(every[0] * max(1, len(parent)) + every[1])
        return every[0][first], every[1][first]

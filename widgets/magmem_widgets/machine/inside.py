"""What is inside a process, a VMO or a mapping, as columns, for the machine explorer.

A process has its VMOs, a VMO the process's mappings of it, a mapping its runs of committed pages.
By the rule of `ps` each mapping counts for itself, so pages stand below their mapping. By the exact
rule each page counts once, so pages stand below the VMO that owns them, cut where their sharers
change, and mappings only say where they are. What the capture lacks is a row that says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import attribution_of
from magmem.accounting.pairs import exact_pairs
from magmem.accounting.sharing import cover, disjoint
from magmem.kernel.runs import Ints
from magmem.listing import count
from magmem.sizes import format_size
from magmem.snapshot import PAGE_BYTES
from magmem_widgets.machine.block import HANDLE, KINDS, MAPPING, NOTE, RUN, VMO, Block
from magmem_widgets.machine.facts import MachineFacts
from magmem_widgets.machine.sums import Exact
from magmem_widgets.machine.tree import NONE, UNKNOWN, Bools

__all__ = ["Inside"]


class Inside:
    """Blocks of one snapshot by one rule; each is made when asked for."""

    def __init__(self, facts: MachineFacts, rule: str) -> None:
        self.facts, self.exact = facts, rule == "exact"

    def process(self, koid: int, row: int) -> Block:
        """The VMOs of a process (row of tasks), those it maps first."""
        facts = self.facts
        if not facts.runs(row):
            return Block.note(f"It does not run ({facts.snap.tasks['state'].iat[row]}).")
        lacks = facts.lacks(koid)
        if len(lacks) == 2:
            return Block.note(f"Its {' and '.join(lacks)} are not in this capture.")
        mappings = facts.mappings(koid)
        mapped = facts.vmo[mappings]
        held = facts.handle_vmo[facts.handles(koid)]
        vmos = _distinct(np.concatenate((mapped, held)))
        if self.exact:
            block = self._exact_vmos(koid, vmos, mapped, held)
        else:
            block = self._ps_vmos(vmos, mappings)
        loose = mappings[mapped < 0]
        if len(loose):
            block = block.plus(self._mappings(loose))
        handles = facts.handles(koid)
        loose = handles[facts.handle_vmo[handles] < 0]
        if len(loose):
            block = block.plus(Block.of(HANDLE, loose, (NONE, NONE, NONE)))
        for what in lacks:
            block = block.plus(Block.note(f"Its {what} are not in this capture."))
        return block if len(block) else Block.note("It has no VMOs.")

    def vmo(self, koid: int, vmo: int) -> Block:
        """What a process has of one VMO: mappings and handles; by the exact rule its pages too."""
        facts = self.facts
        mappings = facts.mappings(koid)
        mappings = mappings[facts.vmo[mappings] == vmo]
        handles = facts.handles(koid)
        handles = handles[facts.handle_vmo[handles] == vmo]
        held = Block.of(HANDLE, handles, (NONE, NONE, NONE))
        if self.exact:
            nowhere = Block.of(MAPPING, mappings, (NONE, NONE, NONE))
            return nowhere.plus(held).plus(self._shared_runs(koid, vmo, len(handles) > 0))
        block = self._mappings(mappings).plus(held)
        if len(mappings):
            return block
        return block.plus(self._runs(vmo, 0, 1 << 62, charged=False))

    def mapping(self, region: int) -> Block:
        """The committed pages inside a mapping, by the rule of `ps`."""
        facts = self.facts
        vmo = int(facts.vmo[region])
        if vmo < 0:
            return Block.note("Which VMO it maps is not in this capture.")
        first = int(facts.first_page[region])
        if first < 0:
            return Block.note("Where in the VMO it begins is not in this capture.")
        return self._runs(vmo, first, first - int(-facts.size[region] // PAGE_BYTES))

    def opens(self, block: Block) -> Ints:
        """Which rows have something below them."""
        kind = block.kind
        below = np.where(kind == MAPPING, not self.exact, False)
        return np.flatnonzero(below | (kind == VMO))

    def says(self, block: Block, at: int) -> tuple[str, str]:
        """Name and words of one row."""
        facts, kind, ref = self.facts, int(block.kind[at]), int(block.ref[at])
        if kind == VMO:
            how = block.text(at)
            return facts.vmo_label(ref), facts.vmo_words(ref) + (f"; {how}" if how else "")
        if kind == MAPPING:
            return f"mapping {facts.base(ref)}", facts.mapping_words(ref)
        if kind == HANDLE:
            value = facts.snap.handles["value"].iat[ref]
            told = isinstance(value, (int, np.integer))
            return f"handle {int(value):#x}" if told else "handle", facts.handle_words(ref)
        if kind == NOTE:
            return block.text(at), ""
        return self._run_words(block, at)

    def key(self, block: Block, at: int) -> str:
        """What names a row among those of its block."""
        kind, ref = int(block.kind[at]), int(block.ref[at])
        return self.facts.vmo_key(ref) if kind == VMO else f"{KINDS[kind]} {ref}"

    def find(self, block: Block, key: str) -> int:
        """Place of the row that has a key; -1 if there is none."""
        kind, _, ref = key.partition(" ")
        vmo = block.kind == VMO
        if ref and kind in KINDS:
            hit = (block.kind == KINDS.index(kind)) & (block.ref == _number(ref))
        else:
            ids = self.facts.snap.vmos["id"].iloc[block.ref[vmo]].to_numpy()
            koids = self.facts.vmo_koid[block.ref[vmo]]
            hit = np.zeros(len(block), bool)
            hit[vmo] = (koids == _number(key)) | ((ids == key) & (koids <= 0))
        return int(np.argmax(hit)) if hit.any() else -1

    def _run_words(self, block: Block, at: int) -> tuple[str, str]:
        first, pages = int(block.ref[at]), int(block.pages[at])
        last = first + pages - 1
        name = f"page {first:,}" if pages == 1 else f"pages {first:,}–{last:,}"
        size = format_size(pages * PAGE_BYTES)
        said = f"{size}" if pages == 1 else f"{pages:,} pages, {size}"
        how = block.text(at)
        return name, f"{said}, {how}" if how else said

    def _mappings(self, regions: Ints) -> Block:
        return Block.of(MAPPING, regions, self._charged(regions))

    def _charged(self, regions: Ints) -> tuple[Ints, Ints, Ints]:
        """PSS, PRIVATE and SHARED of mappings as `ps` adds them up."""
        facts = self.facts
        vmo = facts.vmo[regions]
        resident = facts.resident[regions]
        share = np.where(vmo >= 0, facts.vmo_share[vmo] if len(facts.vmo_share) else 0, UNKNOWN)
        empty = resident == 0
        known = (resident >= 0) & (share > 0)
        alone = share == 1
        pss = np.where(known, resident // np.maximum(share, 1), UNKNOWN)
        private = np.where(known, np.where(alone, resident, 0), UNKNOWN)
        shared = np.where(known, np.where(alone, 0, resident), UNKNOWN)
        pss, private, shared = (np.where(empty, 0, size) for size in (pss, private, shared))
        return pss, private, shared

    def _ps_vmos(self, vmos: Ints, mappings: Ints) -> Block:
        facts = self.facts
        mappings = mappings[facts.vmo[mappings] >= 0]
        order = np.argsort(vmos, kind="stable")
        at = order[np.searchsorted(vmos, facts.vmo[mappings], sorter=order)]
        times = np.bincount(at, minlength=len(vmos))
        # Where mappings are known in part, only a VMO that nobody maps surely counts nothing.
        unsure = facts.maybe_mapped[vmos]
        sizes = []
        for part in self._charged(mappings):
            total = np.zeros(len(vmos), np.int64)
            np.add.at(total, at, np.maximum(part, 0))
            total[at[part < 0]] = UNKNOWN
            total[(times == 0) & unsure] = UNKNOWN
            sizes.append(total)
        resident = np.zeros(len(vmos), np.int64)
        np.add.at(resident, at, facts.resident[mappings])
        resident[at[facts.resident[mappings] < 0]] = UNKNOWN
        resident[(facts.vmo_committed[vmos] >= 0) | (times == 0)] = UNKNOWN
        texts = list(map(_had, times.tolist(), unsure.tolist(), resident.tolist()))
        return Block.of(VMO, vmos, sizes, texts=texts)

    def _exact_vmos(self, koid: int, vmos: Ints, mapped: Ints, held: Ints) -> Block:
        attribution = attribution_of(self.facts.snap)
        pairs = exact_pairs(attribution)
        at = [np.zeros(0, np.int64)]
        for space in self.facts.spaces.of(koid).tolist():
            begin, end = np.searchsorted(pairs.row, [space, space + 1])
            at.append(np.arange(begin, end))
        pair = np.concatenate(at)
        vmos = _distinct(np.concatenate((vmos, pairs.vmo[pair])))
        place = {vmo: n for n, vmo in enumerate(vmos.tolist())}
        size: list[Exact] = [0] * len(vmos)
        alone, whole = np.zeros((2, len(vmos)), np.int64)
        for one, (charge, own) in zip(pair.tolist(), _charges(pairs.amounts, pair), strict=True):
            row = place[int(pairs.vmo[one])]
            size[row] += charge.numerator if charge.denominator == 1 else charge
            alone[row] += own
            whole[row] += pairs.whole_bytes[one]
        times = np.bincount(
            [place[vmo] for vmo in mapped.tolist() if vmo >= 0], minlength=len(vmos)
        )
        by_handle = set(held.tolist())
        texts = [
            _had(n, False, UNKNOWN) if n or vmo in by_handle else "seen through a clone"
            for vmo, n in zip(vmos.tolist(), times.tolist(), strict=True)
        ]
        pss = np.array([int(each) for each in size], dtype=np.int64)
        made = Block.of(VMO, vmos, (pss, alone, whole - alone), texts)
        return replace(made, exact=size)

    def _runs(self, vmo: int, first: int, last: int, charged: bool = True) -> Block:
        """A VMO's own pages inside a range, by the rule of `ps`."""
        facts = self.facts
        if facts.physical[vmo]:
            return Block.note("A physical range: it uses no RAM.")
        if not facts.pages_known[vmo]:
            return Block.note("Which of its pages are committed is not in this capture.")
        index = facts.view.runs
        begin, end = int(index.start[vmo]), int(index.start[vmo + 1])
        low = np.maximum(index.first[begin:end], first)
        high = np.minimum(index.end[begin:end], last)
        inside = low < high
        low, pages = low[inside], (high - low)[inside]
        if not len(low):
            return Block.note("No page here is committed.")
        begins = np.flatnonzero(_begins(low, pages))
        low, pages = low[begins], np.add.reduceat(pages, begins)
        size = pages * PAGE_BYTES
        share = int(facts.vmo_share[vmo])
        alone = share == 1
        pss, private, shared = size // max(share, 1), size * alone, size * (not alone)
        if share < 1:
            pss = private = shared = np.full_like(size, UNKNOWN)
        if not charged:
            pss = private = shared = np.zeros_like(size)
        divisor = np.full_like(size, max(share, 1))
        return Block(np.full_like(size, RUN), low, pss, private, shared, divisor, pages)

    def _shared_runs(self, koid: int, vmo: int, held: bool) -> Block:
        """A VMO's own pages that a process reaches, cut where the number of sharers changes."""
        facts = self.facts
        attribution = attribution_of(facts.snap)
        index = facts.view.runs
        space, begin, end = attribution.ranges_of(vmo)
        begin = disjoint(space, begin, end)
        some = begin < end
        space, begin, end = space[some], begin[some], end[some]
        mine = np.isin(space, facts.spaces.of(koid))
        run = np.arange(int(index.start[vmo]), int(index.start[vmo + 1]))
        if not len(run):
            return Block.note("It owns no page.")
        bounds = np.unique(np.concatenate((begin, end, index.before[run], index.before[run + 1])))
        low, pages = bounds[:-1], np.diff(bounds)
        sharers = np.searchsorted(np.sort(begin), low, side="right") - np.searchsorted(
            np.sort(end), low, side="right"
        )
        order = np.argsort(begin[mine], kind="stable")
        begin, end = begin[mine][order], end[mine][order]
        reached = cover(begin, end, bounds[1:]) > cover(begin, end, low)
        at = run[np.searchsorted(index.before[run], low, side="right") - 1]
        first = index.first[at] + low - index.before[at]
        begins = _begins(first, pages) | _changes(sharers) | _changes(reached)
        pages = np.add.reduceat(pages, np.flatnonzero(begins))
        shown = (reached | held)[begins]
        pages, rows = pages[shown], np.flatnonzero(begins)[shown]
        first, sharers, reached = first[rows], sharers[rows], reached[rows]
        if not len(first):
            return Block.note("It reaches no page of it.")
        size = pages * PAGE_BYTES * reached
        alone = sharers == 1
        texts = [_by(n, mine) for n, mine in zip(sharers.tolist(), reached.tolist(), strict=True)]
        divisor = np.maximum(sharers, 1)
        return Block(
            np.full_like(first, RUN),
            first,
            size // divisor,
            size * alone,
            size * ~alone,
            divisor,
            pages,
            texts=texts,
        )


def _number(text: str) -> int:
    """A koid or row written in decimal; 1 below `UNKNOWN` and `NONE` if it is none."""
    return int(text) if text.isdecimal() and len(text) < 19 else -3


def _begins(first: Ints, pages: Ints) -> Bools:
    """Which runs of pages do not go on where the one before ends."""
    return np.concatenate(([True], first[1:] != first[:-1] + pages[:-1]))


def _changes(values: Ints | Bools) -> Bools:
    """Which items differ from the one before."""
    return np.concatenate(([True], values[1:] != values[:-1]))


def _distinct(values: Ints) -> Ints:
    """Each value of 0 or more once, in the order of first appearance."""
    values = values[values >= 0]
    _, first = np.unique(values, return_index=True)
    return values[np.sort(first)]


def _had(times: int, unsure: bool, resident: int) -> str:
    """How a process has a VMO: by how many mappings, and what is resident if that tells more."""
    if not times:
        return "mapped here: ?" if unsure else "by handle only"
    said = [f"{format_size(resident)} resident"] if resident >= 0 else []
    return ", ".join([*said, f"mapped {times}× here"] if times > 1 else said)


def _by(sharers: int, reached: bool) -> str:
    if not reached:
        return f"by handle only, mapped by {sharers}" if sharers else "by handle only, hidden"
    return "private" if sharers == 1 else f"by {count(sharers, 'address space')}"


def _charges(amounts: Amounts, rows: Ints) -> Iterator[tuple[Fraction, int]]:
    """Of some rows: the exact bytes, and the part of them that nobody shares."""
    of, share, numerator = amounts.by_row
    bounds = np.searchsorted(of, np.stack((rows, rows + 1))).T.tolist()
    for row, (begin, end) in zip(rows.tolist(), bounds, strict=True):
        shares, parts = share[begin:end].tolist(), numerator[begin:end].tolist()
        terms = list(zip(shares, parts, strict=True))
        size = sum((Fraction(part, share) for share, part in terms), Fraction(0))
        yield (
            amounts.fractions[row] if amounts.wide else size,
            sum(part for share, part in terms if share == 1),
        )

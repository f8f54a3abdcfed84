"""From a snapshot to the tree of a treemap (reference/tools.md "The treemap of a memgraph").

physmem → free, VMOs/processes → (jobs → processes → VMOs, hidden memory), heap → allocated, free,
wired, mmu, other. Every byte is in exactly one leaf: VMOs whose pages are wired are drawn where
they are used, and taken off `wired`. What a rule charges beyond the pages there are is told in
`remarks` and `over_bytes`, never drawn as a negative tile; what the capture does not explain is a
tile of its own, ``unknown (kernel & unmapped)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from magmem.accounting.rules import RULES as ACCOUNTING
from magmem.errors import MissingData
from magmem.kernel.missing import shares_guessed
from magmem.kernel.physical import Physical
from magmem.sizes import format_size
from magmem.snapshot import Snapshot
from magmem.treemap.balance import Balance
from magmem.treemap.charges import RULES
from magmem.treemap.draft import Draft
from magmem.treemap.facts import Facts
from magmem.treemap.nodes import Nodes
from magmem.treemap.reported import Reported
from magmem.treemap.tree import Tree

__all__ = ["Built", "build"]

UNKNOWN = "unknown (kernel & unmapped)"


@dataclass(frozen=True)
class Built:
    """A tree, what the reader must know of it, and how much more it counts than there is.

    `whole` tells that the capture says how much physical memory there is.
    """

    tree: Tree
    remarks: tuple[str, ...]
    over_bytes: int | Fraction
    whole: bool


def build(snap: Snapshot, by: str, rule: str) -> Built:
    """The tree of a snapshot.

    Parameters
    ----------
    snap : Snapshot
    by : str
        ``process``: each process with its VMOs; ``vmo``: each VMO with its processes.
    rule : str
        A name in `magmem.treemap.charges.RULES`.

    Raises
    ------
    MissingData
        Nothing in the capture has a size, or `by` is ``vmo`` and it knows no VMOs.
    """
    if by == "vmo" and not len(snap.vmos):
        raise MissingData("the treemap by VMO", "VMOs", "the VMOs of the processes")
    facts = Facts(snap)
    physical = Physical.of(snap)
    guess = facts.guess_wired(physical.vmo_bytes)
    charges = RULES[rule](facts)
    reported = Reported.beside(facts, charges)
    balance = Balance(facts, charges.without(reported.rows), whole=not len(reported.rows))
    draft = Draft()
    root = draft.one(-1, "memory", "physmem")
    top = draft.one(root, "memory", "VMOs/processes")
    nodes = Nodes(draft, snap)
    if by == "vmo":
        nodes.add_by_vmo(top, balance)
    else:
        nodes.add_by_process(top, balance, reported)
    closing = _Closing(draft, snap, physical, balance)
    closing.close_vmos(top)
    closing.close_root(root)
    tree = draft.finish()
    if not tree.scaled[0]:
        raise MissingData("the treemap", "sizes", "VMOs, what ps printed, or kstats -m")
    over = closing.over_bytes
    return Built(
        tree,
        (*closing.remarks, *reported.remarks(), *_guesses(snap, rule, guess)),
        int(over) if over.denominator == 1 else over,
        physical.total_bytes is not None,
    )


def _guesses(snap: Snapshot, rule: str, wired: str) -> list[str]:
    """What was taken to be so although the capture does not say it."""
    guesses = [wired] if wired else []
    if ACCOUNTING[rule].by_share_count and (shares := shares_guessed(snap)):
        guesses.append(f"{shares[0].upper()}{shares[1:]}.")
    return guesses


class _Closing:
    """Closes a draft against the kernel's totals: what is open becomes unknown, excess a remark."""

    def __init__(self, draft: Draft, snap: Snapshot, physical: Physical, balance: Balance) -> None:
        self.draft, self.snap, self.physical, self.balance = draft, snap, physical, balance
        self.over_bytes = balance.over_bytes
        self.remarks: list[str] = []
        if self.over_bytes:
            self._count_over(
                self.over_bytes,
                "The rule charges some pages several times.",
            )

    def _count_over(self, size: Fraction, why: str) -> None:
        amount = format_size(int(size))
        self.remarks.append(f"VMOs are counted more than there is: +{amount}. {why}")

    def close_vmos(self, top: int) -> None:
        """Add the part of the kernel's VMO total that nothing drawn so far explains."""
        if self.physical.vmo_bytes is None:
            return
        there = self.physical.vmo_bytes + self.balance.wired_bytes
        left = there + self.over_bytes - self.draft.total()
        if left > 0:
            self._add_unknown(top, UNKNOWN, left)
        elif left < 0:
            self.over_bytes -= left
            self._count_over(-left, self._why())

    def _why(self) -> str:
        if self.snap.sources["rounded"].any():
            return "The capture's sizes are printed rounded."
        if not self.balance.whole:
            return "The rule charges some pages several times, or the capture contradicts itself."
        if self.snap.vmos["pages_are_wired"].isna().any():
            return "Pages of VMOs such as the vDSO may be wired; the capture does not say."
        return "The capture's own figures contradict each other."

    def close_root(self, root: int) -> None:
        """Add what is not VMOs, and the part of physical memory that is left."""
        known, wired = self.physical, self.physical.wired_bytes
        if wired is not None:
            # VMOs with wired pages are drawn where they are used.
            self.over_bytes += max(self.balance.wired_bytes - wired, 0)
            wired = max(wired - self.balance.wired_bytes, 0)
        plain = {
            "free": known.free_bytes,
            "wired": wired,
            "mmu": known.mmu_bytes,
            "other": known.other_bytes,
        }
        for name, size in plain.items():
            if size is not None:
                self.draft.add(root, "memory", name, tint=name, amount_bytes=size)
        self._add_heap(root)
        missing = [name for name, size in plain.items() if size is None]
        missing += ["heap"] * (known.heap_bytes is None) + ["VMOs"] * (known.vmo_bytes is None)
        if known.total_bytes is not None:
            left = known.total_bytes + self.over_bytes - self.draft.total()
            if left > 0:
                whose = f"unknown ({', '.join(missing)})" if missing else "unknown"
                self._add_unknown(root, whose, left)
            elif left < 0:
                self.over_bytes -= left
                excess = format_size(int(-left))
                self.remarks.append(f"The parts exceed physical memory by {excess}. {self._why()}")
        else:
            missing = ["how much physical memory there is, and its other uses"]
        if missing:
            self.remarks.append(f"Not in this capture: {', '.join(missing)}.")

    def _add_heap(self, root: int) -> None:
        total, free = self.physical.heap_bytes, self.physical.heap_free_bytes
        if total is None:
            return
        if free is None or free > total:
            self.draft.add(root, "memory", "heap", tint="heap_used", amount_bytes=total)
            return
        heap = self.draft.one(root, "memory", "heap")
        self.draft.add(heap, "memory", "allocated", tint="heap_used", amount_bytes=total - free)
        self.draft.add(heap, "memory", "free", tint="heap_free", amount_bytes=free)

    def _add_unknown(self, parent: int, name: str, size: Fraction) -> None:
        amount, divisor = size.numerator, size.denominator
        self.draft.add(parent, "unknown", name, tint="other", amount_bytes=amount, divisor=divisor)

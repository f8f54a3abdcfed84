"""PSS, PRIVATE and SHARED of every task by one rule, for the machine explorer.

Sizes are bytes. A job has the sum of the processes below it. Unknown is unknown, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from magmem.accounting.account import charges_of
from magmem.accounting.attribution import attribution_of
from magmem.accounting.rules import RULES as ACCOUNTING
from magmem.errors import MissingData
from magmem.kernel.runs import Ints
from magmem.kernel.task_sums import task_sums
from magmem.snapshot import Snapshot
from magmem_widgets.machine.tree import NONE, UNKNOWN, MachineTree, plain

__all__ = ["RULES", "Exact", "Sums", "sums_of"]

RULES: Final = ("magenta-2017", "exact")
"""What a process may be charged by: as `ps` prints it, or each page divided by who reaches it."""

Exact = int | Fraction


@dataclass(frozen=True)
class Sums:
    """One item per task of a `MachineTree`.

    Attributes
    ----------
    pss, private, shared : int64 arrays
        Whole bytes (an exact PSS rounded down); `UNKNOWN`, or `NONE` for SHARED of a job.
    exact : sequence of int or Fraction, or None
        The PSS in full; None where `pss` is all of it.
    total : int or Fraction or None
        PSS of all processes together, as far as it is known of each.
    source : str
        ``computed``, or ``reported`` as the capture's source printed it.
    lacks : str
        Why there are no numbers; empty if there are.
    """

    pss: Ints
    private: Ints
    shared: Ints
    exact: Sequence[Exact] | None
    total: Exact | None
    source: str = "computed"
    lacks: str = ""

    def pss_of(self, place: int) -> Exact:
        """The PSS of one task, exactly."""
        return int(self.pss[place]) if self.exact is None else self.exact[place]


def sums_of(snap: Snapshot, tree: MachineTree, rule: str) -> Sums:
    """The numbers of every task.

    Raises
    ------
    MissingData
        The rule is exact, and the capture does not know every mapping and page.
    """
    return _exact(snap, tree) if rule == "exact" else _as_ps(snap, tree)


def _as_ps(snap: Snapshot, tree: MachineTree) -> Sums:
    try:
        told = task_sums(snap, "the machine explorer")
    except MissingData as gap:
        unknown = np.full(len(tree), UNKNOWN, np.int64)
        none = np.where(tree.is_job, NONE, UNKNOWN)
        return Sums(unknown, unknown, none, None, None, lacks=str(gap))
    pss, private, shared = (plain(column)[tree.rows] for column in told.columns)
    tops = pss[tree.depth == 0]
    total = None if not len(tops) or (tops < 0).any() else int(tops.sum())
    return Sums(pss, private, np.where(tree.is_job, NONE, shared), None, total, told.source)


def _exact(snap: Snapshot, tree: MachineTree) -> Sums:
    attribution = attribution_of(snap)
    charges = charges_of(attribution, ACCOUNTING["exact"])
    row = attribution.population.rows(tree.koid)
    process = np.flatnonzero(~tree.is_job)
    parts = charges.pss.fractions
    scale = math.lcm(*{part.denominator for part in parts})
    scaled = np.zeros(len(tree), dtype=object)
    scaled[process] = [
        parts[at].numerator * (scale // parts[at].denominator) for at in row[process].tolist()
    ]
    scaled = tree.job_sums(scaled)
    exact = [_plain(Fraction(size, scale)) for size in scaled.tolist()]
    private = np.where(tree.is_job, 0, charges.private_bytes[row])
    shared = np.where(tree.is_job, NONE, charges.shared_bytes[row])
    whole = np.array([int(size) for size in exact], dtype=np.int64)
    total = _plain(Fraction(int(scaled[tree.depth == 0].sum()), scale))
    return Sums(whole, tree.job_sums(private).astype(np.int64), shared, exact, total)


def _plain(size: Fraction) -> Exact:
    return size.numerator if size.denominator == 1 else size

"""memory_monitor (2019-2024): whole VMOs, in equal parts (reference/accounting.md)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from magmem.accounting.attribution import Attribution
from magmem.accounting.rules import belonging
from magmem.accounting.rules.charges import Charges, Rule

__all__ = ["RULE", "charge"]


def charge(attribution: Attribution) -> Charges:
    """Committed bytes of each VMO, divided among the processes that it belongs to.

    It belongs to all that have a handle to it or map it, or do so with any clone below it.
    """
    parent = attribution.chains.parent
    mapped, held = belonging.mapped(attribution), belonging.held(attribution)
    levels = [mapped, held]
    clones = np.concatenate([pairs.vmo for pairs in levels])
    owners = np.concatenate([pairs.process for pairs in levels])
    while len(clones):
        above = parent[clones]
        lower = belonging.distinct(above[above >= 0], owners[above >= 0])
        levels.append(lower)
        clones, owners = lower.vmo, lower.process
    pairs = belonging.distinct(
        np.concatenate([level.vmo for level in levels]),
        np.concatenate([level.process for level in levels]),
    )
    committed = belonging.committed_bytes(attribution, RULE.name)
    owners = np.bincount(pairs.vmo, minlength=attribution.vmos).astype(np.int64)
    everyone = np.ones(len(attribution.population), bool)
    pss, whole = belonging.divided(committed, everyone, (pairs, owners))
    nobody = int(committed[owners == 0].sum())
    return Charges.split(pss, whole, {"VMOs of no process": Fraction(nobody)})


RULE = Rule(
    name="memory_monitor",
    says="each VMO divided among the processes that have it, map it, or do so with its clones",
    source='reference/accounting.md "Later rules, for comparison"',
    needs=("processes", "vmos"),
    charge=charge,
)

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
    mapped = belonging.mapped(attribution)
    belongs = [mapped, belonging.held_only(attribution)]
    above = attribution.chains.parent
    clones = np.concatenate([pairs.vmo for pairs in belongs])
    owners = np.concatenate([pairs.process for pairs in belongs])
    while len(clones):
        inner = above[clones] >= 0
        upper = belonging.distinct(above[clones[inner]], owners[inner])
        for known in belongs:
            upper = upper.but(known)
        belongs.append(upper)
        clones, owners = upper.vmo, upper.process
    committed = belonging.committed_bytes(attribution, RULE.name)
    sharers = np.zeros(attribution.vmos, np.int64)
    for pairs in belongs:
        sharers += np.bincount(pairs.vmo, minlength=attribution.vmos)
    everyone = np.ones(len(attribution.population), bool)
    groups = [(pairs, sharers) for pairs in belongs]
    pss, whole = belonging.divided(committed, everyone, *groups)
    nobody = int(committed[sharers == 0].sum())
    return Charges.split(pss, whole, {"VMOs of no process": Fraction(nobody)})


RULE = Rule(
    name="memory_monitor",
    says="each VMO divided among the processes that have it, map it, or do so with its clones",
    source='reference/accounting.md "Later rules, for comparison"',
    needs=("processes",),
    charge=charge,
    needs_some=("mappings", "vmos", "handles"),
)

"""memory_monitor (2019-2024): whole VMOs, in equal parts (reference/accounting.md)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from magmem.accounting.attribution import Attribution
from magmem.accounting.rules import belonging
from magmem.accounting.rules.charges import Charges, Rule
from magmem.kernel.runs import Ints

__all__ = ["RULE", "charge", "owners"]


def charge(attribution: Attribution) -> Charges:
    """Committed bytes of each VMO, divided among the processes that it belongs to.

    It belongs to all that have a handle to it or map it, or do so with any clone below it.
    """
    belongs, sharers = owners(attribution)
    committed = belonging.committed_bytes(attribution, RULE.name)
    everyone = np.ones(len(attribution.population), bool)
    groups = [(pairs, sharers) for pairs in belongs]
    pss, whole = belonging.divided(committed, everyone, *groups)
    nobody = int(committed[sharers == 0].sum())
    elsewhere = {"VMOs of no process": Fraction(nobody)}
    return Charges.split(pss, whole, elsewhere, belonging.nothing_known(attribution))


def owners(attribution: Attribution) -> tuple[list[belonging.Pairs], Ints]:
    """Whose each VMO is, and per VMO how many processes that are.

    Pairs are distinct over all lists: who maps it, who only holds it, and then, generation by
    generation, who has a clone below it.
    """
    mapped = belonging.mapped(attribution)
    belongs = [mapped, belonging.held_only(attribution)]
    above = attribution.chains.parent
    clones = np.concatenate([pairs.vmo for pairs in belongs])
    having = np.concatenate([pairs.process for pairs in belongs])
    while len(clones):
        inner = above[clones] >= 0
        upper = belonging.distinct(above[clones[inner]], having[inner])
        for known in belongs:
            upper = upper.but(known)
        belongs.append(upper)
        clones, having = upper.vmo, upper.process
    sharers = np.zeros(attribution.vmos, np.int64)
    for pairs in belongs:
        sharers += np.bincount(pairs.vmo, minlength=attribution.vmos)
    return belongs, sharers


RULE = Rule(
    name="memory_monitor",
    says="each VMO divided among the processes that have it, map it, or do so with its clones",
    source='reference/accounting.md "Later rules, for comparison"',
    needs=("processes",),
    charge=charge,
    needs_some=("mappings", "vmos", "handles"),
)

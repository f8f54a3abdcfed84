"""treemap-2017: the areas of the treemap of a memgraph (reference/tools.md)."""

from __future__ import annotations

import numpy as np

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import Attribution
from magmem.accounting.rules import belonging
from magmem.accounting.rules.charges import Charges, Rule

__all__ = ["RULE", "charge"]


def charge(attribution: Attribution) -> Charges:
    """Each VMO once per process: committed / #shr if it maps it, / (#shr + 1) by handle only.

    A process that does not run has no VMOs in a memgraph, so it has no area.
    """
    population = attribution.population
    mapped, held = belonging.mapped(attribution), belonging.held(attribution)
    only = ~belonging.among(held, mapped)
    vmo = np.concatenate((mapped.vmo, held.vmo[only]))
    process = np.concatenate((mapped.process, held.process[only]))
    parts = belonging.share_counts(attribution, RULE.name)[vmo]
    parts[len(mapped.vmo) :] += 1
    runs = population.runs[process]
    vmo, process, parts = vmo[runs], process[runs], parts[runs]
    size = belonging.committed_bytes(attribution, RULE.name)[vmo]
    whole = np.zeros(len(population), np.int64)
    np.add.at(whole, process, size)
    return Charges.split(Amounts(len(population), process, parts, size), whole)


RULE = Rule(
    name="treemap-2017",
    says="each VMO once, divided by its #shr if mapped, by #shr + 1 if only held",
    source='reference/accounting.md "Later rules, for comparison"; reference/tools.md',
    needs=("processes", "vmos"),
    charge=charge,
)

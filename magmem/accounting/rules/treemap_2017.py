"""treemap-2017: the areas of the treemap of a memgraph (reference/tools.md)."""

from __future__ import annotations

from magmem.accounting.attribution import Attribution
from magmem.accounting.rules import belonging
from magmem.accounting.rules.charges import Charges, Rule

__all__ = ["RULE", "charge"]


def charge(attribution: Attribution) -> Charges:
    """Each VMO once per process: committed / #shr if it maps it, / (#shr + 1) by handle only.

    A process that does not run has no VMOs in a memgraph, so it has no area.
    """
    population = attribution.population
    mapped, held = belonging.mapped(attribution), belonging.held_only(attribution)
    share = belonging.share_counts(attribution, RULE.name)
    size = belonging.committed_bytes(attribution, RULE.name)
    pss, whole = belonging.divided(size, population.runs, (mapped, share), (held, share + 1))
    return Charges.split(pss, whole, unknown=belonging.nothing_known(attribution))


RULE = Rule(
    name="treemap-2017",
    says="each VMO once, divided by its #shr if mapped, by #shr + 1 if only held",
    source='reference/accounting.md "Later rules, for comparison"; reference/tools.md',
    needs=("processes",),
    charge=charge,
    needs_some=("mappings", "vmos", "handles"),
    by_share_count=True,
)

"""magenta-2017: what ``ps`` reports, each mapping for itself (reference/accounting.md)."""

from __future__ import annotations

import numpy as np

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import Attribution
from magmem.accounting.rules.charges import Charges, Rule
from magmem.kernel.runs import Ints
from magmem.kernel.system import is_linux
from magmem.snapshot.columns import integers

__all__ = ["RULE", "charge", "reported"]


def charge(attribution: Attribution) -> Charges:
    """PRIVATE, SHARED and scaled bytes; zero for a process that does not run."""
    sums = attribution.view.sums
    private = _reported(attribution, sums.private_bytes)
    scaled = _reported(attribution, sums.scaled_bytes)
    return Charges(
        private,
        _reported(attribution, sums.shared_bytes),
        Amounts.of_bytes(private + scaled),
        Amounts.of_bytes(scaled),
    )


def reported(attribution: Attribution) -> Charges | None:
    """PSS, PRIVATE and SHARED as the source printed them, None unless it did for each process.

    What Linux printed is another rule's.
    """
    if is_linux(attribution.view.snap):
        return None
    processes = attribution.view.snap.processes
    columns = [processes[f"reported_{name}_bytes"] for name in ("pss", "private", "shared")]
    if not len(processes) or any(column.isna().any() for column in columns):
        return None
    pss, private, shared = map(integers, columns)
    return Charges(private, shared, Amounts.of_bytes(pss), Amounts.of_bytes(pss - private))


def _reported(attribution: Attribution, by_aspace: Ints) -> Ints:
    population = attribution.population
    owner = population.of_aspace
    told = owner >= 0
    told[told] = population.runs[owner[told]]
    sums = np.zeros(len(population), np.int64)
    np.add.at(sums, owner[told], by_aspace[told])
    return sums


RULE = Rule(
    name="magenta-2017",
    says="each mapping for itself, a shared VMO's part divided by its #shr",
    source='reference/accounting.md "magenta-2017: what ps reports"',
    needs=("processes", "mappings", "vmos", "pages"),
    charge=charge,
    reported=reported,
    by_share_count=True,
)

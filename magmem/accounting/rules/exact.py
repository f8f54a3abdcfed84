"""exact: each page divided by the address spaces that can reach it (reference/accounting.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from magmem.accounting.attribution import Attribution
from magmem.accounting.rules.charges import Charges, Rule

__all__ = ["RULE", "charge"]


def charge(attribution: Attribution) -> Charges:
    """PSS, and USS as the private part; handle-only bytes stand apart in a column of their own."""
    pss = attribution.by_process(attribution.r5)
    kernel = attribution.elsewhere(attribution.r5)
    whole = attribution.sum_by_process(attribution.reached_bytes)
    hidden = attribution.hidden

    def handle_only() -> Sequence[Fraction]:
        return hidden.by_process.fractions

    split = Charges.split(pss, whole)
    return replace(
        split,
        elsewhere={
            "mapped by the kernel": kernel[0],
            "mapped by address spaces of unknown processes": kernel[1],
            "handle-only": Fraction(hidden.handle_only_bytes),
            "kernel-only": Fraction(hidden.kernel_only_bytes),
        },
        more={"uss_bytes": split.private_bytes.tolist, "handle_only_bytes": handle_only},
    )


RULE = Rule(
    name="exact",
    says="each page once, divided by the address spaces that can reach it",
    source='reference/accounting.md "exact: who can really reach each page"',
    needs=("processes", "mappings", "kernel mappings", "vmos", "pages", "handles"),
    charge=charge,
)

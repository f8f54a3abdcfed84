"""exact: each page divided by the address spaces that can reach it (reference/accounting.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from magmem.accounting.attribution import Attribution
from magmem.accounting.knowledge import STAGES_NEED
from magmem.accounting.rules.charges import Charges, Rule

__all__ = ["RULE", "charge"]


def charge(attribution: Attribution) -> Charges:
    """PSS, and USS as the private part; handle-only bytes stand apart in a column of their own.

    A capture without handles cannot tell whose hidden pages are; they are one sum then.
    """
    pss = attribution.process_stages[-1]
    kernel, unknown = attribution.elsewhere(attribution.r5).fractions
    whole = attribution.sum_by_process(attribution.reached_bytes)
    split = Charges.split(pss, whole)
    elsewhere = {
        "mapped by the kernel": kernel,
        "mapped by address spaces of unknown processes": unknown,
    }
    more: dict[str, Callable[[], Sequence[Any]]] = {"uss_bytes": split.private_bytes.tolist}
    hidden = attribution.hidden
    if attribution.view.snap.knows("handles"):
        elsewhere["handle-only"] = Fraction(hidden.handle_only_bytes)
        elsewhere["kernel-only"] = Fraction(hidden.kernel_only_bytes)
        more["handle_only_bytes"] = lambda: hidden.by_process.fractions
    else:
        elsewhere["hidden"] = Fraction(hidden.size_bytes)
    return replace(split, elsewhere=elsewhere, more=more)


RULE = Rule(
    name="exact",
    says="each page once, divided by the address spaces that can reach it",
    source='reference/accounting.md "exact: who can really reach each page"',
    needs=STAGES_NEED,
    charge=charge,
)

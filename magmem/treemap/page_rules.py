"""Rules that charge page by page, as columns of a treemap: exact, linux and rfc-0254.

Each is the rule of the same name in `magmem.accounting.rules`, told by process and VMO: a page
counts in the VMO that owns it, also where it is seen through a clone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from magmem.accounting.attribution import attribution_of
from magmem.accounting.knowledge import HIDDEN_NEEDS, require
from magmem.accounting.pairs import Pairs, divided, entry_pairs, exact_pairs, shown_pairs
from magmem.accounting.rules import RULES
from magmem.treemap.facts import Facts
from magmem.treemap.numbers import Ints, Numbers
from magmem.treemap.rows import BY_VMO, GROUPS, HANDLE, PRIVATE, SHARED, Charges, Rows, tint_code

__all__ = ["exact", "linux", "rfc_0254"]

_HIDDEN_KERNEL, _BY_KERNEL, _UNCHARGED = 1, 3, 4


def exact(facts: Facts) -> Charges:
    """Each page divided by the address spaces that can reach it (reference/accounting.md "exact").

    A page seen through a clone counts in the VMO that owns it. Pages that no address space reaches
    are hidden: divided among the processes that hold a handle, else the kernel's.

    Raises
    ------
    MissingData
        The snapshot does not know every mapping, page and handle.
    """
    require(facts.snap, "the exact treemap", HIDDEN_NEEDS)
    attribution = attribution_of(facts.snap)
    charges = _charges(facts, *_divided(exact_pairs(attribution)))
    holder, held = _divided(divided(*attribution.held_hidden, len(facts.snap.vmos)))
    processes = np.flatnonzero((facts.snap.tasks["kind"] == "process").to_numpy())
    held = Rows(
        processes[holder],
        held.vmo,
        held.amount_bytes,
        held.divisor,
        np.full(len(held), HANDLE),
    )
    return replace(
        charges,
        rest=charges.rest.plus(held),
        group=np.concatenate((charges.group, np.zeros(len(held), np.int64))),
        left_group=_HIDDEN_KERNEL,
    )


def linux(facts: Facts) -> Charges:
    """Installed pages, each divided by the page-table entries that map it.

    Raises
    ------
    MissingData
        The snapshot does not know every page-table entry, mapping and page.
    """
    require(facts.snap, "the linux treemap", RULES["linux"].needs)
    return _charges(facts, *_divided(entry_pairs(attribution_of(facts.snap))))


def rfc_0254(facts: Facts) -> Charges:
    """A page divided among the VMOs that show it, each part among who maps that VMO.

    Raises
    ------
    MissingData
        The snapshot does not know every mapping and page.
    """
    require(facts.snap, "the rfc-0254 treemap", RULES["rfc-0254"].needs)
    attribution = attribution_of(facts.snap)
    shower, shown = _divided(shown_pairs(attribution))
    vmo, aspace = attribution.view.pairs
    first, end = np.searchsorted(vmo, shower), np.searchsorted(vmo, shower, side="right")
    count = end - first
    which = np.repeat(np.arange(len(shower)), count)
    mapper = aspace[np.arange(len(which)) + (first - (np.cumsum(count) - count))[which]]
    divisor = shown.divisor * attribution.view.num_aspaces[shower]
    rows = Rows(shower, shown.vmo, shown.amount_bytes, divisor, shown.tint).only(which)
    return _charges(facts, mapper, rows)


def _charges(facts: Facts, aspace: Ints, charged: Rows) -> Charges:
    """Charges to address spaces: those of processes, and the rest in its groups."""
    mapper = facts.process_of_aspace[aspace]
    tint = np.where(charged.divisor > 1, SHARED, PRIVATE)
    charged = Rows(mapper, charged.vmo, charged.amount_bytes, charged.divisor, tint)
    mine = mapper >= 0
    others = charged.only(~mine)
    kernel = attribution_of(facts.snap).population.is_kernel[aspace[~mine]]
    group = np.where(kernel, _BY_KERNEL, _UNCHARGED)
    tints = np.array([tint_code(tint) for _, tint in GROUPS])
    rest = Rows(others.process, others.vmo, others.amount_bytes, others.divisor, tints[group])
    return Charges(
        rows=Rows.summed(charged.only(mine)),
        unsized=np.zeros(0, np.int64),
        rest=rest,
        group=group,
        left_group=BY_VMO,
    )


def _divided(pairs: Pairs) -> tuple[Ints, Rows]:
    """Charges of (row, VMO) pairs: the row of each, and their bytes without a process."""
    amounts = pairs.amounts
    at: Ints = amounts.row
    amount: Numbers = amounts.numerator
    divisor: Numbers = amounts.share
    if amounts.wide:
        # Some ranges are cut into too many parts to list: then what a pair shares is one sum.
        alone = amounts.alone_bytes
        shared = [size - own for size, own in zip(amounts.fractions, alone.tolist(), strict=True)]
        some = np.flatnonzero(np.array(shared, dtype=object) > 0)
        parts = [shared[pair] for pair in some.tolist()]
        own = np.flatnonzero(alone)
        at = np.concatenate((own, some))
        amount, divisor = np.ones((2, len(at)), dtype=object)
        amount[: len(own)] = alone[own].tolist()
        # A divisor of 1 would say private.
        divisor[len(own) :] = [max(part.denominator, 2) for part in parts]
        amount[len(own) :] = [int(part * max(part.denominator, 2)) for part in parts]
    row, vmo = pairs.row[at], pairs.vmo[at]
    return row, Rows(row, vmo, amount, divisor, np.zeros_like(row))

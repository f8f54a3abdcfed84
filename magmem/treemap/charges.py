"""Who is charged how many bytes of which VMO: the sizes a treemap draws, by rule.

A rule turns `Facts` into `Charges`. The tree builder knows nothing else of a rule, so a further
rule is one function more in `RULES`. Only running processes are charged; the others read as 0
everywhere (reference/kernel.md "Tasks").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from magmem.accounting.attribution import attribution_of
from magmem.accounting.kernel import integers
from magmem.accounting.knowledge import HIDDEN_NEEDS, require
from magmem.accounting.pairs import Pairs, divided, exact_pairs
from magmem.snapshot import PAGE_BYTES
from magmem.treemap.facts import Facts
from magmem.treemap.numbers import Ints, Numbers
from magmem.treemap.rows import (
    GROUPS,
    HANDLE,
    PRIVATE,
    SHARED,
    Bools,
    Rows,
    tint_code,
)

__all__ = ["BY_VMO", "RULES", "Charges"]

BY_VMO: Final = -1
"""What is left of a VMO stands in the group that its mappings and handles tell."""

_HIDDEN_KERNEL, _BY_KERNEL, _UNCHARGED = 1, 3, 4


@dataclass(frozen=True, eq=False)
class Charges:
    """What one rule says.

    Attributes
    ----------
    rows : Rows
        Charges to processes, by process and VMO.
    unsized : int64 array
        Rows of tasks: processes with some VMO whose charge the capture does not tell.
    rest : Rows
        Bytes that the rule itself charges to something else than a process's PSS; `process` is
        the holder of a handle there.
    group : int64 array
        Place in `GROUPS` of each row of `rest`.
    left_group : int
        Place in `GROUPS` of what no row names; `BY_VMO` if that depends on the VMO.
    """

    rows: Rows
    unsized: Ints
    rest: Rows
    group: Ints
    left_group: int = BY_VMO

    def without(self, processes: Ints) -> Charges:
        """The same, but for the charges to some processes (rows of tasks)."""
        return replace(self, rows=self.rows.only(~np.isin(self.rows.process, processes)))

    @classmethod
    def known(cls, rows: Rows, known: Bools) -> Charges:
        """Charges of a rule that has one kind of rows, without those that are not known."""
        unsized = np.unique(rows.process[~known])
        nothing = np.zeros(0, np.int64)
        return cls(Rows.summed(rows.only(known)), unsized, Rows.none(), nothing)


def treemap_2017(facts: Facts) -> Charges:
    """The treemap of 2017 (reference/tools.md "The treemap of a memgraph").

    A VMO that a process maps counts committed / share_count for it; one it only has a handle to,
    committed / (share_count + 1).
    """
    rows, mapper = facts.mappings()
    mapped = _pairs(mapper, facts.view.vmo[rows])
    held = _pairs(*facts.handles())
    only_held = np.setdiff1d(held, mapped, assume_unique=True)
    pair = np.concatenate([mapped, only_held])
    process, vmo = pair >> 32, pair & 0xFFFFFFFF
    by_handle = np.arange(len(pair)) >= len(mapped)
    sharers = facts.share_count[vmo]
    committed = facts.committed_bytes[vmo]
    tint = np.where(by_handle, HANDLE, np.where(sharers > 1, SHARED, PRIVATE))
    known = facts.committed_known[vmo] & (facts.share_known[vmo] | (committed == 0))
    return Charges.known(Rows(process, vmo, committed, sharers + by_handle, tint), known)


def magenta_2017(facts: Facts) -> Charges:
    """What ``ps`` adds up as PSS (reference/accounting.md "magenta-2017").

    Each mapping for itself: its committed bytes, divided by the share count and rounded down. A VMO
    that is only held by handle counts nothing.
    """
    rows, mapper = facts.mappings()
    vmo = facts.view.vmo[rows]
    resident = facts.snap.regions["reported_resident_bytes"].iloc[facts.view.region[rows]]
    counted = facts.snap.vmos["pages_known"].to_numpy()[vmo]
    inside = facts.view.mapping_pages[rows] * PAGE_BYTES
    empty = facts.committed_known[vmo] & (facts.committed_bytes[vmo] == 0)
    committed = np.where(empty, 0, np.where(counted, inside, integers(resident)))
    sharers = facts.share_count[vmo]
    tint = np.where(sharers > 1, SHARED, PRIVATE)
    known = empty | (facts.share_known[vmo] & (counted | resident.notna().to_numpy()))
    return Charges.known(
        Rows(mapper, vmo, committed // sharers, np.ones(len(vmo), np.int64), tint), known
    )


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
    aspace, reached = _divided(exact_pairs(attribution))
    mapper = facts.process_of_aspace[aspace]
    reached = Rows(
        mapper,
        reached.vmo,
        reached.amount_bytes,
        reached.divisor,
        np.where(reached.divisor > 1, SHARED, PRIVATE),
    )
    mine = mapper >= 0
    kernel = attribution.population.is_kernel[aspace[~mine]]
    holder, held = _divided(divided(*attribution.held_hidden, len(facts.snap.vmos)))
    processes = np.flatnonzero((facts.snap.tasks["kind"] == "process").to_numpy())
    held = Rows(
        processes[holder],
        held.vmo,
        held.amount_bytes,
        held.divisor,
        np.full(len(held), HANDLE),
    )
    others = reached.only(~mine)
    group = np.where(kernel, _BY_KERNEL, _UNCHARGED)
    tints = np.array([tint_code(tint) for _, tint in GROUPS])
    rest = Rows(others.process, others.vmo, others.amount_bytes, others.divisor, tints[group]).plus(
        held
    )
    return Charges(
        rows=Rows.summed(reached.only(mine)),
        unsized=np.zeros(0, np.int64),
        rest=rest,
        group=np.concatenate((group, np.zeros(len(held), np.int64))),
        left_group=_HIDDEN_KERNEL,
    )


RULES: Final[Mapping[str, Callable[[Facts], Charges]]] = MappingProxyType(
    {"treemap-2017": treemap_2017, "magenta-2017": magenta_2017, "exact": exact}
)
"""Every rule a treemap can be sized by."""


def _pairs(process: Any, vmo: Any) -> Ints:
    """Distinct (process, VMO) pairs as one sorted key each; row numbers stay below 2**31."""
    return np.unique((process << 32) | vmo)


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

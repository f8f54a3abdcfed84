"""For each VMO: what a rule charges against what the VMO has, to the byte.

What is left over is hidden memory or a mapped part the rule charges to nobody; what is charged
beyond the VMO's pages is counted more than there is. Bytes as exact fractions, held as whole
numbers over one denominator.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from magmem.snapshot.columns import integers
from magmem.treemap.facts import Facts
from magmem.treemap.numbers import Ints, Numbers, scale_exactly
from magmem.treemap.rows import BY_VMO, GROUPS, NOBODY, Bools, Charges, Rows, tint_code

__all__ = ["Balance"]


class Balance:
    """Charges of one rule, set against the VMOs.

    Parameters
    ----------
    facts : Facts
    charges : Charges
    whole : bool
        The charges are all there are. If not, what is left of a mapped VMO may belong to processes
        known only by their PSS, so only VMOs that nobody maps are counted as left over.

    Attributes
    ----------
    rows : Rows
        Charges to processes.
    rest : Rows
        Everything else a VMO has.
    group : int64 array
        Place in `GROUPS` of each row of `rest`.
    marked : bool array, one item per VMO of the snapshot
        More is charged than it has.
    over_bytes : Fraction
        The sum of what is charged beyond what there is.
    wired_bytes : int
        Bytes of VMOs whose pages the kernel counts as wired.
    """

    def __init__(self, facts: Facts, charges: Charges, whole: bool) -> None:
        self.rows, self.whole = charges.rows, whole
        committed = np.where(facts.committed_known, facts.committed_bytes, 0)
        charged = charges.rows.plus(charges.rest)
        scaled, scale = scale_exactly(
            np.concatenate([charged.amount_bytes, committed]),
            np.concatenate([charged.divisor, np.ones(len(committed), np.int64)]),
        )
        left = scaled[len(charged) :]
        np.subtract.at(left, charged.vmo, scaled[: len(charged)])
        mapped = _mapped_by_user(facts)
        if not whole:
            left[~_told_unmapped(facts, mapped)] = 0
        self.marked: Bools = np.asarray(left < 0, dtype=bool)
        self.over_bytes = Fraction(-int(left[self.marked].sum()), scale)
        vmo = np.flatnonzero(left > 0)
        group = _group(facts, mapped)[vmo]
        if charges.left_group != BY_VMO:
            group = np.where(_elsewhere(facts)[vmo], _NOT_CAPTURED, charges.left_group)
        tints = np.array([tint_code(tint) for _, tint in GROUPS])
        amount, divisor = _reduced(left[vmo], scale)
        nobody = np.full(len(vmo), NOBODY, np.int64)
        self.rest = charges.rest.plus(Rows(nobody, vmo, amount, divisor, tints[group]))
        self.group: Ints = np.concatenate([charges.group, group])
        self.wired_bytes = int(committed[facts.wired].sum())


def _mapped_by_user(facts: Facts) -> Bools:
    """Per VMO: whether some process maps it, as far as the capture tells."""
    if facts.snap.knows("mappings"):
        return facts.view.mapped_by_user
    told = integers(facts.snap.vmos["reported_num_mappings"]) > 0
    return np.asarray(facts.view.mapped_by_user | told, dtype=bool)


def _told_unmapped(facts: Facts, mapped: Bools) -> Bools:
    """Per VMO: the capture says that no process maps it."""
    if facts.snap.knows("mappings"):
        return ~mapped
    none = facts.snap.vmos["reported_num_mappings"] == 0
    return np.asarray(none.fillna(False).to_numpy(dtype=bool) & ~mapped, dtype=bool)


def _group(facts: Facts, mapped: Bools) -> Ints:
    """Per VMO: the place in `GROUPS` of what is left of it."""
    vmos, handles = facts.snap.vmos, facts.snap.handles
    held = np.zeros(len(vmos), dtype=bool)
    held[integers(handles["vmo"].dropna())] = True
    kernels = (vmos["koid"] == 0).fillna(False).to_numpy(dtype=bool) | facts.snap.knows("handles")
    by_user = 4 if facts.snap.knows("processes") else 5
    kinds = [_elsewhere(facts), mapped, held, kernels]
    return np.select(kinds, [_NOT_CAPTURED, by_user, 0, 1], 2).astype(np.int64)


_NOT_CAPTURED = 5


def _elsewhere(facts: Facts) -> Bools:
    """Per VMO: whether it is memory of Linux processes that were not captured.

    The kernel counts it (`magmem.linux.kmem`), but it is no memory of the kernel's.
    """
    others = facts.snap.vmos["id"] == "kernel/others"
    return np.asarray(others.fillna(False).to_numpy(dtype=bool))


def _reduced(scaled: Numbers, scale: int) -> tuple[Numbers, Numbers]:
    """Numbers of ``1 / scale`` as fractions in lowest terms: numerators and denominators."""
    whole = np.array(scale, dtype=scaled.dtype)
    common = np.gcd(scaled, whole)
    return scaled // common, whole // common

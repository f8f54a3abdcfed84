"""Which loose rows are about the same VMO.

A koid names a VMO. One that userspace never had a handle to has koid 0 and is told apart by its
address, as `asd` prints it. Where a dump prints neither (`vmaps`, `vmos`), the place it is mapped
at, or its position among the mappings of its process, may name it; the rest is left to
`magmem.captures.reconcile.anonymous`.
"""

from __future__ import annotations

import numpy as np

from magmem.captures.reconcile.loose import Bools, Ints, Loose
from magmem.captures.reconcile.settle import group_rows

__all__ = ["follow", "named_vmos", "unify_by_place"]


def follow(leader: Ints) -> Ints:
    """Each row's last leader: chains are followed to their end (there are no cycles)."""
    while True:
        beyond = leader[leader]
        if (beyond == leader).all():
            return leader
        leader = beyond


def named_vmos(vmos: Loose) -> tuple[Ints, Bools]:
    """Lead rows of the same koid, or else of the same address, to the first of them.

    Returns
    -------
    leader : int64 array
        A row of `vmos` for each row.
    anonymous : bool array
        Rows with neither a koid nor an address.
    """
    leader = np.arange(len(vmos))
    koid, koid_known = vmos.column("koid")
    addr, addr_known = vmos.column("addr")
    named = np.flatnonzero(koid_known & (koid != 0))
    _lead(leader, named, koid[named])
    # A row that gives both joins the rows that give the address alone to the koid's.
    order = np.argsort(~(koid_known & (koid != 0)), kind="stable")
    placed = order[addr_known[order]]
    nameless = ~(koid_known & (koid != 0))
    key = addr[placed]
    if len(placed):
        _, first, number = np.unique(key, return_index=True, return_inverse=True)
        holder = placed[first[number]]
        joins = nameless[placed]
        leader[placed[joins]] = leader[holder[joins]]
    return leader, nameless & ~addr_known


def _lead(leader: Ints, rows: Ints, key: Ints) -> None:
    if len(rows):
        _, first, number = np.unique(key, return_index=True, return_inverse=True)
        leader[rows] = rows[first[number]]


def unify_by_place(
    leader: Ints, anonymous: Bools, vmos: Loose, regions: Loose, aspace_group: Ints
) -> None:
    """Lead anonymous VMOs to those mapped at the same place of the same address space.

    Parameters
    ----------
    leader, anonymous : from `named_vmos`; `leader` is changed.
    regions : Loose
        Rows in the order their dumps print them.
    aspace_group : int64 array
        Which address space each row of `regions` is in, whichever dump told it.
    """
    vmo, has_vmo = regions.column("vmo")
    if not len(vmo) or not anonymous[vmo[has_vmo]].any():
        return
    base, based = regions.column("base")
    rows = np.flatnonzero(has_vmo & based)
    if len(rows):
        group, groups = group_rows(aspace_group[rows], base[rows])
        better = np.lexsort((rows, anonymous[vmo[rows]], group))
        first = better[np.flatnonzero(np.diff(group[better], prepend=-1))]
        best = np.zeros(groups, np.int64)
        best[group[first]] = vmo[rows[first]]
        joins = anonymous[vmo[rows]] & _koid_fits(vmos, vmo[rows], best[group])
        leader[vmo[rows[joins]]] = best[group[joins]]
    _unify_by_position(leader, anonymous, vmos, regions, aspace_group)


def _koid_fits(vmos: Loose, some: Ints, other: Ints) -> Bools:
    koid, known = vmos.column("koid")
    fits = (koid[some] == koid[other]) | ~known[some] | ~known[other]
    return np.asarray(fits, dtype=np.bool_)


def _unify_by_position(
    leader: Ints, anonymous: Bools, vmos: Loose, regions: Loose, aspace_group: Ints
) -> None:
    """The nth mapping without address is the nth of another dump, if all their koids say so."""
    vmo, has_vmo = regions.column("vmo")
    aspace = regions.column("aspace")[0]
    based = regions.column("base")[1]
    mapped = np.flatnonzero(has_vmo)
    mapped = mapped[np.argsort(aspace[mapped], kind="stable")]
    starts = np.flatnonzero(np.diff(aspace[mapped], prepend=-1))
    told = np.split(mapped, starts[1:])
    told.sort(key=lambda rows: not based[rows].all())  # stable: those with addresses first
    known: dict[tuple[int, int], Ints] = {}
    for rows in told:
        partner = known.setdefault((int(aspace_group[rows[0]]), len(rows)), rows)
        joins = anonymous[vmo[rows]] & ~based[rows]
        if partner is not rows and joins.any() and _koid_fits(vmos, vmo[rows], vmo[partner]).all():
            leader[vmo[rows[joins]]] = vmo[partner[joins]]

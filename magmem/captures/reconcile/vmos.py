"""VMOs from several dumps, merged by koid, address, place and looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from magmem.captures.reconcile.loose import Bools, Ints, Loose, Origin, Values
from magmem.captures.reconcile.settle import Contradictions, Settler
from magmem.captures.reconcile.tasks import names_agree
from magmem.captures.reconcile.tree import loops
from magmem.errors import CaptureError
from magmem.snapshot import PAGE_BYTES

__all__ = ["settle_vmos"]

_SETTLED_APART = ("id", "koid", "name", "parent", "parent_koid", "pages_known")


def settle_vmos(
    rows: Loose,
    leader: Ints,
    pages: Loose,
    contradictions: Contradictions,
) -> tuple[dict[str, Values], Ints, Ints]:
    """The vmos table's columns, and how its rows follow from the loose ones.

    Parameters
    ----------
    leader : int64 array
        For each loose row the row that leads its VMO.
    pages : Loose
        Runs of pages by loose row; they settle which rows may say that all pages are known.

    Returns
    -------
    columns : mapping of name to (values, known)
    number : int64 array
        The row of the result for each loose row.
    holder : int64 array
        For each row of the result the loose row whose runs are its pages, −1 if not known.

    Raises
    ------
    CaptureError
        Clones that descend from themselves, or one dump that tells two names of a koid.
    """
    number, groups = _order(rows, leader, contradictions.origins)
    koid, koid_known = rows.column("koid")
    addr, addr_known = rows.column("addr")

    def label(vmo: int) -> str:
        at = np.flatnonzero(number == vmo)
        named = at[koid_known[at] & (koid[at] != 0)]
        placed = at[addr_known[at]]
        if len(named):
            return f"VMO {koid[named[0]]}"
        return f"VMO at {int(addr[placed[0]]):#x}" if len(placed) else "VMO without koid"

    settler = Settler("vmos", rows, (number, groups), label, contradictions)
    columns = {name: settler.column(name) for name in rows.columns if name not in _SETTLED_APART}
    columns["koid"] = settler.column("koid", agree=_either_zero, weight=koid == 0)
    columns["name"] = settler.column(
        "name",
        agree=_names_agree,
        weight=rows.column("name")[0] == "",
        unlike="one name for a koid",
    )
    columns["parent_koid"] = settler.column("parent_koid")
    _link_parents(columns, number, settler)
    _no_loops(columns, rows, number, contradictions.origins)
    holder, columns["pages_known"] = _pages(columns, rows, number, pages)
    columns["id"] = _ids(settler.column("id", quiet=True), columns)
    return columns, number, holder


def _names_agree(some: npt.NDArray[Any], other: npt.NDArray[Any]) -> Bools:
    """`vmos` prints an empty name as ``-``, which may be a name too."""
    dash = np.isin(some, ("", "-")) & np.isin(other, ("", "-"))
    return names_agree(some, other) | dash


def _either_zero(some: npt.NDArray[Any], other: npt.NDArray[Any]) -> Bools:
    """A koid given later replaces 0: userspace has got a handle meanwhile."""
    return np.asarray((some == 0) | (other == 0), dtype=np.bool_)


def _order(rows: Loose, leader: Ints, origins: Sequence[Origin]) -> tuple[Ints, int]:
    """Number VMOs as the origin tells them that has them all, then as they appear."""
    whole = np.array([o.coverage.get("vmos") != "complete" for o in origins], dtype=np.int64)
    place = np.lexsort((np.arange(len(rows)), rows.origin, whole[rows.origin]))
    _, first = np.unique(leader[place], return_index=True)
    leaders = leader[place[np.sort(first)]]
    number = np.zeros(len(rows), np.int64)
    number[leaders] = np.arange(len(leaders))
    return number[leader], len(leaders)


def _link_parents(columns: dict[str, Values], number: Ints, settler: Settler) -> None:
    parent, linked = settler.column("parent", quiet=True)
    parent = number[parent] if len(number) else parent
    koid, koid_known = columns["koid"]
    wanted, told = columns["parent_koid"]
    named = np.flatnonzero(koid_known & (koid != 0))
    by_koid = named[np.argsort(koid[named], kind="stable")]
    if len(by_koid):
        at = np.minimum(np.searchsorted(koid[by_koid], wanted), len(by_koid) - 1)
        found = told & (wanted != 0) & (koid[by_koid[at]] == wanted) & ~linked
        parent = np.where(found, by_koid[at], parent)
        linked = linked | found
    # A clone of a VMO without koid names its parent 0: clear only if one such VMO has clones.
    children, counted = columns.get("reported_num_children", (wanted, np.zeros_like(told)))
    nameless = np.flatnonzero(counted & (children > 0) & koid_known & (koid == 0))
    orphans = np.flatnonzero(told & (wanted == 0) & ~linked)
    if len(nameless) == 1 and len(orphans) == children[nameless[0]]:
        parent[orphans] = nameless[0]
        linked[orphans] = True
    columns["parent"] = parent, linked
    clone, clone_known = columns.get("is_clone", (linked, np.zeros_like(linked)))
    columns["is_clone"] = np.where(linked & ~clone_known, True, clone), clone_known | linked


def _no_loops(
    columns: dict[str, Values], rows: Loose, number: Ints, origins: Sequence[Origin]
) -> None:
    parent, linked = columns["parent"]
    for cycle in loops(np.where(linked, parent, -1)):
        told = rows.column("parent_koid")[1] | rows.column("parent")[1]
        row = int(np.flatnonzero(told & np.isin(number, cycle))[0])
        origin = origins[rows.origin[row]]
        named = ", ".join(str(koid) for koid in columns["koid"][0][cycle[:10]].tolist())
        raise CaptureError(
            origin.source,
            origin.place(int(rows.line[row]), row),
            "VMO parents that end at one that is no clone",
            f"a loop of VMOs {named}",
        )


def _pages(
    columns: dict[str, Values], rows: Loose, number: Ints, pages: Loose
) -> tuple[Ints, Values]:
    """The first row that knows a VMO's pages and agrees with its settled amount."""
    groups = len(columns["koid"][0])
    owner = pages.column("vmo")[0]
    amount = np.zeros(len(rows), np.int64)
    np.add.at(amount, owner, pages.column("page_count")[0] * PAGE_BYTES)
    known = rows.column("pages_known")[0].astype(bool)
    given, told = columns.get("reported_committed_bytes", (np.zeros(groups, np.int64),) * 2)
    slack = np.zeros(groups, np.int64)
    np.maximum.at(slack, number, rows.slack.get("reported_committed_bytes", 0))
    fits = ~told[number].astype(bool) | (np.abs(given[number] - amount) <= slack[number])
    at = np.flatnonzero(known & fits)
    at = at[np.lexsort((at, rows.origin[at], number[at]))]
    first = at[np.flatnonzero(np.diff(number[at], prepend=-1))]
    holder = np.full(groups, -1, np.int64)
    holder[number[first]] = first
    return holder, (holder >= 0, np.ones(groups, bool))


def _ids(told: Values, columns: dict[str, Values]) -> Values:
    """The id a source gave, else one made of koid or address; each only once."""
    koid, koid_known = columns["koid"]
    addr, addr_known = columns.get("addr", (koid, np.zeros_like(koid_known)))
    ids: list[str] = []
    used: set[str] = set()
    for row, (given, known) in enumerate(zip(*told, strict=True)):
        name = str(given)
        if not known or name in used:
            if koid_known[row] and koid[row]:
                name = f"k{koid[row]}"
            else:
                name = f"a{int(addr[row]):x}" if addr_known[row] else f"n{row}"
        while name in used:
            name = f"{name}~{row}"
        used.add(name)
        ids.append(name)
    values = np.empty(len(ids), dtype=object)
    values[:] = ids
    return values, np.ones(len(ids), bool)

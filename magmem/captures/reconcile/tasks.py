"""Jobs, processes and threads from several dumps, merged by koid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from magmem.captures.reconcile.loose import Bools, Bundle, Ints, Loose, Origin, Values, loose
from magmem.captures.reconcile.settle import Contradictions, Settler, group_rows
from magmem.captures.reconcile.tree import loops
from magmem.errors import CaptureError
from magmem.snapshot.schema import TABLES

__all__ = ["KINDS", "PORTS", "named_processes", "names_agree", "settle_tasks"]

KINDS = TABLES["tasks"].columns["kind"].choices
PORTS = TABLES["tasks"].columns["exception_port"].choices
PROCESS = KINDS.index("process")
SOMEWHERE = PORTS.index("unknown")

_SETTLED_APART = ("koid", "kind", "parent_koid", "name", "exception_port")


def names_agree(some: npt.NDArray[Any], other: npt.NDArray[Any]) -> Bools:
    """Names agree if one is the other cut short by ``...``, as an OOM report cuts them."""
    return np.array(
        [_is_cut(a, b) or _is_cut(b, a) for a, b in zip(some, other, strict=True)], dtype=bool
    )


def _is_cut(short: str, name: str) -> bool:
    head, cut, _ = short.partition("...")
    return bool(cut) and name.startswith(head)


def named_processes(tables: dict[str, Loose]) -> Bundle:
    """A process row for every koid that address spaces and handles belong to."""
    parts = []
    for table in ("aspaces", "handles"):
        koid, known = tables[table].column("process_koid")
        rows = np.flatnonzero(known)
        rows = rows[np.unique(koid[rows], return_index=True)[1]]
        parts.append((tables[table].origin[rows], tables[table].line[rows], koid[rows]))
    origin, line, koid = (np.concatenate(column) for column in zip(*parts, strict=True))
    columns = {"koid": koid, "kind": np.full(len(koid), PROCESS)}
    return {"tasks": loose("tasks", origin, line, columns)}


def settle_tasks(rows: Loose, contradictions: Contradictions) -> tuple[dict[str, Values], Ints]:
    """The tasks table's columns, and the koids in their order.

    Raises
    ------
    CaptureError
        One koid is told to be two kinds of task, or one dump tells two names of it.
    """
    group, groups = group_rows(rows.column("koid")[0])
    koids = np.zeros(groups, np.int64)
    koids[group] = rows.column("koid")[0]
    kinds = rows.column("kind")[0]
    _same_kind(rows, group, kinds, contradictions.origins)
    settler = Settler(
        "tasks", rows, (group, groups), lambda task: f"task {koids[task]}", contradictions
    )
    kind = np.zeros(groups, np.int64)
    kind[group] = kinds
    columns = {name: settler.column(name) for name in rows.columns if name not in _SETTLED_APART}
    columns["name"] = settler.column(
        "name",
        agree=names_agree,
        weight=_cut_last(rows.column("name")),
        unlike="one name for a koid",
    )
    port = rows.column("exception_port")
    columns["exception_port"] = settler.column(
        "exception_port",
        agree=lambda some, other: (
            (some == SOMEWHERE) & (other != 0) | (other == SOMEWHERE) & (some != 0)
        ),
        weight=port[0] == SOMEWHERE,
    )
    columns["parent_koid"] = _parents(
        settler.column("parent_koid"), koids, rows, group, contradictions
    )
    columns["koid"] = koids, np.ones(groups, bool)
    columns["kind"] = kind, np.ones(groups, bool)
    order = _order(rows, group, groups, kind, contradictions.origins)
    return {name: (v[order], known[order]) for name, (v, known) in columns.items()}, koids[order]


def _cut_last(names: Values) -> Bools:
    return np.array(
        [known and "..." in name for name, known in zip(*names, strict=True)], dtype=bool
    )


def _same_kind(rows: Loose, group: Ints, kinds: Ints, origins: Sequence[Origin]) -> None:
    first = np.full(group.max(initial=-1) + 1, len(group), np.int64)
    order = np.lexsort((np.arange(len(rows)), rows.origin))[::-1]
    first[group[order]] = order
    other = np.flatnonzero(kinds != kinds[first[group]])
    if len(other):
        bad = int(other[0])
        good = int(first[group[bad]])
        here, there = origins[rows.origin[bad]], origins[rows.origin[good]]
        koid = int(rows.column("koid")[0][bad])
        raise CaptureError(
            here.source,
            here.place(int(rows.line[bad]), bad),
            f"koid {koid} to be a {KINDS[kinds[good]]}, as in {there.dump} "
            f"({there.place(int(rows.line[good]), good)})",
            f"a {KINDS[kinds[bad]]}",
        )


def _parents(
    parents: Values,
    koids: Ints,
    rows: Loose,
    group: Ints,
    contradictions: Contradictions,
) -> Values:
    """Parents in no loop: of each loop, the link told last is left out."""
    koid, known = parents
    at = np.searchsorted(koids, koid)
    told, told_known = rows.column("parent_koid")
    for cycle in loops(np.where(known, at, -1)):
        given = np.flatnonzero(told_known & np.isin(group, cycle))
        given = given[told[given] == koid[group[given]]]
        last = int(given[np.argmax(rows.origin[given])])
        origin = contradictions.origins[rows.origin[last]]
        contradictions.add(
            origin.source,
            origin.place(int(rows.line[last]), last),
            f"task {koids[group[last]]} is below itself if {told[last]} is its parent, as "
            f"{origin.dump} says; the parent is left out",
        )
        known[group[last]] = False
    return koid, known


def _order(rows: Loose, group: Ints, groups: int, kind: Ints, origins: Sequence[Origin]) -> Ints:
    """Jobs, processes, threads; each as the origin prints them that knows the tree."""
    tree = np.array([o.coverage.get("jobs") != "complete" for o in origins], dtype=np.int64)
    place = np.lexsort((np.arange(len(rows)), rows.origin, tree[rows.origin]))
    first = np.zeros(groups, np.int64)
    first[group[place[::-1]]] = np.arange(len(place))[::-1]
    return np.lexsort((first, kind))

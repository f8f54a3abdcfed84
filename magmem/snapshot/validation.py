"""The rules every snapshot keeps; the constructor enforces them.

Checks run on whole columns (cost: a few passes over each table, and for a small table a few reads
of its columns). The first broken rule raises `SnapshotError` with table, row and what was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from magmem.errors import SnapshotError
from magmem.snapshot.table import Table

__all__ = ["columns", "references"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Tables = Mapping[str, Table]

_COUNTED = ("bytes", "pages", "handles")
"""Units of what cannot be negative."""

_JOB, _PROCESS, _THREAD = range(3)
"""Codes of the kinds of tasks (`schema.TASKS`)."""


def references(tables: Tables) -> None:
    """The rules that bind rows to each other, in one table and across tables."""
    processes = _tasks(tables["tasks"])
    _aspaces(tables["aspaces"], processes)
    _regions(tables)
    _vmos(tables["vmos"])
    _runs(tables["pages"], "vmo", len(tables["vmos"]))
    _runs(tables["entries"], "region", len(tables["regions"]))
    _handles(tables, processes)
    _heap(tables["kmem"])


def columns(table: Table) -> None:
    """The rules of single columns: what is required is there, what is counted is not negative."""
    if not len(table):
        return
    for name, column in table.spec.columns.items():
        if column.required and column.sort in ("text", "choice"):
            missing = ~table.known(name)
            if missing.any():
                raise SnapshotError(table.spec.name, _row(missing), f"a value in {name}", "nothing")
        if column.sort == "int" and column.unit in _COUNTED:
            value = table.ints(name)  # 0 where missing
            if value.min() < 0:
                found = str(value[value < 0][0])
                expect = f"{name} of 0 or more"
                raise SnapshotError(table.spec.name, _row(value < 0), expect, found)


def _row(bad: Bools) -> str:
    """The first row that is bad, as errors name it."""
    return f"row {int(np.flatnonzero(bad)[0])}"


def _read(table: Table, column: str) -> tuple[Ints, Bools]:
    """A column of integers, 0 where missing, and where it is known."""
    return table.ints(column), table.known(column)


def _references(table: Table, column: str, rows: int) -> tuple[Ints, Bools]:
    """The row numbers of another table that a column holds, each checked to exist."""
    value, known = _read(table, column)
    bad = known & ((value < 0) | (value >= rows))
    if bad.any():
        found = str(value[bad][0])
        raise SnapshotError(table.spec.name, _row(bad), f"{column} in 0 … {rows - 1}", found)
    return value, known


def _unique(table: str, column: str, values: list[Any], rows: Ints | None = None) -> None:
    """Refuse values that stand twice; `rows` are their rows if they are not all of the column."""
    if len(set(values)) == len(values):
        return
    seen: set[Any] = set()
    for place, value in enumerate(values):
        if value in seen:
            row = place if rows is None else int(rows[place])
            raise SnapshotError(table, f"row {row}", f"a {column} of its own", f"{value} again")
        seen.add(value)


def _tasks(tasks: Table) -> Ints:
    """Check the tasks; the koids of the processes."""
    if not len(tasks):
        return np.zeros(0, np.int64)
    koids = tasks.ints("koid")
    if (koids <= 0).any():
        found = str(koids[koids <= 0][0])
        raise SnapshotError("tasks", _row(koids <= 0), "a koid above 0", found)
    order = np.argsort(koids, kind="stable")
    if (np.diff(koids[order]) == 0).any():
        _unique("tasks", "koid", koids.tolist())
    kinds = tasks.codes("kind")
    if (kinds[1:] < kinds[:-1]).any():
        row = int(np.flatnonzero(kinds[1:] < kinds[:-1])[0]) + 1
        expect = "jobs, then processes, then threads"
        raise SnapshotError("tasks", f"row {row}", expect, "another order")
    parent_koid, known = _read(tasks, "parent_koid")
    at = np.searchsorted(koids, parent_koid, sorter=order)
    parent = order[np.minimum(at, len(order) - 1)]
    lost = known & (koids[parent] != parent_koid)
    if lost.any():
        found = f"koid {parent_koid[lost][0]}"
        raise SnapshotError("tasks", _row(lost), "a parent in the table", found)
    wrong = known & (kinds[parent] != np.where(kinds == _THREAD, _PROCESS, _JOB))
    if wrong.any():
        what = "process" if kinds[wrong][0] == _THREAD else "job"
        found = f"koid {parent_koid[wrong][0]}"
        raise SnapshotError("tasks", _row(wrong), f"a {what} as parent", found)
    _acyclic("tasks", np.where(known, parent, -1))
    processes: Ints = koids[kinds == _PROCESS]
    return processes


def _acyclic(table: str, parent: Ints) -> None:
    """Pointer doubling: after enough doublings every row has reached a root, or is on a cycle."""
    reach = parent.copy()
    for _ in range(max(1, len(parent)).bit_length() + 1):
        inner = reach >= 0
        if not inner.any():
            return
        reach[inner] = reach[reach[inner]]
    raise SnapshotError(table, _row(reach >= 0), "parents that end at a root", "a cycle")


def _aspaces(aspaces: Table, processes: Ints) -> None:
    owner, known = _read(aspaces, "process_koid")
    _among("aspaces", owner, known, processes)


def _among(table: str, koid: Ints, known: Bools, processes: Ints) -> None:
    """Refuse koids that no process has."""
    lost = known & ~np.isin(koid, processes)
    if lost.any():
        found = f"koid {koid[lost][0]}"
        raise SnapshotError(table, _row(lost), "a process of the tasks table", found)


def _regions(tables: Tables) -> None:
    regions = tables["regions"]
    if not len(regions):
        return
    aspace, _ = _references(regions, "aspace", len(tables["aspaces"]))
    vmo, has_vmo = _references(regions, "vmo", len(tables["vmos"]))
    if (aspace[1:] < aspace[:-1]).any():
        row = int(np.flatnonzero(aspace[1:] < aspace[:-1])[0]) + 1
        raise SnapshotError("regions", f"row {row}", "rows by address space", "another order")
    wrong = has_vmo & regions.is_choice("kind", "vmar")
    if wrong.any():
        found = str(vmo[wrong][0])
        raise SnapshotError("regions", _row(wrong), "no vmo on a VMAR", found)


def _vmos(vmos: Table) -> None:
    if not len(vmos):
        return
    _unique("vmos", "id", vmos.texts("id").tolist())
    koid = vmos.ints("koid")
    named = np.flatnonzero(koid)
    ordered = np.sort(koid[named])
    if (ordered[1:] == ordered[:-1]).any():
        _unique("vmos", "koid", koid[named].tolist(), named)
    parent, known = _references(vmos, "parent", len(vmos))
    _acyclic("vmos", np.where(known, parent, -1))


def _runs(frame: Table, key: str, rows: int) -> None:
    if not len(frame):
        return
    owner, _ = _references(frame, key, rows)
    table = frame.spec.name
    first, count = frame.ints("first_page"), frame.ints("page_count")
    if count.min() < 1:
        found = str(count[count < 1][0])
        raise SnapshotError(table, _row(count < 1), "a run of 1 page or more", found)
    end = first + count
    if (end < first).any():
        row = int(np.flatnonzero(end < first)[0])
        found = f"{first[row]}+{count[row]}"
        raise SnapshotError(table, f"row {row}", "a run that fits 63 bits", found)
    bad = (owner[1:] < owner[:-1]) | ((owner[1:] == owner[:-1]) & (first[1:] < end[:-1]))
    if bad.any():
        row = int(np.flatnonzero(bad)[0]) + 1
        found = f"a run at page {first[row]}"
        raise SnapshotError(table, f"row {row}", "sorted, disjoint runs", found)


def _handles(tables: Tables, processes: Ints) -> None:
    handles = tables["handles"]
    if not len(handles):
        return
    _references(handles, "vmo", len(tables["vmos"]))
    holder, known = _read(handles, "process_koid")
    _among("handles", holder, known, processes)


def _heap(kmem: Table) -> None:
    total, total_known = _read(kmem, "total_heap_bytes")
    free, free_known = _read(kmem, "free_heap_bytes")
    over = total_known & free_known & (free > total)
    if over.any():
        expect = f"free_heap_bytes of at most total_heap_bytes, {total[over][0]}"
        raise SnapshotError("kmem", _row(over), expect, str(free[over][0]))

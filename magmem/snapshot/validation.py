"""The rules every snapshot keeps; the constructor enforces them.

Checks run on whole columns (cost: a few passes over each table, and for a small table a few reads
of its columns). The first broken rule raises `SnapshotError` with table, row and what was found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.errors import SnapshotError
from magmem.snapshot.columns import integers, is_choice, is_known
from magmem.snapshot.schema import TABLES, Table

if TYPE_CHECKING:
    from magmem.snapshot.snapshot import Snapshot

__all__ = ["check"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_COUNTED = ("bytes", "pages", "handles")
"""Units of what cannot be negative."""

_JOB, _PROCESS, _THREAD = range(3)
"""Codes of the kinds of tasks (`schema.TASKS`)."""


def check(snap: Snapshot, columns_of: Iterable[str] = TABLES) -> None:
    """Raise `SnapshotError` unless every table keeps its documented rules.

    `columns_of` names the tables whose columns are looked at one by one; of the others they are
    known to be right.
    """
    for name in columns_of:
        _columns(TABLES[name], getattr(snap, name))
    processes = _tasks(snap.tasks)
    _aspaces(snap.aspaces, processes)
    _regions(snap)
    _vmos(snap.vmos)
    _runs("pages", snap.pages, "vmo", len(snap.vmos))
    _runs("entries", snap.entries, "region", len(snap.regions))
    _handles(snap, processes)
    _heap(snap.kmem)


def _columns(table: Table, frame: pd.DataFrame) -> None:
    expected = list(table.columns)
    if frame.columns.to_list() != expected:
        found = ", ".join(map(str, frame.columns))
        raise SnapshotError(table.name, "columns", ", ".join(expected), found)
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.start or frame.index.step != 1:
        raise SnapshotError(table.name, "index", "row numbers from 0", repr(frame.index))
    dtypes = frame.dtypes.to_list()
    for column, dtype in zip(table.columns.values(), dtypes, strict=True):
        if dtype is not column.dtype and dtype != column.dtype:
            place = f"column {column.name}"
            raise SnapshotError(table.name, place, f"dtype {column.dtype}", str(dtype))
    if not len(frame):
        return
    for column in table.columns.values():
        if column.required and column.sort in ("text", "choice"):
            missing = ~is_known(frame[column.name])
            if missing.any():
                expect = f"a value in {column.name}"
                raise SnapshotError(table.name, _row(missing), expect, "nothing")
        if column.sort == "int" and column.unit in _COUNTED:
            low: Any = frame[column.name].array.min()  # missing where nothing is known
            if low is not pd.NA and low < 0:
                value = integers(frame[column.name])
                found = str(value[value < 0][0])
                expect = f"{column.name} of 0 or more"
                raise SnapshotError(table.name, _row(value < 0), expect, found)


def _row(bad: Bools) -> str:
    """The first row that is bad, as errors name it."""
    return f"row {int(np.flatnonzero(bad)[0])}"


def _read(series: pd.Series[int]) -> tuple[Ints, Bools]:
    """A column of integers, 0 where missing, and where it is known."""
    return integers(series), is_known(series)


def _references(table: str, frame: pd.DataFrame, column: str, rows: int) -> tuple[Ints, Bools]:
    """The row numbers of another table that a column holds, each checked to exist."""
    value, known = _read(frame[column])
    bad = known & ((value < 0) | (value >= rows))
    if bad.any():
        found = str(value[bad][0])
        raise SnapshotError(table, _row(bad), f"{column} in 0 … {rows - 1}", found)
    return value, known


def _unique(table: str, column: str, values: pd.Series) -> None:
    """Refuse values that stand twice; the index of `values` names the rows."""
    if values.is_unique:
        return
    row = int(values.index[values.duplicated().to_numpy()][0])
    raise SnapshotError(table, f"row {row}", f"a {column} of its own", f"{values[row]} again")


def _tasks(tasks: pd.DataFrame) -> Ints:
    """Check the tasks; the koids of the processes."""
    if not len(tasks):
        return np.zeros(0, np.int64)
    koids = tasks["koid"].to_numpy()
    if (koids <= 0).any():
        found = str(koids[koids <= 0][0])
        raise SnapshotError("tasks", _row(koids <= 0), "a koid above 0", found)
    order = np.argsort(koids, kind="stable")
    if (np.diff(koids[order]) == 0).any():
        _unique("tasks", "koid", tasks["koid"])
    kinds = tasks["kind"].array.codes
    if (kinds[1:] < kinds[:-1]).any():
        row = int(np.flatnonzero(kinds[1:] < kinds[:-1])[0]) + 1
        expect = "jobs, then processes, then threads"
        raise SnapshotError("tasks", f"row {row}", expect, "another order")
    parent_koid, known = _read(tasks["parent_koid"])
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


def _aspaces(aspaces: pd.DataFrame, processes: Ints) -> None:
    owner, known = _read(aspaces["process_koid"])
    _among("aspaces", owner, known, processes)


def _among(table: str, koid: Ints, known: Bools, processes: Ints) -> None:
    """Refuse koids that no process has."""
    lost = known & ~np.isin(koid, processes)
    if lost.any():
        found = f"koid {koid[lost][0]}"
        raise SnapshotError(table, _row(lost), "a process of the tasks table", found)


def _regions(snap: Snapshot) -> None:
    regions = snap.regions
    if not len(regions):
        return
    aspace, _ = _references("regions", regions, "aspace", len(snap.aspaces))
    vmo, has_vmo = _references("regions", regions, "vmo", len(snap.vmos))
    if (aspace[1:] < aspace[:-1]).any():
        row = int(np.flatnonzero(aspace[1:] < aspace[:-1])[0]) + 1
        raise SnapshotError("regions", f"row {row}", "rows by address space", "another order")
    wrong = has_vmo & is_choice(regions["kind"], "vmar")
    if wrong.any():
        found = str(vmo[wrong][0])
        raise SnapshotError("regions", _row(wrong), "no vmo on a VMAR", found)


def _vmos(vmos: pd.DataFrame) -> None:
    if not len(vmos):
        return
    _unique("vmos", "id", vmos["id"])
    koid = integers(vmos["koid"])
    named = np.flatnonzero(koid)
    _unique("vmos", "koid", pd.Series(koid[named], named))
    parent, known = _references("vmos", vmos, "parent", len(vmos))
    _acyclic("vmos", np.where(known, parent, -1))


def _runs(table: str, frame: pd.DataFrame, key: str, rows: int) -> None:
    if not len(frame):
        return
    owner, _ = _references(table, frame, key, rows)
    first = frame["first_page"].to_numpy()
    count = frame["page_count"].to_numpy()
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


def _handles(snap: Snapshot, processes: Ints) -> None:
    if not len(snap.handles):
        return
    _references("handles", snap.handles, "vmo", len(snap.vmos))
    holder, known = _read(snap.handles["process_koid"])
    _among("handles", holder, known, processes)


def _heap(kmem: pd.DataFrame) -> None:
    total, total_known = _read(kmem["total_heap_bytes"])
    free, free_known = _read(kmem["free_heap_bytes"])
    over = total_known & free_known & (free > total)
    if over.any():
        expect = f"free_heap_bytes of at most total_heap_bytes, {total[over][0]}"
        raise SnapshotError("kmem", _row(over), expect, str(free[over][0]))

"""The rules every snapshot keeps; the constructor enforces them.

Checks run on whole columns (cost: a few passes over each table). The first broken rule raises
`SnapshotError` with table, row and what was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.errors import SnapshotError
from magmem.snapshot.schema import TABLES

if TYPE_CHECKING:
    from magmem.snapshot.snapshot import Snapshot

__all__ = ["check"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def check(snap: Snapshot) -> None:
    """Raise `SnapshotError` unless every table keeps its documented rules."""
    for name in TABLES:
        _columns(name, getattr(snap, name))
    _tasks(snap)
    _regions(snap)
    _vmos(snap)
    _runs("pages", snap.pages, "vmo", len(snap.vmos))
    _runs("entries", snap.entries, "region", len(snap.regions))
    _references("handles", "vmo", snap.handles["vmo"], len(snap.vmos))
    _handle_holders(snap)
    _heap(snap)


def _columns(name: str, frame: pd.DataFrame) -> None:
    table = TABLES[name]
    expected = list(table.columns)
    if list(frame.columns) != expected:
        raise SnapshotError(
            name, "columns", ", ".join(expected), ", ".join(map(str, frame.columns))
        )
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.start or frame.index.step != 1:
        raise SnapshotError(name, "index", "row numbers from 0", repr(frame.index))
    for column, dtype in zip(table.columns.values(), frame.dtypes, strict=True):
        place = f"column {column.name}"
        if dtype != column.dtype:
            raise SnapshotError(name, place, f"dtype {column.dtype}", str(dtype))
        if not len(frame):
            continue
        if column.required and column.sort in ("text", "choice") and frame[column.name].hasnans:
            row = int(np.flatnonzero(frame[column.name].isna().to_numpy())[0])
            raise SnapshotError(name, f"row {row}", f"a value in {column.name}", "nothing")
        if column.sort == "int" and column.unit in ("bytes", "pages", "handles"):
            _not_negative(name, column.name, frame[column.name])


def _not_negative(table: str, column: str, series: pd.Series[int]) -> None:
    low = series.min() if len(series) else 0
    if low is not pd.NA and low < 0:
        row = int(np.flatnonzero((series < 0).fillna(False).to_numpy(dtype=bool))[0])
        raise SnapshotError(table, f"row {row}", f"{column} of 0 or more", str(series.iloc[row]))


def _values(series: pd.Series[int]) -> tuple[Ints, Bools]:
    """Integers and where they are known, without a Python loop."""
    known = series.notna().to_numpy(dtype=bool)
    return series.fillna(0).to_numpy(dtype="int64"), known


def _references(table: str, column: str, series: pd.Series[int], rows: int) -> None:
    value, known = _values(series)
    bad = known & ((value < 0) | (value >= rows))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise SnapshotError(table, f"row {row}", f"{column} in 0 … {rows - 1}", str(value[row]))


def _unique(table: str, column: str, series: pd.Series[int]) -> None:
    twice = series.duplicated().to_numpy()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise SnapshotError(
            table, f"row {row}", f"a {column} of its own", f"{series.iloc[row]} again"
        )


def _tasks(snap: Snapshot) -> None:
    tasks = snap.tasks
    koids = tasks["koid"].to_numpy()
    if (koids <= 0).any():
        row = int(np.flatnonzero(koids <= 0)[0])
        raise SnapshotError("tasks", f"row {row}", "a koid above 0", str(koids[row]))
    _unique("tasks", "koid", tasks["koid"])
    kinds = tasks["kind"].cat.codes.to_numpy()
    if (np.diff(kinds) < 0).any():
        row = int(np.flatnonzero(np.diff(kinds) < 0)[0]) + 1
        raise SnapshotError(
            "tasks", f"row {row}", "jobs, then processes, then threads", "another order"
        )
    parent_koid, known = _values(tasks["parent_koid"])
    order = np.argsort(koids, kind="stable")
    at = np.searchsorted(koids, parent_koid, sorter=order)
    parent = order[np.minimum(at, len(order) - 1)] if len(order) else at
    found = known & (koids[parent] == parent_koid) if len(order) else known
    if (known & ~found).any():
        row = int(np.flatnonzero(known & ~found)[0])
        raise SnapshotError(
            "tasks", f"row {row}", "a parent in the table", f"koid {parent_koid[row]}"
        )
    wanted = np.where(kinds == 2, 1, 0)
    wrong = known & (kinds[parent] != wanted) if len(order) else known
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        what = "process" if kinds[row] == 2 else "job"
        raise SnapshotError(
            "tasks", f"row {row}", f"a {what} as parent", f"koid {parent_koid[row]}"
        )
    _acyclic("tasks", np.where(known, parent, -1).astype("int64"))


def _acyclic(table: str, parent: Ints) -> None:
    """Pointer doubling: after enough doublings every row has reached a root, or is on a cycle."""
    reach = parent.copy()
    for _ in range(max(1, len(parent)).bit_length() + 1):
        inner = reach >= 0
        if not inner.any():
            return
        reach[inner] = reach[reach[inner]]
    row = int(np.flatnonzero(reach >= 0)[0])
    raise SnapshotError(table, f"row {row}", "parents that end at a root", "a cycle")


def _regions(snap: Snapshot) -> None:
    regions, aspaces = snap.regions, snap.aspaces
    _references("regions", "aspace", regions["aspace"], len(aspaces))
    _references("regions", "vmo", regions["vmo"], len(snap.vmos))
    aspace = regions["aspace"].to_numpy()
    if (np.diff(aspace) < 0).any():
        row = int(np.flatnonzero(np.diff(aspace) < 0)[0]) + 1
        raise SnapshotError("regions", f"row {row}", "rows by address space", "another order")
    vmar = regions["kind"].cat.codes.to_numpy() == 0
    if (vmar & regions["vmo"].notna().to_numpy()).any():
        row = int(np.flatnonzero(vmar & regions["vmo"].notna().to_numpy())[0])
        raise SnapshotError(
            "regions", f"row {row}", "no vmo on a VMAR", str(regions["vmo"].iloc[row])
        )
    owner = aspaces["process_koid"].dropna()
    processes = snap.tasks["koid"][snap.tasks["kind"] == "process"]
    lost = ~owner.isin(processes)
    if lost.any():
        row = int(owner.index[lost.to_numpy(dtype=bool)][0])
        found = f"koid {owner[row]}"
        raise SnapshotError("aspaces", f"row {row}", "a process of the tasks table", found)


def _vmos(snap: Snapshot) -> None:
    vmos = snap.vmos
    _unique("vmos", "id", vmos["id"])
    named = vmos["koid"][(vmos["koid"] != 0).fillna(False).to_numpy(dtype=bool)]
    twice = named.duplicated().to_numpy()
    if twice.any():
        row = int(named.index[twice][0])
        raise SnapshotError("vmos", f"row {row}", "a koid of its own", f"{named[row]} again")
    _references("vmos", "parent", vmos["parent"], len(vmos))
    parent, known = _values(vmos["parent"])
    _acyclic("vmos", np.where(known, parent, -1))


def _runs(table: str, frame: pd.DataFrame, key: str, rows: int) -> None:
    if not len(frame):
        return
    _references(table, key, frame[key], rows)
    owner = frame[key].to_numpy()
    first = frame["first_page"].to_numpy()
    count = frame["page_count"].to_numpy()
    if (count < 1).any():
        row = int(np.flatnonzero(count < 1)[0])
        raise SnapshotError(table, f"row {row}", "a run of 1 page or more", str(count[row]))
    end = first + count
    if (end < first).any():
        row = int(np.flatnonzero(end < first)[0])
        raise SnapshotError(
            table, f"row {row}", "a run that fits 63 bits", f"{first[row]}+{count[row]}"
        )
    step = np.diff(owner)
    bad = (step < 0) | ((step == 0) & (first[1:] < end[:-1]))
    if bad.any():
        row = int(np.flatnonzero(bad)[0]) + 1
        raise SnapshotError(
            table, f"row {row}", "sorted, disjoint runs", f"a run at page {first[row]}"
        )


def _heap(snap: Snapshot) -> None:
    total, free = snap.kmem["total_heap_bytes"], snap.kmem["free_heap_bytes"]
    over = (free > total).fillna(False).to_numpy(dtype=bool)
    if over.any():
        row = int(np.flatnonzero(over)[0])
        expected = f"free_heap_bytes of at most total_heap_bytes, {total.iloc[row]}"
        raise SnapshotError("kmem", f"row {row}", expected, str(free.iloc[row]))


def _handle_holders(snap: Snapshot) -> None:
    holder = snap.handles["process_koid"]
    processes = snap.tasks["koid"][snap.tasks["kind"] == "process"]
    lost = ~holder.isin(processes).to_numpy()
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        found = f"koid {holder.iloc[row]}"
        raise SnapshotError("handles", f"row {row}", "a process of the tasks table", found)

"""The tables of a snapshot as the records of a machine description.

Only a whole machine can be described; `Untold` is raised where a value the format requires is
missing or a row has no place in it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

from magmem.captures.machine.format import MAX_DEPTH
from magmem.captures.machine.tables import plain_values
from magmem.snapshot import TABLES, Snapshot

__all__ = ["Untold", "describe"]

Record = dict[str, Any]


class Untold(Exception):
    """The description cannot tell this snapshot; the writer falls back to tables."""


class _Rows:
    """One table's columns as lists."""

    def __init__(self, name: str, frame: pd.DataFrame) -> None:
        self.name = name
        self.frame = frame
        self.count = len(frame)

    def get(self, column: str) -> list[Any]:
        """A column, ``None`` where missing."""
        return plain_values(self.frame[column], TABLES[self.name].columns[column])

    def known(self, column: str) -> list[Any]:
        """A column without missing values."""
        if self.frame[column].isna().any():
            raise Untold(f"{self.name}.{column}")
        return self.get(column)


def describe(snap: Snapshot) -> Record:
    """The description's fields after its head, in the order they are written.

    Raises
    ------
    Untold
        Something the format requires is missing.
    """
    if snap.root_job_koid is None:
        raise Untold("root_job_koid")
    tasks = snap.tasks
    jobs = _Rows("tasks", tasks[tasks["kind"] == "job"])
    parts: Record = {
        "jobs": [
            {"koid": koid, "parent_koid": parent, "name": name}
            for koid, parent, name in zip(
                jobs.known("koid"), jobs.get("parent_koid"), jobs.known("name"), strict=True
            )
        ]
    }
    importance = jobs.frame["importance"].dropna().sort_values(kind="stable")
    if len(importance):
        parts["jobs_by_importance"] = tasks["koid"].iloc[importance.index].tolist()
    parts.update(_statistics(snap))
    spaces = _aspaces(snap)
    if None in spaces:
        parts["kernel_aspace"] = spaces.pop(None)
    parts["vmos"] = _vmos(snap)
    parts["processes"] = _processes(snap, spaces)
    return parts


def _statistics(snap: Snapshot) -> Record:
    parts: Record = {}
    if len(snap.kmem):
        kmem = _Rows("kmem", snap.kmem.iloc[-1:])
        # A described machine has no swap; what a source tells of one is kept as a table.
        skipped = ("timestamp", "swap_total_bytes", "swap_free_bytes", "swap_memory_bytes")
        fields = [name for name in TABLES["kmem"].columns if name not in skipped]
        parts["kmem"] = {name: kmem.known(name)[0] for name in fields}
    if len(snap.arenas) or snap.coverage["arenas"] != "absent":
        arenas = _Rows("arenas", snap.arenas)
        kinds = ("free", "alloc", "wired", "heap", "object", "mmu")
        pages = [arenas.known(f"{kind}_pages") for kind in kinds]
        states = [dict(zip(kinds, row, strict=True)) for row in zip(*pages, strict=True)]
        parts["arenas"] = _records(
            addr=arenas.get("addr"),
            page_array_addr=arenas.get("page_array_addr"),
            name=arenas.known("name"),
            base=arenas.known("base"),
            size=arenas.known("size_bytes"),
            priority=arenas.known("priority"),
            flags=list(map(hex, arenas.known("flags"))),
            free_count=arenas.get("free_count"),
            page_states=states,
        )
    return parts


def _records(**columns: list[Any]) -> list[Record]:
    """Records without the fields that are missing."""
    return [
        {key: value for key, value in zip(columns, row, strict=True) if value is not None}
        for row in zip(*columns.values(), strict=True)
    ]


def _vmos(snap: Snapshot) -> list[Record]:
    vmos = _Rows("vmos", snap.vmos)
    ids = vmos.known("id")
    runs = _runs(snap.pages, "vmo", vmos.count)
    rest = zip(
        vmos.get("parent"),
        vmos.get("parent_offset_bytes"),
        vmos.get("phys_base"),
        vmos.get("pages_are_wired"),
        vmos.known("pages_known"),
        vmos.get("ref"),
        strict=True,
    )
    records = _records(
        id=ids,
        koid=vmos.known("koid"),
        addr=vmos.get("addr"),
        kind=vmos.known("kind"),
        name=vmos.known("name"),
        size=vmos.known("size_bytes"),
    )
    for row, (parent, offset, phys_base, wired, known, ref) in enumerate(rest):
        record = records[row]
        record["parent"] = None if parent is None else ids[parent]
        if offset:
            record["parent_offset"] = offset
        if ref is not None:
            record["ref"] = ref
        if record["kind"] == "physical":
            if phys_base is not None:
                record["phys_base"] = phys_base
            continue
        if known:
            record["committed"] = runs[row]
        record["pages_are_wired"] = bool(wired)
    return records


def _runs(frame: pd.DataFrame, key: str, owners: int) -> list[list[list[int]]]:
    found: list[list[list[int]]] = [[] for _ in range(owners)]
    for owner, first, count in frame[[key, "first_page", "page_count"]].to_numpy().tolist():
        found[owner].append([first, count])
    return found


def _processes(snap: Snapshot, spaces: dict[int | None, Record]) -> list[Record]:
    tasks = snap.tasks
    rows = _Rows("tasks", tasks[tasks["kind"] == "process"])
    threads, handles = _threads(snap), _handles(snap)
    records = _records(
        koid=rows.known("koid"),
        job_koid=rows.known("parent_koid"),
        name=rows.known("name"),
        state=rows.known("state"),
    )
    for record in records:
        koid = record["koid"]
        if koid in threads or snap.coverage["threads"] == "complete":
            record["threads"] = threads.get(koid, [])
        if koid in handles or snap.coverage["handles"] == "complete":
            record["handles"] = handles.get(koid, [])
        if koid in spaces:
            record["aspace"] = spaces[koid]
    return records


def _threads(snap: Snapshot) -> dict[int, list[Record]]:
    tasks = snap.tasks
    rows = _Rows("tasks", tasks[tasks["kind"] == "thread"])
    found: dict[int, list[Record]] = defaultdict(list)
    records = _records(
        koid=rows.known("koid"),
        name=rows.known("name"),
        state=rows.known("state"),
        exception_port=rows.known("exception_port"),
    )
    for owner, record in zip(rows.known("parent_koid"), records, strict=True):
        found[owner].append(record)
    return dict(found)


def _handles(snap: Snapshot) -> dict[int, list[Record]]:
    rows = _Rows("handles", snap.handles)
    found: dict[int, list[Record]] = defaultdict(list)
    records = _records(
        value=list(map(hex, rows.known("value"))),
        type=rows.known("type"),
        koid=rows.known("koid"),
        rights=list(map(hex, rows.known("rights"))),
    )
    for owner, record in zip(rows.known("process_koid"), records, strict=True):
        found[owner].append(record)
    return dict(found)


def _aspaces(snap: Snapshot) -> dict[int | None, Record]:
    rows = _Rows("aspaces", snap.aspaces)
    roots = _trees(snap)
    flags = [None if value is None else hex(value) for value in rows.get("flags")]
    records = _records(
        addr=rows.get("addr"),
        name=rows.get("name"),
        base=rows.known("base"),
        size=rows.known("size_bytes"),
        flags=flags,
        ref=rows.get("ref"),
    )
    found: dict[int | None, Record] = {}
    for row, (owner, record) in enumerate(zip(rows.get("process_koid"), records, strict=True)):
        if row not in roots:
            raise Untold("a root VMAR")
        found[owner] = {**record, "root_vmar": roots[row]}
    return found


def _trees(snap: Snapshot) -> dict[int, Record]:
    """The root VMAR of each address space, with everything below it."""
    depths = snap.regions["depth"].to_numpy()
    nodes = _nodes(snap)
    roots: dict[int, Record] = {}
    path: list[Record] = []
    if len(depths) and depths.max() > MAX_DEPTH:
        raise Untold("deeper VMARs than the format nests")
    for space, depth, node in zip(
        snap.regions["aspace"].tolist(), depths.tolist(), nodes, strict=True
    ):
        if depth == 0:
            if space in roots:
                raise Untold("two root VMARs")
            roots[space], path = node, [node]
            continue
        if space not in roots or not 0 < depth <= len(path) or "children" not in path[depth - 1]:
            raise Untold("a region outside a VMAR")
        path[depth - 1]["children"].append(node)
        path[depth:] = [node]
    return roots


def _nodes(snap: Snapshot) -> list[Record]:
    is_vmar = (snap.regions["kind"] == "vmar").to_numpy(dtype=bool)
    vmars = _Rows("regions", snap.regions[is_vmar])
    maps = _Rows("regions", snap.regions[~is_vmar])
    ids = snap.vmos["id"].tolist()
    vmar_records = _records(
        type=["vmar"] * vmars.count,
        addr=vmars.get("addr"),
        name=vmars.known("name"),
        base=vmars.known("base"),
        size=vmars.known("size_bytes"),
        ref=vmars.get("ref"),
        children=[[] for _ in range(vmars.count)],
    )
    flags = [None if value is None else hex(value) for value in maps.get("arch_mmu_flags")]
    runs: list[Any] = _runs(snap.entries, "region", len(snap.regions))
    if snap.coverage["entries"] != "complete":
        runs = [own or None for own in runs]
    map_records = _records(
        type=["mapping"] * maps.count,
        addr=maps.get("addr"),
        base=maps.known("base"),
        size=maps.known("size_bytes"),
        perms=maps.known("perms"),
        arch_mmu_flags=flags,
        vmo=[ids[row] for row in maps.known("vmo")],
        vmo_offset=maps.known("vmo_offset_bytes"),
        ref=maps.get("ref"),
        map_seq=maps.get("map_seq"),
        entries=[runs[row] for row in np.flatnonzero(~is_vmar).tolist()],
    )
    vmar_turn, map_turn = iter(vmar_records), iter(map_records)
    return [next(vmar_turn) if vmar else next(map_turn) for vmar in is_vmar.tolist()]

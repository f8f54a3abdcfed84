"""Records of any machine or capture, and records as a snapshot that every tool reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from magmem.labs.records import (
    KERNEL,
    Handle,
    Job,
    Mapping,
    Memory,
    Process,
    Records,
    Run,
    Vmo,
)

if TYPE_CHECKING:
    from magmem.snapshot import Snapshot
    from magmem.snapshot.source import Source

__all__ = ["records_of", "snapshot_of_records", "vmo_id"]

NEEDED = ("processes", "mappings", "vmos", "pages")


def vmo_id(number: int) -> str:
    """What a VMO is called in the snapshot that is made of records."""
    return f"vmo/{number}"


def snapshot_of_records(records: Records) -> Snapshot:
    """The same machine as a `Snapshot`: every facet is known."""
    from magmem.snapshot import FACETS, Snapshot

    owners = [KERNEL, *(process.koid for process in records.processes)]
    regions, entries = _regions(records, owners)
    tables: dict[str, Any] = {
        "tasks": {
            "koid": [
                *(job.koid for job in records.jobs),
                *(process.koid for process in records.processes),
            ],
            "kind": ["job"] * len(records.jobs) + ["process"] * len(records.processes),
            "parent_koid": [
                *(job.parent for job in records.jobs),
                *(process.job for process in records.processes),
            ],
            "name": [
                *(job.name for job in records.jobs),
                *(process.name for process in records.processes),
            ],
            "state": [
                *(None for _ in records.jobs),
                *("running" if one.is_running else "initial" for one in records.processes),
            ],
        },
        "aspaces": {
            "kind": ["kernel"] + ["user"] * len(records.processes),
            "process_koid": [None, *owners[1:]],
            "name": ["kernel", *(f"proc:{koid}" for koid in owners[1:])],
        },
        "regions": regions,
        "entries": entries,
        "vmos": {
            "id": [vmo_id(vmo.number) for vmo in records.vmos],
            "koid": [vmo.koid for vmo in records.vmos],
            "kind": [vmo.kind for vmo in records.vmos],
            "name": [vmo.name for vmo in records.vmos],
            "size_bytes": [vmo.size_bytes for vmo in records.vmos],
            "is_clone": [vmo.parent is not None for vmo in records.vmos],
            "parent": [vmo.parent for vmo in records.vmos],
            "parent_offset_bytes": [
                None if vmo.parent is None else vmo.parent_offset_bytes for vmo in records.vmos
            ],
            "pages_are_wired": [vmo.is_wired for vmo in records.vmos],
            "pages_known": [True] * len(records.vmos),
        },
        "pages": {
            "vmo": [vmo.number for vmo in records.vmos for _ in vmo.runs],
            "first_page": [run.first for vmo in records.vmos for run in vmo.runs],
            "page_count": [run.count for vmo in records.vmos for run in vmo.runs],
        },
        "handles": {
            "process_koid": [handle.process for handle in records.handles],
            "type": ["vmo"] * len(records.handles),
            "vmo": [handle.vmo for handle in records.handles],
            "rights": [63] * len(records.handles),
        },
        "kmem": _kmem(records),
    }
    complete: Any = dict.fromkeys(FACETS.keys() - {"arenas"}, "complete")
    root = records.jobs[0].koid if records.jobs else None
    filled = {name: table for name, table in tables.items() if next(iter(table.values()))}
    return Snapshot.of(filled, name=records.name, root_job_koid=root, coverage=complete)


def _regions(
    records: Records, owners: list[int]
) -> tuple[dict[str, list[Any]], dict[str, list[int]]]:
    """A root VMAR for each address space, and the mappings in it."""
    mine: defaultdict[int, list[Mapping]] = defaultdict(list)
    for mapping in records.mappings:
        mine[mapping.process].append(mapping)
    rows: list[tuple[Any, ...]] = []
    entries: dict[str, list[int]] = {"region": [], "first_page": [], "page_count": []}
    for aspace, owner in enumerate(owners):
        rows.append((aspace, 0, "vmar", 0, None, None, None, None, None))
        for each in sorted(mine[owner], key=lambda mapping: mapping.address):
            for run in each.entries:
                entries["region"].append(len(rows))
                entries["first_page"].append(run.first)
                entries["page_count"].append(run.count)
            shows = (each.size_bytes, each.vmo, each.vmo_offset_bytes, "rw-", each.order)
            rows.append((aspace, 1, "mapping", each.address, *shows))
    names = ("aspace", "depth", "kind", "base", "size_bytes", "vmo", "vmo_offset_bytes")
    columns = [list(column) for column in zip(*rows, strict=True)]
    return dict(zip((*names, "perms", "map_seq"), columns, strict=True)), entries


def _kmem(records: Records) -> dict[str, list[int]]:
    memory = records.memory
    vmos = memory.total_bytes - sum(memory[1:])
    return {
        "total_bytes": [memory.total_bytes],
        "free_bytes": [memory.free_bytes],
        "wired_bytes": [memory.wired_bytes],
        "total_heap_bytes": [memory.heap_used_bytes + memory.heap_free_bytes],
        "free_heap_bytes": [memory.heap_free_bytes],
        "vmo_bytes": [vmos],
        "mmu_overhead_bytes": [memory.mmu_bytes],
        "other_bytes": [memory.other_bytes],
    }


def records_of(source: Source) -> Records:
    """The records of a machine, a snapshot or a capture.

    Raises
    ------
    MissingData
        The capture does not know its mappings or page runs.
    """
    from magmem.errors import MissingData
    from magmem.snapshot.source import snapshot_of

    snap = snapshot_of(source)
    lacking = [facet for facet in NEEDED if not snap.knows(facet)]
    if lacking:
        what = ", ".join(lacking)
        raise MissingData("labs.records", what, "every process, mapping, VMO and page run")
    owner = [koid or KERNEL for (koid,) in _rows(snap.aspaces, "process_koid")]
    return Records(
        name=snap.name,
        jobs=tuple(
            Job(koid, name or "", parent)
            for koid, name, parent in _rows(snap.jobs, "koid", "name", "parent_koid")
        ),
        processes=tuple(
            Process(koid, name or "", job or 0, state not in _ENDED)
            for koid, name, job, state in _rows(
                snap.processes, "koid", "name", "parent_koid", "state"
            )
        ),
        vmos=_vmos(snap),
        mappings=_mappings(snap, owner),
        handles=tuple(
            Handle(process, vmo)
            for process, vmo in _rows(snap.handles, "process_koid", "vmo")
            if vmo is not None
        ),
        memory=_memory(snap),
    )


_ENDED = ("initial", "dying", "dead")


def _column(values: Any) -> list[Any]:
    """A column as Python values, None where missing."""
    return [
        value if known else None
        for value, known in zip(values.tolist(), values.notna().tolist(), strict=True)
    ]


def _rows(table: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    """The rows of some columns as Python values."""
    return zip(*(_column(table[name]) for name in names), strict=True)


def _runs(table: Any, key: str) -> defaultdict[int, list[Run]]:
    runs: defaultdict[int, list[Run]] = defaultdict(list)
    columns = (table[name].tolist() for name in (key, "first_page", "page_count"))
    for row, first, count in zip(*columns, strict=True):
        runs[row].append(Run(first, count))
    return runs


def _vmos(snap: Snapshot) -> tuple[Vmo, ...]:
    runs = _runs(snap.pages, "vmo")
    names = ("koid", "name", "kind", "size_bytes", "parent", "parent_offset_bytes")
    return tuple(
        Vmo(
            number,
            koid or 0,
            name or "",
            kind or "paged",
            size or 0,
            parent,
            0 if parent is None else (offset or 0),
            bool(wired),
            () if kind == "physical" else tuple(runs[number]),
        )
        for number, (koid, name, kind, size, parent, offset, wired) in enumerate(
            _rows(snap.vmos, *names, "pages_are_wired")
        )
    )


def _mappings(snap: Snapshot, owner: list[int]) -> tuple[Mapping, ...]:
    entries = _runs(snap.entries, "region")
    rows = snap.regions.index[snap.regions["kind"] == "mapping"].tolist()
    names = ("aspace", "base", "size_bytes", "vmo", "vmo_offset_bytes", "map_seq")
    columns = _rows(snap.regions.loc[rows], *names)
    return tuple(
        Mapping(
            owner[aspace],
            base or 0,
            size or 0,
            vmo,
            offset or 0,
            row if order is None else order,
            tuple(entries[row]),
        )
        for row, (aspace, base, size, vmo, offset, order) in zip(rows, columns, strict=True)
        if vmo is not None
    )


def _memory(snap: Snapshot) -> Memory:
    if not len(snap.kmem):
        return Memory(0, 0, 0, 0, 0, 0, 0)
    last = {
        name: _column(snap.kmem[name])[-1] or 0 for name in snap.kmem if name.endswith("_bytes")
    }
    return Memory(
        last["total_bytes"],
        last["free_bytes"],
        last["wired_bytes"],
        last["total_heap_bytes"] - last["free_heap_bytes"],
        last["free_heap_bytes"],
        last["mmu_overhead_bytes"],
        last["other_bytes"],
    )

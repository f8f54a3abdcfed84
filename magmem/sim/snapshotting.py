"""A machine as a snapshot: every table built column by column, from runs and regions.

Cost grows with objects, mappings and runs, never with pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from magmem.sim.kernel import KERNEL_BASE
from magmem.sim.mapping import Mapping
from magmem.sim.perms import PERMS_TEXT
from magmem.snapshot import Snapshot
from magmem.snapshot.schema import FACETS, TABLES
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.aspace import AddressSpace
    from magmem.sim.machine import Machine
    from magmem.sim.vmar import Vmar
    from magmem.sim.vmo import Vmo

__all__ = ["snapshot"]

# The kernel's own address space and its root VMAR are part of its image: fixed places.
KERNEL_ASPACE_ADDR = 0xFFFFFFFF80252B20
KERNEL_VMAR_ADDR = 0xFFFFFFFF802529A0
ARENA_ADDR = 0xFFFFFFFF80260000

_STATES = {state: code for code, state in enumerate(TABLES["tasks"].columns["state"].choices)}
_PORTS = {port: code for code, port in enumerate(TABLES["tasks"].columns["exception_port"].choices)}
_MMU_FLAGS = np.array([(mask & 1) << 3 | (mask & 2) << 3 | (mask & 4) << 3 for mask in range(8)])
_PERMS = np.array(PERMS_TEXT, dtype=object)

Columns = dict[str, Any]


def snapshot(machine: Machine, name: str) -> Snapshot:
    """The machine's state as tables; every facet is complete."""
    vmos = list(machine.vmos_by_serial.values())
    row_of = {vmo: row for row, vmo in enumerate(vmos)}
    aspaces = [machine.kernel.aspace]
    aspaces += [p.aspace for p in machine.processes_by_koid.values() if p.aspace is not None]
    layout = _walk(aspaces)
    milliseconds = machine.clock_ms
    tables = {
        "tasks": _tasks(machine),
        "aspaces": _aspaces(machine, aspaces, layout),
        "regions": _regions(machine, layout, row_of),
        "vmos": _vmos(machine, vmos, row_of),
        "pages": _pages(vmos),
        "entries": _entries(layout),
        "handles": _handles(machine, row_of),
        "arenas": _arenas(machine),
        "kmem": {"timestamp": [machine.time], **_one_row(vars(machine.kmem))},
        "sources": {
            "source": ["simulated machine"],
            "dump": [f"step {machine.step}"],
            "tables": [" ".join(table for table in TABLES if table not in ("sources", "notes"))],
            "rounded": [False],
        },
    }
    return Snapshot.of(
        tables,
        name=name,
        root_job_koid=machine.root_job.koid,
        timestamp=(milliseconds // 1000, milliseconds % 1000 * 1_000_000),
        timestamp_iso=machine.time,
        coverage=dict.fromkeys(FACETS, "complete"),
    )


def _one_row(values: dict[str, int]) -> Columns:
    return {name: [value] for name, value in values.items()}


def _ints(values: npt.ArrayLike, missing: npt.NDArray[np.bool_]) -> Any:
    """A column from values that mean nothing where `missing`."""
    return np.asarray(values, dtype=np.int64), ~missing


def _codes(codes: list[int]) -> npt.NDArray[np.int8]:
    return np.array(codes, dtype=np.int8)


def _addresses(machine: Machine, serials: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    serial = np.asarray(serials, dtype=np.uint64)
    return np.uint64(machine.heap.base) + (serial << np.uint64(4))


@dataclass
class Layout:
    """Every region of every address space, in depth-first order, told apart by kind."""

    space_rows: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    regions: list[Vmar | Mapping] = field(default_factory=list)
    vmars: list[Vmar] = field(default_factory=list)
    vmar_rows: list[int] = field(default_factory=list)
    mappings: list[Mapping] = field(default_factory=list)
    mapping_rows: list[int] = field(default_factory=list)


def _walk(aspaces: list[AddressSpace]) -> Layout:
    layout = Layout()
    regions, depths = layout.regions, layout.depths
    mapping_rows, mappings = layout.mapping_rows, layout.mappings
    for row, aspace in enumerate(aspaces):
        before = len(regions)
        stack: list[Iterator[Vmar | Mapping]] = [iter([aspace.root])]
        while stack:
            depth = len(stack) - 1
            for region in stack[-1]:
                if isinstance(region, Mapping):
                    mapping_rows.append(len(regions))
                    mappings.append(region)
                    regions.append(region)
                    depths.append(depth)
                    continue
                layout.vmar_rows.append(len(regions))
                layout.vmars.append(region)
                regions.append(region)
                depths.append(depth)
                stack.append(iter(region.children))
                break
            else:
                stack.pop()
        layout.space_rows += [row] * (len(regions) - before)
    return layout


def _tasks(machine: Machine) -> Columns:
    jobs = list(machine.jobs_by_koid.values())
    processes = list(machine.processes_by_koid.values())
    threads = list(machine.threads_by_koid.values())
    tasks: list[Any] = [*jobs, *processes, *threads]
    parents = [0 if job.parent is None else job.parent.koid for job in jobs]
    parents += [process.job.koid for process in processes]
    parents += [thread.process.koid for thread in threads]
    rows = len(tasks)
    # Newer jobs are less important: the list from least to most goes from new to old.
    importance = np.zeros(rows, np.int64)
    importance[: len(jobs)] = np.arange(len(jobs))[::-1]
    states = [-1] * len(jobs)
    states += [_STATES[process.state] for process in processes]
    states += [_STATES[thread.state] for thread in threads]
    ports = [-1] * (len(jobs) + len(processes))
    ports += [_PORTS[thread.exception_port] for thread in threads]
    return {
        "koid": [task.koid for task in tasks],
        "kind": _codes([0] * len(jobs) + [1] * len(processes) + [2] * len(threads)),
        "parent_koid": _ints(parents, np.array(parents) == 0),
        "name": [task.name for task in tasks],
        "state": _codes(states),
        "exception_port": _codes(ports),
        "importance": _ints(importance, np.arange(rows) >= len(jobs)),
    }


def _aspaces(machine: Machine, aspaces: list[AddressSpace], layout: Layout) -> Columns:
    koids = [aspace.koid for aspace in aspaces]
    addr = _addresses(machine, [max(aspace.serial, 0) for aspace in aspaces])
    addr[0] = KERNEL_ASPACE_ADDR
    # Every region holds a reference to its address space, and so does every kernel thread.
    references = 1 + np.bincount(layout.space_rows, minlength=len(aspaces))
    references[0] += machine.kernel.thread_count
    return {
        "kind": _codes([int(koid != 0) for koid in koids]),
        "process_koid": _ints(koids, np.array(koids) == 0),
        "name": [aspace.name for aspace in aspaces],
        "addr": addr,
        "base": np.array([aspace.base for aspace in aspaces], np.uint64),
        "size_bytes": np.array([aspace.size_bytes for aspace in aspaces], np.int64),
        "flags": np.array([int(koid == 0) for koid in koids], np.int64),
        "ref": references,
    }


def _regions(machine: Machine, layout: Layout, row_of: dict[Vmo, int]) -> Columns:
    mappings, vmars = layout.mappings, layout.vmars
    rows = len(layout.regions)
    at = np.array(layout.mapping_rows, np.int64)
    vmar = np.zeros(rows, bool)
    vmar[layout.vmar_rows] = True
    space_rows = np.array(layout.space_rows, np.int64)
    base, size, serial, reference = np.zeros((4, rows), np.uint64)
    base[at] = [mapping.base for mapping in mappings]
    size[at] = [mapping.size_bytes for mapping in mappings]
    serial[at] = [mapping.serial for mapping in mappings]
    base[vmar] = [region.base for region in vmars]
    size[vmar] = [region.size_bytes for region in vmars]
    serial[vmar] = [max(region.serial, 0) for region in vmars]
    reference[vmar] = [1 + (region.held or region.handle_count > 0) for region in vmars]
    # Where the kernel keeps a pointer to a VMAR of its own, it keeps one to the mappings in it.
    reference[at] = [1 + mapping.vmar.held for mapping in mappings]

    def spread(values: Any) -> Any:
        column = np.zeros(rows, np.int64)
        column[at] = values
        return _ints(column, vmar)

    names = np.full(rows, None, dtype=object)
    names[vmar] = [region.name for region in vmars]
    perms = np.full(rows, None, dtype=object)
    masks = np.array([mapping.mask for mapping in mappings], np.int64)
    perms[at] = _PERMS[masks]
    flags = _MMU_FLAGS[masks] | (space_rows[at] != 0) * 4
    flags |= np.array([mapping.cache for mapping in mappings], np.int64)
    addr = _addresses(machine, serial)
    addr[0] = KERNEL_VMAR_ADDR
    offset = np.zeros(rows, np.uint64)
    offset[at] = [mapping.vmo_offset_bytes for mapping in mappings]
    return {
        "aspace": space_rows,
        "depth": np.array(layout.depths, np.int64),
        "kind": (~vmar).astype(np.int8),
        "base": base,
        "size_bytes": size.astype(np.int64),
        "name": names,
        "addr": addr,
        "ref": reference.astype(np.int64),
        "vmo": spread([row_of[mapping.vmo] for mapping in mappings]),
        "vmo_offset_bytes": (offset, ~vmar),
        "perms": perms,
        "arch_mmu_flags": spread(flags),
        "map_seq": spread(serial[at]),
    }


def _vmos(machine: Machine, vmos: list[Vmo], row_of: dict[Vmo, int]) -> Columns:
    physical = np.array([vmo.phys_base is not None for vmo in vmos], bool)
    clone = np.array([vmo.parent is not None for vmo in vmos], bool)
    parents = [vmo.parent for vmo in vmos]
    return {
        "id": [vmo.id for vmo in vmos],
        "koid": np.array([vmo.koid for vmo in vmos], np.int64),
        "kind": physical.astype(np.int8),
        "name": [vmo.name for vmo in vmos],
        "size_bytes": np.array([vmo.size_bytes for vmo in vmos], np.int64),
        "is_clone": clone,
        "parent": _ints([0 if p is None else row_of[p] for p in parents], ~clone),
        "parent_koid": _ints([0 if p is None else p.koid for p in parents], ~clone),
        "parent_offset_bytes": _ints([vmo.parent_first * PAGE_BYTES for vmo in vmos], ~clone),
        "addr": _addresses(machine, [vmo.serial for vmo in vmos]),
        "ref": np.array(
            [
                len(v.mappings) + len(v.children) + v.kernel_refs + (v.handle_count > 0)
                for v in vmos
            ],
            np.int64,
        ),
        "phys_base": (
            np.array([vmo.phys_base or 0 for vmo in vmos], np.uint64),
            physical,
        ),
        "pages_are_wired": np.array([vmo.pages_are_wired for vmo in vmos], bool),
        "pages_known": np.ones(len(vmos), bool),
    }


def _pages(vmos: list[Vmo]) -> Columns:
    """Committed runs; parts that lie apart only in physical memory are one run here."""
    owner = np.repeat(np.arange(len(vmos)), [len(vmo.pages.starts) for vmo in vmos])
    first = np.array(_chained([vmo.pages.starts for vmo in vmos]), np.int64)
    end = np.array(_chained([vmo.pages.ends for vmo in vmos]), np.int64)
    begins = np.ones(len(first), bool)
    begins[1:] = (owner[1:] != owner[:-1]) | (first[1:] != end[:-1])
    ends = np.append(begins[1:], True)[: len(begins)]
    return {
        "vmo": owner[begins],
        "first_page": first[begins],
        "page_count": end[ends] - first[begins],
    }


def _entries(layout: Layout) -> Columns:
    rows: list[int] = []
    lengths: list[int] = []
    first: list[int] = []
    end: list[int] = []
    for row, mapping in zip(layout.mapping_rows, layout.mappings, strict=True):
        entries = mapping.entries
        if entries is not None:
            rows.append(row)
            lengths.append(len(entries.starts))
            first += entries.starts
            end += entries.ends
    begins = np.array(first, np.int64)
    return {
        "region": np.repeat(np.array(rows, np.int64), lengths),
        "first_page": begins,
        "page_count": np.array(end, np.int64) - begins,
    }


def _chained(lists: list[list[int]]) -> list[int]:
    return list(chain.from_iterable(lists))


def _handles(machine: Machine, row_of: dict[Vmo, int]) -> Columns:
    handles = [
        handle
        for process in machine.processes_by_koid.values()
        for handle in reversed(process.table.by_value.values())
    ]
    other = np.array([handle.type != "vmo" for handle in handles], bool)
    vmo_rows: list[int] = [row_of.get(handle.object, 0) for handle in handles]  # type: ignore[call-overload]
    return {
        "process_koid": np.array([handle.process.koid for handle in handles], np.int64),
        "value": np.array([handle.value for handle in handles], np.int64),
        "type": [handle.type for handle in handles],
        "koid": np.array([handle.object.koid for handle in handles], np.int64),
        "rights": np.array([handle.rights for handle in handles], np.int64),
        "vmo": _ints(vmo_rows, other),
    }


def _arenas(machine: Machine) -> Columns:
    arenas = machine.arenas
    states = np.array([arena.counts for arena in arenas], np.int64).T
    columns: Columns = {
        "name": [arena.name for arena in arenas],
        "base": np.array([arena.base for arena in arenas], np.uint64),
        "size_bytes": np.array([arena.size_bytes for arena in arenas], np.int64),
        "priority": np.array([arena.priority for arena in arenas], np.int64),
        "flags": np.array([arena.flags for arena in arenas], np.int64),
        "addr": np.array([ARENA_ADDR + 0x90 * row for row in range(len(arenas))], np.uint64),
        "page_array_addr": np.array([KERNEL_BASE + arena.base for arena in arenas], np.uint64),
        "free_count": states[0],
    }
    for state, counts in zip(
        ("free", "alloc", "wired", "heap", "object", "mmu"), states, strict=True
    ):
        columns[f"{state}_pages"] = counts
    return columns

"""A decoded machine description as the tables of a snapshot, and what it knows."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from typing import Any

from magmem.captures.columns import addresses, check_names, hex_integers, integers, texts
from magmem.captures.machine.format import Mapping
from magmem.captures.machine.index import MachineIndex
from magmem.captures.machine.memory import (
    MAX_PAGE,
    aspace_columns,
    entry_columns,
    page_columns,
    region_columns,
    vmo_columns,
)
from magmem.captures.machine.tasks import check_koids, handle_columns, task_columns
from magmem.snapshot import TABLES, Coverage, Table

__all__ = ["coverage_of", "tables_of"]


def tables_of(index: MachineIndex) -> dict[str, Table]:
    """Every table a description fills.

    Raises
    ------
    CaptureError
        A record breaks a rule of the format; names it.
    """
    check_koids(index)
    columns: dict[str, MappingOf[str, Any]] = {
        "tasks": task_columns(index),
        "vmos": vmo_columns(index),
        "pages": page_columns(index),
        "aspaces": aspace_columns(index),
        "regions": region_columns(index),
        "entries": entry_columns(index),
        "handles": handle_columns(index),
        "arenas": _arena_columns(index),
        "kmem": _kmem_columns(index),
    }
    return {name: Table.of(TABLES[name], values) for name, values in columns.items()}


def coverage_of(index: MachineIndex) -> dict[str, Coverage]:
    """What a description knows, by the fields it has."""
    processes, machine = index.processes, index.machine
    mappings = [node for node in index.regions.nodes if isinstance(node, Mapping)]
    installed = [mapping.entries is not None for mapping in mappings]
    paged = [vmo for vmo in index.vmos if vmo.kind == "paged"]
    return {
        "jobs": "complete",
        "processes": "complete",
        "vmos": "complete",
        "pages": _extent([vmo.committed is not None for vmo in paged]),
        "threads": _extent([process.threads is not None for process in processes]),
        "handles": _extent([process.handles is not None for process in processes]),
        "mappings": _extent([process.aspace is not None for process in processes]),
        "kernel mappings": "absent" if machine.kernel_aspace is None else "complete",
        "arenas": "absent" if machine.arenas is None else "complete",
        "kmem": "absent" if machine.kmem is None else "complete",
        "entries": _extent(installed) if installed else "absent",
    }


def _extent(known: Sequence[bool]) -> Coverage:
    if all(known):
        return "complete"
    return "partial" if any(known) else "absent"


def _arena_columns(index: MachineIndex) -> MappingOf[str, Any]:
    arenas, source, place = index.machine.arenas or [], index.source, "arenas[{}]".format
    check_names([arena.name for arena in arenas], source, place, longest=15)
    states = [arena.page_states for arena in arenas]
    kinds = ("free", "alloc", "wired", "heap", "object", "mmu")
    for at, pages in enumerate(states):
        total = sum(getattr(pages, kind) for kind in kinds)
        if total >= MAX_PAGE:
            expected = "less than 2^63 bytes of pages in all"
            raise index.failure(f"arenas[{at}].page_states", expected, f"{total} pages")
    return {
        "name": texts([arena.name for arena in arenas]),
        "base": addresses([arena.base for arena in arenas], source, place, "base"),
        "size_bytes": integers([arena.size for arena in arenas]),
        "priority": integers([arena.priority for arena in arenas]),
        "flags": hex_integers([arena.flags for arena in arenas], source, place, "flags"),
        "addr": addresses([arena.addr for arena in arenas], source, place, "addr"),
        "page_array_addr": addresses(
            [arena.page_array_addr for arena in arenas], source, place, "page_array_addr"
        ),
        "free_count": integers([arena.free_count for arena in arenas]),
        **{f"{kind}_pages": integers([getattr(pages, kind) for pages in states]) for kind in kinds},
    }


def _kmem_columns(index: MachineIndex) -> MappingOf[str, Any]:
    kmem, timestamp = index.machine.kmem, index.machine.timestamp
    if kmem is None:
        return {}
    values = {name: [getattr(kmem, name)] for name in kmem.__struct_fields__}
    return {"timestamp": [timestamp.iso if timestamp else None], **values}

"""VMOs, page runs, address spaces and regions of a machine description, as columns.

Bytes are below 2^63, addresses below 2^64; runs of pages are sorted, disjoint and end below 2^63
bytes; every VMO that is referred to must be there.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from typing import Any

import numpy as np

from magmem.captures.columns import (
    Place,
    addresses,
    check_choices,
    check_names,
    check_unique,
    hex_integers,
    integers,
    offsets,
    texts,
)
from magmem.captures.machine.format import PERMS, Mapping, Vmar
from magmem.captures.machine.index import MachineIndex
from magmem.captures.machine.tree import check_geometry
from magmem.snapshot import PAGE_BYTES

__all__ = [
    "MAX_PAGE",
    "aspace_columns",
    "entry_columns",
    "page_columns",
    "region_columns",
    "vmo_columns",
]

MAX_PAGE = 2**63 // PAGE_BYTES
"""Pages of the largest VMO that 63 bits of bytes can tell."""


def vmo_columns(index: MachineIndex) -> MappingOf[str, Any]:
    """The vmos table."""
    vmos, source, place = index.vmos, index.source, "vmos[{}]".format
    names = [vmo.name for vmo in vmos]
    check_unique([vmo.id for vmo in vmos], source, place, "an id")
    check_choices([vmo.kind for vmo in vmos], ("paged", "physical"), source, place, "kind")
    check_names(names, source, place)
    parents: list[int | None] = []
    for at, vmo in enumerate(vmos):
        if vmo.parent is not None and vmo.parent not in index.vmo_row:
            raise index.failure(f"vmos[{at}].parent", "the id of a VMO", vmo.parent)
        _check_offset(index, f"vmos[{at}].parent_offset", vmo.parent_offset, vmo.size, 63)
        if vmo.kind == "physical" and vmo.committed:
            expected = "no committed pages on a physical VMO"
            raise index.failure(f"vmos[{at}].committed", expected, vmo.committed)
        parents.append(None if vmo.parent is None else index.vmo_row[vmo.parent])
    return {
        "id": texts([vmo.id for vmo in vmos]),
        "koid": integers([vmo.koid for vmo in vmos]),
        "kind": [vmo.kind for vmo in vmos],
        "name": texts(names),
        "size_bytes": integers([vmo.size for vmo in vmos]),
        "is_clone": [parent is not None for parent in parents],
        "parent": integers(parents),
        "parent_koid": integers([None if at is None else vmos[at].koid for at in parents]),
        "parent_offset_bytes": integers(
            [None if vmo.parent is None else vmo.parent_offset for vmo in vmos]
        ),
        "addr": addresses([vmo.addr for vmo in vmos], source, place, "addr"),
        "ref": integers([vmo.ref for vmo in vmos]),
        "phys_base": addresses([vmo.phys_base for vmo in vmos], source, place, "phys_base"),
        "pages_are_wired": [vmo.pages_are_wired for vmo in vmos],
        "pages_known": [vmo.committed is not None or vmo.kind == "physical" for vmo in vmos],
    }


def page_columns(index: MachineIndex) -> MappingOf[str, Any]:
    """The pages table: the committed runs of each VMO."""
    runs = [vmo.committed or () for vmo in index.vmos]
    return _runs(index, runs, "vmo", "vmos[{}].committed".format)


def entry_columns(index: MachineIndex) -> MappingOf[str, Any]:
    """The entries table: the installed runs of each mapping."""
    regions = index.regions
    runs = [(node.entries or ()) if isinstance(node, Mapping) else () for node in regions.nodes]
    return _runs(index, runs, "region", lambda row: f"{regions.place(row)}.entries")


def aspace_columns(index: MachineIndex) -> MappingOf[str, Any]:
    """The aspaces table: the kernel's, then the processes'."""
    source, place = index.source, index.aspace_place
    spaces = [space for *_, space in index.aspaces]
    koids = [koid for _, koid, _ in index.aspaces]
    return {
        "kind": ["kernel" if koid is None else "user" for koid in koids],
        "process_koid": integers(koids),
        "name": texts([space.name for space in spaces]),
        "addr": addresses([space.addr for space in spaces], source, place, "addr"),
        "base": addresses([space.base for space in spaces], source, place, "base"),
        "size_bytes": integers([space.size for space in spaces]),
        "flags": hex_integers([space.flags for space in spaces], source, place, "flags"),
        "ref": integers([space.ref for space in spaces]),
    }


def region_columns(index: MachineIndex) -> MappingOf[str, Any]:
    """The regions table, depth-first."""
    rows, source = index.regions, index.source
    nodes, place = rows.nodes, rows.place
    names = [node.name if isinstance(node, Vmar) else None for node in nodes]
    maps = [node if isinstance(node, Mapping) else None for node in nodes]
    base = addresses([node.base for node in nodes], source, place, "base")
    size = np.array([node.size for node in nodes], dtype=np.uint64)
    spaces = [space for *_, space in index.aspaces]
    space_base = addresses([space.base for space in spaces], source, index.aspace_place, "base")
    check_geometry(
        rows,
        base[0],
        size,
        space_base[0],
        np.array([space.size for space in spaces], dtype=np.uint64),
    )
    check_names(names, source, place)
    _check_mappings(index, maps)
    flags = [None if node is None else node.arch_mmu_flags for node in maps]
    perms = [None if node is None else node.perms for node in maps]
    return {
        "aspace": rows.aspace,
        "depth": rows.depth,
        "kind": ["vmar" if node is None else "mapping" for node in maps],
        "base": base,
        "size_bytes": integers(size),
        "name": texts(names),
        "addr": addresses([node.addr for node in nodes], source, place, "addr"),
        "ref": integers([node.ref for node in nodes]),
        "vmo": integers([None if node is None else index.vmo_row[node.vmo] for node in maps]),
        "vmo_offset_bytes": offsets([None if node is None else node.vmo_offset for node in maps]),
        "perms": texts(perms),
        "arch_mmu_flags": hex_integers(flags, source, place, "arch_mmu_flags"),
        "map_seq": integers([None if node is None else node.map_seq for node in maps]),
    }


def _check_mappings(index: MachineIndex, maps: Sequence[Mapping | None]) -> None:
    place = index.regions.place
    perms = [None if node is None else node.perms for node in maps]
    check_choices(perms, PERMS, index.source, place, "perms")
    first_use: dict[int, int] = {}
    for row, node in enumerate(maps):
        if node is None:
            continue
        if node.vmo not in index.vmo_row:
            raise index.failure(f"{place(row)}.vmo", "the id of a VMO", node.vmo)
        if node.vmo_offset:
            _check_offset(index, f"{place(row)}.vmo_offset", node.vmo_offset, node.size, 64)
        if node.map_seq is not None and first_use.setdefault(node.map_seq, row) != row:
            found = f"{node.map_seq} again (first in {place(first_use[node.map_seq])})"
            raise index.failure(f"{place(row)}.map_seq", "a number of its own", found)


def _check_offset(index: MachineIndex, place: str, offset: int, size: int, bits: int) -> None:
    if offset % PAGE_BYTES:
        raise index.failure(place, f"a multiple of {PAGE_BYTES}", offset)
    if offset + size >= 1 << bits:
        raise index.failure(place, f"a range that ends below 2^{bits}", offset)


def _runs(
    index: MachineIndex, runs: Sequence[Sequence[tuple[int, int]]], key: str, place: Place
) -> MappingOf[str, Any]:
    owner = np.repeat(np.arange(len(runs)), [len(own) for own in runs])
    flat = np.array([run for own in runs for run in own], dtype=np.int64).reshape(-1, 2)
    first, count = flat[:, 0], flat[:, 1]

    def stop_at(bad: np.ndarray[Any, Any], expected: str) -> None:
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            number = at - int(np.searchsorted(owner, owner[at]))
            where = f"{place(int(owner[at]))}[{number}]"
            raise index.failure(where, expected, f"[{first[at]}, {count[at]}]")

    stop_at(count < 1, "a run of 1 page or more")
    stop_at((first > MAX_PAGE) | (count > MAX_PAGE - first), "a run that ends below 2^63 bytes")
    in_all = np.cumsum(count, dtype=np.float64)
    stop_at(in_all > MAX_PAGE, "less than 2^63 bytes of pages in all")
    overlap = np.zeros(len(owner), bool)
    overlap[1:] = (owner[1:] == owner[:-1]) & (first[1:] < (first + count)[:-1])
    stop_at(overlap, "runs sorted and disjoint")
    return {key: owner, "first_page": first, "page_count": count}

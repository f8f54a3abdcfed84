"""From page frames to page runs: what each VMO owns, and which entries each mapping has.

Entries of all processes come in; out come the pages and entries tables, with clones and families
(`magmem.linux.forks`) added to the VMOs. Everything here is counted in pages of the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from magmem.linux.entries import Entries
from magmem.linux.forks import Families, Shared, place_shared
from magmem.linux.memory_files import MemoryFile
from magmem.linux.runs import Runs, joined, union
from magmem.linux.vmos import Vmos

__all__ = ["MappedVmos", "PlacedPages", "place_pages"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MappedVmos:
    """The mappings of all processes; int64 arrays of one length, in pages.

    Attributes
    ----------
    vmo : row of the VMO behind each mapping, before clones are made.
    offset : page of that VMO where the mapping begins.
    start : page of the address space where it begins.
    pages : length.
    is_own : whether the VMO belongs to this mapping alone (anonymous memory).
    pid : of the process, for ids of new VMOs.
    """

    vmo: Ints
    offset: Ints
    start: Ints
    pages: Ints
    is_own: Bools
    pid: Ints

    def place(self, at: int, page_bytes: int) -> str:
        """``PID/ADDRESS`` of a mapping."""
        return f"{self.pid[at]}/{int(self.start[at]) * page_bytes:x}"


@dataclass(slots=True)
class PlacedPages:
    """The result of `place_pages`.

    Attributes
    ----------
    vmo : int64 array
        Row of the VMO behind each mapping, clones included.
    offset : int64 array
        Page of it where the mapping begins.
    pages, entries : Runs
        By row of vmos, and by mapping.
    is_anonymous : set of int
        Rows of vmos whose pages are no file's.
    unplaced : int
        Frames the tables could not place exactly.
    mapped : int
        Pages that some entry holds, each counted once.
    """

    vmo: Ints
    offset: Ints
    pages: Runs
    entries: Runs
    is_anonymous: set[int] = field(default_factory=set)
    unplaced: int = 0
    mapped: int = 0


def place_pages(
    entries: Entries,
    mapped: MappedVmos,
    vmos: Vmos,
    memory: Mapping[int, MemoryFile],
) -> PlacedPages:
    """Give every page found to one VMO; adds clones and families to `vmos`.

    Parameters
    ----------
    memory : mapping of row of vmos to MemoryFile
        Files whose pages are known also where nobody maps them.
    """
    shared, private = entries.shared, entries.exclusive
    installed = union(
        joined(entries.file, private, Runs(shared.mapping, shared.page, np.ones_like(shared.page)))
    )
    base = np.where(mapped.is_own, mapped.start, mapped.offset)
    families = place_shared(
        Shared(shared.mapping, shared.page + base[shared.mapping], shared.frame),
        Runs(private.owner, private.first + base[private.owner], private.count),
        np.where(mapped.is_own, -1, mapped.vmo),
        base,
        base + mapped.pages,
    )
    result = PlacedPages(mapped.vmo.copy(), mapped.offset.copy(), installed, installed)
    result.unplaced = families.unplaced
    node_rows = _add_nodes(families, mapped, base, vmos)
    _add_clones(families, node_rows, private, mapped, base, vmos, result)
    own, file = families.own, entries.file
    nodes = [
        Runs(
            np.full(len(node.page), node_rows[at]),
            node.page - base[node.mappings].min(),
            np.ones_like(node.page),
        )
        for at, node in enumerate(families.nodes)
    ]
    result.is_anonymous.update(node_rows)
    result.is_anonymous.update(result.vmo[private.owner].tolist())
    result.is_anonymous.update(result.vmo[own.mapping].tolist())
    whole = [
        Runs(np.full(len(told.runs), row), *np.array(told.runs, np.int64).T)
        for row, told in memory.items()
        if told.runs
    ]
    seen = union(
        joined(
            Runs(mapped.vmo[file.owner], file.first + mapped.offset[file.owner], file.count),
            Runs(result.vmo[private.owner], private.first, private.count),
            Runs(result.vmo[own.mapping], own.page - base[own.mapping], np.ones_like(own.page)),
            *nodes,
        )
    )
    result.mapped = seen.pages
    result.pages = union(joined(seen, *whole))
    return result


def _add_nodes(families: Families, mapped: MappedVmos, base: Ints, vmos: Vmos) -> list[int]:
    rows: list[int] = []
    for node in families.nodes:
        first = int(node.mappings[0])
        low = int(base[node.mappings].min())
        high = int((base + mapped.pages)[node.mappings].max())
        parent, offset = None, None
        if node.parent >= 0:
            above = families.nodes[node.parent]
            parent, offset = rows[node.parent], low - int(base[above.mappings].min())
        elif not mapped.is_own[first]:
            parent, offset = int(mapped.vmo[first]), low
        name = vmos.rows[int(mapped.vmo[first])].name
        row = vmos.add(
            f"{name}/forked/{mapped.place(first, vmos.page_bytes)}",
            name,
            (high - low) * vmos.page_bytes,
        )
        _attach(vmos, row, parent, offset)
        rows.append(row)
    return rows


def _add_clones(
    families: Families,
    node_rows: list[int],
    private: Runs,
    mapped: MappedVmos,
    base: Ints,
    vmos: Vmos,
    result: PlacedPages,
) -> None:
    """Clones for private mappings with pages of their own, and for all members of families."""
    has_own = np.zeros(len(mapped.vmo), bool)
    has_own[private.owner] = True
    has_own[families.own.mapping] = True
    for at in np.flatnonzero((has_own & ~mapped.is_own) | (families.node_of >= 0)).tolist():
        row, node = int(mapped.vmo[at]), int(families.node_of[at])
        parent, offset = row, int(base[at])
        if node >= 0:
            parent = node_rows[node]
            offset -= int(base[families.nodes[node].mappings].min())
        if not mapped.is_own[at]:
            name, size = vmos.rows[row].name, int(mapped.pages[at]) * vmos.page_bytes
            row = vmos.add(f"{name}/own/{mapped.place(at, vmos.page_bytes)}", name, size)
            result.vmo[at], result.offset[at] = row, 0
        _attach(vmos, row, parent, offset)


def _attach(vmos: Vmos, row: int, parent: int | None, offset: int | None) -> None:
    vmos.rows[row].parent = parent
    if offset is not None:
        vmos.rows[row].parent_offset_bytes = offset * vmos.page_bytes

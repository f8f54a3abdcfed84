"""The memory of everything read, as tables: address spaces, VMOs, pages, entries, handles, kmem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.linux.kmem import Found, kernel_memory
from magmem.linux.memory_files import MemoryFile
from magmem.linux.pages import MappedVmos, PlacedPages, place_pages
from magmem.linux.records import ProcessRecord, Reading
from magmem.linux.runs import Runs, joined
from magmem.linux.same_files import SameFiles
from magmem.linux.smaps import Mappings
from magmem.linux.vmos import PAGE, Vmos

__all__ = ["Memory", "memory_of"]

Ints = npt.NDArray[np.int64]
Columns = dict[str, Any]

_NOTHING = np.array(None, dtype=object)


@dataclass(slots=True)
class Memory:
    """The tables of memory, and what the notes tell of them.

    Attributes
    ----------
    tables : columns by name of table.
    pages_known : whether every page of every VMO is known.
    mapped_bytes : bytes of the pages that some entry holds, each once; None without page frames.
    unplaced : frames whose sharers the tables cannot tell exactly.
    skew_bytes, excess_bytes : what was not read at one moment, as in `KernelMemory`.
    """

    tables: dict[str, Columns]
    pages_known: bool
    mapped_bytes: int | None
    unplaced: int
    skew_bytes: int
    excess_bytes: int


def memory_of(reading: Reading) -> Memory:
    """Make the tables of memory."""
    return _Maker(reading).make()


class _Maker:
    """One step of `memory_of` after another."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.scale = reading.page_bytes // PAGE
        same = reading.entries.same_files if reading.entries is not None else SameFiles()
        self.vmos = Vmos(reading.page_bytes, same)
        self.spaces: list[tuple[ProcessRecord, Mappings]] = [
            (record, record.mappings)
            for record in reading.records
            if record.mappings is not None and len(record.mappings)
        ]

    def make(self) -> Memory:
        """The tables."""
        mapped = self._mapped()
        handles = self._handles()
        files = self._memory_files()
        placed = None
        if self.reading.entries is not None:
            placed = place_pages(self.reading.entries, mapped, self.vmos, files)
            vmo, offset = placed.vmo, placed.offset
        else:
            vmo, offset = self._clones_by_figures(mapped)
        regions, row_of = self._regions(vmo, offset)
        tables = {"aspaces": self._aspaces(), "regions": regions, "handles": handles}
        if placed is not None:
            tables["entries"] = self._entries(placed.entries, row_of)
        pages_known = self._settle_pages(placed, files)
        kernel = kernel_memory(self.reading.machine, self._found(placed))
        first = len(self.vmos.rows)
        for own in kernel.vmos:
            row = self.vmos.add(
                own.id, own.name, own.size_bytes, is_kernel=True, is_wired=own.is_wired
            )
            self.vmos.rows[row].pages_known = placed is not None
            self.vmos.rows[row].reported_committed_bytes = own.size_bytes
        tables["vmos"], tables["kmem"] = self.vmos.columns(), dict(kernel.columns)
        if placed is not None:
            rows = np.arange(first, len(self.vmos.rows))
            sizes = np.array([own.size_bytes // PAGE for own in kernel.vmos], np.int64)
            whole = joined(self._scaled(placed.pages), Runs(rows, np.zeros_like(rows), sizes))
            tables["pages"] = _run_columns("vmo", whole)
        return Memory(
            tables,
            pages_known,
            None if placed is None else placed.mapped * self.reading.page_bytes,
            0 if placed is None else placed.unplaced,
            kernel.skew_bytes,
            kernel.excess_bytes,
        )

    def _mapped(self) -> MappedVmos:
        """The VMO behind each mapping, by the number it got when it was read."""
        page = self.reading.page_bytes
        count = max((record.first_mapping + len(maps) for record, maps in self.spaces), default=0)
        vmo, offset, start, pages, pid = (np.zeros(count, np.int64) for _ in range(5))
        is_own = np.zeros(count, bool)
        for record, maps in self.spaces:
            where = slice(record.first_mapping, record.first_mapping + len(maps))
            size = (maps.end - maps.start).astype(np.int64)
            start[where] = (maps.start // np.uint64(page)).astype(np.int64)
            pages[where] = size // page
            pid[where] = record.pid
            vmo[where], begin, is_own[where] = self.vmos.behind(record.pid, maps)
            offset[where] = begin // page
        return MappedVmos(vmo, offset, start, pages, is_own, pid)

    def _handles(self) -> Columns:
        rows: list[tuple[int, int, str, int | None, int, int | None]] = []
        for record in self.reading.records:
            for descriptor in record.descriptors or ():
                vmo = None
                if descriptor.type == "vmo":
                    vmo = self.vmos.file(descriptor.device, descriptor.inode, descriptor.name)
                koid = None if vmo is None else self.vmos.rows[vmo].koid
                rows.append(
                    (record.pid, descriptor.number, descriptor.type, koid, descriptor.rights, vmo)
                )
        names = ("process_koid", "value", "type", "koid", "rights", "vmo")
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        return {name: list(column) for name, column in zip(names, columns, strict=True)}

    def _memory_files(self) -> dict[int, MemoryFile]:
        """What is known of the files in memory that have a VMO, by its row."""
        files: dict[int, MemoryFile] = {}
        for (device, inode), file in self.reading.memory.found.items():
            row = self.vmos.file_row(device, inode)
            if row is not None:
                vmo = self.vmos.rows[row]
                vmo.size_bytes = max(vmo.size_bytes, file.size_bytes)
                told = file.allocated_bytes if file.resident_bytes is None else file.resident_bytes
                vmo.reported_committed_bytes = told
                if file.is_huge:
                    self.vmos.huge.add(row)
                files[row] = file
        return files

    def _clones_by_figures(self, mapped: MappedVmos) -> tuple[Ints, Ints]:
        """Without page frames: clones where the kernel says that a mapping has own pages."""
        vmo, offset = mapped.vmo.copy(), mapped.offset.copy()
        page = self.reading.page_bytes
        for record, maps in self.spaces:
            anonymous = maps.figure("Anonymous")
            shared = maps.figure("Shared_Clean") + maps.figure("Shared_Dirty")
            # Pages shared since a fork are several processes': whose they are is not known.
            alone = np.where((shared == 0) & (anonymous >= 0), anonymous, -1).tolist()
            low = record.first_mapping
            is_own = mapped.is_own[low : low + len(maps)]
            for at in np.flatnonzero((anonymous > 0) & ~is_own).tolist():
                number, row = low + at, int(vmo[low + at])
                name, size = self.vmos.rows[row].name, int(mapped.pages[number]) * page
                place = mapped.place(number, page)
                vmo[number] = self.vmos.add(f"{name}/own/{place}", name, size)
                clone = self.vmos.rows[int(vmo[number])]
                clone.parent, clone.parent_offset_bytes = row, int(offset[number]) * page
                offset[number] = 0
            for at in np.flatnonzero((anonymous > 0) | is_own).tolist():
                if alone[at] >= 0:
                    self.vmos.rows[int(vmo[low + at])].reported_committed_bytes = alone[at]
        return vmo, offset

    def _settle_pages(self, placed: PlacedPages | None, files: Mapping[int, MemoryFile]) -> bool:
        """Say of each VMO whether all its pages are known; returns whether that holds of all."""
        if placed is None:
            return False
        per_row = placed.pages.per_owner(len(self.vmos.rows)) * self.reading.page_bytes
        for row, (vmo, found) in enumerate(zip(self.vmos.rows, per_row.tolist(), strict=True)):
            file = files.get(row)
            told = 0 if file is None or file.runs is not None else vmo.reported_committed_bytes
            vmo.pages_known = not told or found >= told
        return all(vmo.pages_known for vmo in self.vmos.rows)

    def _found(self, placed: PlacedPages | None) -> Found | None:
        if placed is None:
            return None
        memory = {device for device, _ in self.reading.memory.found}
        memory |= {mount.device for mount in self.reading.machine.mounts}
        in_memory = self.vmos.rows_in_memory(memory)
        sums = dict.fromkeys(("anonymous", "file", "memory_file", "image", "driver", "huge"), 0)
        secret = 0
        by_device: dict[str, int] = {}
        identity_of = self.vmos.identities()
        per_row = placed.pages.per_owner(len(self.vmos.rows)).tolist()
        for row, (vmo, pages) in enumerate(zip(self.vmos.rows, per_row, strict=True)):
            size = pages * self.reading.page_bytes
            if row in self.vmos.huge:
                sort = "huge"
            elif vmo.pages_are_wired:
                sort = "image" if vmo.name.startswith("[v") else "driver"
            elif row in placed.is_anonymous:
                sort = "anonymous"
            elif row in in_memory:
                sort = "memory_file"
                device = identity_of[row][0]
                by_device[device] = by_device.get(device, 0) + size
            else:
                sort = "file"
                secret += size if vmo.id.startswith("/secretmem") else 0
            sums[sort] += size
        descriptors = [one for each in self.reading.records for one in each.descriptors or ()]
        buffers = {one.inode: one.buffer_bytes for one in descriptors if one.buffer_bytes}
        return Found(
            **{f"{sort}_bytes": size for sort, size in sums.items()},
            secret_bytes=secret,
            by_device=by_device,
            found_segments=frozenset(
                inode
                for row, (_, inode) in identity_of.items()
                if self.vmos.rows[row].id.startswith("/SYSV")
            ),
            pipe_bytes=self.reading.pipe_bytes,
            buffer_bytes=sum(buffers.values()),
            in_flight=bool(self.reading.in_flight),
        )

    def _aspaces(self) -> Columns:
        pids = [record.pid for record, _ in self.spaces]
        return {
            "kind": ["user"] * len(pids),
            "process_koid": pids,
            "name": [f"proc:{pid}" for pid in pids],
            "base": [0] * len(pids),
            "size_bytes": [_reach(maps) for _, maps in self.spaces],
            "flags": [0] * len(pids),
        }

    def _regions(self, vmo: Ints, offset: Ints) -> tuple[Columns, Ints]:
        """The regions table, and the row in it of each mapping by its number."""
        lengths = np.array([len(maps) for _, maps in self.spaces], np.int64)
        total = int(lengths.sum()) + len(lengths)
        roots = np.cumsum(lengths + 1) - (lengths + 1)
        is_root = np.zeros(total, bool)
        is_root[roots] = True
        maps_at = np.flatnonzero(~is_root)
        row_of = np.zeros(len(vmo), np.int64)
        number = [np.arange(len(maps)) + record.first_mapping for record, maps in self.spaces]
        order = np.concatenate([np.zeros(0, np.int64), *number])
        row_of[order] = maps_at
        base = np.zeros(total, np.uint64)
        size, resident = np.zeros(total, np.int64), np.full(total, -1)
        pss, swap = resident.copy(), resident.copy()
        perms: list[str | None] = [None] * total
        for root, (_, maps) in zip(roots.tolist(), self.spaces, strict=True):
            where = slice(root + 1, root + 1 + len(maps))
            base[where] = maps.start
            size[root] = _reach(maps) or -1
            size[where] = (maps.end - maps.start).astype(np.int64)
            perms[where] = [text[:3] for text in maps.perms]
            if self.reading.entries is None:
                resident[where] = maps.figure("Rss")
                pss[where] = maps.figure("Pss")
            swap[where] = maps.figure("Swap")
        behind, begin = np.full(total, -1), np.full(total, -1)
        behind[maps_at] = vmo[order]
        begin[maps_at] = offset[order] * self.reading.page_bytes
        return {
            "aspace": np.repeat(np.arange(len(lengths)), lengths + 1),
            "depth": (~is_root).astype(np.int64),
            "kind": np.where(is_root, 0, 1),
            "base": base,
            "size_bytes": _known(size),
            "name": np.where(is_root, "root", _NOTHING),
            "vmo": _known(behind),
            "vmo_offset_bytes": _known(begin),
            "perms": np.array(perms, dtype=object),
            "reported_resident_bytes": _known(resident),
            "reported_pss_bytes": _known(pss),
            "reported_swap_bytes": _known(swap),
        }, row_of

    def _entries(self, entries: Runs, row_of: Ints) -> Columns:
        region = row_of[entries.owner]
        order = np.argsort(region, kind="stable")
        return _run_columns(
            "region",
            self._scaled(Runs(region[order], entries.first[order], entries.count[order])),
        )

    def _scaled(self, runs: Runs) -> Runs:
        """Pages of the machine as pages of the tables."""
        return Runs(runs.owner, runs.first * self.scale, runs.count * self.scale)


def _reach(maps: Mappings) -> int | None:
    """The size of an address space: the power of two that holds its last mapping."""
    size = 1 << (int(maps.end[-1]) - 1).bit_length()
    return size if size < 1 << 63 else None


def _known(values: Ints) -> Any:
    """An ``Int64`` array; below 0 is missing."""
    return pd.arrays.IntegerArray(values, values < 0)


def _run_columns(owner: str, runs: Runs) -> Columns:
    return {owner: runs.owner, "first_page": runs.first, "page_count": runs.count}

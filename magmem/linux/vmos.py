"""Which VMO stands behind each mapping, and the rows of the vmos table.

- A file, a memfd, shared memory: one VMO by device and inode, whoever maps it.
- Anonymous memory (``[heap]``, ``[stack]``, unnamed): a VMO of its own for each mapping.
- A private mapping of a file with pages of its own: a clone of the file's VMO.
- What the kernel maps into every process (``[vdso]``): one VMO, with wired pages.
- Device memory: a physical VMO, which is no RAM.

Names are file names without folders, at most 31 bytes; the id is the path. Koids are made up, as
Linux has none. They lie above `VMO_KOID` and follow from device and inode, or from process and
address, so that two captures of one machine agree and can be compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from magmem.linux.procfs import shown
from magmem.linux.same_files import SameFiles
from magmem.linux.smaps import Mappings

__all__ = ["IN_MEMORY", "PAGE", "VMO_KOID", "Vmo", "Vmos"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

VMO_KOID = 20_000_000
"""Koids of VMOs lie above; pids end far below (at 4,194,304)."""

SPREAD = 79_000_000
"""So far above at most, below those of threads."""

PAGE = 4096
"""Bytes of a page of the snapshot's tables."""

MAX_BYTES = 1 << 62

SHARED_BY_ALL = {"[vdso]", "[vvar]", "[vvar_vclock]", "[vectors]", "[sigpage]"}

IN_MEMORY = re.compile(r"/(memfd:|SYSV|dev/shm/|dev/zero \(deleted\))")
"""Files that are in no file system on disk, by the names the kernel gives them."""

_DRIVER = re.compile(r"/dev/(?!shm/|zero|hugepages/)|socket:|anon_inode:")
_DELETED = " (deleted)"


@dataclass(slots=True)
class Vmo:
    """A row of the vmos table in the making; fields as there."""

    id: str
    name: str
    size_bytes: int
    koid: int
    kind: str = "paged"
    pages_are_wired: bool = False
    parent: int | None = None
    parent_offset_bytes: int | None = None
    pages_known: bool = False
    reported_committed_bytes: int | None = None


class Vmos:
    """The VMOs met so far.

    Parameters
    ----------
    page_bytes : int
        Bytes of a page of the machine.
    same : SameFiles
        Which files are one, whatever their device and inode.

    Attributes
    ----------
    rows : list of Vmo
        In the order of the table.
    huge : set of int
        Rows of those with huge pages of the reserved pool.
    """

    def __init__(self, page_bytes: int = PAGE, same: SameFiles | None = None) -> None:
        self.page_bytes = page_bytes
        self.same = same or SameFiles()
        self.huge: set[int] = set()
        self.rows: list[Vmo] = []
        self._row_of: dict[tuple[str, int], int] = {}
        self._ids: set[str] = set()
        self._koids: set[int] = set()
        self._in_memory: set[int] = set()

    def add(
        self,
        vmo_id: str,
        name: str,
        size_bytes: int,
        *,
        kind: str = "paged",
        is_wired: bool = False,
        is_kernel: bool = False,
        identity: str = "",
    ) -> int:
        """A new VMO; returns its row.

        The koid follows from `identity`, else from the id; the kernel's own have koid 0.
        """
        unique, count = vmo_id, 1
        while unique in self._ids:
            count += 1
            unique = f"{vmo_id}#{count}"
        self._ids.add(unique)
        row = len(self.rows)
        koid = 0 if is_kernel else self._koid(identity or unique)
        self.rows.append(Vmo(unique, name, size_bytes, koid, kind, is_wired))
        return row

    def _koid(self, identity: str) -> int:
        koid = VMO_KOID + 1 + crc32(identity.encode()) % SPREAD
        while koid in self._koids:
            koid += 1
        self._koids.add(koid)
        return koid

    def file(self, device: str, inode: int, path: str) -> int:
        """The VMO of a file, also of one met before."""
        device, inode = self.same.identity(device, inode, path)
        row = self._row_of.get((device, inode))
        if row is None:
            row = self.add(
                path or f"{device}:{inode}",
                _short(path),
                0,
                is_wired=_DRIVER.match(path) is not None,
                identity=f"{device}:{inode}",
            )
            self._row_of[device, inode] = row
            if IN_MEMORY.match(path) or (device, inode) in self.same.in_memory:
                self._in_memory.add(row)
        return row

    def file_row(self, device: str, inode: int) -> int | None:
        """The row of a file met before."""
        return self._row_of.get((device, inode))

    def identities(self) -> dict[int, tuple[str, int]]:
        """Device and inode of each file, by its row."""
        return {
            row: (device, inode)
            for (device, inode), row in self._row_of.items()
            if device not in SHARED_BY_ALL
        }

    def rows_in_memory(self, devices: set[str]) -> set[int]:
        """The rows of files that live in memory: by their name, or on one of these devices."""
        there = {row for (device, _), row in self._row_of.items() if device in devices}
        return there | self._in_memory

    def behind(self, pid: int, maps: Mappings) -> tuple[Ints, Ints, Bools]:
        """The VMOs behind the mappings of a process.

        Parameters
        ----------
        pid : int
            Part of the ids of anonymous VMOs.
        maps : Mappings

        Returns
        -------
        rows, offset_bytes : int64 arrays
            Row of each VMO, and where in it the mapping begins.
        is_own : bool array
            Whether the VMO is new and this mapping's alone.
        """
        size = (maps.end - maps.start).astype(np.int64)
        far = (maps.offset_bytes >= MAX_BYTES).tolist()
        known, other = self._row_of.get, self.same.identity_of.get
        rows = [
            known(other((device, inode, name)) or (device, inode), -1)
            if inode and not is_far
            else -1
            for device, inode, name, is_far in zip(
                maps.device, maps.inode, maps.name, far, strict=True
            )
        ]
        is_own = np.zeros(len(rows), bool)
        for at, row in enumerate(rows):
            if row < 0:
                rows[at], is_own[at] = self._new(pid, maps, at, int(size[at]), far[at])
        found = np.array(rows, np.int64)
        self.huge.update(row for row, flags in zip(rows, maps.flags, strict=True) if " ht" in flags)
        offset = np.where(far, 0, maps.offset_bytes).astype(np.int64) // PAGE * PAGE
        at_start = is_own | [name in SHARED_BY_ALL for name in maps.name]
        offset[at_start] = 0
        reached = np.lexsort((offset + size, found))
        last = np.append(np.diff(found[reached]) != 0, True)[: len(reached)]
        for row, reach in zip(
            found[reached[last]].tolist(), (offset + size)[reached[last]].tolist(), strict=True
        ):
            vmo = self.rows[row]
            vmo.size_bytes = max(vmo.size_bytes, reach)
        return found, offset, is_own

    def _new(
        self, pid: int, maps: Mappings, at: int, size_bytes: int, is_far: bool
    ) -> tuple[int, bool]:
        """The VMO of a mapping whose file was not met before, and whether it is its own."""
        name, device, inode = maps.name[at], maps.device[at], maps.inode[at]
        kind = "physical" if _is_device(maps.flags[at]) else "paged"
        if inode and not is_far and not name.startswith("anon_inode:"):
            row = self.file(device, inode, name)
            if kind == "physical":
                self.rows[row].kind, self.rows[row].pages_are_wired = kind, False
            return row, False
        if name in SHARED_BY_ALL:
            key = (name, size_bytes)
            if key not in self._row_of:
                is_wired = kind == "paged"
                self._row_of[key] = self.add(name, name, size_bytes, kind=kind, is_wired=is_wired)
            return self._row_of[key], False
        short = _short(name) or "[anon]"
        vmo_id = f"{short}/{pid}/{int(maps.start[at]):x}"
        is_wired = name.startswith("anon_inode:")
        return self.add(vmo_id, short, size_bytes, kind=kind, is_wired=is_wired), True

    def columns(self) -> dict[str, list[Any]]:
        """The columns of the vmos table."""
        rows = self.rows
        return {
            "id": [row.id for row in rows],
            "koid": [row.koid for row in rows],
            "kind": [row.kind for row in rows],
            "name": [row.name for row in rows],
            "size_bytes": [row.size_bytes for row in rows],
            "is_clone": [row.parent is not None for row in rows],
            "parent": [row.parent for row in rows],
            "parent_koid": [None if row.parent is None else rows[row.parent].koid for row in rows],
            "parent_offset_bytes": [row.parent_offset_bytes for row in rows],
            "pages_are_wired": [row.pages_are_wired for row in rows],
            "pages_known": [row.pages_known for row in rows],
            "reported_committed_bytes": [row.reported_committed_bytes for row in rows],
        }


@lru_cache(maxsize=4096)
def _is_device(flags: str) -> bool:
    """Whether VmFlags tell of memory without page frames: devices, the kernel's clock pages."""
    return not {"pf", "io"}.isdisjoint(flags.split())


@lru_cache(maxsize=4096)
def _short(path: str) -> str:
    """A VMO's name: the last part of a path, without what the kernel adds to nameless files."""
    if not path.startswith("/"):
        return shown(path, 31)
    bare = path.removesuffix(_DELETED)
    if bare == "/dev/zero" and bare != path:
        return "shared anonymous"
    if bare.startswith(("/memfd:", "/SYSV", "/[aio]")):
        return shown(bare[1:], 31)
    name = bare.rpartition("/")[2]
    return shown(name + path[len(bare) :], 31)

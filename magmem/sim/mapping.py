"""A mapping: a range of an address space that shows a range of a VMO.

It may go past the VMO's end; touching there faults. A page fault installs a page-table entry for
the page in this mapping; which pages have one is kept as runs (`entries`). An access that faults
half-way leaves the pages before the fault as it made them; one for whose last page there is too
little memory leaves even the first page untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from magmem.errors import AccessDenied, BadState, OutOfRange, PageFault
from magmem.sim import commit, vdso, vmo_access
from magmem.sim.arguments import bytes_of, flag, shown, size_of
from magmem.sim.heap import MAPPING_BYTES
from magmem.sim.perms import ACCESS_NAMES, EXECUTE, PERMS_TEXT, READ, WRITE
from magmem.sim.physical import FREE
from magmem.sim.runs import Run, RunSet
from magmem.sim.vmo import Vmo, release_vmo
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.vmar import Vmar

__all__ = ["Mapping", "access_of", "fault", "install"]

TOUCH_PAGES = 4
"""Most pages that touching one page takes: itself and a table of each level."""


class Mapping:
    """One mapping; made by `Process.map` or `Vmar.map`.

    Attributes
    ----------
    base, size_bytes : int
        The range; whole pages.
    vmo : Vmo
        What it shows.
    vmo_first : int
        Page of the VMO at which it begins.
    mask, allowed : int
        Permissions now, and the most `protect` may give: the VMAR's, and the rights of the handle
        it was mapped with.
    serial : int
        Creation number, unique in the machine.
    cache : int
        Cache policy bits of the raw flags: 0 cached, 1 uncached, 2 device, 3 write combining.
    vmar, aspace : Vmar, AddressSpace
        Where it lies.
    """

    __slots__ = (
        "alive",
        "allowed",
        "aspace",
        "base",
        "cache",
        "entries",
        "mask",
        "serial",
        "size_bytes",
        "vmar",
        "vmo",
        "vmo_first",
    )

    def __init__(
        self, vmar: Vmar, base: int, size_bytes: int, vmo: Vmo, vmo_first: int, mask: int,
        allowed: int, cache: int = 0,
    ) -> None:  # fmt: skip
        self.vmar = vmar
        self.aspace = vmar.aspace
        self.base = base
        self.size_bytes = size_bytes
        self.vmo = vmo
        self.vmo_first = vmo_first
        self.mask = mask
        self.allowed = allowed
        self.cache = cache
        self.entries: RunSet | None = None
        self.alive = True
        self.serial = vmar.machine.heap.take(MAPPING_BYTES)
        vmo.mappings[self] = None

    @property
    def end(self) -> int:
        """First address after it."""
        return self.base + self.size_bytes

    @property
    def perms(self) -> str:
        """Permissions as `vmaps` prints them, such as ``rw-``."""
        return PERMS_TEXT[self.mask]

    @property
    def name(self) -> str:
        """The VMO's name: mappings have none of their own."""
        return self.vmo.name

    @property
    def vmo_offset_bytes(self) -> int:
        """Where in the VMO the mapping begins."""
        return self.vmo_first * PAGE_BYTES

    @property
    def map_seq(self) -> int:
        """Creation number: newer mappings have higher ones."""
        return self.serial

    @property
    def installed(self) -> list[tuple[int, int]]:
        """Runs of pages with a page-table entry: (first page in the mapping, count)."""
        return [] if self.entries is None else [(s, e - s) for s, e in self.entries.runs()]

    @property
    def resident_bytes(self) -> int:
        """The VMO's own committed pages in the range: `:res` of `vmaps`."""
        first = self.vmo_first
        end = min(first + self.size_bytes // PAGE_BYTES, self.vmo.page_limit)
        return sum(e - s for s, e in self.vmo.pages.overlap(first, end)) * PAGE_BYTES

    def touch(
        self,
        length: int | str | None = None,
        *,
        offset: int | str = 0,
        write: bool = False,
        execute: bool = False,
    ) -> int:
        """Access every page of a part of the mapping; returns the pages newly committed.

        Parameters
        ----------
        length : int or str, optional
            Bytes from `offset` on; the rest of the mapping if not given.
        offset : int or str
            Bytes from the mapping's first.
        write, execute : bool
            The kind of access; read if neither.

        Raises
        ------
        PageFault
            The first page that may not be accessed so, and why; the pages before it have been.
        NoMemory
            Not all pages can be committed; nothing has changed.
        """
        if type(offset) is not int or offset < 0:
            offset = size_of(offset, "offset")
        if length is None:
            length = max(0, self.size_bytes - offset)
        elif type(length) is not int or length < 0:
            length = size_of(length, "length")
        quick = write is True and execute is False
        access = WRITE if quick else access_of(write, execute)
        at = self.base + offset
        taken = 0
        if length:
            try:
                taken = fault(self, offset >> 12, (offset + length + 4095) >> 12, access, at)
            except PageFault as refusal:
                if refusal.address > at:
                    self.aspace.touch(at, refusal.address - at, access)
                raise
        elif not self.alive:
            raise PageFault(at, ACCESS_NAMES[access], "no mapping")
        machine = self.aspace.machine
        if machine.recording:
            koid = self.aspace.koid
            machine.record("touch", koid, koid, self.base + offset, length, access)
        return taken

    def read(self, offset: int | str = 0, length: int | str | None = None) -> bytes:
        """Bytes seen through the mapping; faults as a read touch does."""
        offset = size_of(offset, "offset")
        size = max(0, self.size_bytes - offset) if length is None else size_of(length, "length")
        inside = self._inside(offset, size, READ)
        data = self.aspace.read(self.base + offset, inside)
        if inside < size:
            raise self._past(offset, READ)
        return data

    def write(self, offset: int | str, data: bytes) -> int:
        """Write bytes through the mapping; returns the pages newly committed."""
        offset = size_of(offset, "offset")
        data = bytes_of(data)
        inside = self._inside(offset, len(data), WRITE)
        taken = self.aspace.write(self.base + offset, data[:inside])
        if inside < len(data):
            raise self._past(offset, WRITE)
        return taken

    def decommit(self, offset: int | str = 0, length: int | str | None = None) -> int:
        """Free pages of the VMO behind a part of the mapping; returns how many. Needs no right.

        Raises
        ------
        BadState
            It is no longer mapped, or a page of the range is pinned.
        OutOfRange
            The range leaves the mapping, or starts past the VMO's end.
        AccessDenied
            Data of the kernel, whose pages cannot be given up.
        """
        offset = size_of(offset, "offset")
        size = max(0, self.size_bytes - offset) if length is None else size_of(length, "length")
        if not self.alive:
            raise BadState(f"{self!r} is no longer mapped")
        if offset + size > self.size_bytes:
            raise OutOfRange(f"{shown(size)} bytes at {shown(offset)} leave {self!r}")
        vmo = self.vmo
        vmo_access.require_paged(vmo, "decommitting")
        start = self.vmo_offset_bytes + offset
        inside = vmo_access.trim(vmo, start, size)
        vmo.need_changeable("decommitting")
        freed = commit.decommit(vmo, *vmo_access.page_range(start, inside))
        machine = self.aspace.machine
        if machine.recording:
            koid = self.aspace.koid
            machine.record("decommit_range", koid, koid, self.base, offset, size)
        return freed

    def unmap(self) -> None:
        """Take the whole mapping out of its address space."""
        if not self.alive:
            raise BadState(f"{self!r} is no longer mapped")
        if self.vmar.held:
            raise AccessDenied("the kernel keeps its own mappings")
        vdso.check_spared(self.aspace, self.base, self.end)
        vmar = self.vmar
        vmar.remove_child(self)
        self.detach()
        machine = vmar.machine
        if machine.recording:
            koid = self.aspace.koid
            machine.record("unmap", koid, koid, vmar.koid, self.base, self.size_bytes)

    def protect(self, perms: str) -> None:
        """Change the permissions of the whole mapping."""
        if not self.alive:
            raise BadState(f"{self!r} is no longer mapped")
        self.vmar.protect(self.base, self.size_bytes, perms)

    def detach(self) -> None:
        """Drop the entries and the reference to the VMO; the VMAR has let it go."""
        self.alive = False
        aspace = self.aspace
        entries = self.entries
        if entries is not None:
            first = self.base >> 12
            for start, end in zip(entries.starts, entries.ends, strict=True):
                if end - start == 1:
                    aspace.tables.remove_page(first + start)
                else:
                    aspace.tables.remove(first + start, first + end)
            self.entries = None
        aspace.heap.used -= MAPPING_BYTES
        vmo = self.vmo
        del vmo.mappings[self]
        if not vmo.mappings:
            release_vmo(vmo)

    def drop(self, start: int, end: int) -> None:
        """Remove the page-table entries of pages ``[start, end)`` of the mapping, where there."""
        if self.entries is not None:
            first = self.base >> 12
            for s, e in self.entries.remove(start, end):
                self.aspace.tables.remove(first + s, first + e)

    def take_entries(self, start: int, end: int) -> RunSet | None:
        """Entries of pages ``[start, end)`` alone, renumbered from 0; tables stay as they are."""
        if self.entries is None:
            return None
        part = RunSet()
        for s, e in self.entries.remove(start, end):
            part.add(s - start, e - start)
        return part

    def check(self, end: int, access: int, at: int) -> None:
        """Raise `PageFault` unless it may be accessed from address `at` up to page `end`."""
        if (
            not self.mask & access
            or (end << 12) > self.size_bytes
            or end + self.vmo_first > self.vmo.page_limit
            or not self.alive
        ):
            raise _refusal(self, end, access, at)

    def _inside(self, offset: int, length: int, access: int) -> int:
        """How much of a range lies in the mapping; a fault if not even its first byte does."""
        if not self.alive:
            raise PageFault(self.base + offset, ACCESS_NAMES[access], "no mapping")
        if offset + length > self.size_bytes and offset >= self.size_bytes:
            raise self._past(offset, access)
        return min(length, self.size_bytes - offset) if length else 0

    def _past(self, offset: int, access: int) -> PageFault:
        bad = self.base + max(offset, self.size_bytes)
        return PageFault(bad, ACCESS_NAMES[access], "past the end of the mapping")

    def __repr__(self) -> str:
        return f"<Mapping {self.base:#x}-{self.end:#x} {self.perms} of {self.vmo!r}>"


def access_of(write: bool, execute: bool) -> int:
    """The kind of an access: write before execute, read if it is neither."""
    flag(execute, "execute")
    return WRITE if flag(write, "write") else EXECUTE if execute else READ


def fault(mapping: Mapping, start: int, end: int, access: int, at: int) -> int:
    """Make pages ``[start, end)`` of a mapping accessible; returns the pages newly committed.

    `at` is the first address accessed; it lies in page `start`.

    Raises
    ------
    PageFault, NoMemory
        As `Mapping.touch`; nothing has changed.
    """
    mapping.check(end, access, at)
    vmo = mapping.vmo
    first = mapping.vmo_first
    entries = mapping.entries
    if access == WRITE and vmo.phys_base is None:
        if end - start > 1:
            segments, needed = commit.plan(vmo, start + first, end + first)
            if needed:
                return _commit_and_install(mapping, start, end, segments, needed)
        elif start + first not in vmo.pages:
            if vmo.parent is None and mapping.aspace.physical.counts[FREE] > TOUCH_PAGES:
                commit.commit_page(vmo, start + first)
                _install_page(mapping, start)
                return 1
            segments, needed = commit.plan(vmo, start + first, end + first)
            return _commit_and_install(mapping, start, end, segments, needed)
    if end - start == 1:
        if entries is None or start not in entries:
            _install_page(mapping, start)
        return 0
    gaps = [(start, end)] if entries is None else entries.gaps(start, end)
    if gaps:
        install(mapping, gaps)
    return 0


def _install_page(mapping: Mapping, page: int) -> None:
    mapping.aspace.tables.install_page((mapping.base >> 12) + page)
    if mapping.entries is None:
        mapping.entries = RunSet(page, page + 1)
    else:
        mapping.entries.add(page, page + 1)


def _commit_and_install(
    mapping: Mapping, start: int, end: int, segments: list[commit.Segment], needed: int
) -> int:
    entries = mapping.entries
    gaps = [(start, end)] if entries is None else entries.gaps(start, end)
    page = mapping.base >> 12
    lack = mapping.aspace.tables.lacking([(page + s, page + e) for s, e in gaps])
    mapping.aspace.physical.require(needed + lack, "the fault")
    commit.execute(mapping.vmo, segments)
    # Committing dropped the entries of what was committed, so they are looked at again.
    if entries is None:
        entries = mapping.entries = RunSet()
    else:
        gaps = entries.gaps(start, end)
    for s, e in gaps:
        mapping.aspace.tables.install(page + s, page + e)
    entries.add(start, end)
    return needed


def install(mapping: Mapping, gaps: list[Run]) -> None:
    """Add entries for pages of a mapping that have none.

    Raises
    ------
    NoMemory
        Not all table pages fit; nothing has changed.
    """
    tables = mapping.aspace.tables
    page = mapping.base >> 12
    lack = tables.lacking([(page + s, page + e) for s, e in gaps])
    mapping.aspace.physical.require(lack, "the page table")
    if mapping.entries is None:
        mapping.entries = RunSet()
    for s, e in gaps:
        tables.install(page + s, page + e)
        mapping.entries.add(s, e)


def _refusal(mapping: Mapping, end: int, access: int, at: int) -> PageFault:
    kind = ACCESS_NAMES[access]
    if not mapping.alive:
        return PageFault(at, kind, "no mapping")
    if not mapping.mask & access:
        able = {READ: "readable", WRITE: "writable", EXECUTE: "executable"}[access]
        return PageFault(at, kind, f"mapping is not {able}")
    inside = mapping.size_bytes // PAGE_BYTES
    limit = mapping.vmo.page_limit - mapping.vmo_first
    if limit < min(end, inside):
        bad = max(at, mapping.base + limit * PAGE_BYTES)
        return PageFault(bad, kind, "past the end of the VMO")
    return PageFault(max(at, mapping.end), kind, "past the end of the mapping")

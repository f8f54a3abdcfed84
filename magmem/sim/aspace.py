"""An address space: its tree of VMARs and mappings, its page tables, and access by address.

The kernel has one, every living process has one. An access may span several mappings. Where it
faults half-way, the pages before the fault stay as the access left them, and that much is recorded
(reference/kernel.md "VMARs and mappings"); where memory runs out, nothing has happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.errors import BadState, NoMemory, PageFault
from magmem.sim import commit, vmo_access
from magmem.sim.arguments import bytes_of, shown, shown_hex
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.mapping import Mapping, fault
from magmem.sim.pagetable import PageTables
from magmem.sim.perms import ACCESS_NAMES, READ, WRITE
from magmem.sim.vmar import Vmar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from magmem.sim.machine import Machine
    from magmem.sim.process import Process

__all__ = ["USER_BASE", "USER_SIZE", "AddressSpace"]

USER_BASE: Final = 0x1000000
"""First address of a process (reference/kernel.md "Tasks")."""

USER_SIZE: Final = 0x7FFFFEFFF000
"""Length of a process's range."""


Part = tuple[Mapping, int, int]
"""A mapping, and the addresses of an access that lie in it, half open."""


class AddressSpace:
    """One address space.

    Attributes
    ----------
    koid : int
        The process it belongs to; 0 for the kernel's.
    name : str
        ``kernel`` or ``proc:KOID``.
    root : Vmar
        The VMAR over the whole range.
    tables : PageTables
        Its page tables.
    vdso_code : Mapping or None
        Where the vDSO's code is mapped (`magmem.sim.vdso`).
    """

    __slots__ = (
        "alive",
        "base",
        "heap",
        "koid",
        "machine",
        "name",
        "physical",
        "process",
        "root",
        "serial",
        "size_bytes",
        "tables",
        "vdso_code",
    )

    def __init__(
        self, machine: Machine, process: Process | None, base: int, size_bytes: int, root_koid: int
    ) -> None:
        self.machine = machine
        self.physical = machine.physical
        self.heap = machine.heap
        self.process = process
        self.koid = 0 if process is None else process.koid
        self.name = "kernel" if process is None else f"proc:{self.koid}"
        self.base = base
        self.size_bytes = size_bytes
        self.alive = True
        self.vdso_code: Mapping | None = None
        # The kernel's own address space and root VMAR are part of its image, not of the heap.
        self.serial = -1 if process is None else machine.heap.take(HEAP_BYTES["address space"])
        self.tables = PageTables(machine.physical)
        self.root = Vmar(self, None, "root", base, size_bytes, 7, specific=True, koid=root_koid)

    @property
    def table_pages(self) -> int:
        """Page-table pages, the top table included."""
        return self.tables.pages

    def mappings(self) -> Iterator[Mapping]:
        """Every mapping, in address order."""
        pending: list[Vmar | Mapping] = [self.root]
        while pending:
            region = pending.pop()
            if isinstance(region, Mapping):
                yield region
            else:
                pending += reversed(region.children)

    def vmars(self) -> Iterator[Vmar]:
        """Every VMAR, depth first in address order, the root first."""
        pending = [self.root]
        while pending:
            vmar = pending.pop()
            yield vmar
            pending += [
                child for child in reversed(vmar.children) if not isinstance(child, Mapping)
            ]

    def find(self, address: int) -> Mapping | None:
        """The mapping at an address, if there is one."""
        vmar = self.root
        while True:
            child = vmar.child_at(address)
            if child is None or isinstance(child, Mapping):
                return child
            vmar = child

    def touch(self, address: int, length: int, access: int) -> int:
        """Access every page of a range; returns the pages newly committed.

        Raises
        ------
        PageFault
            The first address that may not be accessed so; the pages before it have been.
        NoMemory
            Not everything fits; nothing has changed.
        """
        parts, refusal = self._parts(address, length, access)
        self._require(parts, access)
        taken = sum(
            fault(mapping, at - mapping.base >> 12, (stop - mapping.base + 4095) >> 12, access, at)
            for mapping, at, stop in parts
        )
        if parts or refusal is None:
            done = length if refusal is None else parts[-1][2] - address
            self._record("touch", address, done, access)
        if refusal is not None:
            raise refusal
        return taken

    def read(self, address: int, length: int) -> bytes:
        """Bytes of a range, after a read fault on every page of it."""
        if length > vmo_access.MAX_READ_BYTES:
            raise NoMemory(
                f"reading {shown(length)} bytes at once: {vmo_access.MAX_READ_BYTES} are the most"
            )
        parts, refusal = self._parts(address, length, READ)
        self._bytes_only(parts)
        self._require(parts, READ)
        data = b""
        for mapping, at, stop in parts:
            fault(mapping, at - mapping.base >> 12, (stop - mapping.base + 4095) >> 12, READ, at)
            offset = at - mapping.base + mapping.vmo_offset_bytes
            data += vmo_access.read_pages(mapping.vmo, offset, stop - at)
        if parts or refusal is None:
            self._record("read", address, len(data))
        if refusal is not None:
            raise refusal
        return data

    def write(self, address: int, data: bytes) -> int:
        """Write bytes to a range, after a write fault on every page; returns pages committed."""
        data = bytes_of(data)
        parts, refusal = self._parts(address, len(data), WRITE)
        self._bytes_only(parts)
        self._require(parts, WRITE)
        taken = 0
        # In address order: a later page may be a clone's, which copies what was just written.
        for mapping, at, stop in parts:
            start, end = at - mapping.base >> 12, (stop - mapping.base + 4095) >> 12
            taken += fault(mapping, start, end, WRITE, at)
            offset = at - mapping.base + mapping.vmo_offset_bytes
            vmo_access.store(mapping.vmo, offset, data[at - address : stop - address])
        if parts or refusal is None:
            done = data if refusal is None else data[: parts[-1][2] - address]
            self._record("write", address, done)
        if refusal is not None:
            raise refusal
        return taken

    def decommit(self, base: int, offset: int, length: int) -> int:
        """`Mapping.decommit` of the mapping that begins at `base`."""
        mapping = self.find(base)
        if mapping is None:
            raise BadState(f"nothing is mapped at {shown_hex(base)}")
        return mapping.decommit(offset, length)

    def destroy(self) -> None:
        """Unmap everything and free the page tables."""
        if self.root.alive:
            self.root.clear()
            self.root.die()
        self.tables.destroy()
        self.heap.used -= HEAP_BYTES["address space"]
        self.alive = False

    def _record(self, op: str, *args: object) -> None:
        if self.machine.recording:
            self.machine.record(op, self.koid, self.koid, *args)

    def _bytes_only(self, parts: list[Part]) -> None:
        for mapping, _, _ in parts:
            vmo_access.require_paged(mapping.vmo, "bytes")

    def _parts(self, address: int, length: int, access: int) -> tuple[list[Part], PageFault | None]:
        """The mappings a range meets, with the addresses in each, up to the first fault if any.

        A fault is at a gap, or where a mapping may not be accessed so.
        """
        parts: list[Part] = []
        end = address + length
        while address < end:
            mapping = self.find(address)
            if mapping is None:
                return parts, PageFault(address, ACCESS_NAMES[access], "no mapping")
            stop = min(end, mapping.end)
            try:
                mapping.check((stop - mapping.base + 4095) >> 12, access, address)
            except PageFault as refusal:
                if refusal.address > address:
                    parts.append((mapping, address, refusal.address))
                return parts, refusal
            parts.append((mapping, address, stop))
            address = stop
        return parts, None

    def _require(self, parts: list[Part], access: int) -> None:
        """Raise `NoMemory` unless all of it can be done; nothing has been done yet.

        Pages that two of the mappings share are required twice over, so an access may be refused
        although its last few pages would just have fitted.
        """
        if len(parts) < 2:
            return
        needed = 0
        missing: list[tuple[int, int]] = []
        for mapping, at, stop in parts:
            start, end = at - mapping.base >> 12, (stop - mapping.base + 4095) >> 12
            if access == WRITE and mapping.vmo.phys_base is None:
                first = mapping.vmo_first
                needed += commit.plan(mapping.vmo, start + first, end + first)[1]
            page = mapping.base >> 12
            gaps = [(start, end)] if mapping.entries is None else mapping.entries.gaps(start, end)
            missing += [(page + s, page + e) for s, e in gaps]
        self.physical.require(needed + self.tables.lacking(missing), "the access")

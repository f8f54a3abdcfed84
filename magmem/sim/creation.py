"""What a process can make: VMOs of each kind, and every other type of object.

Each call puts one handle (for types with two ends: two) into the process's table and gives the
object the next koid. It is refused as a whole if the kernel lacks heap or handle arena for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from magmem.errors import AccessDenied, InvalidArgs
from magmem.sim.arguments import WORD, aligned, name_text, shown, shown_hex, size_of, text_of
from magmem.sim.handle import Handle, KernelObject
from magmem.sim.handle_table import object_type
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.objects import OTHER_TYPES, SINGLE_TYPES, Object, Port, PortHandle
from magmem.sim.physical import OBJECT
from magmem.sim.pins import PinCounts
from magmem.sim.rights import VDSO_RIGHTS, default_rights, parse_rights
from magmem.sim.vmar import Vmar
from magmem.sim.vmo import MAX_VMO_BYTES, Vmo
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.handle_table import HandleTable
    from magmem.sim.machine import Machine
    from magmem.sim.vmo_handle import VmoHandle

__all__ = ["Creation"]


class Creation:
    """The making half of `magmem.sim.process.Process`."""

    __slots__ = ()

    if TYPE_CHECKING:
        machine: Machine
        koid: int
        table: HandleTable

        def need_new_objects(self) -> None:
            """Raise `BadState` for a process that may not make new objects."""

    def create_vmo(self, size: int | str, name: str = "", *, koid: int | None = None) -> VmoHandle:
        """A paged VMO; nothing is committed.

        Returns
        -------
        VmoHandle
            With the six rights and get and set property.

        Raises
        ------
        InvalidArgs
            Larger than a VMO can be.
        NoMemory, NoResources
            No heap, or no handle, for it.
        """
        size_bytes = size_of(size)
        text = name_text(name)
        new_koid = self._vmo_koid(size_bytes, koid, "paged vmo")
        handle = self._vmo_handle(Vmo(self.machine, size_bytes, text, new_koid))
        self._made("create_vmo", size_bytes, text, new_koid)
        return handle

    def create_contiguous_vmo(
        self,
        size: int | str,
        name: str = "",
        *,
        alignment_bytes: int | str = PAGE_BYTES,
        koid: int | None = None,
    ) -> VmoHandle:
        """A VMO committed at once in one physical run, whose pages stay pinned for good.

        Raises
        ------
        InvalidArgs
            Size 0, or an alignment that is no power of two of a page or more.
        NoMemory
            No such run of free pages.
        """
        size_bytes = size_of(size)
        alignment = size_of(alignment_bytes, "alignment_bytes")
        text = name_text(name)
        if alignment < PAGE_BYTES or alignment & (alignment - 1):
            raise InvalidArgs(
                f"expected an alignment of 4096 × a power of two, found {shown(alignment)}"
            )
        if not size_bytes:
            raise InvalidArgs("a contiguous VMO needs a size above 0")
        new_koid = self._vmo_koid(size_bytes, koid, "paged vmo", keep=True)
        machine = self.machine
        pages = -(-size_bytes // PAGE_BYTES)
        # What else the call needs may come out of the very run, so the run is taken first.
        frame, _ = machine.physical.take_contiguous(pages, alignment // PAGE_BYTES, OBJECT)
        machine.use_koid(new_koid)
        vmo = Vmo(machine, size_bytes, text, new_koid)
        vmo.pages.add(0, pages, frame)
        vmo.fixed_pages = pages
        vmo.pins = PinCounts()
        vmo.pins.change(0, pages, 1)
        handle = self._vmo_handle(vmo)
        self._made("create_contiguous_vmo", size_bytes, text, alignment, new_koid)
        return handle

    def create_physical_vmo(
        self, phys_base: int, size: int | str, name: str = "", *, koid: int | None = None
    ) -> VmoHandle:
        """A VMO over a raw physical range, such as a device; it uses no RAM.

        Raises
        ------
        InvalidArgs
            Base or size not page aligned, or size 0.
        """
        size_bytes = aligned(size_of(size), "the size of a physical VMO")
        base = aligned(size_of(phys_base, "phys_base"), "the physical base")
        text = name_text(name)
        if not size_bytes:
            raise InvalidArgs("a physical VMO needs a size above 0")
        if base + size_bytes > WORD:
            raise InvalidArgs(f"the physical range ends past 2^64: {shown_hex(base)}")
        new_koid = self._vmo_koid(size_bytes, koid, "physical vmo")
        handle = self._vmo_handle(Vmo(self.machine, size_bytes, text, new_koid, phys_base=base))
        self._made("create_physical_vmo", base, size_bytes, text, new_koid)
        return handle

    def create_channel(self) -> tuple[Handle, Handle]:
        """Both ends of a channel."""
        return self._create_pair("channel")

    def create_eventpair(self) -> tuple[Handle, Handle]:
        """Both ends of an event pair."""
        return self._create_pair("event-pair")

    def create_socket(self) -> tuple[Handle, Handle]:
        """Both ends of a socket."""
        return self._create_pair("socket")

    def create_fifo(self) -> tuple[Handle, Handle]:
        """Both ends of a fifo."""
        return self._create_pair("fifo")

    def create_event(self) -> Handle:
        """An event."""
        return self._create_one("event")

    def create_timer(self) -> Handle:
        """A timer."""
        return self._create_one("timer")

    def create_port(self) -> PortHandle:
        """A port."""
        return cast("PortHandle", self._create_one("port"))

    def create_object(self, kind: str) -> Handle:
        """An object of a type that matters only by its cost: log, resource, interrupt …."""
        text_of(kind, "kind")
        if kind not in OTHER_TYPES + SINGLE_TYPES:
            raise InvalidArgs(f"expected one of {', '.join(OTHER_TYPES)}, found {shown(kind)}")
        return self._create_one(kind)

    def open_object(self, target: KernelObject, rights: int | str | None) -> Handle:
        """`Process.open`."""
        self.need_new_objects()
        kind = object_type(target)
        machine = self.machine
        read_only = isinstance(target, Vmo) and target.is_read_only
        usual = default_rights(kind, target.mask if isinstance(target, Vmar) else 0)
        most = VDSO_RIGHTS if read_only else usual
        mask = most if rights is None else parse_rights(rights, usual, f"which a {kind} can have")
        if mask & ~most:
            raise AccessDenied(f"{target!r} is read-only data of the kernel: no right to write it")
        if not target.koid and not isinstance(target, Vmo):
            raise AccessDenied(f"{target!r} is the kernel's own")
        machine.need_known(target)
        if isinstance(target, Vmo) and not target.koid:
            machine.check_koid(None)
        machine.require_handles(1, "the handle", heap_bytes=HEAP_BYTES["vmo dispatcher"])
        serial = -1
        if isinstance(target, Vmo) and not target.koid:
            serial = target.serial
            machine.name_vmo(target)
        handle = self.table.new(target, mask, kind)
        self._made("open", target.koid, serial, mask)
        return handle

    def _create_one(self, kind: str) -> Handle:
        self.need_new_objects()
        machine = self.machine
        machine.check_koid(None)
        machine.require_handles(1, f"the {kind}", heap_bytes=HEAP_BYTES[kind])
        koid = machine.take_koid()
        target = Port(machine, koid) if kind == "port" else Object(machine, kind, koid)
        handle = self.table.new(target, None, kind)
        self._made("create", kind)
        return handle

    def _create_pair(self, kind: str) -> tuple[Handle, Handle]:
        self.need_new_objects()
        machine = self.machine
        machine.check_koid(None, 2)
        machine.require_handles(2, f"the {kind}", heap_bytes=2 * HEAP_BYTES[kind])
        ends = [Object(machine, kind, machine.take_koid()) for _ in range(2)]
        ends[0].peer, ends[1].peer = ends[1], ends[0]
        handles = [self.table.new(end, None, kind) for end in ends]
        self._made("create", kind)
        return handles[0], handles[1]

    def _vmo_koid(self, size_bytes: int, koid: int | None, kind: str, keep: bool = False) -> int:
        """The koid of a VMO that can be made; `keep` leaves the counter as it is."""
        if size_bytes > MAX_VMO_BYTES:
            raise InvalidArgs(f"size {shown(size_bytes)} is above the largest, {MAX_VMO_BYTES}")
        self.need_new_objects()
        machine = self.machine
        new_koid = machine.check_koid(koid)
        cost = HEAP_BYTES[kind] + HEAP_BYTES["vmo dispatcher"]
        pages = -(-size_bytes // PAGE_BYTES) if keep else 0
        machine.require_handles(1, "the VMO", heap_bytes=cost, pages=pages)
        if not keep:
            machine.use_koid(new_koid)
        return new_koid

    def _vmo_handle(self, vmo: Vmo) -> VmoHandle:
        return cast("VmoHandle", self.table.new(vmo, None, "vmo"))

    def _made(self, op: str, *args: object) -> None:
        if self.machine.recording:
            self.machine.record(op, self.koid, self.koid, *args)

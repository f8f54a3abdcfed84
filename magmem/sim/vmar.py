"""A VMAR: a range of an address space, divided into child VMARs, mappings and gaps.

Children are kept in address order and never overlap. Every operation is refused as a whole or done
as a whole (reference/kernel.md "VMARs and mappings"; the errors are listed there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from magmem.errors import AccessDenied, BadHandle, BadState, InvalidArgs, NoMemory
from magmem.sim import placement, region_edit
from magmem.sim.arguments import aligned, round_up, size_of
from magmem.sim.children import Children
from magmem.sim.heap import HEAP_BYTES, MAPPING_BYTES
from magmem.sim.mapping import Mapping
from magmem.sim.perms import PERMS_MASKS, PERMS_TEXT, READ, WRITE, parse_perms
from magmem.sim.rights import RIGHT_MAP, VMO_ALLOWED

if TYPE_CHECKING:
    from magmem.sim.aspace import AddressSpace
    from magmem.sim.handle import Handle
    from magmem.sim.vmo import Vmo
    from magmem.sim.vmo_handle import VmoHandle

__all__ = ["Vmar"]


class Vmar(Children):
    """One VMAR; made by `Process.allocate` or `Vmar.allocate`.

    Attributes
    ----------
    koid : int
        0 for the kernel's own.
    name : str
        ``root``, ``useralloc``, or what the kernel calls its own.
    base, size_bytes : int
        The range; whole pages.
    mask : int
        Permissions that mappings below it may have.
    specific : bool
        Whether callers may choose places inside it (CAN_MAP_SPECIFIC).
    children : list of Vmar or Mapping
        In address order.
    handle_count : int
        Handles to it, in all processes.
    handle : Handle or None
        The handle its creator got.
    """

    __slots__ = (
        "alive",
        "aspace",
        "handle",
        "handle_count",
        "held",
        "koid",
        "machine",
        "mask",
        "name",
        "parent",
        "serial",
        "specific",
    )

    def __init__(
        self, aspace: AddressSpace, parent: Vmar | None, name: str, base: int, size_bytes: int,
        mask: int, *, specific: bool, koid: int, held: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(base, size_bytes)
        self.aspace = aspace
        self.machine = aspace.machine
        self.parent = parent
        self.name = name
        self.mask = mask
        self.specific = specific
        self.koid = koid
        self.held = held
        self.handle_count = 0
        self.handle: Handle | None = None
        self.alive = True
        self.serial = -1 if aspace.serial == -1 and parent is None else aspace.heap.take(
            HEAP_BYTES["vmar"]
        )  # fmt: skip
        if koid:
            self.machine.objects[koid] = self
        if parent is not None:
            parent.insert_child(self)

    @property
    def perms(self) -> str:
        """Permissions that mappings below it may have, such as ``rwx``."""
        return PERMS_TEXT[self.mask]

    def map(
        self,
        vmo: VmoHandle,
        perms: str = "rw",
        *,
        vmo_offset: int | str = 0,
        length: int | str | None = None,
        offset: int | str | None = None,
        overwrite: bool = False,
        compact: bool = False,
    ) -> Mapping:
        """Map a part of a VMO, as `Process.map` does.

        Here `offset` counts from the VMAR's base, where `Process.map` takes an address `at`.
        """
        mask = PERMS_MASKS.get(perms, -1)
        if mask < 0:
            mask = parse_perms(perms)
        rights = vmo.rights
        if not (vmo.alive and rights & RIGHT_MAP):
            vmo.need(RIGHT_MAP, "mapping")
        target = vmo.object
        machine = self.machine
        if target.machine is not machine:
            raise BadHandle(f"{vmo!r} is a handle of another machine")
        allowed = VMO_ALLOWED[rights & 0x3F]
        if mask & ~allowed:
            raise AccessDenied(
                f"mapping {PERMS_TEXT[mask]} needs a handle with those rights, "
                f"this one has {vmo.rights_text}"
            )
        if type(vmo_offset) is not int or vmo_offset < 0:
            vmo_offset = size_of(vmo_offset)
        if length is None:
            length = max(0, target.size_bytes - vmo_offset)
        elif type(length) is not int or length < 0:
            length = size_of(length)
        if offset is not None:
            offset = size_of(offset)
        mapping = self.place_mapping(
            target, mask, allowed & self.mask, vmo_offset, length, offset, overwrite, compact
        )
        if machine.recording:
            koid = vmo.process.koid
            machine.record(
                "map", koid, self.koid, koid, vmo.value, PERMS_TEXT[mask], vmo_offset, length,
                offset, overwrite, compact,
            )  # fmt: skip
        return mapping

    def place_mapping(
        self, vmo: Vmo, mask: int, allowed: int, vmo_offset: int, length: int, offset: int | None,
        overwrite: bool, compact: bool, cache: int = 0,
    ) -> Mapping:  # fmt: skip
        """Find a place for a mapping and make it; rights have been checked."""
        if not self.alive:
            raise BadState(f"{self!r} is destroyed")
        if mask & WRITE and not mask & READ:
            raise InvalidArgs("write permission needs read permission")
        if vmo_offset & 4095:
            aligned(vmo_offset, "vmo_offset")
        size_bytes = (length + 4095) & -4096
        if size_bytes <= 0:
            raise InvalidArgs("a mapping needs a length above 0")
        if vmo_offset + size_bytes >= 1 << 64:
            raise InvalidArgs(f"offset {vmo_offset:#x} + length {length:#x} overflows")
        if mask & ~self.mask:
            raise AccessDenied(f"{PERMS_TEXT[mask]} is more than {self!r} allows")
        heap = self.aspace.heap
        # Overwriting the middle of a mapping leaves two of it.
        cost = 2 * MAPPING_BYTES if overwrite else MAPPING_BYTES
        if heap.used + cost > heap.capacity:
            self.machine.require("the mapping", heap_bytes=cost)
        base = self.find_spot(size_bytes, offset, overwrite, compact)
        if overwrite:
            region_edit.unmap(self, base, size_bytes)
        mapping = Mapping(self, base, size_bytes, vmo, vmo_offset >> 12, mask, allowed, cache)
        self.insert_child(mapping)
        return mapping

    def allocate(
        self,
        size: int | str,
        *,
        offset: int | str | None = None,
        perms: str = "rwx",
        specific: bool = True,
        compact: bool = False,
        overwrite: bool = False,
        koid: int | None = None,
    ) -> Vmar:
        """Make a child VMAR named ``useralloc``; its process gets a handle to it.

        Raises
        ------
        InvalidArgs, AccessDenied, NoMemory, NoResources
            As `map`; also a permission or CAN_MAP_SPECIFIC that this VMAR lacks is `AccessDenied`.
        """
        process = self.aspace.process
        if process is None:
            raise AccessDenied("userspace has no VMAR of the kernel's address space")
        process.need_new_objects()
        mask = parse_perms(perms)
        size_bytes = round_up(size_of(size))
        where = None if offset is None else size_of(offset)
        if not self.alive:
            raise BadState(f"{self!r} is destroyed")
        if not size_bytes:
            raise InvalidArgs("a VMAR needs a size above 0")
        if mask & ~self.mask or (specific and not self.specific):
            raise AccessDenied(f"a child may not have permissions that {self!r} lacks")
        machine = self.machine
        new_koid = machine.check_koid(koid)
        cost = HEAP_BYTES["vmar"] + HEAP_BYTES["vmar dispatcher"]
        machine.require_handles(1, "the VMAR", heap_bytes=cost + MAPPING_BYTES)
        base = self.find_spot(size_bytes, where, overwrite, compact)
        if overwrite:
            region_edit.unmap(self, base, size_bytes)
        machine.use_koid(new_koid)
        vmar = Vmar(
            self.aspace, self, "useralloc", base, size_bytes, mask, specific=specific, koid=new_koid
        )
        vmar.handle = process.table.new(vmar)
        if machine.recording:
            machine.record(
                "allocate", process.koid, self.koid, size_bytes, where, PERMS_TEXT[mask], specific,
                compact, overwrite, new_koid,
            )  # fmt: skip
        return vmar

    def unmap(self, address: int, length: int | str) -> None:
        """Unmap a range of addresses: parts of mappings, and whole child VMARs it covers.

        Raises
        ------
        InvalidArgs
            Not page aligned, length 0, beyond the VMAR, or it cuts a child VMAR.
        """
        size_bytes = self._own_range(address, length)
        region_edit.check_unmap(self, address, size_bytes)
        region_edit.unmap(self, address, size_bytes)
        if self.machine.recording:
            koid = self.aspace.koid
            self.machine.record("unmap", koid, koid, self.koid, address, size_bytes)

    def protect(self, address: int, length: int | str, perms: str) -> None:
        """Change the permissions of a range; mappings it cuts are split.

        Raises
        ------
        NotFound
            A gap in the range.
        InvalidArgs
            Not page aligned, length 0, beyond the VMAR, a child VMAR in it, write without read.
        AccessDenied
            More than the VMAR, or the handle a mapping was made with, allows.
        """
        mask = parse_perms(perms)
        size_bytes = self._own_range(address, length)
        if mask & WRITE and not mask & READ:
            raise InvalidArgs("write permission needs read permission")
        region_edit.protect(self, address, size_bytes, mask)
        if self.machine.recording:
            koid = self.aspace.koid
            self.machine.record(
                "protect", koid, koid, self.koid, address, size_bytes, PERMS_TEXT[mask]
            )

    def destroy(self) -> None:
        """Remove the VMAR and everything in it."""
        if not self.alive:
            raise BadState(f"{self!r} is destroyed")
        if self.aspace.koid == 0:
            raise AccessDenied("the kernel keeps its own VMARs")
        self.clear()
        if self.parent is not None:
            self.parent.remove_child(self)
        self.die()
        if self.machine.recording:
            self.machine.record("destroy", self.aspace.koid, self.aspace.koid, self.koid)

    def clear(self) -> None:
        """Unmap every mapping below, and end every VMAR below."""
        pending: list[Vmar] = [self]
        while pending:
            vmar = pending.pop()
            for child in vmar.children:
                if isinstance(child, Mapping):
                    child.detach()
                else:
                    pending.append(child)
            vmar.remove_all()
            if vmar is not self:
                vmar.die()

    def die(self) -> None:
        """Be no more; the parent has let it go, and it is empty."""
        self.alive = False
        self.forget()

    def last_handle_closed(self) -> None:
        """Lose the dispatcher; the VMAR itself lives on while it is not destroyed."""
        self.aspace.heap.used -= HEAP_BYTES["vmar dispatcher"]
        self.forget()

    def forget(self) -> None:
        """Give back the heap bytes once it is destroyed and no handle is left."""
        if not self.alive and not self.handle_count:
            self.aspace.heap.used -= HEAP_BYTES["vmar"]
            self.machine.objects.pop(self.koid, None)

    def _own_range(self, address: int, length: int | str) -> int:
        size_bytes = round_up(size_of(length))
        if not self.alive:
            raise BadState(f"{self!r} is destroyed")
        if self.held:
            raise AccessDenied("the kernel keeps its own VMARs")
        aligned(address, "the address")
        if not size_bytes:
            raise InvalidArgs("a range needs a length above 0")
        if address < self.base or address + size_bytes > self.end:
            raise InvalidArgs(f"{address:#x}-{address + size_bytes:#x} is not within {self!r}")
        return size_bytes

    def find_spot(
        self,
        size_bytes: int,
        offset: int | None = None,
        overwrite: bool = False,
        compact: bool = False,
    ) -> int:
        """The base of a new child.

        Random numbers are drawn last, and not at all when there is no room.
        """
        if size_bytes > self.size_bytes:
            raise InvalidArgs(f"{size_bytes} bytes are more than {self!r} has")
        if offset is None:
            if overwrite:
                raise InvalidArgs("overwriting needs a place to overwrite")
            if not self.koid:
                base = placement.lowest(self, size_bytes)
            elif compact:
                base = placement.compact(self, size_bytes)
            else:
                base = placement.uniform(self, size_bytes)
            if base < 0:
                raise NoMemory(f"{self!r} has no room for {size_bytes} bytes in one piece")
            return base
        if not self.specific:
            raise AccessDenied(f"{self!r} does not let callers choose a place")
        aligned(offset, "the offset")
        base = self.base + offset
        if base + size_bytes > self.end:
            raise InvalidArgs(f"{base:#x}-{base + size_bytes:#x} is not within {self!r}")
        if overwrite:
            region_edit.check_overwrite(self, base, size_bytes)
        elif self.children_in(base, base + size_bytes):
            raise NoMemory(f"{base:#x}-{base + size_bytes:#x} is taken in {self!r}")
        return base

    def __repr__(self) -> str:
        return f"<Vmar {self.koid} {self.name!r} {self.base:#x}-{self.end:#x}>"

"""A VMAR: a range of an address space, divided into child VMARs, mappings and gaps.

Children are kept in address order and never overlap. Every operation is refused as a whole or done
as a whole (reference/kernel.md "VMARs and mappings"; the errors are listed there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.errors import AccessDenied, BadHandle, BadState, InvalidArgs, NoMemory, WrongType
from magmem.sim import placement, region_edit, vdso
from magmem.sim.arguments import (
    WORD,
    address_of,
    aligned,
    flag,
    round_up,
    shown,
    shown_hex,
    size_of,
    wrong,
)
from magmem.sim.children import Children
from magmem.sim.handle import Handle
from magmem.sim.heap import HEAP_BYTES, MAPPING_BYTES
from magmem.sim.mapping import Mapping
from magmem.sim.perms import EXECUTE, PERMS_MASKS, PERMS_TEXT, parse_perms, require_read
from magmem.sim.rights import RIGHT_MAP, VMO_ALLOWED

if TYPE_CHECKING:
    from magmem.sim.aspace import AddressSpace
    from magmem.sim.vmar_handle import VmarHandle
    from magmem.sim.vmo import Vmo
    from magmem.sim.vmo_handle import VmoHandle

__all__ = ["Vmar"]

READABLE: Final = frozenset({0, 1, 3, 5, 7})
"""The masks that a mapping can have: all that include read, and none at all."""


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
    compact : bool
        Whether the kernel packs what it places inside it (COMPACT).
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
        "compact",
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
        mask: int, *, specific: bool, koid: int, held: bool = False, compact: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(base, size_bytes)
        self.aspace = aspace
        self.machine = aspace.machine
        self.parent = parent
        self.name = name
        self.mask = mask
        self.specific = specific
        self.compact = compact
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
        map_range: bool = False,
    ) -> Mapping:
        """Map a part of a VMO, as `Process.map` does.

        Here `offset` counts from the VMAR's base, where `Process.map` takes an address `at`.
        """
        if offset is not None:
            offset = size_of(offset, "offset")
        return self.map_with(
            vmo, perms, vmo_offset, length, offset, overwrite, compact, map_range, None
        )

    def map_with(
        self, vmo: VmoHandle, perms: str, vmo_offset: int | str, length: int | str | None,
        offset: int | None, overwrite: bool, compact: bool, map_range: bool,
        handle: VmarHandle | None,
    ) -> Mapping:  # fmt: skip
        """`map` through a region's handle, whose rights limit it, or (None) without one.

        The order of checks is that of reference/kernel.md "VMARs and mappings". The place may be
        below the VMAR, which is out of bounds.
        """
        need_vmo(vmo)
        mask = PERMS_MASKS.get(perms, -1) if type(perms) is str else -1
        if mask < 0:
            mask = parse_perms(perms)
        if type(vmo_offset) is not int or vmo_offset < 0:
            vmo_offset = size_of(vmo_offset, "vmo_offset")
        target = vmo.object
        if length is None:
            length = max(0, target.size_bytes - vmo_offset)
        elif type(length) is not int or length < 0:
            length = size_of(length, "length")
        if mask not in READABLE or overwrite is not False or compact is not False:
            self._shape(mask, offset, overwrite, compact)
        flag(map_range, "map_range")
        rights = vmo.rights
        machine = self.machine
        if target.machine is not machine:
            raise BadHandle(f"{vmo!r} is a handle of another machine")
        allowed = VMO_ALLOWED[rights & 0x3F]
        if not rights & RIGHT_MAP or mask & ~allowed:
            raise AccessDenied(
                f"mapping {PERMS_TEXT[mask]} needs a handle with those rights and to map, "
                f"this one has {vmo.rights_text}"
            )
        if handle is not None:
            allowed &= handle.allowed(mask, "mapping")
        mapping = self.place_mapping(
            target, mask, allowed & self.mask, vmo_offset, length, offset, overwrite, 0, map_range
        )
        if machine.recording:
            koid = vmo.process.koid
            if handle is None:
                machine.record(
                    "map", koid, self.koid, koid, vmo.value, PERMS_TEXT[mask], vmo_offset, length,
                    offset, overwrite, map_range,
                )  # fmt: skip
            else:
                handle.record(
                    "map_by_handle", vmo.value, PERMS_TEXT[mask], vmo_offset, length, offset,
                    overwrite, map_range,
                )  # fmt: skip
        return mapping

    def _shape(self, mask: int, offset: int | None, overwrite: bool, compact: bool) -> None:
        """The shape of permissions and flags, looked at before any right."""
        require_read(mask)
        if flag(compact, "compact"):
            raise InvalidArgs("COMPACT belongs to a region, given when it is allocated")
        if flag(overwrite, "overwrite") and offset is None:
            raise InvalidArgs("overwriting needs a place to overwrite")

    def place_mapping(
        self, vmo: Vmo, mask: int, allowed: int, vmo_offset: int, length: int,
        offset: int | None = None, overwrite: bool = False, cache: int = 0, map_range: bool = False,
    ) -> Mapping:  # fmt: skip
        """Find a place for a mapping and make it; rights have been checked."""
        if mask & ~self.mask:
            raise AccessDenied(f"{PERMS_TEXT[mask]} is more than {self!r} allows")
        if vmo_offset & 4095:
            aligned(vmo_offset, "vmo_offset")
        size_bytes = (length + 4095) & -4096
        if vmo_offset + size_bytes >= WORD:
            raise InvalidArgs(
                f"vmo_offset {shown_hex(vmo_offset)} + length {shown_hex(length)} overflows"
            )
        if size_bytes <= 0:
            raise InvalidArgs("a mapping needs a length above 0")
        if not self.alive:
            raise BadState(f"{self!r} is destroyed")
        base = self.check_spot(size_bytes, offset, overwrite)
        aspace = self.aspace
        if mask & EXECUTE and vmo.is_vdso:
            vdso.check_code(aspace, vmo_offset, size_bytes)
        if map_range and vmo_offset:
            raise InvalidArgs("MAP_RANGE at a VMO offset other than 0")
        heap = aspace.heap
        # Overwriting the middle of a mapping leaves two of it.
        cost = 2 * MAPPING_BYTES if overwrite else MAPPING_BYTES
        if heap.used + cost > heap.capacity:
            self.machine.require("the mapping", heap_bytes=cost)
        state = self.machine.random_state
        if base < 0:
            base = self.pick_spot(size_bytes)
        if map_range:
            try:
                region_edit.require_range(self, base, size_bytes, vmo, mask, cost)
            except NoMemory:
                self.machine.random_state = state
                raise
        if overwrite:
            region_edit.unmap(self, base, size_bytes)
        mapping = Mapping(self, base, size_bytes, vmo, vmo_offset >> 12, mask, allowed, cache)
        self.insert_child(mapping)
        if mask & EXECUTE and vmo.is_vdso and aspace.koid:
            aspace.vdso_code = mapping
        if map_range:
            region_edit.map_range(mapping)
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

        Parameters
        ----------
        size : int or str
            Whole pages: it is not rounded.
        offset : int or str, optional
            The place, from this VMAR's base; without it the kernel picks one at random.
        perms : str
            What may be mapped in it: no more than in this VMAR.
        specific : bool
            Whether places may be chosen in it (CAN_MAP_SPECIFIC), also if not in this VMAR.
        compact : bool
            Whether what is placed in it at random lies 1 to 128 pages from its neighbours.
        overwrite : bool
            Never: only a mapping may replace others.

        Raises
        ------
        InvalidArgs
            A size or offset of no whole pages, size 0, out of bounds, or `overwrite`.
        AccessDenied
            Permissions that this VMAR lacks, or an `offset` where it lets nobody choose.
        NoMemory, NoResources
            The place is taken, nothing fits, or the kernel lacks heap or handles.
        """
        if offset is not None:
            offset = size_of(offset, "offset")
        return self.allocate_with(size, offset, perms, specific, compact, overwrite, koid, None)

    def allocate_with(
        self, size: int | str, offset: int | None, perms: str, specific: bool, compact: bool,
        overwrite: bool, koid: int | None, handle: VmarHandle | None,
    ) -> Vmar:  # fmt: skip
        """`allocate` through a region's handle, whose process gets the new one, or without."""
        owner = self.aspace.process
        if owner is None:
            raise AccessDenied("userspace has no VMAR of the kernel's address space")
        mask = parse_perms(perms)
        size_bytes = size_of(size)
        flag(specific, "specific")
        flag(compact, "compact")
        machine = self.machine
        if flag(overwrite, "overwrite"):
            raise InvalidArgs("only a mapping may overwrite what is in its way")
        if handle is not None:
            handle.allowed(mask, "allocating")
        if mask & ~self.mask:
            raise AccessDenied(f"a child may not have permissions that {self!r} lacks")
        aligned(size_bytes, "the size of a VMAR")
        if not size_bytes:
            raise InvalidArgs("a VMAR needs a size above 0")
        if not self.alive:
            raise BadState(f"{self!r} is destroyed")
        base = self.check_spot(size_bytes, offset)
        new_koid = machine.check_koid(koid)
        cost = HEAP_BYTES["vmar"] + HEAP_BYTES["vmar dispatcher"]
        machine.require_handles(1, "the VMAR", heap_bytes=cost + MAPPING_BYTES)
        if base < 0:
            base = self.pick_spot(size_bytes)
        machine.use_koid(new_koid)
        vmar = Vmar(
            self.aspace, self, "useralloc", base, size_bytes, mask, specific=specific,
            koid=new_koid, compact=compact,
        )  # fmt: skip
        holder = owner if handle is None else handle.process
        vmar.handle = holder.table.new(vmar)
        if machine.recording:
            args = (size_bytes, offset, PERMS_TEXT[mask], specific, compact, new_koid)
            if handle is None:
                machine.record("allocate", owner.koid, self.koid, *args)
            else:
                handle.record("allocate_by_handle", *args)
        return vmar

    def unmap(self, address: int, length: int | str) -> None:
        """Unmap a range of addresses: parts of mappings, and whole child VMARs it covers.

        Raises
        ------
        InvalidArgs
            Not page aligned, length 0, beyond the VMAR, or it cuts a child VMAR.
        AccessDenied
            The vDSO's code lies in it.
        """
        size_bytes = self._own_range(address, length)
        region_edit.check_unmap(self, address, size_bytes)
        region_edit.unmap(self, address, size_bytes)
        if self.machine.recording:
            koid = self.aspace.koid
            self.machine.record("unmap", koid, koid, self.koid, address, size_bytes)

    def protect(self, address: int, length: int | str, perms: str) -> None:
        """Change the permissions of a range; mappings it cuts are split.

        A mapping that has these permissions already stays as it is, in one piece.

        Raises
        ------
        NotFound
            A gap in the range.
        InvalidArgs
            Not page aligned, length 0, beyond the VMAR, a child VMAR in it, write or execute
            without read.
        AccessDenied
            More than the handles that a mapping was made with allow, or the vDSO's code.
        """
        self.protect_with(address, length, parse_perms(perms), None)

    def protect_with(
        self, address: int, length: int | str, mask: int, handle: VmarHandle | None
    ) -> None:
        """`protect` through a region's handle, whose rights limit it, or without one."""
        if handle is not None:
            handle.allowed(mask, "protecting")
        require_read(mask)
        size_bytes = self._own_range(address, length)
        region_edit.protect(self, address, size_bytes, mask)
        if self.machine.recording:
            koid = self.aspace.koid
            self.machine.record(
                "protect", koid, koid, self.koid, address, size_bytes, PERMS_TEXT[mask]
            )

    def destroy(self) -> None:
        """Remove the VMAR and everything in it.

        Raises
        ------
        AccessDenied
            The vDSO's code lies in it, which only the end of the process unmaps.
        """
        if not self.alive:
            raise BadState(f"{self!r} is destroyed")
        if self.aspace.koid == 0:
            raise AccessDenied("the kernel keeps its own VMARs")
        vdso.check_spared(self.aspace, self.base, self.end)
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
        address_of(address)
        size_bytes = round_up(size_of(length, "length"))
        aligned(address, "address")
        if not size_bytes:
            raise InvalidArgs("length: a range needs one above 0")
        if not self.alive:
            raise BadState(f"{self!r} is destroyed")
        if self.held:
            raise AccessDenied("the kernel keeps its own VMARs")
        if address < self.base or address + size_bytes > self.end:
            raise InvalidArgs(
                f"{shown_hex(address)}-{shown_hex(address + size_bytes)} is not within {self!r}"
            )
        return size_bytes

    def check_spot(
        self, size_bytes: int, offset: int | None = None, overwrite: bool = False
    ) -> int:
        """The base of a new child, or -1 if the kernel is to pick one; whether it may lie there."""
        if offset is None:
            if size_bytes > self.size_bytes:
                raise InvalidArgs(f"{shown(size_bytes)} bytes are more than {self!r} has")
            return -1
        if not self.specific:
            raise AccessDenied(f"{self!r} does not let callers choose a place")
        base = self.base + offset
        if offset < 0 or base + size_bytes > self.end:
            raise InvalidArgs(
                f"{shown_hex(base)}-{shown_hex(base + size_bytes)} is not within {self!r}"
            )
        if offset & 4095:
            aligned(offset, "offset")
        if overwrite:
            region_edit.check_overwrite(self, base, size_bytes)
        elif self.children_in(base, base + size_bytes):
            raise NoMemory(f"{base:#x}-{base + size_bytes:#x} is taken in {self!r}")
        return base

    def pick_spot(self, size_bytes: int) -> int:
        """A free place for a new child.

        Random numbers are drawn last, and not at all when there is no room.
        """
        if not self.koid:
            base = placement.lowest(self, size_bytes)
        elif self.compact:
            base = placement.compact(self, size_bytes)
        else:
            base = placement.uniform(self, size_bytes)
        if base < 0:
            raise NoMemory(f"{self!r} has no room for {size_bytes} bytes in one piece")
        return base

    def find_spot(self, size_bytes: int, offset: int | None = None) -> int:
        """A place that is free: the one asked for, or one that the kernel picks."""
        base = self.check_spot(size_bytes, offset)
        return self.pick_spot(size_bytes) if base < 0 else base

    def __repr__(self) -> str:
        return f"<Vmar {self.koid} {self.name!r} {self.base:#x}-{self.end:#x}>"


def need_vmo(vmo: VmoHandle) -> None:
    """Raise unless it is a handle to a VMO and open."""
    if not isinstance(vmo, Handle):
        raise wrong("vmo", "a handle to a VMO", vmo)
    if not vmo.alive:
        vmo.need(0, "mapping")
    if vmo.type != "vmo":
        raise WrongType(f"vmo: expected a handle to a VMO, found {vmo!r}")

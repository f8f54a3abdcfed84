"""The kernel's own side: its address space, arenas, kernel stacks, devices and VMOs.

Its VMOs have no koid (0): userspace never had a handle to them. They and everything mapped only
here is what `ps` never shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.errors import BadState, InvalidArgs, NoResources, OutOfRange
from magmem.sim import commit, vmo_access
from magmem.sim.arguments import (
    WORD,
    address_of,
    aligned,
    bytes_of,
    name_text,
    number_of,
    round_up,
    shown,
    size_of,
    wrong,
)
from magmem.sim.aspace import AddressSpace
from magmem.sim.heap import HEAP_BYTES, KernelHeap
from magmem.sim.kernel_arena import KernelArena
from magmem.sim.mapping import Mapping, fault
from magmem.sim.perms import PERMS_TEXT, WRITE, parse_perms, require_read
from magmem.sim.vmar import Vmar
from magmem.sim.vmo import MAX_VMO_BYTES, Vmo, release_vmo
from magmem.sim.vmo_handle import VmoHandle
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.machine import Machine

__all__ = [
    "HANDLE_BYTES",
    "KERNEL_BASE",
    "KERNEL_SIZE",
    "MAX_HANDLES",
    "MAX_PACKETS",
    "PACKET_BYTES",
    "STACK_PAGES",
    "STACK_PAGES_BOUND",
    "Kernel",
]

KERNEL_BASE: Final = 0xFFFFFF8000000000
KERNEL_SIZE: Final = 0x8000000000

MAX_HANDLES: Final = 256 * 1024
"""Entries of the handle arena, for the whole system (reference/kernel.md "Objects")."""

HANDLE_BYTES: Final = 40
MAX_PACKETS: Final = 16 * 1024
PACKET_BYTES: Final = 96

STACK_PAGES: Final = 2
STACK_PAGES_BOUND: Final = STACK_PAGES + 6
"""Most pages that a kernel stack takes: its own, and tables where it meets two of each level."""


class Kernel:
    """The kernel's side of a machine (`Machine.kernel`).

    Attributes
    ----------
    aspace : AddressSpace
        Its address space.
    handle_arena, packet_arena : KernelArena
        Where handles and port packets live.
    vdso : Vmo
        ``vdso/full``.
    vdso_variants : tuple of Vmo
        All three, ``vdso/full`` first.
    ramdisk : Vmo
        The boot ramdisk, ``bootfs``.
    """

    __slots__ = (
        "arenas",
        "aspace",
        "generations",
        "heap",
        "machine",
        "ramdisk",
        "thread_count",
        "vdso_variants",
    )

    def __init__(self, machine: Machine, heap: KernelHeap) -> None:
        self.machine = machine
        self.heap = heap
        self.aspace = AddressSpace(machine, None, KERNEL_BASE, KERNEL_SIZE, 0)
        self.arenas: tuple[KernelArena, ...] = ()
        self.generations: list[int] = []
        self.thread_count = 0
        self.vdso_variants: tuple[Vmo, ...] = ()
        self.ramdisk: Vmo | None = None

    @property
    def root_vmar(self) -> Vmar:
        """The VMAR over the kernel's whole range."""
        return self.aspace.root

    @property
    def vdso(self) -> Vmo:
        """``vdso/full``, which processes map."""
        return self.vdso_variants[0]

    @property
    def handle_arena(self) -> KernelArena:
        """``arena:handles``; `BadState` on a machine booted without arenas."""
        return self._arena(0)

    @property
    def packet_arena(self) -> KernelArena:
        """``arena:packets``."""
        return self._arena(1)

    @property
    def handle_count(self) -> int:
        """Handles in the whole system."""
        return self.handle_arena.live if self.arenas else 0

    def _arena(self, at: int) -> KernelArena:
        if not self.arenas:
            raise BadState(
                "this machine has booted without kernel arenas: no handles, no processes"
            )
        return self.arenas[at]

    def make_arenas(self) -> None:
        """Reserve the arenas, at boot; nothing of them is committed yet."""
        self.arenas = (
            KernelArena(self, "arena:handles", HANDLE_BYTES, MAX_HANDLES),
            KernelArena(self, "arena:packets", PACKET_BYTES, MAX_PACKETS),
        )

    # ------------------------------------------------------------ user's API

    def create_vmo(self, size: int | str, name: str = "") -> Vmo:
        """A VMO of the kernel's own: koid 0, kept until `release`."""
        size_bytes = size_of(size)
        text = name_text(name)
        if size_bytes > MAX_VMO_BYTES:
            raise InvalidArgs(f"size {shown(size_bytes)} is above the largest, {MAX_VMO_BYTES}")
        self.machine.require("the VMO", heap_bytes=HEAP_BYTES["paged vmo"])
        vmo = self.new_vmo(size_bytes, text)
        vmo.kernel_refs = 1
        self._record("kernel_create_vmo", size_bytes, text)
        return vmo

    def clone(
        self, vmo: Vmo, offset: int | str = 0, size: int | str | None = None, name: str = ""
    ) -> Vmo:
        """A copy-on-write clone of any paged VMO for the kernel: koid 0, kept until `release`."""
        self._known(vmo)
        vmo_access.require_paged(vmo, "cloning")
        start = aligned(size_of(offset, "offset"), "the offset of a clone")
        size_bytes = max(0, vmo.size_bytes - start) if size is None else size_of(size)
        text = name_text(name)
        if start + size_bytes > MAX_VMO_BYTES:
            raise OutOfRange(
                f"offset {shown(start)} + size {shown(size_bytes)} is above {MAX_VMO_BYTES}"
            )
        self.machine.require("the clone", heap_bytes=HEAP_BYTES["paged vmo"])
        child = Vmo(self.machine, size_bytes, text, 0, vmo, start // PAGE_BYTES)
        child.kernel_refs = 1
        self._record("kernel_clone", vmo.serial, start, size_bytes, text)
        return child

    def commit(self, vmo: Vmo, offset: int | str = 0, length: int | str | None = None) -> int:
        """Commit pages of any paged VMO; returns the pages taken."""
        start, size = self._range(vmo, offset, length, "committing")
        vmo.need_changeable("committing")
        taken = commit.commit(vmo, *vmo_access.page_range(start, size))
        self._record("kernel_commit", vmo.serial, start, size)
        return taken

    def write(self, vmo: Vmo, offset: int | str, data: bytes) -> int:
        """Write bytes into any paged VMO; returns the pages taken."""
        data = bytes_of(data)
        start, size = self._range(vmo, offset, len(data), "writing")
        data = data[:size]
        taken = vmo_access.write(vmo, start, data)
        self._record("kernel_write", vmo.serial, start, data)
        return taken

    def release(self, vmo: Vmo) -> None:
        """Give up the kernel's reference to a VMO it made."""
        self._known(vmo)
        if not vmo.kernel_refs or vmo.pages_are_wired:
            raise BadState(f"the kernel holds no reference to {vmo!r} that it could release")
        vmo.kernel_refs -= 1
        release_vmo(vmo)
        self._record("kernel_release", vmo.serial)

    def map(
        self,
        vmo: Vmo | VmoHandle,
        perms: str = "rw",
        *,
        vmo_offset: int | str = 0,
        length: int | str | None = None,
        at: int | None = None,
        cache: int = 0,
    ) -> Mapping:
        """Map a VMO into the kernel's address space: at the lowest place free, or at an address."""
        target = vmo.vmo if isinstance(vmo, VmoHandle) else vmo
        self._known(target)
        mask = parse_perms(perms)
        require_read(mask)
        start = size_of(vmo_offset, "vmo_offset")
        rest = max(0, target.size_bytes - start)
        size = rest if length is None else size_of(length, "length")
        offset = None if at is None else address_of(at, "at") - KERNEL_BASE
        number_of(cache, "cache", 0, 3)
        mapping = self.root_vmar.place_mapping(target, mask, 7, start, size, offset, cache=cache)
        self._record("kernel_map", target.serial, PERMS_TEXT[mask], start, size, at, cache)
        return mapping

    def map_device(
        self,
        phys_base: int,
        size: int | str,
        name: str = "",
        perms: str = "rw",
        *,
        at: int | None = None,
        cache: int = 2,
    ) -> Mapping:
        """Map a device's registers: a physical VMO, which uses no RAM, mapped in the kernel."""
        base = aligned(size_of(phys_base, "phys_base"), "the physical base")
        size_bytes = aligned(size_of(size), "the size of a physical VMO")
        text = name_text(name)
        mask = parse_perms(perms)
        require_read(mask)
        number_of(cache, "cache", 0, 3)
        offset = None if at is None else address_of(at, "at") - KERNEL_BASE
        if not size_bytes or size_bytes > MAX_VMO_BYTES or base + size_bytes > WORD:
            raise InvalidArgs("a device needs a size above 0 and a range below 2^64")
        cost = HEAP_BYTES["physical vmo"] + HEAP_BYTES["mapping"]
        self.machine.require("the device", heap_bytes=cost)
        # Looked for first, so that nothing is made when there is no room.
        self.root_vmar.find_spot(size_bytes, offset)
        mapping = self.new_device(base, size_bytes, text, mask, offset, cache)
        self._record("kernel_map_device", base, size_bytes, text, PERMS_TEXT[mask], at, cache)
        return mapping

    # ------------------------------------------------------ for other modules

    def new_vmo(self, size_bytes: int, name: str) -> Vmo:
        """A VMO without koid and, as yet, without reference."""
        return Vmo(self.machine, size_bytes, name)

    def new_device(
        self, base: int, size_bytes: int, name: str, mask: int, offset: int | None, cache: int
    ) -> Mapping:
        """A physical VMO and its mapping."""
        vmo = Vmo(self.machine, size_bytes, name, phys_base=base)
        return self.root_vmar.place_mapping(vmo, mask, 7, 0, size_bytes, offset, cache=cache)

    def new_vmar(self, name: str, size_bytes: int) -> Vmar:
        """A VMAR of the kernel's own, at the lowest place free."""
        root = self.root_vmar
        size = round_up(size_bytes)
        base = root.find_spot(size)
        return Vmar(self.aspace, root, name, base, size, 7, specific=True, koid=0, held=True)

    def new_stack(self) -> Vmar:
        """A kernel stack: two committed pages between two guard pages. Pages were required."""
        vmo = self.new_vmo(STACK_PAGES * PAGE_BYTES, "")
        vmar = self.new_vmar("kstack_vmar", (STACK_PAGES + 2) * PAGE_BYTES)
        mapping = vmar.place_mapping(vmo, 3, 3, 0, vmo.size_bytes, PAGE_BYTES)
        fault(mapping, 0, STACK_PAGES, WRITE, mapping.base)
        return vmar

    def free_stack(self, vmar: Vmar) -> None:
        """Give a kernel stack back."""
        vmar.clear()
        self.root_vmar.remove_child(vmar)
        vmar.die()

    def require_handles(self, count: int) -> int:
        """Pages the handle arena must take for so many handles more.

        Raises
        ------
        NoResources
            The arena has no such number of free entries.
        """
        arena = self.handle_arena
        if not arena.has_room(count):
            raise NoResources(
                f"{arena.name} holds {arena.entries} handles, {arena.live} are in use: "
                f"no room for {count} more"
            )
        return arena.pages_for(count)

    def take_handle(self) -> tuple[int, int]:
        """An entry of the handle arena, and the identity that a handle's value is made of."""
        entry = self.handle_arena.take()
        generations = self.generations
        if entry == len(generations):
            generations.append(0)
        generation = generations[entry]
        generations[entry] = (generation + 1) & 0xFFF
        return entry, generation << 18 | entry

    def _range(
        self, vmo: Vmo, offset: int | str, length: int | str | None, what: str
    ) -> tuple[int, int]:
        self._known(vmo)
        vmo_access.require_paged(vmo, what)
        start = size_of(offset, "offset")
        size = max(0, vmo.size_bytes - start) if length is None else size_of(length, "length")
        return start, vmo_access.trim(vmo, start, size)

    def _known(self, vmo: Vmo) -> None:
        if not isinstance(vmo, Vmo):
            raise wrong("vmo", "a Vmo", vmo)
        if not vmo.alive or vmo.machine is not self.machine:
            raise BadState(f"{vmo!r} is not a living VMO of this machine")

    def _record(self, op: str, *args: object) -> None:
        if self.machine.recording:
            self.machine.record(op, 0, *args)

    def __repr__(self) -> str:
        return f"<Kernel: {self.handle_count:,} handles>"

"""A VMO: paged (RAM, a sparse list of owned pages) or physical (a raw range that uses no RAM).

This module holds a VMO's facts and its life: it lives while handles, mappings, clones or the kernel
refer to it, and frees its pages when the last reference goes (reference/kernel.md "Objects"). What
changes pages is in `magmem.sim.commit` (copy-on-write) and `magmem.sim.vmo_access` (bytes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.errors import AccessDenied
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.pagelist import PageList
from magmem.sim.physical import OBJECT, WIRED
from magmem.sim.pins import PinCounts
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.aspace import AddressSpace
    from magmem.sim.machine import Machine
    from magmem.sim.mapping import Mapping

__all__ = ["MAX_SHARE_ASPACES", "MAX_VMO_BYTES", "Vmo", "release_vmo"]

MAX_VMO_BYTES: Final = (1 << 63) - PAGE_BYTES
"""The largest size of a VMO. The kernel's own is 2^64 − 4096; tables hold sizes in 63 bits."""

MAX_SHARE_ASPACES: Final = 64
"""Distinct address spaces the kernel looks at before it estimates the rest."""


class Vmo:
    """One VMO; made by `Process.create_vmo` and its like, changed through handles.

    Attributes
    ----------
    koid : int
        0 if userspace never had a handle to it.
    name : str
        May be empty.
    size_bytes : int
        Need not be a multiple of a page.
    parent : Vmo or None
        The VMO it is a copy-on-write clone of.
    parent_first : int
        Page of the parent at which the clone begins.
    children : dict of Vmo to None
        Living clones, oldest first.
    mappings : dict of Mapping to None
        Every mapping of it, oldest first.
    handle_count : int
        Handles to it, in all processes.
    kernel_refs : int
        References of the kernel itself.
    fixed_pages : int
        How many of its first pages lie in one physical run and are pinned for good.
    """

    __slots__ = (
        "alive",
        "children",
        "fixed_pages",
        "handle_count",
        "kernel_refs",
        "koid",
        "machine",
        "mappings",
        "name",
        "page_limit",
        "pages",
        "parent",
        "parent_first",
        "phys_base",
        "pins",
        "serial",
        "size_bytes",
        "state",
    )

    def __init__(
        self,
        machine: Machine,
        size_bytes: int,
        name: str,
        koid: int = 0,
        parent: Vmo | None = None,
        parent_first: int = 0,
        phys_base: int | None = None,
        wired: bool = False,
    ) -> None:
        self.machine = machine
        self.koid = koid
        self.name = name
        self.size_bytes = size_bytes
        self.page_limit = -(-size_bytes // PAGE_BYTES)
        self.pages = PageList()
        self.state = WIRED if wired else OBJECT
        self.parent = parent
        self.parent_first = parent_first
        self.children: dict[Vmo, None] = {}
        self.mappings: dict[Mapping, None] = {}
        self.handle_count = 0
        self.kernel_refs = 0
        self.pins: PinCounts | None = None
        self.fixed_pages = 0
        self.phys_base = phys_base
        self.alive = True
        self.serial = machine.heap.take(self.heap_bytes)
        machine.vmos_by_serial[self.serial] = self
        if koid:
            machine.objects[koid] = self
        if parent is not None:
            parent.children[self] = None

    @property
    def heap_bytes(self) -> int:
        """What the VMO costs in the kernel heap, beside its dispatcher."""
        return HEAP_BYTES["paged vmo" if self.phys_base is None else "physical vmo"]

    @property
    def id(self) -> str:
        """A name inside this machine, also for VMOs without koid."""
        return f"v{self.serial}"

    @property
    def kind(self) -> str:
        """``paged`` or ``physical``."""
        return "paged" if self.phys_base is None else "physical"

    @property
    def is_contiguous(self) -> bool:
        """Whether it was committed in one physical run when it was made."""
        return self.fixed_pages > 0

    @property
    def pages_are_wired(self) -> bool:
        """Whether its pages count as wired, not as VMO memory."""
        return self.state == WIRED

    @property
    def is_read_only(self) -> bool:
        """Whether userspace may not change it: wired data, kernel arenas and kernel stacks."""
        return self.pages_are_wired or self.is_kernels

    @property
    def is_kernels(self) -> bool:
        """Whether the kernel stands on it: its arenas and the stacks of threads."""
        # Such a mapping is made with the VMO and stays while it lives, so it is the oldest.
        oldest = next(iter(self.mappings), None)
        return oldest is not None and oldest.vmar.held

    @property
    def is_vdso(self) -> bool:
        """Whether it is a variant of the vDSO, whose code is mapped under rules of its own."""
        return self.state == WIRED and self in self.machine.kernel.vdso_variants

    def need_changeable(self, what: str) -> None:
        """Raise `AccessDenied` for data of the kernel, which the machine would not survive."""
        if self.is_read_only and not (self.pages_are_wired and what == "committing"):
            raise AccessDenied(f"{what}: {self!r} is the kernel's own data")

    @property
    def parent_offset_bytes(self) -> int:
        """Where in the parent the clone begins."""
        return self.parent_first * PAGE_BYTES

    @property
    def committed_pages(self) -> int:
        """Pages it owns (a clone: its own copies only)."""
        return self.pages.count

    @property
    def committed_bytes(self) -> int:
        """The same in bytes: `alloc` of `vmos`."""
        return self.pages.count * PAGE_BYTES

    @property
    def runs(self) -> list[tuple[int, int]]:
        """Owned pages as (first page, count)."""
        return self.pages.merged()

    @property
    def physical_runs(self) -> list[tuple[int, int, int]]:
        """Owned pages as (first page, count, first page frame)."""
        return [(s, e - s, f) for s, e, f in self.pages.physical(0, self.page_limit)]

    @property
    def share_count(self) -> int:
        """`#shr`: how many address spaces share it, as the kernel counts (an estimate above 64)."""
        if len(self.mappings) < 2:
            return 1
        seen: set[AddressSpace] = set()
        for visited, mapping in enumerate(reversed(self.mappings)):
            if mapping.aspace not in seen:
                if len(seen) == MAX_SHARE_ASPACES:
                    rest = len(self.mappings) - visited
                    return MAX_SHARE_ASPACES + rest * MAX_SHARE_ASPACES // visited
                seen.add(mapping.aspace)
        return len(seen)

    def owns(self, page: int) -> bool:
        """Whether that page is in its own page list."""
        return page in self.pages

    def is_pinned(self, start: int, end: int) -> bool:
        """Whether any page of ``[start, end)`` is pinned."""
        return start < end and self.pins is not None and self.pins.highest(start, end) > 0

    def last_handle_closed(self) -> None:
        """Lose the dispatcher, and die unless something else refers to the VMO."""
        self.machine.heap.used -= HEAP_BYTES["vmo dispatcher"]
        release_vmo(self)

    def __repr__(self) -> str:
        named = f" {self.name!r}" if self.name else ""
        return f"<Vmo {self.koid or self.id}{named}: {self.size_bytes:,} bytes, {self.kind}>"


def release_vmo(vmo: Vmo | None) -> None:
    """Free a VMO that nothing refers to, and then its ancestors for which that becomes true."""
    while vmo is not None and vmo.alive:
        if vmo.mappings or vmo.handle_count or vmo.children or vmo.kernel_refs:
            return
        machine = vmo.machine
        vmo.alive = False
        machine.physical.give_all(vmo.pages.all_frames()[::-1], vmo.state)
        vmo.pages = PageList()
        machine.heap.used -= vmo.heap_bytes
        del machine.vmos_by_serial[vmo.serial]
        if vmo.koid:
            del machine.objects[vmo.koid]
        if vmo.parent is not None:
            del vmo.parent.children[vmo]
        vmo = vmo.parent

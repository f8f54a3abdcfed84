"""What a machine is made of when it boots: physical ranges, wired memory, the kernel's mappings.

The PC platform drops memory below 1 MiB, keeps the last 128 KiB below the PCI hole for ACPI tables,
and makes one arena of every usable range (reference/kernel.md "Physical memory"). Wired at boot
are the kernel image, the page array, the boot ramdisk, the vDSO, and what else early boot took.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from magmem.errors import InvalidArgs, NoMemory
from magmem.sim.arguments import flag, number_of, shown, shown_hex, size_of, text_of, wrong
from magmem.sim.heap import GROW_PAGES, HEAP_BYTES
from magmem.sim.kernel import KERNEL_BASE, Kernel
from magmem.sim.physical import ALLOC, FREE, MMU, WIRED, Arena
from magmem.sim.vdso import VDSO_PAGES
from magmem.sim.vmo import Vmo
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.machine import Machine

__all__ = ["BootPlan", "boot", "boot_plan", "memory_ranges"]

MAX_PHYSICAL: Final = 1 << 52
"""Where the physical addresses of x86-64 end."""

LOW_MEMORY_BYTES: Final = 1 << 20
PCI_HOLE: Final = 3 << 30
FOUR_GIB: Final = 4 << 30
ACPI_BYTES: Final = 128 << 10
PAGE_STRUCT_BYTES: Final = 32

VDSO_PATCHED_PAGE: Final = 5
"""Page of the dynamic symbol table, which each variant has a copy of its own of."""

IMAGE_SECTIONS: Final = ((0x400000, 5), (0x100000, 1), (0x40000, 3), (0xC0000, 3))
"""Code, read-only data, data and bss of the kernel image: bytes and permissions."""

IMAGE_BASE: Final = 0xFFFFFFFF80100000

DEVICES: Final = ((0x7FFE2000, 0x1000, 0), (0xFED00000, 0x1000, 2))
"""ACPI tables and the HPET: physical base, bytes, cache policy."""

PHYSMAP_BYTES: Final = 64 << 30


@dataclass(frozen=True)
class BootPlan:
    """Amounts and parts of a machine just booted; sizes are bytes or text such as ``4M``.

    Attributes
    ----------
    kernel_image, ramdisk, early : int or str
        Wired: the kernel's image, the ramdisk ``bootfs``, other early-boot memory.
    page_array : bool
        Whether the array of page structures (32 bytes a page) is wired too.
    heap : int or str
        Heap pages taken at boot, at least 64 KiB.
    table_pages : int
        Page-table pages for the kernel's map of physical memory.
    alloc_pages : int
        Pages in state alloc: taken by drivers of the platform, in no other statistic.
    kernel_threads : int
        The kernel's own threads: heap for each, and a reference to the kernel's address space.
    regions : tuple of str
        What the kernel maps: ``physmap``, ``devices``, ``image``, ``arenas``. Without arenas there
        are no handles and so no processes that hold any.
    first_koid : int
        The super-root job's koid.
    heap_base : int
        Address of the first object in the kernel heap.
    """

    kernel_image: int | str = "2M"
    ramdisk: int | str = "4M"
    early: int | str = "512k"
    page_array: bool = True
    heap: int | str = "512k"
    table_pages: int = 16
    alloc_pages: int = 0
    kernel_threads: int = 8
    regions: tuple[str, ...] = ("physmap", "devices", "image", "arenas")
    first_koid: int = 1024
    heap_base: int = 0xFFFFFF80015F8890

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def of(cls, values: dict[str, Any]) -> BootPlan:
        """A plan from the values of `to_dict`, also after a trip through JSON."""
        return cls(**{**values, "regions": tuple(values.get("regions", cls.regions))})


def boot_plan(plan: BootPlan | None) -> BootPlan:
    """A plan whose values are of the right types and can be."""
    if plan is None:
        return BootPlan()
    if not isinstance(plan, BootPlan):
        raise wrong("boot", "a BootPlan", plan)
    for name in ("table_pages", "alloc_pages", "kernel_threads"):
        number_of(getattr(plan, name), name, 0, 1 << 40)
    number_of(plan.first_koid, "first_koid", 1, (1 << 63) - 64)
    number_of(plan.heap_base, "heap_base", 0, (1 << 64) - (1 << 36))
    flag(plan.page_array, "page_array")
    if not isinstance(plan.regions, tuple) or not all(isinstance(r, str) for r in plan.regions):
        raise wrong("regions", "a tuple of names", plan.regions)
    return plan


def memory_ranges(
    memory: int | str, memory_map: Iterable[tuple[Any, ...]] | None
) -> list[tuple[int, int, int, str]]:
    """Usable physical ranges as (base, bytes, priority, name), whole pages.

    Raises
    ------
    InvalidArgs
        Ranges that overlap, or none above 1 MiB.
    """
    if memory_map is None:
        total = size_of(memory, "memory")
        low = min(total, PCI_HOLE)
        given: list[tuple[Any, ...]] = (
            [(0, low - ACPI_BYTES, 0, "memory")] if low > ACPI_BYTES else []
        )
        if total > PCI_HOLE:
            given.append((FOUR_GIB, total - PCI_HOLE, 1, "memory-high"))
    else:
        try:
            given = [tuple(item) for item in memory_map]
        except TypeError:
            raise wrong("memory_map", "ranges such as (base, size)", memory_map) from None
    ranges = []
    for item in given:
        if not 2 <= len(item) <= 4:
            raise InvalidArgs(f"expected (base, size, priority, name), found {shown(item)}")
        base, size = size_of(item[0], "a range's base"), size_of(item[1], "a range's size")
        priority = number_of(item[2], "priority", -(1 << 31), 1 << 31) if len(item) > 2 else 0
        name = text_of(item[3], "a range's name") if len(item) > 3 else "memory"
        start = -(-max(base, LOW_MEMORY_BYTES) // PAGE_BYTES) * PAGE_BYTES
        end = (base + size) // PAGE_BYTES * PAGE_BYTES
        if end > MAX_PHYSICAL:
            raise InvalidArgs(f"physical memory ends at {MAX_PHYSICAL:#x}, found {shown_hex(end)}")
        if start < end:
            ranges.append((start, end - start, priority, name[:15]))
    ranges.sort()
    for (base, size, *_), (after, *_) in pairwise(ranges):
        if base + size > after:
            raise InvalidArgs(f"memory ranges overlap at {after:#x}")
    if not ranges:
        raise InvalidArgs("a machine needs memory above 1 MiB")
    return ranges


def arenas_of(ranges: list[tuple[int, int, int, str]]) -> list[Arena]:
    """One arena per usable range."""
    return [
        Arena(name, base // PAGE_BYTES, size // PAGE_BYTES, priority)
        for base, size, priority, name in ranges
    ]


def boot(machine: Machine, plan: BootPlan) -> None:
    """Bring up the kernel: wire memory, set up heap, address space and jobs.

    Raises
    ------
    NoMemory
        The plan does not fit the machine's memory.
    """
    physical = machine.physical
    total = sum(physical.counts)
    wired = _pages(plan.kernel_image) + _pages(plan.early)
    if plan.page_array:
        wired += _pages(total * PAGE_STRUCT_BYTES)
    ramdisk = _pages(plan.ramdisk)
    heap_pages = -(-_pages(plan.heap) // GROW_PAGES) * GROW_PAGES
    # Beside these: three vDSO variants, the kernel's top table, and heap growth for a few objects.
    needed = wired + ramdisk + VDSO_PAGES + 2 + heap_pages + plan.table_pages + plan.alloc_pages
    needed += 1 + machine.heap.growth_pages(
        plan.kernel_threads * HEAP_BYTES["kernel thread"] + 8192
    )
    if needed > physical.counts[FREE]:
        raise NoMemory(f"booting needs {needed} pages, the machine has {total}")
    for pages, state in ((wired, WIRED), (plan.alloc_pages, ALLOC), (plan.table_pages, MMU)):
        if pages:
            physical.take(pages, state)
    if heap_pages:
        machine.heap.grow(heap_pages)
    kernel = machine.kernel = Kernel(machine, machine.heap)
    _map_kernel(kernel, plan)
    kernel.thread_count = plan.kernel_threads
    for _ in range(plan.kernel_threads):
        machine.heap.take(HEAP_BYTES["kernel thread"])
    _make_objects(machine, kernel, plan)


def _pages(size: int | str) -> int:
    return -(-size_of(size) // PAGE_BYTES)


def _map_kernel(kernel: Kernel, plan: BootPlan) -> None:
    """The kernel's mappings, in the order of their making; a VMO of size 0 reserves a range."""
    unknown = set(plan.regions) - {"physmap", "devices", "image", "arenas"}
    if unknown:
        raise InvalidArgs(f"no kernel region {sorted(unknown)[0]!r}")
    root = kernel.root_vmar
    if "physmap" in plan.regions:
        root.place_mapping(kernel.new_vmo(0, ""), 3, 7, 0, PHYSMAP_BYTES, 0)
    if "devices" in plan.regions:
        for base, size, cache in DEVICES:
            kernel.new_device(base, size, "", 3, None, cache)
    if "image" in plan.regions:
        place = IMAGE_BASE - KERNEL_BASE
        for size, mask in IMAGE_SECTIONS:
            root.place_mapping(kernel.new_vmo(0, ""), mask, 7, 0, size, place)
            place += size
    if "arenas" in plan.regions:
        kernel.make_arenas()


def _make_objects(machine: Machine, kernel: Kernel, plan: BootPlan) -> None:
    """The first koids: super-root, root job, vDSO variants, ramdisk: the guide's numbers."""
    from magmem.sim.job import Job

    machine.next_koid = plan.first_koid + 1
    machine.super_root = Job(machine, None, "<superroot>", plan.first_koid)
    machine.use_koid(plan.first_koid + 4)
    machine.root_job = Job(machine, machine.super_root, "root", plan.first_koid + 4)
    machine.use_koid(plan.first_koid + 7)
    full = Vmo(machine, VDSO_PAGES * PAGE_BYTES, "vdso/full", plan.first_koid + 7, wired=True)
    _own_wired(full, 0, VDSO_PAGES)
    variants = [full]
    for name in ("vdso/test1", "vdso/test2"):
        variant = Vmo(machine, full.size_bytes, name, machine.take_koid(), full, wired=True)
        _own_wired(variant, VDSO_PATCHED_PAGE, VDSO_PATCHED_PAGE + 1)
        variants.append(variant)
    kernel.vdso_variants = tuple(variants)
    if size_of(plan.ramdisk):
        size = size_of(plan.ramdisk)
        kernel.ramdisk = Vmo(machine, size, "bootfs", machine.take_koid(), wired=True)
        _own_wired(kernel.ramdisk, 0, _pages(plan.ramdisk))
        kernel.ramdisk.kernel_refs = 1
    for variant in variants:
        variant.kernel_refs = 1


def _own_wired(vmo: Vmo, start: int, end: int) -> None:
    page = start
    for frame, count in vmo.machine.physical.take(end - start, WIRED):
        vmo.pages.add(page, page + count, frame)
        page += count

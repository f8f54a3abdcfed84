"""The machine's own memory: the kmem row, the arenas, and the kernel's VMOs.

How Linux's figures stand for the kernel statistics of the tables:

========= ==================================================================================
kmem      Linux
========= ==================================================================================
total     pages present in all zones; ``MemTotal`` where zones are not told
free      ``MemFree``
heap      ``Slab``; of it free: what ``slabinfo`` leaves unused (root alone may read it)
mmu       ``PageTables`` and ``SecPageTables``
vmo       ``AnonPages``, ``Cached`` and ``Buffers``
wired     kept at boot (present less ``MemTotal``), kernel stacks, vmalloc, per-CPU data, pages
          cached by processors, the pool of huge pages, memory of drivers
other     the rest: allocated by the kernel, told by no counter
========= ==================================================================================

Memory that no process maps becomes VMOs of the kernel, so that every part has a name where hidden
VMOs are listed: the page cache, tmpfs, each kind of wired memory. Their ids begin with
``kernel/``. All sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from magmem.linux.machine import Slabs, Zone
from magmem.linux.procfs import shown

__all__ = ["Found", "KernelMemory", "KernelVmo", "Machine", "arena_columns", "kernel_memory"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the files of the whole machine told; None for what could not be read."""

    meminfo: Mapping[str, int]
    zones: Sequence[Zone]
    slabs: Slabs | None
    page_bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes of the pages found in VMOs by page frames, by sort.

    Attributes
    ----------
    anonymous_bytes : written by processes, in no file.
    file_bytes, memory_file_bytes : of files on disk, and of files that live in memory.
    image_bytes : of the kernel's image, such as the vDSO.
    driver_bytes : of drivers.
    """

    anonymous_bytes: int = 0
    file_bytes: int = 0
    memory_file_bytes: int = 0
    image_bytes: int = 0
    driver_bytes: int = 0

    @property
    def wired_bytes(self) -> int:
        """What counts as wired."""
        return self.image_bytes + self.driver_bytes


@dataclass(frozen=True, slots=True)
class KernelVmo:
    """Memory of the kernel, or kept by it, as a VMO."""

    id: str
    name: str
    size_bytes: int
    is_wired: bool


@dataclass(frozen=True, slots=True)
class KernelMemory:
    """What the machine says of its own memory.

    Attributes
    ----------
    columns : mapping of str to list of one int or None
        The kmem row.
    vmos : tuple of KernelVmo
        None of them empty.
    skew_bytes : int
        Pages found beyond what the kernel's counters say, because the counters were read last and
        are rough.
    excess_bytes : int
        By how much the counters exceed the whole (`other` is then missing); 0 if they do not.
    """

    columns: Mapping[str, list[Any]]
    vmos: tuple[KernelVmo, ...]
    skew_bytes: int
    excess_bytes: int


def kernel_memory(machine: Machine, found: Found | None) -> KernelMemory:
    """The kmem row and the kernel's VMOs.

    Parameters
    ----------
    machine : Machine
    found : Found or None
        None where page frames are not known: then what is mapped is taken from ``meminfo``.
    """
    info = machine.meminfo
    present = sum(zone.present_pages or 0 for zone in machine.zones) * machine.page_bytes
    total = max(present, info["MemTotal"])
    unwired, skew = _kept(info, found)
    wired = _wired(machine, total, found)
    heap, free = info.get("Slab", 0), info["MemFree"]
    page_tables = info.get("PageTables", 0) + info.get("SecPageTables", 0)
    vmo_bytes = info.get("AnonPages", 0) + info.get("Cached", 0) + info.get("Buffers", 0)
    wired_bytes = sum(vmo.size_bytes for vmo in wired) + (found.wired_bytes if found else 0)
    other = total - free - heap - page_tables - vmo_bytes - wired_bytes
    free_heap = None
    if machine.slabs is not None:
        unused = machine.slabs.total_pages * machine.page_bytes - machine.slabs.used_bytes
        free_heap = min(max(unused, 0), heap)
    columns: dict[str, list[Any]] = {
        "total_bytes": [total],
        "free_bytes": [free],
        "wired_bytes": [wired_bytes],
        "total_heap_bytes": [heap],
        "free_heap_bytes": [free_heap],
        "vmo_bytes": [vmo_bytes],
        "mmu_overhead_bytes": [page_tables],
        "other_bytes": [other if other >= 0 else None],
    }
    vmos = tuple(vmo for vmo in [*unwired, *wired] if vmo.size_bytes)
    return KernelMemory(columns, vmos, skew, max(0, -other))


def _kept(info: Mapping[str, int], found: Found | None) -> tuple[list[KernelVmo], int]:
    """Memory of files and processes that no captured mapping shows; and what counters lack."""
    files = info.get("Cached", 0) + info.get("Buffers", 0)
    if found is None:
        unmapped = max(0, files - info.get("Mapped", 0))
        name = "page cache, tmpfs: not mapped"
        return [KernelVmo("kernel/page-cache", name, unmapped, False)], 0
    tmpfs = info.get("Shmem", 0)
    lacking = {
        ("kernel/page-cache", "page cache, not mapped"): files - tmpfs - found.file_bytes,
        ("kernel/tmpfs", "tmpfs, not mapped"): tmpfs - found.memory_file_bytes,
        ("kernel/others", "anonymous, not captured"): (
            info.get("AnonPages", 0) - found.anonymous_bytes
        ),
    }
    vmos = [KernelVmo(*names, max(0, size), False) for names, size in lacking.items()]
    return vmos, sum(max(0, -size) for size in lacking.values())


def _wired(machine: Machine, total: int, found: Found | None) -> list[KernelVmo]:
    info = machine.meminfo
    stacks = info.get("KernelStack", 0)
    at_boot = total - info["MemTotal"] - (found.image_bytes if found else 0)
    cached = sum(zone.cached_pages for zone in machine.zones) * machine.page_bytes
    # Kernel stacks come from vmalloc (CONFIG_VMAP_STACK) and are counted in both.
    sizes = {
        "reserved": ("kept at boot", max(0, at_boot)),
        "stacks": ("kernel stacks", stacks),
        "vmalloc": ("vmalloc", max(0, info.get("VmallocUsed", 0) - stacks)),
        "percpu": ("per-CPU data", info.get("Percpu", 0)),
        "free-lists": ("free lists of processors", cached),
        "huge": ("pool of huge pages", info.get("Hugetlb", 0)),
    }
    return [KernelVmo(f"kernel/{key}", name, size, True) for key, (name, size) in sizes.items()]


def arena_columns(machine: Machine) -> dict[str, list[Any]]:
    """The arenas table: every zone that has memory."""
    zones = [zone for zone in machine.zones if zone.present_pages]
    many = len({zone.node for zone in zones}) > 1
    names = [f"{zone.node} {zone.name}" if many else zone.name for zone in zones]
    page = machine.page_bytes
    scale = page // 4096
    return {
        "name": [shown(name, 15) for name in names],
        "base": [None if zone.start_page is None else zone.start_page * page for zone in zones],
        "size_bytes": [(zone.present_pages or 0) * page for zone in zones],
        "free_count": [_scaled(zone.free_pages, scale) for zone in zones],
        "free_pages": [_scaled(zone.free_pages, scale) for zone in zones],
        "object_pages": [_scaled(zone.object_pages, scale) for zone in zones],
    }


def _scaled(pages: int | None, scale: int) -> int | None:
    return None if pages is None else pages * scale

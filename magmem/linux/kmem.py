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
from dataclasses import dataclass, field
from typing import Any

from magmem.linux.machine import Segment, Slabs, Zone
from magmem.linux.procfs import shown

__all__ = [
    "Found",
    "HugePool",
    "KernelMemory",
    "KernelVmo",
    "Machine",
    "MemoryMount",
    "arena_columns",
    "kernel_memory",
]


@dataclass(frozen=True, slots=True)
class MemoryMount:
    """A mounted file system that lives in memory: its device, where it is, bytes it holds."""

    device: str
    path: str
    used_bytes: int


@dataclass(frozen=True, slots=True)
class HugePool:
    """The reserved huge pages of one size."""

    page_bytes: int
    pages: int
    free_pages: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What the files of the whole machine told; None or empty for what could not be read.

    Attributes
    ----------
    meminfo : bytes by name; counts as they are.
    vmstat : pages and events by name.
    segments : System V shared memory.
    mounts : file systems that live in memory.
    huge_pools : reserved huge pages.
    socket_bytes : what lies in sockets as far as counters or queues tell.
    """

    meminfo: Mapping[str, int] = field(default_factory=dict)
    zones: Sequence[Zone] = ()
    slabs: Slabs | None = None
    page_bytes: int = 4096
    vmstat: Mapping[str, int] = field(default_factory=dict)
    segments: Sequence[Segment] = ()
    mounts: Sequence[MemoryMount] = ()
    huge_pools: Sequence[HugePool] = ()
    socket_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes of the pages found in VMOs by page frames, by sort.

    Attributes
    ----------
    anonymous_bytes : written by processes, in no file.
    file_bytes, memory_file_bytes : of files on disk, and of files that live in memory.
    image_bytes : of the kernel's image, such as the vDSO.
    driver_bytes : of drivers.
    huge_bytes : huge pages of the reserved pool, which are in no other counter.
    secret_bytes : of `file_bytes`, those that no one else may see (`memfd_secret`).
    by_device : `memory_file_bytes` by device.
    pipe_bytes, buffer_bytes : what lies in pipes, and of DMA buffers.
    in_flight : whether descriptors lie in sockets, sent and not yet taken out.
    """

    anonymous_bytes: int = 0
    file_bytes: int = 0
    memory_file_bytes: int = 0
    image_bytes: int = 0
    driver_bytes: int = 0
    huge_bytes: int = 0
    secret_bytes: int = 0
    by_device: Mapping[str, int] = field(default_factory=dict)
    found_segments: frozenset[int] = frozenset()
    pipe_bytes: int = 0
    buffer_bytes: int = 0
    in_flight: bool = False

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
    if not info:
        return KernelMemory({}, (), 0, 0)
    present = sum(zone.present_pages or 0 for zone in machine.zones) * machine.page_bytes
    total = max(present, info["MemTotal"])
    unwired, skew = _kept(machine, found)
    huge_used, huge_free = _huge(machine)
    if found is not None and huge_used > found.huge_bytes:
        size = huge_used - found.huge_bytes
        unwired.append(KernelVmo("kernel/huge-used", "huge pages in use, not mapped", size, False))
    wired = _wired(machine, total, huge_free if found else huge_free + huge_used, found)
    heap, free = info.get("Slab", 0), info["MemFree"]
    page_tables = info.get("PageTables", 0) + info.get("SecPageTables", 0)
    vmo_bytes = info.get("AnonPages", 0) + info.get("Cached", 0) + info.get("Buffers", 0)
    vmo_bytes += max(huge_used, found.huge_bytes) if found else 0
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
        "swap_total_bytes": [info.get("SwapTotal")],
        "swap_free_bytes": [info.get("SwapFree")],
    }
    vmos = tuple(vmo for vmo in [*unwired, *wired] if vmo.size_bytes)
    return KernelMemory(columns, vmos, skew, max(0, -other))


def _huge(machine: Machine) -> tuple[int, int]:
    """Bytes of the reserved pools of huge pages: in use, and free."""
    pools = machine.huge_pools
    free = sum(pool.free_pages * pool.page_bytes for pool in pools)
    whole = sum(pool.pages * pool.page_bytes for pool in pools)
    return max(whole, machine.meminfo.get("Hugetlb", 0)) - free, free


def _kept(machine: Machine, found: Found | None) -> tuple[list[KernelVmo], int]:
    """Memory of files and processes that no captured mapping shows; and what counters lack."""
    info = machine.meminfo
    files = info.get("Cached", 0) + info.get("Buffers", 0)
    if found is None:
        unmapped = max(0, files - info.get("Mapped", 0))
        name = "page cache, tmpfs: not mapped"
        return [KernelVmo("kernel/page-cache", name, unmapped, False)], 0
    tmpfs = info.get("Shmem", 0)
    cache = files - tmpfs - found.file_bytes
    lacking = {
        "cache": cache,
        "tmpfs": tmpfs - found.memory_file_bytes,
        "others": info.get("AnonPages", 0) - found.anonymous_bytes,
    }
    # Pages of ramfs and the like stand on the list of what cannot be reclaimed; so do locked ones.
    kept = info.get("Unevictable", 0) - info.get("Mlocked", 0) - found.secret_bytes
    kept = min(max(0, kept), max(0, cache))
    vmos = [
        KernelVmo("kernel/page-cache", "page cache, not mapped", max(0, cache) - kept, False),
        KernelVmo("kernel/unevictable", "page cache that stays", kept, False),
        *_owned_tmpfs(machine, found, max(0, lacking["tmpfs"])),
        KernelVmo("kernel/others", "anonymous, not captured", max(0, lacking["others"]), False),
    ]
    return vmos, sum(max(0, -size) for size in lacking.values())


def _owned_tmpfs(machine: Machine, found: Found, left_bytes: int) -> list[KernelVmo]:
    """What nobody maps of System V segments and mounted tmpfs, by name; and what is left."""
    owned: list[tuple[str, str, int]] = []
    for segment in machine.segments:
        if segment.shmid not in found.found_segments and segment.resident_bytes:
            name = f"SYSV {segment.shmid}, made by {segment.creator_pid}"
            owned.append((f"kernel/sysv/{segment.shmid}", name, segment.resident_bytes))
    for mount in machine.mounts:
        size = mount.used_bytes - found.by_device.get(mount.device, 0)
        name = shown(f"tmpfs {mount.path}", 31)
        owned.append((f"kernel/tmpfs/{mount.device}", name, size))
    vmos = []
    page = machine.page_bytes
    for vmo_id, name, told_bytes in owned:
        # What a mount holds includes what was swapped out; the sum in memory is the limit.
        size = min(max(0, told_bytes) // page * page, left_bytes)
        left_bytes -= size
        vmos.append(KernelVmo(vmo_id, name, size, False))
    rest = "memfds sent, not received" if found.in_flight else "tmpfs, not mapped"
    return [*vmos, KernelVmo("kernel/tmpfs", rest, left_bytes, False)]


def _wired(machine: Machine, total: int, huge_bytes: int, found: Found | None) -> list[KernelVmo]:
    info, page = machine.meminfo, machine.page_bytes
    stacks = info.get("KernelStack", 0)
    at_boot = total - info["MemTotal"] - (found.image_bytes if found else 0)
    cached = sum(zone.cached_pages for zone in machine.zones) * page
    # Kernel stacks come from vmalloc (CONFIG_VMAP_STACK) and are counted in both.
    sizes = {
        "reserved": ("kept at boot", max(0, at_boot)),
        "stacks": ("kernel stacks", stacks),
        "vmalloc": ("vmalloc", max(0, info.get("VmallocUsed", 0) - stacks)),
        "percpu": ("per-CPU data", info.get("Percpu", 0)),
        "free-lists": ("free lists of processors", cached),
        "huge": ("huge pages, free", huge_bytes),
        "zspages": ("zram and zswap", machine.vmstat.get("nr_zspages", 0) * page),
        "misc": (
            "reclaimable, no slab",
            machine.vmstat.get("nr_kernel_misc_reclaimable", 0) * page,
        ),
        "balloon": ("taken by the hypervisor", info.get("Balloon", 0)),
        "bounce": ("bounce buffers", info.get("Bounce", 0)),
        "sockets": ("sockets", machine.socket_bytes),
        "pipes": ("pipes", found.pipe_bytes if found else 0),
        "dmabuf": ("DMA buffers", found.buffer_bytes if found else 0),
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

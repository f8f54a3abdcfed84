"""The guide's machines: each prints one transcript of the memory guide to the letter.

The guide shows excerpts of one real machine at different moments, which do not fit together (its
`ps` counts more than its `kstats` has in VMOs), so each transcript has a machine of its own. Koids,
addresses and sizes are the guide's; what it leaves out is made up plausibly.
"""

from __future__ import annotations

from typing import Final

from magmem.scenarios.loader import relocate, use_heap, vmo_handle
from magmem.scenarios.registry import scenario
from magmem.sim import BootPlan, Machine
from magmem.sim.process import Process

__all__ = ["guide_asd", "guide_kstats", "guide_ps", "guide_vmaps", "guide_vmos"]

K: Final = 1024
PAGE: Final = 4 * K
STACK_KIB: Final = 4

PS_TASKS: Final = (
    (1043, 1028, "bin/devmgr", 1384),
    (1082, 1028, "magenta-drivers", None),
    (1103, 1028, "magenta-services", None),
    (1104, 1103, "crashlogger", 296),
    (1209, 1082, "/boot/bin/acpisvc", 772),
    (1290, 1103, "netsvc", 240),
    (1565, 1082, "devhost:root", 248),
    (1619, 1082, "devhost:misc", 652),
    (1688, 1082, "devhost:platform", 256),
    (1867, 1082, "devhost:pci#1:1234:1111", 3876),
    (1916, 1082, "devhost:pci#3:8086:2922", 24948),
    (2115, 1103, "sh:console", 360),
    (2334, 1103, "sh:vc", 264),
    (2441, 1103, "/boot/bin/ps", 304),
)
"""The guide's `ps` in the order of koids: koid, job, name, PRIVATE in KiB (None: a job)."""


@scenario
def guide_ps(seed: int = 0) -> Machine:
    """The guide's `ps`: 12 processes in three jobs, all sharing the vDSO.

    Shows how PSS comes about: PRIVATE plus a twelfth of the vDSO's 28k, so 1384k becomes 1386.3k.
    """
    machine = Machine("2G", seed, name="guide_ps")
    for koid, job_koid, name, private_kib in PS_TASKS:
        job = machine.find(job_koid)
        if private_kib is None:
            job.create_job(name, koid=koid)
        else:
            process = job.spawn(name, koid=koid)
            # One page of the private memory is the initial stack's.
            used = (private_kib - STACK_KIB) * K
            use_heap(process, max(used, 2 << 20), used)
    return machine


@scenario
def guide_vmaps(seed: int = 0) -> Machine:
    """The guide's `vmaps 2470`: a shell, with library, heap, stacks, vDSO and program.

    Shows size against resident, line by line: code read through a clone has 0B resident, a stack
    has a guard page, 2M of heap are 76k of memory.
    """
    machine = Machine("2G", seed, name="guide_vmaps")
    sh = machine.root_job.create_process("sh", koid=2470)
    assert machine.kernel.ramdisk is not None  # noqa: S101 (the default boot has one)
    bootfs = vmo_handle(sh.open(machine.kernel.ramdisk))
    sh.start()
    program = bootfs.clone(0, 128 * K, "/boot/bin/sh", koid=2476)
    region = sh.allocate(148 * K, at=0x59F5C7068000)
    region.map(program, "rx", length=128 * K, offset=0)
    stack = sh.create_vmo(256 * K, "initial-stack", koid=2513)
    sh.map(stack, "rw", at=0x400CBBA84000).touch(PAGE, offset=252 * K, write=True)
    data = bootfs.clone(112 * K, 16 * K, "/boot/bin/sh", koid=2517)
    relocate(region.map(data, "rw", offset=132 * K), 8 * K)
    _map_vdso(sh, 0x47E1AB874000)
    library = sh.allocate(104 * K, at=0x187BC867000)
    code = bootfs.clone(256 * K, 88 * K, "", koid=2535)
    library.map(code, "rx", offset=0)
    data = bootfs.clone(332 * K, 12 * K, "", koid=2537)
    relocate(library.map(data, "rw", offset=92 * K), 4 * K)
    thread_stack = sh.create_vmo(256 * K, koid=2538)
    guarded = sh.allocate(260 * K, at=0x358923D92000)
    guarded.map(thread_stack, "rw", offset=PAGE).touch(16 * K, offset=240 * K, write=True)
    anonymous = sh.create_vmo("2M", "mmap-anonymous", koid=2542)
    sh.map(anonymous, "rw", at=0x246812B91000).touch("76k", write=True)
    return machine


@scenario
def guide_vmos(seed: int = 0) -> Machine:
    """The guide's `vmos 1118`: handles and mappings, clones of clones, a vDSO shared by 14.

    Shows that rows are handles and mappings, not VMOs, and the quirk of clones of that kernel: the
    writes to 1158 and 1237 left copies in 1153 and 1233, the clones between them and the file.
    """
    machine = Machine("2G", seed, name="guide_vmos")
    logger = machine.root_job.create_process("crashlogger", koid=1118)
    logger.start()
    libc = logger.create_vmo(900 * K, "libc.so", koid=1146)
    libc.commit()
    text = libc.clone(0, 904397, "", koid=1153)
    data = text.clone(864 * K, 16 * K, "", koid=1158)
    bss = logger.create_vmo(12 * K, koid=1159)
    message = logger.create_vmo(4 * K, "stack: msg of 0x5a", koid=1170)
    program = logger.create_vmo(40 * K, "bin/crashlogger", koid=1232)
    program.commit()
    code = program.clone(0, 34406, "", koid=1233)
    program_data = code.clone(8 * K, 4 * K, "", koid=1237)
    heap = logger.create_vmo("2M", "jemalloc-heap", koid=1298)
    dump = logger.create_vmo(516 * K, "self-dump-thread:0x12afe79c8b38", koid=1381)
    logger.map(heap, "rw", at=0x10040000000).touch("68k", write=True)
    at = 0x10080000000
    for offset, length in ((0, 256 * K), (256 * K, 256 * K), (512 * K, 4 * K)):
        mapping = logger.map(dump, "rw", vmo_offset=offset, length=length, at=at)
        at += 0x40000000
        if length > PAGE:
            mapping.touch(PAGE, write=True)
    logger.map(code, "rx", at=0x10140000000)
    logger.map(program_data, "rw", at=0x10180000000).touch(write=True)
    logger.map(text, "rx", at=0x101C0000000)
    logger.map(data, "rw", at=0x10200000000).touch(12 * K, write=True)
    logger.map(bss, "rw", at=0x10240000000).touch(write=True)
    logger.map(message, "rw", at=0x10280000000).touch(write=True)
    _map_vdso(logger, 0x102C0000000)
    # The guide lists one more handle than the loader leaves behind, and the newest first.
    vdso = logger.open(machine.kernel.vdso)
    vdso.duplicate("rxmdtg")
    for handle in logger.handles:
        if handle.type != "vmo" or handle.koid not in (1170, 1031):
            handle.close()
    _keep_newest(logger, (1031, 1170))
    for number in range(13):
        machine.root_job.spawn(f"service-{number}")
    return machine


@scenario
def guide_kstats(seed: int = 0) -> Machine:
    """The guide's `kstats -m`: 2046.9M in all, of them 1943.8M free.

    Shows where memory goes beside processes: wired, kernel heap in use and free, page tables.
    """
    plan = BootPlan(
        kernel_image="3M",
        ramdisk="32M",
        early=KSTATS_EARLY,
        heap="2M",
        table_pages=KSTATS_TABLE_PAGES,
        kernel_threads=114,
    )
    machine = Machine("2G", seed, boot=plan, name="guide_kstats")
    drivers = machine.root_job.create_job("magenta-drivers")
    services = machine.root_job.create_job("magenta-services")
    use_heap(machine.root_job.spawn("bin/devmgr"), "4M", 1380 * K)
    for name, used in (("devhost:root", 244), ("devhost:misc", 648), ("devhost:pci", 12000)):
        use_heap(drivers.spawn(name), "16M", used * K)
    for name, used in (("crashlogger", 292), ("netsvc", 236), ("sh:console", 356)):
        use_heap(services.spawn(name), "2M", used * K)
    cache = machine.kernel.create_vmo("8M", "block-cache")
    machine.kernel.commit(cache, 0, KSTATS_CACHE)
    return machine


KSTATS_EARLY: Final = 22096 * K
KSTATS_TABLE_PAGES: Final = 1930
KSTATS_CACHE: Final = 5960 * K


@scenario
def guide_asd(seed: int = 0) -> Machine:
    """The guide's `k mx asd kernel`: a kernel that has mapped memory and two devices, no more.

    Shows a VMO of size 0 that only reserves a range, and physical VMOs, which use no RAM. The
    addresses follow from what each object costs in the heap; the 66 kernel threads are the
    references that the regions shown do not account for.
    """
    plan = BootPlan(regions=("physmap", "devices"), kernel_threads=66, heap="2M")
    return Machine("2G", seed, boot=plan, name="guide_asd")


def _map_vdso(process: Process, at: int) -> None:
    vdso = vmo_handle(process.open(process.machine.kernel.vdso))
    region = process.allocate(28 * K, at=at)
    region.map(vdso, "r", length=24 * K, offset=0)
    region.map(vdso, "rx", vmo_offset=24 * K, length=4 * K, offset=24 * K)


def _keep_newest(process: Process, koids: tuple[int, ...]) -> None:
    """Leave one handle to each of these objects, in this order of age."""
    for koid in koids:
        old = [handle for handle in process.handles if handle.koid == koid]
        old[0].replace(old[0].rights)
        for handle in old[1:]:
            handle.close()

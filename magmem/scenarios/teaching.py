"""Machines that each show one thing about memory and its accounting."""

from __future__ import annotations

from typing import Final

from magmem.errors import InvalidArgs
from magmem.scenarios.loader import load_file, use_heap, vmo_handle
from magmem.scenarios.registry import scenario
from magmem.sim import Machine
from magmem.sim.arguments import size_of
from magmem.sim.rights import RIGHT_WRITE

__all__ = [
    "double_mapping",
    "fork_like_clones",
    "fresh_boot",
    "handle_hoarder",
    "shared_library_farm",
    "unmapped_leak",
]

K: Final = 1024
PAGE: Final = 4 * K

BOOT_PROCESSES: Final = (
    ("magenta-drivers", "/boot/bin/acpisvc", 644),
    ("magenta-drivers", "devhost:root", 120),
    ("magenta-drivers", "devhost:misc", 524),
    ("magenta-drivers", "devhost:pci#1:1234:1111", 3748),
    ("magenta-services", "crashlogger", 168),
    ("magenta-services", "netsvc", 112),
    ("magenta-services", "sh:console", 232),
)
"""Job, process and its heap in KiB."""


@scenario
def fresh_boot(memory: int | str = "2G", seed: int = 0) -> Machine:
    """A machine that has just come up: device manager, drivers, services and a shell.

    Shows an ordinary system: programs and libraries loaded from the ramdisk, whose pages are wired;
    a framebuffer, which uses no RAM; threads waiting.

    Parameters
    ----------
    memory : int or str
        RAM of the machine.
    """
    machine = Machine(memory, seed, name="fresh_boot")
    devmgr = machine.root_job.spawn("bin/devmgr")
    assert machine.kernel.ramdisk is not None  # noqa: S101 (the default boot has one)
    bootfs = vmo_handle(devmgr.open(machine.kernel.ramdisk))
    libc = bootfs.clone(0, 640 * K, "lib/libc.so")
    program = bootfs.clone(1024 * K, 128 * K, "bin/devmgr")
    load_file(devmgr, program, 96 * K, 8 * K, 24 * K)
    load_file(devmgr, libc, 608 * K, 16 * K, 16 * K)
    use_heap(devmgr, "2M", 880 * K)
    job_names = dict.fromkeys(job for job, *_ in BOOT_PROCESSES)
    jobs = {name: machine.root_job.create_job(name) for name in job_names}
    for number, (job, name, heap_kib) in enumerate(BOOT_PROCESSES):
        process = jobs[job].spawn(name)
        devmgr.open(process)
        for file, text, data in ((libc, 608 * K, 32 * K), (program, 96 * K, 32 * K)):
            own = file.duplicate().transfer(process)
            load_file(process, vmo_handle(own), text, data // 2, data // 2, data_name="")
            own.close()
        use_heap(process, "4M", heap_kib * K)
        _, far = devmgr.create_channel()
        far.transfer(process)
        worker = process.create_thread(f"worker-{number}")
        worker.start()
        worker.block()
    gpu = machine.processes[4]
    screen = gpu.create_physical_vmo(0xFD000000, "4M", "framebuffer")
    gpu.map(screen, "rw")
    machine.kernel.map_device(0xFEBF0000, "16k", "nic")
    return machine


@scenario
def shared_library_farm(
    processes: int = 8, library: int | str = "1M", data: int | str = "64k", seed: int = 0
) -> Machine:
    """Many processes with one library: code shared by all, data copied by each.

    Shows why sums of RSS mean little, and that PSS of one process depends on the others: each pays
    1/n of the code, and all of its own copy of the data.

    Parameters
    ----------
    processes : int
        How many load the library.
    library, data : int or str
        Bytes of the library, and of its data segment, the library's last part.
    """
    machine = Machine("2G", seed, name="shared_library_farm")
    service = machine.root_job.spawn("loader-service")
    size, data_bytes = size_of(library), size_of(data)
    file = service.create_vmo(size, "lib/libfarm.so")
    file.commit()
    for number in range(processes):
        process = machine.root_job.spawn(f"worker-{number}")
        own = vmo_handle(file.duplicate(file.rights & ~RIGHT_WRITE).transfer(process))
        load_file(process, own, size - data_bytes, 0, data_bytes, data_name="data:libfarm.so")
        own.close()
    return machine


@scenario
def fork_like_clones(
    children: int = 4,
    size: int | str = "4M",
    written: int | str = "256k",
    generations: int = 1,
    seed: int = 0,
) -> Machine:
    """A parent's memory, cloned for each child, which then writes a part of it.

    Shows copy-on-write: the clones' committed bytes are their own copies only, and the parent's
    pages that they see through are counted for nobody who maps only the clone. With more
    `generations` each child clones on, and that kernel's quirk appears: a write through a clone of
    a clone leaves copies in the clones between.

    Parameters
    ----------
    children : int
        Processes in each generation.
    size, written : int or str
        Bytes of the parent's memory, all committed, and of what each child writes.
    generations : int
        Clones of clones: how deep.
    """
    machine = Machine("2G", seed, name="fork_like_clones")
    parent = machine.root_job.spawn("parent")
    image = parent.create_vmo(size, "image")
    parent.map(image, "rw").touch(write=True)
    line = [image] * children
    for generation in range(1, generations + 1):
        for number in range(children):
            child = machine.root_job.spawn(f"child-{generation}.{number}")
            copy = vmo_handle(
                line[number].clone(name=f"copy-{generation}.{number}").transfer(child)
            )
            mapping = child.map(copy, "rw")
            if generation == generations:
                mapping.touch(written, write=True)
            line[number] = copy
    return machine


@scenario
def unmapped_leak(minutes: int = 30, step: int | str = "4M", seed: int = 0) -> Machine:
    """A process that writes ever more into VMOs it never maps.

    Shows hidden memory: free memory falls by `step` a minute, and `ps` does not move; the VMOs
    appear only among the hidden ones. Minutes pass on the machine's clock.

    Parameters
    ----------
    minutes : int
        How long the leak has been going on.
    step : int or str
        Bytes it takes each minute.
    """
    machine = Machine("2G", seed, name="unmapped_leak")
    use_heap(machine.root_job.spawn("innocent"), "64M", "48M")
    logger = machine.root_job.spawn("logger")
    use_heap(logger, "2M", "200k")
    for minute in range(minutes):
        log = logger.create_vmo(step, f"log-{minute}")
        log.commit()
        machine.advance(60_000)
    return machine


@scenario
def handle_hoarder(handles: int = 50_000, seed: int = 0) -> Machine:
    """A process that keeps a very large number of handles open.

    Shows kernel memory that `ps` never counts: the handles fill `arena:handles`, a VMO mapped only
    into the kernel; each event behind them costs heap.

    Parameters
    ----------
    handles : int
        How many; every tenth is to an event of its own. The system has 262,144 in all.
    """
    machine = Machine("2G", seed, name="handle_hoarder")
    use_heap(machine.root_job.spawn("modest"), "2M", "120k")
    hoarder = machine.root_job.spawn("hoarder")
    use_heap(hoarder, "2M", "120k")
    event = hoarder.create_event()
    for number in range(1, handles):
        if number % 10:
            event.duplicate()
        else:
            event = hoarder.create_event()
    return machine


@scenario
def double_mapping(mappings: int = 2, size: int | str = "40k", seed: int = 0) -> Machine:
    """One VMO, all committed, mapped several times by one process.

    Shows multiply-mapped pages: the tools count them once per mapping, though they are there once.

    Parameters
    ----------
    mappings : int
        How often.
    size : int or str
        Bytes of the VMO.
    """
    if mappings < 1:
        raise InvalidArgs(f"expected 1 mapping or more, found {mappings}")
    machine = Machine("2G", seed, name="double_mapping")
    process = machine.root_job.spawn("twice")
    buffer = process.create_vmo(size, "ring-buffer")
    for _ in range(mappings):
        process.map(buffer, "rw").touch(write=True)
    return machine

"""After any error the machine is exactly as before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from magmem import errors
from magmem.sim import HEAP_BYTES, BootPlan, Machine
from magmem.sim.process import Process
from magmem.sim.vmo_handle import VmoHandle

PAGE = 4096


class Bench:
    """A machine with one of everything that can be refused."""

    def __init__(self) -> None:
        self.machine = Machine("64M", seed=9)
        self.job = self.machine.root_job.create_job("job")
        self.process: Process = self.job.spawn("p")
        self.vmo: VmoHandle = self.process.create_vmo("20000", name="v")
        self.vmo.commit(0, "8k")
        self.vmo.pin(0, PAGE)
        self.reader = self.vmo.duplicate("rt")
        self.clone = self.vmo.clone()
        self.device = self.process.create_physical_vmo(0xD0000000, "8k")
        self.mapping = self.process.map(self.vmo, "rw", length="64k")
        self.read_only = self.process.map(self.vmo, "r")
        self.vmar = self.process.allocate("64k", perms="r", specific=False)
        self.inner = self.process.allocate("1M")
        self.child = self.inner.allocate("64k", offset=0)
        self.closed = self.vmo.duplicate()
        self.closed.close()
        self.gone = self.process.map(self.vmo)
        self.gone.unmap()
        self.thread = self.process.threads[0]
        self.dying = self.job.spawn("dying")
        self.dying.kill(finish=False)
        self.dead = self.job.spawn("dead")
        self.dead_handle = self.process.open(self.dead)
        self.dead.exit()
        self.port = self.process.create_port()
        self.device_map = self.machine.kernel.map_device(0xFEC00000, PAGE)


Refused = Callable[[Bench], Any]

REFUSALS: list[tuple[type[Exception], str, Refused]] = [
    # arguments
    (errors.InvalidArgs, "expected a size", lambda b: b.process.create_vmo("12 apples")),
    (errors.InvalidArgs, "expected a size", lambda b: b.process.create_vmo(-1)),
    (errors.InvalidArgs, "above the largest", lambda b: b.process.create_vmo(1 << 63)),
    (errors.InvalidArgs, "without NUL", lambda b: b.process.create_vmo(1, "a\0b")),
    (errors.InvalidArgs, "given in order", lambda b: b.process.create_vmo(1, koid=1050)),
    (errors.InvalidArgs, "koid: expected 0", lambda b: b.job.create_job("j", koid=1 << 63)),
    (errors.InvalidArgs, "size above 0", lambda b: b.process.create_contiguous_vmo(0)),
    (
        errors.InvalidArgs,
        "power of two",
        lambda b: b.process.create_contiguous_vmo("8k", alignment_bytes=12288),
    ),
    (errors.InvalidArgs, "multiple of 4096", lambda b: b.process.create_physical_vmo(1, "4k")),
    (errors.InvalidArgs, "multiple of 4096", lambda b: b.process.create_physical_vmo(0, "5k")),
    (errors.InvalidArgs, "size above 0", lambda b: b.process.create_physical_vmo(0, 0)),
    (errors.InvalidArgs, "expected one of log", lambda b: b.process.create_object("channel")),
    (errors.InvalidArgs, "a kernel object", lambda b: b.process.open(b.vmo)),  # type: ignore[arg-type]
    (errors.InvalidArgs, "at most 1099511627776", lambda b: b.job.spawn("s", stack=1 << 41)),
    (errors.InvalidArgs, "expected bytes to write", lambda b: b.vmo.write(0, 5)),  # type: ignore[arg-type]
    (errors.InvalidArgs, "expected bytes to write", lambda b: b.mapping.write(0, "x")),  # type: ignore[arg-type]
    (errors.WrongArgument, "address: expected an address", lambda b: b.process.unmap("4k", 1)),  # type: ignore[arg-type]
    # rights and handles
    (errors.AccessDenied, "writing needs rights 0x8", lambda b: b.reader.write(0, b"x")),
    (errors.AccessDenied, "duplicating", lambda b: b.reader.duplicate()),
    (errors.AccessDenied, "cloning", lambda b: b.reader.clone()),
    (errors.AccessDenied, "mapping", lambda b: b.process.map(b.reader, "r")),
    (errors.AccessDenied, "getting its name", lambda b: b.reader.name),
    (errors.AccessDenied, "setting its name", lambda b: b.reader.set_name("x")),
    (errors.AccessDenied, "read-only data", lambda b: b.process.open(b.machine.kernel.vdso, "w")),
    (errors.InvalidArgs, "more than 0x6", lambda b: b.reader.replace("rw")),
    (errors.InvalidArgs, "out of rwxmdtgs", lambda b: b.vmo.duplicate("rz")),
    (errors.BadHandle, "is closed", lambda b: b.closed.read()),
    (errors.BadHandle, "is closed", lambda b: b.closed.close()),
    (errors.BadHandle, "is closed", lambda b: b.process.map(b.closed)),
    (errors.BadHandle, "has no handle 0x2", lambda b: b.process.handle(2)),
    (errors.InvalidArgs, "a vmar can have", lambda b: b.process.open(b.inner, 0xC3)),
    (errors.AccessDenied, "setting its name", lambda b: b.inner.handle.set_name("x")),
    # VMOs
    (errors.OutOfRange, "start past the 20000", lambda b: b.vmo.read(20001, 1)),
    (errors.OutOfRange, "start past the 20000", lambda b: b.vmo.write(20001, b"ab")),
    (errors.OutOfRange, "start past the 20000", lambda b: b.vmo.commit(20001, 0)),
    (errors.OutOfRange, "not within the 20000", lambda b: b.vmo.lookup(0, 20001)),
    (errors.OutOfRange, "above the largest", lambda b: b.vmo.resize(1 << 63)),
    (errors.BadState, "include pinned", lambda b: b.vmo.decommit()),
    (errors.BadState, "include pinned", lambda b: b.vmo.resize(0)),
    (errors.NotFound, "page 2 .* not committed", lambda b: b.vmo.pin(0, "12k")),
    (errors.BadState, "no pin to undo", lambda b: b.vmo.unpin(0, "8k")),
    (errors.NoMemory, "page 2 .* not committed", lambda b: b.vmo.lookup(0, "12k")),
    (errors.InvalidArgs, "length above 0", lambda b: b.vmo.lookup(0, 0)),
    (errors.InvalidArgs, "multiple of 4096", lambda b: b.vmo.clone(100)),
    (errors.OutOfRange, "offset .* above", lambda b: b.vmo.clone(1 << 62, 1 << 62)),
    (errors.NotSupported, "no reading", lambda b: b.device.read(0, 1)),
    (errors.NotSupported, "no committing", lambda b: b.device.commit()),
    (errors.NotSupported, "no cloning", lambda b: b.device.clone()),
    # mappings
    (errors.InvalidArgs, "permissions out of rwx", lambda b: b.process.map(b.vmo, "rq")),
    (errors.InvalidArgs, "needs read permission", lambda b: b.process.map(b.vmo, "w")),
    (errors.InvalidArgs, "length above 0", lambda b: b.process.map(b.vmo, length=0)),
    (errors.InvalidArgs, "multiple of 4096", lambda b: b.process.map(b.vmo, vmo_offset=5)),
    (errors.InvalidArgs, "multiple of 4096", lambda b: b.process.map(b.vmo, at=0x1000001)),
    (errors.InvalidArgs, "is not within", lambda b: b.process.map(b.vmo, at=0)),
    (errors.InvalidArgs, "not within", lambda b: b.process.map(b.vmo, at=0x7FFFFFFFF000)),
    (errors.InvalidArgs, "a place to overwrite", lambda b: b.process.map(b.vmo, overwrite=True)),
    (errors.NoMemory, "is taken in", lambda b: b.process.map(b.vmo, at=b.mapping.base)),
    (errors.InvalidArgs, "are more than", lambda b: b.process.map(b.vmo, length=1 << 47)),
    (errors.NoMemory, "no room", lambda b: b.inner.map(b.vmo, length="964k")),
    (
        errors.InvalidArgs,
        "would overwrite",
        lambda b: b.process.map(b.vmo, at=b.inner.base, overwrite=True),
    ),
    (errors.AccessDenied, "more than", lambda b: b.vmar.map(b.vmo, "rw")),
    (errors.AccessDenied, "choose a place", lambda b: b.vmar.map(b.vmo, "r", offset=0)),
    (errors.AccessDenied, "lacks", lambda b: b.vmar.allocate(PAGE)),
    (errors.InvalidArgs, "size above 0", lambda b: b.process.allocate(0)),
    (errors.InvalidArgs, "cuts", lambda b: b.inner.unmap(b.inner.base, PAGE)),
    (errors.InvalidArgs, "multiple of 4096", lambda b: b.process.unmap(b.mapping.base + 1, 1)),
    (errors.InvalidArgs, "one above 0", lambda b: b.process.unmap(b.mapping.base, 0)),
    (
        errors.NotFound,
        "nothing is mapped",
        lambda b: b.process.protect(b.mapping.base, "128k", "r"),
    ),
    (errors.InvalidArgs, "reaches into", lambda b: b.process.protect(b.inner.base, "64k", "r")),
    (errors.InvalidArgs, "needs read permission", lambda b: b.mapping.protect("w")),
    (errors.BadState, "no longer mapped", lambda b: b.gone.unmap()),
    (errors.BadState, "no longer mapped", lambda b: b.gone.protect("r")),
    (errors.PageFault, "read at .* no mapping", lambda b: b.gone.touch()),
    (errors.PageFault, "past the end of the mapping", lambda b: b.read_only.touch(1, offset="20k")),
    (errors.PageFault, "past the end of the mapping", lambda b: b.mapping.read("64k", "8k")),
    (errors.PageFault, "past the end of the VMO", lambda b: b.mapping.touch("4k", offset="20k")),
    (errors.PageFault, "mapping is not writable", lambda b: b.read_only.touch(1, write=True)),
    (errors.PageFault, "mapping is not executable", lambda b: b.mapping.touch(1, execute=True)),
    (errors.PageFault, "no mapping", lambda b: b.process.write(b.inner.end - 2, b"ab")),
    (errors.NotSupported, "no bytes", lambda b: b.process.map(b.device, "rw").read(0, 1)),
    # tasks
    (errors.BadState, "expected a process that has not started", lambda b: b.process.start()),
    (errors.BadState, "is dying", lambda b: b.dying.create_vmo(1)),
    (errors.BadState, "is dying", lambda b: b.dying.create_thread("t")),
    (errors.BadState, "dying already", lambda b: b.dying.kill(finish=False)),
    (errors.BadState, "expected a dying process", lambda b: b.process.finish()),
    (errors.BadState, "has exited", lambda b: b.dead.kill()),
    (errors.BadState, "has exited", lambda b: b.dead.read(0x1000000, 1)),
    (errors.BadState, "is destroyed", lambda b: b.dead.map(b.vmo)),
    (errors.BadState, "has exited", lambda b: b.vmo.transfer(b.dead)),
    (errors.BadState, "expected a thread that is new", lambda b: b.thread.start()),
    (errors.BadState, "that is suspended", lambda b: b.thread.resume()),
    (errors.BadState, "waits for no exception", lambda b: b.thread.resume_exception()),
    (errors.InvalidArgs, "expected one of", lambda b: b.thread.raise_exception("none")),
    (errors.AccessDenied, "cannot be killed", lambda b: b.machine.root_job.kill()),
    (errors.AccessDenied, "cannot be killed", lambda b: b.machine.super_root.kill()),
    # ports
    (errors.NoMemory, "holds 16384 packets", lambda b: b.port.queue(16385)),
    (errors.BadState, "expected 1 packets queued", lambda b: b.port.dequeue()),
    (errors.InvalidArgs, "count: expected 0", lambda b: b.port.queue(-1)),
    # the kernel
    (errors.AccessDenied, "keeps its own", lambda b: b.machine.kernel.root_vmar.destroy()),
    (errors.AccessDenied, "keeps its own", lambda b: b.thread.stack.children[0].unmap()),  # type: ignore[call-arg, union-attr]
    (errors.InvalidArgs, "expected a Vmo", lambda b: b.machine.kernel.commit(b.vmo)),  # type: ignore[arg-type]
    (errors.BadState, "holds no reference", lambda b: b.machine.kernel.release(b.vmo.vmo)),
    (
        errors.BadState,
        "holds no reference",
        lambda b: b.machine.kernel.release(b.machine.kernel.vdso),
    ),
    (errors.InvalidArgs, "cache", lambda b: b.machine.kernel.map(b.vmo, cache=9)),
    (
        errors.NoMemory,
        "is taken",
        lambda b: b.machine.kernel.map_device(0, PAGE, at=b.device_map.base),
    ),
    (errors.InvalidArgs, "milliseconds: expected 0", lambda b: b.machine.advance(-1)),
    (errors.NotFound, "no object has koid 7", lambda b: b.machine.find(7)),
]


@pytest.mark.parametrize(
    ("status", "message", "refused"), REFUSALS, ids=[f"{n}-{r[1]}" for n, r in enumerate(REFUSALS)]
)
def test_a_refused_operation_changes_nothing(
    status: type[Exception], message: str, refused: Refused
) -> None:
    """The error has the kernel's status and says what was wrong; the state is the same bit for bit.

    Two operations here first make something that is then refused; their machine is compared from
    there on.
    """
    bench = Bench()
    made = {"no name to set": 1, "no bytes": 1}.get(message, 0)
    before, step = bench.machine.fingerprint(), bench.machine.step
    with pytest.raises(status, match=message):
        refused(bench)
    assert bench.machine.step == step + made
    if not made:
        assert bench.machine.fingerprint() == before


def starved(free_pages: int) -> tuple[Machine, Process, VmoHandle]:
    """A machine on which so many pages are free, with some of everything."""
    machine = Machine("16M", seed=4, boot=BootPlan(heap="512k", ramdisk=0))
    process = machine.root_job.spawn("p")
    vmo = process.create_vmo("64M")
    process.create_vmo("64M").commit(0, (machine.pages["free"] - free_pages) * PAGE)
    assert machine.pages["free"] == free_pages
    return machine, process, vmo


@pytest.mark.parametrize("free_pages", [0, 1, 2, 3, 5, 7])
def test_out_of_memory_changes_nothing(free_pages: int) -> None:
    """A commit, write, touch, spawn or thread that does not fit as a whole does nothing."""
    machine, process, vmo = starved(free_pages)
    mapping = process.map(vmo)
    clone = vmo.clone().clone()
    grand = process.map(clone)
    before = machine.fingerprint()
    size = (free_pages + 1) * PAGE
    for refused in (
        lambda: vmo.commit(0, size),
        lambda: vmo.write(1, b"x" * (size - 1)),
        lambda: mapping.touch(size, write=True),
        lambda: mapping.write(0, b"x" * size),
        lambda: grand.touch(size, write=True),
        lambda: process.create_contiguous_vmo(size),
        lambda: machine.root_job.spawn("q"),
        lambda: process.create_thread("t"),
    ):
        with pytest.raises(errors.NoMemory, match=r"needs \d+ pages|adjacent free pages"):
            refused()
        assert machine.fingerprint() == before


@pytest.mark.parametrize("free_pages", [3, 4, 5])
def test_a_touch_counts_its_tables(free_pages: int) -> None:
    """A page and the three tables above it need four free pages, no more and no fewer."""
    machine, process, vmo = starved(free_pages)
    mapping = process.map(vmo, at=0x40000000000)
    if free_pages < 4:
        with pytest.raises(errors.NoMemory):
            mapping.touch(1, write=True)
    else:
        assert mapping.touch(1, write=True) == 1
        assert machine.pages["free"] == free_pages - 4


def test_a_full_handle_arena_is_no_resources() -> None:
    """Where no entry is free, a new handle is refused, and with it what would have had it."""
    machine = Machine("64M")
    process = machine.root_job.spawn("hoarder")
    event = process.create_event()
    # As if the arena were small; that it holds 262,144 is tested with the rules.
    machine.kernel.handle_arena.entries = 300
    for _ in range(300 - machine.kernel.handle_count):
        event.duplicate()
    before = machine.fingerprint()
    for refused in (event.duplicate, process.create_event, lambda: process.create_vmo(1)):
        with pytest.raises(errors.NoResources, match="holds 300 handles, 300 are in use"):
            refused()
    assert machine.fingerprint() == before
    process.handles[0].close()
    with pytest.raises(errors.NoResources, match="no room for 2 more"):
        process.create_channel()
    assert event.duplicate().alive


def test_a_heap_that_cannot_grow_refuses() -> None:
    """An object that needs a new heap page fails when no 16 pages are free for it."""
    machine, process, vmo = starved(0)
    room = machine.heap.capacity - machine.heap.used
    for _ in range(room // HEAP_BYTES["mapping"]):
        process.map(vmo)
    before = machine.fingerprint()
    with pytest.raises(errors.NoMemory, match="the mapping needs 16 pages, 0 are free"):
        process.map(vmo)
    assert machine.fingerprint() == before

"""A debugger's read and write of another process's memory (reference/kernel.md "Tasks")."""

from __future__ import annotations

import pytest

from magmem import (
    AccessDenied,
    BadState,
    InvalidArgs,
    Machine,
    NoMemory,
    NotSupported,
    OutOfRange,
)
from magmem.sim import Process, ProcessHandle
from magmem.sim.vmo_handle import VmoHandle

PAGE = 4096
BASE = 0x1000000


@pytest.fixture
def debugger(process: Process, other: Process) -> ProcessHandle:
    """Another process's handle to the first, with all rights."""
    handle = other.open(process)
    assert isinstance(handle, ProcessHandle)
    return handle


@pytest.fixture
def vmo(process: Process) -> VmoHandle:
    """Four pages of the debugged process, mapped read only at the base."""
    vmo = process.create_vmo(4 * PAGE)
    process.map(vmo, "r", at=BASE)
    return vmo


def test_write_commits_behind_a_read_only_mapping(
    machine: Machine, process: Process, debugger: ProcessHandle, vmo: VmoHandle
) -> None:
    """A write ignores permissions and commits the pages; the process sees the bytes."""
    process.touch(BASE)
    assert debugger.write_memory(BASE + PAGE - 2, b"break") == 5
    assert vmo.vmo.runs == [(0, 2)]
    assert process.read(BASE + PAGE - 2, 5) == b"break"
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_write_drops_the_entries_of_new_pages(
    process: Process, debugger: ProcessHandle, vmo: VmoHandle
) -> None:
    """A page that the write commits loses its entries, as with any commit."""
    (mapping,) = vmo.vmo.mappings
    process.touch(BASE, 2 * PAGE)
    debugger.write_memory(BASE, b"x")
    assert mapping.installed == [(1, 1)]


def test_read_commits_and_installs_nothing(
    machine: Machine, debugger: ProcessHandle, vmo: VmoHandle
) -> None:
    """A read sees zeros where nothing is committed, and leaves the machine as it is."""
    vmo.write(0, b"seen")
    before = machine.fingerprint()
    assert debugger.read_memory(BASE, 6) == b"seen\0\0"
    assert machine.fingerprint() == before


def test_permissions_do_not_matter(process: Process, debugger: ProcessHandle) -> None:
    """A mapping without any permission is read and written all the same."""
    process.map(process.create_vmo(PAGE), "---", at=BASE)
    assert debugger.write_memory(BASE, b"in") == 2
    assert debugger.read_memory(BASE, 2) == b"in"


def test_write_to_a_clone_copies(process: Process, debugger: ProcessHandle) -> None:
    """A write to a clone's mapping gives the clone a page; the parent keeps its own."""
    parent = process.create_vmo(PAGE)
    parent.write(0, b"old")
    clone = parent.clone()
    process.map(clone, "r", at=BASE)
    debugger.write_memory(BASE, b"new")
    assert (parent.read(0, 3), clone.read(0, 3)) == (b"old", b"new")


def test_trimmed_at_the_vmos_end(process: Process, debugger: ProcessHandle) -> None:
    """What reaches past the VMO's end is cut; a start past it is OutOfRange."""
    process.map(process.create_vmo(100), "rw", at=BASE, length=2 * PAGE)
    assert debugger.write_memory(BASE + 98, b"abcd") == 2
    assert debugger.read_memory(BASE + 98, 10) == b"ab"
    assert debugger.read_memory(BASE + 100, 10) == b""
    assert debugger.write_memory(BASE + 100, b"abcd") == 0
    machine = process.machine
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()
    for refused in (
        lambda: debugger.read_memory(BASE + 101, 1),
        lambda: debugger.write_memory(BASE + PAGE, b"x"),
    ):
        with pytest.raises(OutOfRange):
            refused()


def test_one_vmo_and_no_other(process: Process, debugger: ProcessHandle) -> None:
    """As in the kernel of 2017 a range ends with the VMO, not with the mapping."""
    vmo = process.create_vmo(3 * PAGE)
    vmo.write(PAGE, b"behind")
    process.map(vmo, "r", at=BASE, length=PAGE)
    assert debugger.read_memory(BASE, PAGE + 6)[-6:] == b"behind"


def test_no_mapping(machine: Machine, process: Process, debugger: ProcessHandle) -> None:
    """Where nothing is mapped it is NoMemory, a child region included; nothing changes."""
    region = process.allocate(PAGE)
    before = machine.fingerprint()
    for address in (BASE, region.base, 0, 1 << 63):
        with pytest.raises(NoMemory):
            debugger.read_memory(address, 1)
        with pytest.raises(NoMemory):
            debugger.write_memory(address, b"x")
    assert machine.fingerprint() == before


@pytest.mark.parametrize("rights", ["r", "w", "dt"])
def test_needs_read_and_write(
    machine: Machine, debugger: ProcessHandle, vmo: VmoHandle, rights: str
) -> None:
    """Both calls need the rights to read and to write the process: AccessDenied."""
    weak = debugger.duplicate(rights)
    before = machine.fingerprint()
    for refused in (
        lambda: weak.read_memory(BASE, 1),  # type: ignore[attr-defined]
        lambda: weak.write_memory(BASE, b"x"),  # type: ignore[attr-defined]
    ):
        with pytest.raises(AccessDenied):
            refused()
    assert machine.fingerprint() == before
    assert vmo.vmo.committed_pages == 0


@pytest.mark.parametrize("length", [0, (64 << 20) + 1, 1 << 64])
def test_lengths(debugger: ProcessHandle, vmo: VmoHandle, length: int) -> None:
    """Length 0 and more than 64 MiB are InvalidArgs, before rights are looked at."""
    with pytest.raises(InvalidArgs):
        debugger.duplicate(0).read_memory(BASE, length)  # type: ignore[attr-defined]
    if not length:
        with pytest.raises(InvalidArgs):
            debugger.write_memory(BASE, b"")
    assert vmo.vmo.alive


def test_ends(process: Process, debugger: ProcessHandle, vmo: VmoHandle) -> None:
    """A dying process's memory is there; a dead one's is BadState."""
    process.start()
    process.kill(finish=False)
    assert debugger.write_memory(BASE, b"post mortem") == 11
    process.finish()
    with pytest.raises(BadState):
        debugger.read_memory(BASE, 1)
    assert not vmo.alive


def test_devices(process: Process, debugger: ProcessHandle) -> None:
    """The laboratory knows no bytes of a device."""
    process.map(process.create_physical_vmo(0xFED00000, PAGE), at=BASE)
    with pytest.raises(NotSupported):
        debugger.read_memory(BASE, 1)


def test_the_kernels_own_is_not_written(
    machine: Machine, process: Process, debugger: ProcessHandle
) -> None:
    """What the kernel stands on can be read through a mapping, and is never written."""
    arena = process.open(machine.kernel.handle_arena.vmo)
    process.map(arena, "r", at=BASE, length=PAGE)  # type: ignore[arg-type]
    assert len(debugger.read_memory(BASE, PAGE)) == PAGE
    before = machine.fingerprint()
    with pytest.raises(AccessDenied):
        debugger.write_memory(BASE, b"x")
    assert machine.fingerprint() == before

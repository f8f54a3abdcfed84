"""The rules of reference/kernel.md "Objects, handles, koids", one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import magmem
from magmem import AccessDenied, BadHandle, BadState, InvalidArgs, Machine, NoMemory, NoResources
from magmem.sim.process import Process

PAGE = 4096
ALL = 255


# ------------------------------------------------------------------------------ koids


def test_koids_are_given_in_creation_order(machine: Machine, process: Process) -> None:
    """Every object that userspace can hold has a koid of its own, in creation order."""
    koids = [
        machine.root_job.create_job("j").koid,
        machine.root_job.create_process("p").koid,
        process.create_thread("t").koid,
        process.create_vmo(PAGE).koid,
        process.allocate(PAGE).koid,
        *(handle.koid for handle in process.create_channel()),
        process.create_event().koid,
    ]
    assert koids == sorted(set(koids))
    assert koids[0] > process.koid


def test_koids_are_never_reused(process: Process) -> None:
    """The koid of a dead object does not come back."""
    first = process.create_vmo(PAGE)
    first.close()
    assert process.create_vmo(PAGE).koid == first.koid + 1


def test_koids_can_be_set(machine: Machine, process: Process) -> None:
    """A koid can be chosen to match a transcript; the count goes on behind it."""
    job = machine.root_job.create_job("fuchsia", koid=2000)
    vmo = process.create_vmo(PAGE, koid=2470)
    assert (job.koid, vmo.koid) == (2000, 2470)
    assert process.create_vmo(PAGE).koid == 2471


def test_koids_cannot_go_back(machine: Machine, process: Process) -> None:
    """A koid that was passed is InvalidArgs."""
    before = machine.fingerprint()
    with pytest.raises(InvalidArgs):
        process.create_vmo(PAGE, koid=process.koid)
    assert machine.fingerprint() == before


def test_failed_creation_uses_no_koid(process: Process) -> None:
    """A refused creation takes no koid."""
    first = process.create_vmo(PAGE)
    with pytest.raises(InvalidArgs):
        process.create_vmo(1 << 63)
    assert process.create_vmo(PAGE).koid == first.koid + 1


# ------------------------------------------------------------------------------ types


def test_types_counted_by_k_ps(machine: Machine, process: Process) -> None:
    """All types of `k mx ps` exist; the others count only in the total."""
    process.open(machine.root_job)
    process.open(process)
    process.open(process.create_thread("t"))
    process.create_vmo(PAGE)
    process.open(process.root_vmar)
    process.create_channel()
    process.create_event()
    process.create_eventpair()
    process.create_port()
    process.create_socket()
    process.create_timer()
    process.create_fifo()
    for kind in ("log", "resource", "interrupt", "pci-device", "guest", "vcpu"):
        assert process.create_object(kind).type == kind
    line = next(line for line in str(magmem.k_ps(machine)).splitlines() if "[one]" in line)
    expected = ["1", "1", "1", "1", "1", "2", "3", "1", "2", "1", "2", "[one]"]
    assert line.split(":")[1].split() == expected
    assert line.split()[1] == "22:"


def test_other_object_types_only(process: Process) -> None:
    """An unknown type is InvalidArgs."""
    with pytest.raises(InvalidArgs):
        process.create_object("semaphore")


# ----------------------------------------------------------------------------- rights


def test_new_vmo_has_all_rights(process: Process) -> None:
    """A new VMO's handle has read, write, execute, map, duplicate, transfer, get and set."""
    vmo = process.create_vmo(PAGE)
    assert (vmo.rights_text, vmo.rights) == ("rwxmdt", ALL)


def test_rights_text(process: Process) -> None:
    """Rights are shown in the order rwxmdt, with - for missing."""
    vmo = process.create_vmo(PAGE)
    assert vmo.duplicate("rmt").rights_text == "r--m-t"
    assert vmo.duplicate(0).rights_text == "------"


def test_duplicate_only_reduces(process: Process) -> None:
    """A duplicate has the rights asked for, never more than the source."""
    reader = process.create_vmo(PAGE).duplicate("rd")
    assert reader.duplicate().rights == reader.rights
    with pytest.raises(InvalidArgs):
        reader.duplicate("rwd")


def test_duplicate_needs_the_right(process: Process) -> None:
    """A handle without duplicate cannot be duplicated."""
    with pytest.raises(AccessDenied):
        process.create_vmo(PAGE).duplicate("rw").duplicate()


def test_replace_leaves_one_handle(process: Process) -> None:
    """Replace gives a new handle with less rights, and the old one is gone."""
    vmo = process.create_vmo(PAGE)
    reader = vmo.replace("r")
    assert [handle.value for handle in process.handles] == [reader.value]
    assert not vmo.alive
    with pytest.raises(BadHandle):
        vmo.read()
    with pytest.raises(InvalidArgs):
        reader.replace("rw")


def test_transfer_moves_a_handle(process: Process, other: Process) -> None:
    """Transfer takes the handle out of one table and puts it into the other."""
    vmo = process.create_vmo(PAGE)
    moved = vmo.transfer(other)
    assert (process.handles, other.handles) == ((), (moved,))
    assert (moved.object, moved.rights, moved.process) == (vmo.vmo, ALL, other)
    with pytest.raises(BadHandle):
        vmo.read()


def test_transfer_needs_the_right(process: Process, other: Process) -> None:
    """A handle without transfer stays where it is."""
    with pytest.raises(AccessDenied):
        process.create_vmo(PAGE).duplicate("r").transfer(other)


@pytest.mark.parametrize(
    ("without", "operation"),
    [
        ("wxmdt", lambda v: v.read(0, 1)),
        ("rxmdt", lambda v: v.write(0, b"x")),
        ("rxmdt", lambda v: v.resize(0)),
        ("wxmdt", lambda v: v.pin(0, 1)),
        ("wxmdt", lambda v: v.unpin(0, 1)),
        ("rwxmt", lambda v: v.clone()),
        ("wxmdt", lambda v: v.clone()),
        ("rwxmdt", lambda v: v.set_name("x")),
    ],
)
def test_rights_are_checked(
    machine: Machine, process: Process, without: str, operation: Callable[[Any], Any]
) -> None:
    """An operation on a handle that lacks the right is AccessDenied and changes nothing."""
    vmo = process.create_vmo(PAGE)
    vmo.commit()
    handle = vmo.duplicate(without)
    before = machine.fingerprint()
    with pytest.raises(AccessDenied):
        operation(handle)
    assert machine.fingerprint() == before


def test_name_needs_get_property(process: Process) -> None:
    """Reading a name through a handle needs get property."""
    vmo = process.create_vmo(PAGE, "secret")
    assert vmo.name == "secret"
    with pytest.raises(AccessDenied):
        _ = vmo.duplicate("rwxmdt").name


def test_kill_needs_write(process: Process, other: Process) -> None:
    """Killing through a handle needs the right to write."""
    handle = other.open(process)
    with pytest.raises(AccessDenied):
        handle.duplicate("r").kill()  # type: ignore[attr-defined]
    handle.kill()  # type: ignore[attr-defined]
    assert process.state == "dead"


def test_unknown_handle_value(process: Process, other: Process) -> None:
    """A value that is no handle of this process is BadHandle."""
    vmo = process.create_vmo(PAGE)
    assert process.handle(vmo.value) is vmo
    with pytest.raises(BadHandle):
        other.handle(vmo.value)
    vmo.close()
    with pytest.raises(BadHandle):
        process.handle(vmo.value)


def test_handle_values(process: Process) -> None:
    """Values are odd 32-bit numbers, unique in the process, newest handle first in the table."""
    made = [process.create_event() for _ in range(300)]
    values = [handle.value for handle in made]
    assert len(set(values)) == 300
    assert all(value % 2 == 1 and 0 < value < 1 << 32 for value in values)
    assert [handle.value for handle in process.handles] == values[::-1]


# --------------------------------------------------------------------------- lifetimes


def test_object_dies_with_its_last_handle(machine: Machine, process: Process) -> None:
    """An object lives while any handle refers to it."""
    event = process.create_event()
    twin = event.duplicate()
    event.close()
    assert machine.find(twin.koid) is twin.object
    twin.close()
    with pytest.raises(magmem.NotFound):
        machine.find(event.koid)


@pytest.mark.parametrize("holder", ["handle", "mapping", "clone", "kernel mapping"])
def test_what_holds_a_vmo(machine: Machine, process: Process, holder: str) -> None:
    """A VMO is held by handles, mappings, clones and the kernel; it dies with the last."""
    vmo = process.create_vmo(PAGE)
    vmo.commit()
    kept = vmo.vmo
    release: Callable[[], Any]
    if holder == "handle":
        release = vmo.duplicate().close
    elif holder == "mapping":
        release = process.map(vmo).unmap
    elif holder == "clone":
        release = vmo.clone().close
    else:
        release = machine.kernel.map(vmo).unmap
    objects = machine.pages["object"]
    vmo.close()
    assert kept in machine.vmos
    assert machine.pages["object"] == objects
    release()
    assert kept not in machine.vmos
    assert machine.pages["object"] == objects - 1


def test_kernels_own_reference(machine: Machine) -> None:
    """The kernel's own reference keeps a VMO; releasing it frees the pages."""
    vmo = machine.kernel.create_vmo(4 * PAGE, "own")
    machine.kernel.commit(vmo)
    objects = machine.pages["object"]
    machine.kernel.release(vmo)
    assert vmo not in machine.vmos
    assert machine.pages["object"] == objects - 4


def test_closing_the_handle_of_a_mapped_vmo_frees_nothing(
    machine: Machine, process: Process
) -> None:
    """The mapping holds the VMO; its memory stays in use and readable."""
    vmo = process.create_vmo(PAGE)
    mapping = process.map(vmo)
    mapping.write(0, b"alive")
    objects = machine.pages["object"]
    vmo.close()
    assert machine.pages["object"] == objects
    assert mapping.read(0, 5) == b"alive"


def test_handle_in_a_killed_process_is_closed(machine: Machine, process: Process) -> None:
    """The end of a process closes its handles, and objects die with them."""
    vmo = process.create_vmo("1M")
    vmo.commit()
    gone = vmo.vmo
    before = machine.pages["object"]
    process.kill()
    assert gone not in machine.vmos
    assert machine.pages["object"] == before - 256
    with pytest.raises((BadHandle, BadState)):
        vmo.read()


# -------------------------------------------------------------------- the handle arena


def test_handle_arena_is_a_kernel_vmo(machine: Machine) -> None:
    """`arena:handles` is mapped only into the kernel: control, a guard page, data."""
    arena = next(vmo for vmo in machine.vmos if vmo.name == "arena:handles")
    assert (arena.koid, arena.size_bytes) == (0, 14 << 20)
    control, data = sorted(arena.mappings, key=lambda mapping: mapping.base)
    assert (control.size_bytes, data.size_bytes) == (4 << 20, 10 << 20)
    assert data.base == control.end + PAGE
    assert control.vmar is data.vmar
    assert machine.kernel.aspace.find(control.end) is None
    assert arena.share_count == 1


def test_handle_arena_grows_with_handles(machine: Machine, process: Process) -> None:
    """Its pages are committed as handles are first used, and stay when handles go."""
    arena = next(vmo for vmo in machine.vmos if vmo.name == "arena:handles")
    assert arena.committed_pages == 0
    event = process.create_event()
    first = arena.committed_pages
    assert first > 0
    handles = [event.duplicate() for _ in range(2000)]
    full = arena.committed_pages
    assert full - first >= 2000 * 40 // PAGE
    for handle in handles:
        handle.close()
    assert arena.committed_pages == full
    for _ in range(2000):
        event.duplicate()
    assert arena.committed_pages == full


def test_handles_cost_what_ps_never_shows(machine: Machine) -> None:
    """Handle tables are a hidden VMO: `ps` shows none of a hoarder's memory."""
    process = machine.root_job.create_process("hoarder")
    event = process.create_event()
    before = str(magmem.ps(machine))
    objects = machine.pages["object"]
    for _ in range(5000):
        event.duplicate()
    assert machine.pages["object"] - objects > 5000 * 40 // PAGE
    assert str(magmem.ps(machine)) == before
    assert "arena:handles" in str(magmem.k_vmos(machine, "hidden"))


def test_handle_limit() -> None:
    """There are 256 × 1024 handles for the whole system; one more is NoResources."""
    machine = Machine(memory="128M", history=False)
    process = machine.root_job.create_process("hoarder")
    event = process.create_event()
    for _ in range(256 * 1024 - 1):
        event.duplicate()
    assert machine.kernel.handle_count == 256 * 1024
    before = machine.kmem
    for refused in (event.duplicate, process.create_event, lambda: process.create_vmo(PAGE)):
        with pytest.raises(NoResources):
            refused()
    with pytest.raises(NoResources):
        machine.root_job.spawn("no handle left")
    assert machine.kmem == before
    process.handles[0].close()
    assert event.duplicate().alive
    arena = next(vmo for vmo in machine.vmos if vmo.name == "arena:handles")
    assert arena.committed_bytes == 14 << 20


def test_packets_live_in_their_arena(machine: Machine, process: Process) -> None:
    """Queued packets take entries of `arena:packets`, whose pages stay."""
    arena = next(vmo for vmo in machine.vmos if vmo.name == "arena:packets")
    port = process.create_port()
    port.queue(500)
    pages = arena.committed_pages
    assert pages > 0
    port.dequeue(500)
    assert arena.committed_pages == pages
    with pytest.raises(BadState):
        port.dequeue()


def test_nobody_writes_to_what_the_kernel_stands_on(machine: Machine, process: Process) -> None:
    """Handles to the kernel's arenas and stacks never have the right to write."""
    process.create_thread("t")
    arenas = [vmo for vmo in machine.vmos if vmo.name.startswith("arena:")]
    stack = next(vmo for vmo in machine.vmos if vmo.size_bytes == 2 * PAGE and not vmo.koid)
    for vmo in (*arenas, stack):
        with pytest.raises(AccessDenied):
            process.open(vmo, "rw")
        handle = process.open(vmo)
        assert handle.rights_text == "r-xmdt"
        with pytest.raises(AccessDenied):
            handle.resize(0)  # type: ignore[attr-defined]


def test_packet_limit(machine: Machine, process: Process) -> None:
    """The packet arena is fixed too: more packets than entries are NoMemory, and none is queued."""
    port = process.create_port()
    port.queue(16 * 1024)
    before = machine.fingerprint()
    with pytest.raises(NoMemory):
        port.queue()
    assert machine.fingerprint() == before
    port.close()
    process.create_port().queue(16 * 1024)

"""The rules of reference/kernel.md "VMARs and mappings" about handles to regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from magmem import AccessDenied, BadHandle, BadState, InvalidArgs, Machine, WrongType
from magmem.sim import VmarHandle
from magmem.sim.process import Process
from magmem.sim.vmar import Vmar
from magmem.sim.vmo_handle import VmoHandle

PAGE = 4096


@pytest.fixture
def region(process: Process) -> Vmar:
    """A region of 64 pages in which everything may be mapped."""
    return process.allocate(64 * PAGE)


@pytest.fixture
def vmo(process: Process) -> VmoHandle:
    """Sixteen pages."""
    return process.create_vmo(16 * PAGE, "vmo")


def handle_of(region: Vmar) -> VmarHandle:
    """The handle that its maker got."""
    assert isinstance(region.handle, VmarHandle)
    return region.handle


@pytest.mark.parametrize(
    ("perms", "text"), [("rwx", "rwx-dt"), ("rw", "rw--dt"), ("r", "r---dt"), ("", "----dt")]
)
def test_rights_are_the_regions(process: Process, perms: str, text: str) -> None:
    """A region's handle has duplicate and transfer, and read, write, execute as the region."""
    region = process.allocate(PAGE, perms=perms)
    assert handle_of(region).rights_text == text
    assert process.open(region).rights_text == text


def test_root_regions_handle(machine: Machine) -> None:
    """A process starts with a handle to its root region, with all that can be mapped."""
    process = machine.root_job.spawn("p")
    (root,) = [h for h in process.handles if h.type == "vmar"]
    assert root.rights_text == "rwx-dt"


def test_map_by_handle(process: Process, region: Vmar, vmo: VmoHandle) -> None:
    """Mapping through a region's handle is mapping in the region."""
    mapping = handle_of(region).map(vmo, "rw", offset=PAGE, length=2 * PAGE)
    assert (mapping.vmar, mapping.base, mapping.perms) == (region, region.base + PAGE, "rw-")
    assert process.touch(mapping.base, 2 * PAGE, write=True) == 2


@pytest.mark.parametrize(("drop", "perms"), [("wx", "r"), ("rx", "rw"), ("rw", "rx")])
@pytest.mark.parametrize("what", ["map", "allocate", "protect"])
def test_a_dropped_right_is_a_lost_power(
    machine: Machine, region: Vmar, vmo: VmoHandle, drop: str, perms: str, what: str
) -> None:
    """The handle's rights limit what is mapped, allocated and protected: AccessDenied."""
    weak = handle_of(region).duplicate(drop)
    assert isinstance(weak, VmarHandle)
    mapping = region.map(vmo, "rwx" if what != "map" else "r", length=PAGE)
    mapping.protect("---")
    before = machine.fingerprint()
    acts: dict[str, Callable[[], Any]] = {
        "map": lambda: weak.map(vmo, perms),
        "allocate": lambda: weak.allocate(PAGE, perms=perms),
        "protect": lambda: weak.protect(mapping.base, PAGE, perms),
    }
    with pytest.raises(AccessDenied):
        acts[what]()
    assert machine.fingerprint() == before


def test_unmapping_needs_no_right(region: Vmar, vmo: VmoHandle) -> None:
    """Unmap and destroy go through a handle without any right."""
    mapping = region.map(vmo)
    bare = handle_of(region).duplicate(0)
    assert isinstance(bare, VmarHandle)
    bare.unmap(mapping.base, PAGE)
    assert mapping.size_bytes == 15 * PAGE
    bare.destroy()
    assert not region.alive


def test_protect_later_is_limited_by_both_handles(region: Vmar, vmo: VmoHandle) -> None:
    """What a mapping may ever have is what the VMO's and the region's handle both allowed."""
    read_only = handle_of(region).duplicate("r")
    assert isinstance(read_only, VmarHandle)
    mapping = read_only.map(vmo, "r")
    with pytest.raises(AccessDenied):
        mapping.protect("rw")
    assert region.map(vmo, "r").allowed == 7


def test_map_into_another_process(
    machine: Machine, process: Process, other: Process, region: Vmar
) -> None:
    """Who holds a region of another process maps its own VMOs there."""
    power = other.open(region)
    theirs = other.create_vmo(PAGE, "injected")
    assert isinstance(power, VmarHandle)
    mapping = power.map(theirs, "r")
    assert mapping.aspace is process.aspace
    child = power.allocate(PAGE)
    assert child.aspace is process.aspace
    assert child.handle is other.handles[0]
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_both_handles_are_ones_own(
    machine: Machine, other: Process, region: Vmar, vmo: VmoHandle
) -> None:
    """A VMO's handle of another process is BadHandle: a power is used where it is held."""
    power = other.open(region)
    before = machine.fingerprint()
    with pytest.raises(BadHandle):
        power.map(vmo)  # type: ignore[attr-defined]
    assert machine.fingerprint() == before


def test_moved_power(process: Process, other: Process, region: Vmar, vmo: VmoHandle) -> None:
    """A region's handle can be handed over; its giver cannot use it any more."""
    given = handle_of(region)
    moved = given.transfer(other)
    with pytest.raises(BadHandle):
        given.map(vmo)
    assert moved.map(other.create_vmo(PAGE), "r").aspace is process.aspace  # type: ignore[attr-defined]


def test_what_is_no_region_or_vmo_is_wrong_type(
    machine: Machine, process: Process, region: Vmar, vmo: VmoHandle
) -> None:
    """A handle of another type is WrongType, before rights and lengths are looked at."""
    event = process.create_event()
    bare = event.duplicate(0)
    before = machine.fingerprint()
    refused: list[Callable[[], Any]] = [
        lambda: process.map(event, "w", length=0),  # type: ignore[arg-type]
        lambda: region.map(bare, length=0),  # type: ignore[arg-type]
        lambda: handle_of(region).map(event),  # type: ignore[arg-type]
        lambda: handle_of(region).map(handle_of(region)),  # type: ignore[arg-type]
        lambda: vmo.map(vmo),  # type: ignore[attr-defined]
        lambda: event.allocate(PAGE),  # type: ignore[attr-defined]
        lambda: bare.read(1 << 64, 1),  # type: ignore[attr-defined]
        lambda: handle_of(region).commit(),  # type: ignore[attr-defined]
        bare.queue,  # type: ignore[attr-defined]
        vmo.kill,  # type: ignore[attr-defined]
        lambda: event.read_memory(0, 0),  # type: ignore[attr-defined]
    ]
    for refuse in refused:
        with pytest.raises(WrongType):
            refuse()
    assert machine.fingerprint() == before
    event.close()
    with pytest.raises(BadHandle):
        event.read()  # type: ignore[attr-defined]


def test_destroyed_region(region: Vmar, vmo: VmoHandle) -> None:
    """A region's handle outlives it; nothing can be done in it any more: BadState."""
    handle = handle_of(region)
    region.destroy()
    for refuse in (
        lambda: handle.map(vmo),
        lambda: handle.allocate(PAGE),
        lambda: handle.unmap(region.base, PAGE),
        lambda: handle.protect(region.base, PAGE, "r"),
        handle.destroy,
    ):
        with pytest.raises(BadState):
            refuse()


def test_open_gives_no_right_that_the_type_never_has(
    machine: Machine, process: Process, region: Vmar
) -> None:
    """No handle has a right that its type never has, asked for or not: InvalidArgs."""
    event = process.create_event().object
    before = machine.fingerprint()
    for target, rights in (
        (region, "m"),
        (region, "g"),
        (process.allocate(PAGE, perms="r"), "w"),
        (process, "x"),
        (process, "m"),
        (event, "g"),
        (machine.root_job, "x"),
    ):
        before = machine.fingerprint()
        with pytest.raises(InvalidArgs):
            process.open(target, rights)
        assert machine.fingerprint() == before

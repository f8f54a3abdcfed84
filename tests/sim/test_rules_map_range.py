"""MAP_RANGE, decommit through a mapping, and protect that changes nothing.

The rules are in reference/kernel.md "VMARs and mappings".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from magmem import BadState, InvalidArgs, Machine, NoMemory, NotSupported, OutOfRange
from magmem.sim import Process
from magmem.sim.mapping import Mapping

PAGE = 4096
BASE = 0x1000000


def test_installs_what_is_there(process: Process) -> None:
    """MAP_RANGE installs entries of the pages that are there, and commits none."""
    vmo = process.create_vmo(8 * PAGE)
    vmo.commit(PAGE, 2 * PAGE)
    vmo.commit(5 * PAGE, PAGE)
    mapping = process.map(vmo, length=16 * PAGE, map_range=True)
    assert mapping.installed == [(1, 2), (5, 1)]
    assert vmo.vmo.committed_pages == 3


def test_counts_table_pages(machine: Machine, process: Process) -> None:
    """The entries cost the table pages that a touch of the same pages costs."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit()
    before = machine.pages["mmu"]
    process.map(vmo, at=BASE, map_range=True)
    assert machine.pages["mmu"] == before + 3


def test_quirk_on_a_clone(process: Process) -> None:
    """On a clone it copies the parent's visible pages into the clone, though only read."""
    parent = process.create_vmo(4 * PAGE)
    parent.write(PAGE, b"parent")
    clone = parent.clone()
    mapping = process.map(clone, "r", map_range=True)
    assert (clone.vmo.runs, mapping.installed) == ([(1, 1)], [(1, 1)])
    parent.write(PAGE, b"change")
    assert clone.read(PAGE, 6) == b"parent"


def test_quirk_on_a_clone_of_a_clone(process: Process) -> None:
    """The clones between get copies too, as with any write through them."""
    parent = process.create_vmo(2 * PAGE)
    parent.commit(0, PAGE)
    between = parent.clone()
    seen = process.map(between)
    seen.touch()
    process.map(between.clone(), "r", map_range=True)
    assert between.vmo.runs == [(0, 1)]
    assert seen.installed == [(1, 1)]


def test_a_device_is_all_there(process: Process) -> None:
    """All pages of a physical VMO are there."""
    device = process.create_physical_vmo(0xFED00000, 3 * PAGE)
    assert process.map(device, length=5 * PAGE, map_range=True).installed == [(0, 3)]


def test_no_permissions_no_entries(process: Process) -> None:
    """A mapping without permissions has no entry to install."""
    vmo = process.create_vmo(PAGE)
    vmo.commit()
    assert process.map(vmo, "---", map_range=True).installed == []


def test_not_at_a_vmo_offset(machine: Machine, process: Process) -> None:
    """With a VMO offset other than 0 it is InvalidArgs and leaves nothing."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit()
    before = machine.fingerprint()
    with pytest.raises(InvalidArgs):
        process.map(vmo, vmo_offset=PAGE, map_range=True)
    assert machine.fingerprint() == before


def test_without_memory_for_it(machine: Machine, process: Process) -> None:
    """If copies or tables do not fit it is NoMemory, and no random place was drawn."""
    parent, filler = process.create_vmo(8 * PAGE), process.create_vmo("64M")
    parent.commit()
    clone = parent.clone()
    filler.commit(0, (machine.pages["free"] - 10) * PAGE)
    before = machine.fingerprint()
    with pytest.raises(NoMemory):
        process.map(clone, "r", map_range=True)
    assert machine.fingerprint() == before
    filler.decommit(0, PAGE)
    assert len(process.map(clone, "r", map_range=True).installed) == 1


def test_it_replays(machine: Machine, process: Process) -> None:
    """The event says that the range was mapped."""
    parent = process.create_vmo(4 * PAGE)
    parent.commit()
    process.map(parent.clone(), map_range=True)
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


# ------------------------------------------------------------ decommit through a mapping


def test_decommit_through_a_mapping(machine: Machine, process: Process) -> None:
    """The VMO behind the range gives up its pages, whatever the mapping permits."""
    vmo = process.create_vmo(8 * PAGE)
    vmo.commit()
    mapping = process.map(vmo, "r", vmo_offset=2 * PAGE, length=4 * PAGE)
    mapping.touch()
    assert mapping.decommit(PAGE, PAGE + 1) == 2
    assert vmo.vmo.runs == [(0, 3), (5, 3)]
    assert mapping.installed == [(0, 1), (3, 1)]
    assert mapping.decommit() == 2
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


@pytest.mark.parametrize(
    ("status", "act"),
    [
        (OutOfRange, lambda m: m.decommit(3 * PAGE, 2 * PAGE)),
        (OutOfRange, lambda m: m.decommit(5 * PAGE, 0)),
        (OutOfRange, lambda m: m.decommit(0, 1 << 64)),
    ],
)
def test_decommit_inside_the_mapping(
    machine: Machine, process: Process, status: type[Exception], act: Callable[[Mapping], Any]
) -> None:
    """A range that leaves the mapping is OutOfRange; nothing changes."""
    vmo = process.create_vmo(8 * PAGE)
    vmo.commit()
    mapping = process.map(vmo, length=4 * PAGE)
    before = machine.fingerprint()
    with pytest.raises(status):
        act(mapping)
    assert machine.fingerprint() == before


def test_decommit_past_the_vmos_end(process: Process) -> None:
    """The VMO's end cuts the range; one that starts past it is OutOfRange."""
    vmo = process.create_vmo(2 * PAGE)
    vmo.commit()
    mapping = process.map(vmo, length=8 * PAGE)
    assert mapping.decommit(PAGE, 4 * PAGE) == 1
    with pytest.raises(OutOfRange):
        mapping.decommit(3 * PAGE, PAGE)


def test_decommit_of_what_is_gone_or_held(process: Process) -> None:
    """An unmapped mapping and pinned pages are BadState, a device is NotSupported."""
    vmo = process.create_vmo(2 * PAGE)
    vmo.commit()
    vmo.pin(0, PAGE)
    mapping = process.map(vmo)
    with pytest.raises(BadState):
        mapping.decommit()
    mapping.unmap()
    with pytest.raises(BadState):
        mapping.decommit(PAGE, PAGE)
    device = process.map(process.create_physical_vmo(0xFED00000, PAGE))
    with pytest.raises(NotSupported):
        device.decommit()


# ------------------------------------------------------------------------------- protect


def test_protect_that_changes_nothing_splits_nothing(machine: Machine, process: Process) -> None:
    """Permissions that a mapping has already leave it one mapping."""
    mapping = process.map(process.create_vmo(8 * PAGE), "r", at=BASE)
    used = machine.heap.used
    process.protect(BASE + 2 * PAGE, PAGE, "r")
    assert process.root_vmar.children == [mapping]
    assert machine.heap.used == used


def test_protect_splits_only_what_changes(process: Process) -> None:
    """Of several mappings only those whose permissions change are split."""
    vmo = process.create_vmo(4 * PAGE)
    process.map(vmo, "r", at=BASE)
    process.map(vmo, "rw", at=BASE + 4 * PAGE)
    process.protect(BASE + 2 * PAGE, 4 * PAGE, "r")
    shown = [(m.size_bytes // PAGE, m.perms) for m in process.root_vmar.children]  # type: ignore[union-attr]
    assert shown == [(4, "r--"), (2, "r--"), (2, "rw-")]

"""The rules of reference/kernel.md "Share count": #map, #shr and #chld of a VMO."""

from __future__ import annotations

import pytest

from magmem import Machine
from magmem.sim.process import Process
from magmem.sim.vmo_handle import VmoHandle

PAGE = 4096


@pytest.fixture
def vmo(process: Process) -> VmoHandle:
    """One page."""
    return process.create_vmo(PAGE, "shared")


def processes(machine: Machine, count: int) -> list[Process]:
    """So many empty processes."""
    return [machine.root_job.create_process(f"p{n}") for n in range(count)]


def test_no_mapping_counts_as_one(vmo: VmoHandle, other: Process) -> None:
    """#shr is 1 without mappings, however many processes hold handles."""
    vmo.duplicate().transfer(other)
    assert (len(vmo.vmo.mappings), vmo.vmo.share_count) == (0, 1)


def test_one_mapping_counts_as_one(vmo: VmoHandle, process: Process) -> None:
    """#shr is 1 with one mapping."""
    process.map(vmo)
    assert (len(vmo.vmo.mappings), vmo.vmo.share_count) == (1, 1)


def test_two_mappings_in_one_address_space(vmo: VmoHandle, process: Process) -> None:
    """Two mappings in one process are one sharer."""
    process.map(vmo)
    process.map(vmo)
    assert (len(vmo.vmo.mappings), vmo.vmo.share_count) == (2, 1)


def test_distinct_address_spaces(vmo: VmoHandle, process: Process, other: Process) -> None:
    """#shr is the number of distinct address spaces."""
    process.map(vmo)
    process.map(vmo)
    other.map(vmo)
    assert (len(vmo.vmo.mappings), vmo.vmo.share_count) == (3, 2)


def test_kernel_counts(machine: Machine, vmo: VmoHandle, process: Process) -> None:
    """The kernel's address space is a sharer like any other."""
    process.map(vmo)
    machine.kernel.map(vmo)
    assert vmo.vmo.share_count == 2


def test_dying_process_counts_until_it_is_dead(
    machine: Machine, vmo: VmoHandle, process: Process, other: Process
) -> None:
    """A process in any state counts while its address space lives."""
    process.map(vmo)
    other.map(vmo)
    other.start()
    other.kill(finish=False)
    assert (other.state, vmo.vmo.share_count) == ("dying", 2)
    other.finish()
    assert (len(vmo.vmo.mappings), vmo.vmo.share_count) == (1, 1)


def test_mapping_past_the_end_counts(vmo: VmoHandle, process: Process, other: Process) -> None:
    """#shr counts mappings, also those that show no page."""
    process.map(vmo)
    other.map(vmo, vmo_offset=8 * PAGE, length=PAGE)
    assert vmo.vmo.share_count == 2


def test_splitting_adds_a_mapping(vmo: VmoHandle, process: Process) -> None:
    """The pieces of a mapping that was split count each."""
    mapping = process.map(vmo, length=4 * PAGE)
    process.protect(mapping.base + PAGE, PAGE, "r")
    assert (len(vmo.vmo.mappings), vmo.vmo.share_count) == (3, 1)


def test_64_sharers_are_exact(machine: Machine, vmo: VmoHandle) -> None:
    """Up to 64 address spaces the count is exact, whatever the mappings."""
    for process in processes(machine, 64):
        process.map(vmo)
        process.map(vmo)
    assert vmo.vmo.share_count == 64


def test_65th_sharer_with_one_mapping_each(machine: Machine, vmo: VmoHandle) -> None:
    """One mapping each: 64 + (100 − 64) × 64 // 64 = 100, right by chance."""
    for process in processes(machine, 100):
        process.map(vmo)
    assert vmo.vmo.share_count == 64 + (100 - 64) * 64 // 64 == 100


def test_estimate_with_crowded_old_mappings(machine: Machine, vmo: VmoHandle) -> None:
    """The newest are visited first: old mappings not yet visited are taken for sharers."""
    old, *new = processes(machine, 65)
    for _ in range(36):
        old.map(vmo)
    for process in new:
        process.map(vmo)
    # 64 newest visited, 36 left, all of one process: 65 sharers are told as 100.
    assert vmo.vmo.share_count == 64 + 36 * 64 // 64 == 100


def test_estimate_with_crowded_new_mappings(machine: Machine, vmo: VmoHandle) -> None:
    """If the newest mappings are crowded into few address spaces, the estimate is too low."""
    crowd = processes(machine, 64)
    for process in processes(machine, 136):
        process.map(vmo)
    for process in crowd:
        for _ in range(4):
            process.map(vmo)
    # 256 newest visited for 64 address spaces, 136 left: 200 sharers are told as 98.
    assert vmo.vmo.share_count == 64 + 136 * 64 // 256 == 98


def test_estimate_stops_at_the_65th(machine: Machine, vmo: VmoHandle) -> None:
    """Visited are the mappings before the 65th address space, repeated ones included."""
    last, *others = processes(machine, 66)
    for process in others[:2]:
        process.map(vmo)
    for process in [*others[2:], last]:
        process.map(vmo)
        process.map(vmo)
    # Newest first: 64 address spaces with two mappings each, then the two with one each.
    assert vmo.vmo.share_count == 64 + 2 * 64 // 128 == 65


def test_num_children(vmo: VmoHandle) -> None:
    """#chld counts living clones."""
    clones = [vmo.clone() for _ in range(3)]
    clones[1].close()
    assert len(vmo.vmo.children) == 2


def test_clone_mappings_are_its_own(vmo: VmoHandle, process: Process, other: Process) -> None:
    """Mapping a clone adds nothing to its parent's #map and #shr."""
    process.map(vmo)
    other.map(vmo.clone())
    assert (len(vmo.vmo.mappings), vmo.vmo.share_count) == (1, 1)

"""The rules of reference/kernel.md "VMOs" about physical places: lookup, pin, contiguous."""

from __future__ import annotations

import pytest

from magmem import (
    BadState,
    InvalidArgs,
    Machine,
    NoMemory,
    NotFound,
    OutOfRange,
    Unavailable,
)
from magmem.sim.process import Process

PAGE = 4096


def free(machine: Machine) -> int:
    """Free pages."""
    return machine.pages["free"]


def test_lookup_gives_physical_addresses(process: Process) -> None:
    """Lookup tells where each page of the range lies, whole pages, inside the VMO's frames."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit(PAGE, 2 * PAGE)
    runs = vmo.lookup(PAGE + 5, PAGE)
    pages = [(at + n, place + n) for at, place, size in runs for n in range(0, size, PAGE)]
    frames = {
        (first + n) * PAGE: (frame + n) * PAGE
        for first, count, frame in vmo.vmo.physical_runs
        for n in range(count)
    }
    assert dict(pages) == frames


def test_lookup_of_uncommitted_pages(process: Process) -> None:
    """Lookup is NoMemory while a page of the range is not committed."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit(0, PAGE)
    with pytest.raises(NoMemory):
        vmo.lookup(0, 2 * PAGE)


def test_lookup_of_nothing(process: Process) -> None:
    """Lookup of length 0 is InvalidArgs."""
    vmo = process.create_vmo(PAGE)
    vmo.commit()
    with pytest.raises(InvalidArgs):
        vmo.lookup(0, 0)


def test_lookup_beyond_the_end(process: Process) -> None:
    """Lookup past the end is OutOfRange."""
    vmo = process.create_vmo(PAGE)
    vmo.commit()
    with pytest.raises(OutOfRange):
        vmo.lookup(0, PAGE + 1)


def test_pin_needs_committed_pages(process: Process) -> None:
    """Pin is NotFound unless every page of the range is committed, and pins nothing then."""
    vmo = process.create_vmo(2 * PAGE)
    vmo.commit(0, PAGE)
    with pytest.raises(NotFound):
        vmo.pin(0, 2 * PAGE)
    assert vmo.decommit(0, PAGE) == 1


def test_at_most_31_pins_a_page(process: Process) -> None:
    """The 32nd pin of a page is Unavailable, and no page of the range gets it."""
    vmo = process.create_vmo(2 * PAGE)
    vmo.commit()
    for _ in range(31):
        vmo.pin(PAGE, PAGE)
    with pytest.raises(Unavailable):
        vmo.pin(0, 2 * PAGE)
    assert vmo.decommit(0, PAGE) == 1
    for _ in range(31):
        vmo.unpin(PAGE, 1)
    assert vmo.decommit() == 1


def test_unpin_undoes_pins_only(process: Process) -> None:
    """Unpinning a page that is not pinned is BadState; no page of the range is unpinned."""
    vmo = process.create_vmo(2 * PAGE)
    vmo.commit()
    vmo.pin(0, PAGE)
    with pytest.raises(BadState):
        vmo.unpin(0, 2 * PAGE)
    with pytest.raises(BadState):
        vmo.decommit(0, PAGE)


def test_contiguous_vmo_is_pinned_for_good(machine: Machine, process: Process) -> None:
    """A contiguous VMO lies in one physical run from the start and cannot be decommitted."""
    before = free(machine)
    vmo = process.create_contiguous_vmo(5 * PAGE, "dma")
    assert before - free(machine) >= 5
    assert [count for _, _, count in vmo.lookup(0, 5 * PAGE)] == [5 * PAGE]
    for refused in (vmo.decommit, lambda: vmo.resize(PAGE), lambda: vmo.unpin(0, PAGE)):
        with pytest.raises(BadState):
            refused()


def test_pages_added_to_a_contiguous_vmo_are_not_pinned(process: Process) -> None:
    """Only the contiguous commit is pinned for good, not what is committed after growing."""
    vmo = process.create_contiguous_vmo(2 * PAGE)
    vmo.resize(4 * PAGE)
    vmo.commit()
    assert vmo.decommit(2 * PAGE, 2 * PAGE) == 2
    vmo.resize(2 * PAGE)
    with pytest.raises(BadState):
        vmo.resize(PAGE)


def test_contiguous_vmo_can_be_aligned(process: Process) -> None:
    """A contiguous VMO begins at a multiple of the alignment asked for."""
    vmo = process.create_contiguous_vmo(2 * PAGE, alignment_bytes=16 * PAGE)
    assert vmo.lookup(0, PAGE)[0][1] % (16 * PAGE) == 0

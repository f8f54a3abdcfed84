"""The worked cases of reference/accounting.md, built on the machine and read off its tools."""

from __future__ import annotations

from fractions import Fraction

import pytest

from magmem import Machine
from magmem.accounting.ledger import ledger
from magmem.sim.process import Process

PAGE = 4096


def exact(machine: Machine) -> dict[str, Fraction]:
    """Exact PSS of each process, by name; the ledger must explain every byte."""
    book = ledger(machine)
    assert book.unexplained_bytes == 0
    return dict(zip(book.df["name"], book.df["exact_bytes"], strict=True))


def reported(machine: Machine) -> dict[str, int]:
    """PSS of each process as ``ps`` reports it, by name."""
    book = ledger(machine)
    return dict(zip(book.df["name"], book.df["reported_bytes"], strict=True))


def running(machine: Machine, name: str) -> Process:
    """A process that runs (others report zeros), with an empty address space."""
    process = machine.root_job.create_process(name)
    process.start()
    return process


@pytest.fixture
def process(machine: Machine) -> Process:
    """A running process."""
    return running(machine, "one")


@pytest.fixture
def other(machine: Machine) -> Process:
    """A second one."""
    return running(machine, "two")


@pytest.fixture
def four(machine: Machine) -> list[Process]:
    """Processes a, b, c and d."""
    return [running(machine, name) for name in "abcd"]


def test_four_processes_share_a_page(machine: Machine, four: list[Process]) -> None:
    """Case 1: one page for four is 1024 each; a second page for two of them 2048 more each."""
    vmo = four[0].create_vmo(PAGE)
    vmo.commit()
    for process in four:
        process.map(vmo)
    assert set(reported(machine).values()) == {1024}
    second = four[0].create_vmo(PAGE)
    second.commit()
    for process in four[:2]:
        process.map(second)
    assert reported(machine) == exact(machine)
    assert reported(machine) == {"a": 3072, "b": 3072, "c": 1024, "d": 1024}


def test_double_mapping(machine: Machine, process: Process) -> None:
    """Case 2: mapped twice by one process, ten pages are 81920 PRIVATE, and exactly 40960."""
    vmo = process.create_vmo(10 * PAGE)
    vmo.commit()
    process.map(vmo)
    process.map(vmo)
    assert reported(machine) == {"one": 81920}
    assert exact(machine) == {"one": 40960}


def test_disjoint_halves(machine: Machine, process: Process, other: Process) -> None:
    """Case 3: disjoint halves of eight pages are reported as 8192 each, exactly 16384 each."""
    vmo = process.create_vmo(8 * PAGE)
    vmo.commit()
    process.map(vmo, length=4 * PAGE)
    other.map(vmo, vmo_offset=4 * PAGE)
    assert reported(machine) == {"one": 8192, "two": 8192}
    assert exact(machine) == {"one": 16384, "two": 16384}


def test_clone_of_an_unmapped_parent(machine: Machine, process: Process) -> None:
    """Case 4: a clone's copy is 4096 reported; with what it sees through, exactly 4 × 4096."""
    parent = process.create_vmo(4 * PAGE)
    parent.commit()
    clone = parent.clone()
    process.map(clone).write(0, b"x")
    assert reported(machine) == {"one": 4096}
    assert exact(machine) == {"one": 4 * PAGE}


def test_written_but_not_mapped(machine: Machine, process: Process) -> None:
    """Case 5: memory written into an unmapped VMO is 0 in ps, and handle-only."""
    process.create_vmo("8M").write(0, bytes(8 << 20))
    assert reported(machine) == exact(machine) == {"one": 0}
    book = ledger(machine)
    assert list(book.df["handle_only_bytes"]) == [8 << 20]


def test_guide_vdso(machine: Machine) -> None:
    """Case 7: twelve processes share the vDSO's 28k: each PSS has 28k / 12 of it."""
    for number in range(12):
        machine.root_job.spawn(f"p{number}", stack=0)
    assert set(reported(machine).values()) == {24 * 1024 // 12 + 4 * 1024 // 12}
    assert set(exact(machine).values()) == {Fraction(28 * 1024, 12)}


def test_parents_pages_are_nobodys(machine: Machine, process: Process) -> None:
    """The parent's pages seen through a clone are counted for nobody who maps only the clone."""
    parent = process.create_vmo(4 * PAGE)
    parent.commit()
    process.map(parent.clone())
    assert reported(machine) == {"one": 0}
    assert exact(machine) == {"one": 4 * PAGE}

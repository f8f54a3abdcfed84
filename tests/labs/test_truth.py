"""The engine's answers and the reference solutions are the same, on a thousand machines a run."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labs.solutions import SOLUTIONS, window

import magmem
from magmem import labs
from magmem.labs.checking import lab_of, try_on
from magmem.labs.lab import LABS
from magmem.labs.making import SIZES, made
from magmem.labs.snapshots import records_of, snapshot_of_records


@pytest.mark.parametrize("name", SOLUTIONS)
@given(words=st.integers(0, 10**9), processes=st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_solution_and_engine_agree_on_small_machines(name: str, words: int, processes: int) -> None:
    """To the byte, 150 small machines for each of the seven functions."""
    assert try_on(lab_of(name), SOLUTIONS[name], made(str(words), processes)) is None


@pytest.mark.parametrize("name", SOLUTIONS)
def test_solutions_pass(name: str) -> None:
    """A right function passes the check, and has all marks on hidden machines."""
    report = labs.check(name, SOLUTIONS[name])
    assert report.passed
    assert str(report).startswith(f"{name}: right on all {len(SIZES)} machines")
    mark = labs.mark(name, SOLUTIONS[name], "hidden in a test")
    assert mark.passed
    assert mark.right == mark.machines == len(SIZES)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_solutions_are_short(name: str) -> None:
    """None has more than 40 lines: a lab is an evening's work."""
    assert len(inspect.getsource(SOLUTIONS[name]).splitlines()) <= 40


@pytest.mark.parametrize("processes", [1, 3, 20, 80])
def test_records_and_snapshot_say_the_same(processes: int) -> None:
    """Records become a snapshot and come back the same; its ledger leaves nothing unexplained."""
    records = made("there and back", processes)
    snap = snapshot_of_records(records)
    assert records_of(snap) == records
    ledger = magmem.ledger(snap)
    assert ledger.unexplained_bytes == 0
    assert not ledger.statement.contradictions


@pytest.mark.parametrize("seed", range(3))
def test_solutions_agree_on_simulated_machines(seed: int) -> None:
    """The records of a machine that was simulated give the tools' numbers too."""
    machine = magmem.scenarios.make("random_machine", processes=6, vmos=30, pages=300, seed=seed)
    snap = machine.snapshot()
    records = labs.records(machine)
    for name, lab in LABS.items():
        if name not in ("hidden", "ledger", "resident"):  # they ask by this package's ids
            assert lab.ask(SOLUTIONS[name], records) == lab.truth(snap, records), name


def test_machines_have_what_rules_stumble_over() -> None:
    """Among those of a check are clones of clones, odd sizes, physical and kernel-mapped VMOs."""
    machines = labs.machines()
    vmos = [vmo for machine in machines for vmo in machine.vmos]
    mappings = [mapping for machine in machines for mapping in machine.mappings]
    assert any(vmo.kind == "physical" for vmo in vmos)
    assert any(vmo.size_bytes % labs.PAGE for vmo in vmos)
    assert any(vmo.koid == 0 for vmo in vmos)
    assert any(mapping.process == labs.KERNEL for mapping in mappings)
    assert any(not process.is_running for machine in machines for process in machine.processes)
    for machine in machines:
        parents = {vmo.number: vmo.parent for vmo in machine.vmos}
        if any(parents.get(parents.get(number)) is not None for number in parents):  # type: ignore[arg-type]
            break
    else:
        pytest.fail("no clone of a clone")
    past = (
        max(window(mapping)) * labs.PAGE >= machine.vmos[mapping.vmo].size_bytes
        for machine in machines
        for mapping in machine.mappings
    )
    assert any(past)
    counts = [len(machine.processes) for machine in machines]
    assert counts == list(SIZES)
    assert (counts[0], counts[-1]) == (1, 300)


def test_machines_are_the_same_for_ever() -> None:
    """The first practice machine has these records in every version."""
    first = labs.machines()[0]
    assert first == labs.machines("practice")[0]
    assert first != labs.machines("other")[0]
    assert repr(first) == repr(made("practice 1", 1))

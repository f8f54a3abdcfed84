"""How processes end, and what they come to (reference/kernel.md "Tasks")."""

from __future__ import annotations

import itertools

import pytest

import magmem
from magmem import AccessDenied, BadState, InvalidArgs, Machine
from magmem.sim.process import Process

PAGE = 4096


def sizes(machine: Machine, name: str) -> list[str]:
    """PSS, PRIVATE and SHARED of a process as ``ps`` prints them."""
    lines = str(magmem.ps(machine)).splitlines()
    return next(line for line in lines if line.endswith(f" {name}")).split()[1:4]


def test_exit_code_while_dying(process: Process) -> None:
    """A killed process with a living thread is dying with code -1, and keeps that code."""
    process.start()
    process.kill(finish=False)
    assert (process.state, process.exit_code) == ("dying", -1)
    process.exit(5)
    assert (process.state, process.exit_code) == ("dead", -1)


def test_exit_codes(machine: Machine) -> None:
    """A process that ends by itself has its own code, a killed one -1; the last thread's end 0."""
    ended, killed, left = (machine.root_job.spawn(name) for name in "abc")
    ended.exit(7)
    killed.kill()
    left.threads[0].exit()
    assert [p.exit_code for p in (ended, killed, left)] == [7, -1, 0]
    with pytest.raises(InvalidArgs):
        machine.root_job.spawn("d").exit(1 << 31)


@pytest.mark.parametrize("finish", [True, False])
def test_without_threads_it_is_dead_at_once(process: Process, finish: bool) -> None:
    """Killing a process that has no thread leaves nothing to wait for."""
    process.kill(finish=finish)
    assert (process.state, process.exit_code) == ("dead", -1)


def test_handles_go_before_the_address_space(process: Process, other: Process) -> None:
    """A dying process keeps handles and mappings; at death both go."""
    process.start()
    vmo = process.create_vmo(PAGE)
    mapping = process.map(vmo)
    process.kill(finish=False)
    assert vmo.alive
    assert mapping.alive
    process.finish()
    assert not vmo.alive
    assert not mapping.alive
    assert other.state == "initial"


def test_region_calls_of_a_dying_process(process: Process, other: Process) -> None:
    """The regions of a dying process can still be worked in; those of a dead one are BadState."""
    process.start()
    power = other.open(process.root_vmar)
    vmo = other.create_vmo(4 * PAGE)
    process.kill(finish=False)
    mapping = power.map(vmo)  # type: ignore[attr-defined]
    child = process.allocate(PAGE)
    power.protect(mapping.base, PAGE, "r")  # type: ignore[attr-defined]
    power.unmap(mapping.base, PAGE)  # type: ignore[attr-defined]
    child.destroy()
    process.finish()
    for refused in (
        lambda: power.map(vmo),  # type: ignore[attr-defined]
        lambda: power.allocate(PAGE),  # type: ignore[attr-defined]
        lambda: process.allocate(PAGE),
        lambda: power.unmap(mapping.base, PAGE),  # type: ignore[attr-defined]
    ):
        with pytest.raises(BadState):
            refused()


def test_statistics(machine: Machine, process: Process, other: Process) -> None:
    """Mapped, private, shared and scaled bytes, each share rounded down per mapping, as ps."""
    process.start()
    private, shared = process.create_vmo(4 * PAGE), process.create_vmo(3 * PAGE + 1)
    private.commit(0, 3 * PAGE)
    shared.commit(0, PAGE)
    third = machine.root_job.create_process("three")
    process.map(private, "r", length=8 * PAGE)
    for who in (process, other, third):
        who.map(shared)
    found = process.statistics()
    assert found.mapped_bytes == (8 + 4) * PAGE
    assert found.private_bytes == 3 * PAGE
    assert found.shared_bytes == PAGE
    assert found.scaled_shared_bytes == PAGE // 3
    assert found.pss_bytes == 3 * PAGE + PAGE // 3
    third.kill()
    halved = process.statistics()
    assert (halved.shared_bytes, halved.scaled_shared_bytes) == (PAGE, PAGE // 2)
    assert sizes(machine, "one")[1:] == ["12k", "4k"]
    assert other.open(process).statistics() == halved  # type: ignore[attr-defined]


def test_statistics_need_a_running_process(process: Process, other: Process) -> None:
    """Statistics of a process that has not started, is dying or is dead are BadState."""
    handle = other.open(process)
    for step in (None, process.start, lambda: process.kill(finish=False), process.finish):
        if step is not None:
            step()
        if process.state == "running":
            assert process.statistics().mapped_bytes == 0
            continue
        with pytest.raises(BadState):
            process.statistics()
        with pytest.raises(BadState):
            handle.statistics()  # type: ignore[attr-defined]
    with pytest.raises(AccessDenied):
        handle.duplicate("w").statistics()  # type: ignore[attr-defined]


def test_last_handle_kills(machine: Machine, process: Process, other: Process) -> None:
    """A process that the laboratory does not hold is killed with its last handle."""
    process.start()
    first, second = other.open(process), other.open(process)
    process.release()
    first.close()
    assert process.state == "running"
    second.close()
    assert (process.state, process.exit_code) == ("dead", -1)
    assert process not in machine.processes
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_release_without_a_handle(machine: Machine, process: Process) -> None:
    """Letting go of a process that nobody has a handle to kills it; twice is BadState."""
    process.release()
    assert process.state == "dead"
    with pytest.raises(BadState):
        process.release()
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_held_processes_live_without_handles(process: Process, other: Process) -> None:
    """The laboratory holds every process it makes, until it lets go."""
    other.open(process).close()
    assert (process.state, process.held) == ("initial", True)


def test_a_chain_of_processes_ends_as_one(machine: Machine) -> None:
    """Each holds the last handle to the next: with the first they all end, however many."""
    chain = [machine.root_job.create_process(f"p{n}") for n in range(1500)]
    for holder, held in itertools.pairwise(chain):
        holder.open(held)
    for process in reversed(chain[1:]):
        process.release()
    assert machine.processes == tuple(chain)
    chain[0].exit()
    assert machine.processes == ()


def test_handles_of_each_other(machine: Machine, process: Process, other: Process) -> None:
    """Two processes that hold each other live on, and end together."""
    process.open(other)
    other.open(process)
    process.release()
    other.release()
    assert len(machine.processes) == 2
    process.kill()
    assert machine.processes == ()

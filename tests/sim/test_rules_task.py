"""The rules of reference/kernel.md "Tasks", one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import magmem
from magmem import AccessDenied, BadState, InvalidArgs, Machine, PageFault
from magmem.sim.process import Process

PAGE = 4096


def sizes(machine: Machine, name: str) -> list[str]:
    """PSS, PRIVATE and SHARED of a process as ``ps`` prints them."""
    lines = str(magmem.ps(machine)).splitlines()
    return next(line for line in lines if line.endswith(f" {name}")).split()[1:4]


# ------------------------------------------------------------------------------- jobs


def test_root_job(machine: Machine) -> None:
    """Jobs form a tree; the root job is named root, one level below the super-root."""
    assert machine.root_job.name == "root"
    assert machine.root_job.parent is machine.super_root
    assert machine.super_root.parent is None


def test_jobs_form_a_tree(machine: Machine) -> None:
    """A job has one parent; children are kept in creation order."""
    one = machine.root_job.create_job("one")
    two = machine.root_job.create_job("two")
    inner = one.create_job("inner")
    assert machine.root_job.jobs == (one, two)
    assert (inner.parent, one.jobs) == (one, (inner,))


def test_process_belongs_to_one_job(machine: Machine) -> None:
    """Processes belong to one job, threads to one process."""
    job = machine.root_job.create_job("job")
    process = job.create_process("p")
    thread = process.create_thread("t")
    assert (process.job, job.processes) == (job, (process,))
    assert (thread.process, process.threads) == (process, (thread,))


def test_killing_a_job_kills_everything_below(machine: Machine) -> None:
    """Every process and job below a killed job goes with it."""
    job = machine.root_job.create_job("job")
    inner = job.create_job("inner")
    processes = [job.spawn("a"), inner.spawn("b"), inner.create_process("c")]
    bystander = machine.root_job.spawn("d")
    job.kill()
    assert [process.state for process in processes] == ["dead"] * 3
    assert not (job.alive)
    assert not (inner.alive)
    assert machine.root_job.jobs == ()
    assert machine.processes == (bystander,)


def test_nothing_new_below_a_dead_job(machine: Machine) -> None:
    """A killed job makes nothing and cannot be killed again."""
    job = machine.root_job.create_job("job")
    job.kill()
    for refused in (
        lambda: job.create_job("x"),
        lambda: job.create_process("x"),
        lambda: job.spawn("x"),
        job.kill,
    ):
        with pytest.raises(BadState):
            refused()


def test_root_jobs_cannot_be_killed(machine: Machine) -> None:
    """Killing the root job would stop the machine: AccessDenied."""
    for job in (machine.root_job, machine.super_root):
        with pytest.raises(AccessDenied):
            job.kill()


def test_names_are_at_most_31_bytes(machine: Machine) -> None:
    """Names are cut to 31 bytes of UTF-8, never inside a character; NUL is InvalidArgs."""
    assert machine.root_job.create_job("j" * 32).name == "j" * 31
    process = machine.root_job.create_process("€" * 11)
    assert process.name == "€" * 10
    assert process.create_thread("").name == ""
    with pytest.raises(InvalidArgs):
        machine.root_job.create_process("a\0b")


# ---------------------------------------------------------------------------- threads


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ([], "new"),
        (["start"], "running"),
        (["start", "suspend"], "suspended"),
        (["start", "suspend", "resume"], "running"),
        (["start", "block"], "blocked"),
        (["start", "block", "unblock"], "running"),
        (["start", "raise_exception"], "blocked"),
        (["start", "raise_exception", "resume_exception"], "running"),
    ],
)
def test_thread_states(process: Process, path: list[str], state: str) -> None:
    """A thread is new, running, suspended or blocked."""
    thread = process.create_thread("t")
    for move in path:
        getattr(thread, move)()
    assert thread.state == state


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ([], "suspend"),
        ([], "block"),
        ([], "raise_exception"),
        (["start"], "start"),
        (["start"], "resume"),
        (["start"], "unblock"),
        (["start"], "resume_exception"),
        (["start", "suspend"], "block"),
        (["start", "raise_exception"], "unblock"),
        (["start", "exit"], "start"),
        (["start", "exit"], "exit"),
    ],
)
def test_wrong_thread_moves(
    machine: Machine, process: Process, path: list[str], refused: str
) -> None:
    """What a thread cannot do in its state is BadState."""
    process.create_thread("keeps the process alive")
    thread = process.create_thread("t")
    for move in path:
        getattr(thread, move)()
    before = machine.fingerprint()
    with pytest.raises(BadState):
        getattr(thread, refused)()
    assert machine.fingerprint() == before


def test_waiting_on_an_exception(machine: Machine) -> None:
    """A thread that waits on an exception reads as excp, and on which port is known."""
    process = machine.root_job.spawn("crasher")
    thread = process.threads[0]
    thread.raise_exception("job")
    assert (thread.state, thread.exception_port) == ("blocked", "job")
    line = next(ln for ln in str(magmem.ps(machine, threads=True)).splitlines() if "t:" in ln)
    assert "excp" in line
    thread.resume_exception()
    assert thread.exception_port == "none"


def test_kernel_stack(machine: Machine, process: Process) -> None:
    """A thread's kernel stack is two committed pages in the kernel, freed with the thread."""
    known = set(machine.vmos)
    before = machine.pages["object"]
    thread = process.create_thread("t")
    process.create_thread("u").start()
    stacks = [vmo for vmo in machine.vmos if vmo not in known]
    assert [(vmo.koid, vmo.committed_pages) for vmo in stacks] == [(0, 2), (0, 2)]
    (mapping,) = stacks[0].mappings
    assert mapping.aspace is machine.kernel.aspace
    assert machine.pages["object"] == before + 4
    thread.start()
    thread.exit()
    assert machine.pages["object"] == before + 2
    assert stacks[0] not in machine.vmos


def test_process_ends_with_its_last_thread(process: Process) -> None:
    """When the last thread exits, the process does."""
    first, second = process.create_thread("a"), process.create_thread("b")
    first.start()
    second.start()
    first.exit()
    assert process.state == "running"
    second.exit()
    assert process.state == "dead"


# -------------------------------------------------------------------------- processes


def test_address_space(process: Process) -> None:
    """A process has one address space: its name, its root VMAR and its range."""
    aspace, root = process.aspace, process.root_vmar
    assert aspace is not None
    assert aspace.name == f"proc:{process.koid}"
    assert (root.name, root.base, root.size_bytes) == ("root", 0x1000000, 0x7FFFFEFFF000)
    assert root.end == 0x7FFFFFFFF000
    assert process.allocate(PAGE).name == "useralloc"


def test_initial_process(process: Process) -> None:
    """A new process is initial: no thread, no handles, an empty address space."""
    assert process.state == "initial"
    assert (process.threads, process.handles, process.root_vmar.children) == ((), (), [])


def test_start(process: Process) -> None:
    """Starting makes the first thread and runs the process; once only."""
    thread = process.start()
    assert (process.state, thread.state, thread.name) == ("running", "running", "initial-thread")
    with pytest.raises(BadState):
        process.start()


def test_spawn(machine: Machine) -> None:
    """A spawned process has the vDSO mapped in two parts, a stack, a thread and its handles."""
    process = machine.root_job.spawn("sh")
    assert process.state == "running"
    assert [thread.name for thread in process.threads] == ["initial-thread"]
    assert [h.type for h in reversed(process.handles)] == ["process", "vmar", "thread", "vmo"]
    assert process.handles[0].rights_text == "r-xmdt"
    vmar = next(c for c in process.root_vmar.children if hasattr(c, "children"))
    parts = [(c.size_bytes, c.perms, c.vmo_offset_bytes) for c in vmar.children]  # type: ignore[union-attr]
    assert vmar.size_bytes == 28 << 10
    assert parts == [(24 << 10, "r--", 0), (4 << 10, "r-x", 24 << 10)]
    stack = next(vmo for vmo in machine.vmos if vmo.name == "initial-stack")
    assert (stack.size_bytes, stack.runs) == (256 << 10, [(63, 1)])
    assert stack.handle_count == 0
    assert [mapping.perms for mapping in stack.mappings] == ["rw-"]


def test_spawn_without_parts(machine: Machine) -> None:
    """A launcher may leave out stack and vDSO."""
    process = machine.root_job.spawn("bare", stack=0, vdso=False)
    assert process.root_vmar.children == []
    assert [h.type for h in reversed(process.handles)] == ["process", "vmar", "thread"]


def test_exit_gives_everything_back(machine: Machine) -> None:
    """The end of a process closes its handles, destroys its address space, ends its threads."""
    machine.root_job.spawn("warm").kill()  # fills what the kernel never gives back
    before = machine.kmem
    process = machine.root_job.spawn("p")
    vmo = process.create_vmo("1M")
    process.map(vmo).touch(write=True)
    process.exit(3)
    assert (process.state, process.exit_code, process.aspace) == ("dead", 3, None)
    assert (process.threads, process.handles) == ((), ())
    assert process not in machine.processes
    assert machine.kmem == before


def test_exited_but_held(machine: Machine, process: Process, other: Process) -> None:
    """An exited process stays known while others hold handles, with zero for all sizes."""
    process.start()
    process.map(process.create_vmo("1M")).touch(write=True)
    handle = other.open(process)
    assert sizes(machine, "one") == ["1M", "1M", "0B"]
    process.exit()
    assert process in machine.processes
    assert sizes(machine, "one") == ["0B", "0B", "0B"]
    handle.close()
    assert process not in machine.processes


def test_handle_to_itself_keeps_nothing(machine: Machine, process: Process) -> None:
    """A process that alone holds itself is gone when it ends."""
    process.open(process)
    process.exit()
    assert process not in machine.processes


def test_dying_process(machine: Machine, process: Process, other: Process) -> None:
    """A dying process shows zeros, but its mappings stay and count until it is finished."""
    vmo = process.create_vmo(4 * PAGE, "shared")
    vmo.commit()
    process.map(vmo)
    other.map(vmo)
    thread = process.start()
    assert sizes(machine, "one") == ["8k", "0B", "16k"]
    process.kill(finish=False)
    assert (process.state, thread.state) == ("dying", "dying")
    assert vmo.vmo.share_count == 2
    assert sizes(machine, "one") == ["0B", "0B", "0B"]
    kept = vmo.vmo
    process.finish()
    assert (process.state, kept.share_count) == ("dead", 1)


def test_dying_process_makes_nothing_new(process: Process) -> None:
    """A dying process gets no new objects."""
    process.kill(finish=False)
    for refused in (
        lambda: process.create_vmo(PAGE),
        process.create_event,
        lambda: process.create_thread("t"),
    ):
        with pytest.raises(BadState):
            refused()


@pytest.mark.parametrize(
    "operation",
    [
        lambda p: p.create_vmo(PAGE),
        lambda p: p.create_channel(),
        lambda p: p.create_thread("t"),
        lambda p: p.allocate(PAGE),
        lambda p: p.unmap(0x1000000, PAGE),
        lambda p: p.protect(0x1000000, PAGE, "r"),
        lambda p: p.read(0x1000000, 1),
        lambda p: p.write(0x1000000, b"x"),
        lambda p: p.touch(0x1000000),
        lambda p: p.exit(),
        lambda p: p.kill(),
        lambda p: p.start(),
        lambda p: p.finish(),
    ],
)
def test_dead_process(
    machine: Machine, process: Process, operation: Callable[[Process], Any]
) -> None:
    """Nothing can be done with a dead process: BadState."""
    process.exit()
    before = machine.fingerprint()
    with pytest.raises(BadState):
        operation(process)
    assert machine.fingerprint() == before


def test_mappings_of_a_dead_process(process: Process) -> None:
    """Memory of a dead process cannot be reached through its old mappings."""
    mapping = process.map(process.create_vmo(PAGE))
    process.exit()
    with pytest.raises(PageFault, match="no mapping"):
        mapping.touch()
    with pytest.raises(BadState):
        mapping.unmap()


# ------------------------------------------------------------------------- the kernel


def test_kernel_vmos_are_hidden(machine: Machine) -> None:
    """A VMO the kernel maps alone has koid 0 and shows among the hidden ones."""
    vmo = machine.kernel.create_vmo("64k", "trace-buffer")
    machine.kernel.map(vmo).touch(write=True)
    machine.kernel.release(vmo)
    assert (vmo.koid, vmo.committed_pages) == (0, 16)
    assert "trace-buffer" in str(magmem.k_vmos(machine, "hidden"))


def test_kernel_maps_at_the_lowest_place(machine: Machine) -> None:
    """The kernel's own mappings take the lowest place that fits."""
    vmo = machine.kernel.create_vmo(PAGE, "a")
    first = machine.kernel.map(vmo)
    second = machine.kernel.map(vmo)
    assert second.base > first.base
    place = first.base
    first.unmap()
    assert machine.kernel.map(vmo).base == place


def test_device_mapping(machine: Machine) -> None:
    """Devices are physical VMOs mapped in the kernel; they use no RAM."""
    objects = machine.pages["object"]
    mapping = machine.kernel.map_device(0xFEC00000, PAGE, "ioapic")
    mapping.touch(write=True)
    assert mapping.vmo.kind == "physical"
    assert machine.pages["object"] == objects

"""Jobs, processes, threads, handles and the other objects (reference/kernel.md "Tasks", "Objects").

An object dies with its last reference. A process or thread that ended, or a job that was killed,
stays known while handles to it exist.
"""

from __future__ import annotations

from sim.model import access, vmars, vmos
from sim.model.state import (
    PAGE,
    Handle,
    Job,
    Object,
    Process,
    State,
    Thread,
    refuse,
)

from magmem.errors import AccessDenied, BadState, InvalidArgs, NoMemory, NoResources

__all__ = [
    "MAX_HANDLES",
    "THREAD_MOVES",
    "USER_BASE",
    "USER_BYTES",
    "change_thread",
    "close_handle",
    "create_job",
    "create_object",
    "create_process",
    "create_thread",
    "dequeue",
    "end_process",
    "exit_thread",
    "handles_to",
    "kill_job",
    "kill_process",
    "move_handle",
    "need_new_objects",
    "new_handle",
    "queue",
    "release_process",
    "sweep",
]

USER_BASE = 0x1000000
USER_BYTES = 0x7FFFFEFFF000
MAX_HANDLES = 256 * 1024
MAX_PACKETS = 16 * 1024
GUARD_BYTES = PAGE
STACK_PAGES = 2

THREAD_MOVES = {
    "start": (("new",), "running"),
    "suspend": (("running", "blocked"), "suspended"),
    "resume": (("suspended",), "running"),
    "block": (("running",), "blocked"),
    "unblock": (("blocked",), "running"),
    "raise_exception": (("running",), "blocked"),
    "resume_exception": (("blocked", "suspended"), "running"),
}
"""Operation -> the states it may begin in, and the state it leads to."""


def create_job(state: State, parent: int, name: str) -> int:
    """A job below a living one."""
    refuse((not state.jobs[parent].alive, BadState))
    job = Job(state.serial(), parent, name)
    state.jobs[job.serial] = job
    return job.serial


def create_process(state: State, job: int, name: str) -> int:
    """A process with an empty address space."""
    refuse((not state.jobs[job].alive, BadState))
    process = Process(state.serial(), job, name)
    state.processes[process.serial] = process
    process.aspace = vmars.new_aspace(state, process.serial, USER_BASE, USER_BYTES).serial
    return process.serial


def need_new_objects(state: State, process: int) -> None:
    """A dying or dead process makes nothing new."""
    refuse((state.processes[process].state in ("dying", "dead"), BadState))


def create_thread(state: State, process: int, name: str, stack_base: int) -> int:
    """A thread, with a kernel stack: two committed pages between guard pages at `stack_base`."""
    need_new_objects(state, process)
    stack = vmos.create(state, STACK_PAGES * PAGE, max_bytes=PAGE * STACK_PAGES)
    root = state.aspaces[state.kernel_aspace].root
    size_bytes = STACK_PAGES * PAGE + 2 * GUARD_BYTES
    vmar = vmars.allocate(state, root, stack_base, size_bytes, frozenset("rwx"), specific=True)
    inside = stack_base + GUARD_BYTES
    vmars.place(state, vmar, inside, STACK_PAGES * PAGE, frozenset("rw"), stack, 0)
    access.touch(state, state.kernel_aspace, inside, STACK_PAGES * PAGE, "write")
    thread = Thread(state.serial(), process, name, stack=vmar)
    state.threads[thread.serial] = thread
    return thread.serial


def change_thread(state: State, serial: int, move: str, port: str = "none") -> None:
    """Take a thread from one state to the next."""
    thread = state.threads[serial]
    sources, target = THREAD_MOVES[move]
    waits = thread.exception_port != "none"
    refuse(
        (thread.state not in sources, BadState),
        (move == "unblock" and waits, BadState),
        (move == "resume_exception" and not waits, BadState),
    )
    thread.state = target
    if move == "raise_exception":
        thread.exception_port = port
    if move == "resume_exception":
        thread.exception_port = "none"
    process = state.processes[thread.process]
    if move == "start" and process.state == "initial":
        process.state = "running"


def exit_thread(state: State, serial: int) -> None:
    """End one thread; the process ends with its last."""
    thread = state.threads[serial]
    refuse((thread.state in ("dying", "dead"), BadState))
    _end_thread(state, thread)
    if all(t.state == "dead" for t in state.threads.values() if t.process == thread.process):
        end_process(state, thread.process, 0)
    sweep(state)


def kill_process(state: State, serial: int, *, finish: bool) -> None:
    """Kill; without `finish` the process stays dying, its mappings in place."""
    process = state.processes[serial]
    alive = any(t.process == serial and t.state != "dead" for t in state.threads.values())
    refuse(
        (process.state == "dead" or (process.state == "dying" and not finish and alive), BadState)
    )
    if finish or not alive:
        end_process(state, serial, -1)
        return
    process.state, process.exit_code = "dying", -1
    for thread in state.threads.values():
        if thread.process == serial and thread.state != "dead":
            thread.state, thread.exception_port = "dying", "none"


def release_process(state: State, serial: int) -> None:
    """The laboratory lets go of a process: without a handle it is killed."""
    process = state.processes[serial]
    refuse((process.state == "dead" or not process.held, BadState))
    process.held = False
    sweep(state)


def end_process(state: State, serial: int, code: int) -> None:
    """Threads, handles and the address space go; who is dying already keeps the exit code."""
    process = state.processes[serial]
    refuse((process.state == "dead", BadState))
    if process.state != "dying":
        process.exit_code = code
    process.state = "dead"
    for thread in list(state.threads.values()):
        if thread.process == serial and thread.state != "dead":
            _end_thread(state, thread)
    for handle in process.handles:
        state.arenas["handles"].live -= 1
        del state.handles[handle]
    process.handles = []
    assert process.aspace is not None
    vmars.destroy_aspace(state, process.aspace)
    process.aspace = None
    sweep(state)


def kill_job(state: State, serial: int) -> None:
    """Kill every process and job below, and the job itself."""
    job = state.jobs[serial]
    refuse((not job.alive, BadState), (serial in state.kept_jobs, AccessDenied))
    below = [serial]
    for one in below:
        below += [child.serial for child in state.jobs.values() if child.parent == one]
    for process in list(state.processes.values()):
        if process.job in below and process.state != "dead":
            end_process(state, process.serial, -1)
    for one in below:
        if one in state.jobs:
            state.jobs[one].alive = False
    sweep(state)


def handles_to(state: State, kind: str, target: int) -> int:
    """How many handles refer to an object."""
    return sum(h.kind == kind and h.target == target for h in state.handles.values())


def new_handle(state: State, process: int, kind: str, target: int, rights: int) -> int:
    """Put a handle in front of a process's table; it takes an entry of the handle arena."""
    arena = state.arenas["handles"]
    refuse((arena.live >= MAX_HANDLES, NoResources))
    _take_entry(state, "handles")
    handle = Handle(state.serial(), process, kind, target, rights)
    state.handles[handle.serial] = handle
    state.processes[process].handles.insert(0, handle.serial)
    return handle.serial


def move_handle(state: State, serial: int, process: int) -> None:
    """Hand it over to another process; its entry stays the same."""
    handle = state.handles[serial]
    refuse((state.processes[process].state == "dead", BadState))
    state.processes[handle.process].handles.remove(serial)
    state.processes[process].handles.insert(0, serial)
    handle.process = process


def close_handle(state: State, serial: int) -> None:
    """Give a handle up; what nothing refers to any more dies."""
    state.processes[state.handles[serial].process].handles.remove(serial)
    del state.handles[serial]
    state.arenas["handles"].live -= 1
    sweep(state)


def create_object(state: State, process: int, kind: str, rights: int) -> tuple[int, int]:
    """Any other object with its first handle: (handle, object)."""
    need_new_objects(state, process)
    item = Object(state.serial(), kind)
    state.objects[item.serial] = item
    return new_handle(state, process, "object", item.serial, rights), item.serial


def queue(state: State, port: int, count: int) -> None:
    """Queue packets, each in an entry of the packet arena."""
    refuse((count < 0, InvalidArgs), (state.arenas["packets"].live + count > MAX_PACKETS, NoMemory))
    for _ in range(count):
        _take_entry(state, "packets")
    state.objects[port].packets += count


def dequeue(state: State, port: int, count: int) -> None:
    """Take packets out."""
    refuse((not 0 <= count <= state.objects[port].packets, BadState))
    state.objects[port].packets -= count
    state.arenas["packets"].live -= count


def sweep(state: State) -> None:
    """Let everything die that nothing refers to any more."""
    for process in list(state.processes.values()):
        orphan = not process.held and not handles_to(state, "process", process.serial)
        if orphan and process.state in ("initial", "running"):
            end_process(state, process.serial, -1)
            return
    for item in list(state.objects.values()):
        if not handles_to(state, "object", item.serial):
            state.arenas["packets"].live -= item.packets
            del state.objects[item.serial]
    for thread in list(state.threads.values()):
        if thread.state == "dead" and not handles_to(state, "thread", thread.serial):
            del state.threads[thread.serial]
    for process in list(state.processes.values()):
        if process.state == "dead" and not handles_to(state, "process", process.serial):
            del state.processes[process.serial]
    while dead := [job.serial for job in state.jobs.values() if _is_dead(state, job)]:
        for serial in dead:
            del state.jobs[serial]
    vmos.sweep(state)


def _is_dead(state: State, job: Job) -> bool:
    return not (
        job.alive
        or handles_to(state, "job", job.serial)
        or any(process.job == job.serial for process in state.processes.values())
        or any(child.parent == job.serial for child in state.jobs.values())
    )


def _end_thread(state: State, thread: Thread) -> None:
    thread.state, thread.exception_port = "dead", "none"
    vmars.destroy(state, thread.stack)


def _take_entry(state: State, name: str) -> None:
    """Use an entry; one never used before reaches into pages that are committed now."""
    arena = state.arenas[name]
    arena.live += 1
    if arena.live <= arena.used:
        return
    for mapping, entry_bytes in ((arena.control, 16), (arena.data, arena.entry_bytes)):
        start = state.mappings[mapping].base + arena.used * entry_bytes
        access.touch(state, state.kernel_aspace, start, entry_bytes, "write")
    arena.used += 1

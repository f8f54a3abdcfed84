"""Random operations on jobs, processes and threads."""

from __future__ import annotations

from typing import Any

from sim.model import access, figures, tasks, vmars, vmos
from sim.model.state import PAGE, State, refuse
from sim.twins.driver import Choice, Twins
from sim.twins.rights import REGION_RIGHTS, TASK_RIGHTS, VDSO_RIGHTS
from sim.twins.vmo_ops import BOUND_PAGES

from magmem.errors import BadState, InvalidArgs

__all__ = ["OPERATIONS"]

STACK_RANGE = 4 * PAGE


def _lowest(state: State, size_bytes: int) -> int:
    """The lowest place in the kernel's root VMAR: where the kernel puts its own."""
    root = state.aspaces[state.kernel_aspace].root
    return next(start for start, end in vmars.gaps(state, root) if end - start >= size_bytes)


def _thread(state: State, process: int, name: str) -> int:
    return tasks.create_thread(state, process, name, _lowest(state, STACK_RANGE))


def create_job(twins: Twins, choice: Choice) -> None:
    """A job anywhere in the tree."""
    parent = choice.of(list(twins.model.jobs))

    def predict(state: State, _: Any) -> int:
        return tasks.create_job(state, parent, "job")

    done = twins.do(lambda: twins[parent].create_job("job"), predict)
    if done:
        twins.twins[done[1]] = done[0]


def create_process(twins: Twins, choice: Choice) -> None:
    """An empty process."""
    job = choice.of(list(twins.model.jobs))

    def predict(state: State, _: Any) -> int:
        return tasks.create_process(state, job, "process")

    done = twins.do(lambda: twins[job].create_process("process"), predict, spare_pages=BOUND_PAGES)
    if done:
        twins.twins[done[1]] = done[0]


def spawn(twins: Twins, choice: Choice) -> None:
    """A process as a launcher leaves it."""
    job = choice.of(list(twins.model.jobs))
    stack = choice.of((0, 4096, 20000, 64 * 1024))
    vdso = choice.of((True, False))
    vdso_vmo = next(s for s, v in twins.twins.items() if v is twins.machine.kernel.vdso)

    def predict(state: State, shown: Any) -> list[int]:
        process = tasks.create_process(state, job, "spawned")
        aspace = state.processes[process].aspace
        assert aspace is not None
        root = state.aspaces[aspace].root
        thread = _thread(state, process, "initial-thread")
        made = [process, root, thread]
        made.append(tasks.new_handle(state, process, "process", process, TASK_RIGHTS))
        made.append(tasks.new_handle(state, process, "vmar", root, REGION_RIGHTS["rwx"]))
        made.append(tasks.new_handle(state, process, "thread", thread, TASK_RIGHTS))
        everything = frozenset("rwx")
        if vdso:
            made.append(tasks.new_handle(state, process, "vmo", vdso_vmo, VDSO_RIGHTS))
            base = _shown_base(shown, lambda node: hasattr(node, "children"), 1 << 40)
            vmar = vmars.allocate(state, root, base, 7 * PAGE, everything, specific=True)
            data, code = frozenset("r"), frozenset("rx")
            vmars.place(state, vmar, base, 6 * PAGE, data, vdso_vmo, 0, code)
            vmars.place(state, vmar, base + 6 * PAGE, PAGE, code, vdso_vmo, 6 * PAGE, code)
        if stack:
            vmo = vmos.create(state, stack, "initial-stack", max_bytes=stack)
            base = _shown_base(shown, lambda node: not hasattr(node, "children"), 1 << 41)
            mapping = vmars.place(
                state, root, base, stack, frozenset("rw"), vmo, 0, frozenset("rw")
            )
            end = state.mappings[mapping].end
            access.touch(state, aspace, end - PAGE, PAGE, "write")
        state.threads[thread].state = state.processes[process].state = "running"
        return made

    done = twins.do(
        lambda: twins[job].spawn("spawned", stack=stack, vdso=vdso),
        predict,
        spare_pages=3 * BOUND_PAGES,
    )
    if done:
        process, serials = done
        objects = [process, process.root_vmar, process.threads[0], *process.handles[::-1]]
        twins.twins.update(zip(serials, objects, strict=True))


def _shown_base(process: Any, wanted: Any, otherwise: int) -> int:
    """Where the simulator put a region at random."""
    if process is None:
        return otherwise
    base: int = next(node.base for node in process.root_vmar.children if wanted(node))
    return base


def create_thread(twins: Twins, choice: Choice) -> None:
    """One more thread."""
    process = choice.of((0, *twins.model.processes))
    if not process:
        return

    def predict(state: State, _: Any) -> int:
        return _thread(state, process, "thread")

    done = twins.do(
        lambda: twins[process].create_thread("thread"), predict, spare_pages=BOUND_PAGES
    )
    if done:
        twins.twins[done[1]] = done[0]


def start(twins: Twins, choice: Choice) -> None:
    """Make and start the first thread of a process."""
    process = choice.of((0, *twins.model.processes))
    if not process:
        return

    def predict(state: State, _: Any) -> int:
        refuse((state.processes[process].state != "initial", BadState))
        thread = _thread(state, process, "initial-thread")
        state.threads[thread].state = state.processes[process].state = "running"
        return thread

    done = twins.do(twins[process].start, predict, spare_pages=BOUND_PAGES)
    if done:
        twins.twins[done[1]] = done[0]


def change_thread(twins: Twins, choice: Choice) -> None:
    """Take a thread from state to state."""
    if not twins.model.threads:
        return
    thread = choice.of(list(twins.model.threads))
    move = choice.of((*tasks.THREAD_MOVES, "exit"))
    port = choice.of(("process", "job", "none"))
    args = (port,) if move == "raise_exception" else ()

    def predict(state: State, _: Any) -> None:
        if move == "exit":
            tasks.exit_thread(state, thread)
            return
        refuse((bool(args) and port == "none", InvalidArgs), (False, BadState))
        tasks.change_thread(state, thread, move, port)

    twins.do(lambda: getattr(twins[thread], move)(*args), predict)


def end_process(twins: Twins, choice: Choice) -> None:
    """Exit, kill in one go or in two."""
    if not twins.model.processes:
        return
    process = choice.of(list(twins.model.processes))
    what = choice.of(("exit", "kill", "die slowly", "finish"))
    twin = twins[process]

    def predict(state: State, _: Any) -> None:
        if what == "die slowly":
            tasks.kill_process(state, process, finish=False)
            return
        refuse((what == "finish" and state.processes[process].state != "dying", BadState))
        tasks.end_process(state, process, 7 if what == "exit" else -1)

    acts = {
        "exit": lambda: twin.exit(7),
        "kill": twin.kill,
        "die slowly": lambda: twin.kill(finish=False),
        "finish": twin.finish,
    }
    twins.do(acts[what], predict)


def release(twins: Twins, choice: Choice) -> None:
    """Let go of a process: it lives on by its handles alone."""
    process = choice.of((0, *twins.model.processes))
    if process:
        twins.do(twins[process].release, lambda state, _: tasks.release_process(state, process))


def statistics(twins: Twins, choice: Choice) -> None:
    """What a process's mappings come to."""
    process = choice.of((0, *twins.model.processes))
    if not process:
        return

    def predict(state: State, _: Any) -> tuple[int, int]:
        node = state.processes[process]
        refuse((node.state != "running", BadState))
        mine = [m for m in state.mappings.values() if state.vmars[m.vmar].aspace == node.aspace]
        return sum(m.size_bytes for m in mine), figures.reported_pss(state, process)

    done = twins.do(twins[process].statistics, predict)
    assert done is None or (done[0].mapped_bytes, done[0].pss_bytes) == done[1]


def kill_job(twins: Twins, choice: Choice) -> None:
    """Kill a job and everything below it."""
    job = choice.of(list(twins.model.jobs))
    twins.do(twins[job].kill, lambda state, _: tasks.kill_job(state, job))


OPERATIONS = (
    create_job,
    create_process,
    spawn,
    create_thread,
    start,
    change_thread,
    end_process,
    kill_job,
    release,
    statistics,
)

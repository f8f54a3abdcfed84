"""Random operations on jobs, processes, threads, handles and the other objects."""

from __future__ import annotations

from typing import Any

from sim.model import tasks, vmars, vmos
from sim.model.state import PAGE, State, refuse
from sim.twins.driver import Choice, Twins, need
from sim.twins.vmo_ops import ALL_RIGHTS, BOUND_PAGES, living, some_handle

from magmem.errors import BadState, InvalidArgs

__all__ = ["OPERATIONS"]

DUPLICATE, TRANSFER, READ, WRITE = 1, 2, 4, 8
BASIC = DUPLICATE | TRANSFER | READ | WRITE
TASK_RIGHTS = BASIC | 64 | 128
OBJECT_RIGHTS = {"channel": TRANSFER | READ | WRITE}
VDSO_RIGHTS = ALL_RIGHTS & ~WRITE & ~128
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
        root = state.aspaces[state.processes[process].aspace].root
        thread = _thread(state, process, "initial-thread")
        made = [process, root, thread]
        made.append(tasks.new_handle(state, process, "process", process, TASK_RIGHTS))
        made.append(tasks.new_handle(state, process, "vmar", root, DUPLICATE | TRANSFER))
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
            vmars.touch(state, state.processes[process].aspace, end - PAGE, PAGE, "write")
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
        tasks.end_process(state, process)

    acts = {
        "exit": twin.exit,
        "kill": twin.kill,
        "die slowly": lambda: twin.kill(finish=False),
        "finish": twin.finish,
    }
    twins.do(acts[what], predict)


def kill_job(twins: Twins, choice: Choice) -> None:
    """Kill a job and everything below it."""
    job = choice.of(list(twins.model.jobs))
    twins.do(twins[job].kill, lambda state, _: tasks.kill_job(state, job))


def handle_use(twins: Twins, choice: Choice) -> None:
    """Close, duplicate, replace or hand over a handle, or go on using a closed one."""
    handle = some_handle(
        twins, choice, choice.of(("vmo", "vmo", "object", "process", "thread", "job", "vmar"))
    )
    if handle is None:
        return
    what = choice.of(("close", "close", "duplicate", "replace", "transfer"))
    mask = choice.of((ALL_RIGHTS, BASIC, BASIC | 32, 63, 4 | 32, 0))
    item = twins.model.handles[handle]
    other = choice.of(
        [p for p in twins.model.processes if twins.model.processes[p].state != "dying"]
    )
    twin = twins[handle]

    def predict(state: State, _: Any) -> int | None:
        if what == "close":
            return tasks.close_handle(state, handle)
        if what == "transfer":
            need(state, handle, TRANSFER)
            return tasks.move_handle(state, handle, other)
        if what == "duplicate":
            need(state, handle, DUPLICATE)
        refuse((bool(mask & ~item.rights), InvalidArgs))
        made = tasks.new_handle(state, item.process, item.kind, item.target, mask)
        if what == "replace":
            tasks.close_handle(state, handle)
        return made

    acts = {
        "close": twin.close,
        "duplicate": lambda: twin.duplicate(mask),
        "replace": lambda: twin.replace(mask),
        "transfer": lambda: twin.transfer(twins[other]),
    }
    done = twins.do(acts[what], predict, spare_pages=BOUND_PAGES)
    if done and what == "transfer":
        twins.twins[handle] = done[0]
    elif done and done[1]:
        twins.twins[done[1]] = done[0]


def open_object(twins: Twins, choice: Choice) -> None:
    """Give a process a handle to any object there is."""
    processes = living(twins)
    if not processes:
        return
    process = choice.of(processes)
    model = twins.model
    user_vmars = [v.serial for v in model.vmars.values() if v.aspace != model.kernel_aspace]
    # Opening what the kernel stands on, and resizing it, is sabotage.
    kept = {m.vmo for m in model.mappings.values() if m.vmar not in user_vmars}
    kinds = {
        "vmo": [v for v in model.vmos if v not in kept],
        "process": list(model.processes),
        "thread": list(model.threads),
        "job": list(model.jobs),
        "vmar": user_vmars,
    }
    kind = choice.of([kind for kind, serials in kinds.items() if serials])
    target = choice.of(kinds[kind])
    rights = {"vmo": ALL_RIGHTS, "vmar": DUPLICATE | TRANSFER}.get(kind, TASK_RIGHTS)
    if kind == "vmo" and model.vmos[target].wired:
        rights = VDSO_RIGHTS

    def predict(state: State, _: Any) -> int:
        return tasks.new_handle(state, process, kind, target, rights)

    done = twins.do(lambda: twins[process].open(twins[target]), predict, spare_pages=BOUND_PAGES)
    if done:
        twins.twins[done[1]] = done[0]


def create_object(twins: Twins, choice: Choice) -> None:
    """A channel, an event, or one of the others."""
    processes = [*living(twins), *twins.model.processes]
    if not processes:
        return
    process = choice.of(processes)
    maker, kind = choice.of(
        (
            ("channel", "channel"),
            ("eventpair", "event-pair"),
            ("socket", "socket"),
            ("fifo", "fifo"),
            ("event", "event"),
            ("port", "port"),
            ("port", "port"),
            ("timer", "timer"),
        )
    )
    ends = 2 if maker in ("channel", "eventpair", "socket", "fifo") else 1
    rights = OBJECT_RIGHTS.get(kind, BASIC)

    def predict(state: State, _: Any) -> list[tuple[int, int]]:
        return [tasks.create_object(state, process, kind, rights) for _ in range(ends)]

    done = twins.do(getattr(twins[process], f"create_{maker}"), predict, spare_pages=BOUND_PAGES)
    if done:
        handles = done[0] if ends == 2 else (done[0],)
        for handle, (handle_serial, serial) in zip(handles, done[1], strict=True):
            twins.twins[handle_serial], twins.twins[serial] = handle, handle.object


def port_use(twins: Twins, choice: Choice) -> None:
    """Queue packets on a port, or take them out."""
    model = twins.model
    alive = set(living(twins))
    ports = [
        h.serial
        for h in model.handles.values()
        if h.kind == "object" and model.objects[h.target].kind == "port" and h.process in alive
    ]
    if not ports:
        return
    handle = choice.of(ports)
    port = model.handles[handle].target
    count = choice.of((0, 1, 5, 60, 300))
    what = choice.of(("queue", "queue", "dequeue"))

    def predict(state: State, _: Any) -> None:
        need(state, handle, WRITE if what == "queue" else READ)
        getattr(tasks, what)(state, port, count)

    twins.do(lambda: getattr(twins[handle], what)(count), predict)


def kill_by_handle(twins: Twins, choice: Choice) -> None:
    """Kill a process through a handle to it."""
    handle = some_handle(twins, choice, "process")
    if handle is None:
        return
    process = twins.model.handles[handle].target

    def predict(state: State, _: Any) -> None:
        need(state, handle, WRITE)
        tasks.kill_process(state, process, finish=True)

    twins.do(twins[handle].kill, predict)


OPERATIONS = (
    create_job,
    create_process,
    spawn,
    create_thread,
    start,
    change_thread,
    end_process,
    kill_job,
    handle_use,
    open_object,
    create_object,
    port_use,
    kill_by_handle,
)

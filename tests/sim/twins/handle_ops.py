"""Random operations on handles, on the objects they refer to, and on what is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.model import tasks
from sim.model.state import PAGE, Refused, State, refuse
from sim.twins.driver import Choice, Twins, need
from sim.twins.rights import (
    ALL_RIGHTS,
    BASIC,
    DUPLICATE,
    OBJECT_RIGHTS,
    READ,
    REGION_RIGHTS,
    TASK_RIGHTS,
    TRANSFER,
    VDSO_RIGHTS,
    WRITE,
)
from sim.twins.vmo_ops import BOUND_PAGES, living, some_handle

from magmem.errors import BadHandle, BadState, InvalidArgs, KernelError
from magmem.sim.mapping import Mapping
from magmem.sim.thread import Thread
from magmem.sim.vmar import Vmar
from magmem.sim.vmo_handle import VmoHandle

__all__ = ["OPERATIONS"]


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
            tasks.close_handle(state, handle)
            return None
        if what == "transfer":
            need(state, handle, TRANSFER)
            tasks.move_handle(state, handle, other)
            return None
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
    # What the kernel keeps in VMARs of its own, below its root, is read only.
    kernel_root = model.aspaces[model.kernel_aspace].root
    kept = {m.vmo for m in model.mappings.values() if m.vmar not in (*user_vmars, kernel_root)}
    kinds = {
        "vmo": list(model.vmos),
        "process": list(model.processes),
        "thread": list(model.threads),
        "job": list(model.jobs),
        "vmar": user_vmars,
    }
    kind = choice.of([kind for kind, serials in kinds.items() if serials])
    target = choice.of(kinds[kind])
    rights = {"vmo": ALL_RIGHTS}.get(kind, TASK_RIGHTS)
    if kind == "vmar":
        rights = REGION_RIGHTS["".join(p for p in "rwx" if p in model.vmars[target].perms)]
    if kind == "vmo" and (target in kept or model.vmos[target].wired):
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
    """Kill a process, a thread or a job through a handle to it."""
    kind = choice.of(("process", "thread", "job"))
    handle = some_handle(twins, choice, kind)
    if handle is None:
        return
    target = twins.model.handles[handle].target

    def predict(state: State, _: Any) -> None:
        need(state, handle, WRITE)
        if kind == "process":
            tasks.kill_process(state, target, finish=True)
        elif kind == "thread":
            tasks.exit_thread(state, target)
        else:
            tasks.kill_job(state, target)

    twins.do(twins[handle].kill, predict)


def use_the_dead(twins: Twins, choice: Choice) -> None:
    """What is gone cannot be used: closed handles, unmapped mappings, destroyed VMARs."""
    model = twins.model
    alive = {*model.handles, *model.mappings, *model.vmars, *model.threads}
    gone = [s for s, twin in twins.twins.items() if s not in alive and type(twin) in _LAST_USES]
    if not gone:
        return
    twin = twins[choice.of(gone)]
    status, uses = _LAST_USES[type(twin)]
    use = choice.of(uses)

    def predict(_: State, __: Any) -> None:
        raise Refused([status])

    twins.do(lambda: use(twin), predict)


_LAST_USES: dict[type, tuple[type[KernelError], tuple[Callable[[Any], Any], ...]]] = {
    VmoHandle: (
        BadHandle,
        (
            lambda handle: handle.read(0, 0),
            lambda handle: handle.commit(),
            lambda handle: handle.clone(),
            lambda handle: handle.duplicate(),
            lambda handle: handle.close(),
        ),
    ),
    Mapping: (BadState, (lambda mapping: mapping.unmap(), lambda mapping: mapping.protect("r"))),
    Vmar: (
        BadState,
        (
            lambda vmar: vmar.destroy(),
            lambda vmar: vmar.unmap(vmar.base, PAGE),
            lambda vmar: vmar.protect(vmar.base, PAGE, "r"),
        ),
    ),
    Thread: (BadState, (lambda thread: thread.suspend(), lambda thread: thread.exit())),
}
"""Type -> the status of using it when it is gone, and ways to try."""

OPERATIONS = (
    handle_use,
    open_object,
    create_object,
    port_use,
    kill_by_handle,
    use_the_dead,
)

"""Jobs, processes, threads and handles of a machine description, as columns.

A koid belongs to one object; every job, process and VMO that is referred to must be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from magmem.captures.columns import (
    check_choices,
    check_names,
    check_unique,
    hex_integers,
    integers,
    texts,
)
from magmem.captures.machine.format import Job, Process, Thread
from magmem.captures.machine.index import MachineIndex

__all__ = ["check_koids", "handle_columns", "task_columns"]

PROCESS_STATES = ("initial", "running", "dying", "dead")
THREAD_STATES = ("new", "running", "suspended", "blocked", "dying", "dead", "unknown")
EXCEPTION_PORTS = ("none", "debugger", "thread", "process", "job", "system", "unknown")


def check_koids(index: MachineIndex) -> None:
    """Raise `CaptureError` at a koid of 0 on a task, or one that two objects claim."""
    koids = [job.koid for job in index.jobs] + [process.koid for process in index.processes]
    koids += [thread.koid for process in index.processes for thread in process.threads or ()]
    tasks = len(koids)
    if koids and min(koids) == 0:
        raise index.failure(f"{index.task_place(koids.index(0))}.koid", "a koid above 0", 0)
    rows = [row for row, vmo in enumerate(index.vmos) if vmo.koid]
    koids += [index.vmos[row].koid for row in rows]

    def place(at: int) -> str:
        return index.task_place(at) if at < tasks else f"vmos[{rows[at - tasks]}]"

    check_unique(koids, index.source, place, "a koid")


def task_columns(index: MachineIndex) -> Mapping[str, Any]:
    """The tasks table: jobs, then processes, then their threads."""
    jobs, processes, source = index.jobs, index.processes, index.source
    threads = [thread for process in processes for thread in process.threads or ()]
    tasks: list[Job | Process | Thread] = [*jobs, *processes, *threads]
    names = [task.name for task in tasks]
    states = [process.state for process in processes]
    thread_states = [thread.state for thread in threads]
    ports = [thread.exception_port for thread in threads]
    check_names(names, source, index.task_place)
    check_choices(states, PROCESS_STATES, source, "processes[{}]".format, "state")
    check_choices(thread_states, THREAD_STATES, source, index.thread_place, "state")
    check_choices(ports, EXCEPTION_PORTS, source, index.thread_place, "exception_port")
    _check_references(index)
    kinds = np.repeat([0, 1, 2], [len(jobs), len(processes), len(threads)])
    importance: list[int | None] = _importance(index) + [None] * (len(processes) + len(threads))
    return {
        "koid": [task.koid for task in tasks],
        "kind": kinds,
        "parent_koid": integers(
            [job.parent_koid for job in jobs]
            + [process.job_koid for process in processes]
            + [processes[process].koid for process, _ in index.thread_at]
        ),
        "name": texts(names),
        "state": [None] * len(jobs) + states + thread_states,
        "exception_port": [None] * (len(jobs) + len(processes)) + ports,
        "importance": integers(importance),
    }


def handle_columns(index: MachineIndex) -> Mapping[str, Any]:
    """The handles table, process by process."""
    handles = [handle for process in index.processes for handle in process.handles or ()]
    source, place = index.source, index.handle_place
    vmos: list[int | None] = []
    for row, handle in enumerate(handles):
        if handle.type == "vmo" and handle.koid not in index.vmo_row_of_koid:
            raise index.failure(f"{place(row)}.koid", "the koid of a VMO", handle.koid)
        vmos.append(index.vmo_row_of_koid[handle.koid] if handle.type == "vmo" else None)
    values = [handle.value for handle in handles]
    rights = [handle.rights for handle in handles]
    return {
        "process_koid": [index.processes[process].koid for process, _ in index.handle_at],
        "value": hex_integers(values, source, place, "value", 2**32 - 1),
        "type": texts([handle.type for handle in handles]),
        "koid": integers([handle.koid for handle in handles]),
        "rights": hex_integers(rights, source, place, "rights", 2**32 - 1),
        "vmo": integers(vmos),
    }


def _check_references(index: MachineIndex) -> None:
    machine = index.machine
    jobs = {job.koid for job in index.jobs}
    for at, job in enumerate(index.jobs):
        if job.parent_koid is not None and job.parent_koid not in jobs:
            raise index.failure(f"jobs[{at}].parent_koid", "the koid of a job", job.parent_koid)
    for at, process in enumerate(index.processes):
        if process.job_koid not in jobs:
            place = f"processes[{at}].job_koid"
            raise index.failure(place, "the koid of a job", process.job_koid)
    if machine.root_job_koid not in jobs:
        raise index.failure("root_job_koid", "the koid of a job", machine.root_job_koid)
    self_koid = machine.memgraph_self_koid
    if self_koid and all(process.koid != self_koid for process in index.processes):
        raise index.failure("memgraph_self_koid", "0 or the koid of a process", self_koid)


def _importance(index: MachineIndex) -> list[int | None]:
    order = index.machine.jobs_by_importance or []
    check_unique(order, index.source, "jobs_by_importance[{}]".format, "a job")
    jobs = {job.koid for job in index.jobs}
    for at, koid in enumerate(order):
        if koid not in jobs:
            raise index.failure(f"jobs_by_importance[{at}]", "the koid of a job", koid)
    importance = {koid: at for at, koid in enumerate(order)}
    return [importance.get(job.koid) for job in index.jobs]

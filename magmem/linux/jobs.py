"""The job tree of a Linux machine: control groups, or who started whom.

Linux has no jobs. By default every control group (of the memory controller) is a job with its
processes in it; the kernel's own threads, which are in no meaningful group, get a job of their
own. By choice a process that started others becomes a job that holds it and them.

Koids are made up so that they cannot meet a pid (at most 4,194,304): the root job is
`ROOT_KOID`; a control group's lie above it and follow from its path, so that two captures agree;
the job of a process is `ROOT_KOID` plus its pid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from magmem.linux.procfs import shown

__all__ = ["ROOT_KOID", "Job", "JobTree", "cgroup_jobs", "parent_jobs"]

ROOT_KOID = 10_000_000
SPREAD = 9_999_000
"""Koids of control groups lie this far above `ROOT_KOID` at most, below those of VMOs."""

KERNEL_PATH = "kernel threads"


@dataclass(frozen=True, slots=True)
class Job:
    """A job; `parent_koid` is None for the root job."""

    koid: int
    parent_koid: int | None
    name: str


@dataclass(frozen=True, slots=True)
class JobTree:
    """Jobs, each after its parent, and the job of every process by pid."""

    jobs: tuple[Job, ...]
    job_of: Mapping[int, int]


def cgroup_jobs(path_of: Mapping[int, str], kernel: set[int]) -> JobTree:
    """A job for every control group that holds a process, and for those above it.

    Parameters
    ----------
    path_of : mapping of int to str
        The control group of each process.
    kernel : set of int
        The processes that are threads of the kernel.
    """
    parts_of = {
        pid: (KERNEL_PATH,) if pid in kernel else tuple(filter(None, path.split("/")))
        for pid, path in path_of.items()
    }
    groups = {parts[:depth] for parts in parts_of.values() for depth in range(len(parts) + 1)}
    koid_of: dict[tuple[str, ...], int] = {(): ROOT_KOID}
    taken = {ROOT_KOID}
    for group in sorted(groups - {()}):
        digest = blake2b("/".join(group).encode(), digest_size=8).digest()
        koid = ROOT_KOID + 1 + int.from_bytes(digest, "big") % SPREAD
        while koid in taken:
            koid += 1
        taken.add(koid)
        koid_of[group] = koid
    jobs = [Job(ROOT_KOID, None, "root")]
    jobs += [
        Job(koid, koid_of[group[:-1]], shown(group[-1], 31))
        for group, koid in sorted(koid_of.items())
        if group
    ]
    return JobTree(tuple(jobs), {pid: koid_of[parts] for pid, parts in parts_of.items()})


def parent_jobs(parent_of: Mapping[int, int], name_of: Mapping[int, str]) -> JobTree:
    """A job for every process that started others; what it started is below it.

    Parameters
    ----------
    parent_of : mapping of int to int
        Pid of each process's parent; one that is not among the processes: below the root.
    name_of : mapping of int to str
        Names of the processes, which their jobs get.
    """
    children: dict[int, list[int]] = {}
    for pid, parent in parent_of.items():
        children.setdefault(parent if parent in parent_of else 0, []).append(pid)
    jobs = [Job(ROOT_KOID, None, "root")]
    job_of: dict[int, int] = {}
    waiting = [(pid, ROOT_KOID) for pid in reversed(children.pop(0, []))]
    while waiting or children:
        if not waiting:
            # Only parents in a circle are left, which damage can make: cut it anywhere.
            waiting = [(min(set(parent_of) - set(job_of)), ROOT_KOID)]
        pid, above = waiting.pop()
        if pid in job_of:
            continue
        job_of[pid] = above
        if started := children.pop(pid, None):
            job_of[pid] = ROOT_KOID + pid
            jobs.append(Job(ROOT_KOID + pid, above, name_of[pid]))
            waiting += [(child, ROOT_KOID + pid) for child in reversed(started)]
    return JobTree(tuple(jobs), job_of)

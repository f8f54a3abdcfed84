"""``ps live`` from the kernel's sums alone: no mapping is listed, no table made, no pandas loaded.

The text is that of `magmem.ps` of the same moment, which a test holds it to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from magmem.errors import NotSupported
from magmem.linux.access import access_notes
from magmem.linux.jobs import Job, cgroup_jobs
from magmem.linux.procfs import Proc
from magmem.linux.reading import read_system
from magmem.linux.records import ProcessRecord, Reading
from magmem.sizes import format_size

__all__ = ["QuickPs", "answer", "ps_text", "quick_ps"]

UNKNOWN = "?"

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class QuickPs:
    """What `ps` prints of this machine, and what it says beside that."""

    text: str
    warnings: tuple[str, ...]


def quick_ps(
    jobs: bool = False,
    units: str = "",
    progress: Progress | None = None,
    *,
    proc: Path = Path("/proc"),
) -> QuickPs:
    """Every job and process of this machine with PSS, PRIVATE and SHARED.

    Parameters
    ----------
    jobs, units
        As in `magmem.ps`.
    progress : callable, optional
        Called with processes read and processes in all.
    proc : Path
        Where the proc file system is mounted.

    Raises
    ------
    NotSupported
        There is none.
    """
    source = Proc(proc)
    if not source.has_processes():
        raise NotSupported(f"expected a proc file system at {source.place}, found none")
    reading = read_system(source, "processes", None, source.page_bytes(), progress, ())
    reading.records.sort(key=lambda record: (record.stat.start, record.pid))
    return QuickPs(ps_text(reading, jobs, units), tuple(_warnings(reading)))


def answer(
    progress: Progress | None, *, threads: bool, jobs: bool, units: str, rule: str | None
) -> tuple[str, tuple[str, ...]] | None:
    """What ``magmem ps live`` prints; None where threads or another rule take more than sums."""
    if threads or rule not in (None, "linux"):
        return None
    told = quick_ps(jobs, units, progress)
    return told.text, told.warnings


def _warnings(reading: Reading) -> list[str]:
    told = [f"live: {message}" for _, _, message in access_notes(reading)]
    if closed := sum(record.has_memory and record.sums is None for record in reading.records):
        many = "1 process" if closed == 1 else f"{closed} processes"
        told.append(f"ps: the memory of {many} may not be read and is in no sum")
    return told


Sums = tuple[int | None, int | None]


def ps_text(reading: Reading, jobs: bool, units: str) -> str:
    """The listing; records are in the order in which processes were started."""
    kernel = {record.pid for record in reading.records if record.stat.is_kernel}
    tree = cgroup_jobs({record.pid: record.cgroup for record in reading.records}, kernel)
    processes: dict[int, list[ProcessRecord]] = {}
    for record in reading.records:
        processes.setdefault(tree.job_of[record.pid], []).append(record)
    below: dict[int, list[Job]] = {}
    for job in tree.jobs:
        if job.parent_koid is not None:
            below.setdefault(job.parent_koid, []).append(job)
    sums: dict[int, Sums] = {}
    for job in reversed(tree.jobs):
        own = [_figures(record)[:2] for record in processes.get(job.koid, ())]
        own += [sums[child.koid] for child in below.get(job.koid, ())]
        sums[job.koid] = _total([pss for pss, _ in own]), _total([private for _, private in own])
    lines: list[tuple[str, ...]] = []
    waiting = [(tree.jobs[0], 0)]
    while waiting:
        job, depth = waiting.pop()
        cells = [_size(size, units) for size in sums[job.koid]]
        lines.append((f"{'  ' * depth}j:{job.koid}", *cells, "", job.name))
        for record in () if jobs else processes.get(job.koid, ()):
            cells = [_size(size, units) for size in _figures(record)]
            lines.append((f"{'  ' * (depth + 1)}p:{record.pid}", *cells, record.stat.name))
        waiting += [(child, depth + 1) for child in reversed(below.get(job.koid, ()))]
    width = max(len(line[0]) for line in lines)
    heads: tuple[str, ...] = ("TASK", "PSS", "PRIVATE", "SHARED", "NAME")
    template = f"%-{width}s %7s %7s %7s %s\n"
    if jobs:
        heads, lines = (*heads[:3], "NAME"), [(*line[:3], line[4]) for line in lines]
        template = f"%-{width}s %7s %7s %s\n"
    header = template % heads
    return header + "".join(template % line for line in lines) + header


def _figures(record: ProcessRecord) -> tuple[int | None, int | None, int | None]:
    """PSS, PRIVATE and SHARED of a process; None for what may not be read."""
    if not record.has_memory:
        return 0, 0, 0
    if record.sums is None:
        return None, None, None
    return record.sums.pss_bytes, record.sums.private_bytes, record.sums.shared_bytes


def _total(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _size(size_bytes: int | None, units: str) -> str:
    return UNKNOWN if size_bytes is None else format_size(size_bytes, units)

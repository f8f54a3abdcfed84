"""The running Linux system as a snapshot: what `magmem.capture_linux` does, step by step.

Reading comes first and is as short as it can be: process by process (`magmem.linux.reading`), then
the files of the whole machine. Then everything read becomes tables. How Linux's things stand for
Zircon's:

=================== ============================================================================
table               Linux
=================== ============================================================================
tasks               jobs: control groups, or who started whom (`magmem.linux.jobs`); processes by
                    pid; threads by `THREAD_KOID` plus their tid, as a main thread's tid is its
                    process's pid
aspaces, regions    one address space per process with a root VMAR; every mapping below it
vmos                `magmem.linux.vmos`; copies after a fork: `magmem.linux.forks`
pages, entries      page frames, where they may be read (root): the pages that mappings hold.
                    Of a file on disk only those: what else the page cache holds of it is in the
                    kernel's VMO ``kernel/page-cache``
handles             file descriptors (`magmem.linux.descriptors`)
arenas, kmem        `magmem.linux.kmem`
tasks.reported_*    the kernel's own Rss, Pss, private and shared, and the virtual size
=================== ============================================================================

Swapped pages are no RAM and appear nowhere. Huge pages of the reserved pool count as wired, not
as anybody's, as in the kernel's own Pss. Command lines and environments are never read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from magmem.errors import AccessDenied, NotSupported
from magmem.linux.assembly import assemble
from magmem.linux.procfs import Proc
from magmem.linux.reading import read_system
from magmem.snapshot import Snapshot

__all__ = ["Detail", "Jobs", "capture_linux"]

Detail = Literal["auto", "pages", "mappings", "processes"]
Jobs = Literal["cgroup", "parent"]
Progress = Callable[[int, int], object]


def capture_linux(
    detail: Detail = "auto",
    jobs: Jobs = "cgroup",
    redact: bool = False,
    pids: Iterable[int] | None = None,
    progress: Progress | None = None,
    *,
    proc: Path | Proc = Path("/proc"),
) -> Snapshot:
    """Capture the Linux system that runs now; only reads, and names what it may not read.

    Parameters
    ----------
    detail : {"auto", "pages", "mappings", "processes"}
        How much to read: sums per process only; every mapping, descriptor and thread; or page
        frames too. ``auto``: page frames where they may be read, else mappings.
    jobs : {"cgroup", "parent"}
        What the job tree shows: control groups, or which process started which.
    redact : bool
        Give names and paths neutral names (`magmem.redact`).
    pids : iterable of int, optional
        Only these processes. The snapshot then says that its processes are not complete.
    progress : callable, optional
        Called with how many processes are read and how many there are.
    proc : Path or Proc
        Where the proc file system is mounted, or a copy of one that was saved.

    Returns
    -------
    Snapshot
        Its ``notes`` say what could not be read and why, its ``coverage`` what is complete.

    Raises
    ------
    NotSupported
        There is no such proc file system here.
    AccessDenied
        ``detail="pages"`` without the right to see page frames.
    ValueError
        Another `detail` or choice of `jobs`.
    """
    for value, name, choices in ((detail, "detail", Detail), (jobs, "jobs", Jobs)):
        if value not in choices.__args__:  # type: ignore[attr-defined]
            expected = ", ".join(map(repr, choices.__args__))  # type: ignore[attr-defined]
            raise ValueError(f"expected {name} to be one of {expected}, found {value!r}")
    source = proc if isinstance(proc, Proc) else Proc(proc)
    if not source.has_processes():
        raise NotSupported(f"expected a proc file system at {source.place}, found none")
    began = time.time_ns()
    reading = read_system(
        source, detail, None if pids is None else set(pids), source.page_bytes(), progress
    )
    if detail == "pages" and reading.no_frames:
        raise AccessDenied(f"asked for page frames, but {reading.no_frames}")
    snap = assemble(reading, jobs, began)
    if not redact:
        return snap
    from magmem.linux.redaction import redact as redacted

    return redacted(snap)

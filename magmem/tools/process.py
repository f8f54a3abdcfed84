"""Finding the process a tool is asked about, and failing as the tool fails.

Userspace tools see what lies below the root job and refuse a process that does not run; the
kernel's own commands find every process (reference/tools.md "ps", "vmos KOID").
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from magmem.errors import BadState, KernelError, NotFound, WrongType
from magmem.kernel.tasks import runs
from magmem.kernel.tasktree import PROCESS, TaskTree
from magmem.snapshot import Snapshot

__all__ = ["Era", "kernel_process", "readable_process", "status_words"]

Era = Literal["mx", "zx"]
"""Mid-2017 (`mx`, the guide) or September 2017 (`zx`)."""


def status_words(status: type[KernelError], era: Era) -> str:
    """A status as the tools print it, such as ``ZX_ERR_NOT_FOUND (-25)``.

    Raises
    ------
    ValueError
        An era other than ``mx`` and ``zx``.
    """
    if era not in ("mx", "zx"):
        raise ValueError(f"expected era 'mx' or 'zx', found {era!r}")
    return f"{'ZX_' if era == 'zx' else ''}{status.status} ({status.code})"


def readable_process(snap: Snapshot, koid: int, what: str, era: Era) -> None:
    """Refuse a koid that userspace tools cannot read.

    Parameters
    ----------
    what : str
        What is read of it, as the message names it: ``maps`` or ``vmos``.

    Raises
    ------
    NotFound
        No task below the root job has that koid.
    WrongType
        It is a job or a thread.
    BadState
        The process does not run.
    """
    row = np.flatnonzero(snap.tasks["koid"].to_numpy() == koid)
    tree = TaskTree(snap, snap.root_job_koid)
    error: type[KernelError] | None = None
    if not len(row) or row[0] not in tree.rows:
        error = NotFound
    elif tree.kind[row[0]] != PROCESS:
        error = WrongType
    if error:
        words = status_words(error, era)
        raise error(f"couldn't find process with koid {koid}: {words}")
    if not runs(snap)[row[0]]:
        words = status_words(BadState, era)
        raise BadState(f"couldn't get {what} for process with koid {koid}: {words}")


def kernel_process(snap: Snapshot, koid: int) -> bool:
    """Whether the kernel finds a process of that koid, wherever it is and in whatever state."""
    tasks = snap.tasks
    return bool(((tasks["koid"] == koid) & (tasks["kind"] == "process")).any())

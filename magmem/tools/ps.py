"""``ps``: every task with its PSS, PRIVATE and SHARED bytes.

The numbers are the kernel's sums of magenta-2017 (reference/accounting.md), the layout is
reference/tools.md "ps". Where a capture knows no mappings, what its source printed is shown
instead and the listing says so.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from magmem.listing import Listing
from magmem.snapshot.schema import TEXT
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns
from magmem.tools.missing import as_printed, missing
from magmem.tools.task_sums import task_sums
from magmem.tools.tasktree import JOB, PROCESS, THREAD, TaskTree

__all__ = ["ps"]

_SOURCES = {
    name: pd.Categorical([name], categories=["computed", "reported"])
    for name in ("computed", "reported")
}

STATE_WORDS = {
    "new": "new",
    "running": "running",
    "suspended": "susp",
    "blocked": "blocked",
    "dying": "dying",
    "dead": "dead",
}


def ps(snap: Source, threads: bool = False, jobs: bool = False, units: str = "") -> Listing:
    """Every task below the root job, as ``ps [-T] [-J] [--units=?]`` prints it.

    Parameters
    ----------
    snap : Snapshot or Machine
    threads : bool
        Show the threads of each process and their state (``-T``).
    jobs : bool
        Leave out the processes (``-J``).
    units : str
        Fix the unit of sizes to one of ``BkMGTPE``.

    Returns
    -------
    Listing
        `df` has one row per line: kind (job, process, thread), koid, parent_koid, depth, name,
        state (threads), pss_bytes, private_bytes, shared_bytes (missing for jobs and threads) and
        source (``computed`` from mappings, or ``reported`` as the capture's source printed it).

    Raises
    ------
    MissingData
        The capture knows neither mappings nor a ``ps`` of the processes.
    """
    state = snapshot_of(snap)
    if not len(state.tasks):
        raise missing(state, "ps", "processes", "the job tree and the processes")
    sums = task_sums(state, "ps")
    tree = TaskTree(state, state.root_job_koid)
    kind = tree.kind[tree.rows]
    shown = (kind == JOB) | ((kind == THREAD) & threads) | ((kind == PROCESS) & (not jobs))
    rows = tree.rows[shown]
    tasks = state.tasks.iloc[rows].reset_index(drop=True)
    pss, private, shared = (column.iloc[rows].reset_index(drop=True) for column in sums.columns)
    is_thread = tree.kind[rows] == THREAD
    frame = pd.DataFrame(
        {
            "kind": tasks["kind"],
            "koid": tasks["koid"],
            "parent_koid": tasks["parent_koid"],
            "depth": tree.depth[shown],
            "name": tasks["name"],
            "state": _thread_states(tasks).where(is_thread),
            "pss_bytes": pss,
            "private_bytes": private,
            "shared_bytes": shared,
            "source": _SOURCES[sums.source].take(np.where(is_thread, -1, 0), allow_fill=True),
        }
    )
    text = _text(frame, threads, jobs, units)
    warnings: tuple[str, ...] = ()
    if sums.source == "reported":
        warnings = (as_printed(state, "ps"),)
    return Listing(text, frame, title="ps", warnings=warnings)


def _thread_states(tasks: pd.DataFrame) -> pd.Series[str]:
    """The STATE words of task rows; meaningful for threads, missing where the source is silent.

    A thread that waits on an exception reads ``excp``, whatever else it does; a state the kernel
    has no word for is ``???``.
    """
    words = tasks["state"].astype(object).map(STATE_WORDS).fillna("???")
    port = tasks["exception_port"]
    waits = port.notna() & (port != "none")
    words = words.mask(waits, "excp").mask(tasks["state"].isna() & ~waits, None)
    return words.astype(TEXT)


def _text(frame: pd.DataFrame, threads: bool, jobs: bool, units: str) -> str:
    kind = frame["kind"].cat.codes.to_numpy()
    marks = np.array(["j:", "p:", "t:"], dtype=object)[kind].tolist()
    indents = ["  " * level for level in frame["depth"].tolist()]
    koids = columns.integers(frame["koid"])
    ids = list(map("".join, zip(indents, marks, koids, strict=True)))
    width = max(map(len, ids), default=0)
    fields = {"TASK": ids}
    is_thread = kind == THREAD
    for head, blank in (("PSS", is_thread), ("PRIVATE", is_thread), ("SHARED", kind != PROCESS)):
        texts = columns.sizes(frame[f"{head.lower()}_bytes"], units)
        fields[head] = np.where(blank, "", np.array(texts, dtype=object)).tolist()
    if threads:
        states = np.array(columns.names(frame["state"]), dtype=object)
        fields["STATE"] = np.where(is_thread, states, "").tolist()
    elif jobs:
        del fields["SHARED"]
    template = f"%-{width}s " + "%7s " * (len(fields) - 1) + "%s\n"
    header = template % (*fields, "NAME")
    return header + columns.rows(template, *fields.values(), columns.names(frame["name"])) + header

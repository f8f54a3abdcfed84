"""``ps``: every task with its PSS, PRIVATE and SHARED bytes.

The numbers are the sums of the kernel captured: magenta-2017 (reference/accounting.md), or what
Linux reported. The layout is reference/tools.md "ps". Where a capture knows no mappings, what its
source printed is shown instead and the listing says so. A capture with resident sizes alone (`ps`
before PSS, a report of low memory) is shown as `ps` showed it then, with VIRT and RES.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from magmem.errors import MissingData
from magmem.kernel.missing import as_printed, missing, shares_guessed
from magmem.kernel.system import is_linux
from magmem.kernel.task_sums import TaskSums, task_sums
from magmem.kernel.tasktree import JOB, PROCESS, THREAD, TaskTree
from magmem.listing import Listing
from magmem.snapshot import Snapshot
from magmem.snapshot.frames import TEXT
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns

__all__ = ["ps"]

_SOURCES = {
    name: pd.Categorical([name], categories=["computed", "reported"])
    for name in ("computed", "reported")
}

RESIDENT_ONLY = (
    "ps: this capture knows resident sizes only; they count a shared page in full for every process"
)

STATE_WORDS = {
    "new": "new",
    "running": "running",
    "suspended": "susp",
    "blocked": "blocked",
    "dying": "dying",
    "dead": "dead",
}


def ps(
    snap: Source,
    threads: bool = False,
    jobs: bool = False,
    units: str = "",
    rule: str | None = None,
) -> Listing:
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
    rule : str, optional
        ``magenta-2017`` or ``linux``; by default that of the kernel captured. Linux's own numbers
        are those it reported: each page divided by those that map it.

    Returns
    -------
    Listing
        `df` has one row per line: kind (job, process, thread), koid, parent_koid, depth, name,
        state (threads), pss_bytes, private_bytes, shared_bytes (missing for jobs and threads) and
        source (``computed`` from mappings, or ``reported`` as the capture's source printed it).
        Where only resident sizes are known the first three are missing, and virtual_bytes and
        resident_bytes are there too.

    Raises
    ------
    MissingData
        The capture knows neither mappings nor any size of the processes.
    """
    state = snapshot_of(snap)
    if not len(state.tasks):
        raise missing(state, "ps", "processes", "the job tree and the processes")
    sums = _sums(state, rule or "")
    tree = TaskTree(state, state.root_job_koid)
    kind = tree.kind[tree.rows]
    shown = (kind == JOB) | ((kind == THREAD) & threads) | ((kind == PROCESS) & (not jobs))
    rows = tree.rows[shown]
    tasks = state.tasks.iloc[rows].reset_index(drop=True)
    unknown = pd.Series(pd.NA, index=state.tasks.index, dtype="Int64")
    of_tasks = (unknown,) * 3 if sums is None else sums.columns
    pss, private, shared = (column.iloc[rows].reset_index(drop=True) for column in of_tasks)
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
            "source": _SOURCES["reported" if sums is None else sums.source].take(
                np.where(is_thread, -1, 0), allow_fill=True
            ),
        }
    )
    warnings: tuple[str, ...] = ()
    if sums is None:
        sizes = tasks[["reported_virtual_bytes", "reported_resident_bytes"]]
        frame[["virtual_bytes", "resident_bytes"]] = sizes
        warnings = (RESIDENT_ONLY,)
    elif sums.source == "reported" and is_linux(state):
        if closed := int(state.processes["reported_pss_bytes"].isna().sum()):
            many = "1 process" if closed == 1 else f"{closed} processes"
            warnings = (f"ps: the memory of {many} may not be read and is in no sum",)
    elif sums.source == "reported":
        warnings = (as_printed(state, "ps"),)
    elif guess := shares_guessed(state):
        warnings = (f"ps: {guess}",)
    text = _text(frame, threads, jobs, units)
    return Listing(text, frame, title="ps", warnings=warnings)


def _sums(snap: Snapshot, rule: str) -> TaskSums | None:
    """Sums of every task; None where only resident sizes are known."""
    try:
        return task_sums(snap, "ps", rule)
    except MissingData:
        if snap.processes["reported_resident_bytes"].isna().all():
            raise
        return None


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
    heads = [("PSS", "pss", is_thread), ("PRIVATE", "private", is_thread)]
    heads.append(("SHARED", "shared", kind != PROCESS))
    if "resident_bytes" in frame:
        heads = [("VIRT", "virtual", kind != PROCESS), ("RES", "resident", kind != PROCESS)]
        heads = [head for head in heads if frame[f"{head[1]}_bytes"].notna().any()]
    for head, name, blank in heads:
        texts = columns.sizes(frame[f"{name}_bytes"], units)
        fields[head] = np.where(blank, "", np.array(texts, dtype=object)).tolist()
    if threads:
        states = np.array(columns.names(frame["state"]), dtype=object)
        fields["STATE"] = np.where(is_thread, states, "").tolist()
    elif jobs:
        fields.pop("SHARED", None)
    template = f"%-{width}s " + "%7s " * (len(fields) - 1) + "%s\n"
    header = template % (*fields, "NAME")
    return header + columns.rows(template, *fields.values(), columns.names(frame["name"])) + header

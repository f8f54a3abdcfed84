"""``ps``: every task with its PSS, PRIVATE and SHARED bytes.

The numbers are the kernel's sums of magenta-2017 (reference/accounting.md), the layout is
reference/tools.md "ps". Where a capture knows no mappings, what its source printed is shown
instead and the listing says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.accounting.kernel import KernelView, integers
from magmem.accounting.runs import Ints
from magmem.errors import MissingData
from magmem.listing import Listing
from magmem.snapshot import Snapshot
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns
from magmem.tools.tasktree import JOB, PROCESS, THREAD, TaskTree

__all__ = ["TaskSums", "ps", "task_sums", "thread_states"]

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
        raise MissingData("ps", "tasks", "the job tree and the processes")
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
            "state": thread_states(tasks).where(is_thread),
            "pss_bytes": pss,
            "private_bytes": private,
            "shared_bytes": shared,
            "source": _SOURCES[sums.source].take(np.where(is_thread, -1, 0), allow_fill=True),
        }
    )
    text = _text(frame, threads, jobs, units)
    warnings: tuple[str, ...] = ()
    if sums.source == "reported":
        warnings = ("ps: sizes as the capture's source printed them (it has no mappings)",)
    return Listing(text, frame, title="ps", warnings=warnings)


@dataclass(frozen=True)
class TaskSums:
    """Sums of each task, in the order of the tasks table (Int64; missing: no such number).

    Attributes
    ----------
    pss_bytes, private_bytes, shared_bytes : pandas.Series of Int64
        Jobs have the sums over the processes below them and no SHARED; threads have nothing.
    source : str
        ``computed`` or ``reported``.
    """

    pss_bytes: pd.Series[int]
    private_bytes: pd.Series[int]
    shared_bytes: pd.Series[int]
    source: str

    @property
    def columns(self) -> tuple[pd.Series[int], pd.Series[int], pd.Series[int]]:
        """PSS, PRIVATE and SHARED."""
        return self.pss_bytes, self.private_bytes, self.shared_bytes


def task_sums(snap: Snapshot, tool: str) -> TaskSums:
    """What `ps` and `memgraph` say of every task.

    Raises
    ------
    MissingData
        The capture has neither mappings nor numbers of its source.
    """
    if snap.knows("processes", "mappings", "vmos", "pages"):
        pss, private, shared = _computed(snap)
        known = np.ones(len(snap.tasks), bool)
        tree = TaskTree(snap)
        return TaskSums(
            _column(snap, tree, pss, known),
            _column(snap, tree, private, known),
            _series(shared, tree.kind == PROCESS),
            "computed",
        )
    reported = [snap.tasks[f"reported_{name}_bytes"] for name in ("pss", "private", "shared")]
    if all(column.isna().all() for column in reported):
        raise MissingData(tool, "mappings", "the mappings of every process, or what ps printed")
    tree = TaskTree(snap)
    pss_column, private_column = (
        _column(snap, tree, integers(column), column.notna().to_numpy()) for column in reported[:2]
    )
    shared_column = reported[2].mask(tree.kind != PROCESS)
    return TaskSums(pss_column, private_column, shared_column, "reported")


def thread_states(tasks: pd.DataFrame) -> pd.Series[str]:
    """The STATE words of task rows; meaningful for threads, missing where the source is silent.

    A thread that waits on an exception reads ``excp``, whatever else it does; a state the kernel
    has no word for is ``???``.
    """
    words = tasks["state"].astype(object).map(STATE_WORDS).fillna("???")
    port = tasks["exception_port"]
    waits = port.notna() & (port != "none")
    words = words.mask(waits, "excp").mask(tasks["state"].isna() & ~waits, None)
    return words.astype(tasks["name"].dtype)


def _computed(snap: Snapshot) -> tuple[Ints, Ints, Ints]:
    """PSS, PRIVATE and SHARED of each process row of tasks, 0 where it does not run."""
    sums = KernelView(snap).sums
    koids = snap.tasks["koid"].to_numpy()
    user = np.flatnonzero(snap.aspaces["process_koid"].notna().to_numpy())
    order = np.argsort(koids, kind="stable")
    owner = integers(snap.aspaces["process_koid"])[user]
    row = order[np.searchsorted(koids, owner, sorter=order)] if len(user) else user
    running = (snap.tasks["state"] == "running").to_numpy()[row]
    results = []
    for values in (sums.pss_bytes, sums.private_bytes, sums.shared_bytes):
        column = np.zeros(len(koids), np.int64)
        column[row[running]] = values[user[running]]
        results.append(column)
    return results[0], results[1], results[2]


def _column(
    snap: Snapshot, tree: TaskTree, values: Ints, known: npt.NDArray[np.bool_]
) -> pd.Series[int]:
    """Processes as given; a job as given, else the sum of its processes where all are known."""
    jobs = int((tree.kind == JOB).sum())
    total = tree.totals(np.where(known, values, 0))
    unknown = tree.totals((~known).astype(np.int64))
    computed = snap.knows("processes", "mappings", "vmos", "pages")
    given = known[:jobs] & (not computed)
    result = values.copy()
    result[:jobs] = np.where(given, values[:jobs], total)
    shown = known & (tree.kind == PROCESS)
    shown[:jobs] = given | (unknown == 0)
    return _series(result, shown)


def _series(values: Ints, known: npt.NDArray[np.bool_]) -> pd.Series[int]:
    return pd.Series(pd.arrays.IntegerArray(values.copy(), ~known))


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

"""``k mx ps``, ``k mx jobs`` and ``k mx ht KOID``: the kernel console's view of tasks and handles.

Layout: reference/tools.md "k mx ps | help", "k mx jobs, k mx ht KOID". The kernel starts one level
above the root job and sees every process.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from magmem.errors import MissingData
from magmem.kernel.missing import missing
from magmem.kernel.tasktree import PROCESS, TaskTree
from magmem.listing import Listing
from magmem.snapshot import Snapshot
from magmem.snapshot.columns import integers
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns
from magmem.tools.process import kernel_process

__all__ = ["PS_KEY", "k_ht", "k_jobs", "k_ps"]

COUNTED = {
    "job": "#jb",
    "process": "#pr",
    "thread": "#th",
    "vmo": "#vo",
    "vmar": "#vm",
    "channel": "#ch",
    "event": "#ev",
    "event-pair": "#ev",
    "port": "#po",
    "socket": "#so",
    "timer": "#tm",
    "fifo": "#fi",
}
"""Handle types with a column in `k_ps`; others count only in the total (reference/kernel.md)."""

HEADS = tuple(dict.fromkeys(COUNTED.values()))

PS_KEY = """\
id  : process id number
#h  : total number of handles
#jb : number of job handles
#pr : number of process handles
#th : number of thread handles
#vo : number of vmo handles
#vm : number of virtual memory address region handles
#ch : number of channel handles
#ev : number of event and event pair handles
#po : number of port handles
#so: number of sockets
#tm : number of timers
#fi : number of fifos
"""
"""What ``k mx ps help`` prints."""


def k_ps(snap: Source) -> Listing:
    """Every process with its handles by type, as ``k mx ps`` prints it.

    Parameters
    ----------
    snap : Snapshot or Machine

    Returns
    -------
    Listing
        `df` has one row per process: koid, name, handles (all) and one Int64 column for each of
        ``#jb`` … ``#fi``, missing where the capture tells only the total.

    Raises
    ------
    MissingData
        The capture knows no handles.
    """
    state = snapshot_of(snap)
    tree = TaskTree(state)
    rows = tree.rows[tree.kind[tree.rows] == PROCESS]
    tasks = state.tasks.iloc[rows].reset_index(drop=True)
    counts = _counts(state, tasks["koid"])
    if not state.knows("handles") and counts["handles"].isna().all():
        raise missing(state, "k ps", "handles", "the handles of every process")
    frame = pd.concat([tasks[["koid", "name"]], counts.drop(columns="told")], axis=1)
    header = f"     id  #h:  {' '.join(HEADS)} [name]\n"
    text = columns.rows(
        "%7s%4s: " + " ".join(["%3s"] * len(HEADS)) + " [%s]\n",
        columns.integers(frame["koid"]),
        columns.integers(frame["handles"]),
        *(columns.integers(frame[head]) for head in HEADS),
        columns.names(frame["name"]),
    )
    return Listing(header + text, frame, title="k ps")


def k_jobs(snap: Source) -> Listing:
    """Every job from least to most important, as ``k mx jobs`` prints it.

    Parameters
    ----------
    snap : Snapshot or Machine

    Returns
    -------
    Listing
        `df` has one row per job: koid, name.

    Raises
    ------
    MissingData
        The capture does not know how important the jobs are.
    """
    jobs = snapshot_of(snap).jobs
    ranked = jobs[jobs["importance"].notna().to_numpy()]
    if not len(ranked):
        raise MissingData("k jobs", "job importance", "the order of the jobs by importance")
    ranked = ranked.sort_values("importance", kind="stable")[["koid", "name"]]
    frame = ranked.reset_index(drop=True)
    text = "All jobs from least to most important:\n   koid name\n"
    koids = columns.integers(frame["koid"])
    text += columns.rows("%7s '%s'\n", koids, columns.names(frame["name"]))
    return Listing(text, frame, title="k jobs")


def k_ht(snap: Source, koid: int) -> Listing:
    """The handles of a process, as ``k mx ht KOID`` prints them.

    Parameters
    ----------
    snap : Snapshot or Machine
    koid : int
        Any process, in whatever state.

    Returns
    -------
    Listing
        `df` has one row per handle in the kernel's order: value (Int64), koid (Int64), type. An
        unknown process gives the kernel's message and no rows.

    Raises
    ------
    MissingData
        The capture does not know the handles of the process.
    """
    state = snapshot_of(snap)
    title = f"k ht {koid}"
    if not kernel_process(state, koid):
        return Listing(f"process {koid} not found!\n", pd.DataFrame(), title=title)
    mine = (state.handles["process_koid"] == koid).to_numpy()
    warnings: tuple[str, ...] = ()
    if not _counts(state, pd.Series([koid]))["told"].all():
        if not mine.any():
            raise missing(state, "k ht", "handles", f"the handles of process {koid}")
        warnings = (f"k ht: this capture may know only some handles of process {koid}",)
    frame = state.handles[mine][["value", "koid", "type"]].reset_index(drop=True)
    known = frame["value"].notna().to_numpy()
    values = np.where(known, [f"{value:x}" for value in integers(frame["value"])], columns.UNKNOWN)
    text = f"process [{koid}] handles :\nhandle       koid : type\n" + columns.rows(
        "%9s %7s : %s\n", values, columns.integers(frame["koid"]), columns.names(frame["type"])
    )
    text += f"total: {len(frame)} handles\n"
    return Listing(text, frame, title=title, warnings=warnings)


def _counts(snap: Snapshot, koids: pd.Series[int]) -> pd.DataFrame:
    """Handles of each process: all of them and by column; `told` where every one is known."""
    handles = snap.handles
    order = np.argsort(koids.to_numpy(), kind="stable")
    at = np.searchsorted(koids.to_numpy(), handles["process_koid"].to_numpy(), sorter=order)
    nearest = order[np.minimum(at, len(order) - 1)] if len(order) else at
    listed = koids.to_numpy()[nearest] == handles["process_koid"].to_numpy()
    holder = nearest[listed]
    total = pd.Series(np.bincount(holder, minlength=len(koids)), dtype="Int64")
    by_koid = snap.tasks.set_index("koid")["reported_handles"]
    reported = by_koid.reindex(koids).reset_index(drop=True)
    # A dump of a process's VMO handles alone does not tell how many handles it has.
    told = (reported == total).fillna(False) | snap.knows("handles")
    counts = {"handles": total.where(told, reported), "told": told}
    head = handles["type"].map(COUNTED).to_numpy()[listed]
    for name in HEADS:
        number = np.bincount(holder[head == name], minlength=len(koids))
        counts[name] = pd.Series(number, dtype="Int64").where(told)
    return pd.DataFrame(counts)

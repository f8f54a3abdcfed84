"""PSS, PRIVATE and SHARED of every task, computed or as the capture's source printed them.

Of Linux they are what its kernel reported. Else computed are the kernel's sums of magenta-2017
(reference/accounting.md) where the capture has every mapping and knows what is resident in it; jobs
are the sums of the processes below them, and a process that does not run has nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.kernel.address_space import resident_bytes
from magmem.kernel.mappings import KernelView, ProcessSums, view_of
from magmem.kernel.missing import missing
from magmem.kernel.runs import Ints
from magmem.kernel.system import LINUX, is_linux, rule_of
from magmem.kernel.tasks import runs
from magmem.kernel.tasktree import JOB, PROCESS, TaskTree
from magmem.snapshot import Snapshot
from magmem.snapshot.columns import integers

__all__ = ["TaskSums", "task_sums"]

Bools = npt.NDArray[np.bool_]


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


def task_sums(snap: Snapshot, tool: str, rule: str = "") -> TaskSums:
    """What `ps` and `memgraph` say of every task.

    Parameters
    ----------
    rule : str
        ``magenta-2017`` or ``linux``; empty for that of the kernel captured. Linux's own numbers
        are those it reported.

    Raises
    ------
    MissingData
        The capture has neither the mappings of every process nor numbers of its source.
    """
    tree = TaskTree(snap)
    process = tree.kind == PROCESS
    of_linux = rule_of(snap, rule, tool) == LINUX
    if not of_linux and _computable(snap):
        pss, private, shared = (_job_sums(tree, sums, process) for sums in _computed(snap))
        return TaskSums(pss, private, shared.mask(tree.kind == JOB), "computed")
    told = [snap.tasks[f"reported_{name}_bytes"] for name in ("pss", "private", "shared")]
    if (is_linux(snap) and not of_linux) or all(column.isna().all() for column in told):
        raise missing(snap, tool, "mappings", "the mappings of every process, or what ps printed")
    pss, private = (
        _job_sums(tree, integers(column), column.notna().to_numpy()).where(column.isna(), column)
        for column in told[:2]
    )
    return TaskSums(pss, private, told[2].where(process), "reported")


def _computable(snap: Snapshot) -> bool:
    if not snap.knows("mappings"):
        return False
    if snap.knows("vmos", "pages"):
        return True
    user = (snap.aspaces["kind"] == "user").to_numpy()[snap.regions["aspace"].to_numpy()]
    mapping = (snap.regions["kind"] == "mapping").to_numpy() & user
    linked = snap.regions["vmo"].notna().to_numpy()
    return bool((linked & resident_bytes(snap).notna().to_numpy())[mapping].all())


def _computed(snap: Snapshot) -> list[Ints]:
    """PSS, PRIVATE and SHARED of each process row of tasks, 0 where it does not run."""
    view = view_of(snap)
    sums = view.sums if snap.knows("vmos", "pages") else _dumped_sums(view)
    koids = snap.tasks["koid"].to_numpy()
    user = np.flatnonzero(snap.aspaces["process_koid"].notna().to_numpy())
    order = np.argsort(koids, kind="stable")
    owner = integers(snap.aspaces["process_koid"])[user]
    row = order[np.searchsorted(koids, owner, sorter=order)] if len(user) else user
    running = runs(snap)[row]
    results = []
    for values in (sums.pss_bytes, sums.private_bytes, sums.shared_bytes):
        column = np.zeros(len(koids), np.int64)
        column[row[running]] = values[user[running]]
        results.append(column)
    return results


def _dumped_sums(view: KernelView) -> ProcessSums:
    """The kernel's sums where a dump tells what is resident in a mapping, not which pages."""
    committed = integers(resident_bytes(view.snap))[view.region]
    share = view.shares.counts[view.vmo]

    def total(values: Ints) -> Ints:
        sums = np.zeros(len(view.snap.aspaces), np.int64)
        np.add.at(sums, view.aspace, values)
        return sums

    return ProcessSums(
        mapped_bytes=total(view.size_bytes),
        private_bytes=total(np.where(share == 1, committed, 0)),
        shared_bytes=total(np.where(share == 1, 0, committed)),
        scaled_bytes=total(np.where(share == 1, 0, committed // share)),
    )


def _job_sums(tree: TaskTree, values: Ints, known: Bools) -> pd.Series[int]:
    """Processes as given; jobs the sum of the processes below, where all of those are known."""
    jobs = np.flatnonzero(tree.kind == JOB)
    process = tree.kind == PROCESS
    result = np.where(process & known, values, 0)
    result[jobs] = tree.totals(result)
    shown = process & known
    shown[jobs] = tree.totals((process & ~known).astype(np.int64)) == 0
    return pd.Series(pd.arrays.IntegerArray(result, ~shown))

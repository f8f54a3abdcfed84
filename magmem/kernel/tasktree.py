"""The job tree as the tools walk it: a job, its processes with their threads, its child jobs.

Children come in creation order, which is the order of the tasks table (reference/tools.md "ps").
Only the jobs are walked in Python; processes and threads are sorted as whole columns.
"""

from __future__ import annotations

import numpy as np

from magmem.kernel.runs import Ints
from magmem.snapshot import Snapshot
from magmem.snapshot.columns import integers

__all__ = ["TaskTree"]

JOB, PROCESS, THREAD = 0, 1, 2


class TaskTree:
    """Depth-first order of the tasks below one job, or of all tasks.

    Parameters
    ----------
    snap : Snapshot
        Its tasks table is walked.
    root_job_koid : int or None
        Where to start; None, or a job the table does not have: at every task without a parent,
        which is the super-root where the source tells of it.

    Attributes
    ----------
    rows, depth : int64 arrays of one length
        Rows of the tasks table in walking order, and the depth of each below the start.
    kind : int8 array as long as the tasks table
        0 job, 1 process, 2 thread.
    """

    def __init__(self, snap: Snapshot, root_job_koid: int | None = None) -> None:
        tasks = snap.tasks
        self.kind = tasks["kind"].cat.codes.to_numpy()
        self._parent = _parent_rows(snap)
        jobs = int(np.searchsorted(self.kind, PROCESS))
        start = np.flatnonzero(tasks["koid"].to_numpy()[:jobs] == root_job_koid)
        whole = not len(start)
        if whole:
            start = np.flatnonzero(self._parent[:jobs] < 0)
        self._walk_jobs(jobs, start)
        self._sort(jobs, whole)

    def _walk_jobs(self, jobs: int, start: Ints) -> None:
        """Number the jobs depth-first: rank, depth and subtree end of each (rank -1: not below)."""
        parent = self._parent[:jobs]
        order = np.argsort(parent, kind="stable")
        first = np.searchsorted(parent[order], np.arange(jobs + 1))
        children, bounds = order.tolist(), first.tolist()
        rank, depth, end = [-1] * jobs, [0] * jobs, [0] * jobs
        walked: list[int] = []
        pending = [(row, 0) for row in reversed(start.tolist())]
        while pending:
            row, level = pending.pop()
            if row < 0:
                end[~row] = len(walked)
                continue
            rank[row], depth[row] = len(walked), level
            walked.append(row)
            pending.append((~row, level))
            below = children[bounds[row] : bounds[row + 1]]
            pending.extend((child, level + 1) for child in reversed(below))
        self._rank: Ints = np.array(rank, dtype=np.int64)
        self._job_depth: Ints = np.array(depth, dtype=np.int64)
        self._end: Ints = np.array(end, dtype=np.int64)

    def _sort(self, jobs: int, whole: bool) -> None:
        rows = np.arange(len(self.kind), dtype=np.int64)
        is_thread = self.kind == THREAD
        # A thread whose process the source does not tell has no place in the tree.
        process = np.where(is_thread, self._parent, rows)
        job = np.where(rows < jobs, rows, self._parent[process])
        # A process without a job stands beside the parentless jobs, before them.
        orphan = (job < 0) & (self.kind[process] == PROCESS)
        self.job_rank: Ints = np.where(
            orphan, -1, self._rank[np.maximum(job, 0)] if jobs else -1
        ).astype(np.int64)
        shown = np.where(orphan, whole, self.job_rank >= 0) & ~(is_thread & (self._parent < 0))
        depth = np.where(orphan | (jobs == 0), 0, self._depth_of(job) + (self.kind > JOB))
        depth = depth + (self.kind == THREAD)
        order = np.lexsort((rows, is_thread, np.where(rows < jobs, -1, process), self.job_rank))
        self.rows: Ints = order[shown[order]]
        self.depth: Ints = depth[self.rows].astype(np.int64)

    def _depth_of(self, job: Ints) -> Ints:
        if not len(self._job_depth):
            return np.zeros(len(job), np.int64)
        return np.asarray(self._job_depth[np.maximum(job, 0)], dtype=np.int64)

    def totals(self, values: Ints) -> Ints:
        """Sum over the processes below each job.

        Parameters
        ----------
        values : int64 array as long as the tasks table
            Only the rows of processes are added.

        Returns
        -------
        int64 array, one item per job in table order
        """
        inside = np.flatnonzero((self.kind == PROCESS) & (self.job_rank >= 0))
        below = np.zeros(len(self._rank) + 1, np.int64)
        np.add.at(below, self.job_rank[inside] + 1, values[inside])
        running = np.cumsum(below)
        return np.asarray(
            np.where(self._rank >= 0, running[self._end] - running[np.maximum(self._rank, 0)], 0),
            dtype=np.int64,
        )


def _parent_rows(snap: Snapshot) -> Ints:
    """Row of each task's parent; -1 for none."""
    koids = snap.tasks["koid"].to_numpy()
    parent_koid = integers(snap.tasks["parent_koid"])
    order = np.argsort(koids, kind="stable")
    at = np.searchsorted(koids, parent_koid, sorter=order)
    found = order[np.minimum(at, len(order) - 1)] if len(order) else at
    return np.where(koids[found] == parent_koid, found, -1).astype(np.int64)

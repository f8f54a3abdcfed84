"""Adding tasks and VMOs to a draft of the tree, whole columns at a time.

VMOs of one parent with the same non-empty name become one node ``name[count]`` with the VMOs in it
(reference/tools.md "The treemap of a memgraph"). A VMO with one charge is a leaf; one with several
charges, or with a process named for its charge, has a part for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from magmem.snapshot import Snapshot
from magmem.snapshot.columns import integers
from magmem.treemap.balance import Balance
from magmem.treemap.draft import Draft
from magmem.treemap.numbers import Ints
from magmem.treemap.reported import Reported
from magmem.treemap.rows import GROUPS, HANDLE, NOBODY, PRIVATE, SHARED, Rows
from magmem.treemap.tree import KINDS, NO_KOID

__all__ = ["Nodes"]

_JOB, _PROCESS = KINDS.index("job"), KINDS.index("process")
_MAPPED = 3
"""Groups from this one on hold VMOs that something maps."""


class Nodes:
    """Adds nodes of one snapshot to a draft."""

    def __init__(self, draft: Draft, snap: Snapshot) -> None:
        self._draft, self._snap = draft, snap
        self._names = strings(snap.vmos["name"])
        self._code, _ = pd.factorize(self._names)
        koid = integers(snap.vmos["koid"])
        # A VMO that userspace never had a handle to has koid 0; so has one whose koid is unknown.
        self._koid: Ints = np.where(koid > 0, koid, NO_KOID)

    def add_by_process(self, top: int, balance: Balance, reported: Reported) -> None:
        """Add the job tree, each process with its VMOs or its reported sums; then the rest."""
        node = self._add_tasks(top)
        rows = balance.rows
        parent = node[rows.process]
        plain = Rows(np.full_like(rows.process, NOBODY), *_but_process(rows))
        self._add_vmos(parent, plain, balance)
        for part in reported.parts:
            self._draft.add(
                node[part.rows],
                part.kind,
                part.name,
                tint=part.tint,
                amount_bytes=part.amount_bytes,
            )
        self._add_vmos(self._add_groups(top, balance.group)[balance.group], balance.rest, balance)

    def add_by_vmo(self, top: int, balance: Balance) -> None:
        """Add every VMO, those that no process maps below their group, with its processes in it."""
        rows = balance.rows.plus(balance.rest)
        # A VMO stands in a group of hidden memory only if all of it is hidden.
        group = np.full(len(self._snap.vmos), -1, np.int64)
        group[balance.rest.vmo] = balance.group
        group[balance.rows.vmo[balance.rows.tint == HANDLE]] = 0
        group[balance.rows.vmo[balance.rows.tint != HANDLE]] = -1
        group[group >= _MAPPED] = -1
        at = group[rows.vmo]
        groups = self._add_groups(top, at[at >= 0])
        self._add_vmos(np.where(at >= 0, groups[at], top), rows, balance)

    def _add_groups(self, top: int, used: Ints) -> Ints:
        """One node for each group that is used; nodes by group."""
        groups = np.full(len(GROUPS), -1, np.int64)
        for group in np.unique(used).tolist():
            groups[group] = self._draft.one(top, "memory", GROUPS[group][0])
        return groups

    def _add_tasks(self, top: int) -> Ints:
        """Add jobs and processes; node of each row of tasks (-1: a thread, or the super-root)."""
        tasks = self._snap.tasks
        node = np.full(len(tasks), -1, np.int64)
        kind = tasks["kind"].cat.codes.to_numpy()
        koid = tasks["koid"].to_numpy()
        above = tasks["parent_koid"]
        root = koid == self._snap.root_job_koid
        # The super-root holds the root job and nothing else of size, so it is not drawn.
        superroot = above[root].iloc[0] if root.any() else pd.NA
        shown = (kind < 2) & (koid != (NO_KOID if superroot is pd.NA else superroot))
        rows = np.flatnonzero(shown)
        if not len(rows):
            return node
        order = np.argsort(koid[rows], kind="stable")
        parent_koid = integers(above)[rows]
        at = np.minimum(np.searchsorted(koid[rows], parent_koid, sorter=order), len(rows) - 1)
        found = order[at]
        parent = np.where(koid[rows][found] == parent_koid, self._draft.count + found, top)
        names = strings(tasks["name"].iloc[rows])
        kinds = np.where(kind[rows] == 0, _JOB, _PROCESS)
        node[rows] = self._draft.add(parent, kinds, names, koid=koid[rows])
        return node

    def _add_vmos(self, parent: Ints, rows: Rows, balance: Balance) -> None:
        """Add the VMOs of rows below their parents."""
        if not len(rows):
            return
        order = np.lexsort((rows.process, rows.vmo, parent))
        parent, rows = parent[order], rows.only(order)
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (parent[1:] != parent[:-1]) | (rows.vmo[1:] != rows.vmo[:-1])
        vmo_of_row = np.cumsum(new) - 1
        leaf = (np.bincount(vmo_of_row)[vmo_of_row] == 1) & (rows.process == NOBODY)
        holder = self._holders(parent[new], rows.vmo[new])[vmo_of_row]
        marked = balance.marked[rows.vmo]
        self._draft.add(
            holder[leaf],
            "vmo",
            self._names[rows.vmo[leaf]],
            tint=rows.tint[leaf],
            koid=self._koid[rows.vmo[leaf]],
            vmo=rows.vmo[leaf],
            amount_bytes=rows.amount_bytes[leaf],
            divisor=rows.divisor[leaf],
            marked=marked[leaf],
        )
        split = new & ~leaf
        whole = np.full(len(rows), -1, np.int64)
        vmo = rows.vmo[split]
        whole[split] = self._draft.add(
            holder[split], "vmo", self._names[vmo], koid=self._koid[vmo], vmo=vmo
        )
        self._add_parts(np.maximum.accumulate(whole)[~leaf], rows.only(~leaf), marked[~leaf])

    def _holders(self, parent: Ints, vmo: Ints) -> Ints:
        """The node each VMO stands in: its parent, or a new node for several VMOs of one name."""
        key = parent * (len(self._names) + 1) + self._code[vmo]
        _, first, inverse, count = np.unique(
            key, return_index=True, return_inverse=True, return_counts=True
        )
        several = (count > 1) & (self._names[vmo[first]] != "")
        holder = np.full(len(first), -1, np.int64)
        holder[several] = self._draft.add(
            parent[first[several]], "vmos", self._names[vmo[first[several]]]
        )
        return np.where(several[inverse], holder[inverse], parent)

    def _add_parts(self, whole: Ints, rows: Rows, marked: Any) -> None:
        """Add the parts of VMOs: by process where one is named, else by how they are shared."""
        tasks = self._snap.tasks
        named = rows.process != NOBODY
        self._draft.add(
            whole[named],
            "process",
            strings(tasks["name"].iloc[rows.process[named]]),
            tint=rows.tint[named],
            koid=tasks["koid"].to_numpy()[rows.process[named]],
            amount_bytes=rows.amount_bytes[named],
            divisor=rows.divisor[named],
            marked=marked[named],
        )
        self._draft.add(
            whole[~named],
            "part",
            _part_names(rows.only(~named)),
            tint=rows.tint[~named],
            amount_bytes=rows.amount_bytes[~named],
            divisor=rows.divisor[~named],
            marked=marked[~named],
        )


def _but_process(rows: Rows) -> tuple[Any, ...]:
    return rows.vmo, rows.amount_bytes, rows.divisor, rows.tint


def _part_names(rows: Rows) -> Any:
    """What a part without a process is: private, shared by so many, or nobody's."""
    words = [
        "private" if tint == PRIVATE else f"shared by {divisor}" if tint == SHARED else "the rest"
        for tint, divisor in zip(rows.tint.tolist(), rows.divisor.tolist(), strict=True)
    ]
    return np.array(words, dtype=object)


def strings(column: Any) -> Any:
    """A text column as an object array of str, empty where it is missing."""
    return column.fillna("").to_numpy(dtype=object)

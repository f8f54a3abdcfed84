"""Processes and jobs that a capture knows only by the sums some tool printed for them.

A process of a ``ps`` transcript has two parts, Private and Proportional shared; one of an older
``ps`` or an out-of-memory report only its resident bytes. A job whose printed sum exceeds what is
listed below it has the rest as one unknown part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from magmem.snapshot.columns import integers
from magmem.treemap.facts import Facts
from magmem.treemap.numbers import Ints
from magmem.treemap.rows import Charges

__all__ = ["Part", "Reported"]


@dataclass(frozen=True, eq=False)
class Part:
    """One part of several tasks: rows of tasks, and bytes for each."""

    name: str
    tint: str
    rows: Ints
    amount_bytes: Ints
    kind: str = "part"


@dataclass(frozen=True, eq=False)
class Reported:
    """What is drawn for tasks without VMO detail.

    Attributes
    ----------
    rows : int64 array
        Rows of tasks: processes drawn by reported sums.
    parts : tuple of Part
    unsized : int
        Running processes without any size.
    partial : int
        Processes drawn by their VMOs although the capture does not size all of them.
    """

    rows: Ints
    parts: tuple[Part, ...]
    unsized: int
    partial: int

    @classmethod
    def beside(cls, facts: Facts, charges: Charges) -> Reported:
        """Reported sums of the processes that `charges` does not cover in full."""
        tasks = facts.snap.tasks
        covered = np.zeros(len(tasks), dtype=bool)
        covered[charges.rows.process] = True
        covered[charges.unsized] = False
        if facts.snap.knows("mappings"):
            covered |= ~np.isin(np.arange(len(tasks)), charges.unsized)
        open_ = facts.running & ~covered
        pss = open_ & tasks["reported_pss_bytes"].notna().to_numpy()
        resident_bytes, resident_known = _resident(facts)
        resident = open_ & ~pss & resident_known
        split = pss & tasks["reported_private_bytes"].notna().to_numpy()
        total = integers(tasks["reported_pss_bytes"])
        private = np.minimum(integers(tasks["reported_private_bytes"]), total)
        parts = [
            Part("Private", "private", *_at(split, private)),
            Part("Proportional shared", "shared", *_at(split, total - private)),
            Part("PSS", "other", *_at(pss & ~split, total)),
            Part("Resident", "other", *_at(resident, resident_bytes)),
        ]
        if not len(charges.rows):
            parts.append(_not_listed(facts, np.where(pss, total, 0)))
        charged = np.zeros(len(tasks), dtype=bool)
        charged[charges.rows.process] = True
        return cls(
            rows=np.flatnonzero(pss | resident),
            parts=tuple(part for part in parts if len(part.rows)),
            unsized=int((open_ & ~pss & ~resident & ~charged).sum()),
            partial=int((open_ & ~pss & ~resident & charged).sum()),
        )

    def remarks(self) -> list[str]:
        """Sentences that say what kind of sizes these are."""
        said = []
        names = {part.name for part in self.parts}
        if "Private" in names or "PSS" in names:
            said.append("Processes without VMO detail are drawn by the PSS reported for them.")
        if "Resident" in names:
            said.append(
                "Resident sizes count a shared page in full for every process that maps it."
            )
        if self.unsized:
            said.append(f"Not in this capture: any size of {_processes(self.unsized)}.")
        if self.partial:
            said.append(f"Not in this capture: some VMO sizes of {_processes(self.partial)}.")
        if "not listed" in names:
            said.append("Jobs have more than the processes listed below them: not listed.")
        return said


def _resident(facts: Facts) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Resident bytes of each task: as reported, else the sum over its mappings; and where known."""
    told = facts.snap.tasks["reported_resident_bytes"]
    regions = facts.snap.regions[(facts.snap.regions["kind"] == "mapping").to_numpy()]
    mapper = facts.process_of_aspace[regions["aspace"].to_numpy()]
    mapped = regions["reported_resident_bytes"][mapper >= 0]
    mapper = mapper[mapper >= 0]
    summed = np.zeros(len(told), np.int64)
    np.add.at(summed, mapper, integers(mapped))
    known = np.zeros(len(told), dtype=bool)
    known[mapper] = True
    known[mapper[mapped.isna().to_numpy()]] = False
    known |= told.notna().to_numpy()
    return np.where(told.notna(), integers(told), summed), known


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count:,} processes"


def _at(chosen: npt.NDArray[np.bool_], amount: Ints) -> tuple[Ints, Ints]:
    rows = np.flatnonzero(chosen)
    return rows, amount[rows]


def _not_listed(facts: Facts, listed: Ints) -> Part:
    """What jobs report beyond their processes and child jobs, where rounding cannot explain it."""
    tasks = facts.snap.tasks
    parent = {
        row: above
        for row, above in enumerate(_parent_rows(facts).tolist())
        if above >= 0 and tasks["kind"].iat[row] != "thread"
    }
    reported = tasks["reported_pss_bytes"]
    told = reported.notna().to_numpy()
    drawn, slack = listed.astype(object), np.zeros(len(tasks))
    rest: dict[int, int] = {}
    for row in _deepest_first(parent, len(tasks)):
        own = int(reported.iat[row]) if told[row] else 0
        slack[row] += _half_step(own)
        if told[row] and tasks["kind"].iat[row] == "job" and own - drawn[row] > slack[row]:
            rest[row] = own - int(drawn[row])
            drawn[row] = own
        if row in parent:
            drawn[parent[row]] += drawn[row]
            slack[parent[row]] += slack[row]
    rows = np.array(sorted(rest), dtype=np.int64)
    amounts = np.array([rest[row] for row in rows.tolist()], dtype=np.int64)
    return Part("not listed", "other", rows, amounts, kind="unknown")


def _parent_rows(facts: Facts) -> Ints:
    above = facts.snap.tasks["parent_koid"]
    known = above.notna().to_numpy()
    rows = np.full(len(above), -1, np.int64)
    rows[known] = facts.task_rows(integers(above)[known])
    return rows


def _deepest_first(parent: dict[int, int], count: int) -> list[int]:
    depth: dict[int, int] = {}
    for row in range(count):
        path = [row]
        while path[-1] not in depth and path[-1] in parent:
            path.append(parent[path[-1]])
        start = depth.setdefault(path[-1], 0)
        for steps, each in enumerate(reversed(path)):
            depth.setdefault(each, start + steps)
    return sorted(range(count), key=lambda row: -depth[row])


def _half_step(size_bytes: int) -> float:
    """Half of the last digit of a size printed with one decimal."""
    unit = 1
    while size_bytes // unit >= 10000:
        unit *= 1024
    return unit / 20

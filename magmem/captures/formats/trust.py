"""Which dump's figures are shown where several of one text tell of the same process or machine.

Sections of a report and commands of a session are minutes apart, so their figures differ without
contradiction. Each process has all its figures from the dump that counts best; the order is that
of the kernel's exact counts, then of tools that add them up, then of rough counters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from magmem.captures.reading.session import Session
from magmem.captures.reconcile.loose import Bundle, Loose

__all__ = ["trusted"]

PROCESSES = (
    ("smaps",),
    ("showmap", "smaps_rollup"),
    ("procrank", "smem"),
    ("dumpsys meminfo PACKAGE",),
    ("dumpsys meminfo", "dumpsys meminfo -c"),
    ("proc status",),
    ("linux ps",),
    ("out-of-memory report of Linux",),
    ("librank",),
)
MACHINE = (
    ("meminfo",),
    ("free",),
    ("procrank",),
    ("dumpsys meminfo", "dumpsys meminfo -c"),
    ("linux ps",),
)


def trusted(bundles: Sequence[Bundle], session: Session) -> list[Bundle]:
    """The bundles with the rows of each process, and of the machine, from one kind of dump."""
    dumps = [origin.dump for origin in session.origins]
    of_processes = {name: at for at, names in enumerate(PROCESSES) for name in names}
    of_machine = {name: at for at, names in enumerate(MACHINE) for name in names}
    if len({of_processes.get(dump) for dump in dumps} - {None}) < 2 and (
        len({of_machine.get(dump) for dump in dumps} - {None}) < 2
    ):
        return list(bundles)
    rank = np.array([of_processes.get(dump, -1) for dump in dumps], np.int64)
    best: dict[int, int] = {}
    names: dict[int, tuple[int, str]] = {}
    for tasks in (bundle["tasks"] for bundle in bundles if "tasks" in bundle):
        ranks = rank[tasks.origin].tolist()
        texts, known = tasks.column("name")
        for at, koid in enumerate(tasks.column("koid")[0].tolist()):
            best[koid] = min(ranks[at], best.get(koid, 1 << 20))
            if known[at] and ranks[at] >= 0:
                names[koid] = min((ranks[at], str(texts[at])), names.get(koid, (1 << 20, "")))
    machine = np.array([of_machine.get(dump, -1) for dump in dumps], np.int64)
    told = [bundle["kmem"].origin for bundle in bundles if len(bundle.get("kmem", ()))]
    first = min((int(machine[rows].min()) for rows in told), default=0)
    kept: list[Bundle] = []
    left = 0
    for bundle in bundles:
        bundle = dict(bundle)  # noqa: PLW2901
        if "tasks" in bundle:
            rows = bundle["tasks"]
            koids = rows.column("koid")[0].tolist()
            ranks = rank[rows.origin].tolist()
            keep = np.array([best[koid] == ranks[at] for at, koid in enumerate(koids)], bool)
            left += int((~keep).sum())
            bundle["tasks"] = _named(_only(rows, keep), names)
        if "kmem" in bundle:
            bundle["kmem"] = _only(bundle["kmem"], machine[bundle["kmem"].origin] == first)
        kept.append({name: rows for name, rows in bundle.items() if len(rows)})
    if left:
        message = f"{left} rows about processes that a better source tells of are passed over"
        session.note("remark", 1, f"{message}: sections are not of one moment")
    return kept


def _only(rows: Loose, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Loose:
    columns = {name: (values[keep], known[keep]) for name, (values, known) in rows.columns.items()}
    slack = {name: values[keep] for name, values in rows.slack.items()}
    return Loose(rows.origin[keep], rows.line[keep], columns, slack)


def _named(rows: Loose, names: dict[int, tuple[int, str]]) -> Loose:
    """Processes without a name get it from the next source that has one."""
    koids = rows.column("koid")[0].tolist()
    texts, known = rows.column("name")
    values = texts.astype(object)
    mask = known.copy()
    for at, koid in enumerate(koids):
        if not mask[at] and koid in names:
            values[at], mask[at] = names[koid][1], True
    values[~mask] = None
    return dataclasses.replace(rows, columns={**rows.columns, "name": (values, mask)})

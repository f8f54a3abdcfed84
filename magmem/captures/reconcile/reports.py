"""Kernel memory statistics from several origins: the same report told twice is one.

Two origins tell the same report if their times do not differ (to the millisecond that `kstats`
prints; a time may be missing) and no size differs by more than its rounding. Reports of one origin
stay apart, in its order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from magmem.captures.reconcile.loose import Bools, Ints, Loose, Values
from magmem.captures.reconcile.settle import Contradictions, Settler

__all__ = ["settle_reports"]

MILLISECONDS = len("2017-06-07T05:51:08.021")


def settle_reports(rows: Loose, contradictions: Contradictions) -> dict[str, Values]:
    """The kmem table's columns, one row a report, the origins' reports one after the other."""
    group, groups = _group(rows)
    settler = Settler(
        "kmem", rows, (group, groups), lambda report: f"report {report}", contradictions
    )
    columns = {name: settler.column(name) for name in rows.columns if name != "timestamp"}
    stamps = rows.column("timestamp")[0]
    columns["timestamp"] = settler.column(
        "timestamp", agree=_same_time, weight=np.array([-len(str(stamp)) for stamp in stamps])
    )
    return columns


def _same_time(some: npt.NDArray[Any], other: npt.NDArray[Any]) -> Bools:
    pairs = zip(some, other, strict=True)
    return np.array([a[:MILLISECONDS] == b[:MILLISECONDS] for a, b in pairs], dtype=bool)


def _group(rows: Loose) -> tuple[Ints, int]:
    stamps, stamped = rows.column("timestamp")
    fits = _comparison(rows)
    group = np.zeros(len(rows), np.int64)
    first: list[int] = []  # of each report: the row that told it first
    told_by: list[int] = []  # and the origin that told it last
    at_time: dict[str, int] = {}
    for row in np.argsort(rows.origin, kind="stable").tolist():
        origin = int(rows.origin[row])
        time = stamps[row][:MILLISECONDS] if stamped[row] else ""
        # A report without a time can only be the state of the machine, which is the last one.
        report = at_time.get(time, len(first) - 1) if time else len(first) - 1
        timeless = not time or (report >= 0 and not stamped[first[report]])
        if (
            report >= 0
            and told_by[report] != origin
            and (timeless or time in at_time)
            and fits(row, first[report])
        ):
            told_by[report] = origin
        else:
            report = len(first)
            first.append(row)
            told_by.append(origin)
        if time:
            at_time[time] = report
        group[row] = report
    return group, len(first)


def _comparison(rows: Loose) -> Callable[[int, int], bool]:
    sizes = [
        (values, known, rows.slack.get(name, np.zeros(len(rows), np.int64)))
        for name, (values, known) in rows.columns.items()
        if name != "timestamp"
    ]

    def fits(row: int, other: int) -> bool:
        shared = [
            abs(int(values[row]) - int(values[other])) <= int(slack[row] + slack[other])
            for values, known, slack in sizes
            if known[row] and known[other]
        ]
        return bool(shared) and all(shared)

    return fits

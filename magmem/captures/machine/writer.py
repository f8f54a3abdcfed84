"""A snapshot as a machine description.

What the description can tell is told the way reference/machine-format.md says; every table that
would not come back equal, and what the snapshot does not know, goes into the optional fields
``tables`` and ``coverage`` (docs/machine-format.md). A snapshot that is no whole machine, such as
one read from a transcript, is written as tables alone.
"""

from __future__ import annotations

import json
from typing import Any

from magmem.captures.collector import collector_off
from magmem.captures.machine.format import FORMAT
from magmem.captures.machine.reader import parse_machine
from magmem.captures.machine.records import Untold, describe
from magmem.captures.machine.tables import table_records
from magmem.errors import CaptureError
from magmem.snapshot import Snapshot

__all__ = ["dump_machine"]

_JSON = json.JSONEncoder(ensure_ascii=False).encode


def dump_machine(snap: Snapshot) -> str:
    """The text of a machine description that reads back equal to `snap`.

    Returns
    -------
    str
        JSON, one record per line.
    """
    with collector_off():
        return _dump(snap)


def _dump(snap: Snapshot) -> str:
    head = [_field(key, value) for key, value in _head(snap).items()]
    try:
        described = [_field(key, value) for key, value in describe(snap).items()]
        back = parse_machine(_text([*head, *described]), "snapshot")
    except (Untold, CaptureError, RecursionError):
        described, back = [], None
    tables: dict[str, list[str]] = {}
    for name, frame in snap.tables().items():
        told = back is not None and frame.equals(back.tables()[name])
        # Without a sources table the reader would add its own row.
        if not told and (back is not None or len(frame) or name == "sources"):
            tables[name] = table_records(name, frame)
    known = dict.fromkeys(snap.coverage, "absent") if back is None else back.coverage
    coverage = {facet: state for facet, state in snap.coverage.items() if state != known[facet]}
    rest = [_field("coverage", coverage)] if coverage else []
    if tables:
        inner = [f'"{name}": {_rows(rows, "  ")}' for name, rows in tables.items()]
        rest.append('"tables": {\n  ' + ",\n  ".join(inner) + "\n }")
    return _text([*head, *described, *rest])


def _head(snap: Snapshot) -> dict[str, Any]:
    head: dict[str, Any] = {"format": FORMAT, "name": snap.name, "page_size": snap.page_bytes}
    stamp: dict[str, Any] = {}
    if snap.timestamp is not None:
        stamp["seconds"], stamp["nanoseconds"] = snap.timestamp
    if snap.timestamp_iso:
        stamp["iso"] = snap.timestamp_iso
    if stamp:
        head["timestamp"] = stamp
    head["memgraph_self_koid"] = snap.memgraph_self_koid
    head["root_job_koid"] = snap.root_job_koid
    return head


def _text(fields: list[str]) -> str:
    return "{\n " + ",\n ".join(fields) + "\n}\n"


def _field(key: str, value: Any) -> str:
    """A field of the description; an array of records has one on each line."""
    if isinstance(value, list) and key != "jobs_by_importance":
        return f'"{key}": {_rows(list(map(_JSON, value)), " ")}'
    return f'"{key}": {_JSON(value)}'


def _rows(records: list[str], indent: str) -> str:
    if not records:
        return "[]"
    return f"[\n{indent} " + f",\n{indent} ".join(records) + f"\n{indent}]"

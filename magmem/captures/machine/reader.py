"""Reading a machine description into a snapshot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from magmem.captures.collector import collector_off
from magmem.captures.columns import check_choices
from magmem.captures.json_text import Note, broken_json, decode, shorten
from magmem.captures.machine.description import coverage_of, tables_of
from magmem.captures.machine.format import DUMP, FORMAT, Machine
from magmem.captures.machine.index import MachineIndex
from magmem.captures.machine.tables import given_tables
from magmem.errors import CaptureError, SnapshotError
from magmem.snapshot import FACETS, PAGE_BYTES, TABLES, Coverage, Snapshot, Table

__all__ = ["parse_machine"]

_ROW = re.compile(r"row ([0-9]+)")


class _Head(msgspec.Struct):
    format: Any = None


def parse_machine(data: bytes | str, source: str) -> Snapshot:
    """A snapshot of a machine description.

    Parameters
    ----------
    data : bytes or str
        The JSON text.
    source : str
        Its name in errors and notes.

    Raises
    ------
    CaptureError
        Not a description of version 1, or a record breaks a rule; names the record.
    """
    data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    _check_format(data, source)
    with collector_off():
        return _parse(data, source)


def _parse(data: bytes, source: str) -> Snapshot:
    machine, notes = decode(data, Machine, source)
    index = MachineIndex(machine, source)
    given = {} if machine.tables is None else given_tables(machine.tables, source)
    tables: dict[str, Table] = {}
    coverage: dict[str, Coverage] = {}
    parts = (machine.jobs, machine.vmos, machine.processes)
    if machine.tables is None or any(part is not None for part in parts):
        for field in ("jobs", "vmos", "processes", "root_job_koid"):
            if getattr(machine, field) is None:
                raise CaptureError(source, "", f"field {field!r}", "none")
        if machine.page_size != PAGE_BYTES:
            raise CaptureError(source, "page_size", str(PAGE_BYTES), str(machine.page_size))
        tables = tables_of(index)
        coverage = coverage_of(index)
    tables["sources"] = _source(machine, tables)
    tables.update(given)
    tables["notes"] = _notes(tables.get("notes"), notes)
    coverage.update(_coverage(machine.coverage or {}, source))
    return _snapshot(machine, index, tables, coverage, given)


def _check_format(data: bytes, source: str) -> None:
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken_json(error, data, source) from None
    if head.format != FORMAT:
        raise CaptureError(source, "format", f"{FORMAT!r}", shorten(head.format))


def _snapshot(
    machine: Machine,
    index: MachineIndex,
    tables: Mapping[str, Table],
    coverage: Mapping[str, Coverage],
    given: Mapping[str, Table],
) -> Snapshot:
    stamp = machine.timestamp
    timestamp = None
    if stamp is not None and stamp.seconds is not None:
        timestamp = (stamp.seconds, stamp.nanoseconds or 0)
    try:
        return Snapshot.of(
            tables,
            name=machine.name,
            root_job_koid=machine.root_job_koid,
            memgraph_self_koid=machine.memgraph_self_koid,
            timestamp=timestamp,
            timestamp_iso=(stamp.iso or "") if stamp is not None else "",
            coverage=coverage,
            page_bytes=machine.page_size,
        )
    except SnapshotError as error:
        row = _ROW.fullmatch(error.place)
        place = f"tables.{error.table}" if error.table in given else error.table
        if row is not None and error.table in given:
            place = f"{place}[{row.group(1)}]"
        elif row is not None:
            place = index.place(error.table, int(row.group(1)))
        raise CaptureError(index.source, place, error.expected, error.found) from None


def _source(machine: Machine, tables: Mapping[str, Table]) -> Table:
    """Where the rows come from: the machine's own name, which a copy of the file keeps."""
    filled = [name for name in TABLES if name in tables and len(tables[name])]
    return Table.of(
        TABLES["sources"],
        {
            "source": [machine.name or DUMP],
            "dump": [DUMP],
            "tables": [" ".join(filled)],
            "rounded": [False],
        },
    )


def _notes(given: Table | None, notes: Sequence[Note]) -> Table:
    table = Table.of(
        TABLES["notes"],
        {
            key: [note[at] for note in notes]
            for at, key in enumerate(("kind", "source", "place", "message"))
        }
        if notes
        else {},
    )
    if given is None or not notes:
        return table if given is None else given
    return Table.concat([given, table])


def _coverage(states: Mapping[str, str], source: str) -> dict[str, Coverage]:
    facets = list(states)
    place = "coverage.{}".format
    for facet in facets:
        if facet not in FACETS:
            expected = f"one of the facets {', '.join(FACETS)}"
            raise CaptureError(source, "coverage", expected, shorten(facet))
    values: list[Any] = [states[facet] for facet in facets]
    check_choices(
        values,
        ("complete", "partial", "absent"),
        source,
        lambda at: place(facets[at]),
        "state",
    )
    return dict(zip(facets, values, strict=True))

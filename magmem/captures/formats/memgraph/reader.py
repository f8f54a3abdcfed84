"""Memgraph JSON into a snapshot.

The records tell tasks and their reported sizes, the kernel's statistics, and with ``-v`` the VMOs
that each process holds or maps (reference/tools.md "memgraph"). Page runs, addresses and VMOs that
no process reaches stay unknown.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from magmem.captures.collector import collector_off
from magmem.captures.columns import integers, texts
from magmem.captures.formats.memgraph.records import ABSENT, Record, Records, split_records
from magmem.captures.formats.memgraph.repair import escape_names
from magmem.captures.formats.memgraph.vmos import VmoColumns
from magmem.captures.json_text import Note, broken_json, shorten
from magmem.errors import CaptureError, SnapshotError
from magmem.snapshot import TABLES, Coverage, Snapshot, Table

__all__ = ["parse_memgraph"]

KERNEL = {
    "kernel/physmem": "total_bytes",
    "kernel/free": "free_bytes",
    "kernel/wired": "wired_bytes",
    "kernel/heap": "total_heap_bytes",
    "kernel/heap/free": "free_heap_bytes",
    "kernel/vmo": "vmo_bytes",
    "kernel/mmu": "mmu_overhead_bytes",
    "kernel/other": "other_bytes",
}
"""Id of a kernel record to column of the kmem table."""

STATES = {
    name.upper(): name for name in ("new", "running", "suspended", "blocked", "dying", "dead")
}

_PARENT = re.compile(r"([jp])/([0-9]{1,19})").fullmatch
_ROW = re.compile(r"row ([0-9]+)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z").fullmatch
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse_memgraph(data: bytes | str, source: str) -> Snapshot:
    """A snapshot of memgraph's JSON.

    Names that the old tool did not escape are repaired where that is unambiguous, with a note.

    Parameters
    ----------
    data : bytes or str
        The JSON array.
    source : str
        Its name in errors, tables and notes.

    Raises
    ------
    CaptureError
        Not memgraph's records, or one that cannot be read; names line or record.
    """
    data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    notes: list[Note] = []
    with collector_off():
        try:
            parts = _collect(split_records(data, source))
        except _BROKEN as error:
            mended, notes = _mend(data, source)
            if not notes:
                raise broken_json(error, data, source) from None
            try:
                parts = _collect(split_records(mended, source))
            except _BROKEN as again:
                raise broken_json(again, mended, source) from None
        return parts.snapshot(notes)


def _mend(data: bytes, source: str) -> tuple[bytes, list[Note]]:
    text = data.decode("utf-8", "replace")
    notes: list[Note] = []
    broken = text.count("\ufffd") - data.count("\ufffd".encode())
    if broken:
        at = f"line {text.count(chr(10), 0, text.index(chr(0xFFFD))) + 1}"
        message = f"{broken} bytes are no UTF-8; each reads as \ufffd"
        notes.append(("repaired", source, at, message))
    text, more = escape_names(text, source)
    return text.encode(), notes + more


@dataclass
class _Parts:
    """What the records told, collected."""

    records: Records
    tasks: dict[str, list[tuple[int, Record]]] = field(
        default_factory=lambda: {"j": [], "p": [], "t": []}
    )
    kernel: dict[str, int] = field(default_factory=dict)
    timestamp: str = ""
    with_vmos: bool = False
    vmos: VmoColumns = field(init=False)

    def __post_init__(self) -> None:
        self.vmos = VmoColumns(self.records.source)

    @property
    def source(self) -> str:
        """The capture's name."""
        return self.records.source

    def snapshot(self, notes: Sequence[Note]) -> Snapshot:
        """The tables; raises `CaptureError` where the records contradict each other."""
        rows = [*self.tasks["j"], *self.tasks["p"], *self.tasks["t"]]
        tables = {"tasks": self._tasks(rows)}
        if self.kernel:
            kmem: dict[str, list[Any]] = {
                column: [self.kernel.get(name)] for name, column in KERNEL.items()
            }
            kmem["timestamp"] = [self.timestamp or None]
            tables["kmem"] = Table.of(TABLES["kmem"], kmem)
        if self.with_vmos:
            tables["vmos"] = self.vmos.vmos()
            tables.update(self.vmos.tables())
        stamp, stamp_notes = self._time()
        every = [*notes, *self.vmos.notes(), *self._skipped(), *self._sums(), *stamp_notes]
        tables["notes"] = _notes(every)
        tables["sources"] = Table.of(
            TABLES["sources"],
            {
                "source": [self.source],
                "dump": ["memgraph"],
                "tables": [" ".join(name for name in TABLES if len(tables.get(name, ())))],
                "rounded": [False],
            },
        )
        top = [record.koid for _, record in self.tasks["j"] if record.parent == "kernel/vmo"]
        try:
            return Snapshot.of(
                tables,
                root_job_koid=top[0] if len(top) == 1 else None,
                timestamp=stamp,
                timestamp_iso=self.timestamp,
                coverage=self._coverage(),
            )
        except SnapshotError as error:
            raise self._located(error, rows) from None

    def _tasks(self, rows: Sequence[tuple[int, Record]]) -> Table:
        records = [record for _, record in rows]
        states = [STATES.get(record.state) for record in records]
        kinds = {"j": "job", "p": "process", "t": "thread"}
        return Table.of(
            TABLES["tasks"],
            {
                "koid": [record.koid for record in records],
                "kind": [kinds[record.type] for record in records],
                "parent_koid": integers([self._parent(at, record) for at, record in rows]),
                "name": texts([record.name for record in records]),
                "state": [
                    "unknown" if record.state not in ("", "EXCEPTION") and state is None else state
                    for record, state in zip(records, states, strict=True)
                ],
                # Where a thread waits on an exception, the record tells neither state nor port.
                "exception_port": [
                    None
                    if not record.state
                    else "unknown"
                    if record.state == "EXCEPTION"
                    else "none"
                    for record in records
                ],
                "reported_pss_bytes": _known([record.pss_bytes for record in records]),
                "reported_private_bytes": _known([record.private_bytes for record in records]),
                "reported_shared_bytes": _known([record.shared_bytes for record in records]),
            },
        )

    def _parent(self, at: int, record: Record) -> int | None:
        if record.type == "j" and record.parent in ("kernel/vmo", ""):
            return None
        match = _PARENT(record.parent)
        if match is None or (match.group(1) == "p") != (record.type == "t"):
            what = "process such as p/1043" if record.type == "t" else "job such as j/1028"
            expected = f"the id of a {what} as parent"
            place = self.records.place(at)
            raise CaptureError(self.source, place, expected, shorten(record.parent))
        return int(match.group(2))

    def _coverage(self) -> dict[str, Coverage]:
        vmos: Coverage = "partial" if self.with_vmos else "absent"
        whole = all(name in self.kernel for name in KERNEL)
        return {
            "jobs": "complete" if self.tasks["j"] else "absent",
            "processes": "complete" if self.tasks["p"] else "absent",
            "threads": "complete" if self.tasks["t"] else "absent",
            "vmos": vmos,
            "mappings": vmos,
            "handles": vmos,
            "kmem": "complete" if whole else "partial" if self.kernel else "absent",
        }

    def _skipped(self) -> list[Note]:
        if not self.records.skipped:
            return []
        message = f"{self.records.skipped} records of unknown type are skipped"
        return [("skipped", self.source, "", message)]

    def _sums(self) -> list[Note]:
        heap, free = self.kernel.get("kernel/heap"), self.kernel.get("kernel/heap/free")
        allocated = self.kernel.get("kernel/heap/allocated")
        if heap is None or free is None or allocated is None or allocated + free == heap:
            return []
        message = f"heap is {heap}, but allocated {allocated} and free {free} do not sum to it"
        return [("contradiction", self.source, "kernel/heap", message)]

    def _time(self) -> tuple[tuple[int, int] | None, list[Note]]:
        if not self.timestamp:
            return None, []
        match = _TIME(self.timestamp)
        try:
            moment = time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S") if match else None
        except ValueError:
            moment = None
        if match is None or moment is None:
            message = f"{shorten(self.timestamp)} is no time such as 2017-06-07T05:51:08.021Z"
            return None, [("skipped", self.source, "__META", message)]
        return (calendar.timegm(moment), int((match.group(2) or "0").ljust(9, "0"))), []

    def _located(self, error: SnapshotError, rows: Sequence[tuple[int, Record]]) -> CaptureError:
        row = _ROW.fullmatch(error.place)
        place = f"table {error.table}, {error.place}"
        if row is not None and error.table == "tasks":
            place = self.records.place(rows[int(row.group(1))][0])
        elif row is not None and error.table == "vmos":
            at, item = self.vmos.entry_of(int(row.group(1)))
            place = f"{self.records.place(at)}.vmos[{item}]"
        elif error.table == "kmem":
            place = "kernel/heap"
        return CaptureError(self.source, place, error.expected, error.found)


def _collect(records: Records) -> _Parts:
    parts = _Parts(records)
    met = 0
    for at, record in records:
        met += 1
        if record.type in parts.tasks:
            if record.koid == ABSENT:
                raise CaptureError(records.source, records.place(at), "field 'koid'", "none")
            if record.vmos is not None or record.vmo_refs is not None:
                parts.with_vmos = True
                parts.vmos.add(at, record.koid, record.vmos or [], record.vmo_refs or [])
                record.vmos = record.vmo_refs = None
            parts.tasks[record.type].append((at, record))
        elif record.type == "__META":
            parts.timestamp = record.timestamp or parts.timestamp
        elif record.size_bytes != ABSENT:
            parts.kernel[record.id] = record.size_bytes
    if not met:
        expected = "memgraph records of type kernel, j, p or t"
        found = f"an array of {len(records.raw)} others" if records.raw else "an empty array"
        raise CaptureError(records.source, "", expected, found)
    return parts


def _known(values: Sequence[int]) -> Any:
    return integers([None if value == ABSENT else value for value in values])


def _notes(notes: Sequence[Note]) -> Table:
    columns = ("kind", "source", "place", "message")
    values = {name: [note[at] for note in notes] for at, name in enumerate(columns)}
    return Table.of(TABLES["notes"], values if notes else {})

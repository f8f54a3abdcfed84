"""The JSON of ``ffx profile memory``, a much later tool (2024), into a snapshot.

Its digest gives each process's private and scaled bytes by the rule of its own time
(reference/accounting.md "Later rules"), VMOs, and amounts of the kernel. There is no job tree, and
of a process's VMOs it does not say whether they are mapped or only held, so neither mappings nor
handles follow. Digests trimmed by whoever published them are normal: everything stays partial.
"""

from __future__ import annotations

from typing import Any

import msgspec

from magmem.captures.columns import check_unique, integers, texts
from magmem.captures.json_text import Natural, broken_json, shorten
from magmem.errors import CaptureError, SnapshotError
from magmem.snapshot import TABLES, Snapshot, Table

__all__ = ["parse_ffx"]

KERNEL = {
    "total": "total_bytes",
    "free": "free_bytes",
    "wired": "wired_bytes",
    "total_heap": "total_heap_bytes",
    "free_heap": "free_heap_bytes",
    "mmu": "mmu_overhead_bytes",
    "other": "other_bytes",
}
"""Field of the digest's kernel to column of the kmem table.

Its ``vmo`` is none of them: it leaves out what it counts as the pager's.
"""


class _Memory(msgspec.Struct):
    private: Natural | None = None
    scaled: Natural | None = None
    total: Natural | None = None


class _Process(msgspec.Struct):
    koid: Natural
    name: str | None = None
    memory: _Memory = msgspec.field(default_factory=_Memory)
    vmos: list[Natural] = msgspec.field(default_factory=list)


class _Vmo(msgspec.Struct):
    koid: Natural
    name: str | None = None
    parent_koid: Natural = 0
    committed_bytes: Natural | None = None
    allocated_bytes: Natural | None = None


class _Digest(msgspec.Struct):
    kernel: dict[str, Natural | None] = msgspec.field(default_factory=dict)
    processes: list[_Process] = msgspec.field(default_factory=list)
    vmos: list[_Vmo] = msgspec.field(default_factory=list)


class _Capture(msgspec.Struct):
    digest: _Digest = msgspec.field(name="CompleteDigest")


def parse_ffx(data: bytes | str, source: str) -> Snapshot:
    """A snapshot of a complete digest.

    Parameters
    ----------
    data : bytes or str
        The JSON object with the field ``CompleteDigest``.
    source : str
        Its name in errors, tables and notes.

    Raises
    ------
    CaptureError
        Not such a digest, or a broken record; names it.
    """
    data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    try:
        digest = msgspec.json.decode(data, type=_Capture).digest
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken_json(error, data, source) from None
    check_unique(
        [process.koid for process in digest.processes],
        source,
        "CompleteDigest.processes[{}]".format,
        "a koid",
    )
    check_unique(
        [vmo.koid for vmo in digest.vmos], source, "CompleteDigest.vmos[{}]".format, "a koid"
    )
    kernel = {
        column: [digest.kernel.get(field)] for field, column in KERNEL.items() if digest.kernel
    }
    tables = {
        "tasks": Table.of(TABLES["tasks"], _tasks(digest)),
        "vmos": Table.of(TABLES["vmos"], _vmos(digest)),
        "kmem": Table.of(TABLES["kmem"], kernel),
        "notes": Table.of(TABLES["notes"], _notes(digest, source)),
    }
    filled = [name for name in ("tasks", "vmos", "kmem") if len(tables[name])]
    tables["sources"] = Table.of(
        TABLES["sources"],
        {
            "source": [source],
            "dump": ["ffx profile memory"],
            "tables": [" ".join(filled)],
            "rounded": [False],
        },
    )
    facets = {"tasks": "processes", "vmos": "vmos", "kmem": "kmem"}
    try:
        return Snapshot.of(
            tables,
            coverage=dict.fromkeys((facets[name] for name in filled), "partial"),
        )
    except SnapshotError as error:
        records = {"tasks": "processes", "vmos": "vmos"}.get(error.table, "kernel")
        place = f"CompleteDigest.{records}, {error.place}"
        raise CaptureError(source, place, error.expected, error.found) from None


def _tasks(digest: _Digest) -> dict[str, Any]:
    processes = digest.processes
    memory = [process.memory for process in processes]
    shared = [
        None if own.total is None or own.private is None else max(0, own.total - own.private)
        for own in memory
    ]
    return {
        "koid": [process.koid for process in processes],
        "kind": ["process"] * len(processes),
        "name": texts([process.name for process in processes]),
        "reported_pss_bytes": integers([own.scaled for own in memory]),
        "reported_private_bytes": integers([own.private for own in memory]),
        "reported_shared_bytes": integers(shared),
    }


def _vmos(digest: _Digest) -> dict[str, Any]:
    vmos = digest.vmos
    row = {vmo.koid: at for at, vmo in enumerate(vmos)}
    return {
        "id": texts([str(vmo.koid) for vmo in vmos]),
        "koid": integers([vmo.koid for vmo in vmos]),
        "name": texts([vmo.name for vmo in vmos]),
        "size_bytes": integers([vmo.allocated_bytes for vmo in vmos]),
        # 0 stands for no parent and for a parent without koid alike.
        "is_clone": [True if vmo.parent_koid else None for vmo in vmos],
        "parent": integers([row.get(vmo.parent_koid) if vmo.parent_koid else None for vmo in vmos]),
        "parent_koid": integers([vmo.parent_koid or None for vmo in vmos]),
        "pages_known": [False] * len(vmos),
        "reported_committed_bytes": integers([vmo.committed_bytes for vmo in vmos]),
    }


def _notes(digest: _Digest, source: str) -> dict[str, Any]:
    notes: list[tuple[str, str, str]] = []
    apart = [
        f"{name} {amount}"
        for name, amount in digest.kernel.items()
        if amount is not None and name not in KERNEL
    ][:20]
    if apart:
        amounts = shorten(", ".join(apart), 400)
        message = f"bytes that are counted apart and have no column: {amounts}"
        notes.append(("remark", "CompleteDigest.kernel", message))
    listed = {vmo.koid for vmo in digest.vmos}
    lost = {koid for process in digest.processes for koid in process.vmos} - listed
    if lost:
        message = f"{len(lost)} VMOs of processes are not described"
        notes.append(("elided", "CompleteDigest.processes", message))
    return {
        "kind": [kind for kind, _, _ in notes],
        "source": [source] * len(notes),
        "place": [place for _, place, _ in notes],
        "message": [message for _, _, message in notes],
    }

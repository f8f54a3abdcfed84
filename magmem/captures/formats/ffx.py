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
from magmem.captures.formats.kernel_members import kernel_row
from magmem.captures.formats.said import Said
from magmem.captures.json_text import Natural, broken_json, shorten
from magmem.errors import CaptureError, SnapshotError
from magmem.snapshot import TABLES, Snapshot, Table

__all__ = ["parse_ffx", "parse_process_digest"]


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


class _Bucket(msgspec.Struct):
    name: str = ""
    size: Natural | None = None


class _Digest(msgspec.Struct):
    time: Natural | None = None
    total_committed_bytes_in_vmos: Natural | None = None
    kernel: dict[str, Natural | None] = msgspec.field(default_factory=dict)
    buckets: list[_Bucket] | None = None
    total_undigested: Natural | None = None
    processes: list[_Process] = msgspec.field(default_factory=list)
    vmos: list[_Vmo] = msgspec.field(default_factory=list)


class _Capture(msgspec.Struct):
    digest: _Digest = msgspec.field(name="CompleteDigest")


class _ProcessDigest(msgspec.Struct):
    process_data: list[_Process] = msgspec.field(default_factory=list)
    capture_time: Natural | None = None


class _ProcessCapture(msgspec.Struct):
    digest: _ProcessDigest = msgspec.field(name="ProcessDigest")


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
    return _snapshot(digest, source, "CompleteDigest", "processes")


def parse_process_digest(data: bytes | str, source: str) -> Snapshot:
    """A snapshot of a digest of processes alone.

    Raises
    ------
    CaptureError
        Not such a digest, or a broken record; names it.
    """
    data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    try:
        told = msgspec.json.decode(data, type=_ProcessCapture).digest
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken_json(error, data, source) from None
    digest = _Digest(time=told.capture_time, processes=told.process_data)
    return _snapshot(digest, source, "ProcessDigest", "process_data")


def _snapshot(digest: _Digest, source: str, kind: str, member: str) -> Snapshot:
    check_unique(
        [process.koid for process in digest.processes],
        source,
        f"{kind}.{member}[{{}}]".format,
        "a koid",
    )
    check_unique(
        [vmo.koid for vmo in digest.vmos], source, "CompleteDigest.vmos[{}]".format, "a koid"
    )
    kmem, remarks = _kmem(digest)
    kernel = {column: [value] for column, value in kmem.items()}
    tables = {
        "tasks": Table.of(TABLES["tasks"], _tasks(digest)),
        "vmos": Table.of(TABLES["vmos"], _vmos(digest)),
        "kmem": Table.of(TABLES["kmem"], kernel),
        "notes": Table.of(TABLES["notes"], _notes(digest, source, f"{kind}.{member}", remarks)),
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
        records = {"tasks": member, "vmos": "vmos"}.get(error.table, "kernel")
        place = f"{kind}.{records}, {error.place}"
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


def _kmem(digest: _Digest) -> tuple[dict[str, int | None], list[str]]:
    if not digest.kernel:
        return {}, []
    vmo_bytes, remark = _all_vmo_bytes(digest)
    row, remarks = kernel_row(digest.kernel, vmo_bytes)
    return row, [remark, *remarks] if remark else remarks


def _all_vmo_bytes(digest: _Digest) -> tuple[int | None, str]:
    """The bytes of all VMOs where they are sure, and a remark on them.

    ``kernel.vmo`` is what the listed VMOs leave, cut at 0. The tool reads a running machine piece
    by piece, so the sum of both is taken only where it closes the kernel's statistics.
    """
    listed, rest = digest.total_committed_bytes_in_vmos, digest.kernel.get("vmo")
    if listed is None or rest is None:
        return None, ""
    uses = ("free", "wired", "total_heap", "mmu", "ipc", "other")
    known = sum(digest.kernel.get(use) or 0 for use in uses)
    total = digest.kernel.get("total")
    gap = None if total is None else total - known - listed - rest
    if rest and gap == 0:
        return listed + rest, ""
    message = f"listed VMOs hold {listed} bytes and the kernel counts {rest} more"
    if gap is not None:
        off = "less" if gap >= 0 else "more"
        message += f", {abs(gap)} {off} than the total leaves for VMOs"
    return None, message


def _notes(digest: _Digest, source: str, processes: str, kernel: list[str]) -> dict[str, list[str]]:
    """One remark on the whole of it, and one on what is missing."""
    said, remarks = Said(source), list(kernel)
    sizes = [
        f"{one.name} {one.size}" for one in (digest.buckets or [])[:20] if one.size is not None
    ]
    if sizes:
        remarks.append(f"bytes by bucket: {shorten(', '.join(sizes), 600)}")
    if digest.time is not None:
        remarks.append(f"taken {digest.time / 10**9:.3f} seconds after boot; no date is told")
    if remarks:
        said("remark", processes.partition(".")[0], "; ".join(remarks))
    listed = {vmo.koid for vmo in digest.vmos}
    lost = {koid for process in digest.processes for koid in process.vmos} - listed
    if lost:
        said("elided", processes, f"{len(lost)} VMOs of processes are not described")
    return said.columns()

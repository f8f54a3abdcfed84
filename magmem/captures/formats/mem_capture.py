"""The capture of memory_monitor (``mem --print``, ``ffx profile memory --debug-json``).

Every VMO with its parent and committed bytes, which VMOs each process reaches, and the kernel's
statistics. It does not tell whether a VMO is mapped or only held, so neither mappings nor handles
follow; what each process is charged is worked out by memory_monitor's own rule
(`magmem.captures.formats.charged`). Tables in it are arrays whose first row is a header, and are
read by its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from magmem.captures.columns import check_unique, integers, texts
from magmem.captures.formats.charged import charge
from magmem.captures.formats.kernel_members import kernel_row
from magmem.captures.formats.said import Said
from magmem.captures.json_text import INT63_MAX, Natural, decode, shorten
from magmem.errors import CaptureError, SnapshotError
from magmem.snapshot import Coverage, Snapshot

__all__ = ["parse_mem_capture"]


class _Capture(msgspec.Struct, forbid_unknown_fields=True):
    processes: list[list[Any]] = msgspec.field(name="Processes")
    vmos: list[list[Any]] = msgspec.field(name="Vmos")
    vmo_names: list[str] | None = msgspec.field(name="VmoNames", default=None)
    kernel: dict[str, Natural | None] | None = msgspec.field(name="Kernel", default=None)
    time: Natural | None = msgspec.field(name="Time", default=None)
    compression: dict[str, Any] | None = msgspec.field(name="kmem_stats_compression", default=None)


class _WithBuckets(msgspec.Struct, forbid_unknown_fields=True):
    capture: _Capture = msgspec.field(name="Capture")
    buckets: list[Any] | None = msgspec.field(name="Buckets", default=None)


def parse_mem_capture(data: bytes, source: str) -> Snapshot:
    """A snapshot of a capture, alone or beside its buckets.

    Raises
    ------
    CaptureError
        Not such a capture, or a broken row; names it.
    """
    said = Said(source)
    if "Capture" in msgspec.json.decode(data, type=dict[str, msgspec.Raw]):
        whole, notes = decode(data, _WithBuckets, source)
        capture, prefix = whole.capture, "Capture."
        if whole.buckets:
            message = f"{len(whole.buckets)} buckets are rules for names, not sizes: left out"
            said("remark", "Buckets", message)
    else:
        capture, notes = decode(data, _Capture, source)
        prefix = ""
    said.notes.extend(notes)
    processes = _Rows(capture.processes, f"{prefix}Processes", ("koid", "name", "vmos"), said)
    vmos = _Rows(
        capture.vmos,
        f"{prefix}Vmos",
        ("koid", "name", "parent_koid", "committed_bytes", "allocated_bytes", "populated_bytes"),
        said,
    )
    frames, coverage = _frames(capture, processes, vmos, said, prefix)
    frames["notes"] = said.columns()
    frames["sources"] = {
        "source": [source],
        "dump": ["memory_monitor capture"],
        "tables": [" ".join(name for name in ("tasks", "vmos", "kmem") if name in frames)],
        "rounded": [False],
    }
    try:
        return Snapshot.of(frames, coverage=coverage)
    except SnapshotError as error:
        table = {"tasks": "Processes", "vmos": "Vmos"}.get(error.table, "Kernel")
        raise CaptureError(
            source, f"{prefix}{table}, {error.place}", error.expected, error.found
        ) from None


class _Rows:
    """A table of the capture: rows under a header row, by the header's words."""

    def __init__(
        self, rows: Sequence[list[Any]], place: str, known: tuple[str, ...], said: Said
    ) -> None:
        self.place, self.said = place, said
        header = rows[0] if rows else []
        if not header or not all(isinstance(word, str) for word in header):
            expected = f"a header row of words such as {', '.join(map(repr, known[:3]))}"
            raise CaptureError(said.source, f"{place}[0]", expected, shorten(header))
        if "koid" not in header:
            raise CaptureError(
                said.source, f"{place}[0]", "the column 'koid' in the header row", shorten(header)
            )
        for at, row in enumerate(rows):
            if len(row) != len(header):
                expected = f"{len(header)} values, as the header row has"
                raise CaptureError(said.source, f"{place}[{at}]", expected, f"{len(row)}")
        for word in header:
            if word not in known:
                message = f"column {shorten(word)} is not one magmem reads"
                said("skipped", f"{place}[0]", message)
        self.header, self.rows = header, rows[1:]

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, at: int) -> str:
        """The place of a row."""
        return f"{self.place}[{at + 1}]"

    def column(self, word: str, kind: Any, what: str) -> list[Any]:
        """The values of a column, each checked; None for all where it is absent."""
        if word not in self.header:
            return [None] * len(self.rows)
        index = self.header.index(word)
        values = [row[index] for row in self.rows]
        try:
            return list(msgspec.convert(values, list[kind]))
        except (msgspec.ValidationError, OverflowError):
            for at, value in enumerate(values):
                if not _fits(value, kind):
                    raise CaptureError(
                        self.said.source, f"{self.row(at)}.{word}", what, shorten(value)
                    ) from None
            raise


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError):
        return False
    return True


_NUMBER = f"an integer of 0 … {INT63_MAX}"


def _frames(
    capture: _Capture, processes: _Rows, vmos: _Rows, said: Said, prefix: str
) -> tuple[dict[str, Any], dict[str, Coverage]]:
    vmo_koids = vmos.column("koid", Natural, _NUMBER)
    task_koids = processes.column("koid", Natural, _NUMBER)
    check_unique(task_koids, said.source, processes.row, "a koid")
    check_unique(vmo_koids, said.source, vmos.row, "a koid")
    committed = vmos.column("committed_bytes", Natural | None, _NUMBER)
    parent_koids = vmos.column("parent_koid", Natural | None, _NUMBER)
    reaches = processes.column("vmos", list[Natural] | None, "an array of koids")
    row = {koid: at for at, koid in enumerate(vmo_koids)}
    listed = dict(zip(vmo_koids, committed, strict=True))
    parents = {koid: up for koid, up in zip(vmo_koids, parent_koids, strict=True) if up}
    charged = charge([koids or () for koids in reaches], listed, parents)
    told = [koids is not None for koids in reaches]
    lost = {koid for koids in reaches for koid in koids or ()} - listed.keys()
    if lost:
        message = f"{len(lost)} VMOs of processes are not described, and count nothing"
        said("elided", processes.place, message)
    populated = vmos.column("populated_bytes", Natural | None, _NUMBER)
    packed = sum(
        have - own
        for have, own in zip(populated, committed, strict=True)
        if have is not None and own is not None and have > own
    )
    if packed:
        message = f"{packed} bytes of VMOs' content are compressed, so not in committed bytes"
        said("remark", vmos.place, message)
    if len(processes):
        message = (
            "what processes are charged is worked out from the VMOs each of them reaches, "
            "by memory_monitor's rule"
        )
        said("remark", processes.place, message)
    if capture.time is not None:
        seconds = capture.time / 10**9
        said("remark", f"{prefix}Time", f"taken {seconds:.3f} seconds after boot; no date is told")
    frames: dict[str, Any] = {}
    coverage: dict[str, Coverage] = {}
    if len(processes):
        names = processes.column("name", str | None, "text")
        frames["tasks"] = {
            "koid": task_koids,
            "kind": ["process"] * len(processes),
            "name": texts(names),
            **{
                f"reported_{column}_bytes": integers(
                    [
                        getattr(one, field) if known else None
                        for one, known in zip(charged, told, strict=True)
                    ]
                )
                for column, field in (
                    ("pss", "scaled_bytes"),
                    ("private", "private_bytes"),
                    ("shared", "shared_bytes"),
                )
            },
        }
        coverage["processes"] = "partial"
    if len(vmos):
        frames["vmos"] = {
            "id": texts([str(koid) for koid in vmo_koids]),
            "koid": integers(vmo_koids),
            "name": texts(_names(capture, vmos, said)),
            "size_bytes": integers(vmos.column("allocated_bytes", Natural | None, _NUMBER)),
            # 0 stands for no parent and for a parent without koid alike; slices have parents too.
            "parent": integers([row.get(up) if up else None for up in parent_koids]),
            "parent_koid": integers([up or None for up in parent_koids]),
            "pages_known": [False] * len(vmos),
            "reported_committed_bytes": integers(committed),
        }
        coverage["vmos"] = "partial"
    if capture.kernel:
        values, remarks = kernel_row(capture.kernel, capture.kernel.get("vmo"))
        frames["kmem"] = {column: [value] for column, value in values.items()}
        coverage["kmem"] = "partial" if None in values.values() else "complete"
        for remark in remarks:
            said("remark", f"{prefix}Kernel", remark)
    return frames, coverage


def _names(capture: _Capture, vmos: _Rows, said: Said) -> list[str | None]:
    """Names by their number in VmoNames; older captures may hold the names themselves."""
    given = vmos.column("name", Natural | str | None, "a number of VmoNames")
    names = capture.vmo_names or []
    for at, name in enumerate(given):
        if isinstance(name, int) and name >= len(names):
            expected = f"a number of VmoNames, which has {len(names)}"
            raise CaptureError(said.source, f"{vmos.row(at)}.name", expected, str(name))
    return [names[name] if isinstance(name, int) else name for name in given]

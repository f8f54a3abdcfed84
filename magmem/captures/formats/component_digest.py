"""The ``ComponentDigest`` of ``ffx profile memory`` and of its components (2025).

Its figures are a principal's: shares are counted between components, not between processes. They
are a process's own only where one principal has one process and that process no other principal;
elsewhere the process is known and its memory is not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from magmem.captures.columns import integers, texts
from magmem.captures.formats.kernel_members import kernel_row
from magmem.captures.formats.said import Said
from magmem.captures.json_text import INT63_MAX, Natural, decode, shorten
from magmem.errors import CaptureError, SnapshotError
from magmem.snapshot import Coverage, Snapshot

__all__ = ["parse_component_digest"]

Amount = Annotated[float, msgspec.Meta(ge=0, lt=2**63)]

_PROCESS = re.compile(r"(.*) \(([0-9]{1,19})\)", re.DOTALL)
_SPELT = {"mmu_overhead": "mmu"}


class _Principal(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    id: int | None = None
    principal_type: str | None = None
    committed_private: Natural | None = None
    committed_scaled: Amount | None = None
    committed_total: Natural | None = None
    populated_private: Natural | None = None
    populated_scaled: Amount | None = None
    populated_total: Natural | None = None
    attributor: str | None = None
    processes: list[str] = msgspec.field(default_factory=list)
    vmos: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


class _Kernel(msgspec.Struct, forbid_unknown_fields=True):
    memory_statistics: dict[str, Natural | None] | None = None
    compression_statistics: dict[str, Any] | None = None


class _Digest(msgspec.Struct, forbid_unknown_fields=True):
    principals: list[_Principal]
    kernel: _Kernel | None = None
    undigested: Natural | None = None
    unclaimed: Natural | None = None
    performance: dict[str, Any] | None = None
    digest: dict[str, Any] | None = None


class _Capture(msgspec.Struct, forbid_unknown_fields=True):
    digest: _Digest = msgspec.field(name="ComponentDigest")


def parse_component_digest(data: bytes, source: str) -> Snapshot:
    """A snapshot of a digest of components.

    Raises
    ------
    CaptureError
        Not such a digest, or a broken record; names it.
    """
    capture, notes = decode(data, _Capture, source)
    digest, said = capture.digest, Said(source)
    said.notes.extend(notes)
    frames: dict[str, Any] = {}
    coverage: dict[str, Coverage] = {}
    tasks = _tasks(digest, said)
    if tasks["koid"]:
        frames["tasks"], coverage["processes"] = _columns(tasks), "partial"
    statistics = digest.kernel.memory_statistics if digest.kernel is not None else None
    if statistics:
        members = {_member(name): size for name, size in statistics.items()}
        row, remarks = kernel_row(members, members.get("vmo"))
        frames["kmem"] = {column: [value] for column, value in row.items()}
        coverage["kmem"] = "partial" if None in row.values() else "complete"
        for remark in remarks:
            said("remark", "ComponentDigest.kernel", remark)
    frames["notes"] = said.columns()
    frames["sources"] = {
        "source": [source],
        "dump": ["ffx profile memory (components)"],
        "tables": [" ".join(name for name in ("tasks", "kmem") if name in frames)],
        "rounded": [False],
    }
    try:
        return Snapshot.of(frames, coverage=coverage)
    except SnapshotError as error:
        table = {"tasks": "principals"}.get(error.table, "kernel")
        place = f"ComponentDigest.{table}, {error.place}"
        raise CaptureError(source, place, error.expected, error.found) from None


def _member(name: str) -> str:
    bare = name.removesuffix("_bytes")
    return _SPELT.get(bare, bare)


def _tasks(digest: _Digest, said: Said) -> dict[str, list[Any]]:
    told: dict[int, tuple[str, _Principal]] = {}
    principals: Counter[int] = Counter()
    for at, principal in enumerate(digest.principals):
        for text in principal.processes:
            match = _PROCESS.fullmatch(text)
            koid = int(match[2]) if match is not None else 0
            if match is None or not 0 < koid <= INT63_MAX:
                place = f"ComponentDigest.principals[{at}].processes"
                expected = "a process such as 'name (koid)'"
                raise CaptureError(said.source, place, expected, shorten(text))
            principals[koid] += 1
            told.setdefault(koid, (match[1], principal))
    rows: dict[str, list[Any]] = {name: [] for name in ("koid", "name", "pss", "private", "shared")}
    for koid, (name, principal) in told.items():
        own = len(principal.processes) == 1 and principals[koid] == 1
        rows["koid"].append(koid)
        rows["name"].append(name)
        for column, value in _figures(principal if own else None).items():
            rows[column].append(value)
    for at, principal in enumerate(digest.principals):
        place = f"ComponentDigest.principals[{at}]"
        processes = principal.processes
        if len(processes) == 1 and all(principals[key] == 1 for key in _koids(processes)):
            said("remark", place, f"the component of this process: {shorten(principal.name)}")
        else:
            figures = ", ".join(
                f"{word} {'unknown' if value is None else value}"
                for word, value in _figures(principal).items()
            )
            message = (
                f"component {shorten(principal.name)} of {len(processes)} processes holds these "
                f"bytes, which are no process's own: {figures}"
            )
            said("remark", place, message)
        if principal.vmos:
            groups = ", ".join(
                f"{name} {group.get('committed_total')}"
                for name, group in list(principal.vmos.items())[:20]
            )
            said("remark", place, f"total bytes by group of VMOs: {shorten(groups, 600)}")
    return rows


def _koids(processes: list[str]) -> list[int]:
    return [int(text.rpartition("(")[2].rstrip(")")) for text in processes]


def _figures(principal: _Principal | None) -> Mapping[str, int | None]:
    if principal is None:
        return {"pss": None, "private": None, "shared": None}
    scaled, private = principal.committed_scaled, principal.committed_private
    total = principal.committed_total
    return {
        "pss": None if scaled is None else int(scaled),
        "private": private,
        "shared": None if total is None or private is None else max(0, total - private),
    }


def _columns(rows: dict[str, list[Any]]) -> dict[str, Any]:
    return {
        "koid": rows["koid"],
        "kind": ["process"] * len(rows["koid"]),
        "name": texts(rows["name"]),
        "reported_pss_bytes": integers(rows["pss"]),
        "reported_private_bytes": integers(rows["private"]),
        "reported_shared_bytes": integers(rows["shared"]),
    }

"""One batch of captures: read, derive, write; the unit of work of one process or of a cluster.

Four fact tables and the originals are written first and ``captures`` last: a batch is in the fleet
if and only if that file is. A capture that cannot be read does not hold up the others.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from magmem import __version__
from magmem.errors import CaptureError, MagmemError
from magmem.fleet.facts import Facts, facts_of
from magmem.fleet.labels import Labels
from magmem.fleet.parquet import parquet_bytes
from magmem.fleet.place import Place
from magmem.fleet.policy import Aliases, Policy
from magmem.fleet.tables import LABELS, LAYOUT, REFUSED, TABLES

__all__ = ["Item", "Job", "Outcome", "batch_name", "read_bytes", "refuse", "snapshot_from", "work"]

_HARMLESS_PLACE = re.compile(r"(line|record|row|byte|cell) [\d,]+")


@dataclass
class Item:
    """One capture on its way into a fleet.

    Attributes
    ----------
    source : str
        A path, or what an object from memory is called.
    labels : mapping
        Already clean.
    capture_id, sha256 : str
        Of labels and bytes, and of the bytes alone, once they were read.
    size_bytes : int
    data : bytes or None
        Of a capture that is no file.
    snap : Snapshot or None
        The same as a snapshot, where there is one already.
    original : str or None
        The file of originals that has it already.
    """

    source: str
    labels: Labels
    capture_id: str = ""
    sha256: str = ""
    size_bytes: int = 0
    data: bytes | None = None
    snap: Any = None
    original: str | None = None


@dataclass
class Job:
    """A batch and all that a worker needs for it; can be pickled.

    `replaces` names the batches it stands for, `name` itself where not its captures do.
    """

    place: Place
    policy: Policy
    key: bytes | None
    items: list[Item]
    options: dict[str, Any] = field(default_factory=dict)
    replaces: tuple[str, ...] = ()
    name: str = ""


@dataclass
class Outcome:
    """What became of a batch: ids that are in, and a row for each capture that is not."""

    added: list[str] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)


def read_bytes(source: str, options: Mapping[str, Any]) -> bytes:
    """The bytes of a file, by fsspec where the path is a URL.

    Raises
    ------
    OSError
        It cannot be read.
    """
    if "://" not in source:
        return Path(source).read_bytes()
    import fsspec

    fs, path = fsspec.core.url_to_fs(source, **options)
    data: bytes = fs.cat_file(path)
    return data


def snapshot_from(data: bytes, source: str) -> Any:
    """The snapshot in a capture's bytes.

    Raises
    ------
    CaptureError
        They are damaged or of no known kind.
    """
    from magmem.captures import read_capture

    with tempfile.TemporaryDirectory(prefix="magmem-") as scratch:
        # The file keeps its name: captures without one of their own are called by it.
        path = Path(scratch) / (source.rsplit("/", 1)[-1][-100:] or "capture")
        path.write_bytes(data)
        return read_capture(path)


def batch_name(ids: Iterable[str], salt: str = "") -> str:
    """The name of a batch: the same captures give the same file."""
    return hashlib.sha256("\n".join([*sorted(ids), salt]).encode()).hexdigest()[:32]


def work(job: Job) -> Outcome:
    """Read a batch, derive its facts and write them.

    Returns
    -------
    Outcome
        A capture is in `added` or in `refused`, never in both.

    Raises
    ------
    OSError
        The fleet cannot be written.
    """
    aliases = Aliases(job.key, job.policy.keep)
    outcome = Outcome()
    taken: list[tuple[Item, Facts, bytes | None]] = []
    keeps = job.policy.originals and job.key is None
    for item in job.items:
        try:
            data = _bytes_of(item, job, aliases)
            snap = item.snap if item.snap is not None else snapshot_from(data, item.source)
            facts = facts_of(snap, aliases)
        except (CaptureError, MagmemError, Exception) as error:
            outcome.refused.append(refuse(item, error, aliases))
            continue
        _moment(item, snap)
        taken.append((item, facts, data if keeps else None))
        item.snap = None
    if taken:
        _write(job, taken, aliases)
        outcome.added = [item.capture_id for item, _, _ in taken]
    return outcome


def _bytes_of(item: Item, job: Job, aliases: Aliases) -> bytes:
    data = item.data if item.data is not None else read_bytes(item.source, job.options)
    if item.sha256 and aliases.digest(data) != item.sha256:
        raise CaptureError(item.source, "", "the bytes that were there at first", "others: changed")
    return data


def _moment(item: Item, snap: Any) -> None:
    """Without a label the time is the capture's own."""
    if "captured_at" not in item.labels and snap.timestamp is not None:
        from datetime import UTC, datetime

        seconds, nanoseconds = snap.timestamp
        when = datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)
        item.labels = {**item.labels, "captured_at": when.replace(tzinfo=None).isoformat()}


def refuse(item: Item, error: BaseException, aliases: Aliases) -> dict[str, Any]:
    """The row of a capture that was not taken; without anybody's names in a keyed fleet."""
    place, expected, found = "", "", str(error)
    if isinstance(error, CaptureError):
        place, expected, found = error.place, error.expected, error.found
    if aliases.key is not None:
        place = place if _HARMLESS_PLACE.fullmatch(place) else ""
        expected = found = ""
    labels = alias_labels(item.labels, aliases)
    return {
        "source": aliases("source", item.source),
        "device": labels.get("device"),
        "build": labels.get("build"),
        "captured_at": labels.get("captured_at"),
        "sha256": item.sha256 or None,
        "source_bytes": item.size_bytes or None,
        "error": type(error).__name__,
        "place": place or None,
        "expected": expected or None,
        "found": found or None,
        "tries": 1,
        "magmem": __version__,
    }


def alias_labels(labels: Labels, aliases: Aliases) -> Labels:
    """Labels as the fleet stores them: devices and further labels under their aliases."""
    plain = ("build", "captured_at")
    return {
        name: value if name in plain else aliases(name, value) for name, value in labels.items()
    }


def _write(job: Job, taken: list[tuple[Item, Facts, bytes | None]], aliases: Aliases) -> None:
    ids = [item.capture_id for item, _, _ in taken]
    name = job.name or batch_name(ids)
    labels = [alias_labels(item.labels, aliases) for item, _, _ in taken]
    further = sorted({key for one in labels for key in one} - LABELS.keys())
    types = {**LABELS, **dict.fromkeys(further, "VARCHAR")}
    footer = {"magmem": __version__, "layout": str(LAYOUT)}
    if job.replaces:
        footer["replaces"] = " ".join(job.replaces)
    originals = [item.original for item, _, _ in taken]
    if taken[0][2] is not None and not any(originals):
        originals = [name] * len(taken)
        columns: dict[str, list[Any]] = {"capture_id": ids, "bytes": [data for _, _, data in taken]}
        kinds = {"capture_id": "VARCHAR", "bytes": "BLOB"}
        job.place.write(f"originals/{name}.parquet", parquet_bytes(columns, kinds, footer))
    heads = {key: ids if key == "capture_id" else [one.get(key) for one in labels] for key in types}
    for table in ("processes", "hidden", "ledger", "vmos"):
        counts = [len(next(iter(facts.rows[table].values()))) for _, facts, _ in taken]
        columns = {
            key: [value for value, count in zip(values, counts, strict=True) for _ in range(count)]
            for key, values in heads.items()
        }
        for key in TABLES[table]:
            columns[key] = [value for _, facts, _ in taken for value in facts.rows[table][key]]
        data = parquet_bytes(columns, {**types, **TABLES[table]}, footer)
        job.place.write(f"facts-{LAYOUT}/{table}/{name}.parquet", data)
    captures: dict[str, list[Any]] = dict(heads)
    for key in TABLES["captures"]:
        captures[key] = [facts.capture.get(key) for _, facts, _ in taken]
    captures["source"] = [aliases("source", item.source) for item, _, _ in taken]
    captures["sha256"] = [item.sha256 for item, _, _ in taken]
    captures["source_bytes"] = [item.size_bytes for item, _, _ in taken]
    captures["original"] = originals
    captures["magmem"] = [__version__] * len(taken)
    data = parquet_bytes(captures, {**types, **TABLES["captures"]}, footer)
    job.place.write(f"facts-{LAYOUT}/captures/{name}.parquet", data)


def write_refused(place: Place, row: dict[str, Any]) -> None:
    """Store a refusal under the hash of the capture's bytes, or of its name where it has none."""
    name = row["sha256"] or batch_name([row["source"]], "source")
    path = f"refused/{name}.parquet"
    place.write(path, parquet_bytes({key: [row[key]] for key in REFUSED}, REFUSED, {}))

"""Compaction, erasure and derivation anew: each rewrites batches and deletes what they were.

The new batch is written whole, its footer names what it stands for, and only then the old files
are deleted, ``captures`` first. Stopped anywhere, nothing is lost or counted twice, and the next
run finishes the deletion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from magmem import __version__
from magmem.fleet.batch import batch_name
from magmem.fleet.catalog import Catalog, catalog_of, facts_path
from magmem.fleet.engine import Engine
from magmem.fleet.parquet import connect, quoted, text
from magmem.fleet.place import Place
from magmem.fleet.tables import LABELS, LAYOUT, TABLES

__all__ = ["clean", "compact", "delete", "forget", "rewrite"]

Progress = Callable[[int, int], object] | None


def delete(place: Place, batches: Iterable[tuple[str, int]]) -> None:
    """Delete the facts of batches, ``captures`` first, so that no reader sees half of one."""
    for batch, layout in batches:
        for table in TABLES:
            place.remove(facts_path(layout, table, batch))


def clean(place: Place, catalog: Catalog) -> None:
    """Finish what a stopped run left: delete the batches that others stand for."""
    delete(place, catalog.replaced.items())


def rewrite(place: Place, olds: Sequence[tuple[str, int]], keep: str = "true") -> str | None:
    """Make one batch of several.

    Parameters
    ----------
    olds : sequence of (batch, layout)
    keep : str
        An SQL condition on labels; rows that fail it are left out.

    Returns
    -------
    str or None
        The new batch; None where no row was kept.
    """
    reader = connect(threads=1)
    if not place.is_local:
        reader.register_filesystem(place.fs)

    def scan(table: str) -> tuple[str, list[str]]:
        stems: dict[int, set[str]] = {
            layout: set(place.names(f"facts-{layout}/{table}", ".parquet")) for _, layout in olds
        }
        paths = [
            text(place.url(facts_path(layout, table, batch)))
            for batch, layout in olds
            if batch in stems[layout]
        ]
        if not paths:
            return "", []
        source = f"read_parquet([{', '.join(paths)}], union_by_name = true, filename = '_file')"
        rows = reader.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        return source, [row[0] for row in rows if row[0] != "_file"]

    source, _ = scan("captures")
    (ids,) = zip(
        *reader.execute(f"SELECT capture_id FROM {source} WHERE {keep}").fetchall() or [("",)],
        strict=True,
    )
    if ids == ("",):
        return None
    name = "c-" + batch_name(dict.fromkeys(ids), " ".join(sorted(batch for batch, _ in olds)))
    replaces = " ".join(sorted(batch for batch, _ in olds))
    for table in [*(t for t in TABLES if t != "captures"), "captures"]:
        source, there = scan(table)
        if not source:
            continue
        known = {**LABELS, **TABLES[table]}
        kinds = {key: known.get(key, "VARCHAR") for key in [*known, *there] if key in there}
        casts = ", ".join(f"{quoted(key)}::{kind} AS {quoted(key)}" for key, kind in kinds.items())
        # Of a capture that two ingests brought, the first batch by name is kept.
        single = " QUALIFY _file = min(_file) OVER (PARTITION BY capture_id)"
        footer = {"magmem": __version__, "layout": str(LAYOUT), "replaces": replaces}
        _copy(
            place,
            reader,
            f"SELECT {casts} FROM {source} WHERE {keep}{single} "
            "ORDER BY device, build, captured_at",
            footer,
            facts_path(LAYOUT, table, name),
        )
    return name


def _copy(place: Place, reader: Any, select: str, footer: dict[str, str], path: str) -> None:
    import tempfile
    from pathlib import Path

    pairs = ", ".join(f"{quoted(key)}: {text(value)}" for key, value in footer.items())
    with tempfile.TemporaryDirectory(prefix="magmem-") as scratch:
        file = Path(scratch) / "rows.parquet"
        reader.execute(
            f"COPY ({select}) TO {text(str(file))} "
            f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{pairs}}})"
        )
        place.write(path, file.read_bytes())


def compact(place: Place, most_captures: int, progress: Progress = None) -> tuple[int, int]:
    """Put small batches together.

    Parameters
    ----------
    most_captures : int
        How many captures a batch may have; one that has more than half of it is left alone.

    Returns
    -------
    tuple of (int, int)
        Batches before and after.
    """
    catalog = catalog_of(place)
    clean(place, catalog)
    place.sweep(older_seconds=86_400)
    reader = connect(threads=1)
    if not place.is_local:
        reader.register_filesystem(place.fs)
    groups: list[list[tuple[str, int]]] = [[]]
    size = 0
    for batch, layout in catalog.batches.items():
        path = place.url(facts_path(layout, "captures", batch))
        (rows,) = reader.execute("SELECT num_rows FROM parquet_file_metadata(?)", [path]).fetchone()
        if rows * 2 > most_captures and layout == LAYOUT:
            continue
        if size + rows > most_captures and groups[-1]:
            groups.append([])
            size = 0
        groups[-1].append((batch, layout))
        size += rows
    groups = [group for group in groups if len(group) > 1]
    for done, group in enumerate(groups):
        rewrite(place, group)
        delete(place, group)
        if progress:
            progress(done + 1, len(groups))
    return len(catalog.batches), len(catalog_of(place).batches)


def forget(place: Place, condition: str, progress: Progress = None) -> int:
    """Delete every byte of the captures whose labels meet a condition.

    Facts and originals are rewritten without them, refusals with such labels deleted, and so is
    what a killed writer left, because nobody can say whose it is.

    Parameters
    ----------
    condition : str
        SQL over ``device``, ``build`` and ``captured_at``.

    Returns
    -------
    int
        How many captures were forgotten.
    """
    catalog = catalog_of(place)
    clean(place, catalog)
    place.sweep()
    for orphan in catalog.orphans:
        place.remove(orphan)
    engine = Engine(place)
    try:
        found = engine.query(
            "SELECT DISTINCT capture_id, original, parse_filename(_file, true) FROM _captures "
            f"WHERE {condition}"
        )
        gone = {capture for capture, _, _ in found}
        touched = sorted({batch for _, _, batch in found})
        refused = engine.query(f"SELECT sha256, source FROM refused WHERE {condition}")
        used = {
            name
            for (name,) in engine.query(
                "SELECT DISTINCT original FROM _captures WHERE original IS NOT NULL"
            )
        }
        originals = sorted({original for _, original, _ in found if original})
    finally:
        engine.close()
    for sha256, source in refused:
        place.remove(f"refused/{sha256 or batch_name([source], 'source')}.parquet")
    # The bytes themselves go first: facts still name them, so a stopped run is found again.
    for original in originals:
        _without(place, original, gone)
    for stem in place.names("originals", ".parquet"):
        if stem not in used:
            place.remove(f"originals/{stem}.parquet")
    for done, batch in enumerate(touched):
        layout = catalog.batches[batch]
        rewrite(place, [(batch, layout)], keep=f"({condition}) IS NOT TRUE")
        delete(place, [(batch, layout)])
        if progress:
            progress(done + 1, len(touched))
    return len(gone)


def _without(place: Place, original: str, gone: set[str]) -> None:
    """Rewrite one file of originals without some captures, under the same name."""
    path = f"originals/{original}.parquet"
    if place.read(path) is None:
        return
    reader = connect(threads=1)
    if not place.is_local:
        reader.register_filesystem(place.fs)
    source = f"read_parquet({text(place.url(path))})"
    listed = ", ".join(map(text, sorted(gone)))
    keep = f"capture_id NOT IN ({listed})"
    (left,) = reader.execute(f"SELECT count(*) FROM {source} WHERE {keep}").fetchone()
    if not left:
        place.remove(path)
        return
    _copy(place, reader, f"SELECT * FROM {source} WHERE {keep}", {"magmem": __version__}, path)

"""`info`: what a snapshot knows, whence, and what it does not.

A facet is complete, partial or absent (`Snapshot.coverage`); beside it stand its rows, the dumps
that tell it, and the columns that matter for it but are unknown in some or all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from magmem.listing import Listing, wrapped
from magmem.printable import one_line
from magmem.snapshot import FACETS, Snapshot

__all__ = ["info"]

TABLES_OF = {
    "jobs": "tasks",
    "processes": "tasks",
    "threads": "tasks",
    "mappings": "regions",
    "kernel mappings": "regions",
}
"""Table of a facet, where it has not the facet's own name."""

NEEDED = {
    "jobs": ("name",),
    "processes": ("parent_koid", "name", "state"),
    "threads": ("parent_koid", "name", "state"),
    "mappings": ("base", "size_bytes", "vmo", "vmo_offset_bytes", "perms"),
    "kernel mappings": ("base", "size_bytes", "vmo", "vmo_offset_bytes", "perms"),
    "vmos": ("koid", "kind", "name", "size_bytes", "is_clone"),
    "handles": ("value", "koid", "rights"),
    "arenas": ("name", "base", "size_bytes", "free_pages", "object_pages"),
    "kmem": (
        "total_bytes",
        "free_bytes",
        "wired_bytes",
        "total_heap_bytes",
        "free_heap_bytes",
        "vmo_bytes",
        "mmu_overhead_bytes",
        "other_bytes",
    ),
}
"""Columns without which a facet tells little."""


def info(snap: Snapshot) -> Listing:
    """What a snapshot knows and what is missing in it.

    Returns
    -------
    Listing
        `df` has one row per facet of `magmem.snapshot.FACETS`: facet, known (complete, partial or
        absent), rows (int64), source (the dumps that fill its table) and missing (what is
        unknown). `data` holds facets, tables, reported figures, sources and notes.

    Examples
    --------
    >>> import magmem
    >>> listing = magmem.info(magmem.read_capture("guide-kstats"))
    >>> listing.df.set_index("facet")["known"]["kmem"]
    'partial'
    """
    facets = [_facet(snap, facet) for facet in FACETS]
    tables = {name: len(frame) for name, frame in snap.tables().items() if len(frame)}
    title = f"What is known of {snap.name}" if snap.name else "What is known"
    columns = ("facet", "known", "rows", "source", "missing")
    return Listing(
        text="".join(f"{line.rstrip()}\n" for line in _lines(snap, title, facets, tables)),
        df=pd.DataFrame(facets, columns=list(columns)).astype({"rows": "int64"}),
        title=title,
        data={
            "name": snap.name,
            "root_job_koid": snap.root_job_koid,
            "timestamp": snap.timestamp_iso or None,
            "facets": facets,
            "tables": tables,
            "reported": _reported(snap),
            "sources": _plain(snap.sources),
            "notes": _plain(snap.notes),
        },
    )


def _facet(snap: Snapshot, facet: str) -> dict[str, Any]:
    rows = _rows(snap, facet)
    known = snap.coverage[facet]
    table = TABLES_OF.get(facet, facet)
    told = {
        str(dump)
        for dump, tables in zip(snap.sources["dump"], snap.sources["tables"], strict=True)
        if table in tables.split() and len(rows)
    }
    missing = (
        [FACETS[facet]] if known == "absent" and not len(rows) else _missing(snap, facet, rows)
    )
    return {
        "facet": facet,
        "known": known,
        "rows": len(rows),
        "source": ", ".join(sorted(told)),
        "missing": "; ".join(missing),
    }


def _rows(snap: Snapshot, facet: str) -> pd.DataFrame:
    if facet in ("jobs", "processes", "threads"):
        frame: pd.DataFrame = getattr(snap, facet)
        return frame
    if facet in ("mappings", "kernel mappings"):
        kernel = np.flatnonzero(snap.aspaces["kind"] == "kernel")
        inside = snap.mappings["aspace"].isin(kernel)
        return snap.mappings[inside if facet == "kernel mappings" else ~inside]
    return snap.tables()[facet]


def _missing(snap: Snapshot, facet: str, rows: pd.DataFrame) -> list[str]:
    """Phrases: which of the needed columns are unknown, in how many rows."""
    missing: list[str] = []
    if facet == "pages":
        unknown, every = int((~snap.vmos["pages_known"]).sum()), len(snap.vmos)
        missing += [f"the page runs of {unknown} of {every} VMOs"] if unknown else []
    if facet == "mappings":
        spaces = snap.aspaces["process_koid"].dropna().nunique()
        lost = len(snap.processes) - spaces
        missing += [f"the mappings of {lost} of {len(snap.processes)} processes"] if lost else []
    by_count: dict[int, list[str]] = {}
    for column in NEEDED.get(facet, ()):
        by_count.setdefault(int(rows[column].isna().sum()), []).append(column)
    for count in sorted(by_count, reverse=True):
        names = ", ".join(by_count[count])
        if count == len(rows) > 0:
            missing.append(f"{names} in every row")
        elif count:
            missing.append(f"{names} in {count} of {len(rows)} rows")
    if not missing and snap.coverage[facet] == "partial":
        missing.append("rows that the source does not list")
    return missing


def _reported(snap: Snapshot) -> list[str]:
    """Columns of reported figures that hold any."""
    return [
        f"{name}.{column}"
        for name, frame in snap.tables().items()
        for column in frame.columns
        if column.startswith("reported_") and frame[column].notna().any()
    ]


def _lines(
    snap: Snapshot, title: str, facets: Sequence[dict[str, Any]], tables: dict[str, int]
) -> Iterator[str]:
    yield one_line(title)
    yield ""
    yield from _table(
        ("FACET", "KNOWN", "ROWS", "FROM", "MISSING"),
        [
            (row["facet"], row["known"], str(row["rows"]), row["source"] or "-", row["missing"])
            for row in facets
        ],
        right=("ROWS",),
    )
    yield ""
    filled = ", ".join(f"{name} {rows}" for name, rows in tables.items())
    yield wrapped(f"Tables and their rows: {filled or 'none'}", "  ")
    reported = _reported(snap)
    if reported:
        yield wrapped(f"Figures as the source reported them: {', '.join(reported)}", "  ")
    if len(snap.sources):
        yield ""
        yield from _table(
            ("SOURCE", "LINES", "DUMP", "SIZES", "TABLES"),
            [
                (
                    row.source,
                    _span(row),
                    row.dump,
                    "rounded" if row.rounded else "exact",
                    row.tables,
                )
                for row in snap.sources.itertuples()
            ],
        )
    if len(snap.notes):
        yield ""
        yield from _table(
            ("NOTE", "SOURCE", "WHERE", "WHAT"),
            [
                (row.kind, row.source, "-" if pd.isna(row.place) else row.place, row.message)
                for row in snap.notes.itertuples()
            ],
        )


def _span(row: Any) -> str:
    if pd.isna(row.first_line):
        return "-"
    return f"{row.first_line}-{'' if pd.isna(row.last_line) else row.last_line}"


def _table(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: tuple[str, ...] = ()
) -> Iterator[str]:
    cells = [header, *(tuple(map(one_line, row)) for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    for row in cells:
        padded = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(header, row, widths, strict=True)
        ]
        yield "  ".join([*padded[:-1], row[-1]])


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain values, without what is missing."""
    known = frame.astype(object).where(frame.notna(), None)
    return [
        {key: value for key, value in row.items() if value is not None}
        for row in known.to_dict("records")
    ]

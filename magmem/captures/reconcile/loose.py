"""Rows as sources tell them, before rows about the same object are merged.

A `Loose` table holds the columns one source fills, as numpy arrays beside a mask of what is known.
References (`vmo`, `aspace`, `region`, `parent`) count rows of the same `Bundle`. An `Origin` is one
dump of a transcript, or one whole snapshot; its coverage is what it alone knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.captures.reconcile.rounding import printed_slack
from magmem.snapshot import Coverage, Snapshot
from magmem.snapshot.schema import TABLES, Column

__all__ = [
    "Bools",
    "Bundle",
    "Ints",
    "Loose",
    "Origin",
    "Values",
    "bundle_of",
    "concat",
    "loose",
]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Values = tuple[npt.NDArray[Any], Bools]
"""Values, and which of them are known."""

REFERENCES = {
    "regions": {"aspace": "aspaces", "vmo": "vmos"},
    "vmos": {"parent": "vmos"},
    "pages": {"vmo": "vmos"},
    "entries": {"region": "regions"},
    "handles": {"vmo": "vmos"},
}
"""Columns that hold row numbers, and of which table."""

HIDDEN = {"whole": np.dtype(bool)}
"""Columns no snapshot has: `whole` marks an address space that was dumped from end to end."""


@dataclass(slots=True)
class Origin:
    """One dump of a transcript, or one snapshot: where rows come from and what it knows.

    Attributes
    ----------
    source, dump : str
        File and kind of dump.
    first_line, last_line : int
        Lines of the file from 1; 0 if it has none.
    rounded : bool
        Some size was printed with a decimal.
    coverage : dict of facet to coverage
    whole_handles : set of int
        Processes whose handles it lists to the last.
    """

    source: str
    dump: str
    first_line: int = 0
    last_line: int = 0
    rounded: bool = False
    coverage: dict[str, Coverage] = field(default_factory=dict)
    whole_handles: set[int] = field(default_factory=set)

    def place(self, line: int, row: int) -> str:
        """Where a row stands, for a message."""
        return f"line {line}" if line else f"row {row}"


@dataclass(frozen=True, slots=True)
class Loose:
    """Rows of one table.

    Attributes
    ----------
    origin, line : int64 arrays
        Number of the `Origin`, and line in it (0 if none).
    columns : mapping of name to (values, known)
        Columns of `magmem.snapshot.TABLES`, and those of `HIDDEN`.
    slack : mapping of name to int64 array
        Bytes by which a size may differ from the printed one.
    """

    origin: Ints
    line: Ints
    columns: Mapping[str, Values]
    slack: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.origin)

    def column(self, name: str) -> Values:
        """The column, or one in which nothing is known."""
        if name in self.columns:
            return self.columns[name]
        return np.zeros(len(self), np.int64), np.zeros(len(self), bool)


Bundle = dict[str, Loose]
"""Loose tables by name that refer to each other's rows."""


def loose(
    table: str,
    origin: Sequence[int] | Ints,
    line: Sequence[int] | Ints,
    columns: Mapping[str, Any],
    slack: Mapping[str, Any] | None = None,
) -> Loose:
    """Loose rows from what a reader gathered.

    Parameters
    ----------
    columns : mapping of name to array-like
        Integers and choices: −1 is unknown (choices are codes). Text and lists of addresses:
        ``None`` is unknown. Arrays of addresses: all known. Booleans: −1, 0, 1.
    slack : mapping of name to array-like of int
    """
    return Loose(
        _ints(origin),
        _ints(line),
        {name: _values(table, name, given) for name, given in columns.items()},
        {name: _ints(given) for name, given in (slack or {}).items()},
    )


def _ints(given: Sequence[int] | Ints) -> Ints:
    return np.array(given, dtype=np.int64)


def _values(table: str, name: str, given: Any) -> Values:
    if name in HIDDEN:
        return np.array(given, dtype=bool), np.ones(len(given), bool)
    column = TABLES[table].columns[name]
    if column.sort == "text":
        return _texts(given)
    if column.sort == "uint":
        return _addresses(given)
    codes = np.array(given, dtype=np.int64)
    if column.sort == "bool":
        return codes == 1, codes >= 0
    return codes, codes >= 0


def _texts(given: Sequence[str | None]) -> Values:
    values = np.empty(len(given), dtype=object)
    values[:] = given
    known = np.array([value is not None for value in given], dtype=bool)
    return values, known


def _addresses(given: Sequence[int | None]) -> Values:
    if isinstance(given, list):
        known = np.array([value is not None for value in given], dtype=bool)
        return np.array([value or 0 for value in given], dtype=np.uint64), known
    return np.array(given, dtype=np.uint64), np.ones(len(given), bool)


def bundle_of(snap: Snapshot, origin: int) -> Bundle:
    """A snapshot's rows as loose rows of one origin."""
    rounded = bool(snap.sources["rounded"].any())
    bundle: Bundle = {}
    for name, table in TABLES.items():
        frame = getattr(snap, name)
        if not len(frame):
            continue
        columns = {
            column.name: values
            for column in table.columns.values()
            if (values := _from_series(frame[column.name], column))[1].any()
        }
        slack = {
            key: printed_slack(*values)
            for key, values in columns.items()
            if rounded and table.columns[key].unit == "bytes"
        }
        if name == "kmem" and slack:
            # The heap is the sum of two printed sizes.
            slack["total_heap_bytes"] = 2 * np.max(list(slack.values()), axis=0)
        if name == "aspaces":
            columns["whole"] = _whole(snap), np.ones(len(frame), bool)
        rows = np.zeros(len(frame), np.int64)
        bundle[name] = Loose(rows + origin, rows, columns, slack)
    return bundle


def _whole(snap: Snapshot) -> Bools:
    """Address spaces shown from end to end: all their regions have an address, none is elided."""
    kernel = (snap.aspaces["kind"] == "kernel").to_numpy(dtype=bool)
    facet = np.where(kernel, snap.coverage["kernel mappings"], snap.coverage["mappings"])
    cut = snap.notes["kind"].isin(["elided", "truncated"]).any()
    aspace = snap.regions["aspace"].to_numpy()
    rooted = np.zeros(len(kernel), bool)
    rooted[aspace[(snap.regions["depth"] == 0).to_numpy()]] = True
    rooted[aspace[snap.regions["base"].isna().to_numpy()]] = False
    whole = (facet == "complete") | (rooted & (facet == "partial") & ~cut)
    return np.asarray(whole, dtype=np.bool_)


def _from_series(series: pd.Series[Any], column: Column) -> Values:
    if column.sort == "choice":
        codes = series.cat.codes.to_numpy().astype(np.int64)
        return codes, codes >= 0
    known = series.notna().to_numpy(dtype=bool)
    if column.sort == "text":
        # pandas.NA has no truth value, so it must not stay in an array that is compared.
        texts = series.to_numpy(dtype=object, copy=True)
        texts[~known] = None
        return texts, known
    if column.sort == "bool":
        return series.fillna(False).to_numpy(dtype=bool), known
    kind = np.uint64 if column.sort == "uint" else np.int64
    return series.fillna(0).to_numpy(dtype=kind), known


def concat(bundles: Sequence[Bundle]) -> dict[str, Loose]:
    """All bundles' rows, table by table, with references moved along."""
    sizes = {name: [len(bundle.get(name, ())) for bundle in bundles] for name in TABLES}
    starts = {name: np.concatenate([[0], np.cumsum(counts)]) for name, counts in sizes.items()}
    tables: dict[str, Loose] = {}
    for name in TABLES:
        parts = [(at, bundle[name]) for at, bundle in enumerate(bundles) if name in bundle]
        names = dict.fromkeys(key for _, part in parts for key in part.columns)
        columns: dict[str, Values] = {}
        for key in names:
            offset = starts.get(REFERENCES.get(name, {}).get(key, ""))
            columns[key] = _joined(parts, key, offset)
        slacks = dict.fromkeys(key for _, part in parts for key in part.slack)
        empty = [np.zeros(0, np.int64)]
        tables[name] = Loose(
            np.concatenate([part.origin for _, part in parts] or empty),
            np.concatenate([part.line for _, part in parts] or empty),
            columns,
            {
                key: np.concatenate(
                    [part.slack.get(key, np.zeros(len(part), np.int64)) for _, part in parts]
                )
                for key in slacks
            },
        )
    return tables


def _joined(parts: Sequence[tuple[int, Loose]], key: str, offset: Ints | None) -> Values:
    dtype = next(part.columns[key][0].dtype for _, part in parts if key in part.columns)
    values: list[npt.NDArray[Any]] = []
    known: list[Bools] = []
    for at, part in parts:
        if key in part.columns:
            given, mask = part.columns[key]
            values.append(given if offset is None else given + offset[at])
            known.append(mask)
        else:
            values.append(np.zeros(len(part), dtype))
            known.append(np.zeros(len(part), bool))
    return np.concatenate(values), np.concatenate(known)

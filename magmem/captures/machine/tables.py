"""The ``tables`` field: whole tables of a snapshot, one record per row.

It carries what a description cannot tell: reported figures, rows whose place in the machine is
unknown, sources and notes. A table given here replaces the one described. Fields are the columns
of `magmem.snapshot.TABLES`; a field that is absent is missing; addresses are ``"0x…"`` strings.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from magmem.captures.columns import (
    Place,
    addresses,
    check_choices,
    integers,
    offsets,
    texts,
)
from magmem.captures.json_text import shorten
from magmem.captures.machine.format import Tables
from magmem.errors import CaptureError
from magmem.snapshot import TABLES, Column, Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["given_tables", "plain_values", "table_records"]

_JSON = json.JSONEncoder(ensure_ascii=False).encode


def given_tables(tables: Tables, source: str) -> dict[str, Table]:
    """The tables that are given.

    Raises
    ------
    CaptureError
        A value that its column cannot hold; names the record.
    """
    made: dict[str, Table] = {}
    for name, table in TABLES.items():
        rows = getattr(tables, name)
        if rows is None:
            continue
        columns: dict[str, Any] = {}
        for column in table.columns.values():
            values = list(map(attrgetter(column.name), rows))
            if column.required or values.count(None) < len(values):
                columns[column.name] = _array(values, column, source, f"tables.{name}")
        if not columns:
            # Rows of which nothing is known are rows all the same.
            columns[next(iter(table.columns))] = [None] * len(rows)
        made[name] = Table.of(table, columns if rows else {})
    return made


def _array(values: Sequence[Any], column: Column, source: str, path: str) -> Any:
    place = partial(_row_place, path)
    if column.is_address:
        return addresses(values, source, place, column.name)
    if column.sort == "uint":
        _check_64_bits(values, source, place, column.name)
        return offsets(values)
    if column.sort == "text":
        return texts(values)
    if column.sort == "choice":
        check_choices(values, column.choices, source, place, column.name)
        return values
    if column.sort == "int" and not column.required:
        return integers(values)
    return values


def _check_64_bits(values: Sequence[int | None], source: str, place: Place, field: str) -> None:
    for row, value in enumerate(values):
        if value is not None and value >= 1 << 64:
            where = f"{place(row)}.{field}"
            raise CaptureError(source, where, "a number below 2^64", shorten(value))


def _row_place(path: str, row: int) -> str:
    return f"{path}[{row}]"


def table_records(name: str, frame: pd.DataFrame) -> list[str]:
    """Each row of a table as one line of JSON, without what is missing."""
    columns = TABLES[name].columns.values()
    lists = [plain_values(frame[column.name], column) for column in columns]
    names = [column.name for column in columns]
    return [
        _JSON({key: value for key, value in zip(names, row, strict=True) if value is not None})
        for row in zip(*lists, strict=True)
    ]


def plain_values(series: pd.Series[Any], column: Column) -> list[Any]:
    """A column as Python values, ``None`` where missing, addresses as ``"0x…"``."""
    known = series.notna().to_numpy(dtype=bool)
    values: list[Any] = series.astype(object).where(known, None).tolist()
    if column.is_address:
        return [None if value is None else f"{value:#x}" for value in values]
    return values

"""Rows to Parquet bytes, by DuckDB: typed, zstd, with facts about the file in its footer."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from magmem.fleet.errors import needs

__all__ = ["connect", "parquet_bytes", "quoted", "text"]


def connect(**config: Any) -> Any:
    """A DuckDB connection in memory.

    Raises
    ------
    FleetError
        DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise needs("fleet", "duckdb") from None
    return duckdb.connect(":memory:", config=config)


@cache
def _writer() -> Any:
    return connect(threads=1)


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def parquet_bytes(
    columns: Mapping[str, list[Any]], types: Mapping[str, str], footer: Mapping[str, str]
) -> bytes:
    """A table as a Parquet file.

    Parameters
    ----------
    columns : mapping of name to list
        Values, None where missing; all of one length.
    types : mapping of name to DuckDB type
        Which columns there are, in order.
    footer : mapping
        Key-value metadata.
    """
    import pandas as pd

    frame = pd.DataFrame({name: _array(pd, columns[name], kind) for name, kind in types.items()})
    writer = _writer().cursor()
    writer.register("rows", frame)
    casts = ", ".join(f"{quoted(name)}::{kind} AS {quoted(name)}" for name, kind in types.items())
    pairs = ", ".join(f"{quoted(key)}: {text(value)}" for key, value in footer.items())
    with tempfile.TemporaryDirectory(prefix="magmem-") as scratch:
        path = Path(scratch) / "rows.parquet"
        writer.execute(
            f"COPY (SELECT {casts} FROM rows) TO {text(str(path))} "
            f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{pairs}}})"
        )
        writer.unregister("rows")
        return path.read_bytes()


def _array(pd: Any, values: list[Any], kind: str) -> Any:
    dtype = {"BIGINT": "Int64", "BOOLEAN": "boolean"}.get(kind)
    if dtype:
        return pd.array(values, dtype=dtype)
    return pd.Series(values, dtype=object)

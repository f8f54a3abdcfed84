"""The facts as SQL views: DuckDB over the fleet's Parquet files, for reading only.

Each view has every documented column, also where older batches lack one (NULL there). SQL that a
user types may only select: the connection has no access beyond the fleet's files, a limit of
memory, and a configuration that can no longer be changed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import Any

from magmem.fleet.catalog import Catalog, catalog_of
from magmem.fleet.errors import FleetError
from magmem.fleet.parquet import connect, quoted, text
from magmem.fleet.place import Place
from magmem.fleet.tables import LABELS, REFUSED, TABLES

__all__ = ["MEMORY", "Engine", "frame_of"]

MEMORY = "1GB"
"""What DuckDB may use unless a fleet is opened with another limit."""


class Engine:
    """One connection over one look at the fleet's files.

    Parameters
    ----------
    place : Place
    memory : str
        DuckDB's memory limit; what does not fit is spilled to a temporary folder.
    threads : int or None
        None for as many as DuckDB takes.
    """

    def __init__(self, place: Place, memory: str = MEMORY, threads: int | None = None) -> None:
        self.place = place
        self.catalog: Catalog = catalog_of(place)
        self._spill = tempfile.TemporaryDirectory(prefix="magmem-fleet-")
        config: dict[str, Any] = {"memory_limit": memory, "temp_directory": self._spill.name}
        config |= {"threads": threads or min(4, os.cpu_count() or 1)}
        self.connection = connect(**config)
        self.further: tuple[str, ...] = ()
        self._prepare()

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query of our own."""
        rows: list[tuple[Any, ...]] = self.connection.execute(sql, list(values)).fetchall()
        return rows

    def typed(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The same as a DataFrame: whole numbers stay whole, also beside missing ones."""
        done = self.connection.execute(sql, list(values))
        names = [(column[0], str(column[1])) for column in done.description]
        return frame_of(names, done.fetchall())

    def select(self, sql: str) -> Any:
        """A user's query as a DataFrame.

        Raises
        ------
        FleetError
            Not one SELECT, or DuckDB refuses it; its words say why.
        """
        import duckdb

        try:
            statements = duckdb.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                kinds = ", ".join(one.type.name for one in statements) or "nothing"
                raise FleetError(f"expected one SELECT statement, found {kinds}")
            return self.typed(sql)
        except duckdb.Error as error:
            raise FleetError(str(error)) from None

    def close(self) -> None:
        """Free the connection and what it spilled."""
        self.connection.close()
        self._spill.cleanup()

    def _prepare(self) -> None:
        reader = self.connection
        if not self.place.is_local:
            reader.register_filesystem(self.place.fs)
        reader.execute("SET TimeZone = 'UTC'")
        reader.execute("SET enable_progress_bar = false")
        reader.execute("SET parquet_metadata_cache = true")
        self._refused()
        extra = self._view("captures", "captures")
        self.further = tuple(name for name in extra if name not in TABLES["captures"])
        for table in TABLES:
            if table != "captures":
                self._view(table, table)
        self._without_doubles()
        reader.execute("SET python_enable_replacements = false")
        inside = self.place.url("")
        # DuckDB sees a memory path with the slash that fsspec gives it.
        allowed = [text(f"{inside.rstrip('/')}/"), text(f"{self._spill.name}/")]
        reader.execute(f"SET allowed_directories = [{', '.join(allowed)}]")
        reader.execute("SET enable_external_access = false")
        reader.execute("SET lock_configuration = true")

    def _view(self, table: str, name: str) -> list[str]:
        """Make a view of a table; returns the columns its files have beside the documented ones."""
        known = {**LABELS, **TABLES[table]}
        files = self.catalog.files[table]
        there: list[str] = []
        if files:
            listed = ", ".join(map(text, files))
            scan = f"read_parquet([{listed}], union_by_name = true, filename = '_file')"
            rows = self.query(f"DESCRIBE SELECT * FROM {scan}")
            there = [row[0] for row in rows if row[0] != "_file"]
        columns = [
            f"{quoted(key)}::{kind} AS {quoted(key)}"
            if key in there
            else f"NULL::{kind} AS {quoted(key)}"
            for key, kind in known.items()
        ]
        more = [key for key in there if key not in known]
        columns += [quoted(key) for key in more]
        if files:
            inner = f"SELECT {', '.join(columns)}, _file FROM {scan}"
        else:
            inner = f"SELECT {', '.join(columns)}, NULL::VARCHAR AS _file WHERE false"
        self.connection.execute(f"CREATE VIEW _{name} AS {inner}")
        self.connection.execute(f"CREATE VIEW {name} AS SELECT * EXCLUDE (_file) FROM _{name}")
        return more

    def _without_doubles(self) -> None:
        """Two ingests at once may both bring a capture: the first batch by name has it."""
        (every, distinct), *_ = self.query(
            "SELECT count(capture_id), count(DISTINCT capture_id) FROM captures"
        )
        if every == distinct:
            return
        self.connection.execute(
            "CREATE TABLE _doubles AS SELECT capture_id, parse_filename(_file) AS batch FROM "
            "_captures QUALIFY row_number() OVER (PARTITION BY capture_id "
            "ORDER BY parse_filename(_file)) > 1"
        )
        for table in TABLES:
            self.connection.execute(
                f"CREATE OR REPLACE VIEW {table} AS SELECT * EXCLUDE (_file) FROM _{table} AS t "
                "WHERE NOT EXISTS (SELECT 1 FROM _doubles AS d WHERE d.capture_id = t.capture_id "
                "AND d.batch = parse_filename(t._file))"
            )

    def _refused(self) -> None:
        stems = self.place.names("refused", ".parquet")
        columns = ", ".join(
            f"{quoted(key)}::{kind} AS {quoted(key)}" for key, kind in REFUSED.items()
        )
        if stems:
            files = ", ".join(text(self.place.url(f"refused/{stem}.parquet")) for stem in stems)
            source = f"SELECT {columns} FROM read_parquet([{files}], union_by_name = true)"
        else:
            nothing = ", ".join(f"NULL::{kind} AS {quoted(key)}" for key, kind in REFUSED.items())
            source = f"SELECT {nothing} WHERE false"
        self.connection.execute(f"CREATE VIEW refused AS {source}")


def frame_of(columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]) -> Any:
    """A DataFrame of DuckDB's rows, typed by DuckDB's types; missing stays missing."""
    import pandas as pd

    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    data = {}
    for (name, kind), column in zip(columns, values, strict=True):
        data[name] = _series(pd, kind, list(column))
    return pd.DataFrame(data)


def _series(pd: Any, kind: str, values: list[Any]) -> Any:
    if kind.endswith("INT") or kind in ("INTEGER", "NUMBER"):
        fits = all(value is None or -(1 << 63) <= value < 1 << 63 for value in values)
        return pd.array(values, dtype="Int64") if fits else pd.Series(values, dtype=object)
    if kind in ("DOUBLE", "FLOAT"):
        return pd.array(values, dtype="Float64")
    if kind == "BOOLEAN":
        return pd.array(values, dtype="boolean")
    if kind == "VARCHAR":
        return pd.array(values, dtype="string")
    if kind in ("TIMESTAMP", "DATE"):
        return pd.to_datetime(pd.Series(values, dtype=object))
    return pd.Series(values, dtype=object)

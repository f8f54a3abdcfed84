"""One machine state: the documented tables, what is known of them, and where they come from.

A `Snapshot` is made once and then only read. Its constructor checks the tables against
`magmem.snapshot.schema` and raises `SnapshotError` naming table, row and rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from magmem.errors import SnapshotError
from magmem.snapshot import validation
from magmem.snapshot.schema import FACETS, PAGE_BYTES, TABLES
from magmem.snapshot.table import Table, is_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Coverage", "Snapshot"]

Coverage = Literal["complete", "partial", "absent"]


@dataclass(frozen=True, slots=True)
class Tables:
    """The eleven tables of a snapshot as arrays, by name: ``tables.tasks``, ``tables["tasks"]``."""

    tasks: Table
    aspaces: Table
    regions: Table
    vmos: Table
    pages: Table
    entries: Table
    handles: Table
    arenas: Table
    kmem: Table
    sources: Table
    notes: Table

    def __getitem__(self, name: str) -> Table:
        table: Table = getattr(self, name)
        return table


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Snapshot:
    """One machine state as plain tables (columns, dtypes and units: `magmem.snapshot.TABLES`).

    Make one with `Snapshot.of`; get one from `magmem.read_capture`, `magmem.datasets.load` or
    `Machine.snapshot`.

    Attributes
    ----------
    tasks, aspaces, regions, vmos, pages, entries, handles, arenas, kmem, sources, notes
        pandas DataFrames, made on first use; see `magmem.snapshot.TABLES` for what each row and
        column means.
    table : Tables
        The same tables as arrays: ``snap.table.tasks.ints("koid")``.
    name : str
        What the state is called; may be empty.
    root_job_koid : int or None
        The job userspace tools start from; its parent, if listed, is the super-root.
    memgraph_self_koid : int
        Koid of the process `memgraph` runs as; 0 if none.
    timestamp : tuple of (int, int) or None
        Seconds and nanoseconds of UTC.
    timestamp_iso : str
        The same as the source writes it; empty if unknown.
    coverage : mapping of str to str
        For each facet of `magmem.snapshot.FACETS`: complete, partial or absent.
    page_bytes : int
        Bytes of a page.
    """

    tasks: pd.DataFrame
    aspaces: pd.DataFrame
    regions: pd.DataFrame
    vmos: pd.DataFrame
    pages: pd.DataFrame
    entries: pd.DataFrame
    handles: pd.DataFrame
    arenas: pd.DataFrame
    kmem: pd.DataFrame
    sources: pd.DataFrame
    notes: pd.DataFrame
    name: str = ""
    root_job_koid: int | None = None
    memgraph_self_koid: int = 0
    timestamp: tuple[int, int] | None = None
    timestamp_iso: str = ""
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    page_bytes: int = PAGE_BYTES

    def __init__(
        self,
        *,
        name: str = "",
        root_job_koid: int | None = None,
        memgraph_self_koid: int = 0,
        timestamp: tuple[int, int] | None = None,
        timestamp_iso: str = "",
        coverage: Mapping[str, Coverage] | None = None,
        page_bytes: int = PAGE_BYTES,
        **tables: Table | pd.DataFrame,
    ) -> None:
        coverage = coverage or {}
        unknown = coverage.keys() - FACETS.keys()
        if unknown:
            raise KeyError(f"no facet {min(unknown)!r}; facets are {', '.join(FACETS)}")
        whole: dict[str, Coverage] = {f: coverage.get(f, "absent") for f in FACETS}
        if tables.keys() != TABLES.keys():
            odd = min(tables.keys() ^ TABLES.keys())
            raise TypeError(f"a Snapshot takes every table once; {odd!r} is not so")
        facts: dict[str, object] = {
            "table": Tables(**_checked({each: tables[each] for each in TABLES}, {})),
            "name": name,
            "root_job_koid": root_job_koid,
            "memgraph_self_koid": memgraph_self_koid,
            "timestamp": timestamp,
            "timestamp_iso": timestamp_iso,
            "coverage": MappingProxyType(whole),
            "page_bytes": page_bytes,
        }
        self.__dict__.update(facts)

    def __getattr__(self, name: str) -> pd.DataFrame:
        """A table as a DataFrame, made on first use and kept with the table."""
        if name not in TABLES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.table[name].df

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *TABLES})

    def __getstate__(self) -> dict[str, Any]:
        """The state without what follows from it."""
        facts = {name: self.__dict__[name] for name in _FACTS}
        return {**facts, "coverage": dict(self.coverage)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, coverage=MappingProxyType(state["coverage"]))

    @classmethod
    def of(
        cls, tables: Mapping[str, Mapping[str, Any] | Table | pd.DataFrame], **meta: Any
    ) -> Snapshot:
        """A snapshot from columns by table name.

        Parameters
        ----------
        tables : mapping of table name to columns, Table or DataFrame
            Columns are array-likes by column name, or pairs of arrays (values, and where they are
            known); tables and nullable columns may be left out.
        **meta
            The other attributes of `Snapshot`.

        Raises
        ------
        SnapshotError
            A table breaks its documented rules.
        """
        made = _made(tables)
        whole: dict[str, Any] = {name: made.get(name, _empty(name)) for name in TABLES}
        return cls(**whole, **meta)

    def with_tables(
        self, tables: Mapping[str, Mapping[str, Any] | Table | pd.DataFrame]
    ) -> Snapshot:
        """The same state with other rows in some tables; the rest is shared.

        Columns are checked in these tables alone, references in all: for many states that differ
        little it is quicker than `of`.

        Parameters
        ----------
        tables : mapping of table name to columns, Table or DataFrame
            As for `of`.

        Raises
        ------
        SnapshotError
            A table breaks its documented rules, or no longer fits the others.
        """
        kept = {name: self.table[name] for name in TABLES}
        return self._twin(table=Tables(**_checked(_made(tables), kept)))

    def _twin(self, **changes: object) -> Snapshot:
        """A state made of this one, without what has been computed from it and kept with it."""
        twin = object.__new__(Snapshot)
        twin.__dict__.update({name: self.__dict__[name] for name in _FACTS} | changes)
        return twin

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name, in the order of `magmem.snapshot.TABLES`."""
        return {name: self.table[name].df for name in TABLES}

    @property
    def jobs(self) -> pd.DataFrame:
        """The job rows of `tasks`."""
        return self.tasks[self.tasks["kind"] == "job"]

    @property
    def processes(self) -> pd.DataFrame:
        """The process rows of `tasks`."""
        return self.tasks[self.tasks["kind"] == "process"]

    @property
    def threads(self) -> pd.DataFrame:
        """The thread rows of `tasks`."""
        return self.tasks[self.tasks["kind"] == "thread"]

    @property
    def mappings(self) -> pd.DataFrame:
        """The mapping rows of `regions`."""
        return self.regions[self.regions["kind"] == "mapping"]

    def knows(self, *facets: str) -> bool:
        """Whether each of these facets is complete."""
        return all(self.coverage[facet] == "complete" for facet in facets)

    def renamed(self, name: str) -> Snapshot:
        """The same state under another name; the tables are shared, not checked again."""
        return self._twin(name=name)

    def equals(self, other: Snapshot) -> bool:
        """Whether both hold the same state, to the last value."""
        meta = ("name", "root_job_koid", "memgraph_self_koid", "timestamp", "timestamp_iso")
        return (
            all(getattr(self, key) == getattr(other, key) for key in meta)
            and dict(self.coverage) == dict(other.coverage)
            and self.page_bytes == other.page_bytes
            and all(self.table[name].equals(other.table[name]) for name in TABLES)
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the state as a machine description (`reference/machine-format.md`), atomically.

        Raises
        ------
        OSError
            The file cannot be written; what stood there before is untouched.
        """
        from magmem.captures import save_machine

        save_machine(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Snapshot:
        """Read a machine description written by `save` (any capture: `magmem.read_capture`)."""
        from magmem.captures import load_machine

        return load_machine(path)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{len(self.table[name]):,} {name}" for name in TABLES if len(self.table[name])
        )
        return f"<Snapshot {self.name or 'unnamed'}: {counts or 'empty'}>"


_FACTS = ("table", *(each.name for each in fields(Snapshot) if each.name not in TABLES))
"""What a state consists of."""


def _made(
    tables: Mapping[str, Mapping[str, Any] | Table | pd.DataFrame],
) -> dict[str, Table | pd.DataFrame]:
    """The given tables with every column; DataFrames as they are, for `_checked` to read."""
    unknown = tables.keys() - TABLES.keys()
    if unknown:
        raise KeyError(f"no table {min(unknown)!r}; tables are {', '.join(TABLES)}")
    return {
        name: given
        if isinstance(given, Table) or is_frame(given)
        else (Table.of(TABLES[name], given) if given else _empty(name))
        for name, given in tables.items()
    }


def _checked(
    tables: Mapping[str, Table | pd.DataFrame], kept: dict[str, Table]
) -> dict[str, Table]:
    """All tables, those given in place of those kept; checked, the first broken rule first."""
    whole = dict(kept)
    for name, given in tables.items():
        table = given if isinstance(given, Table) else _read(name, given)
        if table.spec.name != name:
            found = ", ".join(table.spec.columns)
            raise SnapshotError(name, "columns", ", ".join(TABLES[name].columns), found)
        validation.columns(table)
        whole[name] = table
    validation.references(whole)
    return whole


def _read(name: str, frame: pd.DataFrame) -> Table:
    from magmem.snapshot.frames import table_of

    return table_of(TABLES[name], frame)


@cache
def _empty(name: str) -> Table:
    return Table.of(TABLES[name])

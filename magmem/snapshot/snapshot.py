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
from typing import Any, Literal

import pandas as pd

from magmem.snapshot import validation
from magmem.snapshot.schema import FACETS, PAGE_BYTES, TABLES

__all__ = ["Coverage", "Snapshot"]

Coverage = Literal["complete", "partial", "absent"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One machine state as plain tables (columns, dtypes and units: `magmem.snapshot.TABLES`).

    Make one with `Snapshot.of`; get one from `magmem.read_capture`, `magmem.datasets.load` or
    `Machine.snapshot`.

    Attributes
    ----------
    tasks, aspaces, regions, vmos, pages, entries, handles, arenas, kmem, sources, notes
        pandas DataFrames; see `magmem.snapshot.TABLES` for what each row and column means.
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

    def __post_init__(self) -> None:
        unknown = self.coverage.keys() - FACETS.keys()
        if unknown:
            raise KeyError(f"no facet {sorted(unknown)[0]!r}; facets are {', '.join(FACETS)}")
        whole: dict[str, Coverage] = {f: self.coverage.get(f, "absent") for f in FACETS}
        object.__setattr__(self, "coverage", MappingProxyType(whole))
        validation.check(self)

    @classmethod
    def of(cls, tables: Mapping[str, Mapping[str, Any] | pd.DataFrame], **meta: Any) -> Snapshot:
        """A snapshot from columns by table name.

        Parameters
        ----------
        tables : mapping of table name to columns or DataFrame
            Columns are array-likes by column name; tables and nullable columns may be left out.
        **meta
            The other attributes of `Snapshot`.

        Raises
        ------
        SnapshotError
            A table breaks its documented rules.
        """
        frames = _frames(tables)
        for name in TABLES.keys() - frames.keys():
            frames[name] = _empty(name)
        return cls(**frames, **meta)

    def with_tables(self, tables: Mapping[str, Mapping[str, Any] | pd.DataFrame]) -> Snapshot:
        """The same state with other rows in some tables; the rest is shared.

        Columns are checked in these tables alone, references in all: for many states that differ
        little it is quicker than `of`.

        Parameters
        ----------
        tables : mapping of table name to columns or DataFrame
            As for `of`.

        Raises
        ------
        SnapshotError
            A table breaks its documented rules, or no longer fits the others.
        """
        frames = _frames(tables)
        twin = object.__new__(Snapshot)
        for each in fields(self):  # not what has been computed from this state and kept with it
            object.__setattr__(twin, each.name, frames.get(each.name, getattr(self, each.name)))
        validation.check(twin, columns_of=frames)
        return twin

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name, in the order of `magmem.snapshot.TABLES`."""
        return {name: getattr(self, name) for name in TABLES}

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
        twin = object.__new__(Snapshot)
        for each in fields(self):  # not what has been computed from this state and kept with it
            object.__setattr__(twin, each.name, getattr(self, each.name))
        object.__setattr__(twin, "name", name)
        return twin

    def equals(self, other: Snapshot) -> bool:
        """Whether both hold the same state, to the last value."""
        meta = ("name", "root_job_koid", "memgraph_self_koid", "timestamp", "timestamp_iso")
        return (
            all(getattr(self, key) == getattr(other, key) for key in meta)
            and dict(self.coverage) == dict(other.coverage)
            and self.page_bytes == other.page_bytes
            and all(frame.equals(other.tables()[name]) for name, frame in self.tables().items())
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
            f"{len(frame):,} {name}" for name, frame in self.tables().items() if len(frame)
        )
        return f"<Snapshot {self.name or 'unnamed'}: {counts or 'empty'}>"


def _frames(
    tables: Mapping[str, Mapping[str, Any] | pd.DataFrame],
) -> dict[str, pd.DataFrame]:
    """The given tables as DataFrames with every column."""
    unknown = tables.keys() - TABLES.keys()
    if unknown:
        raise KeyError(f"no table {sorted(unknown)[0]!r}; tables are {', '.join(TABLES)}")
    return {
        name: given
        if isinstance(given, pd.DataFrame)
        else (TABLES[name].frame(given) if given else _empty(name))
        for name, given in tables.items()
    }


@cache
def _empty_frame(name: str) -> pd.DataFrame:
    return TABLES[name].frame()


def _empty(name: str) -> pd.DataFrame:
    """A table without rows; a shallow copy, so that nobody's change reaches another snapshot."""
    return _empty_frame(name).copy(deep=False)

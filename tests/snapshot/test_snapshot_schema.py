"""The snapshot's tables: documented columns, enforced dtypes, rules and references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from magmem import account
from magmem.errors import SnapshotError
from magmem.kernel.mappings import view_of
from magmem.snapshot import FACETS, TABLES, Snapshot

TASKS = {"koid": [1, 2, 3], "kind": ["job", "process", "thread"], "parent_koid": [None, 1, 2]}
VMOS = {"id": ["a", "b"], "pages_known": [True, True]}


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_documented(name: str) -> None:
    """Each table and column says what it means; byte and page columns carry their unit."""
    table = TABLES[name]
    assert table.doc
    for column in table.columns.values():
        assert column.doc.endswith("."), column.name
        if column.name.endswith("_bytes"):
            assert column.unit == "bytes"


@pytest.mark.parametrize("name", TABLES)
def test_empty_tables_have_their_dtypes(name: str) -> None:
    """A table without rows still has every column in its documented dtype."""
    frame = getattr(Snapshot.of({}), name)
    assert {c: frame[c].dtype for c in frame} == {
        c.name: c.dtype for c in TABLES[name].columns.values()
    }


def test_unknown_is_missing_not_zero() -> None:
    """A column that is not given is missing in every row."""
    snap = Snapshot.of({"tasks": TASKS})
    assert snap.tasks["reported_pss_bytes"].isna().all()
    assert snap.tasks["name"].isna().all()
    assert snap.tasks["state"].isna().all()


def test_views_by_kind() -> None:
    """Jobs, processes, threads and mappings are the rows of their kind."""
    regions = {"aspace": [0, 0], "depth": [0, 1], "kind": ["vmar", "mapping"], "vmo": [None, 1]}
    aspaces = {"kind": ["user"], "process_koid": [2]}
    snap = Snapshot.of({"tasks": TASKS, "aspaces": aspaces, "regions": regions, "vmos": VMOS})
    assert snap.jobs["koid"].tolist() == [1]
    assert snap.processes["koid"].tolist() == [2]
    assert snap.threads["koid"].tolist() == [3]
    assert snap.mappings["vmo"].tolist() == [1]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"tasks": {"koid": [1, 1], "kind": ["job", "job"]}}, "a koid of its own, found 1 again"),
        ({"tasks": {"koid": [0], "kind": ["job"]}}, "a koid above 0"),
        ({"tasks": {**TASKS, "parent_koid": [None, 9, 2]}}, "a parent in the table, found koid 9"),
        ({"tasks": {**TASKS, "parent_koid": [None, 1, 1]}}, "a process as parent, found koid 1"),
        (
            {"tasks": {"koid": [1, 2], "kind": ["job", "job"], "parent_koid": [2, 1]}},
            "parents that end at a root, found a cycle",
        ),
        (
            {"tasks": {"koid": [1, 2], "kind": ["process", "job"]}},
            "jobs, then processes, then threads",
        ),
        ({"vmos": {"id": ["a", "a"], "pages_known": [True, True]}}, "an? id of its own"),
        ({"vmos": {**VMOS, "koid": [7, 7]}}, "a koid of its own, found 7 again"),
        ({"vmos": {**VMOS, "parent": [1, 0]}}, "found a cycle"),
        ({"vmos": {**VMOS, "parent": [None, 2]}}, "parent in 0 … 1, found 2"),
        ({"vmos": {**VMOS, "size_bytes": [0, -4]}}, "size_bytes of 0 or more, found -4"),
        (
            {"vmos": VMOS, "pages": {"vmo": [0], "first_page": [0], "page_count": [0]}},
            "a run of 1 page or more",
        ),
        (
            {"vmos": VMOS, "pages": {"vmo": [0, 0], "first_page": [0, 1], "page_count": [2, 1]}},
            "sorted, disjoint runs",
        ),
        (
            {"vmos": VMOS, "pages": {"vmo": [0], "first_page": [2**63 - 1], "page_count": [1]}},
            "a run that fits 63 bits",
        ),
        ({"aspaces": {"kind": ["user"], "process_koid": [5]}}, "a process of the tasks table"),
        ({"handles": {"process_koid": [5], "type": ["vmo"]}}, "a process of the tasks table"),
    ],
)
def test_broken_rules_name_table_and_row(
    tables: dict[str, dict[str, object]], message: str
) -> None:
    """Each rule of the tables is checked when a snapshot is made."""
    with pytest.raises(SnapshotError, match=message) as caught:
        Snapshot.of(tables)
    assert caught.value.table in TABLES


def test_wrong_dtype_is_refused() -> None:
    """A DataFrame of another dtype is refused, so that readers can rely on the schema."""
    frame = TABLES["kmem"].frame({"total_bytes": [1]}).astype({"total_bytes": "float64"})
    with pytest.raises(SnapshotError, match="dtype Int64, found float64"):
        Snapshot.of({"kmem": frame})


def test_unknown_columns_tables_and_facets_are_refused() -> None:
    """A misspelt name is an error, not a silent loss."""
    with pytest.raises(KeyError, match="no column 'kiod'"):
        Snapshot.of({"tasks": {"kiod": [1]}})
    with pytest.raises(KeyError, match="no table 'task'"):
        Snapshot.of({"task": {}})
    with pytest.raises(KeyError, match="no facet 'page'"):
        Snapshot.of({}, coverage={"page": "complete"})


def test_coverage_is_absent_unless_said() -> None:
    """A snapshot knows only what its maker says it knows."""
    snap = Snapshot.of({}, coverage={"jobs": "complete", "vmos": "partial"})
    assert snap.knows("jobs")
    assert not snap.knows("jobs", "vmos")
    assert set(snap.coverage) == set(FACETS)
    assert snap.coverage["pages"] == "absent"


def test_a_million_rows_need_no_python_loop() -> None:
    """Arrays become columns as they are: the same values, no copy for required integers."""
    vmo = np.zeros(1_000_000, np.int64)
    first = np.arange(1_000_000) * 2
    frame = TABLES["pages"].frame(
        {"vmo": vmo, "first_page": first, "page_count": np.ones(1_000_000, np.int64)}
    )
    assert np.shares_memory(frame["first_page"].to_numpy(), first)
    snap = Snapshot.of({"vmos": VMOS, "pages": frame})
    assert int(snap.pages["page_count"].sum()) == 1_000_000


def test_equals_sees_every_difference() -> None:
    """Two snapshots are equal only if each table, fact and coverage is."""
    snap = Snapshot.of({"tasks": TASKS}, name="x")
    assert snap.equals(Snapshot.of({"tasks": TASKS}, name="x"))
    assert not snap.equals(Snapshot.of({"tasks": TASKS}, name="y"))
    assert not snap.equals(Snapshot.of({"tasks": {**TASKS, "name": ["a", None, None]}}, name="x"))
    assert not snap.equals(Snapshot.of({"tasks": TASKS}, name="x", coverage={"jobs": "partial"}))


REGIONS = {"aspace": [0, 0], "depth": [0, 1], "kind": ["vmar", "mapping"], "vmo": [None, 1]}
ONE_SPACE = {
    "tasks": TASKS,
    "aspaces": {"kind": ["user"], "process_koid": [2]},
    "vmos": VMOS,
    "regions": REGIONS,
}


def test_other_rows_in_some_tables() -> None:
    """The state with other rows equals one made anew; the first keeps its own, and what follows."""
    first = Snapshot.of(ONE_SPACE, name="before", root_job_koid=1, coverage={"vmos": "complete"})
    charged = account(first, "exact").text
    regions = REGIONS | {"vmo": [None, 0]}
    second = first.with_tables({"regions": regions})
    meta = {"name": "before", "root_job_koid": 1, "coverage": {"vmos": "complete"}}
    assert second.equals(Snapshot.of(ONE_SPACE | {"regions": regions}, **meta))
    assert second.vmos is first.vmos
    assert view_of(second).vmo.tolist() == [0]
    assert view_of(first).vmo.tolist() == [1]
    assert account(first, "exact").text == charged


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        ({"regions": REGIONS | {"vmo": [None, 2]}}, "vmo in 0 … 1"),  # a column of the new rows
        ({"vmos": {"id": ["a"], "pages_known": [True]}}, "vmo in 0 … 0"),  # one that leads to them
        ({"vmos": {}}, "vmo in 0"),
        ({"regions": REGIONS | {"vmo": [1, 1]}}, "row 0: expected no vmo on a VMAR, found 1$"),
        ({"regions": REGIONS | {"size_bytes": [-1, 0]}}, "size_bytes of 0 or more"),
        ({"regions": TABLES["vmos"].frame(VMOS)}, "columns"),
    ],
)
def test_other_rows_are_checked(tables: dict[str, Any], named: str) -> None:
    """New rows keep every rule, and what the other tables refer to is still there."""
    first = Snapshot.of(ONE_SPACE)
    with pytest.raises(SnapshotError, match=named):
        first.with_tables(tables)
    with pytest.raises(KeyError, match="no table 'pies'"):
        first.with_tables({"pies": {}})


def test_repr_counts_rows() -> None:
    """The repr says what is in it, and nothing that changes from run to run."""
    assert repr(Snapshot.of({"tasks": TASKS}, name="x")) == "<Snapshot x: 3 tasks>"
    assert repr(Snapshot.of({})) == "<Snapshot unnamed: empty>"
    assert isinstance(Snapshot.of({}).tasks, pd.DataFrame)

"""What is written reads back equal, whole machines and partial snapshots alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.shared import goldens

from magmem.captures import dump_machine, load_machine, parse_machine, save_machine
from magmem.captures.machine import parse_machine as parse
from magmem.snapshot import FACETS, TABLES, Snapshot

MACHINES = ("system-1", "system-2", "system-doc-asd", "system-doc-ps", "system-doc-vmaps")
MACHINES += ("system-doc-vmos",)


def golden(name: str = "system-1") -> Snapshot:
    """A golden machine as a snapshot."""
    return load_machine(goldens() / f"{name}.json")


def partial() -> Snapshot:
    """A little of everything that a transcript may leave behind."""
    return Snapshot.of(
        {
            "tasks": {
                "koid": [1024, 1043, 1044, 1050],
                "kind": ["job", "process", "process", "thread"],
                "parent_koid": [None, 1024, None, 1043],
                "name": ["", 'quote " <b>', None, "tab\tnul\0"],
                "state": [None, "running", None, "unknown"],
                "exception_port": [None, None, None, "unknown"],
                "reported_pss_bytes": [None, 1419571, None, None],
            },
            "aspaces": {"kind": ["user", "user"], "process_koid": [1044, None]},
            "regions": {
                "aspace": [0, 0, 1],
                "depth": [3, 1, 0],
                "kind": ["mapping", "vmar", "mapping"],
                "base": [0xFFFFFFFFFFFFF000, None, 4096],
                "vmo": [0, None, 1],
                "reported_resident_bytes": [None, None, 8192],
            },
            "vmos": {
                "id": ["a", "b"],
                "koid": [None, 0],
                "is_clone": [True, None],
                "parent_koid": [7, None],
                "pages_known": [False, False],
                "reported_share_count": [2, None],
            },
            "pages": {"vmo": [0], "first_page": [3], "page_count": [1]},
            "entries": {"region": [2], "first_page": [0], "page_count": [2]},
            "handles": {"process_koid": [1044], "type": ["channel"]},
            "arenas": {"free_pages": [None, 5]},
            "kmem": {"timestamp": ["t1", None], "free_bytes": [5, None]},
            "sources": {
                "source": ["ps.txt"],
                "dump": ["ps"],
                "first_line": [3],
                "tables": ["tasks"],
                "rounded": [True],
            },
            "notes": {"kind": ["elided"], "source": ["ps.txt"], "message": ["…"]},
        },
        name="partial",
        timestamp_iso="2017",
        coverage={"processes": "complete", "vmos": "partial"},
    )


@pytest.mark.parametrize("name", MACHINES)
def test_a_golden_comes_back_as_it_was(name: str) -> None:
    """Description to snapshot to description changes no value and adds no field."""
    text = (goldens() / f"{name}.json").read_text()
    assert json.loads(dump_machine(parse_machine(text, name))) == json.loads(text)


@pytest.mark.parametrize("name", MACHINES)
def test_a_golden_keeps_its_layout(name: str) -> None:
    """Key order and lines are the goldens' (page states apart, whose order varies there)."""

    def lines(text: str) -> list[str]:
        return [line.partition('"page_states"')[0] for line in text.splitlines()]

    text = (goldens() / f"{name}.json").read_text()
    assert lines(dump_machine(parse_machine(text, name))) == lines(text)


@pytest.mark.parametrize("name", MACHINES)
def test_a_saved_machine_loads_equal(name: str, tmp_path: Path) -> None:
    """Snapshot to file to snapshot is the same state, whatever the file is called."""
    snap = golden(name)
    path = tmp_path / "machine"
    save_machine(snap, path)
    assert load_machine(path).equals(snap)
    snap.save(path)
    assert Snapshot.load(path).equals(snap)


def test_a_partial_snapshot_loads_equal() -> None:
    """Missing values, reported figures, odd rows, sources and notes all come back."""
    snap = partial()
    text = dump_machine(snap)
    assert parse_machine(text, "p.json").equals(snap)
    tree = json.loads(text)
    assert "processes" not in tree
    assert tree["coverage"] == {"processes": "complete", "vmos": "partial"}
    assert tree["tables"]["tasks"][1]["reported_pss_bytes"] == 1419571
    assert tree["tables"]["regions"][0]["base"] == "0xfffffffffffff000"


def test_an_empty_snapshot_loads_equal() -> None:
    """Nothing known is written as nothing known."""
    snap = Snapshot.of({})
    assert parse_machine(dump_machine(snap), "e.json").equals(snap)


def test_a_described_machine_keeps_what_only_tables_tell() -> None:
    """Entries are told in the mappings; sources, notes and earlier reports beside them."""
    snap = golden()
    mapping = int(np.flatnonzero(snap.regions["kind"] == "mapping")[0])
    tables: dict[str, Any] = {
        **snap.tables(),
        "entries": {"region": [mapping], "first_page": [1], "page_count": [2]},
        "sources": {"source": ["sim"], "dump": ["simulated machine"], "tables": [""]}
        | {"rounded": [False]},
        "kmem": pd.concat([snap.kmem, snap.kmem], ignore_index=True),
    }
    richer = Snapshot.of(tables, name="r", root_job_koid=1028, coverage=snap.coverage)
    tree = json.loads(dump_machine(richer))
    assert parse_machine(json.dumps(tree), "r.json").equals(richer)
    assert sorted(tree["tables"]) == ["kmem", "sources"]
    assert len(tree["processes"]) == len(snap.processes)


def test_vmars_too_deep_to_nest_are_told_as_rows() -> None:
    """A tree deeper than the format nests is written as a table and comes back equal."""
    snap = golden("system-doc-asd")
    regions = {"aspace": [1] * 600, "depth": list(range(600)), "kind": ["vmar"] * 600}
    deep = Snapshot.of({**snap.tables(), "regions": regions}, root_job_koid=1028)
    assert parse_machine(dump_machine(deep), "deep.json").equals(deep)


def test_one_record_stands_on_one_line() -> None:
    """The file is readable: a record never spans two lines."""
    for snap in (golden(), partial()):
        for line in dump_machine(snap).splitlines():
            stripped = line.strip().rstrip(",")
            if stripped.startswith("{") and stripped != "{":
                json.loads(stripped)


def test_saving_never_harms_what_was_there(tmp_path: Path) -> None:
    """A save that fails leaves the old file and no scratch file."""
    path = tmp_path / "m.json"
    golden().save(path)
    before = path.read_bytes()
    broken = golden("system-2")
    object.__setattr__(broken, "name", "\udc80")  # cannot be written as UTF-8
    with pytest.raises(UnicodeEncodeError):
        broken.save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.json"]


def missing(draw: st.DrawFn, snap: Snapshot) -> Snapshot:
    """`snap` with some columns unknown in some rows and some rows in another order."""
    tables = snap.tables()
    for name in draw(st.sets(st.sampled_from(sorted(TABLES)), min_size=1, max_size=3)):
        frame = tables[name].copy()
        optional = [
            column.name
            for column in TABLES[name].columns.values()
            if not column.required and column.name not in ("parent_koid", "parent")
        ]
        column = draw(st.sampled_from(optional or [None]))
        if column is not None and len(frame):
            rows = draw(st.sampled_from([slice(None), slice(0, 1), slice(1, None, 2)]))
            frame.loc[frame.index[rows], column] = pd.NA
        if name in ("handles", "vmos", "kmem", "arenas", "notes") and draw(st.booleans()):
            frame = frame.drop_duplicates().reset_index(drop=True)
        tables[name] = frame
    facets = draw(
        st.dictionaries(
            st.sampled_from(sorted(FACETS)), st.sampled_from(["complete", "partial", "absent"])
        )
    )
    return Snapshot.of(
        tables,
        name=draw(st.sampled_from(["", "x", "<script>"])),
        root_job_koid=draw(st.sampled_from([None, 1028, 5])),
        coverage={**snap.coverage, **facets},
    )


@settings(max_examples=60)
@given(data=st.data())
def test_any_valid_snapshot_loads_equal(data: st.DataObject) -> None:
    """Whatever the tables allow comes back equal, described or not."""

    @st.composite
    def snapshots(draw: st.DrawFn) -> Snapshot:
        return missing(draw, golden(draw(st.sampled_from(["system-doc-vmos", "system-1"]))))

    snap = data.draw(snapshots())
    assert parse(dump_machine(snap), "any.json").equals(snap)

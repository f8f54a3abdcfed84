"""`info` tells what a snapshot knows, whence, and what it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.shared import goldens

import magmem
from magmem.captures import load_machine
from magmem.snapshot import FACETS, Snapshot

PS_INFO = """\
What is known of guide

FACET            KNOWN     ROWS  FROM  MISSING
jobs             complete     3  ps
processes        complete    12  ps    state in every row
threads          absent       0  -     the threads of every process
mappings         absent       0  -     the address spaces, VMARs and mappings
kernel mappings  absent       0  -     the kernel's own address space
vmos             absent       0  -     the VMOs
pages            absent       0  -     the page runs each VMO owns
entries          absent       0  -     which pages are installed in page tables
handles          absent       0  -     the handles of every process
arenas           absent       0  -     the arenas of physical memory
kmem             absent       0  -     the kernel memory statistics

Tables and their rows: tasks 15, sources 1
Figures as the source reported them: tasks.reported_pss_bytes,
  tasks.reported_private_bytes, tasks.reported_shared_bytes

SOURCE    LINES  DUMP  SIZES    TABLES
guide-ps  2-18   ps    rounded  tasks
"""


def facets(snap: Snapshot) -> Any:
    """The rows of info by facet."""
    return magmem.info(snap).df.set_index("facet")


def test_info_of_a_transcript() -> None:
    """The text says facet by facet what is known and from which lines."""
    assert str(magmem.info(magmem.read_capture("guide-ps", name="guide"))) == PS_INFO


def test_a_whole_machine_misses_nothing() -> None:
    """Of a described machine only the page tables are unknown."""
    table = facets(load_machine(goldens() / "system-1.json"))
    assert table.index.tolist() == list(FACETS)
    assert table["missing"][table["missing"] != ""].index.tolist() == ["entries"]
    assert table["rows"].to_dict() == {
        "jobs": 3,
        "processes": 3,
        "threads": 6,
        "mappings": 66,
        "kernel mappings": 7,
        "vmos": 54,
        "pages": 74,
        "entries": 0,
        "handles": 16,
        "arenas": 1,
        "kmem": 1,
    }
    assert set(table["source"]) == {"machine description", ""}


def test_what_is_missing_is_counted() -> None:
    """Columns that matter are told with the number of rows in which they are unknown."""
    table = facets(magmem.read_capture(goldens() / "system-2" / "memgraph-v.json"))
    assert table["missing"]["mappings"] == (
        "the mappings of 2 of 8 processes; base, size_bytes, vmo_offset_bytes, perms in every row"
    )
    assert table["missing"]["vmos"] == "kind in every row; is_clone in 51 of 80 rows"
    assert table["missing"]["kmem"] == ""


def test_unknown_page_runs_are_counted() -> None:
    """Page runs that only some VMOs tell are missing for the others."""
    tree = json.loads((goldens() / "system-1.json").read_text())
    for vmo in tree["vmos"][10:13]:
        del vmo["committed"]
    snap = magmem.captures.parse_machine(json.dumps(tree), "m")
    assert facets(snap)["missing"]["pages"] == "the page runs of 3 of 54 VMOs"


def test_a_partial_facet_always_says_what_is_missing() -> None:
    """Partial without an unknown column means rows that are not there."""
    snap = load_machine(goldens() / "system-1.json")
    part = Snapshot.of(snap.tables(), coverage={**snap.coverage, "handles": "partial"})
    assert facets(part)["missing"]["handles"] == "rows that the source does not list"


def test_notes_stand_below() -> None:
    """Repairs, skipped fields and contradictions are listed with their place."""
    tree = json.loads((goldens() / "system-1.json").read_text())
    tree["vmos"][0]["colour"] = 1
    listing = magmem.info(magmem.captures.parse_machine(json.dumps(tree), "m.json"))
    lines = str(listing).splitlines()
    assert lines[-2].split() == ["NOTE", "SOURCE", "WHERE", "WHAT"]
    assert lines[-1] == "skipped  m.json  vmos[0]  field 'colour' is not one magmem reads"
    assert json.loads(listing.to_json())["notes"][0]["place"] == "vmos[0]"


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "a\tb", "<script>"])
def test_hostile_names_stay_on_their_line(name: str) -> None:
    """Whatever a name holds, the text has its lines and no control characters."""
    snap = magmem.read_capture("guide-ps", name=name)
    text = str(magmem.info(snap))
    assert len(text.splitlines()) == len(PS_INFO.splitlines())
    assert text.replace("\n", "").isprintable()
    assert "<script>" not in magmem.info(snap).html


def test_info_of_nothing() -> None:
    """A snapshot that knows nothing says so."""
    listing = magmem.info(Snapshot.of({}))
    assert set(listing.df["known"]) == {"absent"}
    assert "Tables and their rows: none" in str(listing)

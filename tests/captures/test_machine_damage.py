"""Damaged machine descriptions are refused or read, never worse."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from support.damage import damaged_bytes, damaged_tree, reads_or_refuses
from support.shared import goldens

from magmem.captures import dump_machine, parse_machine
from magmem.snapshot import Snapshot

GOOD = (goldens() / "system-doc-vmos.json").read_bytes()
TREE = json.loads((goldens() / "system-1.json").read_text())
PARTIAL = json.loads(dump_machine(Snapshot.of(parse_machine(GOOD, "good").tables())))


@settings(max_examples=150)
@given(data=damaged_bytes(GOOD))
def test_damaged_bytes_are_read_or_refused(data: bytes) -> None:
    """Injured bytes give a snapshot or one `CaptureError`."""
    reads_or_refuses(lambda: parse_machine(data, "damaged.json"))


@settings(max_examples=150)
@given(tree=damaged_tree(TREE))
def test_damaged_records_are_read_or_refused(tree: object) -> None:
    """Injured records give a `CaptureError`, or a snapshot that saves and loads equal."""
    answer = reads_or_refuses(lambda: parse_machine(json.dumps(tree), "damaged.json"))
    if isinstance(answer, Snapshot):
        assert parse_machine(dump_machine(answer), "again.json").equals(answer)


@settings(max_examples=100)
@given(tree=damaged_tree(PARTIAL))
def test_damaged_tables_are_read_or_refused(tree: object) -> None:
    """The same of a snapshot written as tables."""
    reads_or_refuses(lambda: parse_machine(json.dumps(tree), "damaged.json"))


@settings(max_examples=30)
@given(data=st.binary(max_size=200))
def test_junk_is_refused(data: bytes) -> None:
    """Random bytes give one `CaptureError`."""
    assert not isinstance(reads_or_refuses(lambda: parse_machine(data, "junk")), Snapshot)

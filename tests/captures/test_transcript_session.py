"""A console session with every dump of a machine is that machine, whatever the order and noise."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.described import Described
from support.sessions import dumps_of, session
from support.shared import goldens

from magmem.captures.merge import merge
from magmem.captures.transcript import read_transcript
from magmem.snapshot import Snapshot

PAGE = 4096


def known(value: Any) -> Any:
    """None for missing."""
    return None if pd.isna(value) else value


@pytest.fixture(scope="module")
def described() -> Described:
    """The machine whose every process is dumped in every way."""
    return Described(goldens() / "system-1.json")


@pytest.fixture(scope="module")
def dumps(described: Described) -> dict[str, str]:
    """What its tools print, by command."""
    return dumps_of(described.folder)


def check_tasks(snap: Snapshot, described: Described) -> None:
    """Every task with parent, name and state; what `k ps` and `k jobs` add."""
    tree = {koid: (kind, above) for kind, koid, above in described.tree()}
    rows = {row.koid: row for row in snap.tasks.itertuples()}
    jobs = {job["koid"]: job["name"] for job in described.raw["jobs"]}
    assert set(rows) == set(tree) | set(jobs)
    for koid, (kind, above) in tree.items():
        assert (rows[koid].kind, known(rows[koid].parent_koid)) == (kind, above)
    for koid, name in jobs.items():
        assert rows[koid].name == name
        assert rows[koid].importance == described.raw["jobs_by_importance"].index(koid)
    for koid, process in described.processes.items():
        assert rows[koid].name == process["name"]
        assert rows[koid].reported_handles == len(process["handles"])
        for thread in process["threads"]:
            assert (rows[thread["koid"]].name, rows[thread["koid"]].state) == (
                thread["name"],
                thread["state"],
            )
    assert snap.root_job_koid == described.raw["root_job_koid"]


def check_memory(snap: Snapshot, described: Described) -> None:
    """Every region and VMO, also those without koid, exactly as described."""
    vmos = list(described.vmos.values())
    assert len(snap.vmos) == len(vmos)
    number = {vmo["id"]: at for at, vmo in enumerate(vmos)}
    mapped = set()
    spaces = [described.raw["kernel_aspace"], *(p["aspace"] for p in described.processes.values())]
    assert list(snap.aspaces["name"]) == [space["name"] for space in spaces]
    assert list(snap.aspaces["process_koid"].fillna(0)) == [0, *described.processes]
    expected = [(at, r) for at, space in enumerate(spaces) for r in described.regions(space)]
    assert len(snap.regions) == len(expected)
    for row, (aspace, region) in zip(snap.regions.itertuples(), expected, strict=True):
        assert (row.aspace, row.kind, row.depth) == (aspace, region.raw["type"], region.depth)
        assert (row.base, row.size_bytes) == (int(region.raw["base"], 16), region.raw["size"])
        assert (row.addr, row.ref) == (int(region.raw["addr"], 16), region.raw["ref"])
        if region.is_mapping:
            mapped.add(region.raw["vmo"])
            assert row.vmo == number[region.raw["vmo"]]
            assert row.vmo_offset_bytes == region.raw["vmo_offset"]
            assert row.perms == region.raw["perms"]
            assert row.reported_resident_bytes == described.resident(region.raw)
        else:
            assert row.name == region.raw["name"]
    for row, vmo in zip(snap.vmos.itertuples(), vmos, strict=True):
        counts = described.counts[vmo["id"]]
        assert (row.koid, row.kind, row.name) == (vmo["koid"], vmo["kind"], vmo["name"])
        assert row.is_clone == (vmo["parent"] is not None)
        assert known(row.parent) == (number[vmo["parent"]] if vmo["parent"] else None)
        assert row.reported_num_mappings == counts["num_mappings"]
        assert row.reported_share_count == counts["share_count"]
        if vmo["id"] in mapped:
            assert (row.size_bytes, row.addr) == (vmo["size"], int(vmo["addr"], 16))
        if vmo["kind"] == "paged":
            assert row.reported_committed_bytes == counts["committed_pages"] * PAGE


def check_rest(snap: Snapshot, described: Described) -> None:
    """Handles with value, type and rights; arenas; statistics."""
    handles = [(p["koid"], h) for p in described.processes.values() for h in p["handles"]]
    assert len(snap.handles) == len(handles)
    for row, (process, handle) in zip(snap.handles.itertuples(), handles, strict=True):
        assert (row.process_koid, row.koid) == (process, handle["koid"])
        assert (row.value, row.type) == (int(handle["value"], 16), handle["type"])
        visible = int(handle["rights"], 16) & 0x3F
        assert known(row.rights) == (visible if handle["type"] == "vmo" else None)
    arena = described.raw["arenas"][0]["page_states"]
    assert {state: snap.arenas[f"{state}_pages"][0] for state in arena} == arena
    assert len(snap.kmem) == 1
    assert snap.timestamp_iso == described.raw["timestamp"]["iso"]


def check(snap: Snapshot, described: Described) -> None:
    """The snapshot holds every fact of the machine that its tools print."""
    assert not len(snap.notes[snap.notes["kind"] == "contradiction"])
    check_tasks(snap, described)
    check_memory(snap, described)
    check_rest(snap, described)
    absent = {"entries"}
    partial = {"pages"}
    for facet, degree in snap.coverage.items():
        expected = "absent" if facet in absent else "partial" if facet in partial else "complete"
        assert degree == expected, facet


@settings(max_examples=25)
@given(data=st.data())
def test_session_in_any_order_is_the_machine(
    described: Described, dumps: dict[str, str], data: st.DataObject
) -> None:
    """All dumps of one console, in any order, behind log prefixes and between noise, are merged."""
    order = data.draw(st.permutations(sorted(dumps)))
    text = session(dumps, order, data.draw(st.integers(0, 1000)), noise=0.1)
    snap = read_transcript(text, "console.txt")
    check(snap, described)
    assert len(snap.sources) == len(dumps)


def test_files_of_one_boot_are_the_machine(described: Described, dumps: dict[str, str]) -> None:
    """One file a dump, each read alone, merge to the same machine."""
    files = [
        read_transcript(f"$ {command}\n{text}", f"{at}.txt")
        for at, (command, text) in enumerate(dumps.items())
    ]
    check(merge(files), described)


def test_fewer_dumps_are_enough(described: Described, dumps: dict[str, str]) -> None:
    """`asd` of every address space and one list of all VMOs tell the memory without vmaps."""
    order = [c for c in dumps if " asd " in c or c in ("k zx ps", "k zx vmos all", "pmm arenas")]
    snap = read_transcript(session(dumps, order, seed=1), "console.txt")
    check_memory(snap, described)
    assert snap.knows("processes", "mappings", "kernel mappings", "vmos", "arenas")
    assert snap.coverage["jobs"] == snap.coverage["handles"] == "absent"


def test_dumps_that_interrupt_each_other_are_told_apart(
    described: Described, dumps: dict[str, str]
) -> None:
    """The kernel's log cuts into what a program prints: each line still goes to its own dump."""
    kernel = [f"[00010.000] 00000.00000> {line}" for line in dumps["k zx asd kernel"].splitlines()]
    rows = dumps["ps -T"].splitlines()
    mixed = [line for pair in zip(rows, kernel, strict=False) for line in pair]
    mixed += rows[len(kernel) :] + kernel[len(rows) :]
    snap = read_transcript("\n".join(mixed), "console.txt")
    assert list(snap.sources["dump"]) == ["ps", "asd"]
    tree = [koid for kind, koid, _ in described.tree() if kind == "process"]
    assert list(snap.processes["koid"]) == tree
    assert len(snap.regions) == len(described.regions(described.raw["kernel_aspace"]))
    assert snap.knows("jobs", "processes", "threads", "kernel mappings")
    assert not len(snap.notes)


def test_vmaps_and_vmos_of_a_process_meet(described: Described, dumps: dict[str, str]) -> None:
    """A mapping told by vmaps and again by vmos is one mapping, its VMO without koid one VMO."""
    text = session(dumps, ["vmos 1056", "vmaps 1056", "k zx vmos 1056"], seed=2, noise=0)
    snap = read_transcript(text, "console.txt")
    expected = described.regions(described.processes[1056]["aspace"])
    assert list(snap.regions["kind"]) == [region.raw["type"] for region in expected]
    assert snap.regions["base"].notna().all()
    nameless = snap.vmos[snap.vmos["koid"] == 0]
    assert len(nameless) == 1
    assert nameless["reported_committed_bytes"].iloc[0] == 2 * PAGE
    clone = snap.vmos[snap.vmos["koid"] == 1047].iloc[0]
    assert clone["parent"] == nameless.index[0]
    assert not len(snap.notes[snap.notes["kind"] == "contradiction"])

"""The machine explorer's rows: their order, filter and what stands below, against slow models."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from accounting.tiny import Map, Vmo, machine
from hypothesis import given, settings
from hypothesis import strategies as st
from magmem_widgets.machine.facts import MachineFacts
from magmem_widgets.machine.rows import MachineRows, Order
from magmem_widgets.machine.tree import MachineTree, Names
from support.random_snapshots import random_machine

import magmem
from magmem.accounting.attribution import attribution_of
from magmem.accounting.sight import sharers_of, sight_of
from magmem.snapshot import PAGE_BYTES, Snapshot


@st.composite
def job_trees(draw: st.DrawFn) -> tuple[Snapshot, list[int]]:
    """A random job tree with processes, and a size for each task."""
    jobs = draw(st.integers(1, 7))
    processes = draw(st.integers(0, 8))
    above = [None, *(draw(st.integers(0, n - 1)) for n in range(1, jobs))]
    of_job = [draw(st.integers(0, jobs - 1)) for _ in range(processes)]
    koids = [100 + n for n in range(jobs + processes)]
    parents = [None if n is None else 100 + n for n in above] + [100 + n for n in of_job]
    names = [draw(st.sampled_from(["sh", "lib", "Shell", "a", ""])) for _ in koids]
    snap = Snapshot.of(
        {
            "tasks": {
                "koid": koids,
                "kind": ["job"] * jobs + ["process"] * processes,
                "parent_koid": parents,
                "name": names,
            }
        },
        root_job_koid=100,
    )
    return snap, [draw(st.integers(-1, 5)) for _ in koids]


def walk(snap: Snapshot, key: dict[int, Any], koid: int, depth: int = 0) -> list[tuple[int, int]]:
    """Koids with their depths, depth-first: the children of each job by a key."""
    tasks = snap.tasks
    below = tasks[tasks["parent_koid"] == koid]
    # As ps walks: processes before jobs.
    below = [*below[below["kind"] == "process"]["koid"], *below[below["kind"] == "job"]["koid"]]
    found = [(koid, depth)]
    for child in sorted(below, key=lambda each: key[each]):
        found += walk(snap, key, child, depth + 1)
    return found


@given(job_trees(), st.booleans())
def test_order_is_that_of_a_depth_first_walk(made: tuple[Snapshot, list[int]], down: bool) -> None:
    """Children stand below their job by size; unknown ones last either way, ties as ps has them."""
    snap, sizes = made
    tree = MachineTree(snap)
    size = dict(zip(snap.tasks["koid"], sizes, strict=True))
    order = tree.ordered(np.array([size[koid] for koid in tree.koid.tolist()], np.int64), down)
    key = {koid: (each < 0, -each if down else each) for koid, each in size.items()}
    expected = walk(snap, key, 100)
    assert tree.koid[order].tolist() == [koid for koid, _ in expected]
    assert tree.depth[order].tolist() == [depth for _, depth in expected]


@given(job_trees(), st.sampled_from(["sh", "LIB", "", "x", "103"]), st.sets(st.integers(100, 106)))
def test_filter_keeps_what_is_above_and_below(
    made: tuple[Snapshot, list[int]], text: str, closed: set[int]
) -> None:
    """A task stays if it, something above or something below has the text; a closed job hides."""
    snap, _ = made
    rows = MachineRows(snap, "magenta-2017")
    tree = rows.tree
    tasks = snap.tasks.set_index("koid")

    def line(koid: int) -> list[int]:
        above = tasks.loc[koid, "parent_koid"]
        return [koid] if above is magmem_missing else [*line(int(above)), koid]

    magmem_missing = tasks.loc[100, "parent_koid"]
    hit = {
        koid
        for koid, row in tasks.iterrows()
        if text.lower() in row["name"].lower() or text == str(koid)
    }
    lines = {int(koid): line(int(koid)) for koid in tasks.index}
    near = {above for koid in hit for above in lines[koid]}
    kept = {koid for koid, above in lines.items() if koid in near or hit & set(above)}
    shut = {koid for koid in closed if koid in lines and tasks.loc[koid, "kind"] == "job"}
    seen = {koid for koid in kept if not shut & set(lines[koid][:-1])}
    places = [tree.place(koid) for koid in shut]
    shown = rows.visible([], places, Order("", True), text)
    assert set(tree.koid[shown].tolist()) == seen
    assert len(shown) == len(seen)


def test_names_are_found_whatever_their_case() -> None:
    """A text is looked for in small and capital letters; a name that is unknown has none."""
    snap = magmem.read_capture("guide-ps")
    names = Names(snap.tasks["name"])
    assert names.having("DEVHOST").sum() == snap.tasks["name"].str.contains("devhost").sum() == 5
    unknown = Names(snap.tasks["name"].mask(snap.tasks["name"] == "netsvc"))
    assert unknown.having("").sum() == len(snap.tasks) - 1
    assert None in [unknown[row] for row in range(len(snap.tasks))]


def children(rows: MachineRows, row: int, kind: str) -> list[int]:
    """Rows of a kind below a row."""
    from magmem_widgets.machine.block import KINDS

    found = [(each, rows.block_of(each)) for each in rows.below(row).tolist()]
    return [each for each, place in found if place and KINDS[place[0].block.kind[place[1]]] == kind]


def processes(rows: MachineRows) -> list[int]:
    """Rows of all processes."""
    return np.flatnonzero(~rows.tree.is_job).tolist()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_by_ps_mappings_add_up_to_vmos_and_processes(seed: int) -> None:
    """PSS of a process = of its VMOs = of its mappings, to the byte, and as ps prints it."""
    snap = random_machine(seed)
    rows = MachineRows(snap, "magenta-2017")
    told = magmem.ps(snap).df.set_index("koid")
    for process in processes(rows):
        koid = int(rows.tree.koid[process])
        vmos = children(rows, process, "vmo")
        total = 0
        for vmo in vmos:
            mappings = children(rows, vmo, "mapping")
            assert rows.pss_of(vmo) == sum(rows.pss_of(each) for each in mappings)
            total += rows.pss_of(vmo)
            for mapping in mappings:
                runs = [rows.pss_of(run) for run in children(rows, mapping, "run")]
                assert rows.pss_of(mapping) == int(sum(runs))
        assert total == rows.pss_of(process) == told.loc[koid, "pss_bytes"]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_by_exact_pages_add_up_to_vmos_and_processes(seed: int) -> None:
    """PSS of a process = of its VMOs = of its pages, exactly, and as `account` says."""
    snap = random_machine(seed)
    rows = MachineRows(snap, "exact")
    told = magmem.account(snap).df.set_index("koid")
    for process in processes(rows):
        koid = int(rows.tree.koid[process])
        if not told.loc[koid, "running"]:
            continue
        total: Fraction | int = 0
        private = shared = 0
        for vmo in children(rows, process, "vmo"):
            runs = children(rows, vmo, "run")
            assert rows.pss_of(vmo) == sum(rows.pss_of(run) for run in runs)
            total += rows.pss_of(vmo)
            made, at = rows.block_of(vmo)
            private += int(made.block.private[at])
            shared += int(made.block.shared[at])
        assert total == rows.pss_of(process) == told.loc[koid, "pss_bytes"]
        assert (private, shared) == tuple(told.loc[koid, ["private_bytes", "shared_bytes"]])
        assert (private, shared) == (rows.sums.private[process], rows.sums.shared[process])
    jobs = np.flatnonzero(rows.tree.is_job)
    assert rows.pss_of(int(jobs[0])) == told["pss_bytes"].sum()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_sharers_of_pages_are_those_who_see_them(seed: int) -> None:
    """Each page of each run is divided by just the address spaces from which a walk reaches it."""
    snap = random_machine(seed)
    rows = MachineRows(snap, "exact")
    attribution = attribution_of(snap)
    for process in processes(rows):
        spaces = set(rows.facts.spaces.of(int(rows.tree.koid[process])).tolist())
        for vmo in children(rows, process, "vmo"):
            owner = rows.vmo_of(vmo)
            for run in children(rows, vmo, "run"):
                made, at = rows.block_of(run)
                block = made.block
                for page in range(block.ref[at], block.ref[at] + block.pages[at]):
                    sharers = sharers_of(attribution, sight_of(attribution, owner, page))
                    assert max(len(sharers), 1) == block.divisor[at]
                    pays = (
                        PAGE_BYTES * block.pages[at] // len(sharers) if spaces & set(sharers) else 0
                    )
                    assert block.pss[at] == pays


def test_keys_lead_back_to_their_rows() -> None:
    """Every row down to the pages is found by its key; what does not exist is not."""
    snap = magmem.read_capture("small-machine")
    for rule in ("magenta-2017", "exact"):
        rows = MachineRows(snap, rule)
        pending = processes(rows)
        while pending:
            row = pending.pop()
            assert rows.find(rows.key(row)) == row
            if rows.opens(row):
                pending += rows.below(row).tolist()
    for key in ("", "7", "1080/7", "1080/1036/run 3", "x/y", "9" * 40, "1028/1080"):
        assert rows.find(key) == -1


def test_open_rows_stand_below_what_they_are_in() -> None:
    """What is opened stands right below, sorted by the same column."""
    snap = magmem.read_capture("small-machine")
    rows = MachineRows(snap, "magenta-2017")
    process, vmo = rows.find("1080"), rows.find("1080/1092")
    shown = rows.visible([process, vmo], [], Order("pss", True), "").tolist()
    at = shown.index(process)
    below = rows.below(process).tolist()
    inner = rows.below(vmo).tolist()
    inside = shown[at + 1 : at + 1 + len(below) + len(inner)]
    assert set(inside) == {*below, *inner}
    assert [each for each in inside if each in below] == sorted(
        below, key=lambda row: (-rows.pss_of(row), row)
    )
    start = inside.index(vmo)
    assert set(inside[start + 1 : start + 1 + len(inner)]) == set(inner)


@pytest.mark.parametrize(
    ("capture", "key", "says"),
    [
        ("guide-ps", "1916", "Its mappings and handles are not in this capture."),
        ("guide-vmaps", "2470", "Its handles are not in this capture."),
        ("guide-vmaps", "2470/1031", "mapping"),
        ("guide-vmos", "1118/1298", "mapping"),
    ],
)
def test_what_a_capture_lacks_is_said(capture: str, key: str, says: str) -> None:
    """Below what a capture knows in part stands a row that names what is missing."""
    rows = MachineRows(magmem.read_capture(capture), "magenta-2017")
    made = [rows.block_of(row) for row in rows.below(rows.find(key)).tolist()]
    said = [rows.inside.says(block.block, at)[0] for block, at in made]
    assert any(each.startswith(says) for each in said)


def test_pages_are_cut_only_where_the_number_of_sharers_changes() -> None:
    """B maps the first half, C the second: for A all ten pages are shared by two, in one run."""
    snap = machine({"v": Vmo(10)}, {"a": ["v"], "b": [Map("v", 0, 5)], "c": [Map("v", 5, 5)]})
    rows = MachineRows(snap, "exact")
    found = {}
    for process in processes(rows):
        (vmo,) = children(rows, process, "vmo")
        made = [rows.block_of(run) for run in children(rows, vmo, "run")]
        found[rows.tree.names[process]] = [
            (int(block.block.ref[at]), int(block.block.pages[at]), int(block.block.divisor[at]))
            for block, at in made
        ]
    assert found == {"a": [(0, 10, 2)], "b": [(0, 5, 2)], "c": [(5, 5, 2)]}
    rows = MachineRows(snap, "magenta-2017")
    (vmo,) = children(rows, processes(rows)[0], "vmo")
    (mapping,) = children(rows, vmo, "mapping")
    (run,) = children(rows, mapping, "run")
    assert rows.pss_of(run) == Fraction(10 * PAGE_BYTES, 3)


@pytest.mark.parametrize("descending", [True, False])
def test_unknown_sizes_of_vmos_come_last(descending: bool) -> None:
    """Either way, as among tasks."""
    rows = MachineRows(magmem.read_capture("guide-vmaps"), "magenta-2017")
    process = rows.find("2470")
    shown = rows.visible([process], [], Order("pss", descending), "")[1:].tolist()
    sizes = [rows.block_of(row) for row in shown]
    pss = [int(made.block.pss[at]) for made, at in sizes]
    known = [size for size in pss if size >= 0]
    assert known
    assert pss[: len(known)] == known
    assert min(pss[len(known) :]) < 0


def test_unknown_is_not_nothing() -> None:
    """A VMO that the rest of the machine may map is unknown; one that nobody maps counts 0."""
    rows = MachineRows(magmem.read_capture("guide-vmos"), "magenta-2017")
    sizes = {}
    for row in rows.below(rows.find("1118")).tolist():
        made, at = rows.block_of(row)
        sizes[rows.key(row)] = int(made.block.pss[at])
    assert sizes["1118/1031"] == -1
    facts = MachineFacts(magmem.read_capture("small-machine"))
    assert not facts.maybe_mapped.any()

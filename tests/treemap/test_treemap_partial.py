"""Treemaps of captures that know only part: what is known is drawn, what is missing is said."""

from __future__ import annotations

from typing import Any

import pytest
from accounting.tiny import Vmo, machine
from support.shared import goldens

import magmem
from magmem import Snapshot, Treemap
from magmem.captures import load_machine
from magmem.treemap.tree import Node

PAGE = 4096


def sizes(node: Node) -> dict[str, Any]:
    """Exact sizes of a node's children by label."""
    return {child.label: child.size_bytes for child in node.children}


def reported(*rows: tuple[Any, ...], **tables: Any) -> Treemap:
    """Treemap of tasks (koid, kind, parent, name, PSS, PRIVATE), sizes in k, and more tables."""
    names = ("koid", "kind", "parent_koid", "name", "reported_pss_bytes", "reported_private_bytes")
    columns: dict[str, list[Any]] = dict(
        zip(names, map(list, zip(*rows, strict=True)), strict=True)
    )
    for name in names[4:]:
        columns[name] = [None if size is None else int(size * 1024) for size in columns[name]]
    return magmem.treemap(Snapshot.of({"tasks": columns, **tables}))


def test_a_ps_transcript_has_private_and_shared_parts() -> None:
    """Without VMO detail a process has two children, Private and Proportional shared."""
    treemap = reported((1, "job", None, "root", 100, 94), (2, "process", 1, "sh", 100, 94))
    tree = treemap.tree
    assert sizes(tree.find(2)) == {"Private": 94 * 1024, "Proportional shared": 6 * 1024}
    assert [part.tint for part in tree.find(2).children] == ["private", "shared"]
    assert tree.root.size_bytes == 100 * 1024
    assert "Not in this capture: how much physical memory there is" in treemap.remarks[0]


def test_what_a_job_has_beyond_its_list_is_shown() -> None:
    """A job that reports more than its listed processes has the rest as one part, not listed."""
    tree = reported(
        (1, "job", None, "root", 900, None),
        (2, "job", 1, "app", 300, None),
        (3, "process", 2, "sh", 100, 100),
    ).tree
    assert sizes(tree.find(2)) == {"not listed": 200 * 1024, "sh": 100 * 1024}
    assert sizes(tree.find(1)) == {"not listed": 600 * 1024, "app": 300 * 1024}


def test_rounding_of_sums_is_not_unlisted_memory() -> None:
    """A job's printed sum may differ from its processes by the rounding of each."""
    tree = reported(
        (1, "job", None, "root", 24.4 * 1024, None),
        (2, "process", 1, "a", 12494.3, 0),
        (3, "process", 1, "b", 12491.5, 0),
    ).tree
    assert "not listed" not in sizes(tree.find(1))


def test_kstats_alone_shows_what_the_kernel_says() -> None:
    """With kernel statistics only, the VMOs are one unknown tile."""
    kmem = {
        "total_bytes": [1000], "free_bytes": [400], "vmo_bytes": [300], "total_heap_bytes": [100],
        "free_heap_bytes": [30], "wired_bytes": [150], "mmu_overhead_bytes": [50],
    }  # fmt: skip
    treemap = magmem.treemap(Snapshot.of({"kmem": kmem}))
    tree = treemap.tree
    assert sizes(tree.find("VMOs/processes")) == {"unknown (kernel & unmapped)": 300}
    assert sizes(tree.find("heap")) == {"allocated": 70, "free": 30}
    assert treemap.remarks == ("Not in this capture: other.",)
    assert tree.root.size_bytes == 1000


def test_unexplained_physical_memory_is_a_tile() -> None:
    """What of the total no known part explains is one tile that names the missing parts."""
    treemap = magmem.treemap(Snapshot.of({"kmem": {"total_bytes": [1000], "free_bytes": [600]}}))
    assert sizes(treemap.tree.root)["unknown (wired, mmu, other, heap, VMOs)"] == 400


def test_ps_and_kstats_leave_the_rest_unknown() -> None:
    """What of the kernel's VMO total no process accounts for is one node."""
    kmem = {"total_bytes": [10 * 1024], "free_bytes": [2 * 1024], "vmo_bytes": [8 * 1024]}
    tree = reported(
        (1, "job", None, "root", None, None), (2, "process", 1, "sh", 5, 4), kmem=kmem
    ).tree
    assert tree.find("unknown (kernel & unmapped)").size_bytes == 3 * 1024
    assert tree.root.size_bytes == 10 * 1024


def test_more_than_the_total_is_told() -> None:
    """Processes that claim more than the kernel's VMO total are drawn in full, the excess told."""
    kmem = {"total_bytes": [10 * 1024], "free_bytes": [2 * 1024], "vmo_bytes": [8 * 1024]}
    treemap = reported(
        (1, "job", None, "root", None, None), (2, "process", 1, "sh", 9, 9), kmem=kmem
    )
    assert treemap.over_bytes == 1024
    assert treemap.tree.root.size_bytes == 11 * 1024
    assert treemap.remarks[0].startswith("VMOs are counted more than there is: +1k.")
    assert "unknown (kernel & unmapped)" not in str(treemap)


def test_older_ps_is_drawn_by_resident_bytes() -> None:
    """A capture that has only resident bytes is drawn by them, and says what they are."""
    snap = Snapshot.of(
        {
            "tasks": {
                "koid": [1],
                "kind": ["process"],
                "name": ["sh"],
                "reported_resident_bytes": [4096],
            }
        }
    )
    treemap = magmem.treemap(snap)
    assert sizes(treemap.tree.find(1)) == {"Resident": 4096}
    assert any("count a shared page in full" in remark for remark in treemap.remarks)


def test_vmaps_alone_is_drawn_by_what_its_mappings_hold() -> None:
    """A `vmaps` listing without VMOs still tells how much its process has resident."""
    snap = Snapshot.of(
        {
            "tasks": {"koid": [9], "kind": ["process"]},
            "aspaces": {"kind": ["user"], "process_koid": [9]},
            "regions": {
                "aspace": [0, 0, 0],
                "depth": [0, 1, 1],
                "kind": ["vmar", "mapping", "mapping"],
                "reported_resident_bytes": [None, 3 * PAGE, 4 * PAGE],
            },
        },
        coverage={"processes": "partial", "mappings": "partial"},
    )
    assert sizes(magmem.treemap(snap).tree.find(9)) == {"Resident": 7 * PAGE}


def test_one_process_of_many_leaves_others_unnamed() -> None:
    """A capture of one process shows its part; the rest of a shared VMO is others'."""
    snap = Snapshot.of(
        {
            "tasks": {"koid": [9], "kind": ["process"], "name": ["sh"]},
            "aspaces": {"kind": ["user"], "process_koid": [9]},
            "regions": {"aspace": [0], "depth": [1], "kind": ["mapping"], "vmo": [0]},
            "vmos": {
                "id": ["v"],
                "koid": [5],
                "name": ["vdso"],
                "pages_known": [False],
                "reported_committed_bytes": [28 * 1024],
                "reported_num_mappings": [12],
                "reported_share_count": [12],
            },
        },
        coverage={"processes": "partial", "mappings": "partial", "vmos": "partial"},
    )
    tree = magmem.treemap(snap).tree
    assert 12 * tree.find(9).size_bytes == 28 * 1024
    rest = tree.find("mapped by processes not in the capture")
    assert 12 * rest.size_bytes == 11 * 28 * 1024


@pytest.mark.parametrize("system", ["system-1", "system-2"])
def test_a_memgraph_gives_the_same_processes(system: str, tmp_path: Any) -> None:
    """The guide's pipeline: memgraph -v loses pages, yet treemap-2017 sizes stay the same."""
    snap = load_machine(goldens() / f"{system}.json")
    path = tmp_path / "mem.json"
    path.write_text(str(magmem.memgraph(snap, vmos=True)), encoding="utf-8")
    whole, read = magmem.treemap(snap), magmem.treemap(magmem.read_capture(path))
    # memgraph leaves out its own VMOs: that process is drawn by its PSS.
    of_whole, of_read = (
        {
            node.koid: node.size_bytes
            for node in treemap.tree
            if node.kind == "process" and not node.tint and node.koid != snap.memgraph_self_koid
        }
        for treemap in (whole, read)
    )
    assert of_whole == of_read


def test_an_unsized_process_is_said() -> None:
    """A process without any size is in the tree, empty, and the remarks count it."""
    treemap = reported(
        (1, "job", None, "root", None, None),
        (2, "process", 1, "a", 5, 4),
        (3, "process", 1, "b", None, None),
    )
    assert treemap.tree.find(3).size_bytes == 0
    assert "Not in this capture: any size of 1 process." in treemap.remarks


def test_a_process_that_does_not_run_has_no_size() -> None:
    """What a dying process maps is charged to no process, as the tools read zeros for it."""
    snap = machine({"v": Vmo(3, name="v")}, {"a": ["v"]}, states={"a": "dying"})
    tree = magmem.treemap(snap).tree
    assert tree.find(101).size_bytes == 0
    assert sizes(tree.find("mapped, charged to no process")) == {"v": 3 * PAGE}


@pytest.mark.parametrize(("short_bytes", "listed"), [(102, False), (103, True)])
def test_a_printed_size_is_off_by_half_its_last_digit(short_bytes: int, listed: bool) -> None:
    """Two sizes printed as 300.0k and 299.9k are each off by at most 1024 / 10 / 2 = 51.2 bytes.

    So 102 bytes between a job and its one process are rounding, and 103 are memory.
    """
    process_k = (300 * 1024 - short_bytes) / 1024
    tree = reported((1, "job", None, "root", 300, None), (2, "process", 1, "sh", process_k, 0)).tree
    assert sizes(tree.find(1)).get("not listed") == (short_bytes if listed else None)


def images(wired: bool | None = None, **kmem: int) -> Treemap:
    """Treemap of two VMOs of a page each, of which `vdso/full` may be wired or not."""
    return magmem.treemap(
        Snapshot.of(
            {
                "vmos": {
                    "id": ["a", "b"],
                    "name": ["vdso/full", "heap"],
                    "size_bytes": [PAGE, PAGE],
                    "pages_known": [True, True],
                    "pages_are_wired": [wired, None if wired is None else False],
                },
                "pages": {"vmo": [0, 1], "first_page": [0, 0], "page_count": [1, 1]},
                "kmem": {name: [size] for name, size in kmem.items()},
            },
            coverage={"vmos": "complete", "pages": "complete", "kmem": "complete"},
        )
    )


@pytest.mark.parametrize(("vmo_bytes", "taken"), [(2 * PAGE, False), (2 * PAGE - 1, True)])
def test_vmos_that_fit_are_not_taken_as_wired(vmo_bytes: int, taken: bool) -> None:
    """Two VMOs of a page fit a VMO total of exactly two pages; with a byte less they do not."""
    remarks = images(total_bytes=10 * PAGE, vmo_bytes=vmo_bytes).remarks
    assert any(remark.startswith("Taken as wired") for remark in remarks) == taken


@pytest.mark.parametrize(("wired_bytes", "over_bytes"), [(PAGE, 0), (PAGE - 1, 1), (0, PAGE)])
def test_wired_vmos_beyond_wired_memory_are_counted_over(wired_bytes: int, over_bytes: int) -> None:
    """A wired VMO of a page is a part of wired memory; what that lacks to a page is too much."""
    treemap = images(True, total_bytes=10 * PAGE, vmo_bytes=PAGE, wired_bytes=wired_bytes)
    assert treemap.over_bytes == over_bytes

"""Every text golden reads back as the machine state it was printed from.

The old tools print sizes with one decimal, so a size may differ by the rounding of
reference/tools.md "Sizes"; everything else is exact.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pandas as pd
import pytest
from support.described import Described
from support.shared import ROOT, goldens

from magmem.captures.reconcile.rounding import printed_size
from magmem.captures.transcript import read_transcript
from magmem.errors import CaptureError
from magmem.sizes import format_size
from magmem.snapshot import Snapshot

SYSTEMS = ["system-1", "system-2", "system-doc-ps", "system-doc-vmaps", "system-doc-vmos"]
SYSTEMS += ["system-doc-asd"]


@cache
def machine(system: str) -> Described:
    """The described machine of that name."""
    return Described(goldens() / f"{system}.json")


def files(pattern: str) -> list[str]:
    """Golden files whose name matches, as system/name, without their empty ones."""
    folder = ROOT / "tests" / "goldens"
    return [
        f"{path.parent.name}/{path.name}"
        for path in sorted(folder.glob("system-*/*.txt"))
        if re.fullmatch(pattern, path.name) and path.stat().st_size
    ]


def read(name: str, command: str = "") -> tuple[Snapshot, Described]:
    """The golden as a transcript, led in by the command that made it, and its machine."""
    text = (goldens() / name).read_text(encoding="utf-8")
    described = machine(name.split("/", maxsplit=1)[0])
    return read_transcript(f"$ {command}\n{text}" if command else text, name), described


def near(reported: Any, exact: int, unit: str = "") -> bool:
    """Whether a reported size is what printing the exact one leaves of it."""
    size, slack = printed_size(format_size(exact, unit))
    return abs(int(reported) - exact) <= slack and int(reported) == size


def known(value: Any) -> Any:
    """None for missing."""
    return None if pd.isna(value) else value


@pytest.mark.parametrize("name", files(r"ps.*\.txt"))
def test_ps_tells_the_tasks(name: str) -> None:
    """Every task of the tree is read with its parent, name, state and, rounded, its sizes."""
    snap, described = read(name)
    unit = name.split("units=")[1][0] if "units=" in name else ""
    threads = "ps-T" in name
    expected = [row for row in described.tree() if threads or row[0] != "thread"]
    tasks = snap.tasks
    order = {
        kind: [row[1:] for row in expected if row[0] == kind] for kind in tasks["kind"].unique()
    }
    for kind, rows in order.items():
        told = tasks[tasks["kind"] == kind]
        assert list(told["koid"]) == [koid for koid, _ in rows]
        assert [known(parent) for parent in told["parent_koid"]] == [above for _, above in rows]
    assert sum(map(len, order.values())) == len(expected)
    jobs = {job["koid"]: job["name"] for job in described.raw["jobs"]}
    raw_threads = {t["koid"]: t for p in described.processes.values() for t in p["threads"]}
    for row in tasks.itertuples():
        if row.kind == "job":
            assert row.name == jobs[row.koid]
            assert known(row.reported_shared_bytes) is None
        elif row.kind == "process":
            sums = described.sums[row.koid]
            assert row.name == described.processes[row.koid]["name"]
            assert near(row.reported_pss_bytes, sums["pss_bytes"], unit)
            assert near(row.reported_private_bytes, sums["private_bytes"], unit)
            assert near(row.reported_shared_bytes, sums["shared_bytes"], unit)
        else:
            thread = raw_threads[row.koid]
            waits = thread["exception_port"] != "none"
            assert row.name == thread["name"]
            assert known(row.state) == (None if waits else thread["state"])
            assert row.exception_port == ("unknown" if waits else "none")
            assert known(row.reported_pss_bytes) is None
    assert snap.root_job_koid == described.raw["root_job_koid"]
    assert snap.knows("jobs", "processes")
    assert snap.coverage["threads"] == ("complete" if raw_threads and threads else "absent")
    contradictions = snap.notes[snap.notes["kind"] == "contradiction"]
    assert not len(contradictions)


@pytest.mark.parametrize("name", files(r"vmaps-.*\.txt"))
def test_vmaps_tells_the_address_space(name: str) -> None:
    """Every region is read with its place, permissions, VMO and resident size, in tree order."""
    snap, described = read(name)
    koid = int(re.findall(r"vmaps-(\d+)", name)[0])
    expected = described.regions(described.processes[koid]["aspace"])
    assert list(snap.aspaces["process_koid"]) == [koid]
    assert snap.aspaces["name"][0] == f"proc:{koid}"
    assert len(snap.regions) == len(expected)
    for row, region in zip(snap.regions.itertuples(), expected, strict=True):
        assert row.kind == region.raw["type"]
        assert (row.depth, row.base) == (region.depth, int(region.raw["base"], 16))
        assert row.size_bytes == region.raw["size"]
        if not region.is_mapping:
            assert (row.name, known(row.vmo)) == (region.raw["name"], None)
            continue
        vmo = described.vmos[region.raw["vmo"]]
        told = snap.vmos.iloc[row.vmo]
        assert (told["koid"], told["name"]) == (vmo["koid"], vmo["name"])
        assert row.perms == region.raw["perms"]
        assert near(row.reported_resident_bytes, described.resident(region.raw))
        assert known(row.vmo_offset_bytes) is None
    assert snap.coverage["mappings"] == "partial"
    assert not snap.vmos["pages_known"].any()


def check_vmo(told: Any, vmo: dict[str, Any], described: Described, unit: str) -> None:
    """A vmos row says what `vmos` prints of the VMO."""
    counts = described.counts[vmo["id"]]
    # An empty name is printed as a dash, so a VMO called "-" reads as one without a name.
    name = "" if vmo["name"] == "-" else vmo["name"]
    assert (told.koid, told.name, told.kind) == (vmo["koid"], name, vmo["kind"])
    assert near(told.size_bytes, vmo["size"], unit)
    assert known(told.is_clone) == (vmo["parent"] is not None)
    assert known(told.parent_koid) == described.parent_koid(vmo)
    assert told.reported_num_children == counts["num_children"]
    assert told.reported_num_mappings == counts["num_mappings"]
    assert told.reported_share_count == counts["share_count"]
    if vmo["kind"] == "physical":
        assert known(told.reported_committed_bytes) is None
        assert told.pages_known
    else:
        assert near(told.reported_committed_bytes, counts["committed_pages"] * 4096, unit)
        assert told.pages_known == (counts["committed_pages"] == 0)  # not where 0.0M is printed


@pytest.mark.parametrize("name", files(r"(k-)?vmos-[0-9]+(-uk)?\.txt"))
def test_vmos_tells_handles_and_mappings(name: str) -> None:
    """Each VMO once with its facts; each handle with rights, each mapping without a place."""
    koid = int(re.findall(r"vmos-(\d+)", name)[0])
    kernel = "/k-vmos" in name
    snap, described = read(name, "" if kernel else f"vmos {koid}")
    unit = "k" if name.endswith("-uk.txt") else ""
    process = described.processes[koid]
    by_koid = {vmo["koid"]: vmo for vmo in described.vmos.values() if vmo["koid"]}
    expected = [handle for handle in process["handles"] if handle["type"] == "vmo"]
    assert list(snap.handles["koid"]) == [handle["koid"] for handle in expected]
    for row, handle in zip(snap.handles.itertuples(), expected, strict=True):
        assert row.process_koid == koid
        assert row.rights == int(handle["rights"], 16) & 0x3F
        assert known(row.value) == (int(handle["value"], 16) if kernel else None)
        assert snap.vmos["koid"][row.vmo] == handle["koid"]
    mapped = [
        described.vmos[r.raw["vmo"]] for r in described.regions(process["aspace"]) if r.is_mapping
    ]
    told = snap.vmos["koid"].iloc[snap.regions["vmo"]] if len(snap.regions) else []
    assert list(told) == [vmo["koid"] for vmo in mapped]
    assert snap.regions["base"].isna().all()
    reachable = {vmo["id"] for vmo in mapped} | {by_koid[h["koid"]]["id"] for h in expected}
    assert len(snap.vmos) == len(reachable)
    nameless = [described.vmos[i] for i in reachable if not described.vmos[i]["koid"]]
    for row in snap.vmos.itertuples():
        vmo = by_koid[row.koid] if row.koid else nameless.pop()
        check_vmo(row, vmo, described, unit)
    assert not (snap.notes["kind"] == "contradiction").any()


@pytest.mark.parametrize("name", files(r"k-vmos-(all|hidden)(-u.)?\.txt"))
def test_lists_of_vmos_keep_creation_order(name: str) -> None:
    """`k vmos all` and `hidden` list each VMO once, oldest first, those without koid too."""
    snap, described = read(name)
    hidden = "hidden" in name
    unit = name[-5] if re.search(r"-u.\.txt$", name) else ""
    expected = [
        vmo
        for vmo in described.vmos.values()
        if not hidden or not described.counts[vmo["id"]]["mapped_by_user"]
    ]
    assert len(snap.vmos) == len(expected)
    for row, vmo in zip(snap.vmos.itertuples(), expected, strict=True):
        check_vmo(row, vmo, described, unit)
    assert snap.coverage["vmos"] == ("partial" if hidden else "complete")
    listed = {vmo["koid"] for vmo in expected if vmo["koid"]}
    for row in snap.vmos.itertuples():
        if known(row.parent_koid) in listed:
            assert snap.vmos["koid"][row.parent] == row.parent_koid


@pytest.mark.parametrize("name", files(r"k-asd-.*\.txt"))
def test_asd_tells_everything_but_the_pages(name: str) -> None:
    """Addresses, references, offsets and flags of every region and VMO are exact."""
    snap, described = read(name)
    target = re.findall(r"asd-(\w+)", name)[0]
    raw = described.raw["kernel_aspace"]
    if target != "kernel":
        raw = described.processes[int(target)]["aspace"]
    aspace = snap.aspaces.iloc[0]
    assert (aspace["kind"], aspace["name"]) == (
        "kernel" if target == "kernel" else "user",
        raw["name"],
    )
    assert (aspace["addr"], aspace["base"]) == (int(raw["addr"], 16), int(raw["base"], 16))
    assert (aspace["size_bytes"], aspace["ref"]) == (raw["size"], raw["ref"])
    expected = described.regions(raw)
    assert len(snap.regions) == len(expected)
    for row, region in zip(snap.regions.itertuples(), expected, strict=True):
        assert (row.kind, row.depth) == (region.raw["type"], region.depth)
        assert (row.base, row.size_bytes) == (int(region.raw["base"], 16), region.raw["size"])
        assert (row.addr, row.ref) == (int(region.raw["addr"], 16), region.raw["ref"])
        if not region.is_mapping:
            assert row.name == region.raw["name"]
            continue
        assert row.vmo_offset_bytes == region.raw["vmo_offset"]
        assert row.arch_mmu_flags == int(region.raw["arch_mmu_flags"], 16)
        assert row.perms == region.raw["perms"]
        assert row.reported_resident_bytes == described.resident(region.raw)
        vmo = described.vmos[region.raw["vmo"]]
        told = snap.vmos.iloc[row.vmo]
        assert (told["addr"], told["koid"]) == (int(vmo["addr"], 16), vmo["koid"])
        assert (told["name"], told["size_bytes"]) == (vmo["name"], vmo["size"])
        assert (told["kind"], told["ref"]) == (vmo["kind"], vmo["ref"])
        if vmo["kind"] == "physical":
            assert told["phys_base"] == int(vmo["phys_base"], 16)
        else:
            pages = described.counts[vmo["id"]]["committed_pages"]
            assert told["reported_committed_bytes"] == pages * 4096
            assert told["pages_known"] == (pages == 0)
            parent = described.parent_koid(vmo)
            assert known(told["parent_koid"]) == (parent or None)
            assert known(told["is_clone"]) == (True if parent else None)
    mapped = {region.raw["vmo"] for region in expected if region.is_mapping}
    assert len(snap.vmos) == len(mapped)
    facet = "kernel mappings" if target == "kernel" else "mappings"
    assert snap.coverage[facet] == ("complete" if target == "kernel" else "partial")


@pytest.mark.parametrize("name", files(r"k-ps\.txt"))
def test_kernel_ps_counts_handles(name: str) -> None:
    """`k ps` tells every process and its number of handles, but no tree."""
    snap, described = read(name)
    assert {row.koid: (row.name, row.reported_handles) for row in snap.tasks.itertuples()} == {
        koid: (process["name"], len(process["handles"]))
        for koid, process in described.processes.items()
    }
    assert snap.knows("processes")
    assert snap.tasks["parent_koid"].isna().all()


@pytest.mark.parametrize("name", files(r"k-jobs\.txt"))
def test_kernel_jobs_tell_importance(name: str) -> None:
    """`k jobs` tells every job in order of importance, but no tree."""
    snap, described = read(name)
    names = {job["koid"]: job["name"] for job in described.raw["jobs"]}
    order = described.raw["jobs_by_importance"]
    assert list(snap.tasks["koid"]) == order
    assert list(snap.tasks["importance"]) == list(range(len(order)))
    assert list(snap.tasks["name"]) == [names[koid] for koid in order]
    assert snap.coverage["jobs"] == "partial"


@pytest.mark.parametrize("name", files(r"k-ht-.*\.txt"))
def test_handle_tables_tell_types(name: str) -> None:
    """`k ht` tells value, object and type of every handle; rights stay unknown."""
    snap, described = read(name)
    koid = int(re.findall(r"ht-(\d+)", name)[0])
    assert [(row.value, row.koid, row.type) for row in snap.handles.itertuples()] == [
        (int(handle["value"], 16), handle["koid"], handle["type"])
        for handle in described.processes[koid]["handles"]
    ]
    assert snap.handles["rights"].isna().all()
    assert set(snap.handles["process_koid"]) <= {koid}


@pytest.mark.parametrize("name", files(r"kstats.*\.txt"))
def test_kstats_reports_in_mebibytes(name: str) -> None:
    """A row for each report; the heap is kheap and kfree together."""
    snap, described = read(name)
    kmem = described.raw["kmem"]
    assert len(snap.kmem) == (2 if "-n2" in name else 1)
    row = snap.kmem.iloc[-1]
    for column, exact in kmem.items():
        if column == "total_heap_bytes":
            # Two sizes are rounded, each by up to 75/1024 of a mebibyte.
            assert abs(int(row[column]) - exact) <= 2 * 75 * 1024
        else:
            assert near(row[column], exact, "M"), column
    stamped = "-t" in name
    assert known(row["timestamp"]) == (described.raw["timestamp"]["iso"] if stamped else None)
    raw = described.raw["timestamp"]
    milliseconds = raw["nanoseconds"] // 1_000_000
    assert snap.timestamp == ((raw["seconds"], milliseconds * 1_000_000) if stamped else None)
    assert snap.knows("kmem")
    assert snap.sources["rounded"].all()


@pytest.mark.parametrize("name", files(r"pmm-arenas\.txt"))
def test_arenas_are_exact(name: str) -> None:
    """`pmm arenas` reads back every number of every arena."""
    snap, described = read(name)
    assert len(snap.arenas) == len(described.raw["arenas"])
    for row, arena in zip(snap.arenas.itertuples(), described.raw["arenas"], strict=True):
        assert (row.name, row.base) == (arena["name"], int(arena["base"], 16))
        assert (row.size_bytes, row.priority) == (arena["size"], arena["priority"])
        assert (row.flags, row.addr) == (int(arena["flags"], 16), int(arena["addr"], 16))
        assert row.page_array_addr == int(arena["page_array_addr"], 16)
        assert row.free_count == arena["free_count"]
        for state, pages in arena["page_states"].items():
            assert getattr(row, f"{state}_pages") == pages
    assert snap.knows("arenas")


@pytest.mark.parametrize("name", files(r"(err-.*|k-ps-help)\.txt"))
def test_error_messages_are_no_dump(name: str) -> None:
    """What a tool says instead of a dump is refused, with the kinds that are understood."""
    with pytest.raises(CaptureError, match=r"expected the output of one of ps, vmaps, vmos"):
        read(name)


def test_every_text_golden_is_read() -> None:
    """No golden escapes these tests: each text file is matched by one of the patterns above."""
    patterns = (
        r"ps.*|vmaps-.*|(k-)?vmos-[0-9]+(-uk)?|k-vmos-(all|hidden)(-u.)?|k-asd-.*|k-ps|k-jobs|k-ht-.*"
        r"|kstats.*|pmm-arenas|err-.*|k-ps-help"
    )
    every = files(r".*\.txt")
    assert len(every) > 200
    assert [name for name in every if not re.fullmatch(patterns, name.split("/")[1][:-4])] == []

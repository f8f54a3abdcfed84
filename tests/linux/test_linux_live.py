"""Live: what a capture says of processes the test starts, against the kernel itself.

`support/linux_family.py` is a parent with four children and a grandchild that share memory in
every way. Page frames need root; without it those tests say so and are skipped.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.linux_slow import Page, SlowRules

import magmem
from magmem.accounting.attribution import attribution_of
from magmem.accounting.rules import linux
from magmem.errors import AccessDenied
from magmem.snapshot import PAGE_BYTES, Snapshot

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

PAGE = 4096
PROGRAM = Path(__file__).parent.parent / "support" / "linux_family.py"
if sys.platform.startswith("linux"):
    PAGE = os.sysconf("SC_PAGE_SIZE")


class Family:
    """The running program and what it told."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.areas: dict[str, list[int]] = told["areas"]
        self.pids: dict[str, int] = told["pids"]
        self.kernel: list[dict[int, dict[int, dict[str, int]]]] = []

    def look(self) -> None:
        """Ask the kernel for the figures of every mapping of every process."""
        self.kernel.append({pid: smaps(pid) for pid in self.pids.values()})

    def region(self, snap: Snapshot, process: str, area: str) -> int:
        """The row of a mapping."""
        space = snap.aspaces.index[snap.aspaces["process_koid"] == self.pids[process]][0]
        regions = snap.regions
        here = (regions["aspace"] == space) & (regions["kind"] == "mapping")
        # Anonymous neighbours may have become one mapping.
        return int(regions.index[here & (regions["base"] <= self.areas[area][0])][-1])

    def entries(self, slow: SlowRules, process: str, area: str) -> list[Page]:
        """The pages behind the entries of an area."""
        region = self.region(slow.snap, process, area)
        address, pages = self.areas[area]
        first = (address - int(slow.snap.regions["base"][region])) // PAGE_BYTES
        last = first + pages * PAGE // PAGE_BYTES
        return [page for at, page in slow.entries[region].items() if first <= at < last]


@pytest.fixture(scope="module")
def family() -> Iterator[Family]:
    """The processes, still until the tests are done."""
    command = [sys.executable, "-I", "-S", str(PROGRAM)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        try:
            yield Family(json.loads(program.stdout.readline()))
        finally:
            assert program.stdin is not None
            program.stdin.close()
            program.wait(10)


@pytest.fixture(scope="module")
def snap(family: Family) -> Snapshot:
    """The family by page frames, between two looks at the kernel's own figures."""
    family.look()
    try:
        return magmem.capture_linux("pages", pids=family.pids.values())
    except AccessDenied as error:
        pytest.skip(str(error))
    finally:
        family.look()


@pytest.fixture(scope="module")
def slow(snap: Snapshot) -> SlowRules:
    """The rules, page by page."""
    return SlowRules(snap)


_FIELD = re.compile(r"^(\w+): +(\d+) kB$")


def smaps(pid: int) -> dict[int, dict[str, int]]:
    """The kernel's figures of each mapping, bytes, by address; a parser of its own."""
    found: dict[int, dict[str, int]] = {}
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if field := _FIELD.match(line):
            found[next(reversed(found))][field[1]] = int(field[2]) * 1024
        elif "-" in line.split()[0]:
            found[int(line.split("-")[0], 16)] = {}
    return found


def chain(snap: Snapshot, vmo: int) -> list[int]:
    """A VMO and those it is a clone of, in turn."""
    rows = [vmo]
    while not snap.vmos["parent"].isna()[rows[-1]]:
        rows.append(int(snap.vmos["parent"][rows[-1]]))
    return rows


AREAS = [
    ("private", "parent", Fraction(40, 6)),
    ("private", "writer", Fraction(40, 6)),
    ("zero page", "parent", Fraction(0)),
    ("memfd", "parent", 5 + Fraction(5, 3)),
    ("memfd again", "mapper", Fraction(5, 3)),
]


@pytest.mark.parametrize(("area", "process", "pages"), AREAS)
def test_pss_of_known_areas(
    area: str, process: str, pages: Fraction, family: Family, slow: SlowRules
) -> None:
    """PSS of an area is what was done to it: pages divided by the entries that hold each.

    `private` was written before five forks, so six share it; pages 4-8 of the memfd are held by
    the parent once and by the mapper twice, as a fork leaves entries of shared files out.
    """
    assert slow.pss_of(family.entries(slow, process, area)) == pages * PAGE


def test_pss_after_copy_on_write(family: Family, slow: SlowRules) -> None:
    """Of 64 pages written before the forks, each process's share follows who wrote which again.

    writer: 0-9; forker: 5-19, and its grandchild after that 18-21; dropper gave back 30-33.
    """

    def pages(process: str) -> Fraction:
        return slow.pss_of(family.entries(slow, process, "cow")) / PAGE

    sixth, fifth, quarter = Fraction(1, 6), Fraction(1, 5), Fraction(1, 4)
    # Pages 0-4, 5-9, 10-17, 18-19, 20-21, 22-29, 30-33, 34-63 of the parent:
    parent = 5 * fifth + 5 * Fraction(1, 3) + 8 * quarter + 2 * quarter + 2 * fifth
    parent += 8 * sixth + 4 * fifth + 30 * sixth
    assert pages("parent") == parent
    writer = 10 + 8 * quarter + 2 * quarter + 2 * fifth + 8 * sixth + 4 * fifth + 30 * sixth
    assert pages("writer") == writer
    grandchild = 5 * fifth + 5 * Fraction(1, 2) + 8 * Fraction(1, 2) + 2 + 2
    grandchild += 8 * sixth + 4 * fifth + 30 * sixth
    assert pages("grandchild") == grandchild
    assert len(family.entries(slow, "dropper", "cow")) * PAGE_BYTES == 60 * PAGE


def test_pss_of_every_mapping_agrees_with_the_kernel(
    family: Family, snap: Snapshot, slow: SlowRules
) -> None:
    """The linux rule from pages is the kernel's own Pss, cut down to kB.

    Compared are all mappings but those of files that others may map too (libraries), and but
    those of which the kernel says something else before and after.
    """
    before, after = family.kernel
    ids = snap.vmos["id"]
    system = (ids.str.startswith("/") & ~ids.str.contains("(deleted)", regex=False)).to_numpy(bool)
    system |= snap.vmos["pages_are_wired"].to_numpy(dtype=bool)
    compared = 0
    for space, pid in snap.aspaces["process_koid"].items():
        kernel = before[pid]
        here = snap.regions[(snap.regions["aspace"] == space) & (snap.regions["kind"] == "mapping")]
        for region, (base, vmo) in here[["base", "vmo"]].iterrows():
            if any(system[row] for row in chain(snap, vmo)) or kernel[base] != after[pid][base]:
                continue
            assert len(slow.entries[region]) * PAGE == kernel[base]["Rss"]
            # The kernel cuts each page's part down to 1/4096 byte before it adds.
            assert -1 < slow.pss_bytes(region) - kernel[base]["Pss"] < 1025
            compared += len(slow.entries[region]) > 0
    assert compared >= 30


def test_fast_rule_is_the_slow_one(snap: Snapshot, slow: SlowRules) -> None:
    """The accounting's linux rule says the same of every process, as exact fractions."""
    attribution = attribution_of(snap)
    fast = linux.charge(attribution).pss.fractions
    koids = attribution.population.koid.tolist()
    expected = slow.pss_of_processes()
    assert {koid: share for koid, share in zip(koids, fast, strict=True) if share} == expected


def test_exact_sharers_are_who_holds_the_page(snap: Snapshot, slow: SlowRules) -> None:
    """Nobody sees a page of no file through the clones but who has an entry of it."""
    everyone = set(snap.processes["koid"].tolist())
    is_file = snap.vmos["id"].str.match(r"/|memfd|shared").to_numpy(dtype=bool)
    is_file &= ~snap.vmos["id"].str.contains("/own/|/forked/").to_numpy(dtype=bool)
    holders, watchers = slow.holders(), slow.watchers(everyone)
    own = {page for page in holders if not is_file[page[0]]}
    shared = [page for page in own if len(holders[page]) > 1]
    assert len(shared) > 100
    assert {page: watchers[page] for page in own} == {page: holders[page] for page in own}


def test_nothing_is_left_unplaced(snap: Snapshot) -> None:
    """Forks, writes and dropped pages of real processes fit the tree of clones."""
    assert not snap.notes["message"].str.contains("no tree of clones").any()


def test_private_file_pages_are_a_clone(family: Family, snap: Snapshot) -> None:
    """A private mapping that was written is a clone that owns the copies, over the file's VMO."""
    row = snap.regions["vmo"][family.region(snap, "parent", "file copy")]
    shared = snap.regions["vmo"][family.region(snap, "parent", "file")]
    own, forked, file = chain(snap, row)
    assert file == shared
    assert not (snap.pages["vmo"] == own).any()
    node = snap.pages[snap.pages["vmo"] == forked]
    assert node["page_count"].sum() * PAGE // 4096 >= 5


def test_memfd_is_one_vmo_with_all_its_pages(family: Family, snap: Snapshot) -> None:
    """A memfd is one VMO for all who map it, knows its unmapped pages, and has handles."""
    row = snap.regions["vmo"][family.region(snap, "parent", "memfd")]
    assert row == snap.regions["vmo"][family.region(snap, "mapper", "memfd again")]
    vmo = snap.vmos.loc[row]
    assert vmo["name"] == "memfd:magmem test"
    assert vmo["size_bytes"] == 32 * PAGE
    runs = snap.pages[snap.pages["vmo"] == row]
    scale = PAGE // 4096
    assert runs[["first_page", "page_count"]].to_numpy().tolist() == [[2 * scale, 20 * scale]]
    held = snap.handles[snap.handles["vmo"] == row]
    assert set(held["process_koid"]) == set(family.pids.values())
    assert (held["rights"] == 1 | 2 | 4 | 8 | 32).all()


def test_memfd_that_nobody_maps_is_hidden(snap: Snapshot) -> None:
    """Memory behind a mere descriptor is a VMO with pages and handles, but no mapping."""
    row = snap.vmos.index[snap.vmos["name"] == "memfd:magmem hidden"][0]
    assert not (snap.regions["vmo"] == row).any()
    assert snap.pages["page_count"][snap.pages["vmo"] == row].sum() == 7 * (PAGE // 4096)
    hidden = attribution_of(snap).hidden
    assert hidden.handle_only_bytes >= 7 * PAGE


def test_reported_figures_are_psutils(family: Family) -> None:
    """PSS, USS and RSS as the kernel reports them, against psutil.

    Other processes that map the same libraries come and go, and change these figures: only a
    moment in which psutil says the same before and after can be compared.
    """
    processes = [psutil.Process(pid) for pid in family.pids.values()]
    for _ in range(20):
        before = [process.memory_full_info() for process in processes]
        snap = magmem.capture_linux("mappings", pids=family.pids.values())
        if before == [process.memory_full_info() for process in processes]:
            break
    else:
        pytest.skip("the machine does not rest long enough to compare")
    tasks = snap.tasks.set_index("koid")
    mappings = snap.mappings.groupby("aspace").size()
    for process, told in zip(processes, before, strict=True):
        row = tasks.loc[process.pid]
        space = snap.aspaces.index[snap.aspaces["process_koid"] == process.pid][0]
        # Every mapping's PSS is cut down to kB before smaps is added up.
        assert 0 <= told.pss - row["reported_pss_bytes"] < 1024 * mappings[space]
        assert row["reported_private_bytes"] == told.uss
        # RSS of stat is kept by processor and rough; smaps counts.
        assert row["reported_resident_bytes"] == pytest.approx(told.rss, rel=0.1)
        assert row["reported_virtual_bytes"] == told.vms


def test_sparse_mapping_is_found_page_by_page() -> None:
    """Three pages in 16 GiB of mapping are found where they are, without reading 32 MiB."""
    pages, touched = 1 << 22, [0, 1_000_000, (1 << 22) - 1]
    file = os.memfd_create("magmem sparse")
    os.ftruncate(file, pages * PAGE)
    try:
        with mmap.mmap(file, pages * PAGE) as memory:
            for page in touched:
                memory[page * PAGE] = 1
            snap = magmem.capture_linux("pages", pids=[os.getpid()])
    except AccessDenied as error:
        pytest.skip(str(error))
    finally:
        os.close(file)
    vmo = snap.vmos.index[snap.vmos["name"] == "memfd:magmem sparse"][0]
    region = snap.regions.index[(snap.regions["vmo"] == vmo).fillna(False)][0]
    entries = snap.entries[snap.entries["region"] == region]
    scale = PAGE // PAGE_BYTES
    assert entries["first_page"].tolist() == [page * scale for page in touched]
    assert entries["page_count"].tolist() == [scale] * 3


def test_tree_of_parents(family: Family) -> None:
    """By choice the job tree shows who started whom."""
    snap = magmem.capture_linux("processes", jobs="parent", pids=family.pids.values())
    tasks = snap.tasks.set_index("koid")

    def job(process: str) -> int:
        return int(tasks["parent_koid"][family.pids[process]])

    assert job("writer") == job("parent") != job("forker")
    assert job("grandchild") == job("forker")
    assert tasks["parent_koid"][job("forker")] == job("parent")
    assert tasks["parent_koid"][job("parent")] == snap.root_job_koid


def test_a_process_is_not_changed_by_being_read(family: Family) -> None:
    """Two captures of resting processes tell the same tasks, mappings, VMOs and handles.

    Not compared is how many share a library, which others change.
    """
    first, second = (magmem.capture_linux("mappings", pids=family.pids.values()) for _ in range(2))
    shares = [f"reported_{what}_bytes" for what in ("pss", "private", "shared")]
    assert first.tasks.drop(columns=shares).equals(second.tasks.drop(columns=shares))
    for name in ("aspaces", "regions", "handles"):
        assert getattr(first, name).equals(getattr(second, name)), name


def test_whole_machine_is_read(family: Family) -> None:
    """Without a choice of processes all are there: the family, this process, and the kernel's."""
    snap = magmem.capture_linux()
    koids = set(snap.processes["koid"])
    assert {*family.pids.values(), os.getpid()} <= koids
    assert snap.coverage["processes"] == "complete"
    known = snap.kmem.iloc[-1]
    parts = ["free", "wired", "total_heap", "vmo", "mmu_overhead", "other"]
    assert sum(int(known[f"{part}_bytes"]) for part in parts) == known["total_bytes"]
    assert known["total_bytes"] >= psutil.virtual_memory().total


def test_live_is_a_capture_of_this_machine(family: Family, tmp_path: Path) -> None:
    """The word `live` works where a file does; a file of that name is ./live."""
    snap = magmem.read_capture("live")
    assert snap.name == "live"
    assert set(family.pids.values()) <= set(snap.processes["koid"])
    magmem.capture_linux("processes", pids=[os.getpid()]).save(tmp_path / "live")
    assert len(magmem.read_capture(str(tmp_path / "live")).processes) == 1


def test_ledger_adds_up_to_physical_memory(family: Family) -> None:
    """Every byte has a line, and what no counter tells is one of them."""
    for detail in ("auto", "mappings"):
        table = magmem.linux_ledger(magmem.capture_linux(detail)).df.set_index("line")
        sizes = table["size_bytes"]
        assert sizes.iloc[:-1].sum() == sizes["physical memory"]
        assert abs(sizes["unexplained"]) < sizes["physical memory"] // 2
        assert sizes["processes"] > 0

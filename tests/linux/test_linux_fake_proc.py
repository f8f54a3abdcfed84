"""Captures of proc file systems that this kernel cannot offer: containers, damage, odd machines."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.damage import damaged_bytes
from support.fake_proc import Area, FakeProc, entry

import magmem
from magmem.errors import AccessDenied, CaptureError, MagmemError, NotSupported
from magmem.linux.capture import capture_linux
from magmem.linux.procfs import ProcFolder
from magmem.snapshot import Snapshot

PAGE = 4096

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.sysconf("SC_PAGE_SIZE") != PAGE,
    reason="the fake files are those of a kernel with pages of 4096 bytes",
)

FORKED = {0: entry(70), 1: entry(71), 3: entry(0x999)}
FILE = {1: entry(50, file=True), 2: entry(51, file=True)}


def areas(own: int) -> list[Area]:
    """Mappings of one of two processes: after a fork, a library, its copy, shared memory."""
    figures = {"Pss": 10, "Shared_Clean": 8, "Private_Dirty": 4, "Anonymous": 8}
    forked = {**FORKED, 2: entry(own, exclusive=True)}
    return [
        Area(0x400000, 4, "r-xp", 0, "fe:00", 12, "/bin/cat", entries=FILE, figures=figures),
        Area(0x410000, 8, name="[heap]", entries=forked, figures={"Rss": 12, "Anonymous": 12}),
        Area(0x420000, 2, "rw-p", 0x2000, "fe:00", 12, "/bin/cat", entries={
            0: entry(own + 1, exclusive=True)
        }, figures={"Anonymous": 4}),
        Area(0x430000, 4, "rw-s", 0, "00:01", 77, "/memfd:a)\\012b (deleted)", entries={
            0: entry(60, file=True)
        }),
        Area(0x440000, 1, "r--p", name="[vvar]", flags="rd mr pf io de"),
        Area(0x441000, 1, "r-xp", name="[vdso]", flags="rd ex", entries={0: entry(9, file=True)}),
    ]  # fmt: skip


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    """Two processes after a fork, a thread of the kernel, and one that has exited."""
    fake = FakeProc(tmp_path / "proc")
    fake.process(2, b"kthreadd", parent=0, flags=0x200000)
    fake.process(100, b"cat (1)\n", areas(80), cgroup=b"4:memory:/a/b\n0::/x\n")
    fake.process(101, b"cat", areas(90), parent=100, cgroup=b"4:memory:/a\n0::/x\n")
    fake.process(102, b"gone", state="Z", parent=100)
    fake.frames({70: 2, 71: 2, 80: 1, 81: 1, 90: 1, 91: 1, 50: 2, 51: 2, 60: 2, 9: 2, 0x999: 0})
    return fake


def vmo_of(snap: Snapshot, koid: int, name: str) -> int:
    """The VMO behind a mapping of that VMO's name."""
    space = snap.aspaces.index[snap.aspaces["process_koid"] == koid][0]
    vmos = snap.regions["vmo"][snap.regions["aspace"] == space].dropna()
    return next(int(vmo) for vmo in vmos if snap.vmos["name"][vmo] == name)


def runs_of(snap: Snapshot, vmo: int) -> list[list[int]]:
    """First page and count of a VMO's runs."""
    return snap.pages[snap.pages["vmo"] == vmo][["first_page", "page_count"]].to_numpy().tolist()


def test_pages_of_every_sort(proc: FakeProc) -> None:
    """Files by inode, memory of one's own, copies after a fork, the zero page, the vDSO."""
    snap = capture_linux("pages", proc=proc.root)
    heaps = [vmo_of(snap, koid, "[heap]") for koid in (100, 101)]
    parent = snap.vmos["parent"]
    assert parent[heaps[0]] == parent[heaps[1]]
    assert runs_of(snap, parent[heaps[0]]) == [[0, 2]]  # frames 70 and 71, shared since the fork
    assert [runs_of(snap, heap) for heap in heaps] == [[[2, 1]]] * 2  # the zero page is nobody's
    text = vmo_of(snap, 100, "cat")
    assert text == vmo_of(snap, 101, "cat")
    assert runs_of(snap, text) == [[1, 2]]
    clones = snap.vmos.index[snap.vmos["id"].str.startswith("cat/own/")]
    assert parent[clones].tolist() == [text, text]
    assert snap.vmos["parent_offset_bytes"][clones].tolist() == [2 * PAGE] * 2
    vdso = snap.vmos.loc[vmo_of(snap, 100, "[vdso]")]
    assert vdso["pages_are_wired"]
    assert snap.vmos["kind"][vmo_of(snap, 101, "[vvar]")] == "physical"
    memfd = vmo_of(snap, 100, "memfd:a)\\012b")
    assert memfd == vmo_of(snap, 101, "memfd:a)\\012b")
    assert snap.coverage["pages"] == "complete"


def test_tasks(proc: FakeProc) -> None:
    """Names are shown safely; who has exited is dead; the kernel's threads have a job."""
    snap = capture_linux(proc=proc.root)
    tasks = snap.tasks.set_index("koid")
    assert tasks.loc[100, "name"] == "cat (1)\\x0a"
    assert tasks["state"][[100, 102]].tolist() == ["running", "dead"]
    jobs = snap.jobs.set_index("koid")["name"]
    assert jobs[tasks["parent_koid"][2]] == "kernel threads"
    assert jobs[tasks["parent_koid"][100]] == "b"
    assert tasks["parent_koid"][tasks["parent_koid"][100]] == tasks["parent_koid"][101]
    assert tasks["reported_pss_bytes"][[2, 102]].tolist() == [0, 0]
    assert tasks.loc[100 + 100_000_000, "parent_koid"] == 100
    assert (snap.jobs["koid"] > 4_194_304).all()


def test_kernel_statistics(proc: FakeProc) -> None:
    """Every figure of meminfo, zoneinfo and slabinfo has its place; the parts make the whole."""
    snap = capture_linux("pages", proc=proc.root)
    known = snap.kmem.iloc[0]
    present = 17408 * PAGE
    wired = (present - 65536 * 1024) + 512 * 1024 + 96 * 1024 + 16 * PAGE
    assert known["total_bytes"] == present
    assert known["free_bytes"] == 32768 * 1024
    assert known["mmu_overhead_bytes"] == 64 * 1024
    assert known["total_heap_bytes"] == 2048 * 1024
    assert known["free_heap_bytes"] == 52 * PAGE - (1000 * 192 + 10 * 600)
    assert known["wired_bytes"] == wired
    assert known["vmo_bytes"] == (1024 + 4096 + 128) * 1024
    sizes = snap.vmos.set_index("id")["size_bytes"]
    assert sizes["kernel/page-cache"] == (4096 + 128 - 256) * 1024 - 2 * PAGE
    assert sizes["kernel/tmpfs"] == 256 * 1024 - 1 * PAGE
    assert sizes["kernel/others"] == 1024 * 1024 - (2 + 2 * 2) * PAGE
    assert sizes["kernel/stacks"] == 128 * 1024
    assert sizes["kernel/vmalloc"] == (512 - 128) * 1024
    assert sizes["kernel/reserved"] == present - 65536 * 1024 - PAGE  # less the vDSO's page
    assert snap.arenas[["name", "free_pages"]].to_numpy().tolist() == [["Normal", 8192]]
    total = sum(magmem.linux_ledger(snap).df["size_bytes"].iloc[:-1])
    assert total == known["total_bytes"]


def test_container_without_page_counts(proc: FakeProc) -> None:
    """Without kpagecount frames still tell who shares; the machine's other files may miss too."""
    for name in ("kpagecount", "kpageflags", "slabinfo", "zoneinfo"):
        (proc.root / name).unlink()
    snap = capture_linux("pages", proc=proc.root)
    heap = vmo_of(snap, 100, "[heap]")
    shared = snap.vmos["parent"][heap]
    # Nothing tells the zero page here: frame 0x999 looks like a page shared since the fork.
    assert runs_of(snap, shared) == [[0, 2], [3, 1]]
    assert snap.coverage["arenas"] == "absent"
    assert snap.kmem["free_heap_bytes"].isna().all()
    assert snap.kmem["total_bytes"].iloc[0] == 65536 * 1024
    assert snap.notes["message"].str.contains("only root may read slabinfo").any()


def test_container_on_this_kernel(tmp_path: Path) -> None:
    """The same with real processes: the zero page is known by looking at one's own."""
    root = tmp_path / "proc"
    root.mkdir()
    for name in ("meminfo", "self", str(os.getpid())):
        (root / name).symlink_to(Path("/proc") / name)
    with mmap.mmap(-1, 300 * PAGE, access=mmap.ACCESS_COPY) as memory:
        assert not any(memory[page * PAGE] for page in range(300))
        memory[:PAGE] = b"x" * PAGE
        view = ctypes.c_char.from_buffer(memory)
        address = ctypes.addressof(view)
        del view
        try:
            snap = capture_linux("pages", proc=root)
        except AccessDenied as error:
            pytest.skip(str(error))
    assert snap.processes["koid"].tolist() == [os.getpid()]
    region = int(snap.regions.index[(snap.regions["base"] <= address).fillna(False)][-1])
    first = (address - int(snap.regions["base"][region])) // PAGE
    runs = snap.entries[snap.entries["region"] == region]
    places = [at + i for _, at, count in runs.itertuples(index=False) for i in range(count)]
    assert [at - first for at in places if first <= at < first + 300] == [0]


def test_hidden_frames_are_said(proc: FakeProc) -> None:
    """Frame numbers of 0 mean that the kernel hides them: auto does without, pages refuses."""
    bare = [Area(0x400000, 2, name="[heap]", entries={0: entry(0, exclusive=True)})]
    shutil.rmtree(proc.root / "100")
    shutil.rmtree(proc.root / "101")
    proc.process(100, b"x", bare)
    snap = capture_linux(proc=proc.root)
    assert snap.coverage["pages"] == "absent"
    assert snap.regions["reported_resident_bytes"].sum() == PAGE
    with pytest.raises(AccessDenied, match=r"only to root \(CAP_SYS_ADMIN\)"):
        capture_linux("pages", proc=proc.root)


def test_sums_only(proc: FakeProc) -> None:
    """Where detail is not asked for, one file per process is enough, or smaps where it misses."""
    proc.write("100/smaps_rollup", b"Rss: 8 kB\nPss: 6 kB\nPrivate_Clean: 4 kB\n")
    snap = capture_linux("processes", proc=proc.root)
    tasks = snap.tasks.set_index("koid")
    assert tasks["reported_pss_bytes"][100] == 6 * 1024
    assert tasks["reported_private_bytes"].isna()[100]
    assert tasks["reported_pss_bytes"][101] == 10 * 1024
    assert len(snap.regions) == len(snap.vmos) == len(snap.threads) == 0
    assert snap.coverage["mappings"] == "absent"


def test_process_that_ends_while_it_is_read(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left out and counted, whichever file is the first that is gone."""
    read = ProcFolder.read

    def vanishing(self: ProcFolder, name: str) -> bytes:
        if self.place.endswith("/101") and name == gone:
            raise ProcessLookupError(3, "No such process")
        return read(self, name)

    monkeypatch.setattr(ProcFolder, "read", vanishing)
    for gone in ("stat", "cgroup", "smaps"):  # noqa: B007 (read by the closure)
        snap = capture_linux("pages", proc=proc.root)
        assert 101 not in set(snap.processes["koid"])
        assert "1 process ended while being read" in set(snap.notes["message"])
        assert snap.coverage["processes"] == "complete"


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), PermissionError(13, "no")])
def test_late_failure_keeps_what_was_read(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    """A process whose descriptors cannot be read keeps its mappings and pages; a note says so."""
    whole = capture_linux("pages", proc=proc.root)
    read = ProcFolder.numbers

    def failing(self: ProcFolder, name: str) -> list[int]:
        if self.place.endswith("/100") and name == "fd":
            raise error
        return read(self, name)

    monkeypatch.setattr(ProcFolder, "numbers", failing)
    snap = capture_linux("pages", proc=proc.root)
    assert snap.entries.equals(whole.entries)
    assert snap.pages.equals(whole.pages)
    assert snap.coverage["handles"] == "partial"
    assert len(snap.notes) == len(whole.notes) + 1


def test_descriptors_of_others_are_one_note(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel may show memory but not descriptors: one note counts them and names the right."""
    for pid in (100, 101):
        (proc.root / f"{pid}/fd/0").symlink_to("/dev/null")

    def refused(self: ProcFolder, name: str) -> str:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(ProcFolder, "link", refused)
    snap = capture_linux("pages", proc=proc.root)
    told = snap.notes[snap.notes["message"].str.contains("descriptors")]
    assert told["place"].tolist() == ["fd"]
    assert (
        told["message"]
        .iloc[0]
        .startswith(
            "the file descriptors of 2 processes may not be read (that takes the same user, or "
            "CAP_SYS_PTRACE)"
        )
    )
    assert snap.coverage["handles"] == "partial"
    assert snap.coverage["mappings"] == "complete"
    assert snap.processes.set_index("koid")["reported_handles"].isna()[[100, 101]].all()


def test_two_captures_can_be_compared(proc: FakeProc) -> None:
    """The same memory has the same koid a moment later, whoever came and went in between."""
    before = capture_linux("pages", proc=proc.root)
    proc.process(50, b"early", [Area(0x400000, 2, name="[heap]", entries={0: entry(3)})])
    after = capture_linux("pages", proc=proc.root)
    assert set(before.vmos["koid"]) < set(after.vmos["koid"])
    changes = magmem.diff(before, after).df
    changes = changes[(changes["section"] == "vmos") & (changes["change"] != "same")]
    assert changes[changes["koid"].notna()]["name"].tolist() == ["[heap]"]
    assert changes[changes["koid"].notna()]["change"].tolist() == ["appeared"]


def test_choice_of_processes(proc: FakeProc) -> None:
    """Only those asked for are there, the machine is whole, and what is partial says so."""
    snap = capture_linux("pages", pids=[101, 4000], proc=proc.root)
    assert snap.processes["koid"].tolist() == [101]
    assert snap.coverage["processes"] == "partial"
    assert snap.kmem["total_bytes"].iloc[0] == 17408 * PAGE
    assert "1 process ended while being read" in set(snap.notes["message"])


def test_two_processes_in_one_address_space(proc: FakeProc) -> None:
    """After vfork the child's memory is its parent's, and is not counted twice."""
    proc.process(103, b"vforked", areas(80), parent=100)
    snap = capture_linux("pages", proc=proc.root)
    assert 103 in set(snap.processes["koid"])
    assert 103 not in set(snap.aspaces["process_koid"])
    assert snap.tasks.set_index("koid")["reported_pss_bytes"][103] == 0
    assert "it runs in the address space of process 100" in " ".join(snap.notes["message"])


def test_no_proc_file_system(tmp_path: Path) -> None:
    """Elsewhere than on Linux there is one clear error."""
    with pytest.raises(NotSupported, match=r"expected a proc file system at .* found none"):
        capture_linux(proc=tmp_path)


def test_proc_of_processes_alone(tmp_path: Path) -> None:
    """Without the machine's files (mounted with subset=pid) the processes are told, with a note."""
    FakeProc(tmp_path, machine=False).process(7, b"x", areas(80))
    (tmp_path / "self").symlink_to("7")
    snap = capture_linux("mappings", proc=tmp_path)
    assert snap.tasks.set_index("koid")["reported_pss_bytes"][7] == 10 * 1024
    assert snap.coverage["kmem"] == "absent"
    assert snap.notes["message"].str.contains("meminfo could not be read").any()


def test_wrong_choices() -> None:
    """Another detail or job tree is named, with what there is."""
    with pytest.raises(ValueError, match=r"expected detail to be one of 'auto', .* found 'all'"):
        capture_linux("all")  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="expected jobs to be one of 'cgroup', 'parent', found 'x'"
    ):
        capture_linux(jobs="x")  # type: ignore[arg-type]


def test_progress_is_told(proc: FakeProc) -> None:
    """Once per process: how many are read, and of how many."""
    told: list[tuple[int, int]] = []
    capture_linux("processes", progress=lambda *turn: told.append(turn), proc=proc.root)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_kernel_with_larger_pages(proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 16 KiB are four of the tables' pages each."""
    monkeypatch.setattr(os, "sysconf", lambda _: 4 * PAGE)
    shutil.rmtree(proc.root / "100")
    shutil.rmtree(proc.root / "101")
    # One page of 16 KiB at 0x400000: entry 0x100 of the page map.
    heap = Area(0x400000, 8, name="[heap]", figures={"Rss": 16, "Anonymous": 16})
    proc.process(100, b"x", [heap])
    words = np.zeros(0x102, np.uint64)
    words[0x101] = entry(33, exclusive=True)
    proc.write("100/pagemap", words.tobytes())
    snap = capture_linux("pages", proc=proc.root)
    assert runs_of(snap, vmo_of(snap, 100, "[heap]")) == [[4, 4]]
    assert snap.entries[["first_page", "page_count"]].to_numpy().tolist() == [[4, 4]]


LINKS = st.sampled_from(
    [
        "/bin/cat",
        "/a\nb (deleted)",
        "/memfd:x (deleted)",
        "socket:[12]",
        "anon_inode:[a\x1b]b",
        "anon_inode:",
        "\udcff:[1]",
    ]
)
FILES = [
    "100/fdinfo/3", "100/stat", "100/cgroup", "100/smaps", "101/smaps", "101/task/101/stat",
    "100/mountinfo", "100/pagemap", "kpagecount", "meminfo", "zoneinfo", "slabinfo"]  # fmt: skip


@given(data=st.data())
@settings(max_examples=80)
def test_damage_never_breaks_a_capture(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever one file says, there is a sound snapshot, or one clear error about the machine."""
    root = tmp_path_factory.getbasetemp() / "damaged"
    shutil.rmtree(root, ignore_errors=True)
    fake = FakeProc(root)
    fake.process(100, b"cat", areas(80))
    fake.process(101, b"cat", areas(90), parent=100)
    fake.frames({70: 2, 71: 2, 80: 1, 90: 1})
    (root / "100/fd/3").symlink_to(data.draw(LINKS))
    fake.write("100/fdinfo/3", b"pos:\t0\nflags:\t0100002\nmnt_id:\t27\nino:\t12\n")
    name = data.draw(st.sampled_from(FILES))
    good = (root / name).read_bytes()
    fake.write(name, data.draw(damaged_bytes(good[-400:] if name.endswith("pagemap") else good)))
    jobs = data.draw(st.sampled_from(["cgroup", "parent"]))
    refusal, snap = None, None
    try:
        snap = capture_linux(data.draw(st.sampled_from(["auto", "processes"])), jobs, proc=root)
    except CaptureError as error:
        refusal = error
    except MagmemError as error:  # pragma: no cover (names the example that got here)
        raise AssertionError(name) from error
    if refusal is not None:
        assert refusal.source.endswith("meminfo")
    else:
        assert snap is not None
        assert snap.root_job_koid == 10_000_000

"""Saved proc file systems: folders and tar balls of any choice of files are captures."""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

import pytest
from support.fake_proc import Area, FakeProc, entry

import magmem
from magmem.cli.main import run
from magmem.errors import CaptureError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

MB = 1 << 20
SMEMCAP = ("meminfo", "version", "smaps", "stat", "cmdline")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Three processes that map one library, two of which share a page since a fork."""
    fake = FakeProc(tmp_path / "whole/proc")
    for pid, kb in ((10, 40), (11, 20), (12, 4)):
        figures = {"Pss": kb, "Private_Dirty": kb, "Anonymous": kb}
        own = {0: entry(70), 1: entry(pid + 80, exclusive=True)}
        library = {0: entry(50, file=True)}
        areas = [
            Area(0x400000, 4, "r-xp", 0, "fe:00", 12, "/lib/libx.so", entries=library),
            Area(0x410000, 8, name="[heap]", entries=own, figures=figures),
        ]
        fake.process(pid, b"server %d" % pid, areas, cgroup=b"0::/s\n")
    fake.frames({70: 3, 90: 1, 91: 1, 92: 1, 50: 3})
    fake.write("version", b"Linux version 6.1\n")
    return fake.root


def packed(proc: Path, path: Path, inside: str, names: tuple[str, ...] | None, mode: str) -> Path:
    """A tar ball of some files below a folder of it."""
    with tarfile.open(path, mode) as tar:
        for file in sorted(each for each in proc.rglob("*") if each.is_file()):
            if names is None or file.name in names:
                tar.add(file, f"{inside}{file.relative_to(proc)}")
    return path


@pytest.mark.parametrize(
    ("inside", "mode", "ending"),
    [
        ("", "w", "tar"),
        ("./", "w:gz", "tar.gz"),
        ("sosreport-host-1/proc/", "w:xz", "tar.xz"),
        ("host/proc/", "w:bz2", "tar.bz2"),
    ],
)
def test_smemcap_and_the_like(
    proc: Path, tmp_path: Path, inside: str, mode: str, ending: str
) -> None:
    """Without page maps, tasks and descriptors every figure of the kernel is there."""
    path = packed(proc, tmp_path / f"mine.{ending}", inside, SMEMCAP, mode)
    snap = magmem.read_capture(path)
    sizes = snap.processes.set_index("koid")["reported_pss_bytes"]
    assert sizes.to_dict() == {10: 40 * 1024, 11: 20 * 1024, 12: 4 * 1024}
    assert snap.name == f"mine.{ending}"
    assert (snap.vmos["name"] == "libx.so").sum() == 1
    assert not snap.notes["message"].str.contains("ended while being read").any()
    assert snap.notes["message"].str.contains("no page maps were saved").any()
    assert snap.kmem["free_bytes"].iloc[0] == 32768 * 1024


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_with_page_maps_it_is_the_live_capture(proc: Path, tmp_path: Path, form: str) -> None:
    """A tree with its page maps tells pages and sharers as the mounted file system did."""
    live = magmem.capture_linux("pages", proc=proc)
    path = proc if form == "folder" else packed(proc, tmp_path / "p.tar", "proc/", None, "w")
    snap = magmem.read_capture(path)
    assert snap.pages.equals(live.pages)
    assert snap.entries.equals(live.entries)


def test_other_choices_of_files(proc: Path, tmp_path: Path) -> None:
    """`status` and `comm` stand in for `stat`; rollups for mappings; empty files are unknown."""
    copy = tmp_path / "copy"
    shutil.copytree(proc, copy)
    for pid in (10, 11, 12):
        (copy / f"{pid}/stat").unlink()
    status = b"Name:\tdaemon\nState:\tS (sleeping)\nPPid:\t1\nVmRSS:\t  400 kB\nThreads:\t3\n"
    (copy / "10/status").write_bytes(status)
    (copy / "11/comm").write_bytes(b"worker\n")
    (copy / "10/smaps").write_bytes(b"")
    snap = magmem.read_capture(copy)
    tasks = snap.processes.set_index("koid")
    assert tasks["name"].to_dict() == {10: "daemon", 11: "worker", 12: "pid 12"}
    assert tasks["reported_pss_bytes"].isna()[10]
    assert tasks["reported_resident_bytes"][10] == 400 * 1024
    assert tasks["reported_pss_bytes"][11] == 20 * 1024
    assert snap.notes["message"].str.contains("1 process may not be read").any()


def test_links_and_climbing_names_are_left_out(proc: Path, tmp_path: Path) -> None:
    """A tar ball writes nothing outside its scratch folder, and its links are not followed."""
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as tar:
        for file in sorted(each for each in proc.rglob("*") if each.is_file()):
            tar.add(file, f"proc/{file.relative_to(proc)}")
        link = tarfile.TarInfo("proc/13/smaps")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        tar.add(proc / "10/stat", f"../../{tmp_path.name}/escaped/sys/fs/cgroup/x")
    snap = magmem.read_capture(path)
    assert set(snap.processes["koid"]) == {10, 11, 12}
    assert not (tmp_path / "escaped").exists()


def test_what_is_none_is_said(tmp_path: Path) -> None:
    """A folder without processes and a damaged tar ball are one clear error."""
    with pytest.raises(CaptureError, match="a proc file system: folders of processes"):
        magmem.read_capture(tmp_path)


def test_commands_take_them(proc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`magmem ps smemcap.tar` prints what the kernel had charged each process."""
    path = packed(proc, tmp_path / "smemcap.tar", "", SMEMCAP, "w")
    assert run(["ps", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == ["p:10", "40k"] for line in lines)

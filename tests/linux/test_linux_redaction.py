"""Redaction: names go, measures stay."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from support.fake_proc import Area, FakeProc, entry

import magmem
from magmem.linux.redaction import Redaction
from magmem.snapshot import TABLES, Snapshot

SECRETS = ("secret", "alice", "/home", "customer")


@pytest.fixture
def snap(tmp_path: Path) -> Snapshot:
    """Two processes full of names."""
    fake = FakeProc(tmp_path / "secret")
    files = {
        "/home/alice/libsecret.so.1.2": "fe:00",
        "/home/alice/data (deleted)": "fe:00",
        "/memfd:customer (deleted)": "00:01",
        "/usr/lib/libc.so.6": "fe:00",
    }
    areas = [
        Area(
            0x400000 + at * 0x1000,
            1,
            "r--p",
            device=device,
            inode=at + 1,
            name=name,
            entries={0: entry(at + 1, file=True)},
        )
        for at, (name, device) in enumerate(files.items())
    ]
    areas += [
        Area(at, 1, name=name, entries={0: entry(at >> 12, exclusive=True)})
        for at, name in ((0x420000, "[anon:secret heap]"), (0x430000, "[heap]"))
    ]
    fake.process(100, b"secretd", areas, cgroup=b"0::/alice.slice\n")
    fake.process(7, b"secretd", cgroup=b"0::/alice.slice\n", parent=100)
    fake.process(8, b"cat", cgroup=b"0::/\n")
    fake.write("9/stat", b"(secret")  # cannot be understood: a note names it
    return magmem.capture_linux(proc=fake.root)


def text_of(snap: Snapshot) -> str:
    """Everything a capture says, as text."""
    return snap.name + "".join(frame.to_csv() for frame in snap.tables().values())


def test_no_name_is_left(snap: Snapshot) -> None:
    """No path, program, group, memfd or named memory of the source appears anywhere."""
    assert all(secret in text_of(snap) for secret in SECRETS)
    redacted = text_of(magmem.redact(snap))
    assert not [secret for secret in SECRETS if secret in redacted]
    assert "libc" not in redacted


def test_names_are_neutral_and_stable(snap: Snapshot) -> None:
    """The same name is always the same neutral one, and its sort can still be told."""
    redacted = magmem.redact(snap)
    assert redacted.processes["name"].tolist() == ["program-1", "program-2", "program-1"]
    assert redacted.jobs["name"].tolist() == ["root", "job-1"]
    names = redacted.vmos["name"][~redacted.vmos["id"].str.startswith("kernel/")].tolist()
    assert names == [
        "library-1.so",
        "file-1 (deleted)",
        "memfd:shared-1",
        "library-2.so",
        "[anon:name-1]",
        "[heap]",
    ]
    assert text_of(magmem.redact(snap)) == text_of(redacted)


def test_what_is_kept_is_the_callers_choice(snap: Snapshot) -> None:
    """Names that everybody may know are left on request."""
    redacted = magmem.redact(snap, keep=["cat", "libc.so.6"])
    assert "cat" in redacted.processes["name"].tolist()
    assert "libc.so.6" in redacted.vmos["name"].tolist()


def test_measures_stay(snap: Snapshot) -> None:
    """Every number of memory is what it was; only koids and ids are new."""
    redacted = magmem.redact(snap)
    for name in ("regions", "pages", "entries", "arenas", "kmem"):
        assert getattr(redacted, name).equals(getattr(snap, name)), name
    reported = [column for column in snap.tasks.columns if column.startswith("reported")]
    assert redacted.tasks[reported].equals(snap.tasks[reported])
    assert dict(redacted.coverage) == dict(snap.coverage)
    assert redacted.processes["koid"].tolist() == [1001, 1002, 1003]
    assert redacted.aspaces["name"].tolist() == ["proc:1003"]


def test_koids_still_lead_to_each_other(snap: Snapshot) -> None:
    """Processes are in the same jobs and threads in the same processes as before."""
    redacted = magmem.redact(snap)
    for table in (snap, redacted):
        names = table.tasks.set_index("koid")["name"]
        parents = table.processes["parent_koid"].map(names)
        assert (parents != "root").tolist() == (snap.processes["name"] == "secretd").tolist()


def test_drivers_are_not_named(snap: Snapshot) -> None:
    """A handle keeps its kind; what a driver calls its own goes."""
    types = ["socket", "anon_inode:inotify", "anon_inode:kvm-vcpu:3"]
    handles = {"process_koid": [100] * 3, "value": [0, 1, 2], "type": types, "rights": [0] * 3}
    frame = TABLES["handles"].frame(handles)
    redacted = magmem.redact(dataclasses.replace(snap, handles=frame))
    assert redacted.handles["type"].tolist() == ["socket", "anon_inode:inotify", "anon_inode"]


def test_one_redaction_serves_before_and_after(snap: Snapshot) -> None:
    """What is called the same in both keeps one neutral name and one koid."""
    redaction = Redaction()
    first, second = redaction(snap), redaction(snap)
    assert text_of(first) == text_of(second)


@pytest.mark.parametrize("name", ["small-machine", "guide-vmaps"])
def test_other_captures_can_be_redacted_too(name: str) -> None:
    """Captures that are not of Linux lose their names in the same way."""
    snap = magmem.read_capture(name)
    redacted = magmem.redact(snap)
    assert redacted.pages.equals(snap.pages)
    kept = set(snap.processes["name"].dropna()) & set(redacted.processes["name"].dropna())
    assert kept <= {""}
    assert name not in text_of(redacted)

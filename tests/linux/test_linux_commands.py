"""The commands of this machine: capture live, top live, linux-ledger; and top in Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from support.fake_proc import Area, FakeProc, entry

import magmem
from magmem.cli.main import run
from magmem.errors import MissingData
from magmem.linux.top import top, top_listing

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

HERE = str(os.getpid())


def test_capture_is_read_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `capture live` writes is an ordinary capture; what is missing is said beside it."""
    path = tmp_path / "mine.json"
    assert run(["capture", "live", "-o", str(path), "--pid", HERE, "--detail", "mappings"]) == 0
    assert capsys.readouterr().out == ""
    snap = magmem.read_capture(path)
    assert snap.processes["koid"].tolist() == [os.getpid()]
    assert len(snap.mappings) > 10
    assert run(["vmaps", HERE, str(path)]) == 0
    assert f"'proc:{HERE}'" in capsys.readouterr().out


def test_capture_redacts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --redact names are gone from the file, but for those to keep."""
    path = tmp_path / "mine.json"
    name = magmem.capture_linux("processes", pids=[os.getpid()]).processes["name"].iloc[0]
    command = ["capture", "live", "-o", str(path), "--pid", HERE, "--redact"]
    assert run(command) == 0
    assert magmem.read_capture(path).processes["name"].tolist() == ["program-1"]
    assert run([*command, "--keep", name]) == 0
    assert magmem.read_capture(path).processes["name"].tolist() == [name]


def test_capture_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Without -o nothing is captured."""
    assert run(["capture", "live"]) == 2
    assert "Missing option '-o'" in capsys.readouterr().err


def test_top_shows_what_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """As often as asked, as many lines as asked, this process among all."""
    assert run(["top", "live", "-n", "2", "-d", "0", "--lines", "1"]) == 0
    text = capsys.readouterr().out
    assert text.count("PID      PSS") == 2
    assert text.count("others (") == 2
    assert run(["top", "live", "-n", "1", "--lines", "0"]) == 0
    assert HERE in capsys.readouterr().out


def test_top_ends_quietly_when_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C is how top is left: no traceback, status 0."""

    def looks(*arguments: object) -> Iterator[magmem.Listing]:
        yield magmem.Listing("once\n", pd.DataFrame())
        raise KeyboardInterrupt

    monkeypatch.setattr("magmem.linux.top.top", looks)
    assert run(["top", "live"]) == 0
    assert capsys.readouterr().out == "once\n"


def test_top_tells_what_changed(tmp_path: Path) -> None:
    """More and less by process, who is new, who has ended; who may not be read is counted."""

    def look(sizes: dict[int, int]) -> magmem.Snapshot:
        root = tmp_path / "-".join(map(str, sizes.values()))
        fake = FakeProc(root)
        for pid, kb in sizes.items():
            area = Area(0x400000, 999, name="[heap]", entries={0: entry(1)}, figures={"Pss": kb})
            fake.process(pid, b"p%d" % pid, [area])
        return magmem.capture_linux("processes", proc=root)

    before = look({10: 400, 11: 300, 12: 200, 13: 4})
    after = look({10: 380, 11: 812, 12: 200, 14: 96})
    first = top_listing(before).text.splitlines()
    assert first[1].split() == ["PID", "PSS", "CHANGE", "PRIVATE", "RSS", "NAME"]
    assert [line.split()[0] for line in first[2:]] == ["10", "11", "12", "13"]
    lines = [line.split() for line in top_listing(after, before, lines=3).text.splitlines()]
    assert lines[2][:3] == ["11", "812k", "+512k"]
    assert lines[3][:3] == ["10", "380k", "-20k"]
    assert lines[4][:2] == ["12", "200k"]
    assert "+" not in lines[4][2]
    assert lines[5] == ["96k", "others", "(1)"]
    assert lines[6] == ["1", "ended"]
    table = top_listing(after, before).df.set_index("koid")["change_bytes"]
    assert table.isna()[14]
    assert table[[10, 11, 12]].tolist() == [-20 * 1024, 512 * 1024, 0]


def test_top_is_an_iterator() -> None:
    """In Python each look is a listing."""
    listings = list(top(times=2, delay=0))
    assert len(listings) == 2
    assert os.getpid() in set(listings[1].df["koid"])


def test_linux_ledger_of_a_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the lines; of another machine it says what it needs."""
    fake = FakeProc(tmp_path / "proc")
    fake.process(
        100,
        b"x",
        [
            Area(
                0x400000,
                4,
                name="[heap]",
                entries={0: entry(7, exclusive=True)},
                figures={"Pss": 4},
            )
        ],
    )
    path = tmp_path / "mine.json"
    magmem.capture_linux(proc=fake.root).save(path)
    assert run(["linux-ledger", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Memory of live, bytes:\n")
    assert "4,096   processes " in text
    assert "71,303,168 = physical memory" in text
    with pytest.raises(MissingData, match="no memory kept by the Linux kernel"):
        magmem.linux_ledger(magmem.read_capture("small-machine"))

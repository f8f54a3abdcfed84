"""Recordings: many moments in one file, read back as they were, whatever ended the writing."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import magmem
from magmem.cli.main import run
from magmem.cli.recording import Seconds
from magmem.errors import CaptureError
from magmem.linux.recording import WHOLE_EVERY, Recorder, moments_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

MB = 1 << 20
SECOND = 10**9


def process(name: str, private: int | None, *, start: int = 5) -> list[Any]:
    """Values of a process of which PSS is private and half of 2 MB shared."""
    pss = None if private is None else private + MB
    shared = None if private is None else 2 * MB
    cgroup = "/a/b"
    known = (pss, private, shared, 0)
    return [name, "running", 1, start, False, cgroup, 64 * MB, 8 * MB, *known]


def moment(number: int, processes: dict[str, list[Any]], free: int = 100) -> dict[str, Any]:
    """A moment ten seconds after the one before."""
    machine = {"MemTotal": 4096 * MB, "MemFree": free * MB}
    groups = {"/": 7 * MB, **({"/late": MB} if number < 3 else {})}
    return {
        "at": 1_700_000_000 * SECOND + number * 10 * SECOND,
        "took": 0.01,
        "processes": processes,
        "machine": machine,
        "groups": groups,
    }


@pytest.fixture
def story() -> list[dict[str, Any]]:
    """100 moments: 10 grows by 1 MB each, 11 keeps still, 12 comes and goes, 13 is closed."""
    told = []
    for number in range(100):
        now = {"10": process("leak", (10 + number) * MB), "11": process("still", 5 * MB)}
        if 20 <= number < 40:
            now["12"] = process("guest", 3 * MB, start=number // 30)
        now["13"] = process("closed", None)
        told.append(moment(number, now, 100 + number % 7))
    return told


def written(path: Path, story: list[dict[str, Any]]) -> Path:
    """A recording of these moments."""
    with Recorder(path, 10, 4096) as recorder:
        for each in story:
            recorder.add(each)
    return path


def test_what_is_read_is_what_was_written(tmp_path: Path, story: list[dict[str, Any]]) -> None:
    """Every moment comes back whole, though only changes are in the file."""
    path = written(tmp_path / "a.rec", story)
    assert list(moments_of(path)) == story
    lines = gzip.decompress(path.read_bytes()).splitlines()
    assert len(lines) == 101
    quiet = json.loads(lines[5])
    assert list(quiet["set"]) == ["10"]
    assert [number for number in range(100) if "all" in json.loads(lines[number + 1])] == [
        0,
        WHOLE_EVERY,
    ]


@pytest.mark.parametrize("lost", [1, 9, 200])
def test_cut_off_end_costs_the_last_moments_only(
    tmp_path: Path, story: list[dict[str, Any]], lost: int
) -> None:
    """A file that was cut anywhere is read up to its last whole moment."""
    path = written(tmp_path / "a.rec", story)
    path.write_bytes(path.read_bytes()[:-lost])
    found = list(moments_of(path))
    assert found == story[: len(found)]
    assert len(found) > 90 - lost // 10


def test_growing_file_can_be_read(tmp_path: Path, story: list[dict[str, Any]]) -> None:
    """What was added is on disk before the file is closed."""
    recorder = Recorder(tmp_path / "a.rec", 10, 4096)
    for each in story[:5]:
        recorder.add(each)
    assert list(moments_of(tmp_path / "a.rec")) == story[:5]
    recorder.close()


def test_a_moment_is_a_snapshot(tmp_path: Path, story: list[dict[str, Any]]) -> None:
    """The kernel's sums of each process, the machine's memory, the groups as jobs."""
    recording = magmem.read_recording(written(tmp_path / "a.rec", story))
    assert len(recording) == 100
    snap = recording.at(99)
    sizes = snap.processes.set_index("koid")["reported_pss_bytes"]
    assert sizes[10] == (10 + 99) * MB + MB
    assert sizes.isna()[13]
    assert snap.kmem["free_bytes"].iloc[0] == (100 + 99 % 7) * MB
    assert {"a", "b"} <= set(snap.jobs["name"])
    assert magmem.ps(snap).df.set_index("koid").loc[11, "pss_bytes"] == 6 * MB
    with pytest.raises(IndexError):
        recording.at(100)


def test_difference_of_two_moments(tmp_path: Path, story: list[dict[str, Any]]) -> None:
    """`diff` tells who grew by what, from any moment to any other."""
    recording = magmem.read_recording(written(tmp_path / "a.rec", story))
    changes = recording.diff(10, 25).df
    rows = changes[changes["section"] == "processes"].set_index("koid")
    assert rows.loc[10, "change_bytes"] == 15 * MB
    assert rows.loc[12, "change"] == "appeared"


def test_slopes(tmp_path: Path, story: list[dict[str, Any]]) -> None:
    """1 MB in 10 seconds are 360 MB an hour, on a straight line; who is still has no fit."""
    recording = magmem.read_recording(written(tmp_path / "a.rec", story))
    table = recording.leaks().df.set_index("koid")
    assert table.index[0] == 10
    assert table.loc[10, "slope_bytes_per_hour"] == pytest.approx(360 * MB)
    assert table.loc[10, "fit"] == pytest.approx(1)
    assert table.loc[10, "grows"] == 1
    assert table.loc[11, "slope_bytes_per_hour"] == 0
    assert table["fit"].isna()[11]
    # Pid 12 was used twice: two lives, neither goes on from the other.
    assert table.loc[[12], "moments"].tolist() == [10, 10]
    assert 13 not in table.index


def test_series_and_captures(tmp_path: Path, story: list[dict[str, Any]]) -> None:
    """A column per process over time; a snapshot with labels per moment."""
    recording = magmem.read_recording(written(tmp_path / "day.rec", story))
    frame = recording.series("private")
    assert frame["leak 10"].tolist() == [(10 + number) * MB for number in range(100)]
    assert frame["closed 13"].isna().all()
    labels, snap = next(recording.captures())
    assert labels == {"machine": "day", "time": "2023-11-14T22:13:20.000Z", "moment": "0"}
    assert 10 in set(snap.processes["koid"])


def test_other_files_are_refused(tmp_path: Path) -> None:
    """What is no recording is said to be none, with what was expected."""
    path = tmp_path / "a.rec"
    path.write_text("something")
    with pytest.raises(CaptureError, match="a recording, compressed by gzip"):
        list(moments_of(path))
    path.write_bytes(gzip.compress(b'{"x": 1}\n'))
    with pytest.raises(CaptureError, match="a recording of version 1"):
        list(moments_of(path))
    path.write_bytes(gzip.compress(b'{"magmem-recording": 1}\n'))
    with pytest.raises(CaptureError, match="a recording with a moment in it"):
        list(moments_of(path))


def test_interrupt_ends_it_with_all_that_was_recorded(tmp_path: Path) -> None:
    """Ctrl-C: status 0, a file that is whole, and this process in every moment."""
    path = tmp_path / "a.rec"
    # A test runner in the background may ignore the signal, and so would its children.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from magmem.cli.main import run; raise SystemExit(run())"
    )
    command = [sys.executable, "-c", program, "record", "live", "-o", str(path), "--every", "0.2"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
    ) as recorder:
        assert recorder.stderr is not None
        try:
            lines = [recorder.stderr.readline() for _ in range(3)]
            recorder.send_signal(signal.SIGINT)
            rest = recorder.stderr.read()
            status = recorder.wait(20)
        finally:
            recorder.kill()
    assert status == 0
    assert all(" processes, PSS " in line for line in lines)
    found = list(moments_of(path))
    assert f"{len(found)} moments" in rest
    assert gzip.decompress(path.read_bytes()).count(b"\n") == len(found) + 1
    assert all(str(os.getpid()) in each["processes"] for each in found)
    assert len(found) >= 3


def test_moments_keep_to_the_clock(tmp_path: Path) -> None:
    """`--every` and `--for` say how many moments there are, up to those missed under load."""
    began = time.monotonic()
    command = ["record", "live", "-o", str(tmp_path / "a"), "--every", "500ms", "--for", "1s", "-q"]
    assert run(command) == 0
    assert time.monotonic() - began < 30
    assert 1 <= len(list(moments_of(tmp_path / "a"))) <= 3


def test_commands(
    tmp_path: Path, story: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Who grows, what changed, one moment, one moment as a file; a wrong number is told."""
    path = str(written(tmp_path / "a.rec", story))
    assert run(["recording", path, "--lines", "1"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[2].split() == ["10", "10M", "109M", "+360M", "1.00", "leak"]
    assert run(["recording", path, "--diff", "0", "-1"]) == 0
    assert "leak" in capsys.readouterr().out
    assert run(["recording", path, "--at", "-1"]) == 0
    assert "p:10" in capsys.readouterr().out
    assert run(["recording", path, "--at", "3", "-o", str(tmp_path / "s.json")]) == 0
    assert 10 in set(magmem.read_capture(tmp_path / "s.json").processes["koid"])
    assert run(["recording", path, "--at", "100"]) == 2
    assert "expected a moment from 0 to 99" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 10), ("500ms", 0.5), ("1h30m", 5400), ("2.5m", 150), ("1d", 86400)]
)
def test_times(text: str, seconds: float) -> None:
    """Spans are written as people do."""
    assert Seconds().convert(text, None, None) == seconds

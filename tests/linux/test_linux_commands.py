"""The commands of this machine: capture live, top live, linux-ledger; and top in Python."""

from __future__ import annotations

import io
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from support.fake_proc import Area, FakeProc, entry

import magmem
from magmem.cli.main import run
from magmem.cli.progress import progress_line
from magmem.errors import MissingData
from magmem.linux.procfs import ProcFolder
from magmem.linux.top import top, top_listing

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

HERE = str(os.getpid())


def test_capture_is_read_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `capture live` writes is an ordinary capture; what is missing is said beside it."""
    path = tmp_path / "mine.json"
    assert run(["capture", "live", "-o", str(path), "--pid", HERE, "--detail", "mappings"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    snap = magmem.read_capture(path)
    assert told.err.endswith(f"{path}: 1 process, {len(snap.mappings):,} mappings\n")
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
    with subprocess.Popen(["/bin/sleep", "60"]) as other, _ended(other):
        status = run(["top", "live", "-n", "2", "-d", "0", "--lines", "1"])
    assert status == 0
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


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the process in any case: leaving `Popen` alone would wait for it without limit."""
    try:
        yield
    finally:
        process.kill()


def test_top_on_a_terminal_leaves_it_as_it_was() -> None:
    """As many processes as the terminal holds; Ctrl-C ends it, and the terminal is unchanged."""
    termios = pytest.importorskip("termios")
    import fcntl
    import pty

    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 80, 0, 0))
    modes = termios.tcgetattr(terminal)
    # A shell's background job ignores SIGINT and its children inherit that, so the child takes it.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from magmem.cli.main import run; raise SystemExit(run())"
    )
    command = [sys.executable, "-c", code]
    with (
        subprocess.Popen(
            [*command, "top", "live", "-d", "0.1"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env={**os.environ, "LINES": "12"},
        ) as process,
        _ended(process),
    ):
        shown = b""
        end = time.monotonic() + 60
        while shown.count(b"PSS    CHANGE") < 2 and time.monotonic() < end:
            if select.select([screen], [], [], 1)[0]:
                shown += os.read(screen, 65536)
        process.send_signal(signal.SIGINT)  # what the terminal sends for Ctrl-C
        assert process.wait(20) == 0
    while select.select([screen], [], [], 0)[0]:
        shown += os.read(screen, 65536)
    assert termios.tcgetattr(terminal) == modes
    os.close(screen)
    os.close(terminal)
    assert b"Traceback" not in shown
    looks = shown.decode().split("\x1b[H\x1b[J")[1:]
    assert len(looks) >= 2
    assert all(len(look.splitlines()) < 12 for look in looks[:-1])
    assert shown.endswith(b"\n")


class Terminal(io.StringIO):
    """Standard error that somebody looks at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_progress_of_long_captures_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """After half a second one line tells how far it is, ten times a second; else nothing."""
    clock = iter([0.0, 0.1, 0.6, 0.65, 0.8, 0.9])
    monkeypatch.setattr("magmem.cli.progress.time.monotonic", lambda: next(clock))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    show = progress_line()
    assert show is not None
    for done in range(1, 6):
        show(done, 5)
    assert terminal.getvalue() == "\r2 of 5 processes\r4 of 5 processes\r5 of 5 processes\n"
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert progress_line() is None


def test_every_command_tells_how_far_live_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """`live` is read with progress wherever CAPTURE stands; a file is not."""
    told: list[object] = []
    some = magmem.read_capture("guide-ps")

    def reading(*sources: str, **options: object) -> magmem.Snapshot:
        told.append(options)
        return some

    monkeypatch.setattr("magmem.captures.read.read_capture", reading)
    monkeypatch.setattr(magmem.captures, "read_capture", reading, raising=False)
    for capture in ("live", "some.txt"):
        assert run(["info", capture]) == 0
    assert [list(options) for options in told] == [["progress"], []]


def test_what_live_does_not_show_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Beside its answer every command says which right is missing, and for what."""
    fake = FakeProc(tmp_path)
    fake.process(100, b"x", [Area(0x400000, 1, name="[heap]", entries={0: entry(0)})])
    snap = magmem.capture_linux(proc=tmp_path)
    monkeypatch.setattr(magmem.captures, "read_capture", lambda *_, **__: snap, raising=False)
    assert run(["ps", "-T", "live"]) == 0
    told = capsys.readouterr()
    assert "p:100" in told.out
    assert "live: the kernel shows page frames only to root (CAP_SYS_ADMIN)" in told.err
    assert "no address space" not in told.err


def test_live_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    """The shell completes the word where a capture stands."""
    from magmem.cli.common import complete_capture

    offered = complete_capture(None, None, "li")  # type: ignore[arg-type]
    assert [item.value for item in offered] == [
        "linux-lab",
        "linux-build",
        "linux-fork",
        "live",
        "li",
    ]


def test_sums_of_a_partial_capture_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ps` of Linux prints the kernel's own sums, and says when a process is in none of them."""
    fake = FakeProc(tmp_path)
    for pid in (100, 101):
        fake.process(pid, b"x", [Area(0x400000, 1, name="[heap]", entries={0: entry(0)})])
    assert magmem.ps(magmem.capture_linux("processes", proc=tmp_path)).warnings == ()
    read = ProcFolder.read_if_there

    def refusing(self: ProcFolder, name: str) -> bytes | None:
        if self.place.endswith("/101") and name == "smaps":
            raise PermissionError(13, "Permission denied")
        return read(self, name)

    monkeypatch.setattr(ProcFolder, "read_if_there", refusing)
    (warning,) = magmem.ps(magmem.capture_linux(proc=tmp_path)).warnings
    assert warning == "ps: the memory of 1 process may not be read and is in no sum"


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


def test_linux_ledger_is_a_magic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a notebook `%linux-ledger` asks the current machine, which may be `live`."""
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "magmem")
    shell.user_ns["mine"] = magmem.read_capture("linux-build")
    shell.run_line_magic("machine", "mine")
    assert str(shell.run_cell("%linux-ledger").result).startswith("Memory of linux-build, bytes:")
    shell.run_line_magic("machine", "live")
    assert "<Snapshot live:" in capsys.readouterr().out
    assert os.getpid() in set(shell.run_line_magic("ps", "").df["koid"])


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

"""What a terminal would obey never reaches it: names, errors and file names are shown escaped."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import magmem
from magmem.printable import one_line, printable

CODE = "from magmem.cli import main; main()"
EVIL = "\x1b]0;x\x07\x9b2J\u202e\nforged\r\x7f"
OBEYED = ("\x1b", "\x07", "\x9b", "\u202e", "\r\x7f", "\x7f", "\nforged")


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine whose every name would move the cursor."""
    machine = magmem.Machine(memory="64M", seed=1)
    process = machine.root_job.spawn(f"p{EVIL}"[:28])
    process.map(process.create_vmo("8k", name=f"v{EVIL}"[:28]), perms="rw").touch("8k")
    snap = machine.snapshot()
    path = tmp_path_factory.mktemp("evil") / "evil\x1b[2J\nforged.json"
    snap.save(path)
    return path


def on_terminal(*arguments: str) -> tuple[str, int]:
    """What a terminal shows, standard error included, and the exit status."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    due = time.monotonic() + 60
    try:
        while time.monotonic() < due:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
                shown += part
                if not part:
                    break
        status = child.wait(20)
    finally:
        child.kill()
        child.wait(20)
        os.close(ours)
    return shown.decode().replace("\r\n", "\n"), status


COMMANDS_TRIED = (
    ("info",),
    ("ps", "-T"),
    ("k", "ps"),
    ("k", "jobs"),
    ("k", "vmos", "all"),
    ("k", "asd", "kernel"),
    ("memgraph", "-v"),
    ("treemap", "--text"),
    ("account",),
    ("compare",),
    ("ledger",),
    ("hidden",),
    ("ps", "--json"),
    ("ps", "--csv"),
)


@pytest.mark.parametrize("command", COMMANDS_TRIED, ids=" ".join)
def test_a_terminal_gets_no_control_characters(command: tuple[str, ...], evil: Path) -> None:
    """Names, and the name of the file in errors, are escaped on a terminal."""
    shown, status = on_terminal(*command, str(evil))
    assert status == 0, shown
    for mark in OBEYED:
        assert mark not in shown, (command, shown)


def test_errors_are_one_line_without_control_characters(evil: Path) -> None:
    """A file name with a line break cannot make a second line of an error."""
    for arguments in (["ps", f"{evil}.not there"], ["vmos", "7\x1b[2J", "x"], ["\x1b[2J"]):
        shown, status = on_terminal(*arguments)
        assert status in (1, 2)
        for mark in OBEYED:
            assert mark not in shown, shown


def test_a_pipe_gets_the_exact_bytes(evil: Path) -> None:
    """Only a terminal needs the escapes: the tools' text stays as the guide has it."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, "ps", str(evil)], capture_output=True, timeout=60
    )
    assert EVIL[:20].encode() in done.stdout


def test_every_form_of_escape() -> None:
    """`one_line` keeps one line; `printable` keeps line feeds and tabs."""
    assert one_line("a\nb\tc\x1b\u202e\U000e0001") == r"a\nb\tc\u001b\u202e\U000e0001"
    assert printable("a\nb\tc\x1b\x9b\u202e\r") == "a\nb\tc\\u001b\\u009b\\u202e\\r"
    assert one_line("naïve 漢字") == printable("naïve 漢字") == "naïve 漢字"


STARTED = "from magmem.cli import main; print('go', flush=True); main()"


@pytest.mark.parametrize("delay", [0.02, 0.06, 0.12, 0.2, 0.3, 0.5, 0.8])
def test_an_interrupt_ends_without_a_traceback(delay: float) -> None:
    """Ctrl-C at any time, also while magmem's modules are loaded: status 130, no traceback."""
    child = subprocess.Popen(
        [sys.executable, "-c", STARTED, "ledger", "small-machine"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()  # Python itself has started
        time.sleep(delay)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait(20)
    # 0: it had finished. While Python itself ends, the signal ends the process without a word, and
    # a shell reports that as 130 too.
    assert child.returncode in (0, 130, -signal.SIGINT), told
    assert b"Traceback" not in told, told

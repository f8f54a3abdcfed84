"""The README tells the truth: what it types works, and prints what it shows."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import magmem
from magmem.cli.main import run

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = "".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
PYTHON = "".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
ROW = re.compile(r"^\|(.*?)\| `magmem (.*?)` \|(.*?)\| `(.*?)` \|$", re.MULTILINE)
"""A line of the cheat sheet: the guide, command, notebook, Python."""


def commands() -> list[tuple[str, list[str]]]:
    """Every command line of the console blocks, and the lines shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in CONSOLE.splitlines():
        if line.startswith("$ magmem "):
            found.append((line.removeprefix("$ magmem ").partition(" #")[0].strip(), []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def needed() -> dict[str, list[str]]:
    """For each command on a fleet, the ones of its block before it: they make the fleet."""
    first: dict[str, list[str]] = {}
    so_far: list[str] = []
    for typed, _ in commands():
        if typed.startswith("fleet "):
            first[typed] = list(so_far)
            so_far.append(typed)
    return first


FIRST = needed()


@pytest.mark.parametrize(("typed", "shown"), commands(), ids=[typed for typed, _ in commands()])
def test_console_commands_print_what_is_shown(
    typed: str,
    shown: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every command works as typed; its lines come in that order, with others where … stands."""
    if "live" in typed.split() and not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    monkeypatch.chdir(tmp_path)
    for before in FIRST.get(typed, ()):
        assert run(shlex.split(before)) == 0
    capsys.readouterr()
    if "handed-in" in typed:
        shutil.copytree(ROOT / "notebooks", tmp_path / "handed-in")
    endless = ["-n", "1"] if typed.startswith("top ") else []
    assert run([*shlex.split(typed), *endless]) == 0
    printed = iter(capsys.readouterr().out.splitlines())
    for line in shown:
        assert line == "…" or line in printed, line


def test_cheat_sheet_says_the_same_three_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Command, magic and function of a row are there and give one answer."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "magmem")
    rows = ROW.findall(README)
    assert len(rows) >= 15
    for _, command, magic, call in rows:
        source = dataset_for(command)
        typed = command.replace("CAPTURE", source).replace("BEFORE AFTER", f"{source} {source}")
        snap = magmem.read_capture(source)
        status = run(shlex.split(typed))
        printed = capsys.readouterr().out
        names = {"magmem": magmem, "snap": snap, "before": snap, "after": snap}
        listing = eval(call, names)  # noqa: S307 (our own README)
        assert status == listing.exit_status
        assert str(listing) == printed
        if magic.strip():
            shell.user_ns["snap"] = snap
            shell.run_line_magic("machine", "snap")
            capsys.readouterr()
            name, _, rest = magic.strip(" `%").partition(" ")
            assert str(shell.run_line_magic(name, rest)) == printed


def dataset_for(command: str) -> str:
    """A dataset that knows what the command of the cheat sheet asks."""
    for words, name in (
        ("vmaps 2470", "guide-vmaps"),
        ("1118", "guide-vmos-machine"),
        ("linux-ledger", "linux-build"),
    ):
        if words in command:
            return name
    return "fresh-boot"


def test_python_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    """All Python of the README, one block after another, in one session."""
    exec(compile(PYTHON, "README.md", "exec"), {})  # noqa: S102 (our own README)
    assert "jemalloc-heap" in capsys.readouterr().out


def test_every_notebook_is_in_the_course_table() -> None:
    """The table lists each chapter once, in order."""
    listed = re.findall(r"\(notebooks/(.*?)\)", README)
    assert listed == [path.name for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]

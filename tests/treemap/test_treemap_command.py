"""``magmem treemap``: the guide's pipeline, files, pictures, and errors in one line."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from support.shared import goldens

from magmem.cli.main import run

SYSTEM = goldens() / "system-2.json"
REMARK = "VMOs are counted more than there is: +240.7k. The rule charges some pages several times."


def test_a_page_is_written_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o` writes the page; one sentence on standard error says what it holds."""
    assert run(["treemap", str(SYSTEM), "-o", str(tmp_path / "mem.html")]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        f"{tmp_path / 'mem.html'}: 1023.9M in 108 tiles",
        f"treemap: {REMARK}",
    ]
    assert (tmp_path / "mem.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_text_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    """`--text` prints the tree; `--by` and `--rule` choose what it shows."""
    assert run(["treemap", "--text", "--by", "vmo", "--rule", "exact", str(SYSTEM)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("system-2: 1023.9M by VMO, rule exact\n")
    assert told.err == "the treemap: 1023.9M in 114 tiles\n"


def test_a_name_that_ends_in_png_is_a_picture(tmp_path: Path) -> None:
    """`-o mem.png`, or `--png` with any name, writes the still form."""
    for name, flags in (("mem.png", []), ("picture", ["--png"])):
        assert run(["treemap", str(SYSTEM), *flags, "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_the_guides_pipeline() -> None:
    """`memgraph -vt | treemap > mem.html`: standard input is read without any argument."""
    memgraph, treemap = (
        [sys.executable, "-c", "from magmem.cli import main; main()", name]
        for name in ("memgraph", "treemap")
    )
    graph = subprocess.run([*memgraph, "-v", str(SYSTEM)], capture_output=True)
    page = subprocess.run(treemap, input=graph.stdout, capture_output=True)
    assert page.returncode == 0, page.stderr
    assert page.stdout.startswith(b"<!doctype html>")
    assert b"the treemap: 1023.9M in" in page.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rule", "best"], "memory_monitor, rfc-0254, found 'best'"),
        (["--by", "job"], "'job' is not one of 'process', 'vmo'"),
        (["-o", "/nowhere/at/all.html"], "/nowhere/at"),
        (["missing.json"], "missing.json"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong option, file or place ends with a message and no traceback."""
    capture = [] if arguments == ["missing.json"] else [str(SYSTEM)]
    assert run(["treemap", *arguments, *capture]) != 0
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("mem.svg", b"<?xml"),
        ("mem.pdf", b"%PDF"),
        ("mem.PNG", b"\x89PNG"),
        ("mem.htm", b"<!doctype html>"),
        ("mem", b"<!doctype html>"),
        ("mem.txt", b"system-2: "),
    ],
)
def test_the_ending_of_the_name_is_the_form(name: str, begins: bytes, tmp_path: Path) -> None:
    """Each ending writes its own form, the same bytes every time."""
    twice = []
    for _ in range(2):
        assert run(["treemap", str(SYSTEM), "-o", str(tmp_path / name)]) == 0
        twice.append((tmp_path / name).read_bytes())
    assert twice[0].startswith(begins)
    assert twice[0] == twice[1]


def test_a_form_that_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-o mem.docx` is no HTML page under another name; nothing is written."""
    assert run(["treemap", str(SYSTEM), "-o", str(tmp_path / "mem.docx")]) == 2
    told = capsys.readouterr().err
    assert "expected a name that ends in .html, .png, .svg, .pdf or .txt" in told
    assert list(tmp_path.iterdir()) == []
    assert run(["treemap", str(SYSTEM), "--png", "-o", str(tmp_path / "mem.docx")]) == 0


def test_a_page_is_not_poured_into_a_terminal() -> None:
    """On a terminal the command asks for -o FILE; --text prints there."""
    code = "from magmem.cli import main; main()"
    for arguments, status in ((["treemap"], 2), (["treemap", "--text"], 0)):
        ours, theirs = pty.openpty()
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, str(SYSTEM)],
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        os.close(theirs)
        os.close(ours)
        assert done.returncode == status, done.stderr
        assert (b"-o FILE" in done.stderr) == (status == 2)

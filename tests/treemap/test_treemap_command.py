"""``magmem treemap``: the guide's pipeline, files, pictures, and errors in one line."""

from __future__ import annotations

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

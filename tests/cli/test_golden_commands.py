"""Every golden, byte for byte, with exit status and standard error, through the command line."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from support.golden_commands import GoldenCommand, golden_commands
from support.shared import goldens

import magmem.captures
from magmem.captures.read import read_capture
from magmem.cli.main import run
from magmem.snapshot import Snapshot


@cache
def remembered(source: str) -> Snapshot:
    """A capture that many commands ask, read once."""
    return read_capture(source)


@pytest.mark.parametrize("golden", golden_commands(), ids=str)
def test_command_prints_the_golden(
    golden: GoldenCommand,
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The guide's command line with the capture last prints what the original tool prints."""
    monkeypatch.setattr(magmem.captures, "read_capture", remembered, raising=False)
    words = golden.command.split()
    if words[0] == "kstats":
        words += ["--era", "zx"]  # the command's default is the guide's era
    status = run([*words, str(goldens() / f"{golden.folder}.json")])
    printed = capsysbinary.readouterr()
    assert printed.out == golden.path.read_bytes()
    assert printed.err.decode() == golden.stderr
    assert status == golden.status


def test_kernels_name_may_be_left_out(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """`k mx`, `k zx` and plain `k` say the same."""
    capture = str(goldens() / "system-2.json")
    texts = set()
    for words in (["k", "mx"], ["k", "zx"], ["k"]):
        assert run([*words, "vmos", "hidden", "-uM", capture]) == 0
        texts.add(capsysbinary.readouterr().out)
    assert texts == {(goldens() / "system-2" / "k-vmos-hidden-uM.txt").read_bytes()}


def test_reads_standard_input(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dash stands for standard input, as in the guide's pipeline."""
    with (goldens() / "system-1.json").open(encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert run(["ps", "-"]) == 0
    assert capsysbinary.readouterr().out == (goldens() / "system-1" / "ps.txt").read_bytes()


def test_every_golden_is_asked_for() -> None:
    """commands.tsv names every file of the folders but the derived facts, and no other."""
    named = {golden.path for golden in golden_commands()}
    there = {path for path in Path(goldens()).glob("system-*/*") if path.suffix != ".tsv"}
    assert named == there

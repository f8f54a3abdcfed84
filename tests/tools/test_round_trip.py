"""Reading what a tool printed and printing that gives the same text, up to the rounding of sizes.

A size with a decimal is read as the size it shows, so that it may be shown without its `.0`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.golden_commands import GoldenCommand, golden_commands

import magmem
from magmem.errors import MissingData
from magmem.listing import Listing
from magmem.sizes import parse_size

SIZE = re.compile(r"\??\d+(?:\.\d)?[BkMGTPE]")


def answer(golden: GoldenCommand, folder: Path) -> Listing:
    """Read the golden, led in by its command, as a capture, and ask the tool that printed it."""
    text = golden.path.read_text(encoding="utf-8")
    lead = "" if text.startswith("[") else f"$ {golden.command}\n"
    path = folder / "capture.txt"
    path.write_text(lead + text, encoding="utf-8")
    snap = magmem.read_capture(path)
    words = golden.command.split()
    options = "".join(word for word in words if word.startswith("-"))
    match words:
        case ["ps", *_]:
            return magmem.ps(snap, threads="-T" in words, units=options.partition("=")[2])
        case ["vmaps", koid]:
            return magmem.vmaps(snap, int(koid))
        case ["vmos", koid]:
            return magmem.vmos(snap, int(koid))
        case ["kstats", *_]:
            return magmem.kstats(snap, timestamps="-t" in words, era="zx")
        case ["memgraph", *_]:
            return magmem.memgraph(snap, threads="t" in options, vmos="v" in options)
        case ["k", "pmm", "arenas"]:
            return magmem.pmm_arenas(snap)
        case ["k", "zx", "ps"]:
            return magmem.k_ps(snap)
        case ["k", "zx", "jobs"]:
            return magmem.k_jobs(snap)
        case ["k", "zx", "ht", koid]:
            return magmem.k_ht(snap, int(koid))
        case ["k", "zx", "asd", which]:
            return magmem.asd(snap, int(which) if which.isdigit() else which)
        case ["k", "zx", "vmos", which, *_]:
            unit = options.removeprefix("-u")
            # What a dump of the hidden VMOs says of a VMO, `all` prints again.
            return magmem.k_vmos(snap, int(which) if which.isdigit() else "all", unit)
    raise ValueError(f"no function for {golden.command}")


def tokens(line: str) -> list[str | int]:
    """The words of a line, with sizes as bytes."""
    return [
        parse_size(word.removeprefix("?")) if SIZE.fullmatch(word) else word
        for word in line.replace(",", " ,").split()
    ]


def nothing_listed(golden: GoldenCommand) -> bool:
    """Whether it lists no VMO or handle, which leaves nothing in a snapshot to be known by."""
    text = golden.path.read_text(encoding="utf-8")
    if golden.name.startswith("memgraph"):
        return "-v" in golden.command and '"vmos"' not in text
    if " ht " in golden.command:
        return "total: 0 handles" in text
    rows = re.search(r" \d+ +(-|\d+) +\d+ +\d+ +\d+ ", text)
    return "vmos" in golden.command and rows is None


def texts() -> list[GoldenCommand]:
    """Goldens that hold a listing in text."""
    return [
        golden
        for golden in golden_commands()
        if golden.path.stat().st_size and not golden.name.startswith(("err-", "memgraph", "k-ps"))
    ]


@pytest.mark.parametrize("golden", texts(), ids=str)
def test_text_comes_back(golden: GoldenCommand, tmp_path: Path) -> None:
    """Every line, word for word; sizes as far as the text tells them."""
    printed = golden.path.read_text(encoding="utf-8").splitlines()
    if nothing_listed(golden):
        with pytest.raises(MissingData):
            answer(golden, tmp_path)
        return
    again = str(answer(golden, tmp_path)).splitlines()
    assert len(again) == len(printed)
    for before, after in zip(printed, again, strict=True):
        if before.endswith("VMOs, oldest to newest:"):
            continue
        if before.startswith("  total: ") and "VMOs" in before:
            # A sum of rounded sizes is not the rounded sum.
            assert before.split(",")[0] == after.split(",")[0]
        else:
            assert tokens(after) == tokens(before)


@pytest.mark.parametrize(
    "golden", [g for g in golden_commands() if g.command == "k zx ps"], ids=str
)
def test_handle_totals_come_back(golden: GoldenCommand, tmp_path: Path) -> None:
    """A snapshot holds how many handles a process has; by type only where it has the handles."""
    try:
        again = str(answer(golden, tmp_path)).splitlines()
    except MissingData:
        assert len(golden.path.read_text(encoding="utf-8").splitlines()) == 1
        return
    for before, after in zip(
        golden.path.read_text(encoding="utf-8").splitlines(), again, strict=True
    ):
        assert before.split(":")[0] == after.split(":")[0]
        assert before.partition(" [")[2] == after.partition(" [")[2]


@pytest.mark.parametrize(
    "golden", [g for g in golden_commands() if g.name.startswith("memgraph")], ids=str
)
def test_memgraph_comes_back(golden: GoldenCommand, tmp_path: Path) -> None:
    """JSON carries every size to the byte: the text is the same."""
    if nothing_listed(golden):
        with pytest.raises(MissingData):
            answer(golden, tmp_path)
        return
    assert json.loads(str(answer(golden, tmp_path))) == json.loads(
        golden.path.read_text(encoding="utf-8")
    )

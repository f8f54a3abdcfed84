"""The accounting commands give the library's listings, in text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json

import pytest

import magmem
from magmem.cli.main import run

CALLS = {
    "account": magmem.account,
    "account --rule magenta-2017": lambda snap: magmem.account(snap, "magenta-2017"),
    "compare": magmem.compare,
    "ledger": magmem.ledger,
    "hidden": magmem.hidden,
    "vmo 1030": lambda snap: magmem.vmo(snap, 1030),
    "page 1030 2": lambda snap: magmem.page(snap, 1030, 2),
}


@pytest.mark.parametrize("line", CALLS)
def test_command_prints_the_library_listing(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command's text, JSON and table are those of the function of the same name."""
    listing = CALLS[line](magmem.read_capture("small-machine"))
    assert run([*line.split(), "small-machine"]) == 0
    assert capsys.readouterr().out == str(listing)
    assert run([*line.split(), "--json", "small-machine"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(listing.to_json())
    assert run([*line.split(), "--csv", "small-machine"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == listing.df.columns.tolist()
    assert len(rows) == len(listing.df) + 1


@pytest.mark.parametrize("line", CALLS)
def test_python_form_runs(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What --python prints is a program that prints the same."""
    assert run([*line.split(), "--python", "small-machine"]) == 0
    program = capsys.readouterr().out
    exec(compile(program, "program", "exec"), {})  # noqa: S102 (our own output, by purpose)
    assert capsys.readouterr().out == str(CALLS[line](magmem.read_capture("small-machine")))


def test_ledger_json_ends_in_nothing_unexplained(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON names every process and machine line; nothing is left over."""
    assert run(["ledger", "--json", "two-arena-machine"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["machine"]["unexplained_bytes"] == 0
    assert all(len(process["stages"]) == 6 for process in data["processes"])


def test_unknown_vmo_and_page_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A VMO or page that is not there is an error of one line, not a traceback."""
    assert run(["vmo", "999999", "small-machine"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert run(["page", "1030", "9999999", "small-machine"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("index", ["two", "1.5", "0x2"])
def test_page_index_that_is_no_number_says_what_is_expected(
    index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An odd page index is named with what was expected."""
    assert run(["page", "1030", index, "small-machine"]) == 2
    expected = f"expected the number of a page in the VMO, from 0, found {index!r}"
    assert expected in capsys.readouterr().err

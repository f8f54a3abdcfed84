"""A teacher reads the guesses of a class; what is handed in is not trusted."""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path

import pytest

from magmem.cli.main import run
from magmem.errors import MagmemError
from magmem.predictions import FILE_NAME, Guess, Guesses, report, ten


def hand_in(folder: Path, right_after: int) -> None:
    """A student who knew nothing before, and this many of the ten after."""
    folder.mkdir(parents=True)
    kept = Guesses(folder)
    for one in ten("before", kept.seed):
        kept.keep(Guess(one.name, "1" if one.kind == "size" else one.options[0], "1", True))
    for number, one in enumerate(ten("after", kept.seed)):
        answer = str(literal_eval(one.answer)) if number < right_after else "1"
        kept.keep(Guess(one.name, answer, "2", False))
    kept.keep(Guess("01/heap", "2M", "1", False, "4k", "mapped-is-memory"))


def test_before_and_after_of_each_student(tmp_path: Path) -> None:
    """Drawn questions are judged anew, whatever the file claims; a line a student."""
    hand_in(tmp_path / "ada" / "notebooks", 9)
    hand_in(tmp_path / "grace", 4)
    listing = report(tmp_path)
    lines = [line.split() for line in listing.text.splitlines()]
    assert lines[0] == ["STUDENT", "BEFORE", "AFTER", "CHAPTERS"]
    before = {line[0]: line[1] for line in lines[1:3]}
    assert set(before) == {"ada", "grace"}
    # Nine of the ten ask for a size, and nobody's is one byte.
    assert set(before.values()) <= {"0/10", "1/10"}
    assert [line[2:] for line in lines[1:3]] == [["9/10", "0/1"], ["4/10", "0/1"]]
    table = listing.df
    assert len(table) == 2 * 21
    assert table.query("student == 'ada' and occasion == 'after'")["right"].sum() == 9


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    """A folder without guesses, and one that is not there."""
    with pytest.raises(MagmemError, match=f"expected a {FILE_NAME}, found none"):
        report(tmp_path)
    with pytest.raises(MagmemError, match="found no"):
        report(tmp_path / "gone")


def test_hostile_files_cost_only_themselves(tmp_path: Path) -> None:
    """Bytes that are no JSON, and guesses that are no answers: reported or wrong, never raised."""
    hand_in(tmp_path / "ada", 10)
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / FILE_NAME).write_text(
        '{"name":"after/copy-doubles","guess":"__import__(0)","at":"x","right":true}\n<xml>\n'
        '{"name":"after/copy-doubles2","guess":["a"],"at":"x","right":true}\n'
    )
    listing = report(tmp_path)
    eve = listing.df.query("student == 'eve' and question == 'copy-doubles'")
    assert not eve["right"].item()
    assert "line 2: expected a guess" in listing.text


def test_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``magmem guesses FOLDER --csv`` is the table."""
    hand_in(tmp_path / "ada", 10)
    assert run(["guesses", str(tmp_path), "--csv"]) == 0
    assert capsys.readouterr().out.startswith("student,occasion,question,guess,answer,right")

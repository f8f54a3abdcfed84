"""The chapters' questions: every one is asked once, in its chapter, and is answered there."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from magmem.predictions import UnknownQuestion, chapter, chapters, question

ROOT = Path(__file__).parents[2]


def sources(number: str) -> str:
    """The code of a chapter."""
    (path,) = (ROOT / "notebooks").glob(f"{number}-*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


@pytest.mark.parametrize("number", chapters())
def test_questions_are_those_the_chapter_asks(number: str) -> None:
    """In the file's order, none left over; one that is only asked is settled by another."""
    asked = re.findall(r"^%%predict (\S+)$", sources(number), re.MULTILINE)
    open_ones = re.findall(r"^%ask (\S+)$", sources(number), re.MULTILINE)
    questions = chapter(number)
    assert [one.name for one in questions.values() if one.name not in open_ones] == asked
    settled = [one.settles for one in questions.values() if one.settles]
    assert sorted(settled) == sorted(open_ones)


@pytest.mark.parametrize("number", chapters())
def test_every_answer_is_read(number: str) -> None:
    """What is shown after a guess is followed by its reading; a choice has options."""
    settled = {one.settles for one in chapter(number).values()}
    for one in chapter(number).values():
        assert one.reading or one.name in settled, one.name
        assert bool(one.options) == (one.kind in ("choice", "which")), one.name
        assert len(set(one.options)) == len(one.options) != 1, one.name
        assert bool(one.unit) == (one.kind == "count"), one.name


def test_unknown_question_names_those_there_are() -> None:
    """A slip in a cell is answered with the chapter's questions."""
    with pytest.raises(UnknownQuestion, match="01/first-write"):
        question("01/frist-write")
    with pytest.raises(UnknownQuestion, match="CHAPTER/NAME"):
        question("nonsense")

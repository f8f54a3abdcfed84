"""Grading reads what students wrote, and runs none of it."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from magmem import exercises
from magmem.cli.main import run
from magmem.errors import CaptureError

MAKE = 'from magmem import exercises\n\none = exercises.make("freed-by-exit", "Ada")\none'


def hand_in(folder: Path, name: str, *cells: str) -> Path:
    """A student's notebook with these code cells."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def marks(folder: Path) -> list[tuple[str, ...]]:
    """Student, exercise and mark of every row."""
    table = exercises.grade(folder).df
    return [tuple(row) for row in table[["student", "exercise", "mark"]].to_numpy().tolist()]


def answer(value: str) -> str:
    """The cell that answers and checks."""
    return f"answer = {value}\nexercises.check(one, answer)"


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        ("'220k'", "right"),
        ("225280", "right"),
        ("'1M'", "wrong"),
        ("None", "blank"),
        ("''", "blank"),
        ("'many'", "unreadable"),
        ("220k", "unreadable"),
        ("'22,0k'", "wrong"),
        ("make_machine()", "by hand"),
        ("__import__('os').system('touch ran')", "by hand"),
    ],
)
def test_each_answer_gets_its_mark(tmp_path: Path, value: str, mark: str) -> None:
    """Literals are judged as `check` does; what would have to be run is left to the teacher."""
    hand_in(tmp_path, "ada.ipynb", MAKE, answer(value))
    assert marks(tmp_path) == [("Ada", "freed-by-exit", mark)]
    assert not (tmp_path / "ran").exists()


def test_a_name_used_again_loses_no_exercise(tmp_path: Path) -> None:
    """An exercise whose cell is no Python has a row, also when its name is given to the next."""
    again = 'one = exercises.make("resident", "Ada")'
    hand_in(tmp_path, "ada.ipynb", MAKE, answer("220k"), again, answer("None"))
    hand_in(tmp_path, "bob.ipynb", MAKE, answer("'220k'"), again, answer("12k"))
    assert [(name, mark) for _, name, mark in marks(tmp_path)] == [
        ("freed-by-exit", "unreadable"),
        ("resident", "blank"),
        ("freed-by-exit", "right"),
        ("resident", "unreadable"),
    ]


def test_a_name_may_stand_in_a_variable(tmp_path: Path) -> None:
    """`me = "…"` and magics before it: the exercise is the one of that student."""
    cells = ["%load_ext magmem\nme = 'Grace'", MAKE.replace('"Ada"', "me"), answer("1")]
    hand_in(tmp_path, "grace.ipynb", *cells)
    assert marks(tmp_path) == [("Grace", "freed-by-exit", "wrong")]


def test_the_answer_is_the_one_that_was_checked(tmp_path: Path) -> None:
    """Each check takes the last answer before it."""
    two = MAKE.replace("one", "two").replace("freed-by-exit", "pss-by-hand")
    cells = [MAKE, answer("'220k'"), two, answer("1").replace("one", "two")]
    hand_in(tmp_path, "ada.ipynb", *cells)
    assert marks(tmp_path) == [("Ada", "freed-by-exit", "right"), ("Ada", "pss-by-hand", "wrong")]


def test_bad_notebooks_are_one_line_each(tmp_path: Path) -> None:
    """What is no notebook, or names no exercise, is told and stops nothing."""
    (tmp_path / "broken.ipynb").write_text("{")
    (tmp_path / "other.ipynb").write_text('{"cells": 3}')
    (tmp_path / "bytes.ipynb").write_bytes(b"\xff\xfe")
    hand_in(tmp_path, "deep/empty.ipynb", "1 +")
    hand_in(tmp_path, "typo.ipynb", MAKE.replace("freed", "fred"), answer("1"))
    hand_in(tmp_path, "z.ipynb", MAKE, answer("'220k'"))
    hand_in(tmp_path, ".ipynb_checkpoints/z.ipynb", MAKE, answer("'1k'"))
    table = exercises.grade(tmp_path).df.set_index("file")
    assert table["mark"].to_dict() == {
        "broken.ipynb": "unreadable",
        "bytes.ipynb": "unreadable",
        "deep/empty.ipynb": "blank",
        "other.ipynb": "unreadable",
        "typo.ipynb": "unreadable",
        "z.ipynb": "right",
    }
    assert "no exercise 'fred-by-exit'" in table["says"]["typo.ipynb"]
    assert not table["says"].str.contains("\n").any()


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    """Neither a folder without notebooks nor a missing one is a class without students."""
    with pytest.raises(CaptureError, match="a folder with notebooks"):
        exercises.grade(tmp_path)
    with pytest.raises(CaptureError, match="no such folder"):
        exercises.grade(tmp_path / "nowhere")


def test_commands_of_a_teacher(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """List, preview, solutions and grade, in text, JSON and CSV."""
    hand_in(tmp_path, "ada.ipynb", MAKE, answer("'1M'"))
    assert run(["exercises", "list"]) == 0
    assert "pss-by-hand" in capsys.readouterr().out
    assert run(["exercises", "list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == exercises.names()
    assert run(["exercises", "preview", "freed-by-exit", "--student", "Ada"]) == 0
    shown = capsys.readouterr().out
    assert exercises.make("freed-by-exit", "Ada").question in shown
    assert "Answer" not in shown
    assert run(["exercises", "preview", "freed-by-exit", "--student", "Ada", "--solution"]) == 0
    assert "Answer: **220k (225,280 bytes)**" in capsys.readouterr().out
    sheet = tmp_path / "ada.md"
    assert run(["exercises", "solutions", "--student", "Ada", "-o", str(sheet)]) == 0
    assert sheet.read_text().count("Answer: ") == len(exercises.names())
    assert run(["exercises", "grade", str(tmp_path), "--csv"]) == 0
    assert "ada.ipynb,Ada,freed-by-exit,wrong," in capsys.readouterr().out
    assert run(["exercises", "grade", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("Ada: 1 wrong (ada.ipynb)\n")
    assert run(["exercises", "preview", "nonsense"]) == 1
    assert "no exercise 'nonsense'" in capsys.readouterr().err

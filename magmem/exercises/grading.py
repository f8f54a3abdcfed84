"""Grading a folder of notebooks: answers are read, never run.

A notebook names an exercise by ``NAME = exercises.make("exercise", "student")`` and answers it in
a cell with ``answer = …`` and ``exercises.check(NAME, answer)``. Both are read from the source
alone, so nothing that a student wrote is executed. An answer that is no literal, such as a machine
built in a cell, is counted as ``by hand``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from magmem.errors import CaptureError, MagmemError
from magmem.exercises.exercise import check
from magmem.exercises.registry import make
from magmem.printable import one_line

if TYPE_CHECKING:
    import pandas as pd

    from magmem.listing import Listing

__all__ = ["grade"]

MARKS = ("right", "wrong", "blank", "unreadable", "by hand")
_COLUMNS = ("file", "student", "exercise", "mark", "says")


class _Cell(msgspec.Struct):
    cell_type: str = ""
    source: str | list[str] = ""


class _Notebook(msgspec.Struct):
    cells: list[_Cell]


@dataclass(frozen=True)
class _Answer:
    exercise: str
    student: str
    value: object
    is_literal: bool | None  # None: nothing that can be read checks it


def grade(folder: str | PathLike[str]) -> Listing:
    """Mark every answer in the notebooks of a folder and the folders in it.

    Returns
    -------
    Listing
        A line per notebook and a table with one row per answer: file, student, exercise, mark
        (right, wrong, blank, unreadable, by hand), says. A notebook that cannot be read has one
        row that says why.

    Raises
    ------
    CaptureError
        There is no such folder, or no notebook in it.
    """
    from magmem.listing import Listing

    top = Path(folder)
    files = sorted(
        path
        for path in (top.rglob("*.ipynb") if top.is_dir() else [])
        if ".ipynb_checkpoints" not in path.parts
    )
    if not files:
        what = "none in it" if top.is_dir() else "no such folder"
        raise CaptureError(str(folder), "", "a folder with notebooks (*.ipynb)", what)
    import pandas as pd

    rows = [row for path in files for row in _rows(path, str(path.relative_to(top)))]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return Listing(_text(table), table, title="Grades")


def _rows(path: Path, name: str) -> Iterator[tuple[str, str, str, str, str]]:
    try:
        answers = list(_answers(msgspec.json.decode(path.read_bytes(), type=_Notebook)))
    except (msgspec.MsgspecError, UnicodeDecodeError, OSError, RecursionError) as error:
        yield name, "", "", "unreadable", f"no notebook: {error}".splitlines()[0]
        return
    if not answers:
        yield name, "", "", "blank", "no exercise in it"
    for answer in answers:
        yield name, answer.student, answer.exercise, *_mark(answer)


def _mark(answer: _Answer) -> tuple[str, str]:
    try:
        exercise = make(answer.exercise, answer.student)
    except (MagmemError, ValueError) as error:
        return "unreadable", str(error)
    if answer.is_literal is None:
        return (
            "unreadable",
            "no check of an answer found; is the cell Python (a size needs quotes)?",
        )
    if not answer.is_literal:
        return "by hand", "the answer is no literal; run the notebook to see it"
    verdict = check(exercise, answer.value)
    if verdict.right is None:
        blank = answer.value is None or answer.value == ""
        return "blank" if blank else "unreadable", verdict.says
    return "right" if verdict.right else "wrong", verdict.says


def _answers(notebook: _Notebook) -> Iterator[_Answer]:
    """Every answer, by the names that the cells give, in order."""
    made: dict[str, tuple[str, str]] = {}
    checked: set[str] = set()
    texts: dict[str, str] = {}
    values: dict[str, ast.expr] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        source = cell.source if isinstance(cell.source, str) else "".join(cell.source)
        for node in _statements(source):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, node.value
                asked = _call(value, "make")
                if asked:
                    words = [_text_of(word, texts) for word in asked[:2]]
                    if len(words) == 2 and all(words):
                        key = (str(words[0]), str(words[1]))
                        if made.get(name, key) != key:
                            if name not in checked:
                                yield _Answer(*made[name], None, None)
                            checked.discard(name)
                        made[name] = key
                elif isinstance(value, ast.Constant) and isinstance(value.value, str):
                    texts[name] = value.value
                values[name] = value
            asked = _call(getattr(node, "value", None), "check")
            if len(asked) == 2 and isinstance(asked[0], ast.Name) and asked[0].id in made:
                checked.add(asked[0].id)
                yield _Answer(*made[asked[0].id], *_literal(asked[1], values))
    # A cell that is no Python (``answer = 12k``) must not make its exercise disappear.
    yield from (_Answer(*made[name], None, None) for name in made if name not in checked)


def _statements(source: str) -> list[ast.stmt]:
    """The statements of a cell; magics are left out, and so is what is no Python."""
    lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines()]
    try:
        return ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _call(node: object, function: str) -> list[ast.expr]:
    """Arguments if this is ``exercises.function(…)`` or ``function(…)``."""
    if not isinstance(node, ast.Call):
        return []
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return [*node.args, *(word.value for word in node.keywords)] if name == function else []


def _text_of(node: ast.expr, texts: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return texts.get(node.id) if isinstance(node, ast.Name) else None


def _literal(node: ast.expr, values: dict[str, ast.expr]) -> tuple[object, bool]:
    if isinstance(node, ast.Name):
        node = values.get(node.id, node)
    try:
        return ast.literal_eval(node), True
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None, False


def _text(table: pd.DataFrame) -> str:
    """A line per notebook: who, how many of each mark, and what could not be read."""
    lines = []
    for file, part in table.groupby("file", sort=False):
        # What students wrote and named must not be able to forge a line.
        who = ", ".join(dict.fromkeys(one_line(name) for name in part["student"] if name)) or "-"
        counts = part["mark"].value_counts()
        marks = ", ".join(f"{counts[mark]} {mark}" for mark in MARKS if mark in counts)
        lines.append(f"{who}: {marks} ({one_line(file)})")
        wrong = part[part["mark"].isin(["wrong", "unreadable", "by hand"])]
        lines += [
            f"  {one_line(row.exercise or row.file)}: {row.mark}: {one_line(row.says)}"
            for row in wrong.itertuples()
        ]
    return "\n".join(lines) + "\n"

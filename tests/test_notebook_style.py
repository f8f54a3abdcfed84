"""Notebooks are written for reading: the rules of CONTRIBUTING.md, checked cell by cell."""

from __future__ import annotations

import re
import statistics
from pathlib import Path
from typing import Any

import nbformat
import pytest

from magmem import predictions

ROOT = Path(__file__).parent.parent
LABS = sorted((ROOT / "notebooks" / "labs").glob("*.ipynb"))
NOTEBOOKS = [*sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")), *LABS]
STUDENTS = [path for path in NOTEBOOKS if path.stem[:2] in predictions.chapters()]
"""The chapters that ask for guesses; teachers' ones do not."""


def cells(path: Path) -> list[Any]:
    """The cells of a notebook."""
    return list(nbformat.read(path, as_version=4).cells)


def code_lines(cell: Any) -> int:
    """Lines of code that are not blank."""
    return sum(1 for line in cell.source.splitlines() if line.strip())


def test_there_is_a_course() -> None:
    """The first chapter exists, so that the rules below have something to hold."""
    assert "00-start-here.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_prose_leads_into_every_code_cell(path: Path) -> None:
    """A code cell is announced by the text cell right before it."""
    for before, cell in zip([None, *cells(path)], cells(path), strict=False):
        if cell.cell_type == "code":
            assert before is not None, cell.source
            assert before.cell_type == "markdown", cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short(path: Path) -> None:
    """Code cells have 2 to 4 lines as a rule (median), and none has more than 15."""
    lengths = [code_lines(cell) for cell in cells(path) if cell.cell_type == "code"]
    assert max(lengths) <= 15
    assert statistics.median(lengths) <= 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stored_and_clean(path: Path) -> None:
    """Every cell was run in order; no error, nothing on stderr, no path or address of a machine."""
    code = [cell for cell in cells(path) if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            text = str(output.get("text", output.get("data", {}).get("text/plain", "")))
            assert not re.search(r"<[^>]* at 0x", text), "an object's address changes each run"
            assert str(ROOT) not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_the_same_everywhere(path: Path) -> None:
    """Cell ids follow the position and no version is named, so a diff shows only changes."""
    notebook = nbformat.read(path, as_version=4)
    assert [cell.id for cell in notebook.cells] == [
        f"cell-{position:02d}" for position in range(len(notebook.cells))
    ]
    assert notebook.metadata.language_info == {"name": "python"}
    assert path.stat().st_size < 1_500_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    """A link to another file of the project leads to one that is there."""
    for cell in cells(path):
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#:]+)\)", cell.source):
                assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", STUDENTS, ids=lambda path: path.stem)
def test_answers_wait_for_a_guess(path: Path) -> None:
    """A question takes its guess in a cell; no text asks for one and then answers it."""
    found = cells(path)
    asked = [cell for cell in found if cell.source.startswith(("%%predict ", "%ask "))]
    assert len(asked) >= 3
    prose = "\n".join(cell.source for cell in found if cell.cell_type == "markdown")
    assert not re.search(r"\b[Ww]rite\b[^.]*\bdown\b|Clear Outputs|\*\*Predict\*\*", prose)
    for cell in asked:
        for output in cell.outputs:
            assert "<pre>" not in output.data["text/html"].split("<details")[0]


@pytest.mark.parametrize("path", STUDENTS, ids=lambda path: path.stem)
def test_answers_are_among_the_options(path: Path) -> None:
    """What a cell computes as the answer to a choice is one of its options, or some of them."""
    for cell in cells(path):
        if cell.source.startswith("%%predict "):
            lines = cell.outputs[0].data["text/plain"].splitlines()
            at, answer = next(
                (at, line) for at, line in enumerate(lines) if line.startswith("Answer: ")
            )
            options = [line[2:] for line in lines[:at] if line.startswith("- ")]
            if options and answer != "Answer: none of them":
                assert set(re.findall("“(.*?)”", answer)) <= set(options), answer
                assert "“" in answer


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_text_does_not_break_within_words(path: Path) -> None:
    """Prose is printed in lines that fit; only what a tool of the guide prints is as long as it is.

    What a notebook shows in another form, as a picture or Markdown, is not seen as text.
    """
    for cell in cells(path):
        if cell.cell_type == "markdown" or cell.source.startswith("%"):
            continue
        for output in cell.outputs:
            shown = output.get("data", {"text/plain": output.get("text", "")})
            if set(shown) == {"text/plain"}:
                assert max(map(len, shown["text/plain"].splitlines()), default=0) <= 110


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_chapter_leads_to_the_glossary(path: Path) -> None:
    """The last cell of a chapter tells where its words are explained."""
    assert cells(path)[-1].source.endswith(
        f"Words: [glossary](../{'../' * (path in LABS)}docs/glossary.md)."
    )


def test_glossary_names_chapters_that_use_the_word() -> None:
    """Words stand in order, once each, each with a chapter whose text has it."""
    rows = re.findall(
        r"^\| `?([^|`]+)`? \| [^|]+ \| \[(\d\d)\]\(\.\./notebooks/([^)]+)\) \|$",
        (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    words = [word.lower() for word, _, _ in rows]
    assert len(words) > 50
    assert words == sorted(set(words))
    for word, chapter, file in rows:
        assert file.startswith(chapter)
        prose = [c.source for c in cells(ROOT / "notebooks" / file) if c.cell_type == "markdown"]
        if chapter in predictions.chapters():
            prose += [one.reading for one in predictions.chapter(chapter).values()]
        assert word.lower() in "\n".join(prose).lower(), (word, file)

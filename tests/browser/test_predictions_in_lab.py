"""Guesses in a real JupyterLab: typed, kept, answered; and nothing on the screen answers before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page
from support.lab import ROOT, Lab, model, open_notebook, run_all, running_lab

from magmem.predictions import FILE_NAME, chapters, read_guesses

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all chapters, so that guesses of one are met in the next."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def name_of(number: str) -> str:
    """The file of a chapter."""
    (path,) = (ROOT / "notebooks").glob(f"{number}-*.ipynb")
    return path.name


def asking(page: Page) -> dict[int, str]:
    """The cells that ask, by their place, and what they ask."""
    found = {}
    for at, cell in enumerate(model(page)["cells"]):
        first = "".join(cell["source"]).split("\n")[0]
        if first.startswith(("%%predict ", "%ask ")):
            found[at] = first.split()[1]
    return found


def box(page: Page, at: int) -> Locator:
    """The question of a cell, on the screen."""
    page.evaluate(
        f"() => window.jupyterapp.shell.currentWidget.content.scrollToItem({at}, 'center')"
    )
    shown = page.locator(f".jp-Cell[data-windowed-list-index='{at}'] .mp-box")
    shown.wait_for(state="visible")
    return shown


def restart(page: Page) -> None:
    """Begin with a fresh kernel; a chapter that was open before still has its old one."""
    page.evaluate(
        "async () => { const s = window.jupyterapp.shell.currentWidget.sessionContext;"
        " await s.session.kernel.restart(); }"
    )


def guess(shown: Locator) -> None:
    """Answer a question as somebody would who does not know: a number, or the first option."""
    text = shown.locator("input[type=text]")
    if text.count():
        text.fill("3 pages" if "size" in str(text.get_attribute("placeholder")) else "3")
        text.press("Enter")
    else:
        shown.locator("input").first.check()
        shown.locator(".mp-main").click()
    shown.locator(".mp-verdict").wait_for()


@pytest.mark.parametrize("number", chapters())
def test_every_question_takes_a_guess_and_answers_it(page: Page, lab: Lab, number: str) -> None:
    """Typed and clicked through a whole chapter; each guess is kept, with its answer."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    open_notebook(page, lab, name_of(number))
    run_all(page)
    questions = asking(page)
    assert questions
    for at, name in questions.items():
        shown = box(page, at)
        assert shown.locator(".mp-verdict").count() == 0
        cell = page.locator(f".jp-Cell[data-windowed-list-index='{at}']")
        assert "You said" not in cell.inner_text(), name
        guess(shown)
        verdict = shown.locator(".mp-verdict").inner_text()
        assert "You said" in verdict or "comes later" in verdict, name
    _, kept, wrong = read_guesses(Path(lab.folder) / "notebooks" / FILE_NAME)
    assert wrong == []
    assert set(questions.values()) <= kept.keys()
    assert all(kept[name].answer for name in questions.values())
    assert problems == []


def test_guesses_are_there_after_a_restart(page: Page, lab: Lab) -> None:
    """Opened anew and run again, a question shows what was guessed, and its answer."""
    open_notebook(page, lab, name_of("01"))
    restart(page)
    run_all(page)
    at = next(at for at, name in asking(page).items() if name == "01/first-write")
    shown = box(page, at)
    assert "You said 3 pages; it is 4k" in str(shown.locator(".mp-verdict").text_content())
    assert shown.locator("input").is_disabled()


def test_wrong_guesses_come_back_in_a_later_chapter(page: Page, lab: Lab) -> None:
    """What was wrong in chapter 01 is asked in chapter 04, one question after the other."""
    open_notebook(page, lab, name_of("04"))
    run_all(page)
    cells = model(page)["cells"]
    at = next(at for at, cell in enumerate(cells) if "".join(cell["source"]) == "%again 04")
    shown = box(page, at)
    assert "Question 1 of" in shown.inner_text()
    guess(shown)
    assert shown.locator("button", has_text="Next question").count() == 1


def test_saved_chapter_does_not_hold_what_was_guessed(page: Page, lab: Lab) -> None:
    """The file of the chapter is the same as before; only the file of guesses grew."""
    open_notebook(page, lab, name_of("02"))
    restart(page)
    run_all(page)
    page.evaluate(
        "async () => { const panel = window.jupyterapp.shell.currentWidget;"
        " panel.content.model.dirty = true; await panel.context.save(); }"
    )
    saved = lab.folder / "notebooks" / name_of("02")
    assert json.loads(saved.read_text()) == json.loads(
        (ROOT / "notebooks" / name_of("02")).read_text()
    )
    assert saved.read_bytes() == (ROOT / "notebooks" / name_of("02")).read_bytes()


def test_challenge_is_reached_by_mouse(page: Page, lab: Lab) -> None:
    """Chapter 05: take the mapping away, and the explorer says that `ps` is blind now."""
    open_notebook(page, lab, name_of("05"))
    run_all(page)
    cells = model(page)["cells"]
    at = next(at for at, cell in enumerate(cells) if "challenge(" in "".join(cell["source"]))
    page.evaluate(f"() => window.jupyterapp.shell.currentWidget.content.scrollToItem({at})")
    cell = page.locator(f".jp-Cell[data-windowed-list-index='{at}']")
    cell.locator(".mc-box").wait_for()
    assert "Challenge 1 of 5" in str(cell.locator(".mc-box").text_content())
    cell.locator("button", has_text="mapping").first.click()
    cell.locator(".mc-done").wait_for()
    assert "Reached." in str(cell.locator(".mc-said").text_content())

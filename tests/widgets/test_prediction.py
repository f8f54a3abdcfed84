"""Predictions in a notebook: the guess first, then result and reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from magmem_widgets.predictions import Prediction, Series
from magmem_widgets.predictions.magic import PredictionMagics

from magmem.predictions import Guess, Guesses

CELL = "heap = 4096\nprint('one page')\nheap"


@pytest.fixture
def magics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PredictionMagics:
    """The magics in a shell whose folder is empty."""
    monkeypatch.chdir(tmp_path)
    shell = InteractiveShell()
    made = PredictionMagics(shell)
    made.register()
    shell.run_cell("class V: committed_pages = 1\nclass H: vmo = V\nheap = H", silent=True)
    return made


def ask(magics: PredictionMagics, cell: str = "print('one page')\n'the result'") -> Prediction:
    """The question of chapter 01 about the first write."""
    return magics.predict("01/first-write", cell)


def shown(prediction: Prediction) -> str:
    """Everything below the question."""
    return str(prediction.answer_area.outputs)


def test_result_and_reading_open_with_the_guess(magics: PredictionMagics) -> None:
    """Before it neither is on the page nor in any trait that reaches it."""
    prediction = ask(magics)
    state = str(prediction.view.get_state()) + shown(prediction)
    assert "one page" not in state
    assert "the result" not in state
    assert "4,096" not in state
    prediction.guess("2M")
    assert "You said 2M; it is 4k (4,096 bytes)." in prediction.view.verdict
    assert "a mapping is a promise" in prediction.view.verdict
    assert "one page" in shown(prediction)
    assert "the result" in shown(prediction)
    assert "The write of one byte cost one page" in shown(prediction)


def test_cell_runs_at_once(magics: PredictionMagics) -> None:
    """Later cells find its names, and what they change later does not change the answer."""
    prediction = ask(magics, "class V: committed_pages = 2\nclass H: vmo = V\nheap = H\nmade = 1")
    assert magics.shell.user_ns["made"] == 1
    magics.shell.run_cell("V.committed_pages = 9", silent=True)
    prediction.guess("8k")
    assert prediction.view.mark == "right"


def test_guess_is_kept_and_opens_after_a_restart(magics: PredictionMagics, tmp_path: Path) -> None:
    """The same cell run again shows the first guess and its answer; it cannot be guessed again."""
    ask(magics).guess("2M")
    magics.guesses = Guesses(tmp_path)
    again = ask(magics)
    assert again.view.done
    assert again.view.kept == "2M"
    again.guess("4k")
    kept = magics.guesses.get("01/first-write")
    assert kept is not None
    assert (kept.guess, kept.right, kept.belief) == ("2M", False, "mapped-is-memory")


def test_what_is_no_guess_is_said_and_nothing_opens(magics: PredictionMagics) -> None:
    """The form that is expected; the next try is taken."""
    prediction = ask(magics)
    prediction._message(prediction.view, {"act": "guess", "guess": "lots"}, [])
    assert "expected a size such as 12k" in prediction.view.error
    assert not prediction.view.done
    prediction._message(prediction.view, {"act": "guess", "guess": "4k"}, [])
    assert prediction.view.error == ""
    assert prediction.view.mark == "right"


def test_answer_may_be_shown_without_a_guess(magics: PredictionMagics) -> None:
    """Then nothing is judged, and it counts as no guess."""
    prediction = ask(magics)
    prediction._message(prediction.view, {"act": "skip"}, [])
    assert "The answer: 4k (4,096 bytes)." in prediction.view.verdict
    kept = magics.guesses.get("01/first-write")
    assert kept is not None
    assert kept.guess is kept.right is None


def test_opening_question_is_settled_where_it_is_answered(magics: PredictionMagics) -> None:
    """Kept without a word of the answer; judged when the chapter comes to it."""
    opening = magics.ask("01/where")
    opening.guess("in physical memory")
    assert "comes later" in opening.view.verdict
    assert "text/html" in opening.stored()
    prediction = ask(magics)
    prediction.guess("4k")
    assert "At the start: **You said “in physical memory”; it is “nowhere”.**" in shown(prediction)
    kept = magics.guesses.get("01/where")
    assert kept is not None
    assert kept.right is False


def test_stored_form_folds_and_does_not_depend_on_the_guess(magics: PredictionMagics) -> None:
    """HTML with the answer inside ``details``, text with the answer for nbval."""
    before = ask(magics).stored()
    ask(magics).guess("2M")
    assert ask(magics).stored() == before
    question, _, answer = before["text/html"].partition('<details class="reveal">')
    assert "one byte" in question
    assert "one page" not in question
    assert "one page" in answer
    assert "Answer: 4k (4,096 bytes)\none page\n" in before["text/plain"]


def test_error_in_a_cell_is_the_cells_error(magics: PredictionMagics) -> None:
    """It is raised, not hidden in an answer."""
    with pytest.raises(ZeroDivisionError):
        ask(magics, "1 / 0")
    with pytest.raises(UsageError, match="01/first-write"):
        magics.predict("01/nonsense", "")
    with pytest.raises(UsageError, match="%ten before or %ten after"):
        magics.ten("during")


def guess_all(series: Series, text: str) -> list[str]:
    """Answer every question of a series by the same text, or the first option."""
    asked: list[str] = []
    while (current := series.current) is not None:
        asked.append(current.question.name)
        current.guess(current.question.options[0] if current.question.options else text)
        if series.shows:
            assert current.view.next
            series._message(current.view, {"act": "next"}, [])
    return asked


def test_ten_before_show_no_answers_and_ten_after_do(magics: PredictionMagics) -> None:
    """Ten in a row, one at a time; after the course a table of what went."""
    before = magics.ten("before")
    assert len(guess_all(before, "3 pages")) == 10
    kept = magics.guesses.all()
    assert sum(name.startswith("before/") for name in kept) == 10
    assert all(guess.right is not None for guess in kept.values())
    after = magics.ten("after")
    assert len(guess_all(after, "3 pages")) == 10
    ending: Any = after.children[0]
    assert "what is mapped is memory" in ending.value
    assert "Before the course" in ending.value
    assert magics.ten("after").current is None


def test_wrong_guesses_are_asked_again(magics: PredictionMagics) -> None:
    """In a later chapter; what is stored there says nothing of the student."""
    nothing = magics.again("02")
    assert nothing.current is None
    magics.guesses.keep(Guess("01/first-write", "2M", "1", False, "4k", "mapped-is-memory"))
    again = magics.again("02")
    assert again.current is not None
    assert again.current.question.name == "02-again/mapped-is-memory"
    stored = [one._repr_mimebundle_()[0] for one in (nothing, again)]
    assert stored[0]["text/html"] == stored[1]["text/html"]
    assert stored[0]["text/plain"] == stored[1]["text/plain"]
    again.current.guess("1")
    assert "gone" not in magics.learnt("").value.split("what is mapped is memory")[1][:80]

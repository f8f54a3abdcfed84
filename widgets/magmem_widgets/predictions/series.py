"""Several questions one after the other, and what a student has learnt."""

from __future__ import annotations

from html import escape
from typing import Any

from ipywidgets import HTML, Layout, VBox

from magmem.predictions import BELIEFS, Guesses, Question
from magmem.predictions.occasions import standing
from magmem_widgets.predictions.prediction import Prediction

__all__ = ["Learnt", "Series"]


class Series(VBox):  # type: ignore[misc] # traitlets' base is untyped
    """Questions in a row, one on the screen at a time.

    Parameters
    ----------
    questions : list of Question
        With literal answers.
    guesses : Guesses
    says : str
        What is stored in the notebook in place of the questions, which are each student's own.
    ending : callable giving str, or str
        HTML when all are answered, or when there is none.
    shows : bool
        Whether each answer is shown after its guess; else the next question comes at once.
    """

    def __init__(
        self,
        questions: list[Question],
        guesses: Guesses,
        says: str,
        ending: Any,
        *,
        shows: bool = True,
    ) -> None:
        self.questions, self.guesses, self.says, self.shows = questions, guesses, says, shows
        self._ending = ending
        self._current: Prediction | None = None
        super().__init__(layout=Layout(width="100%"))
        self.add_class("mx-box")
        self.at = next((at for at, one in enumerate(questions) if self._open(one)), len(questions))
        self._show()

    @property
    def current(self) -> Prediction | None:
        """The question on the screen; None when all are answered."""
        return self._current

    def _open(self, question: Question) -> bool:
        return self.guesses.get(question.name) is None

    def _show(self) -> None:
        if self._current is not None:
            self._current.close()
            self._current = None
        if self.at >= len(self.questions):
            self.children = [HTML(self._ending() if callable(self._ending) else self._ending)]
            return
        self._current = Prediction(
            self.questions[self.at],
            self.guesses,
            shows=self.shows,
            place=f"Question {self.at + 1} of {len(self.questions)}",
            then=self._guessed,
        )
        self._current.view.on_msg(self._message)
        self.children = [self._current]

    def _guessed(self) -> None:
        current = self.current
        if not self.shows:
            self._next()
        elif current is not None:
            last = self.at + 1 == len(self.questions)
            current.view.next = "Done" if last else "Next question"

    def _message(self, _view: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("act") == "next":
            self._next()

    def _next(self) -> None:
        self.at += 1
        self._show()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        stored = {"text/html": f"<p><em>{escape(self.says)}</em></p>", "text/plain": self.says}
        return {**(data or {}), **stored}, metadata


class Learnt(HTML):  # type: ignore[misc] # traitlets' base is untyped
    """Which beliefs a student held, and which of them went; brought up to date when displayed."""

    SAYS = "Which of your beliefs went, and which are still to be met, appears here."

    def __init__(self, guesses: Guesses) -> None:
        super().__init__(table(guesses))

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        stored = {"text/html": f"<p><em>{self.SAYS}</em></p>", "text/plain": self.SAYS}
        return {**(data or {}), **stored}, metadata


def table(guesses: Guesses) -> str:
    """Beliefs as an HTML table: before, in the chapters, after; and the two sums."""
    kept = guesses.all()
    held = standing(guesses)
    met = {one.belief for one in kept.values() if one.right is False and one.belief}
    rows = []
    for name, belief in BELIEFS.items():
        cells = [_mark(kept, f"before/{name}"), _mark(kept, f"after/{name}")]
        fate = "still there" if held.get(name) else "gone" if name in met else "not met"
        rows.append(
            f"<tr><td>{escape(belief.believed)}</td><td>{cells[0]}</td><td>{fate}</td>"
            f"<td>{cells[1]}</td></tr>"
        )
    sums = [sum(kept[n].right is True for n in kept if n.startswith(f"{when}/")) for when in _WHEN]
    asked = [sum(n.startswith(f"{when}/") for n in kept) for when in _WHEN]
    head = "<tr><th>the belief</th><th>before</th><th>yours?</th><th>after</th></tr>"
    said = ", ".join(
        f"{when} the course {right} of {count} right"
        for when, right, count in zip(_WHEN, sums, asked, strict=True)
        if count
    )
    return f'<table class="mp-table">{head}{"".join(rows)}</table><p>{said.capitalize()}.</p>'


_WHEN = ("before", "after")


def _mark(kept: Any, name: str) -> str:
    guess = kept.get(name)
    if guess is None or guess.guess is None:
        return "–"
    return {True: "right", False: "wrong", None: "kept"}[guess.right]

"""One question: an input, and what opens after the guess."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import anywidget
import traitlets
from ipywidgets import Layout, Output, VBox

from magmem.errors import MagmemError
from magmem.predictions import Guess, Guesses, Question, judge
from magmem.predictions.judging import answer_of, plain_guess
from magmem.predictions.kept import now
from magmem_widgets.predictions.written import folded, listed, markdown, opened
from magmem_widgets.theme import ASSETS, script

__all__ = ["Prediction", "PredictionView"]

FORMS = {"size": "a size such as 12k or 1.5M", "count": "a number"}


class PredictionView(anywidget.AnyWidget):
    """The question on the page; a guess comes back as ``{"act": "guess", "guess": …}``."""

    _esm = script("prediction")
    _css = (ASSETS / "prediction.css").read_text(encoding="utf-8")
    place = traitlets.Unicode().tag(sync=True)
    kind = traitlets.Unicode("size").tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    form = traitlets.Unicode().tag(sync=True)
    skip = traitlets.Unicode().tag(sync=True)
    kept = traitlets.Any(None, allow_none=True).tag(sync=True)
    done = traitlets.Bool(default_value=False).tag(sync=True)
    verdict = traitlets.Unicode().tag(sync=True)
    mark = traitlets.Unicode().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    next = traitlets.Unicode().tag(sync=True)
    ask = traitlets.Unicode().tag(sync=True)  # last: a change of it builds the form anew


class Prediction(VBox):  # type: ignore[misc] # traitlets' base is untyped
    """A question, its guess, and then its answer.

    Parameters
    ----------
    question : Question
    guesses : Guesses
        Where the guess is kept. If it is there already, the answer opens at once.
    values : mapping of expression to value, optional
        What `Question.answer` and each `Mistake.guess` are; literals if not given, and then a
        guess is judged even if the answer is not shown.
    outputs : list of dict
        What the cell showed, in nbformat's form; opens with the answer.
    shows : bool
        False if the guess is only kept, and answered later.
    place : str
        Such as ``Question 3 of 10``.
    settles : Question, optional
        An earlier question that is answered with this one.
    then : callable, optional
        Called after the guess.
    """

    def __init__(
        self,
        question: Question,
        guesses: Guesses,
        values: Mapping[str, Any] | None = None,
        outputs: list[dict[str, Any]] | None = None,
        *,
        shows: bool = True,
        place: str = "",
        settles: Question | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        self.question, self.guesses, self.shows = question, guesses, shows
        self._value = literal_eval if values is None else values.__getitem__
        self._judges = shows or values is None
        self._outputs = outputs or []
        self._settles, self._then = settles, then
        self.view = PredictionView(
            place=place,
            kind=question.kind,
            options=list(question.options),
            form=f"a number of {question.unit}" if question.unit else FORMS.get(question.kind, ""),
            skip="Show it without a guess" if shows else "I have no idea",
            ask=markdown(question.ask),
        )
        self.answer_area = Output()
        super().__init__(children=[self.view, self.answer_area], layout=Layout(width="100%"))
        self.add_class("mx-box")
        self.view.on_msg(self._message)
        kept = guesses.get(question.name)
        if kept is not None:
            self._open(kept)

    def guess(self, typed: str | list[str] | None) -> None:
        """Take a guess (None: show without one), keep it, and open the answer."""
        if self.view.done:
            return
        if typed is not None:
            try:
                plain_guess(self.question, typed)
            except MagmemError as error:
                self.view.error = str(error)
                return
        kept = self.guesses.keep(Guess(self.question.name, typed, now(), ask=self.question.ask))
        self._open(kept)
        if self._then is not None:
            self._then()

    def _open(self, kept: Guess) -> None:
        """Say what was guessed; if the answer may be shown, judge it and show everything."""
        view = self.view
        with view.hold_sync():
            mark, said = self._judged(self.question, kept) if self._judges else ("none", "")
            view.error = ""
            view.kept, view.done = kept.guess, True
            view.mark = mark if self.shows else "none"
            view.verdict = markdown(said if self.shows else "Kept. The answer comes later.")
            if self.guesses.problem:
                view.verdict += markdown(f"({self.guesses.problem})")
        if self.shows:
            said_after = [self.question.reading, self._settled()]
            shown = [
                {"output_type": "display_data", "data": {"text/markdown": text}, "metadata": {}}
                for text in said_after
                if text
            ]
            self.answer_area.outputs = (*self._outputs, *shown)

    def _settled(self) -> str:
        """What is said of the guess at the earlier question that this one answers."""
        earlier = self._settles and self.guesses.get(self._settles.name)
        if self._settles is None or not earlier or earlier.guess is None:
            return ""
        return f"At the start: {self._judged(self._settles, earlier)[1]}"

    def _judged(self, question: Question, kept: Guess) -> tuple[str, str]:
        """Mark and words of the verdict, which is kept with the guess."""
        if kept.guess is None:
            return "none", f"**The answer: {answer_of(question, self._value)}.**"
        judged = judge(question, kept.guess, self._value)
        self.guesses.keep(
            replace(kept, right=judged.right, answer=judged.answer, belief=judged.belief)
        )
        return ("right" if judged.right else "wrong"), judged.says

    def _message(self, _view: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("act") == "skip":
            self.guess(None)
        elif content.get("act") == "guess":
            self.guess(content.get("guess"))

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**(data or {}), **self.stored()}, metadata

    def stored(self) -> dict[str, str]:
        """What a saved notebook shows, whatever was guessed."""
        if not self.shows:
            options = [f"- {option}" for option in self.question.options]
            plain = "\n".join([f"Guess: {self.question.ask}", *options])
            return {"text/html": opened(self.question), "text/plain": plain}
        answer = answer_of(self.question, self._value)
        return {
            "text/html": folded(self.question, self._outputs),
            "text/plain": listed(self.question, answer, self._outputs),
        }

"""From what a student typed or chose to a guess, and from a guess to what is said about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from magmem.exercises.answers import AnswerError, size_of_answer
from magmem.predictions.beliefs import BELIEFS
from magmem.predictions.question import Question
from magmem.sizes import format_size

__all__ = ["Judgement", "answer_of", "judge", "plain_guess", "shown"]

_COUNT = re.compile(r"([0-9]{1,3}(?:[,_' \u00a0\u202f][0-9]{3})+|[0-9]+)\s*(.*)")


@dataclass(frozen=True)
class Judgement:
    """What is said of one guess: the verdict as Markdown, and the belief behind a mistake."""

    right: bool
    says: str
    answer: str
    belief: str


def plain_guess(question: Question, typed: object) -> object:
    """A guess in its plain form: bytes, a number, an option, or a sorted tuple of options.

    Raises
    ------
    AnswerError
        Not an answer to this kind of question; the message says which form is expected.
    """
    if question.kind == "size":
        value = size_of_answer(typed).value
        return round(value)
    if question.kind == "count":
        return _count(question, typed)
    if question.kind == "choice":
        if typed not in question.options:
            raise AnswerError(f"expected one of {', '.join(question.options)}, found {typed!r}")
        return typed
    chosen = {str(one) for one in typed} if isinstance(typed, (list, tuple, set)) else None
    if chosen is None or not chosen <= set(question.options):
        raise AnswerError(f"expected some of {', '.join(question.options)}, found {typed!r}")
    return tuple(option for option in question.options if option in chosen)


def judge(
    question: Question, typed: object, value: Callable[[str], Any], *, hint: str = ""
) -> Judgement:
    """Set a guess against the answer.

    Parameters
    ----------
    question : Question
    typed : object
        The guess as `Guess.guess` keeps it: text, or a list of options.
    value : callable
        Evaluates `Question.answer` and `Mistake.guess` where their names are known.
    hint : str
        Said when the guess is wrong and no known mistake leads to it.
    """
    guess, answer = plain_guess(question, typed), _plain(question, value(question.answer))
    said, told = _typed(question, guess, typed), shown(question, answer)
    if _is(question, guess, answer, typed):
        near = "" if guess == answer or question.kind != "size" else f" ({told})"
        return Judgement(True, f"**You said {said}, and so it is{near}.**", told, "")
    verdict = f"**You said {said}; it is {told}.**"
    for mistake in question.mistakes:
        if _is(question, guess, _plain(question, value(mistake.guess)), typed):
            named = BELIEFS[mistake.belief].says if mistake.belief else ""
            why = " ".join(filter(None, [f"*{named}*" if named else "", mistake.says]))
            return Judgement(False, f"{verdict} {why}", told, mistake.belief)
    return Judgement(False, f"{verdict} {hint}".rstrip(), told, question.belief)


def answer_of(question: Question, value: Callable[[str], Any]) -> str:
    """The right answer in words."""
    return shown(question, _plain(question, value(question.answer)))


def shown(question: Question, answer: object) -> str:
    """An answer in words: ``4k (4,096 bytes)``, ``17 pages``, options in quotation marks."""
    if question.kind == "size":
        assert isinstance(answer, int)  # noqa: S101 (what `_plain` gives for a size)
        size = format_size(answer)
        return size if size.endswith("B") or answer == 0 else f"{size} ({answer:,} bytes)"
    if question.kind == "count":
        return f"{answer:,} {question.unit}".rstrip()
    if question.kind == "choice":
        return f"“{answer}”"
    assert isinstance(answer, tuple)  # noqa: S101 (what `_plain` gives for a set)
    return ", ".join(f"“{one}”" for one in answer) or "none of them"


def _plain(question: Question, value: Any) -> object:
    """A computed answer in the form in which `plain_guess` gives a guess."""
    if question.kind in ("size", "count"):
        return round(value)
    if question.kind == "choice":
        return str(value)
    options: Iterable[str] = [str(one) for one in value]
    return tuple(option for option in question.options if option in set(options))


def _is(question: Question, guess: object, answer: object, typed: object) -> bool:
    if question.kind == "size":
        assert isinstance(guess, int)  # noqa: S101 (a size was read)
        assert isinstance(answer, int)  # noqa: S101 (a size was computed)
        size = size_of_answer(typed)
        # "1.5M" stands for anything that prints so, but not for nearly anything. A whole number of
        # k or M is what it says.
        slack = 1.0 if size.step.denominator == 1 else float(size.step)
        printed = min(max(slack, 1.0), max(1.0, answer / 20))
        return abs(guess - answer) <= max(printed, question.near * answer)
    if question.kind == "count" and question.near:
        assert isinstance(guess, int)  # noqa: S101 (a count was read)
        assert isinstance(answer, int)  # noqa: S101 (a count was computed)
        return abs(guess - answer) <= question.near * answer
    return guess == answer


def _typed(question: Question, guess: object, typed: object) -> str:
    """The guess in the words of whoever typed it."""
    if question.kind == "size" and isinstance(typed, str):
        return f"{typed.strip()} bytes" if typed.strip().isdigit() else typed.strip()
    return shown(question, guess)


def _count(question: Question, typed: object) -> int:
    expected = f"expected a whole number of {question.unit or 'things'}, such as 12"
    if isinstance(typed, int) and not isinstance(typed, bool):
        return typed
    match = _COUNT.fullmatch(typed.strip().lower()) if isinstance(typed, str) else None
    if match is None or len(match[1]) > 20:
        raise AnswerError(f"{expected}, found {str(typed)[:40]!r}")
    word = match[2].strip().rstrip(".")
    if word and word.rstrip("s") != question.unit.rstrip("s"):
        raise AnswerError(f"{expected}, found {str(typed)[:40]!r}")
    return int(re.sub(r"\D", "", match[1]))

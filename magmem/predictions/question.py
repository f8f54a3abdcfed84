"""What a question of the course is: what it asks, in which form, and what is said afterwards.

A question of a chapter has an `answer` that is a Python expression over the notebook's names, so
that the right answer is computed by the cell that shows it. A drawn question has a literal one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["KINDS", "Kind", "Mistake", "Question"]

Kind = Literal["size", "count", "choice", "which"]
KINDS: tuple[Kind, ...] = ("size", "count", "choice", "which")
"""A size in bytes, a whole number, one option, or a set of options."""


@dataclass(frozen=True)
class Mistake:
    """A guess that is known to be wrong, why, and the belief that leads to it (may be empty).

    `guess` is an expression like `Question.answer`.
    """

    guess: str
    says: str
    belief: str = ""


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes
    ----------
    name : str
        Unique; ``01/first-write`` for a chapter's.
    kind : Kind
    ask : str
        The question, as Markdown.
    answer : str
        A Python expression: bytes, a number, an option, or a collection of options.
    options : tuple of str
        Of a ``choice`` or ``which``, in the order in which they are shown.
    unit : str
        What a ``count`` counts, in the plural: ``pages``.
    near : float
        By which part of the answer a guess may be off and still be right; 0 is exact.
    belief : str
        The belief that the question is about, or empty.
    mistakes : tuple of Mistake
    reading : str
        What is said when the answer is shown, as Markdown.
    settles : str
        The name of an earlier question, asked by ``%ask``, that is answered with this one.
    """

    name: str
    kind: Kind
    ask: str
    answer: str
    options: tuple[str, ...] = ()
    unit: str = ""
    near: float = 0.0
    belief: str = ""
    mistakes: tuple[Mistake, ...] = ()
    reading: str = ""
    settles: str = ""

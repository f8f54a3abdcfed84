"""One exercise for one student: a question, what it is about, and a key that stays out of sight."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from magmem.exercises.keys import Key, Verdict

__all__ = ["Exercise", "check"]


@dataclass(frozen=True, eq=False)
class Exercise:
    """One variant of an exercise.

    Attributes
    ----------
    name, student : str
        Together they decide everything else, for ever.
    question : str
        Markdown.
    material : mapping of str to object
        What the question is about: machines, snapshots. Each is an attribute too
        (``exercise.machine``).
    """

    name: str
    student: str
    question: str
    material: Mapping[str, Any]
    _key: Key = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        # Only what is no field comes here; while unpickling there is no material yet.
        material = self.__dict__.get("material", {})
        if name in material:
            return material[name]
        there = ", ".join(material) or "nothing"
        raise AttributeError(f"exercise {self.name!r} has no {name!r}; it is about: {there}")

    def __dir__(self) -> list[str]:
        return [*(name for name in super().__dir__() if name != "_key"), *self.material]

    def __repr__(self) -> str:
        return f"{self.name}, for {self.student!r}\n\n{_plain(self.question)}"

    def _repr_markdown_(self) -> str:
        return self.question


def check(exercise: Exercise, answer: object) -> Verdict:
    """Whether an answer is right, and if not, what to look at again.

    Parameters
    ----------
    exercise : Exercise
    answer : str, int, Fraction or Machine
        A size (``"12k"``, ``"1.5M"``, ``"3 pages"``, ``4096``), the name or koid of something, a
        command, or a machine, as the question asks. None or ``""`` is no answer yet.

    Returns
    -------
    Verdict
        What it says of a wrong answer does not contain the right one.

    Raises
    ------
    TypeError
        The first argument is not an exercise.
    """
    if not isinstance(exercise, Exercise):
        raise TypeError(f"expected an exercise, found {type(exercise).__name__}")
    return exercise._key.judge(answer)


def _plain(markdown: str) -> str:
    """Markdown as text: what a terminal shows."""
    return re.sub(r"\*\*|`{3,}\w*\n?|`", "", markdown).strip()

"""The list of exercises, and how a variant is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from magmem.errors import MagmemError
from magmem.exercises.dice import Dice, plain_name
from magmem.exercises.exercise import Exercise
from magmem.exercises.keys import Key

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Draft", "Plan", "UnknownExercise", "describe", "exercise", "make", "names", "table"]

CHAPTERS = (
    *("first", "spaces", "sharing", "hiding", "choosing", "multiply", "growth", "evidence"),
    "building",
)
"""Modules of this package that hold exercises, in the order of the course."""

MOST_DRAWS = 100


class UnknownExercise(MagmemError):
    """No exercise has that name; the message names those there are."""


@dataclass(frozen=True)
class Draft:
    """What a builder makes of chance: the question, its key, and what it is about."""

    question: str
    key: Key
    material: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """An exercise before anyone got it.

    Attributes
    ----------
    name, chapter, form, gist : str
        Form is one of predict, culprit, tool, repair, build.
    build : callable
        Makes a draft of dice.
    """

    name: str
    chapter: str
    form: str
    gist: str
    build: Callable[[Dice], Draft]


_PLANS: dict[str, Plan] = {}


def exercise(
    name: str, chapter: str, form: str, gist: str
) -> Callable[[Callable[[Dice], Draft]], Callable[[Dice], Draft]]:
    """Put a builder on the list."""

    def add(build: Callable[[Dice], Draft]) -> Callable[[Dice], Draft]:
        _PLANS[name] = Plan(name, chapter, form, gist, build)
        return build

    return add


def plans() -> dict[str, Plan]:
    """Every exercise by its name, in the order of the course."""
    for module in CHAPTERS:
        import_module(f"magmem.exercises.{module}")
    return dict(sorted(_PLANS.items(), key=lambda item: item[1].chapter))


def names() -> list[str]:
    """Names of all exercises, in the order of the course."""
    return list(plans())


def describe(name: str) -> str:
    """What an exercise asks, in one line.

    Raises
    ------
    UnknownExercise
    """
    plan = _plan(name)
    return f"{plan.name} (chapter {plan.chapter}, {plan.form}): {plan.gist}"


def table() -> pd.DataFrame:
    """One row per exercise: name, chapter, form, gist, mistakes (int64, how many have feedback)."""
    import pandas as pd

    rows = [
        (plan.name, plan.chapter, plan.form, plan.gist, len(make(plan.name, "a")._key.mistakes))
        for plan in plans().values()
    ]
    return pd.DataFrame(rows, columns=["name", "chapter", "form", "gist", "mistakes"])


def make(name: str, student: str) -> Exercise:
    """The variant of an exercise that a student gets.

    Parameters
    ----------
    name : str
        One of `names`.
    student : str
        Any name; case and blanks do not matter. The same name gives the same variant for ever.

    Raises
    ------
    UnknownExercise
        No exercise has that name.
    TypeError
        The student's name is not text.
    ValueError
        It is empty.
    """
    plan = _plan(name)
    if not isinstance(student, str):
        raise TypeError(f"expected a student's name as text, found {student!r}")
    who = plain_name(student)
    if not who:
        raise ValueError("expected a student's name, found nothing")
    for attempt in range(MOST_DRAWS):
        draft = plan.build(Dice(name, who, str(attempt)))
        # A variant in which a mistake leads to the right number would teach the mistake.
        if draft.key.is_sound():
            return Exercise(name, student, draft.question, draft.material, draft.key)
    raise AssertionError(f"{name}: no sound variant in {MOST_DRAWS} draws")  # pragma: no cover


def _plan(name: str) -> Plan:
    known = plans()
    if name not in known:
        near = get_close_matches(str(name), known, n=3, cutoff=0.5) or list(known)
        raise UnknownExercise(f"no exercise {name!r}; there are {', '.join(near)}")
    return known[name]

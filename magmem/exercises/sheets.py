"""What a teacher looks at beforehand: a variant with its answer, and a sheet of solutions."""

from __future__ import annotations

from collections.abc import Iterable

from magmem.exercises.exercise import Exercise
from magmem.exercises.keys import in_words
from magmem.exercises.registry import describe, make, names

__all__ = ["preview", "solution", "solutions"]


def solution(exercise: Exercise) -> str:
    """The right answer, its reason, and what is said to each mistake; Markdown."""
    key = exercise._key
    lines = [f"Answer: **{key.solution}**, because: {key.because}"]
    lines += [f"- `{in_words(mistake.answer)}`: {mistake.says}" for mistake in key.mistakes]
    return "\n".join(lines)


def preview(name: str, student: str = "a student", *, with_solution: bool = False) -> str:
    """A variant as the student sees it, and the solution if asked for; Markdown.

    Raises
    ------
    UnknownExercise
        No exercise has that name.
    """
    exercise = make(name, student)
    text = f"## {describe(name)}\n\nFor {student}.\n\n{exercise.question}\n"
    return text + (f"\n{solution(exercise)}\n" if with_solution else "")


def solutions(students: str | Iterable[str], which: Iterable[str] | None = None) -> str:
    """A sheet of solutions for each student; Markdown.

    Parameters
    ----------
    students : str or iterable of str
    which : iterable of str, optional
        Names of exercises; all if not given.
    """
    who = [students] if isinstance(students, str) else list(students)
    chosen = names() if which is None else list(which)
    parts = [f"# Solutions for {student}\n\n" + _sheet(student, chosen) for student in who]
    return "\n".join(parts)


def _sheet(student: str, chosen: list[str]) -> str:
    return "\n".join(preview(name, student, with_solution=True) for name in chosen)

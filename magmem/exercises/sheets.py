"""What a teacher looks at beforehand: a variant with its answer, and a sheet of solutions."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from magmem.exercises.exercise import Exercise
from magmem.exercises.keys import Amount, Built, Pick
from magmem.exercises.registry import describe, make, names
from magmem.sizes import format_size

__all__ = ["preview", "solution", "solutions"]


def solution(exercise: Exercise) -> str:
    """The right answer, its reason, and what is said to each mistake; Markdown."""
    key = exercise._key
    lines = [f"Answer: **{_right(exercise)}**"]
    if isinstance(key, (Amount, Pick, Built)):
        lines[0] += f", because: {key.because}"
    lines += [f"- `{_shown(mistake.answer)}`: {mistake.says}" for mistake in key.mistakes]
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


def _right(exercise: Exercise) -> str:
    key = exercise._key
    if isinstance(key, Amount):
        return _shown(key.right)
    if isinstance(key, Pick):
        return " or ".join(key.right)
    return "a machine such as the one this builds: two mappings of one VMO"


def _shown(answer: object) -> str:
    if isinstance(answer, (int, Fraction)):
        exact = f"{int(answer):,}" if Fraction(answer).denominator == 1 else str(answer)
        return f"{format_size(round(answer))} ({exact} bytes)"
    return str(answer).replace("|", ", ")

"""One who reads only the question gets the right answer, and a neighbour's is of no use."""

from __future__ import annotations

import os

import pytest
from exercises.solver import solve

from magmem import exercises

NAMES = exercises.names()
EACH = int(os.environ.get("MAGMEM_VARIANTS", "20"))
"""Variants of each exercise; 300 of each are 10,000."""


@pytest.mark.parametrize("name", NAMES)
def test_the_question_is_enough(name: str) -> None:
    """Solved by its words and the public tools alone, each variant is right."""
    for number in range(EACH):
        exercise = exercises.make(name, f"solver {number}")
        answer = solve(exercise)
        if answer is not None:
            verdict = exercises.check(exercise, answer)
            assert verdict.right is True, (exercise.question, answer, verdict)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("build-")])
def test_a_neighbours_answer_rarely_helps(name: str) -> None:
    """Of other students' answers at most one in ten is right, so a choice has many outcomes."""
    ones = [exercises.make(name, f"neighbour {number}") for number in range(12)]
    answers = [solve(one) for one in ones]
    pairs = [
        (one, answer)
        for place, one in enumerate(ones)
        for other, answer in enumerate(answers)
        if place != other
    ]
    helped = sum(exercises.check(one, answer).right is True for one, answer in pairs)
    assert helped <= len(pairs) / 10

"""Exercises with variants: each student gets another machine with the same question.

>>> from magmem import exercises
>>> one = exercises.make("pss-after-exit", "Ada")
>>> exercises.check(one, None)
No answer yet: replace None by your answer, in quotation marks if it has letters

`make` gives the same variant to the same name for ever. `check` knows the typical mistakes of each
exercise and says what to look at again, never the answer. For teachers there are `table`,
`preview`, `solutions` and `grade`, and the command ``magmem exercises``.
"""

from magmem.exercises.exercise import Exercise, check
from magmem.exercises.grading import grade
from magmem.exercises.keys import Verdict
from magmem.exercises.registry import UnknownExercise, describe, make, names, table
from magmem.exercises.sheets import preview, solutions

__all__ = [
    "Exercise",
    "UnknownExercise",
    "Verdict",
    "check",
    "describe",
    "grade",
    "make",
    "names",
    "preview",
    "solutions",
    "table",
]

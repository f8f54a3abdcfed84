"""Predictions of the course: questions that are guessed before their answer is shown.

A `Question` asks for a size, a count, one choice or several; `judge` sets a guess against the
answer and names the misconception behind a known mistake. `chapter` reads the questions of a
chapter, `draw` makes one about a belief with numbers from a seed, `Guesses` keeps what a student
guessed in a file beside the notebooks, and `report` reads such files for a teacher.
"""

from magmem.predictions.beliefs import BELIEFS, Belief
from magmem.predictions.catalogue import UnknownQuestion, chapter, chapters, question
from magmem.predictions.drawn import draw
from magmem.predictions.judging import Judgement, judge
from magmem.predictions.kept import FILE_NAME, Guess, Guesses, read_guesses
from magmem.predictions.occasions import OCCASIONS, ten
from magmem.predictions.question import Mistake, Question
from magmem.predictions.report import report

__all__ = [
    "BELIEFS",
    "FILE_NAME",
    "OCCASIONS",
    "Belief",
    "Guess",
    "Guesses",
    "Judgement",
    "Mistake",
    "Question",
    "UnknownQuestion",
    "chapter",
    "chapters",
    "draw",
    "judge",
    "question",
    "read_guesses",
    "report",
    "ten",
]

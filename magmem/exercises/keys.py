"""What is right, what is a known mistake, and what to say to each.

A key judges an answer. What it says of a wrong answer never contains the right one; of a right one
it gives the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

from magmem.errors import MagmemError
from magmem.exercises.answers import (
    AnswerError,
    Size,
    has_no_unit,
    is_blank,
    plain_words,
    size_of_answer,
)
from magmem.sim import Machine
from magmem.sizes import format_size
from magmem.units import PAGE_BYTES

__all__ = ["Amount", "Built", "Key", "Mistake", "Pick", "Verdict", "in_words"]

FINE = 60
"""An answer may miss by this part of what is right: half of what keeps a mistake apart."""

COARSE = 8
"""One that misses by less than this part, and is rounded, may have been got the right way."""

DIVISIONS = 16
"""Bytes that the divisions of `ps` may have lost."""

BLANK = "replace None by your answer, in quotation marks if it has letters"


@dataclass(frozen=True)
class Verdict:
    """What became of an answer.

    Attributes
    ----------
    right : bool or None
        None if there is no answer yet, or none that can be read.
    says : str
        Why, or what to look at again.
    """

    right: bool | None
    says: str

    def __str__(self) -> str:
        word = {True: "Right", False: "Not yet", None: "No answer yet"}[self.right]
        return f"{word}: {self.says}"

    __repr__ = __str__


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer: a size in bytes or a word, and what to say to it."""

    answer: Fraction | int | str
    says: str


class Key(Protocol):
    """What every key can do."""

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Typical wrong answers."""

    @property
    def because(self) -> str:
        """Why the right answer is right."""

    @property
    def solution(self) -> str:
        """The right answer for a teacher's sheet."""

    @property
    def forms(self) -> tuple[object, ...]:
        """The right answer in the forms a student may write it."""

    def is_sound(self) -> bool:
        """Whether no mistake would be taken for the right answer or for another mistake."""

    def judge(self, answer: object) -> Verdict:
        """What to say to an answer."""


@dataclass(frozen=True)
class Amount:
    """A number of bytes.

    Attributes
    ----------
    right : Fraction or int
        Exact bytes.
    because : str
        Said to the right answer.
    mistakes : tuple of Mistake
        Sizes one gets by a misconception.
    hint : str
        Said to any other answer.
    within : int
        Bytes by which a right way may miss the number, where it leads over rounded ones.
    """

    right: Fraction | int
    because: str
    mistakes: tuple[Mistake, ...]
    hint: str
    within: int = 0

    @property
    def solution(self) -> str:
        """As the tools print it, and the exact bytes."""
        return in_words(self.right)

    @property
    def forms(self) -> tuple[object, ...]:
        """As an exact fraction, in bytes, and as the tools print it."""
        bytes_ = round(self.right)
        return Fraction(self.right), bytes_, f"{bytes_:,} bytes", format_size(bytes_)

    def is_sound(self) -> bool:
        """There is something, and every two sizes are farther apart than the tools round."""
        sizes = sorted({Fraction(self.right), *(Fraction(each.answer) for each in self.mistakes)})
        distinct = len(sizes) == len(self.mistakes) + 1
        least = Fraction(64 + 2 * self.within)
        apart = (high - low > max(low / 30, least) for low, high in pairwise(sizes))
        return self.right > 0 and distinct and all(apart)

    def judge(self, answer: object) -> Verdict:
        """Right if it is near enough by value, whatever unit it is written in.

        A rounded answer may miss by half a step of its last place, cut off by a whole one, but
        never by more than a sixtieth of the right one. One that is rounded further than that is
        asked for a decimal more.
        """
        if is_blank(answer):
            return Verdict(None, BLANK)
        try:
            size = size_of_answer(answer)
        except AnswerError as error:
            return Verdict(None, str(error))
        misses = abs(size.value - self.right)
        known = [(abs(size.value - Fraction(each.answer)), each) for each in self.mistakes]
        miss, nearest = min(known, key=lambda pair: pair[0], default=(misses + 1, None))
        if misses <= miss and misses < self._slack(Fraction(self.right), size) + self.within:
            return Verdict(True, self.because)
        if nearest and miss < misses and miss < self._slack(Fraction(nearest.answer), size):
            return Verdict(False, nearest.says)
        if size.step > 1 and misses < size.step and 0 < misses < min(miss, self.right / COARSE):
            return Verdict(None, "you may be on the right way, but it is rounded; give a decimal")
        if 0 < size.value < PAGE_BYTES and has_no_unit(answer):
            return Verdict(False, f"A number without a unit is bytes. {self.hint}")
        return Verdict(False, self.hint)

    def _slack(self, meant: Fraction, size: Size) -> Fraction:
        """By how much an answer may miss what is meant."""
        if size.step <= 1:
            # The tools round each division down, so their bytes are a few less than exact.
            return Fraction(1 if meant.denominator == 1 else DIVISIONS)
        scale = 1
        while scale * 1024 <= size.step * 10:
            scale *= 1024
        if size.step == scale and meant % scale:
            return Fraction(1)  # a whole number of k, M …, which the right one is not
        return max(Fraction(1), min(size.step, meant / FINE))


@dataclass(frozen=True)
class Pick:
    """A name, a koid, or a command.

    Attributes
    ----------
    right : tuple of str
        Every way to write it, the plainest first.
    because, hint : str
    mistakes : tuple of Mistake
        Words; each may have several forms, separated by ``|``.
    form : str
        What kind of answer is expected.
    options : tuple of str
        All that can be meant; an answer that is none of them is not an answer. Empty: anything.
    parts : int
        How many answers are expected at once, with commas between or as a tuple.
    """

    right: tuple[str, ...]
    because: str
    mistakes: tuple[Mistake, ...]
    hint: str
    form: str
    options: tuple[str, ...] = ()
    parts: int = 1

    @property
    def solution(self) -> str:
        """Every way to write it."""
        return " or ".join(self.right)

    @property
    def forms(self) -> tuple[object, ...]:
        """Each way to write it, and the first one carelessly."""
        return *self.right, f"  `{self.right[0].upper()}` "

    def is_sound(self) -> bool:
        """No word stands for two answers."""
        words = [*self.right, *(word for each in self.mistakes for word in _words(each))]
        plain = [plain_words(word) for word in words]
        return len(plain) == len(set(plain)) and all(plain)

    def judge(self, answer: object) -> Verdict:
        """Right if it is one of the ways to write it."""
        if is_blank(answer):
            return Verdict(None, BLANK)
        if self.parts > 1 and isinstance(answer, (tuple, list)):
            answer = ", ".join(map(str, answer))
        if isinstance(answer, bool) or not isinstance(answer, (str, int)):
            return Verdict(None, f"expected {self.form}, found {answer!r}"[:200])
        said = plain_words(str(answer))
        if self.parts > 1:
            said = ", ".join(plain_words(part) for part in re.split(r"[,;\n]|\band\b", said))
        if said in map(plain_words, self.right):
            return Verdict(True, self.because)
        for mistake in self.mistakes:
            if said in map(plain_words, _words(mistake)):
                return Verdict(False, mistake.says)
        if self.options and said not in map(plain_words, self.options):
            return Verdict(None, f"expected {self.form}, found {answer!r}"[:200])
        return Verdict(False, self.hint)


@dataclass(frozen=True)
class Built:
    """A machine that the student builds.

    Attributes
    ----------
    test : callable
        What a machine still lacks, in words; empty if nothing.
    because : str
    solution : str
        One that is right, in words.
    example : callable
        Builds it.
    wrong : mapping of str to callable
        What is lacking (a part of what is said) to a machine that lacks it.
    """

    test: Callable[[Machine], str]
    because: str
    solution: str
    example: Callable[[], Machine]
    wrong: Mapping[str, Callable[[], Machine]]
    mistakes: tuple[Mistake, ...] = ()

    @property
    def forms(self) -> tuple[object, ...]:
        """One machine that is right."""
        return (self.example(),)

    def is_sound(self) -> bool:
        """Always: a test decides."""
        return True

    def judge(self, answer: object) -> Verdict:
        """What the machine still lacks."""
        if is_blank(answer):
            return Verdict(None, "replace None by your machine")
        if not isinstance(answer, Machine):
            return Verdict(None, f"expected a magmem.Machine, found {type(answer).__name__}")
        try:
            lacks = self.test(answer)
        except MagmemError as error:
            return Verdict(None, f"the machine cannot be asked: {error}")
        return Verdict(False, lacks) if lacks else Verdict(True, self.because)


def in_words(answer: Fraction | int | str) -> str:
    """A size as the tools print it, with its exact bytes; a word as it is."""
    if isinstance(answer, str):
        return answer.replace("|", ", ")
    exact = f"{int(answer):,}" if Fraction(answer).denominator == 1 else str(answer)
    return f"{format_size(round(answer))} ({exact} bytes)"


def _words(mistake: Mistake) -> list[str]:
    return str(mistake.answer).split("|")

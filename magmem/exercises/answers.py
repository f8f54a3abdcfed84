"""What a student may write as an answer, and what it means.

A size is bytes as an exact fraction with a slack: ``12k`` means just that, ``1.5M`` any size that
would be written so. Raises `AnswerError` with the form that is expected.
"""

from __future__ import annotations

import re
from fractions import Fraction
from numbers import Integral, Rational, Real

from magmem.errors import MagmemError
from magmem.units import PAGE_BYTES

__all__ = ["AnswerError", "has_no_unit", "is_blank", "plain_words", "size_of_answer"]

SIZE_FORM = "a size such as 12k, 1.5M, 3 pages or 4096 (bytes)"
LONGEST = 60
_UNITS = {"": 1, "b": 1, "byte": 1, "page": PAGE_BYTES} | {
    unit: 1024**power for power, unit in enumerate("kmgtp", 1)
}
# Separators only between thousands: a comma for decimals must not make 12,5k ten times as much.
_SIZE = re.compile(
    r"([0-9]{1,3}(?:[,_ ][0-9]{3})+|[0-9]+)(?:\.([0-9]+))?(?: */ *([0-9]+))? *([a-z]*)"
)


class AnswerError(MagmemError):
    """An answer that cannot be read; the message says which form is expected."""


def is_blank(answer: object) -> bool:
    """Whether nothing was answered yet: None, an ellipsis, or text without a letter or digit."""
    return answer is None or answer is ... or (isinstance(answer, str) and not plain_words(answer))


def has_no_unit(answer: object) -> bool:
    """Whether a size is a number alone: such a one is bytes."""
    return not (isinstance(answer, str) and re.search("[a-z]", answer.lower()))


def size_of_answer(answer: object) -> tuple[Fraction, Fraction]:
    """Bytes, and by how much they may be off.

    Raises
    ------
    AnswerError
        Not a size.
    """
    if isinstance(answer, bool):
        raise AnswerError(f"expected {SIZE_FORM}, found {answer!r}")
    if isinstance(answer, (Integral, Rational)):
        return Fraction(int(answer.numerator), int(answer.denominator)), Fraction(1)
    if isinstance(answer, Real) and abs(float(answer)) < 1e18:
        return Fraction(float(answer)), Fraction(1)
    if not isinstance(answer, str):
        raise AnswerError(f"expected {SIZE_FORM}, found {_short(answer)}")
    match = _SIZE.fullmatch(answer.strip().strip("`").lower()) if len(answer) <= LONGEST else None
    scale = _UNITS.get(_unit(match[4])) if match else None
    if match is None or scale is None:
        raise AnswerError(f"expected {SIZE_FORM}, found {_short(answer)}")
    whole, decimals, below = re.sub("[,_ ]", "", match[1]), match[2], match[3]
    if below is not None and int(below) == 0:
        raise AnswerError(f"expected {SIZE_FORM}, found {_short(answer)}")
    value = Fraction(f"{whole}.{decimals}" if decimals else whole) / int(below or 1) * scale
    # The tools' one decimal is 100 of 1024 parts, so a tenth and a little more.
    slack = Fraction(scale, 10 ** len(decimals)) if decimals else Fraction(1)
    return value, slack


def plain_words(text: str) -> str:
    """Words without case, quotes, and what stands before a command in a shell or notebook."""
    words = re.sub(r"[`'\"“”‘’]", "", text).casefold().split()
    while words and words[0] in ("$", "%", "magmem", "p:", "j:"):
        words = words[1:]
    joined = " ".join(words).removeprefix("%").removeprefix("p:").removeprefix("j:")
    return joined if re.search(r"\w", joined) else ""


def _unit(word: str) -> str:
    """``kib``, ``kb`` and ``k`` are one, and so are ``byte`` and ``bytes``."""
    if word in ("bytes", "pages"):
        return word[:-1]
    short = word.removesuffix("ib") if len(word) == 3 else word.removesuffix("b")
    return short if short in _UNITS else word


def _short(answer: object) -> str:
    text = repr(answer)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

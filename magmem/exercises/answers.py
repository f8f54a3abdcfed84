"""What a student may write as an answer, and what it means.

A size is bytes as an exact fraction, and the step of its last place: ``12k`` may be rounded to
1024 bytes, ``1.5M`` to a tenth of a megabyte. Raises `AnswerError` with the form that is expected.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Rational, Real

from magmem.errors import MagmemError
from magmem.units import PAGE_BYTES

__all__ = ["AnswerError", "Size", "has_no_unit", "is_blank", "plain_words", "size_of_answer"]

SIZE_FORM = "a size such as 12k, 1.5M, 3 pages or 4096 (bytes)"
LONGEST = 60
_UNITS = {"": 1, "b": 1, "byte": 1, "page": PAGE_BYTES} | {
    unit: 1024**power for power, unit in enumerate("kmgtp", 1)
}
# A separator stands between thousands; a comma before other than three digits is a decimal comma.
_WHOLE = r"[0-9]{1,3}(?:[,_' ][0-9]{3})+|[0-9]{1,3}(?:\.[0-9]{3}){2,}|[0-9]+"
_SIZE = re.compile(
    rf"(?:(?P<whole>{_WHOLE})(?:[.,](?P<decimals>[0-9]+))?)?"
    r"(?:(?:^| |(?<=[0-9])\+) *(?P<above>[0-9]+) */ *(?P<below>[0-9]+))? *(?P<unit>[a-z]*)"
)
_RATIO = re.compile(rf"(?P<above>{_WHOLE}) */ *(?P<below>[0-9]+) *(?P<unit>[a-z]*)")
_ABOUT = re.compile(r"^(?:=|~|≈|about|approx\.?|circa|ca\.?|c\.)+\s*")
_SPACES = re.compile("[\u00a0\u2007\u2009\u202f\u2060\t]")


class AnswerError(MagmemError):
    """An answer that cannot be read; the message says which form is expected."""


def is_blank(answer: object) -> bool:
    """Whether nothing was answered yet: None, an ellipsis, or text without a letter or digit."""
    return answer is None or answer is ... or (isinstance(answer, str) and not plain_words(answer))


def has_no_unit(answer: object) -> bool:
    """Whether a size is a number alone: such a one is bytes."""
    return not (isinstance(answer, str) and re.search("[a-z]", answer.lower()))


@dataclass(frozen=True)
class Size:
    """A size that was answered.

    Attributes
    ----------
    value : Fraction
        Bytes.
    step : Fraction
        What one more in its last place would add: 100 bytes of 1024 for ``12.3k``, 1 for bytes, 0
        for a fraction, which leaves nothing open.
    """

    value: Fraction
    step: Fraction


def size_of_answer(answer: object) -> Size:
    """What a size means: ``12.5k``, ``12,5 k``, ``1 024``, ``~3 pages``, ``183 4/7k``, 4096.

    Raises
    ------
    AnswerError
        Not a size.
    """
    if isinstance(answer, bool):
        raise AnswerError(f"expected {SIZE_FORM}, found {answer!r}")
    if isinstance(answer, (Integral, Rational)):
        value = Fraction(int(answer.numerator), int(answer.denominator))
        return Size(value, Fraction(value.denominator == 1))
    if isinstance(answer, Real) and abs(float(answer)) < 1e18:
        return Size(Fraction(float(answer)), Fraction(1))
    if not isinstance(answer, str):
        raise AnswerError(f"expected {SIZE_FORM}, found {_short(answer)}")
    size = _read(_plain(answer)) if len(answer) <= LONGEST else None
    if size is None:
        raise AnswerError(f"expected {SIZE_FORM}, found {_short(answer)}")
    return size


def _plain(answer: str) -> str:
    """Without quotes, "about", and spaces and fractions that only look like others."""
    text = _SPACES.sub(" ", answer)
    for letter in set(text):
        if unicodedata.decomposition(letter).startswith("<fraction>"):
            parts = unicodedata.normalize("NFKC", letter).replace("\u2044", "/")
            text = text.replace(letter, f" {parts}")
    text = unicodedata.normalize("NFKC", text).strip(" `\"'").lower()
    return _ABOUT.sub("", text).removesuffix(".").strip()


def _read(text: str) -> Size | None:
    match = _RATIO.fullmatch(text) or _SIZE.fullmatch(text)
    if match is None:
        return None
    found = match.groupdict()
    scale = _UNITS.get(_unit(found["unit"]))
    whole, decimals = found.get("whole"), found.get("decimals")
    above, below = found["above"], found["below"]
    if scale is None or (whole is None and above is None) or (decimals and above):
        return None
    if below is not None and int(below) == 0:
        return None
    value = Fraction(f"{_digits(whole or '0')}.{decimals or 0}")
    if above is not None:
        value += Fraction(int(_digits(above)), int(below))
    step = Fraction(0) if above is not None else Fraction(scale, 10 ** len(decimals or ""))
    return Size(value * scale, step)


def _digits(number: str) -> str:
    return re.sub("[,_ '.]", "", number)


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

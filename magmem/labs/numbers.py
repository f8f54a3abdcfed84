"""What a lab's function may return: whole bytes and exact fractions, never a float."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from numbers import Integral, Rational
from typing import Any

from magmem.errors import MagmemError

__all__ = ["Refused", "fraction_of", "table_of", "whole_of"]

LONGEST = 80


class Refused(MagmemError):
    """A value that a lab cannot compare; the message says what is expected and why."""


def fraction_of(value: object, what: str) -> Fraction:
    """An exact number of bytes.

    Raises
    ------
    Refused
        It is a float, or no number.
    """
    if isinstance(value, float):
        raise Refused(
            f"{what}: {value!r} is a float, and floats do not hold every size to the byte; "
            "divide with // or with Fraction, not with /"
        )
    if value is None:
        raise Refused(f"{what}: the function returned None; is there a `return`?")
    if isinstance(value, bool) or not isinstance(value, Rational):
        raise Refused(f"{what}: expected bytes as an int or a Fraction, found {_short(value)}")
    return Fraction(int(value.numerator), int(value.denominator))


def whole_of(value: object, what: str) -> Fraction:
    """A whole number of bytes, or a count.

    Raises
    ------
    Refused
        It is not whole, or no number.
    """
    number = fraction_of(value, what)
    if number.denominator != 1 or not isinstance(value, (Integral, Fraction)):
        raise Refused(f"{what}: expected a whole number, found {_short(value)}")
    return number


def table_of(value: object, what: str) -> Mapping[Any, Any]:
    """A dict.

    Raises
    ------
    Refused
        It is something else.
    """
    if value is None:
        raise Refused(f"{what} returned None; is there a `return`?")
    if not isinstance(value, Mapping):
        raise Refused(f"{what} must return a dict, found {_short(value)}")
    return value


def _short(value: object) -> str:
    text = f"{type(value).__name__} {value!r}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

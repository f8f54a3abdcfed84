"""How a size may be written, and how far it may be rounded."""

from __future__ import annotations

from fractions import Fraction

import pytest

from magmem.exercises.answers import AnswerError, size_of_answer
from magmem.exercises.keys import Amount, Mistake

K, M, G = 1024, 1024**2, 1024**3

WRITTEN = {
    "12k": 12 * K,
    "12 KiB": 12 * K,
    "12.5k": Fraction(25, 2) * K,
    "12,5k": Fraction(25, 2) * K,
    "12,50 MB": Fraction(25, 2) * M,
    "1,234": 1234,
    "1,234,567 bytes": 1234567,
    "1.234.567": 1234567,
    "1 234 567": 1234567,
    "1\u00a0234\u00a0567 B": 1234567,
    "1\u202f234k": 1234 * K,
    "12\u00a0k": 12 * K,
    "~12k": 12 * K,
    "≈ 12k": 12 * K,
    "about 12k": 12 * K,
    "ca. 12k": 12 * K,
    "= 12k": 12 * K,
    "12k.": 12 * K,
    "183 4/7k": Fraction(183 * 7 + 4, 7) * K,
    "183 4/7 k": Fraction(183 * 7 + 4, 7) * K,
    "1315840/7": Fraction(1315840, 7),
    "1,315,840/7 bytes": Fraction(1315840, 7),
    "3 ½ pages": Fraction(7, 2) * 4096,
    "3½ pages": Fraction(7, 2) * 4096,
    "`12k`": 12 * K,
    "0": 0,
}


@pytest.mark.parametrize("text", WRITTEN)
def test_forms_that_are_read(text: str) -> None:
    """What people write: units, decimal commas, all kinds of spaces, ~, fractions."""
    assert size_of_answer(text).value == WRITTEN[text]


@pytest.mark.parametrize(
    "text", ["", "k", "12q", "12 or 13k", "1/0", "1.5/2k", "-3k", "1e3", "12..5k", "/2", "x" * 99]
)
def test_forms_that_are_not(text: str) -> None:
    """Whatever has two meanings or none is not guessed at."""
    with pytest.raises(AnswerError, match="expected a size such as"):
        size_of_answer(text)


KEY = Amount(
    Fraction(1315840, 7), "so", (Mistake(409600, "whole"), Mistake(143360, "private")), "hint"
)
"""183 4/7k, or 187,977.14 bytes; RSS 400k, PRIVATE 140k."""


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (Fraction(1315840, 7), True),
        ("183 4/7k", True),
        ("183.6k", True),
        ("183.57k", True),
        ("183,6k", True),
        ("~183.6 k", True),
        ("183.5k", True),  # cut off, not rounded
        (187977, True),
        (187976, True),  # as `ps` divides, twice rounded down
        ("187,975B", True),
        ("184k", None),
        ("183k", None),
        ("0.2M", None),
        ("0.18M", True),
        ("0.0G", False),
        ("0.1G", False),
        ("0.0M", False),
        ("1.0M", False),
        ("400k", False),
        ("0.4M", False),
        ("140k", False),
        ("0.14M", False),
        ("0.1M", False),
        ("0k", False),
        ("183", False),
        ("182k", False),
        ("186.9k", False),
    ],
)
def test_slack_follows_the_value(answer: object, right: bool | None) -> None:
    """Near by value is right; rounded too far is asked for a decimal; 0.0G is nothing at all."""
    verdict = KEY.judge(answer)
    assert verdict.right is right, verdict
    if right is None:
        assert verdict.says == "you may be on the right way, but it is rounded; give a decimal"


def test_a_mistake_is_known_when_rounded() -> None:
    """Its own words are said to it, also in another unit."""
    assert KEY.judge("0.39M").says == "whole"
    assert KEY.judge("140.0k").says == "private"


@pytest.mark.parametrize("unit", ["B", "k", "M", "G", "T"])
def test_nothing_is_right_for_everything(unit: str) -> None:
    """No answer of 0, in whatever unit and with whatever decimals, is right for a size."""
    for right in (5 * K, 300 * K, 12 * M, 3 * G):
        key = Amount(right, "so", (), "hint")
        for zero in ("0", "0.0", "0.00", "0,0"):
            assert key.judge(f"{zero}{unit}").right is False

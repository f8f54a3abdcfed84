"""A guess is set against the answer; known mistakes are named."""

from __future__ import annotations

from ast import literal_eval

import pytest

from magmem.exercises.answers import AnswerError
from magmem.predictions import Mistake, Question, judge

HEAP = Question(
    "01/heap",
    "size",
    "How much?",
    "4096",
    belief="mapped-is-memory",
    mistakes=(Mistake("2097152", "", "mapped-is-memory"), Mistake("1", "A page is 4k.")),
)


def test_right_guess_is_said_to_be_right_in_its_own_words() -> None:
    """A page may be typed as a size, in bytes, or as a page."""
    for typed in ("4k", "4096", "4,096 bytes", "1 page", "4.0k"):
        judged = judge(HEAP, typed, literal_eval)
        assert judged.right, typed
        assert typed.split()[0] in judged.says


def test_known_mistake_is_named() -> None:
    """Guess and answer side by side, then the sentence for the belief behind the guess."""
    judged = judge(HEAP, "2M", literal_eval)
    assert not judged.right
    assert judged.says.startswith("**You said 2M; it is 4k (4,096 bytes).** *You counted")
    assert judged.belief == "mapped-is-memory"
    assert judge(HEAP, "1", literal_eval).says.endswith("** A page is 4k.")


def test_unknown_mistake_is_about_the_belief_of_the_question() -> None:
    """It is asked again like a known one, but no reason is made up for it."""
    judged = judge(HEAP, "8k", literal_eval)
    assert judged.says == "**You said 8k; it is 4k (4,096 bytes).**"
    assert judged.belief == "mapped-is-memory"


@pytest.mark.parametrize("typed", ["", "much", "-4k", "4 elephants", None, ["4k"]])
def test_what_is_no_size_is_refused_with_the_form(typed: object) -> None:
    """Nothing odd is taken for a guess."""
    with pytest.raises(AnswerError, match="expected a size"):
        judge(HEAP, typed, literal_eval)


def test_a_decimal_is_exact_to_what_it_prints_and_no_more() -> None:
    """68.2M stands for 71,500,000 bytes; a unit of G does not make half a gigabyte right."""
    size = Question("x", "size", "?", "71500000")
    assert judge(size, "68.2M", literal_eval).right
    assert not judge(size, "0.0G", literal_eval).right
    assert not judge(size, "0.1G", literal_eval).right


def test_count_may_name_its_unit() -> None:
    """17, 17 pages and 1,017 are numbers; other units and fractions are not."""
    pages = Question("x", "count", "?", "17", unit="pages")
    assert judge(pages, "17", literal_eval).right
    assert judge(pages, "17 pages", literal_eval).right
    assert judge(pages, "1,017", literal_eval).says.startswith("**You said 1,017 pages; it is 17")
    for typed in ("17k", "1.5", "seventeen", "٣"):
        with pytest.raises(AnswerError, match="whole number of pages"):
            judge(pages, typed, literal_eval)


def test_near_is_a_part_of_the_answer() -> None:
    """Near 0.25 of 24 takes 18 to 30."""
    pages = Question("x", "count", "?", "24", unit="pages", near=0.25)
    right = [n for n in range(60) if judge(pages, str(n), literal_eval).right]
    assert right == list(range(18, 31))


def test_set_must_be_whole() -> None:
    """Of several options the right ones and no others, in any order."""
    which = Question("x", "which", "?", "['b', 'c']", options=("a", "b", "c"))
    assert judge(which, ["c", "b"], literal_eval).right
    assert not judge(which, ["b"], literal_eval).right
    assert judge(which, [], literal_eval).says.startswith("**You said none of them; it is “b”, “c”")
    with pytest.raises(AnswerError, match="expected some of a, b, c"):
        judge(which, ["d"], literal_eval)

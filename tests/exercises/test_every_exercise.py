"""What holds for every exercise and every student."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import magmem
from magmem import exercises
from magmem.exercises.dice import Dice, plain_name
from magmem.exercises.exercise import Exercise
from magmem.exercises.keys import Amount, Built, Pick
from magmem.sizes import format_size

NAMES = exercises.names()
STUDENTS = ("Ada", "Grace", "学生", "o'Neil <b>", "x" * 200)


def written(answer: object) -> list[object]:
    """Ways to write a mistake's answer."""
    if isinstance(answer, str):
        return list(answer.split("|"))
    value = Fraction(answer)  # type: ignore[arg-type]
    return [value, round(value), f"{round(value)} B", format_size(round(value))]


def identity(exercise: Exercise) -> tuple[Any, ...]:
    """What tells two variants apart: the question and the state of what it is about."""
    states = []
    for thing in exercise.material.values():
        snap = thing.snapshot() if isinstance(thing, magmem.Machine) else thing
        processes = snap.tasks["name"].fillna("").tolist()
        sizes = snap.vmos[["name", "size_bytes"]].astype(str).to_numpy().tolist()
        states.append((tuple(processes), str(sizes)))
    return exercise.question, *states


def test_the_course_has_exercises_for_every_chapter() -> None:
    """At least 15, in every form, and one to four in each of the chapters 00 to 10."""
    table = exercises.table()
    assert len(table) >= 15
    assert set(table["form"]) == {"predict", "culprit", "tool", "repair", "build"}
    counts = table["chapter"].value_counts()
    assert set(counts.index) == {f"{chapter:02d}" for chapter in range(11)}
    assert counts.between(1, 4).all()


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("name", NAMES)
def test_right_is_right_and_mistakes_are_told(name: str, student: str) -> None:
    """In each written form the answer is right; each mistake is wrong and told by its own words."""
    exercise = exercises.make(name, student)
    key = exercise._key
    for form in key.forms:
        verdict = exercises.check(exercise, form)
        assert verdict.right is True, (form, verdict)
    for mistake in key.mistakes:
        for form in written(mistake.answer):
            verdict = exercises.check(exercise, form)
            assert verdict.right is False, (form, verdict)
            assert verdict.says == mistake.says
    if isinstance(key, Built):
        for lacking, build in key.wrong.items():
            verdict = exercises.check(exercise, build())
            assert verdict.right is False
            assert lacking in verdict.says
    else:
        assert len(key.mistakes) >= 1


@pytest.mark.parametrize("name", NAMES)
def test_nothing_gives_the_answer_away(name: str) -> None:
    """It stands neither in the exercise's text or attributes, nor in what is said to others."""
    exercise = exercises.make(name, "Ada")
    key = exercise._key
    public = [word for word in dir(exercise) if not word.startswith("_")]
    assert sorted(public) == sorted({"material", "name", "question", "student", *exercise.material})
    said = [mistake.says for mistake in key.mistakes]
    said += [str(exercises.check(exercise, answer)) for answer in (None, "", "nonsense", 1, "1.5Q")]
    if isinstance(key, Amount):
        shown = {f"{round(key.right):,}", str(round(key.right)), str(Fraction(key.right))}
        secret = shown | {format_size(round(key.right))} if key.right > 99 else set()
        for text in (repr(exercise), exercise.question):
            assert not any(f" {word} " in f" {text} " for word in shown)
        assert not any(f" {word} " in f" {text} " for word in secret for text in said)
    if isinstance(key, Pick):
        assert not any(f" {word} " in f" {text} " for word in key.right for text in said)
    assert "Amount(" not in repr(exercise)
    assert "Pick(" not in repr(exercise)


@pytest.mark.parametrize("name", NAMES)
def test_variants_are_many(name: str) -> None:
    """Of 40 students no two get the same, so there are over 1,000 variants with near certainty.

    Were there 1,000, 40 draws would hold a pair with probability 1 - exp(-40 · 39 / 2000) = 0.54;
    the exercises without machines are drawn 300 times (0.99999…).
    """
    cheap = not exercises.make(name, "Ada").material
    students = [f"student {number}" for number in range(300 if cheap else 40)]
    seen = {identity(exercises.make(name, student)) for student in students}
    assert len(seen) >= len(students) * 97 // 100


@pytest.mark.parametrize("name", NAMES)
def test_the_same_name_gets_the_same_variant(name: str) -> None:
    """Case, blanks and the encoding of accents make no difference; another name does."""
    first = exercises.make(name, "Zoë  Müller")
    again = exercises.make(name, " zoe\u0308 MU\u0308LLER ")
    assert identity(first) == identity(again)
    assert identity(first) != identity(exercises.make(name, "Zoe Muller"))
    assert list(first._key.forms)[:1] == list(again._key.forms)[:1] or first.name == "build-twice"


def test_variants_are_the_same_for_ever() -> None:
    """What these students got in the first release they get always."""
    assert exercises.make("freed-by-exit", "Ada").question == (
        "`tracer` maps 220k that nobody else maps, and 1040k that it shares with 2 others. All "
        "pages are in memory.\n\n**How much of the VMOs' memory becomes free when `tracer` exits?**"
    )
    dice = Dice("for ever")
    assert [dice.below(1000) for _ in range(4)] == [745, 847, 590, 765]


@given(st.text(), st.integers(1, 1 << 60))
def test_dice_stay_in_range(seed: str, count: int) -> None:
    """Every number is below the count, and the same words give the same numbers."""
    number = Dice(seed).below(count)
    assert 0 <= number < count
    assert Dice(seed).below(count) == number


@given(st.lists(st.integers(), min_size=1, max_size=20))
def test_shuffling_loses_nothing(items: list[int]) -> None:
    """A shuffled list has the same items."""
    assert sorted(Dice("x").shuffled(items)) == sorted(items)


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_plain_names_are_stable(name: str) -> None:
    """Normalising twice is normalising once."""
    assert plain_name(plain_name(name)) == plain_name(name)


@given(
    st.sampled_from(NAMES),
    st.one_of(
        st.none(),
        st.booleans(),
        st.text(max_size=80),
        st.integers(),
        st.floats(),
        st.lists(st.integers(), max_size=3),
        st.binary(max_size=10),
    ),
)
@settings(max_examples=300, deadline=None)
def test_any_answer_gets_a_verdict(name: str, answer: object) -> None:
    """Whatever is written, there is one line of words and no error."""
    verdict = exercises.check(exercises.make(name, "Ada"), answer)
    assert verdict.right in (True, False, None)
    assert verdict.says
    assert len(str(verdict)) < 300


def test_wrong_calls_are_told() -> None:
    """An unknown exercise names those near; a student needs a name."""
    with pytest.raises(
        exercises.UnknownExercise, match="no exercise 'pss-by-hnd'; there are pss-by-hand"
    ):
        exercises.make("pss-by-hnd", "Ada")
    with pytest.raises(ValueError, match="expected a student's name, found nothing"):
        exercises.make("pss-by-hand", "  ")
    with pytest.raises(TypeError, match="student's name as text, found 7"):
        exercises.make("pss-by-hand", 7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected an exercise, found str"):
        exercises.check("pss-by-hand", "12k")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="has no 'answer'; it is about: machine"):
        _ = exercises.make("pss-by-hand", "Ada").answer


def test_an_exercise_shows_its_question() -> None:
    """As Markdown in a notebook, as plain text elsewhere."""
    exercise = exercises.make("resident", "Ada")
    assert exercise._repr_markdown_() == exercise.question
    assert "**" not in repr(exercise)
    assert "vmaps" in repr(exercise)
    lines = repr(exercises.make("moments-apart", "Ada")).splitlines()
    assert any(line.startswith("TASK") for line in lines)
    assert "text" not in lines
    assert not [line for line in lines if "`" in line]

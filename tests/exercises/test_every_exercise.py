"""What holds for every exercise and every student."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import magmem
from magmem import exercises
from magmem.exercises.cast import PROCESSES, VMOS
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


def identity(exercise: Exercise) -> tuple[str, ...]:
    """What tells two variants apart: the question, and the state of what it is about."""
    things = exercise.material.values()
    states = [thing.fingerprint() for thing in things if isinstance(thing, magmem.Machine)]
    snaps = [thing for thing in things if not isinstance(thing, magmem.Machine)]
    return exercise.question, *states, *(str(snap.kmem.to_dict()) for snap in snaps)


def right_for_ada(name: str) -> str:
    """Her right answer as text; of a machine to build, what is asked."""
    exercise = exercises.make(name, "Ada")
    key = exercise._key
    if isinstance(key, Amount):
        return str(Fraction(key.right))
    return key.right[0] if isinstance(key, Pick) else exercise.question.split("` ")[0]


def test_the_course_has_exercises_for_every_chapter() -> None:
    """At least 15, in every form, and one to six in each of the chapters 00 to 10."""
    table = exercises.table()
    assert len(table) >= 15
    assert set(table["form"]) == {"predict", "culprit", "tool", "repair", "build"}
    counts = table["chapter"].value_counts()
    assert set(counts.index) == {f"{chapter:02d}" for chapter in range(11)}
    assert counts.between(1, 6).all()
    done = table["form"].isin(["culprit", "repair", "build"]).sum()
    assert 2 * done >= len(table), "half of them ask to find, repair or build"


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


SLOWER = {
    *("biggest-by-pss", "all-processes", "resident", "rows-are-not-vmos", "moments-apart"),
    *("leaking-process", "leak-rate"),
}
"""They print listings or keep snapshots, which takes longer."""


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_names_no_answer_of_any_student(name: str) -> None:
    """No hint holds, as a plain word, a name that is the answer for some student."""
    keys = [exercises.make(name, f"student {number}")._key for number in range(100)]
    picks = [key for key in keys if isinstance(key, Pick)]
    right = {word for key in picks for word in key.right} & {*PROCESSES, *VMOS}
    for key in picks:
        said = " ".join([key.hint, *(mistake.says for mistake in key.mistakes)])
        assert not right & set(re.findall(r"[\w-]+", said))


@pytest.mark.parametrize("name", NAMES)
def test_variants_are_many(name: str) -> None:
    """There are at least 1,000 variants, by how few of a sample repeat.

    Of 1,000 equally likely variants 300 students would get 300² / 2000 = 45 repeats; that there are
    15 or fewer then has a probability below 10⁻⁶. Of those that take longer 100 students get no two
    alike: exp(-100 · 99 / 2000) = 0.007.
    """
    count, most = (100, 0) if name in SLOWER else (300, 15)
    seen = {identity(exercises.make(name, f"student {number}")) for number in range(count)}
    assert count - len(seen) <= most


@pytest.mark.parametrize("name", NAMES)
def test_the_same_name_gets_the_same_variant(name: str) -> None:
    """Case, blanks and the encoding of accents make no difference; another name does."""
    first = exercises.make(name, "Zoë  Müller")
    again = exercises.make(name, " zoe\u0308 MU\u0308LLER ")
    assert identity(first) == identity(again)
    assert identity(first) != identity(exercises.make(name, "Zoe Muller"))
    assert list(first._key.forms)[:1] == list(again._key.forms)[:1] or first.name.startswith(
        "build-"
    )


FOR_EVER = {
    "biggest-by-pss": "tracer",
    "all-processes": "6443008",
    "promise": "32768",
    "handle-closed": "327680",
    "resident": "929792",
    "rows-are-not-vmos": "1593344",
    "clone-alloc": "266240",
    "pss-by-hand": "1315840/7",
    "pss-after-exit": "217088",
    "freed-by-exit": "225280",
    "sum-of-rss": "2748416",
    "hidden-holder": "shell",
    "which-tool": "k mx vmos hidden, vmos",
    "neither-free-nor-vmo": "58720256",
    "which-column": "VMOs, kfree",
    "mapped-again": "335872",
    "clone-exact": "333824",
    "clone-memory": "1679360",
    "build-twice": "**Build a machine** with a process `printer",
    "leaking-process": "virtcon",
    "leak-rate": "1306624",
    "largest-hidden-tile": "journal",
    "hidden-in-all": "10952704",
    "at-least": "671744",
    "moments-apart": "10223616",
    "build-promise": "**Build a machine** with a process `storage",
    "build-kept": "**Build a machine** on which 747 pages are in memory that `storage",
    "build-resident": "**Build a machine** with a process `dhcp",
    "build-rows": "**Build a machine** on which `vmos",
    "build-pss": "**Build a machine** with a process `virtcon",
    "build-hidden": "**Build a machine** on which `inputd",
    "build-tables": "**Build a machine** with a process `clock",
    "build-shadowed": "**Build a machine** on which 27 pages are shadowed, hidden behind "
    "a clone's copies, and the exact PSS of `thermd",
    "build-too-little": "**Build a machine** with a process `dhcp",
}
"""What Ada gets always: the right answers. (Three were drawn anew for the second edition.)"""


@pytest.mark.parametrize("name", NAMES)
def test_variants_are_the_same_for_ever(name: str) -> None:
    """A student's numbers and culprits change with no version of anything."""
    assert right_for_ada(name) == FOR_EVER[name]


def test_dice_are_the_same_for_ever() -> None:
    """The numbers are those of BLAKE2b."""
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

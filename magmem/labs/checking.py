"""Check a student's function: on one machine after another, until the first that differs."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from magmem.errors import MagmemError
from magmem.labs.lab import LABS, Answer, Lab, Student
from magmem.labs.limits import MOST_SECONDS, MOST_STEPS, TooLong, bare_excepts, called
from magmem.labs.making import SIZES, made
from magmem.labs.numbers import Refused
from magmem.labs.records import Records
from magmem.labs.snapshots import snapshot_of_records

__all__ = ["PRACTICE", "Fault", "UnknownLab", "first_fault", "lab_of", "machines", "try_on"]

PRACTICE: Final = "practice"
"""The text that the machines of `check` are made from."""


class UnknownLab(MagmemError):
    """No lab has that name; the message names those there are."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a function on one machine.

    Attributes
    ----------
    kind : str
        ``different``, ``refused``, ``not written``, ``too long``, or the name of an error.
    says : str
        One sentence about it, without the numbers of a difference.
    key : tuple or None
        Of the first answer that differs.
    said, right : Fraction
        What the function says, and what is right.
    printed : str
        What the function printed.
    """

    kind: str
    says: str = ""
    key: tuple[Any, ...] | None = None
    said: Fraction = Fraction(0)
    right: Fraction = Fraction(0)
    printed: str = ""


def lab_of(name: str) -> Lab:
    """The lab whose function has that name, also as ``my_ps``.

    Raises
    ------
    UnknownLab
    """
    plain = name.removeprefix("my_")
    if plain not in LABS:
        raise UnknownLab(f"no lab has a function {name!r}; there are {', '.join(LABS)}")
    return LABS[plain]


def machines(words: str = PRACTICE) -> list[Records]:
    """The machines of a check, from one process to three hundred.

    Parameters
    ----------
    words : str
        Machines depend on nothing else; other words give other machines.
    """
    return [_machine(words, place) for place in range(len(SIZES))]


@lru_cache(maxsize=256)
def _machine(words: str, place: int) -> Records:
    return made(f"{words} {place + 1}", SIZES[place])


@lru_cache(maxsize=1024)
def _truth(name: str, records: Records) -> Answer:
    return LABS[name].truth(snapshot_of_records(records), records)


def first_fault(
    lab: Lab, function: Student, words: str = PRACTICE
) -> tuple[int, Records, Fault] | None:
    """The first machine on which the function is wrong: its place, the machine, the fault."""
    for place in range(len(SIZES)):
        records = _machine(words, place)
        fault = try_on(lab, function, records)
        if fault:
            return place, records, fault
    return None


def try_on(
    lab: Lab,
    function: Student,
    records: Records,
    most_steps: int = MOST_STEPS,
    most_seconds: float = MOST_SECONDS,
) -> Fault | None:
    """What is wrong with the function on this machine; None if nothing."""
    held = bare_excepts(function)
    if held:
        return Fault(
            "refused",
            f"{held[0]} has an `except` that catches every error, which would also hide that it "
            "never ends; name the error that you expect, such as `except KeyError`",
        )
    outcome = called(lambda: lab.ask(function, records), most_steps, most_seconds)
    if outcome.raised is not None:
        return _raised(lab, outcome.raised, outcome.printed)
    said: Answer = outcome.value  # type: ignore[assignment]
    right = _truth(lab.name, records)
    for key in {**right, **said}:
        if said.get(key, 0) != right.get(key, 0):
            nothing = Fraction(0)
            return Fault(
                "different",
                "",
                key,
                said.get(key, nothing),
                right.get(key, nothing),
                outcome.printed,
            )
    return None


def _raised(lab: Lab, error: BaseException, printed: str) -> Fault:
    if isinstance(error, NotImplementedError):
        return Fault("not written", f"{lab.name} is not written yet")
    if isinstance(error, TooLong):
        says = f"{lab.name} did not come to an end within {error}; is there a loop without an end?"
        return Fault("too long", says, printed=printed)
    if isinstance(error, RecursionError):
        says = f"{lab.name} calls itself without an end (RecursionError)"
        return Fault("RecursionError", says, printed=printed)
    if isinstance(error, Refused):
        return Fault("refused", str(error), printed=printed)
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if "magmem/labs/" not in frame.filename.replace("\\", "/")]
    where = f" in line {theirs[-1].lineno} of {theirs[-1].name}" if theirs else ""
    line = f": {theirs[-1].line}" if theirs and theirs[-1].line else ""
    return Fault(kind, f"{kind}: {error}{where}{line}", printed=printed)


def fails_alike(lab: Lab, function: Student, fault: Fault) -> Callable[[Records], bool]:
    """Whether a machine shows a fault of the same kind."""

    def fails(records: Records) -> bool:
        found = try_on(lab, function, records, most_seconds=3)
        return found is not None and found.kind == fault.kind

    return fails

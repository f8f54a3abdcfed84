"""What a class guessed: one row a guess, from the files that were handed in.

Drawn questions are judged anew from the file's seed. The file is a student's own, so it measures
what was learnt; it is no evidence for a mark.
"""

from __future__ import annotations

import contextlib
from ast import literal_eval
from pathlib import Path

import pandas as pd

from magmem.errors import MagmemError
from magmem.listing import Listing
from magmem.predictions.beliefs import BELIEFS
from magmem.predictions.drawn import draw
from magmem.predictions.judging import judge
from magmem.predictions.kept import FILE_NAME, Guess, read_guesses

__all__ = ["report"]

COLUMNS = ("student", "occasion", "question", "guess", "answer", "right", "belief", "at")


def report(*places: str | Path) -> Listing:
    """Guesses of every ``guesses.jsonl`` in these folders or files.

    Returns
    -------
    Listing
        Its table has a row a guess: student (the folder's name), occasion (``before``, ``after``,
        or a chapter), question, guess, answer, right (missing if no guess was made), belief, at.
        Its text has a line a student and what the class learnt about each belief.

    Raises
    ------
    MagmemError
        A place that is not there, or none with guesses.
    """
    rows: list[dict[str, object]] = []
    problems: list[str] = []
    for student, path in _files(places):
        seed, guesses, found = read_guesses(path)
        problems += found
        rows += [_row(student, guess, seed) for guess in guesses.values()]
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"right": "boolean"})
    return Listing(_text(table, problems), table, title="Guesses")


def _files(places: tuple[str | Path, ...]) -> list[tuple[str, Path]]:
    """Every file of guesses and whose it is: the first folder below the place, or its own."""
    found: list[tuple[str, Path]] = []
    for place in map(Path, places):
        if not place.exists():
            raise MagmemError(f"expected a folder or file of guesses, found no {place}")
        files = sorted(place.rglob(FILE_NAME)) if place.is_dir() else [place]
        for path in files:
            inside = path.relative_to(place).parts if place.is_dir() else ()
            found.append((inside[0] if len(inside) > 1 else path.resolve().parent.name, path))
    if not found:
        raise MagmemError(f"expected a {FILE_NAME}, found none in {', '.join(map(str, places))}")
    return found


def _row(student: str, guess: Guess, seed: str) -> dict[str, object]:
    occasion, _, question = guess.name.partition("/")
    right, belief, answer = guess.right, guess.belief, guess.answer
    if question in BELIEFS and guess.guess is not None:
        right, belief = False, question
        with contextlib.suppress(MagmemError):  # what cannot be read as an answer is not right
            judged = judge(draw(question, occasion, seed), guess.guess, literal_eval)
            right, belief, answer = judged.right, judged.belief, judged.answer
    typed = ", ".join(guess.guess) if isinstance(guess.guess, list) else guess.guess
    cells = (student, occasion, question, typed, answer, right, belief, guess.at)
    return dict(zip(COLUMNS, cells, strict=True))


def _text(table: pd.DataFrame, problems: list[str]) -> str:
    """A line a student, a line a belief, and what could not be read."""
    chapters = table[~table["occasion"].isin(["before", "after"])]
    width = max([7, *map(len, table["student"])])
    lines = [f"{'STUDENT':{width}}  BEFORE   AFTER  CHAPTERS"]
    for student, own in table.groupby("student"):
        parts = [_score(own[own["occasion"] == when]) for when in ("before", "after")]
        inside = _score(chapters[chapters["student"] == student])
        lines.append(f"{student:{width}}  {parts[0]:>6}  {parts[1]:>6}  {inside:>8}")
    lines += ["", "RIGHT BEFORE  RIGHT AFTER  WRONG IN CHAPTERS  BELIEF"]
    for belief in BELIEFS.values():
        about = table[table["question"] == belief.name]
        before, after = (_score(about[about["occasion"] == when]) for when in ("before", "after"))
        wrong = int((chapters["belief"] == belief.name).sum())
        lines.append(f"{before:>12}  {after:>11}  {wrong:>17}  {belief.believed}")
    return "\n".join([*lines, *problems]) + "\n"


def _score(rows: pd.DataFrame) -> str:
    """``7/10``: right ones of those guessed; ``-`` if none was."""
    judged = rows["right"].dropna()
    return f"{int(judged.sum())}/{len(judged)}" if len(judged) else "-"

"""Where guesses are kept: ``guesses.jsonl`` beside the notebooks, a line a guess.

Lines are only ever added, each in one write, so several chapters may be open at once and a kernel
that dies loses nothing. The first guess counts; an answer that comes later (a chapter's opening
question) is a line of its own. The file is a student's work: it is handed in with the notebooks.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["FILE_NAME", "Guess", "Guesses", "read_guesses"]

FILE_NAME = "guesses.jsonl"
LONGEST_BYTES = 4_000_000
"""A larger file was not written by a student's guesses."""
_KINDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "guess": (str, list, type(None)),
    "at": str,
    "right": (bool, type(None)),
    "answer": str,
    "belief": str,
    "ask": str,
}


@dataclass(frozen=True)
class Guess:
    """One guess.

    Attributes
    ----------
    name : str
        The question's.
    guess : str, list of str or None
        As it was typed or chosen; None if the answer was shown without a guess.
    at : str
        When, ISO 8601 in UTC.
    right : bool or None
        None while the answer was not shown.
    answer, belief, ask : str
        The answer in words, the belief behind a mistake, and the question; may be empty.
    """

    name: str
    guess: str | list[str] | None
    at: str
    right: bool | None = None
    answer: str = ""
    belief: str = ""
    ask: str = ""


class Guesses:
    """The guesses of one student, by the name of the question.

    Parameters
    ----------
    folder : path
        Where the notebooks are; the file is made there with the first guess.
    """

    def __init__(self, folder: str | Path = ".") -> None:
        self.path = Path(folder) / FILE_NAME
        self.problem = ""
        self._read_to = -1
        self._seed = ""
        self._by_name: dict[str, Guess] = {}

    @property
    def seed(self) -> str:
        """What numbers of drawn questions hang on; written with the first guess."""
        self._look()
        self._seed = self._seed or secrets.token_hex(8)
        return self._seed

    def all(self) -> dict[str, Guess]:
        """Every guess by name, the first made first."""
        self._look()
        return dict(self._by_name)

    def get(self, name: str) -> Guess | None:
        """The guess at this question, if there is one."""
        return self.all().get(name)

    def keep(self, guess: Guess) -> Guess:
        """Keep a guess, or the answer to an earlier one, and return what is kept."""
        seed = self.seed
        if not self.path.exists():
            self._add({"seed": seed})
        kept = _joined(self._by_name.get(guess.name), guess)
        if kept != self._by_name.get(guess.name):
            self._add(asdict(guess))
            self._by_name[guess.name] = kept
        return kept

    def _look(self) -> None:
        """Read what was added since, by this notebook or another."""
        try:
            size = self.path.stat().st_size
        except OSError:
            return
        if size == self._read_to:
            return
        seed, found, problems = read_guesses(self.path)
        self._read_to, self._seed = size, seed or self._seed
        self._by_name = found
        self.problem = problems[0] if problems else ""

    def _add(self, line: dict[str, object]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            # One write to a file opened for appending is not mixed with another's.
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(handle, text.encode())
            finally:
                os.close(handle)
        except OSError as error:
            self.problem = f"not kept: {self.path} cannot be written ({error.strerror})"


def now() -> str:
    """The time of a guess."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_guesses(path: str | Path) -> tuple[str, dict[str, Guess], list[str]]:
    """Seed, guesses by name, and what could not be read, each with its line.

    A file that is handed in is not trusted: odd lines are reported and left out.
    """
    path = Path(path)
    if path.stat().st_size > LONGEST_BYTES:
        return "", {}, [f"{path}: expected at most {LONGEST_BYTES:,} bytes of guesses"]
    seed, found, problems = "", dict[str, Guess](), list[str]()
    text = path.read_bytes().decode("utf-8", errors="replace")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            read = json.loads(line)
        except (ValueError, RecursionError):
            read = None
        if isinstance(read, dict) and isinstance(read.get("seed"), str):
            seed = seed or read["seed"][:64]
        elif isinstance(read, dict) and _is_guess(read):
            guess = Guess(**{key: read[key] for key in _KINDS if key in read})
            found[guess.name] = _joined(found.get(guess.name), guess)
        else:
            problems.append(f"{path}, line {number}: expected a guess, found {line[:40]!r}")
    return seed, found, problems


def _joined(first: Guess | None, later: Guess) -> Guess:
    """The first guess with the answer that came later."""
    if first is None:
        return later
    if first.right is None and later.right is not None and first.guess == later.guess:
        return replace(first, right=later.right, answer=later.answer, belief=later.belief)
    return first


def _is_guess(read: dict[str, object]) -> bool:
    if not {"name", "guess", "at"} <= read.keys():
        return False
    if isinstance(listed := read["guess"], list) and not all(isinstance(x, str) for x in listed):
        return False
    return all(isinstance(read[key], kind) for key, kind in _KINDS.items() if key in read)

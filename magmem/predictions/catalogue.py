"""The questions of the chapters: one TOML file a chapter, a table a question.

```toml
[first-write]
kind = "size"
ask = "…"
answer = "heap.vmo.committed_pages * 4096"
reading = '''
…'''
mistakes = [{ guess = "2 * 2**20", belief = "mapped-is-memory", says = "…" }]
```
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from magmem.errors import MagmemError
from magmem.predictions.beliefs import BELIEFS
from magmem.predictions.question import KINDS, Mistake, Question

__all__ = ["UnknownQuestion", "chapter", "chapters", "question"]

_FOLDER = Path(__file__).parent / "chapters"
_KEYS = {
    *("kind", "ask", "answer", "options", "unit", "near", "belief", "mistakes", "reading"),
    "settles",
}


class UnknownQuestion(MagmemError, LookupError):
    """A question that no chapter has."""


def chapters() -> tuple[str, ...]:
    """The numbers of the chapters that have questions, ``00`` first."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def chapter(number: str) -> dict[str, Question]:
    """The questions of a chapter by their short names, in the order of the chapter."""
    path = _FOLDER / f"{number}.toml"
    if number not in chapters():
        raise UnknownQuestion(f"expected a chapter with predictions, found {number!r}")
    return dict(_read(path))


def question(name: str) -> Question:
    """One question by its full name, such as ``01/first-write``."""
    number, _, short = name.partition("/")
    found = chapter(number) if number in chapters() else {}
    if short not in found:
        known = ", ".join(f"{number}/{one}" for one in found) or "CHAPTER/NAME"
        raise UnknownQuestion(f"expected one of {known}, found {name!r}")
    return found[short]


@cache
def _read(path: Path) -> tuple[tuple[str, Question], ...]:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple((name, _question(f"{path.stem}/{name}", table)) for name, table in tables.items())


def _question(name: str, table: dict[str, Any]) -> Question:
    """A table as a question; the course's own files are checked as any input is."""
    if unknown := table.keys() - _KEYS:
        raise MagmemError(f"{name}: expected {', '.join(sorted(_KEYS))}, found {sorted(unknown)}")
    if table.get("kind") not in KINDS:
        raise MagmemError(f"{name}: expected a kind of {KINDS}, found {table.get('kind')!r}")
    mistakes = tuple(Mistake(**mistake) for mistake in table.get("mistakes", ()))
    for belief in (table.get("belief", ""), *(mistake.belief for mistake in mistakes)):
        if belief and belief not in BELIEFS:
            raise MagmemError(f"{name}: expected a known belief, found {belief!r}")
    return Question(
        name=name,
        kind=table["kind"],
        ask=table["ask"].strip(),
        answer=table["answer"],
        options=tuple(table.get("options", ())),
        unit=table.get("unit", ""),
        near=float(table.get("near", 0)),
        belief=table.get("belief", ""),
        mistakes=mistakes,
        reading=table.get("reading", "").strip(),
        settles=f"{name.partition('/')[0]}/{table['settles']}" if "settles" in table else "",
    )

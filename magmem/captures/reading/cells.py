"""Columns of a text table: what a cell looks like, and what it becomes.

Each function makes a `Cell`, named for what the cell holds; its first argument is the column of the
table that takes it, or nothing if it is only checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from magmem.captures.reading.dump import MOST, Dump
from magmem.captures.reading.rows import Rounded
from magmem.captures.reconcile.rounding import SIZE

__all__ = [
    "Cell",
    "amount",
    "choice",
    "count",
    "koid",
    "left_out",
    "name",
    "scaled",
    "size",
    "word",
]

Read = Callable[[Dump, str, int], Any]
"""Text of a cell and its line to a value, or None for unknown."""


@dataclass(frozen=True)
class Cell:
    """What a cell of a column holds.

    Attributes
    ----------
    column : str
        Column of the table; empty if none takes it.
    matches : function of str
        Whether a word can be such a cell.
    read : function
    wide : bool
        It may hold blanks: whatever the other columns leave.
    blank : bool
        It may be empty.
    """

    column: str
    matches: Callable[[str], object]
    read: Read
    wide: bool = False
    blank: bool = False


def size(column: str = "", *, blank: bool = False) -> Cell:
    """A printed size with its unit, such as ``33.6k``; bytes, with their rounding."""
    return Cell(column, re.compile(SIZE).fullmatch, Dump.size, blank=blank)


def amount(column: str = "", unit_bytes: int = 1024, *, within: int = 0, suffix: str = "") -> Cell:
    """A bare number in units of `unit_bytes`, such as KiB or pages; bytes.

    Parameters
    ----------
    within : int
        Bytes by which it may be off, where the tool cuts or rounds.
    suffix : str
        A unit that may follow, such as ``K`` or ``kB``.
    """

    def read(dump: Dump, text: str, line: int) -> int:
        size_bytes = dump.count(text.removesuffix(suffix), line, "an amount") * unit_bytes
        if size_bytes > MOST:
            raise dump.error(line, "an amount below 8E", text)
        return Rounded(size_bytes, within) if within else size_bytes

    pattern = rf"[0-9]{{1,19}}(?:{re.escape(suffix)})?" if suffix else "[0-9]{1,19}"
    return Cell(column, re.compile(pattern).fullmatch, read)


def count(column: str = "", *, suffix: str = "", what: str = "a count") -> Cell:
    """A whole number; ``-`` is unknown."""

    def read(dump: Dump, text: str, line: int) -> int | None:
        return None if text == "-" else dump.count(text.removesuffix(suffix), line, what)

    pattern = rf"(?:[0-9]{{1,19}}|-){re.escape(suffix)}"
    return Cell(column, re.compile(pattern).fullmatch, read)


def koid(column: str = "koid") -> Cell:
    """The koid of an object, or a pid."""
    return Cell(column, re.compile("[0-9]{1,19}").fullmatch, Dump.koid)


def word(column: str = "") -> Cell:
    """A word without blanks."""
    return Cell(column, re.compile(r"[^ ]{1,400}").fullmatch, lambda _dump, text, _line: text)


def choice(column: str, words: Mapping[str, Any], *, blank: bool = False) -> Cell:
    """One of some words, and the value each stands for."""
    return Cell(column, words.__contains__, lambda _dump, text, _line: words[text], blank=blank)


def name(column: str = "name", *, quotes: str = "", longest: int | None = None) -> Cell:
    """A name, blanks and all; `quotes` are what it stands between, such as ``[]``.

    `longest` is how long it may be; the kernel's 31 bytes if not given.
    """

    def read(dump: Dump, text: str, line: int) -> str:
        bare = text[1:-1] if quotes else text
        if longest is None:
            return dump.name(bare, line)
        if len(bare) > longest:
            raise dump.error(line, f"a name of at most {longest} characters", bare)
        return bare

    def matches(text: str) -> bool:
        return not quotes or (len(text) >= 2 and text[0] == quotes[0] and text[-1] == quotes[1])

    return Cell(column, matches, read, wide=True)


def left_out() -> Cell:
    """A column that is known and has no place in the tables: passed over without a note."""
    return Cell("", lambda _text: True, lambda _dump, _text, _line: None, blank=True)


_SCALED = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))?([kKmMgGtT]?)i?[bB]?")
_POWER = {"k": 1, "m": 2, "g": 3, "t": 4}


def scaled(column: str = "", unit_bytes: int = 1024) -> Cell:
    """Whole units of `unit_bytes`, or a size with a unit such as ``1.2g``; ``-`` is unknown.

    A size with a decimal remembers that it was rounded.
    """

    def read(dump: Dump, text: str, line: int) -> int | None:
        match = _SCALED.fullmatch(text)
        if match is None:
            return None
        whole, tenths, unit = match.groups()
        scale: int = 1024 ** _POWER[unit.lower()] if unit else unit_bytes
        digits = tenths or ""
        step = scale // 10 ** len(digits)
        size_bytes: int = int(whole) * scale + int(digits or 0) * step
        if size_bytes > MOST:
            raise dump.error(line, "an amount below 8E", text)
        if scale > unit_bytes:
            dump.origin.rounded = True
            return Rounded(size_bytes, step)
        return size_bytes

    def matches(text: str) -> bool:
        return text in ("-", "N/A") or bool(_SCALED.fullmatch(text))

    return Cell(column, matches, read)

"""Columns of a snapshot from lists of what a capture's records hold.

Lists may hold ``None`` for unknown. Each function answers with what `magmem.snapshot.Table.of`
takes, values and where they are known, or with one `CaptureError` naming the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from magmem.captures.json_text import INT63_MAX, shorten
from magmem.errors import CaptureError

__all__ = [
    "Place",
    "addresses",
    "check_choices",
    "check_names",
    "check_unique",
    "hex_integers",
    "integers",
    "offsets",
    "texts",
]

Place = Callable[[int], str]
"""The path of the record that a row came from."""

_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}").fullmatch


def integers(values: Sequence[int | None] | np.ndarray[Any, Any]) -> Any:
    """Values as int64, and where they are known."""
    if isinstance(values, np.ndarray):
        return values.astype(np.int64), np.ones(len(values), bool)
    mask = np.fromiter((value is None for value in values), bool, len(values))
    filled = [value or 0 for value in values] if mask.any() else values
    return np.array(filled, dtype=np.int64), ~mask


def offsets(values: Sequence[int | None]) -> Any:
    """Integers from 0 to 2^64 − 1 as uint64, and where they are known."""
    mask = np.fromiter((value is None for value in values), bool, len(values))
    filled = [value or 0 for value in values]
    return np.array(filled, dtype=np.uint64), ~mask


def texts(values: Sequence[str | None]) -> Any:
    """Texts as an array of objects."""
    return np.array(values, dtype=object)


def addresses(values: Sequence[str | None], source: str, place: Place, field: str) -> Any:
    """``"0x…"`` strings as uint64, and where they are known."""
    filled, mask = _parsed(values, source, place, field)
    return np.array(filled, dtype=np.uint64), ~mask


def hex_integers(
    values: Sequence[str | None],
    source: str,
    place: Place,
    field: str,
    highest: int = INT63_MAX,
) -> Any:
    """``"0x…"`` strings as int64, none above `highest`, and where they are known."""
    filled, mask = _parsed(values, source, place, field)
    if filled and max(filled) > highest:
        at = next(i for i, value in enumerate(filled) if value > highest)
        expected = f"at most {highest:#x}"
        raise CaptureError(source, f"{place(at)}.{field}", expected, shorten(values[at]))
    return np.array(filled, dtype=np.int64), ~mask


def _parsed(
    values: Sequence[str | None], source: str, place: Place, field: str
) -> tuple[list[int], np.ndarray[Any, np.dtype[np.bool_]]]:
    mask = np.fromiter((value is None for value in values), bool, len(values))
    filled = ["0x0" if value is None else value for value in values]
    if not all(map(_HEX, filled)):
        at = next(i for i, value in enumerate(filled) if not _HEX(value))
        expected = 'a number such as "0x1f" of at most 64 bits'
        raise CaptureError(source, f"{place(at)}.{field}", expected, shorten(values[at]))
    return [int(value, 16) for value in filled], mask


def check_choices(
    values: Sequence[str | None], choices: Iterable[str], source: str, place: Place, field: str
) -> None:
    """Raise unless every known value is one of `choices`."""
    allowed = {*choices, None}
    if not allowed.issuperset(values):
        at = next(i for i, value in enumerate(values) if value not in allowed)
        expected = f"one of {', '.join(choices)}"
        raise CaptureError(source, f"{place(at)}.{field}", expected, shorten(values[at]))


def check_names(values: Sequence[str | None], source: str, place: Place, longest: int = 31) -> None:
    """Raise unless every known name fits the kernel: at most `longest` bytes, no NUL."""
    for at, name in enumerate(values):
        if name is None or (len(name) * 4 <= longest and "\0" not in name):
            continue
        if len(name) > longest or len(name.encode()) > longest or "\0" in name:
            expected = f"a name of at most {longest} bytes without NUL"
            raise CaptureError(source, f"{place(at)}.name", expected, shorten(name))


def check_unique(values: Sequence[Hashable], source: str, place: Place, what: str) -> None:
    """Raise at the first value that was there before; `what` names it, such as ``a koid``."""
    if len(set(values)) == len(values):
        return
    seen: dict[Hashable, int] = {}
    for at, value in enumerate(values):
        if value in seen:
            found = f"{shorten(value)} again (first in {place(seen[value])})"
            raise CaptureError(source, place(at), f"{what} of its own", found)
        seen[value] = at

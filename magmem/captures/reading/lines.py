"""Console lines without what the console adds: line ends, colours, noise; and what says nothing.

The serial console's own prompt ``] `` lands before or inside lines; prefixes of logs are told by
`magmem.captures.reading.prefixes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["batches", "is_elision", "is_silent", "split_lines", "without_noise"]

_COLOUR = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]")
_ELISION = re.compile(r"[\s#]*(?:\.\.\.|…|\[\.\.\.\]|\[…\])\s*")
_NOISE = "] "
_MOST_NOISE = 8
"""Places in one line where noise is looked for."""


def split_lines(text: str) -> list[str]:
    """Lines without their ends and without terminal colours; names may hold other separators."""
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if text.startswith("\ufeff"):
        text = text[1:]
    return text.split("\n")


def batches(chunks: Iterable[str]) -> Iterator[list[str]]:
    """The lines of a text that comes in chunks, many at a time; a chunk may end inside a line."""
    rest = ""
    for chunk in chunks:
        whole, cut, tail = chunk.rpartition("\n")
        if not cut:
            rest += tail
            continue
        # With its end, which may be two characters; the empty line behind it is none.
        yield split_lines(rest + whole + cut)[:-1]
        rest = tail
    yield split_lines(rest)


def without_noise(line: str) -> Iterator[str]:
    """The line without one of the ``] `` in it, for each of the first few."""
    at = line.find(_NOISE)
    for _ in range(_MOST_NOISE):
        if at < 0:
            return
        yield line[:at] + line[at + len(_NOISE) :]
        at = line.find(_NOISE, at + 1)


def is_elision(line: str) -> bool:
    """``...`` alone: somebody left lines out."""
    return bool(_ELISION.fullmatch(line)) if len(line) < 80 else False


def is_silent(line: str) -> bool:
    """A line that says nothing: blank, a bare prompt, or a ``#`` remark."""
    stripped = line.strip()
    return not stripped or stripped[0] == "#" or stripped in ("$", ">", "]", "magenta$")

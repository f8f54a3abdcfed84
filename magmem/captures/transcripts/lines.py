"""Console lines without what the console adds: log prefixes, prompts, noise, colours.

The kernel log puts ``[00635.839] 00000.00000> `` before a line, and the serial console's own prompt
``] `` lands before or inside lines. Indentation behind the prefix is part of the dump.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["is_elision", "is_silent", "split_lines", "unprefixed", "without_noise"]

_PREFIX = re.compile(
    r"(?:\] ?)*+(?:\[ *[0-9]{1,12}\.[0-9]{1,9}\] [0-9a-f]{1,12}[.:][0-9a-f]{1,12}>(?: |$))?+"
)
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


def unprefixed(line: str) -> str:
    """The line behind the kernel log's prefix and prompts of the serial console."""
    match = _PREFIX.match(line)
    return line[match.end() :] if match else line


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

"""Hypothesis strategies that hurt a good transcript line by line, as consoles and people do."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import strategies as st

__all__ = ["hurt_text"]

NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+")
NUMBERS = ["-1", "0", "1", "4096", str(2**63 - 1), str(2**63), str(2**64), "9" * 400]
NUMBERS += ["0x" + "f" * 16, "0x" + "f" * 17, "0x", "1.5", "k", "", "NaN", "?"]
INSERTS = [
    "] ",
    "...",
    "…",
    "$ vmaps 1",
    "$ ps",
    "$ vmos 7",
    "# a remark",
    "\x1b[31mred\x1b[0m",
    "\x00\ufffd",
    " " * 5000,
    "M" * 5000,
    "[00635.839] 00000.00000> ",
    "TASK           PSS PRIVATE  SHARED NAME",
    "rights  koid parent #chld #map #shr    size   alloc name",
    "j:1028       32.9M   32.8M         root",
    "process [1]:",
    "OOM: ",
    "--- 2017-06-07T05:51:08.021Z ---",
]

Hurt = Callable[[st.DrawFn, list[str]], None]


def _at(draw: st.DrawFn, lines: list[str]) -> int:
    return draw(st.integers(0, len(lines) - 1))


def _drop(draw: st.DrawFn, lines: list[str]) -> None:
    start = _at(draw, lines)
    del lines[start : start + draw(st.sampled_from([1, 1, 2, 10]))]


def _repeat(draw: st.DrawFn, lines: list[str]) -> None:
    start, target = _at(draw, lines), _at(draw, lines)
    lines[target:target] = lines[start : start + draw(st.sampled_from([1, 1, 2, 10]))]


def _swap(draw: st.DrawFn, lines: list[str]) -> None:
    here, there = _at(draw, lines), _at(draw, lines)
    lines[here], lines[there] = lines[there], lines[here]


def _cut(draw: st.DrawFn, lines: list[str]) -> None:
    at = _at(draw, lines)
    lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]


def _behead(draw: st.DrawFn, lines: list[str]) -> None:
    at = _at(draw, lines)
    lines[at] = lines[at][draw(st.integers(0, len(lines[at]))) :]


def _join(draw: st.DrawFn, lines: list[str]) -> None:
    at = _at(draw, lines)
    lines[at : at + 2] = ["".join(lines[at : at + 2])]


def _renumber(draw: st.DrawFn, lines: list[str]) -> None:
    at = _at(draw, lines)
    hits = list(NUMBER.finditer(lines[at]))
    if hits:
        hit = draw(st.sampled_from(hits))
        other = draw(st.sampled_from(NUMBERS))
        lines[at] = lines[at][: hit.start()] + other + lines[at][hit.end() :]


def _digit(draw: st.DrawFn, lines: list[str]) -> None:
    at = _at(draw, lines)
    digits = [i for i, letter in enumerate(lines[at]) if letter.isdigit()]
    if digits:
        place = draw(st.sampled_from(digits))
        lines[at] = lines[at][:place] + draw(st.sampled_from("0123456789")) + lines[at][place + 1 :]


def _trade(draw: st.DrawFn, lines: list[str]) -> None:
    """A number of one line stands in another: koids collide, parents go astray."""
    here, there = _at(draw, lines), _at(draw, lines)
    hits, others = (list(NUMBER.finditer(lines[at])) for at in (here, there))
    if hits and others:
        hit, other = draw(st.sampled_from(hits)), draw(st.sampled_from(others))
        lines[here] = lines[here][: hit.start()] + other.group() + lines[here][hit.end() :]


def _insert(draw: st.DrawFn, lines: list[str]) -> None:
    at = _at(draw, lines)
    what = draw(st.sampled_from(INSERTS))
    place = draw(st.integers(0, len(lines[at])))
    lines[at] = lines[at][:place] + what + lines[at][place:]


def _insert_line(draw: st.DrawFn, lines: list[str]) -> None:
    lines.insert(_at(draw, lines), draw(st.sampled_from(INSERTS)))


def _indent(draw: st.DrawFn, lines: list[str]) -> None:
    at = _at(draw, lines)
    lines[at] = " " * draw(st.sampled_from([1, 2, 3, 100])) + lines[at]


HURTS: list[Hurt] = [_trade, _digit, _renumber, _drop, _repeat, _swap, _cut, _behead, _join]
HURTS += [_insert, _insert_line, _indent]


@st.composite
def hurt_text(draw: st.DrawFn, good: str, hurts: int = 4) -> str:
    """`good` after 1 to `hurts` injuries."""
    lines = good.split("\n")
    for _ in range(draw(st.integers(1, hurts))):
        draw(st.sampled_from(HURTS))(draw, lines)
        if not lines:
            return ""
    return "\n".join(lines)

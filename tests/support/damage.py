"""Hypothesis strategies that damage good captures the way the world does.

`damaged_bytes` hurts a file as bytes (truncated, flipped, repeated, numbers replaced);
`damaged_tree` hurts parsed JSON (fields lost, renamed, swapped, records repeated or shuffled). Both
shrink towards the undamaged capture. A reader must answer any of it with a snapshot or a
`CaptureError`: `reads_or_refuses` asserts that.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from magmem.errors import CaptureError
from magmem.snapshot import Snapshot

__all__ = ["NASTY_TEXT", "NASTY_VALUES", "damaged_bytes", "damaged_tree", "reads_or_refuses"]

NASTY_TEXT = (
    "<script>alert(1)</script>",
    'quote " inside',
    "back\\slash",
    "tab\tand\nnewline",
    "nul\0byte",
    "%s%n",
    "\u202eright to left",
    "ééééééééééééééééééééééééé",
    "x" * 5000,
    "",
)
"""Names that have hurt somebody before."""

NASTY_NUMBERS = (
    b"-1",
    b"0",
    b"1",
    b"4095",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"9" * 400,
    b"1e308",
    b"1e999",
    b"0.5",
    b"NaN",
    b"Infinity",
    b"0x10",
    b"K",
    b"",
)

NASTY_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    4095,
    2**62,
    2**63 - 1,
    2**63,
    2**64,
    10**300,
    0.5,
    float("inf"),
    float("nan"),
    [],
    {},
    [[]],
    "0x0",
    "0xffffffffffffffff",
    "0x1ffffffffffffffff",
    "0xzz",
    *NASTY_TEXT,
)
"""JSON values to stand where something else is expected."""

_NUMBER = re.compile(rb"[0-9]+")


@st.composite
def damaged_bytes(draw: st.DrawFn, good: bytes, hurts: int = 3) -> bytes:
    """`good` after 0 to `hurts` injuries of bytes."""
    data = good
    for _ in range(draw(st.integers(0, hurts))):
        data = draw(st.sampled_from(_BYTE_HURTS))(draw, data)
    return data


def _slice(draw: st.DrawFn, data: bytes) -> tuple[int, int]:
    start = draw(st.integers(0, len(data)))
    return start, min(len(data), start + draw(st.sampled_from([1, 2, 7, 40, 300, 3000])))


def _truncate(draw: st.DrawFn, data: bytes) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


def _behead(draw: st.DrawFn, data: bytes) -> bytes:
    return data[draw(st.integers(0, len(data))) :]


def _drop(draw: st.DrawFn, data: bytes) -> bytes:
    start, end = _slice(draw, data)
    return data[:start] + data[end:]


def _repeat(draw: st.DrawFn, data: bytes) -> bytes:
    start, end = _slice(draw, data)
    return data[:end] + data[start:end] + data[end:]


def _flip(draw: st.DrawFn, data: bytes) -> bytes:
    if not data:
        return data
    at = draw(st.integers(0, len(data) - 1))
    return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]


def _insert(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    junk = draw(
        st.one_of(
            st.binary(min_size=1, max_size=20),
            st.sampled_from([text.encode() for text in NASTY_TEXT]),
            st.sampled_from(
                [b"[" * 5000, b'{"a":' * 5000, b"\n" * 50, b"\xef\xbb\xbf", b" " * 999]
            ),
        )
    )
    return data[:at] + junk + data[at:]


def _renumber(draw: st.DrawFn, data: bytes) -> bytes:
    numbers = list(_NUMBER.finditer(data))
    if not numbers:
        return data
    hit = draw(st.sampled_from(numbers))
    return data[: hit.start()] + draw(st.sampled_from(NASTY_NUMBERS)) + data[hit.end() :]


def _swap_numbers(draw: st.DrawFn, data: bytes) -> bytes:
    numbers = list(_NUMBER.finditer(data))
    if not numbers:
        return data
    hit, other = draw(st.sampled_from(numbers)), draw(st.sampled_from(numbers))
    return data[: hit.start()] + other.group() + data[hit.end() :]


def _shuffle_lines(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    lines[at], lines[other] = lines[other], lines[at]
    return b"\n".join(lines)


_BYTE_HURTS: list[Callable[[st.DrawFn, bytes], bytes]] = [
    _renumber,
    _swap_numbers,
    _truncate,
    _drop,
    _repeat,
    _flip,
    _insert,
    _shuffle_lines,
    _behead,
]


@st.composite
def damaged_tree(draw: st.DrawFn, good: Any, hurts: int = 3) -> Any:
    """Parsed JSON `good`, copied, after 0 to `hurts` injuries."""
    tree = [copy.deepcopy(good)]
    for _ in range(draw(st.integers(0, hurts))):
        holder, key = draw(st.sampled_from(_places(tree)))
        draw(st.sampled_from(_TREE_HURTS))(draw, holder, key)
        if not tree:
            return None
    return tree[0]


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def _replace(draw: st.DrawFn, holder: Any, key: Any) -> None:
    holder[key] = copy.deepcopy(draw(st.sampled_from(NASTY_VALUES)))


def _remove(draw: st.DrawFn, holder: Any, key: Any) -> None:
    del holder[key]


def _double(draw: st.DrawFn, holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        holder[f"{key}_again"] = copy.deepcopy(holder[key])


def _reorder(draw: st.DrawFn, holder: Any, key: Any) -> None:
    value = holder[key]
    if isinstance(value, list):
        holder[key] = value[::-1] if draw(st.booleans()) else value[1:] + value[:1]
    elif isinstance(value, dict):
        holder[key] = dict(reversed(list(value.items())))


def _rename(draw: st.DrawFn, holder: Any, key: Any) -> None:
    if isinstance(holder, dict):
        holder[draw(st.sampled_from(["unknown", "type", "koid", *NASTY_TEXT]))] = holder.pop(key)


def _nudge(draw: st.DrawFn, holder: Any, key: Any) -> None:
    value = holder[key]
    if isinstance(value, bool) or not isinstance(value, int | str):
        return
    step = draw(st.sampled_from([-4096, -1, 1, 4096]))
    holder[key] = value + step if isinstance(value, int) else value + "1"


def _nest(draw: st.DrawFn, holder: Any, key: Any) -> None:
    for _ in range(draw(st.sampled_from([1, 50, 400]))):
        holder[key] = [holder[key]]


def _graft(draw: st.DrawFn, holder: Any, key: Any) -> None:
    value = holder[key]
    if isinstance(value, dict | list) and value:
        inner, at = draw(st.sampled_from(_places(value)))
        holder[key] = inner[at]


_TREE_HURTS: list[Callable[[st.DrawFn, Any, Any], None]] = [
    _replace,
    _nudge,
    _remove,
    _double,
    _reorder,
    _rename,
    _graft,
    _nest,
]


def reads_or_refuses(read: Callable[[], Snapshot], seconds: float = 5.0) -> Snapshot | CaptureError:
    """The snapshot `read` gives, or its `CaptureError`; any other exception fails the test."""
    begin = time.perf_counter()
    try:
        answer: Snapshot | CaptureError = read()
    except CaptureError as refusal:
        answer = refusal
    assert time.perf_counter() - begin < seconds
    if isinstance(answer, CaptureError):
        assert answer.source
        assert answer.expected
        assert answer.found
        assert len(str(answer)) < 2000
    return answer

"""Whatever happened to a transcript, it is a valid snapshot or one clear error, in bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hurt_text import hurt_text
from support.sessions import dumps_of, session
from support.shared import captures, goldens

from magmem.captures.transcript import read_transcript
from magmem.errors import CaptureError
from magmem.snapshot import Snapshot


def answer(text: str) -> Snapshot | CaptureError:
    """The snapshot, or the error that refuses the text."""
    try:
        return read_transcript(text, "hurt.txt")
    except CaptureError as error:
        refused = error
    assert refused.source == "hurt.txt"
    assert refused.expected
    return refused


@pytest.fixture(scope="module")
def whole_session() -> str:
    """Every dump of a machine in one console, with log prefixes and noise."""
    dumps = dumps_of(goldens() / "system-1")
    return session(dumps, sorted(dumps), seed=3, noise=0.05)


@pytest.fixture(scope="module")
def real_captures() -> list[str]:
    """Every real text capture."""
    return [path.read_text(encoding="utf-8") for path in sorted(captures().glob("*.txt"))]


@settings(max_examples=60)
@given(data=st.data())
def test_hurt_sessions_are_answered(whole_session: str, data: st.DataObject) -> None:
    """A session with lines lost, doubled, swapped, cut or changed is read or refused."""
    answer(data.draw(hurt_text(whole_session)))


@settings(max_examples=200)
@given(data=st.data())
def test_hurt_dumps_are_answered(data: st.DataObject) -> None:
    """The same for one dump of any kind."""
    dumps = dumps_of(goldens() / "system-2")
    command = data.draw(st.sampled_from(sorted(dumps)))
    answer(data.draw(hurt_text(f"$ {command}\n{dumps[command]}")))


@settings(max_examples=100)
@given(data=st.data())
def test_hurt_captures_are_answered(real_captures: list[str], data: st.DataObject) -> None:
    """The same for what real machines printed."""
    answer(data.draw(hurt_text(data.draw(st.sampled_from(real_captures)))))


@settings(max_examples=50)
@given(text=st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    """Text that no tool printed is refused, with the kinds that are understood."""
    result = answer(text)
    assert isinstance(result, Snapshot) or "vmaps" in result.expected


LONG = 1 << 20
HOSTILE = {
    "one long name": "TASK           PSS PRIVATE  SHARED NAME\np:1 1k 1k 1k " + "x" * LONG,
    "one long number": "TASK           PSS PRIVATE  SHARED NAME\np:" + "9" * LONG,
    "blanks": "$ vmaps 1\n" + " " * LONG + "M 0000",
    "brackets": "as 0x1 [0x0 0xfff] sz 0x1000 fl 0 ref 1 'x'\n" + "] " * LONG,
    "underscores": "/A " + "_" * LONG,
    "dashes": "rights  koid parent #chld #map #shr    size   alloc name\n" + "- " * LONG,
    "prompts": "$ ps\n" + "$ " * LONG,
    "quotes": "/A ________01000000-00007ffffffff000    128.0T:sz " + "'" * LONG,
    "prefix": "[" + "0" * LONG + ".0] 0.0> $ ps",
    "colours": "\x1b[" * LONG,
    "sizes": "TASK           PSS PRIVATE  SHARED NAME\nj:1 " + "1k " * LONG,
    "hashes": "     id  #h:" + "  #jb" * LONG,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_line_of_a_megabyte_takes_linear_time(what: str) -> None:
    """No line makes a pattern try again and again: a megabyte is answered within seconds."""
    start = time.perf_counter()
    answer(HOSTILE[what])
    assert time.perf_counter() - start < 5


def test_deep_indentation_is_bounded() -> None:
    """Ten thousand levels of jobs are read without recursion."""
    head = "TASK PSS PRIVATE NAME\n"
    rows = "".join(f"{' ' * depth}j:{depth + 1} 1k 1k deep\n" for depth in range(4000))
    snap = read_transcript(head + rows + head, "deep.txt")
    assert len(snap.jobs) == 4000
    assert snap.tasks["parent_koid"].iloc[-1] == 3999


def test_many_short_dumps_are_bounded() -> None:
    """A dump a line costs no more than a line."""
    count = 5000
    row = "/A ________01000000-00007ffffffff000    128.0T:sz                    'proc:{}'\n"
    text = "".join(f"$ vmaps {koid}\n" + row.format(koid) for koid in range(1, count))
    start = time.perf_counter()
    snap = read_transcript(text, "many.txt")
    assert len(snap.aspaces) == len(snap.sources) == count - 1
    assert time.perf_counter() - start < 5

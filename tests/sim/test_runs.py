"""Run sets behave as sets of page numbers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from magmem.sim.runs import RunSet

RANGE = st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda r: (r[0], r[0] + r[1]))
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), RANGE), max_size=25)


def pages(runs: list[tuple[int, int]]) -> set[int]:
    """The page numbers of half-open runs."""
    return {page for start, end in runs for page in range(start, end)}


@settings(max_examples=60)
@given(STEPS, RANGE)
def test_run_set_is_a_set_of_pages(steps: list[tuple[str, tuple[int, int]]], asked: object) -> None:
    """Adding and removing runs gives the same pages as adding and removing page by page."""
    assert isinstance(asked, tuple)
    runs, expected = RunSet(), set[int]()
    for step, (start, end) in steps:
        some = set(range(start, end))
        if step == "add":
            runs.add(start, end)
            expected |= some
        else:
            assert pages(runs.remove(start, end)) == expected & some
            expected -= some
    assert pages(runs.runs()) == expected
    assert pages(runs.gaps(*asked)) == set(range(*asked)) - expected
    assert all((page in runs) == (page in expected) for page in range(45))


@settings(max_examples=60)
@given(STEPS)
def test_adjacent_runs_are_one(steps: list[tuple[str, tuple[int, int]]]) -> None:
    """Runs are sorted and never touch, so equal sets have equal runs."""
    runs = RunSet()
    for step, (start, end) in steps:
        runs.add(start, end) if step == "add" else runs.remove(start, end)
    found = runs.runs()
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert all(start < end for start, end in found)


def test_a_run_set_can_begin_with_a_run() -> None:
    """`RunSet(2, 5)` holds pages 2, 3 and 4; `RunSet()` none."""
    assert RunSet(2, 5).runs() == [(2, 5)]
    assert RunSet().runs() == []

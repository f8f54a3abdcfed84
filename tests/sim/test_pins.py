"""Pin counts by range are pin counts by page."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from magmem.sim.pins import PinCounts

RANGE = st.tuples(st.integers(0, 20), st.integers(1, 10)).map(lambda r: (r[0], r[0] + r[1]))


@settings(max_examples=60)
@given(st.lists(RANGE, max_size=15), RANGE)
def test_counts_are_those_of_single_pages(ranges: list[tuple[int, int]], asked: object) -> None:
    """Every pin adds one to each page of its range; the extremes of a range are its pages'."""
    assert isinstance(asked, tuple)
    counts, pages = PinCounts(), [0] * 40
    for start, end in ranges:
        counts.change(start, end, 1)
        for page in range(start, end):
            pages[page] += 1
    low, high = asked
    assert counts.highest(low, high) == max(pages[low:high])
    assert counts.lowest(low, high) == min(pages[low:high])
    for start, end in ranges:
        counts.change(start, end, -1)
    assert (counts.at, counts.count) == ([0], [0])

"""A VMO's page list keeps pages, their frames and their bytes together."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from magmem.sim.pagelist import PageList

RANGE = st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda r: (r[0], r[0] + r[1]))


def frames(pages: PageList) -> dict[int, int]:
    """Frame by page."""
    return {
        page: frame + page - start
        for start, end, frame in pages.physical(0, 1000)
        for page in range(start, end)
    }


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "store"]), RANGE), max_size=25))
def test_page_list_is_a_map_of_pages(steps: list[tuple[str, tuple[int, int]]]) -> None:
    """Runs of pages behave as a map from page to frame, with bytes that go with the page."""
    pages, expected, written = PageList(), dict[int, int](), dict[int, int]()
    for number, (step, (start, end)) in enumerate(steps, 1):
        if step == "add":
            for s, e in pages.gaps(start, end):
                first = 1000 * number + s
                pages.add(s, e, first)
                expected.update({page: 1000 * number + page for page in range(s, e)})
        elif step == "remove":
            gone = pages.remove(start, end)
            for page in range(start, end):
                expected.pop(page, None)
                written.pop(page, None)
            assert all(start <= s < e <= end for s, e, _ in gone)
        elif start in expected:
            pages.store(start, 7, bytes([number]))
            written[start] = number
    assert frames(pages) == expected
    assert pages.count == len(expected)
    assert {page: data[7] for page, data in pages.contents.items()} == written
    assert pages.written(5, 20) == sorted(page for page in written if 5 <= page < 20)
    assert [page for s, n in pages.merged() for page in range(s, s + n)] == sorted(expected)


def test_zeros_need_no_bytes() -> None:
    """Writing zeros to a page that was never written keeps no bytes; to a written one it does."""
    pages = PageList()
    pages.add(0, 2, 10)
    pages.store(0, 0, bytes(100))
    assert pages.contents == {}
    pages.store(0, 0, b"ab")
    pages.store(0, 0, bytes(1))
    assert pages.contents[0][:3] == b"\0b\0"


def test_runs_merge_only_where_frames_follow() -> None:
    """Neighbouring pages in neighbouring frames are one run; elsewhere they stay apart."""
    pages = PageList()
    pages.add(0, 2, 10)
    pages.add(2, 4, 12)
    pages.add(4, 5, 99)
    assert pages.physical(0, 9) == [(0, 4, 10), (4, 5, 99)]
    assert pages.merged() == [(0, 5)]

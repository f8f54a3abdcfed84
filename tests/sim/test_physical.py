"""Arenas: where pages come from, and that none is in two places."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magmem.errors import NoMemory
from magmem.sim.physical import FREE, MMU, OBJECT, Arena, PhysicalMemory


def memory(*sizes: int, priorities: tuple[int, ...] = ()) -> PhysicalMemory:
    """Arenas of so many pages, 1000 frames apart."""
    ranks = priorities or (0,) * len(sizes)
    return PhysicalMemory(
        [
            Arena(f"a{n}", 1000 * (n + 1), size, rank)
            for n, (size, rank) in enumerate(zip(sizes, ranks, strict=True))
        ]
    )


def test_the_arena_of_lowest_priority_number_gives_first() -> None:
    """Pages come from the arena of priority 0 while it has any, then from priority 1."""
    ram = memory(10, 4, priorities=(1, 0))
    assert ram.take(3, OBJECT) == [(2000, 3)]
    assert ram.take(3, OBJECT) == [(2003, 1), (1000, 2)]
    assert [arena.counts[FREE] for arena in ram.arenas] == [8, 0]
    ram.give(2000, 1, OBJECT)
    assert ram.take(1, OBJECT) == [(2000, 1)]


def test_the_page_freed_last_is_given_first() -> None:
    """The free list is a stack, as the kernel's."""
    ram = memory(10)
    ram.take(10, OBJECT)
    ram.give(1003, 1, OBJECT)
    ram.give(1007, 1, OBJECT)
    assert ram.take(1, MMU) == [(1007, 1)]
    assert ram.take(1, MMU) == [(1003, 1)]


def test_require_names_what_is_needed_and_free() -> None:
    """Too little memory is told before anything is taken."""
    ram = memory(10)
    ram.take(4, OBJECT)
    with pytest.raises(NoMemory, match="commit needs 7 pages, 6 are free"):
        ram.require(7, "commit")
    assert ram.counts == [6, 0, 0, 0, 4, 0]


def test_contiguous_pages_are_aligned_and_adjacent() -> None:
    """A contiguous run begins at the lowest aligned place that is long enough."""
    ram = memory(40)
    ram.take(3, OBJECT)
    assert ram.take_contiguous(8, 8, OBJECT) == (1008, 8)
    assert ram.counts[FREE] == 40 - 11
    with pytest.raises(NoMemory, match="no 30 adjacent free pages"):
        ram.take_contiguous(30, 1, OBJECT)
    assert ram.counts[FREE] == 40 - 11


STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 99)), max_size=60)


@settings(max_examples=60)
@given(STEPS)
def test_no_page_is_in_two_places(steps: list[tuple[bool, int, int]]) -> None:
    """Whatever is taken and given back, each page is free or held once, and counts say so."""
    ram = memory(25, 15)
    held: list[tuple[int, int]] = []
    for take, count, pick in steps:
        if take and count <= ram.counts[FREE]:
            held += ram.take(count, OBJECT)
        elif not take and held:
            first, length = held.pop(pick % len(held))
            ram.give(first + length // 2, length - length // 2, OBJECT)
            if length > 1:
                held.append((first, length // 2))
        taken = [page for first, length in held for page in range(first, first + length)]
        free = [
            page
            for arena in ram.arenas
            for first, length in arena.free_runs()
            for page in range(first, first + length)
        ]
        assert len(free) == ram.counts[FREE]
        assert sorted(taken + free) == [*range(1000, 1025), *range(2000, 2015)]
        assert ram.counts == [
            sum(column) for column in zip(*(a.counts for a in ram.arenas), strict=True)
        ]


def test_a_long_free_list_is_tidied() -> None:
    """Free runs that have become neighbours are merged once there are very many."""
    ram = memory(5000)
    ram.take(5000, OBJECT)
    for page in range(0, 5000, 2):
        ram.give(1000 + page, 1, OBJECT)
    for page in range(1, 5000, 2):
        ram.give(1000 + page, 1, OBJECT)
    assert len(ram.arenas[0].stack) < 2500
    assert ram.arenas[0].free_runs() == [(1000, 5000)]

"""Physical memory: arenas of pages, each page in exactly one state.

Pages are handled as runs ``(first page frame, count)``; a page frame is a physical address divided
by 4096. Every arena keeps its free frames as a stack of runs, the run freed last on top, as the
kernel's own free list does. Allocation takes the arena of the lowest priority number that has free
pages (reference/kernel.md "Physical memory"). Callers reserve first (`PhysicalMemory.require`), so
that taking pages never fails half way.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from magmem.errors import NoMemory
from magmem.units import PAGE_BYTES

__all__ = [
    "ALLOC",
    "FREE",
    "HEAP",
    "MMU",
    "OBJECT",
    "STATE_NAMES",
    "WIRED",
    "Arena",
    "Frames",
    "PhysicalMemory",
]

STATE_NAMES: Final = ("free", "alloc", "wired", "heap", "object", "mmu")
"""Page states, in the order the arena dump prints them."""

FREE: Final = 0
ALLOC: Final = 1
WIRED: Final = 2
HEAP: Final = 3
OBJECT: Final = 4
MMU: Final = 5

Frames = tuple[int, int]
"""A run of page frames: the first and how many."""

_TIDY_AT = 1024


class Arena:
    """One range of physical memory.

    Attributes
    ----------
    name : str
        At most 15 bytes.
    first, end : int
        Its page frames, half open.
    priority : int
        Lower numbers are allocated from first.
    flags : int
        Raw flags as the arena dump prints them.
    counts : list of int
        Pages in each state, in the order of `STATE_NAMES`.
    """

    __slots__ = ("counts", "end", "first", "flags", "name", "priority", "stack", "tidy_at", "top")

    def __init__(self, name: str, first: int, count: int, priority: int = 0, flags: int = 1):
        self.name = name
        self.first = first
        self.end = first + count
        self.priority = priority
        self.flags = flags
        self.counts = [count, 0, 0, 0, 0, 0]
        self.top = [first, count]
        self.stack: list[Frames] = []
        self.tidy_at = _TIDY_AT

    @property
    def base(self) -> int:
        """First physical address."""
        return self.first * PAGE_BYTES

    @property
    def size_bytes(self) -> int:
        """Length in bytes."""
        return (self.end - self.first) * PAGE_BYTES

    def free_runs(self) -> list[Frames]:
        """Free frames by address, adjacent runs merged."""
        merged: list[Frames] = []
        for first, count in sorted([*self.stack, (self.top[0], self.top[1])]):
            if merged and sum(merged[-1]) == first:
                merged[-1] = (merged[-1][0], merged[-1][1] + count)
            elif count:
                merged.append((first, count))
        return merged

    def set_free_runs(self, runs: list[Frames]) -> None:
        """Make `runs`, sorted by address, the free list, the lowest address on top."""
        self.stack = runs[:0:-1]
        self.top = list(runs[0]) if runs else [self.first, 0]
        self.tidy_at = max(_TIDY_AT, 2 * len(self.stack))


class PhysicalMemory:
    """All arenas.

    Attributes
    ----------
    arenas : tuple of Arena
        By address.
    counts : list of int
        Pages in each state over all arenas, in the order of `STATE_NAMES`.
    """

    __slots__ = ("_bases", "_front", "_order", "arenas", "counts")

    def __init__(self, arenas: list[Arena]) -> None:
        self.arenas = tuple(sorted(arenas, key=lambda arena: arena.first))
        self._bases = [arena.first for arena in self.arenas]
        self._order = sorted(self.arenas, key=lambda arena: (arena.priority, arena.first))
        self._front = 0
        if len(arenas) == 1:
            self.counts = arenas[0].counts
        else:
            self.counts = [sum(column) for column in zip(*(a.counts for a in arenas), strict=True)]

    def require(self, pages: int, what: str) -> None:
        """Raise `NoMemory` unless that many pages are free."""
        if pages > self.counts[FREE]:
            raise NoMemory(f"{what} needs {pages} pages, {self.counts[FREE]} are free")

    def take(self, count: int, state: int) -> list[Frames]:
        """Move free pages into a state; the caller has made sure that they are there."""
        arena = self._order[self._front]
        top = arena.top
        if count <= top[1]:
            first = top[0]
            top[0] = first + count
            top[1] -= count
            counts = arena.counts
            counts[FREE] -= count
            counts[state] += count
            if counts is not self.counts:
                self.counts[FREE] -= count
                self.counts[state] += count
            return [(first, count)]
        return self._take_pieces(count, state)

    def _take_pieces(self, count: int, state: int) -> list[Frames]:
        taken: list[Frames] = []
        while count:
            arena = self._order[self._front]
            if not arena.top[1]:
                if arena.stack:
                    arena.top = list(arena.stack.pop())
                else:
                    self._front += 1
                continue
            part = min(count, arena.top[1])
            taken += self.take(part, state)
            count -= part
        return taken

    def give(self, first: int, count: int, state: int) -> None:
        """Free a run of pages that are in `state`; it lies in one arena."""
        arena = self._order[self._front]
        if not arena.first <= first < arena.end:
            arena = self.arenas[bisect_right(self._bases, first) - 1]
            self._front = min(self._front, self._order.index(arena))
        counts = arena.counts
        counts[state] -= count
        counts[FREE] += count
        if counts is not self.counts:
            self.counts[state] -= count
            self.counts[FREE] += count
        top = arena.top
        if first + count == top[0]:
            top[0] = first
            top[1] += count
        elif top[0] + top[1] == first:
            top[1] += count
        else:
            if top[1]:
                arena.stack.append((top[0], top[1]))
            arena.top = [first, count]
            if len(arena.stack) > arena.tidy_at:
                arena.set_free_runs(arena.free_runs())

    def give_all(self, frames: list[Frames], state: int) -> None:
        """Free several runs."""
        for first, count in frames:
            self.give(first, count, state)

    def take_contiguous(self, count: int, align_pages: int, state: int) -> Frames:
        """Move one run of adjacent, aligned free pages into a state: the lowest in its arena.

        Raises
        ------
        NoMemory
            No arena has such a run; nothing has changed.
        """
        for arena in self._order:
            runs = arena.free_runs()
            for at, (first, length) in enumerate(runs):
                begin = -(-first // align_pages) * align_pages
                if begin + count <= first + length:
                    parts = [
                        (first, begin - first),
                        (begin + count, first + length - begin - count),
                    ]
                    runs[at : at + 1] = [part for part in parts if part[1]]
                    arena.set_free_runs(runs)
                    arena.counts[FREE] -= count
                    arena.counts[state] += count
                    if arena.counts is not self.counts:
                        self.counts[FREE] -= count
                        self.counts[state] += count
                    return begin, count
        raise NoMemory(f"no {count} adjacent free pages aligned to {align_pages} pages")

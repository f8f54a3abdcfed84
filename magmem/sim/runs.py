"""Sorted, disjoint runs of page numbers: which pages of a mapping are installed.

A run is half open, ``[start, end)``, in pages. Adjacent runs are merged, so equal sets have equal
runs. Every operation costs a bisection plus the runs it meets; nothing here fails.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

__all__ = ["Run", "RunSet", "gaps", "overlap"]

Run = tuple[int, int]
"""``(start, end)`` in pages, half open."""


class RunSet:
    """A set of page numbers held as runs; at first empty, or ``[start, end)``."""

    __slots__ = ("ends", "starts")

    def __init__(self, start: int = 0, end: int = 0) -> None:
        self.starts = [start] if end else []
        self.ends = [end] if end else []

    def __contains__(self, page: int) -> bool:
        at = bisect_right(self.starts, page) - 1
        return at >= 0 and page < self.ends[at]

    def runs(self) -> list[Run]:
        """Every run, in order."""
        return list(zip(self.starts, self.ends, strict=True))

    def gaps(self, start: int, end: int) -> list[Run]:
        """The parts of ``[start, end)`` that are not in the set."""
        return gaps(self.starts, self.ends, start, end)

    def add(self, start: int, end: int) -> None:
        """Put ``[start, end)`` into the set."""
        starts, ends = self.starts, self.ends
        low = bisect_left(ends, start)
        high = bisect_right(starts, end)
        if low < high:
            start = min(start, starts[low])
            end = max(end, ends[high - 1])
        starts[low:high] = [start]
        ends[low:high] = [end]

    def remove(self, start: int, end: int) -> list[Run]:
        """Take ``[start, end)`` out of the set; returns the parts that were in it."""
        starts, ends = self.starts, self.ends
        low = bisect_right(ends, start)
        high = bisect_left(starts, end)
        if low >= high:
            return []
        first, last = starts[low], ends[high - 1]
        gone = overlap(starts, ends, start, end)
        left_starts, left_ends = [], []
        if first < start:
            left_starts.append(first)
            left_ends.append(start)
        if end < last:
            left_starts.append(end)
            left_ends.append(last)
        starts[low:high] = left_starts
        ends[low:high] = left_ends
        return gone


def overlap(starts: list[int], ends: list[int], start: int, end: int) -> list[Run]:
    """The parts of ``[start, end)`` covered by runs given as two sorted lists."""
    low = bisect_right(ends, start)
    high = bisect_left(starts, end)
    return [(max(starts[at], start), min(ends[at], end)) for at in range(low, high)]


def gaps(starts: list[int], ends: list[int], start: int, end: int) -> list[Run]:
    """The parts of ``[start, end)`` not covered by runs given as two sorted lists."""
    found: list[Run] = []
    for begin, stop in overlap(starts, ends, start, end):
        if start < begin:
            found.append((start, begin))
        start = stop
    if start < end:
        found.append((start, end))
    return found

"""How often each page of a VMO is pinned: a step function over page numbers.

At most 31 pins a page (reference/kernel.md "VMOs"). Costs grow with the edges of pinned ranges.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

__all__ = ["MAX_PINS", "PinCounts"]

MAX_PINS: Final = 31


class PinCounts:
    """Pin counts by page, held as edges: from `at[i]` on, every page has `count[i]` pins."""

    __slots__ = ("at", "count")

    def __init__(self) -> None:
        self.at = [0]
        self.count = [0]

    def highest(self, start: int, end: int) -> int:
        """The most pins any page of ``[start, end)`` has."""
        low = bisect_right(self.at, start) - 1
        return max(self.count[low : bisect_left(self.at, end)], default=0)

    def lowest(self, start: int, end: int) -> int:
        """The fewest pins any page of ``[start, end)`` has."""
        low = bisect_right(self.at, start) - 1
        return min(self.count[low : bisect_left(self.at, end)], default=0)

    def change(self, start: int, end: int, step: int) -> None:
        """Add `step` pins to every page of ``[start, end)``."""
        first = self._edge(start)
        last = self._edge(end)
        for index in range(first, last):
            self.count[index] += step
        for index in range(last, max(first - 1, 0), -1):
            if self.count[index] == self.count[index - 1]:
                del self.at[index], self.count[index]

    def _edge(self, page: int) -> int:
        index = bisect_left(self.at, page)
        if index == len(self.at) or self.at[index] != page:
            self.at.insert(index, page)
            self.count.insert(index, self.count[index - 1])
        return index

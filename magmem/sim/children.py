"""The children of a VMAR: regions that never overlap, kept in address order.

Lookups are bisections over the children's bases. Nothing here fails; what may be put where is
`magmem.sim.vmar`'s to decide.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magmem.sim.mapping import Mapping
    from magmem.sim.vmar import Vmar

__all__ = ["Children"]


class Children:
    """A range of addresses and the regions in it.

    Attributes
    ----------
    base, size_bytes : int
        The range.
    bases : list of int
        The children's first addresses.
    children : list of Vmar or Mapping
        In the same order.
    packed : int
        How many of the first children are known to follow each other without a gap.
    """

    __slots__ = ("base", "bases", "children", "packed", "size_bytes")

    def __init__(self, base: int, size_bytes: int) -> None:
        self.base = base
        self.size_bytes = size_bytes
        self.bases: list[int] = []
        self.children: list[Vmar | Mapping] = []
        self.packed = 0

    @property
    def end(self) -> int:
        """First address after it."""
        return self.base + self.size_bytes

    def child_at(self, address: int) -> Vmar | Mapping | None:
        """The child that covers an address."""
        at = bisect_right(self.bases, address) - 1
        if at < 0 or self.children[at].end <= address:
            return None
        return self.children[at]

    def children_in(self, start: int, end: int) -> list[Vmar | Mapping]:
        """The children that meet a range of addresses, in order."""
        low = bisect_right(self.bases, start) - 1
        if low < 0 or self.children[low].end <= start:
            low += 1
        return self.children[low : bisect_left(self.bases, end)]

    def gaps(self) -> list[tuple[int, int]]:
        """Ranges of addresses without a child, in order."""
        found = []
        start = self.base
        for child in self.children:
            if start < child.base:
                found.append((start, child.base))
            start = child.end
        if start < self.end:
            found.append((start, self.end))
        return found

    def insert_child(self, child: Vmar | Mapping) -> None:
        """Put a child where it belongs."""
        at = bisect_right(self.bases, child.base)
        self.bases.insert(at, child.base)
        self.children.insert(at, child)

    def remove_child(self, child: Vmar | Mapping) -> None:
        """Take a child out."""
        at = bisect_left(self.bases, child.base)
        del self.bases[at], self.children[at]
        if at < self.packed:  # noqa: PLR1730 (the kernel's mappings are few, the test is quick)
            self.packed = at

    def remove_all(self) -> None:
        """Take every child out."""
        self.bases, self.children, self.packed = [], [], 0

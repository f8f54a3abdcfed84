"""The mappings in order of the VMO they map, so that neighbours share what they look up.

Within a VMO they stand by address space (the order of the regions table). All arrays are int64, one
item per mapping of the `KernelView`; units are pages.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from magmem.kernel.runs import Ints, blocks, order_of, starts_of
from magmem.snapshot import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.kernel.mappings import KernelView

__all__ = ["PAGE_SHIFT", "ByVmo", "whole_pages"]

PAGE_SHIFT = PAGE_BYTES.bit_length() - 1


class ByVmo:
    """The mappings of a view, sorted by VMO.

    Attributes
    ----------
    order : int64 array
        Places in the view's arrays.
    vmo, aspace : int64 arrays
        What each maps, and where.
    """

    def __init__(self, view: KernelView) -> None:
        self._view = view
        self.order: Ints = order_of(view.vmo)
        self.vmo: Ints = np.repeat(np.arange(len(view.num_mappings)), view.num_mappings)
        self.aspace: Ints = view.aspace[self.order]

    @cached_property
    def pages(self) -> tuple[Ints, Ints]:
        """The half-open page range in the VMO, cut to its size; may be empty or inverted."""
        view = self._view
        first, end = np.empty_like(self.order), np.empty_like(self.order)
        for block in blocks(len(self.order)):
            rows = self.order[block]
            first[block] = view.offset_bytes[rows] >> PAGE_SHIFT
            reach = first[block] + whole_pages(view.size_bytes[rows])
            np.minimum(reach, view.size_pages[self.vmo[block]], out=end[block])
        return first, end

    @cached_property
    def places(self) -> tuple[Ints, Ints]:
        """The half-open range of the VMO's own pages on the axis of the page runs."""
        runs = self._view.runs
        first, end = self.pages
        low, high = np.empty_like(first), np.empty_like(first)
        for block in blocks(len(first)):
            vmo = self.vmo[block]
            low[block] = runs.pages_below(vmo, first[block])
            high[block] = runs.pages_below(vmo, np.maximum(first[block], end[block]))
        return low, high

    @cached_property
    def is_again(self) -> npt.NDArray[np.bool_]:
        """Whether the address space maps the VMO by an earlier or later mapping too."""
        again = np.zeros(len(self.vmo), bool)
        same = (self.vmo[1:] == self.vmo[:-1]) & (self.aspace[1:] == self.aspace[:-1])
        again[1:] |= same
        again[:-1] |= same
        return again

    @cached_property
    def pairs(self) -> tuple[Ints, Ints]:
        """VMO and address space of each distinct pair of which one maps the other."""
        first = starts_of(self.vmo * max(1, len(self._view.snap.aspaces)) + self.aspace)
        return self.vmo[first], self.aspace[first]


def whole_pages(size_bytes: Ints) -> Ints:
    """Pages that hold so many bytes."""
    return -(-size_bytes >> PAGE_SHIFT)

"""Where a new region goes in a VMAR when the caller names no place.

By default uniformly among all fitting page positions; compact: next to an existing child, with a
random gap of 1 to 128 pages (reference/kernel.md "VMARs and mappings"). The kernel's own address
space is filled from the bottom. All random numbers come from the machine's seed.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.vmar import Vmar

__all__ = ["MAX_COMPACT_GAP_PAGES", "compact", "lowest", "uniform"]

MAX_COMPACT_GAP_PAGES: Final = 128

_TRIES = 8


def uniform(vmar: Vmar, size_bytes: int) -> int:
    """A place picked uniformly among all that fit, or -1.

    A position is drawn from the whole range and drawn again while it does not fit, which keeps the
    choice uniform; only in a crowded VMAR, after some misses, are all fitting positions counted.
    """
    positions = (vmar.size_bytes - size_bytes >> 12) + 1
    if positions < 1:
        return -1
    random = vmar.machine.random
    bases, children = vmar.bases, vmar.children
    base = vmar.base
    state = vmar.machine.random_state
    for _ in range(_TRIES):
        place = base + (random(positions) << 12)
        at = bisect_right(bases, place)
        if (not at or children[at - 1].end <= place) and (
            at == len(bases) or place + size_bytes <= bases[at]
        ):
            return place
    vmar.machine.random_state = state
    return _counted(vmar, size_bytes)


def _counted(vmar: Vmar, size_bytes: int) -> int:
    gaps = [(start, end) for start, end in vmar.gaps() if end - start >= size_bytes]
    positions = [(end - start - size_bytes) // PAGE_BYTES + 1 for start, end in gaps]
    if not positions:
        return -1
    pick = vmar.machine.random(sum(positions))
    for (start, _), count in zip(gaps, positions, strict=True):
        if pick < count:
            return start + pick * PAGE_BYTES
        pick -= count
    raise AssertionError("the pick lies among the positions counted")


def compact(vmar: Vmar, size_bytes: int) -> int:
    """A place 1 to 128 pages from a child; uniform if no child has that much room beside it."""
    spots = []
    for start, end in vmar.gaps():
        below, above = start > vmar.base, end < vmar.end
        # Between two children a page stays free on either side.
        room = (end - start - size_bytes) // PAGE_BYTES - (below and above)
        if room >= 1:
            if below:
                spots.append((start, 1, room))
            if above:
                spots.append((end - size_bytes, -1, room))
    if not spots:
        return uniform(vmar, size_bytes)
    random = vmar.machine.random
    place, step, room = spots[random(len(spots))]
    return place + step * PAGE_BYTES * (1 + random(min(MAX_COMPACT_GAP_PAGES, room)))


def lowest(vmar: Vmar, size_bytes: int) -> int:
    """The lowest place that fits, or -1."""
    place = vmar.base
    if vmar.packed:
        place = vmar.children[vmar.packed - 1].end
    for at in range(vmar.packed, len(vmar.bases)):
        if vmar.bases[at] - place >= size_bytes:
            return place
        if vmar.bases[at] == place and at == vmar.packed:
            vmar.packed = at + 1
        place = vmar.children[at].end
    return place if vmar.end - place >= size_bytes else -1

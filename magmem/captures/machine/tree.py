"""The regions of a machine description: nested VMARs laid out as rows, and their geometry.

Rows come in depth-first pre-order. A region lies inside its VMAR, siblings are sorted by base and
do not overlap (reference/machine-format.md, reference/kernel.md "VMARs and mappings").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from magmem.captures.machine.format import MAX_DEPTH, Aspace, Mapping, Vmar
from magmem.errors import CaptureError

__all__ = ["RegionRows", "check_geometry", "flatten"]

Addresses = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


@dataclass
class RegionRows:
    """Every region of every address space, one item per row.

    Attributes
    ----------
    nodes : list of Vmar or Mapping
        The records.
    aspace : list of int
        Row of the address space.
    depth : list of int
        0 for a root VMAR.
    parent : list of int
        Row of the VMAR around it; -1 for a root VMAR.
    number : list of int
        Which child of that VMAR it is.
    previous : list of int
        Row of the sibling before it; -1 for the first.
    places : list of str
        Path of each address space.
    """

    source: str
    nodes: list[Vmar | Mapping] = field(default_factory=list)
    aspace: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    previous: list[int] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    def place(self, row: int) -> str:
        """The path of a region's record."""
        owner = self.places[self.aspace[row]]
        steps: list[str] = []
        while self.parent[row] >= 0:
            steps.append(f".children[{self.number[row]}]")
            row = self.parent[row]
        return f"{owner}.root_vmar{''.join(reversed(steps))}"


def flatten(aspaces: Iterable[tuple[str, Aspace]], source: str) -> RegionRows:
    """Lay out the regions of address spaces, each given with its path.

    Raises
    ------
    CaptureError
        VMARs nested deeper than `MAX_DEPTH`.
    """
    rows = RegionRows(source)
    for space, (place, aspace) in enumerate(aspaces):
        rows.places.append(place)
        last_child: dict[int, int] = {}
        waiting: list[tuple[Vmar | Mapping, int, int, int]] = [(aspace.root_vmar, -1, 0, 0)]
        while waiting:
            node, parent, depth, number = waiting.pop()
            row = len(rows.nodes)
            rows.nodes.append(node)
            rows.aspace.append(space)
            rows.depth.append(depth)
            rows.parent.append(parent)
            rows.number.append(number)
            rows.previous.append(last_child.get(parent, -1))
            last_child[parent] = row
            if isinstance(node, Vmar):
                if depth >= MAX_DEPTH:
                    expected = f"VMARs nested at most {MAX_DEPTH} deep"
                    raise CaptureError(source, rows.place(row), expected, "a deeper one")
                children = enumerate(node.children)
                waiting.extend(
                    [(child, row, depth + 1, at) for at, child in children][::-1],
                )
    return rows


def check_geometry(
    rows: RegionRows,
    base: Addresses,
    size: Addresses,
    aspace_base: Addresses,
    aspace_size: Addresses,
) -> None:
    """Raise at the first region outside its VMAR, out of order, or over its sibling.

    Parameters
    ----------
    rows : RegionRows
        The layout.
    base, size : uint64 arrays, one item per region
        Bytes.
    aspace_base, aspace_size : uint64 arrays, one item per address space
        Bytes.
    """
    space_end = _overflows(aspace_base, aspace_size)
    if space_end.any():
        place = rows.places[int(np.flatnonzero(space_end)[0])]
        raise CaptureError(rows.source, place, "a range that ends by 2^64", "one that goes beyond")
    parent = np.array(rows.parent, dtype=np.int64)
    space = np.array(rows.aspace, dtype=np.int64)
    outer_base = np.where(parent >= 0, base[parent], aspace_base[space])
    outer_size = np.where(parent >= 0, size[parent], aspace_size[space])
    outside = (
        (base < outer_base)
        | (base - outer_base > outer_size)
        | (size > outer_size - (base - outer_base))
    )
    previous = np.array(rows.previous, dtype=np.int64)
    later = previous >= 0
    unsorted = later & (base < base[previous])
    over = later & ~unsorted & (base - base[previous] < size[previous])
    bad = outside | unsorted | over
    if not bad.any():
        return
    row = int(np.flatnonzero(bad)[0])
    found = _span(base[row], size[row])
    if outside[row]:
        expected = f"a range inside {_span(outer_base[row], outer_size[row])}"
    elif unsorted[row]:
        expected = f"children sorted by base, so one from {int(base[previous[row]]):#x} on"
    else:
        expected = f"a range after its sibling {_span(base[previous[row]], size[previous[row]])}"
    raise CaptureError(rows.source, rows.place(row), expected, found)


def _overflows(base: Addresses, size: Addresses) -> Bools:
    limit = np.uint64(2**64 - 1)
    return (size > 0) & (limit - base < size - np.uint64(1))


def _span(base: np.uint64, size: np.uint64) -> str:
    return f"{int(base):#x}-{int(base) + int(size):#x}"

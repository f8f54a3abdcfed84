"""Where the tiles of a picture stand: squarified level by level, small ones merged into "others".

The rule is that of ``assets/layout.js``, which draws the page: a level is cut to what can be seen
before squarify lays it out, because squarify is slow on long levels and fails on zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import squarify

from magmem.treemap.numbers import Ints
from magmem.treemap.tree import Tree

__all__ = ["Frame", "Rect", "Tile", "plan"]


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle; `y` grows downwards."""

    x: float
    y: float
    w: float
    h: float

    @property
    def area(self) -> float:
        """Width times height."""
        return self.w * self.h


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: a node, or several small nodes merged.

    Attributes
    ----------
    nodes : tuple of int
        The node; of a merged tile all that are in it.
    place : Rect
    opened : bool
        Its children are drawn in it.
    header : bool
        There is room for its label above them.
    """

    nodes: tuple[int, ...]
    place: Rect
    opened: bool
    header: bool

    @property
    def merged(self) -> bool:
        """Whether it is an "others" tile."""
        return len(self.nodes) > 1


@dataclass(frozen=True, slots=True)
class Frame:
    """How much room a tile's own label and edge take, and what is too small to draw."""

    header: float
    gap: float
    least_area: float
    most_tiles: int


def plan(tree: Tree, nodes: Ints, stage: Rect, frame: Frame) -> list[Tile]:
    """Every tile of a picture, parents before children.

    Parameters
    ----------
    tree : Tree
    nodes : int64 array
        Nodes of the first level.
    stage : Rect
        The room to fill.
    frame : Frame
    """
    tiles: list[Tile] = []
    wave = [(nodes, stage)]
    while wave:
        deeper: list[tuple[Ints, Rect]] = []
        for level, room in sorted(wave, key=lambda each: -each[1].area):
            left = max(frame.most_tiles - len(tiles) - 1, 1)
            for group, place in _squarified(tree, level, room, frame.least_area, left):
                inner, header = _inside(place, frame)
                first, count = int(tree.first_child[group[0]]), int(tree.child_count[group[0]])
                opened = (
                    len(group) == 1
                    and count > 0
                    and inner is not None
                    and tree.area[first : first + count].max() * inner.area
                    >= frame.least_area * tree.area[group[0]]
                    and len(tiles) + len(deeper) < frame.most_tiles
                )
                tiles.append(Tile(group, place, opened, opened and header))
                if opened and inner is not None:
                    deeper.append((np.arange(first, first + count), inner))
        wave = deeper
    return tiles


def _squarified(
    tree: Tree, nodes: Ints, room: Rect, least_area: float, most: int
) -> list[tuple[tuple[int, ...], Rect]]:
    """The tiles of one level: nodes large enough to see, and the others as one."""
    nodes = nodes[tree.area[nodes] > 0]
    if not len(nodes):
        return []
    area = tree.area[nodes]
    shown = area >= least_area * area.sum() / room.area
    if shown.sum() > most:
        shown = np.zeros(len(nodes), dtype=bool)
        shown[np.lexsort((nodes, -area))[:most]] = True
    if (~shown).sum() < 2:
        shown[:] = True
    groups: list[tuple[int, ...]] = [(node,) for node in nodes[shown].tolist()]
    sizes: list[float] = area[shown].tolist()
    if not shown.all():
        groups.append(tuple(nodes[~shown].tolist()))
        sizes.append(float(area[~shown].sum()))
    return list(zip(groups, _rectangles(sizes, room), strict=True))


def _rectangles(sizes: Sequence[float], room: Rect) -> list[Rect]:
    places = squarify.squarify(
        squarify.normalize_sizes(sizes, room.w, room.h), room.x, room.y, room.w, room.h
    )
    return [Rect(place["x"], place["y"], place["dx"], place["dy"]) for place in places]


def _inside(place: Rect, frame: Frame) -> tuple[Rect | None, bool]:
    """The room inside a tile for its children, and whether its label has room above them."""
    header = place.h >= 2 * frame.header and place.w >= 2.5 * frame.header
    top = frame.header if header else frame.gap
    w, h = place.w - 2 * frame.gap, place.h - top - frame.gap
    if min(w, h) < 2 * frame.gap:
        return None, False
    return Rect(place.x + frame.gap, place.y + top, w, h), header

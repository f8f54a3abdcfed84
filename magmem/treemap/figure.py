"""The still form of a treemap: a matplotlib figure that reads at 12 cm width.

The title says the finding. Below it stands physical memory as one bar to scale, then the tiles of
the node that is shown, the legend, and what the reader must know. Lengths are points (1/72 inch).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from magmem.palette import TINTS, text_on
from magmem.sizes import format_size
from magmem.still import Still
from magmem.treemap.layout import Frame, Rect, Tile, plan
from magmem.treemap.numbers import Ints
from magmem.treemap.sheet import Sheet, fitted, width_of, wrapped
from magmem.treemap.text import task_label
from magmem.treemap.tree import KINDS, Node, Tree

if TYPE_CHECKING:
    from magmem.treemap.treemap import Treemap

__all__ = ["draw"]

TITLE: Final = 9.0
SMALL: Final = 6.5
EDGE: Final = 4.0
FRAME: Final = Frame(header=10.0, gap=1.0, least_area=30.0, most_tiles=1500)
_POINTS_PER_CM: Final = 72 / 2.54


def draw(treemap: Treemap, at: str | int | None, width_cm: float, *, dark: bool = False) -> Still:
    """The figure of a treemap, or of one node of it; see `Treemap.figure`."""
    tree = treemap.tree
    node = tree.root if at is None else tree.find(at)
    width = width_cm * _POINTS_PER_CM
    room = width - 2 * EDGE
    title = wrapped(_finding(treemap, node), room, TITLE, "bold")
    nodes, folded = _first_level(tree, node)
    tiles_height = 0.62 * width
    tiles = plan(tree, nodes, Rect(EDGE, 0, room, tiles_height), FRAME)
    legend = _legend_lines(treemap, node, tiles, room)
    notes = [line for remark in treemap.remarks for line in wrapped(remark, room, SMALL)]
    height = 44 + 13 * len(title) + tiles_height + 10 * len(legend) + 9 * len(notes)
    sheet = Sheet(width, height, dark=dark)
    y = EDGE
    for line in title:
        sheet.text(EDGE, y, line, TITLE, weight="bold")
        y += 13
    _bar(sheet, tree, Rect(EDGE, y + 1, room, 13))
    caption = fitted(_caption(treemap, node, folded), room, SMALL, "bold")
    sheet.text(EDGE, y + 18, caption, SMALL, weight="bold")
    y += 28
    for tile in tiles:
        _tile(sheet, tree, tile, y)
    y += tiles_height + 4
    for entries in legend:
        x = EDGE
        for tint, word, extent in entries:
            sheet.tinted(Rect(x, y + 1.5, 9, 6), tint)
            sheet.box(Rect(x, y + 1.5, 9, 6), "none", sheet.theme.line)
            sheet.text(x + 12, y, word, SMALL)
            x += extent
        y += 10
    for line in notes:
        sheet.text(EDGE, y, line, SMALL, colour=sheet.theme.faint)
        y += 9
    return sheet.figure


def _size(node: Node) -> str:
    return format_size(int(node.size_bytes))


def _finding(treemap: Treemap, node: Node) -> str:
    """The title: what is shown, and what has most of it."""
    tree = node.tree
    if node.index:
        parts = sorted(node.children, key=lambda child: (-child.size_bytes, child.index))
        what = f"{task_label(node)}: {_size(node)}"
        return f"{what}; its largest part is {_named(parts[0])}" if parts else what
    of = "of physical memory" if treemap.whole else "known"
    whole = f"{treemap.name}: {treemap.total_text} {of}"
    # A process that is part of a VMO has a tint; the process itself has those of its VMOs.
    sized = np.flatnonzero(
        (tree.kind == KINDS.index("process")) & (tree.tint < 0) & (tree.area > 0)
    )
    if not len(sized):
        return whole
    largest = Node(tree, int(sized[np.argmax(tree.area[sized])]))
    return f"{whole}; the largest process is {_named(largest)}"


def _named(node: Node) -> str:
    return f"{task_label(node)}, {_size(node)}"


def _caption(treemap: Treemap, node: Node, folded: bool) -> str:
    """What the tiles show: the node, and how its size differs from what is there."""
    caption = f"{task_label(node)} {_size(node)}"
    if not node.index and treemap.over_bytes:
        over = format_size(int(treemap.over_bytes))
        caption = f"{task_label(node)} {treemap.total_text} + {over} counted more than there is"
    return caption + (" (without free)" if folded else "")


def _first_level(tree: Tree, node: Node) -> tuple[Ints, bool]:
    """Nodes to draw, and whether free memory is left to the bar, being more than half of all."""
    first = int(tree.first_child[node.index])
    nodes = np.arange(first, first + int(tree.child_count[node.index]))
    if not len(nodes):
        return np.array([node.index]), False
    free = tree.tint[nodes] == list(TINTS).index("free")
    share = tree.area[nodes[free]].sum() / tree.area[node.index]
    return (nodes[~free], True) if 0.5 < share < 1 else (nodes, False)


def _bar(sheet: Sheet, tree: Tree, place: Rect) -> None:
    """All of physical memory to scale; what is mixed is drawn by its meanings."""
    x = place.x
    for node in tree.root.children:
        width = place.w * float(tree.area[node.index] / tree.area[0])
        segment = Rect(x, place.y, width, place.h)
        _blend(sheet, tree, node.index, segment)
        sheet.box(segment, "none", sheet.theme.line)
        words = f"{node.label} {_size(node)}"
        if width_of(words, SMALL) + 6 <= width:
            fill = sheet.fill(node.tint)
            sheet.text(x + 3, place.y + 3, words, SMALL, colour=text_on(fill), plate=fill)
        x += width


def _blend(sheet: Sheet, tree: Tree, node: int, place: Rect) -> None:
    x = place.x
    for tint, area in _tints(tree, node):
        width = place.w * area / float(tree.area[node])
        sheet.tinted(Rect(x, place.y, width, place.h), tint)
        x += width


def _tints(tree: Tree, node: int) -> list[tuple[str, float]]:
    """The meanings inside a node with their bytes, largest first."""
    below, level = [node], np.array([node])
    while len(level):
        count = tree.child_count[level]
        starts = np.repeat(tree.first_child[level] - (np.cumsum(count) - count), count)
        level = starts + np.arange(len(starts))
        below.extend(level.tolist())
    leaves = np.array(below)
    leaves = leaves[tree.child_count[leaves] == 0]
    sums = np.bincount(tree.tint[leaves] + 1, tree.area[leaves], minlength=len(TINTS) + 1)[1:]
    order = np.argsort(-sums, kind="stable")
    return [(list(TINTS)[code], float(sums[code])) for code in order.tolist() if sums[code] > 0]


def _tile(sheet: Sheet, tree: Tree, tile: Tile, top: float) -> None:
    place = replace(tile.place, y=tile.place.y + top)
    index = tile.nodes[0]
    node = Node(tree, index)
    tint = "other" if tile.merged else node.tint
    size = format_size(int(sum(Node(tree, each).size_bytes for each in tile.nodes)))
    name = f"others ({len(tile.nodes)})" if tile.merged else node.label
    if tile.opened:
        sheet.box(place, sheet.theme.surface, sheet.theme.line)
        if tile.header:
            _header(sheet, place, name, size)
        return
    if tint:
        sheet.tinted(place, tint)
    else:
        _blend(sheet, tree, index, place)
    marked = not tile.merged and bool(tree.marked[index])
    sheet.box(place, "none", sheet.fill("twice" if marked else ""), 1.0 if marked else 0.5)
    if place.h < 10 or place.w < 18:
        return
    fill = sheet.fill(tint)
    label = fitted(name, place.w - 5, SMALL, "bold")
    if not label:
        return
    sheet.text(
        place.x + 2.5, place.y + 2, label, SMALL, weight="bold", colour=text_on(fill), plate=fill
    )
    if place.h >= 19 and width_of(size, SMALL) <= place.w - 5:
        sheet.text(place.x + 2.5, place.y + 10, size, SMALL, colour=text_on(fill), plate=fill)


def _header(sheet: Sheet, place: Rect, name: str, size: str) -> None:
    extent = width_of(size, SMALL) + 6
    beside = place.w - extent - 5 >= 24
    label = fitted(name, place.w - (extent if beside else 0) - 4, SMALL, "bold")
    sheet.text(place.x + 2.5, place.y + 1.5, label, SMALL, weight="bold")
    if beside:
        sheet.text(place.x + place.w - 2.5, place.y + 1.5, size, SMALL, right=True)


def _legend_lines(
    treemap: Treemap, node: Node, tiles: list[Tile], room: float
) -> list[list[tuple[str, str, float]]]:
    """The tints in the picture, in the palette's order, as lines that fit."""
    tree = treemap.tree
    used = {tint for tint, _ in (*_tints(tree, 0), *_tints(tree, node.index))}
    if tree.marked.any():
        used.add("twice")
    if any(tile.merged for tile in tiles):
        used.add("other")
    lines: list[list[tuple[str, str, float]]] = [[]]
    x = 0.0
    for tint in (name for name in TINTS if name in used):
        extent = width_of(TINTS[tint].word, SMALL) + 22
        if x + extent > room and lines[-1]:
            lines.append([])
            x = 0.0
        lines[-1].append((tint, TINTS[tint].word, extent))
        x += extent
    return lines

"""The layout of a picture: squarified levels, nothing lost, positions that stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from accounting.tiny import Vmo, machine
from support.random_snapshots import random_machine

import magmem
from magmem.treemap.layout import Frame, Rect, Tile, plan
from magmem.treemap.tree import Tree

STAGE = Rect(0, 0, 800, 500)
FRAME = Frame(header=18, gap=2, least_area=64, most_tiles=5000)


def first_level(tree: Tree) -> np.ndarray:
    """The root's children."""
    first = int(tree.first_child[0])
    return np.arange(first, first + int(tree.child_count[0]))


def leaves(tree: Tree, node: int) -> set[int]:
    """Leaves below a node that have a size."""
    if not tree.child_count[node]:
        return {node} if tree.area[node] > 0 else set()
    first = int(tree.first_child[node])
    children = range(first, first + int(tree.child_count[node]))
    return set().union(*(leaves(tree, child) for child in children))


def drawn(tree: Tree, tiles: list[Tile]) -> list[int]:
    """Leaves behind all tiles that are not opened, with repeats."""
    shut = (tile for tile in tiles if not tile.opened)
    return [leaf for tile in shut for node in tile.nodes for leaf in leaves(tree, node)]


@pytest.mark.parametrize(
    "frame", [FRAME, replace(FRAME, least_area=5000), replace(FRAME, most_tiles=9)]
)
@pytest.mark.parametrize("seed", range(4))
def test_every_byte_is_on_the_picture_once(seed: int, frame: Frame) -> None:
    """However little room there is, each leaf with a size stands behind exactly one tile."""
    tree = magmem.treemap(random_machine(seed, islands=6)).tree
    found = drawn(tree, plan(tree, first_level(tree), STAGE, frame))
    assert sorted(found) == sorted(leaves(tree, 0))


def test_areas_of_a_level_are_in_proportion() -> None:
    """On the first level the areas of tiles are as their sizes."""
    tree = magmem.treemap(random_machine(2, islands=6)).tree
    tiles = plan(tree, first_level(tree), STAGE, FRAME)
    total = tree.area[0]
    for tile in (tile for tile in tiles if tree.parent[tile.nodes[0]] == 0):
        part = sum(tree.area[node] for node in tile.nodes) / total
        assert tile.place.area == pytest.approx(part * STAGE.area)


def test_no_more_tiles_than_allowed() -> None:
    """A level of many equal nodes is cut to the largest allowed number and one others."""
    vmos = {f"v{n}": Vmo(1) for n in range(300)}
    tree = magmem.treemap(machine(vmos, {"a": list(vmos)})).tree
    process = tree.find(101)
    nodes = np.array([child.index for child in process.children])
    tiles = plan(tree, nodes, STAGE, replace(FRAME, least_area=0, most_tiles=50))
    assert len(tiles) == 50
    assert [tile.merged for tile in tiles] == [False] * 49 + [True]
    assert len(tiles[-1].nodes) == 300 - 49


def test_a_level_of_zeros_and_an_empty_level_draw_nothing() -> None:
    """Squarify never meets a zero."""
    tree = magmem.treemap(machine({"v": Vmo(3, []), "w": Vmo(1)}, {"a": ["v"]})).tree
    assert plan(tree, np.array([tree.find(101).index]), STAGE, FRAME) == []
    assert plan(tree, np.zeros(0, np.int64), STAGE, FRAME) == []


def test_a_single_tile_fills_the_stage() -> None:
    """One node has all of the room."""
    tree = magmem.treemap(machine({"v": Vmo(3)}, {"a": ["v"]})).tree
    (tile,) = plan(tree, np.array([tree.find(1001).index]), STAGE, FRAME)
    assert tile.place == STAGE


def test_tiles_stay_where_they_are_when_values_change_a_little() -> None:
    """Every VMO grows or shrinks by up to 1 %: nine of ten tiles move by less than 12 pixels."""
    rng = np.random.default_rng(3)
    pages = rng.integers(1000, 40_000, 60)
    changed = (pages * (1 + rng.uniform(-0.01, 0.01, 60))).astype(int)
    places = []
    for sizes in (pages, changed):
        vmos = {f"v{n}": Vmo(int(size), range(0)) for n, size in enumerate(sizes)}
        snap = machine(vmos, {f"p{n}": [f"v{m}" for m in range(n, 60, 6)] for n in range(6)})
        runs = {"vmo": range(60), "first_page": [0] * 60, "page_count": sizes.tolist()}
        tables = snap.tables() | {"pages": runs, "kmem": {}}
        grown = magmem.Snapshot.of(tables, coverage=dict(snap.coverage), root_job_koid=1)
        tree = magmem.treemap(grown).tree
        tiles = plan(tree, first_level(tree), STAGE, FRAME)
        found = {int(tree.vmo[t.nodes[0]]): t.place for t in tiles if not t.merged}
        places.append({vmo: place for vmo, place in found.items() if vmo >= 0})
    before, after = places
    moved = [
        max(abs(before[vmo].x - after[vmo].x), abs(before[vmo].y - after[vmo].y))
        for vmo in before.keys() & after.keys()
    ]
    assert len(moved) >= 55
    assert np.quantile(moved, 0.9) < 12

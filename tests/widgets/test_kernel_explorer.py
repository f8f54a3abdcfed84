"""The kernel explorer: kstats that sum to the total; what handles, objects, mappings cost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import traitlets
from magmem_widgets import KernelExplorer
from magmem_widgets.kernel import KINDS, PLACEMENTS

from magmem.sim.heap import HEAP_BYTES

STATES: list[dict[str, Any]] = [
    {},
    {"handles": 1500},
    {"objects": 400},
    *({"objects": 250, "kind": kind} for kind in KINDS),
    *({"mappings": 64, "placement": placement} for placement in PLACEMENTS),
    {"handles": 1500, "objects": 400, "kind": "socket", "mappings": 64},
]


@pytest.mark.parametrize("state", STATES, ids=str)
def test_columns_sum_to_the_total(state: dict[str, Any]) -> None:
    """free, VMOs, kheap, kfree, wired, mmu and other are all of physical memory, to the byte."""
    explorer = KernelExplorer(**state)
    assert sum(size for _, size, _, _ in explorer.columns()) == 16 << 20
    pages = [count for _, counts in explorer.costs().arenas for _, count in counts]
    assert sum(pages) * 4096 == 16 << 20


def test_a_handle_costs_56_bytes_of_the_arena() -> None:
    """Each handle commits 16 bytes of control and 40 of data, in whole pages; no heap."""
    explorer = KernelExplorer(handles=1500)
    count = explorer.costs().handles
    assert count == explorer.before().handles + 1500
    assert explorer.costs().arena_bytes == (-(-count * 16 // 4096) - (-count * 40 // 4096)) * 4096
    assert explorer.costs().heap_bytes == explorer.before().heap_bytes


@pytest.mark.parametrize(
    ("kind", "each"),
    [
        ("event", HEAP_BYTES["event"]),
        ("channel", 2 * HEAP_BYTES["channel"]),
        ("socket", 2 * HEAP_BYTES["socket"]),
        ("vmo", HEAP_BYTES["paged vmo"] + HEAP_BYTES["vmo dispatcher"]),
    ],
)
def test_an_object_costs_its_bytes_of_heap(kind: str, each: int) -> None:
    """Heap in use grows by the objects' sizes; pairs count twice."""
    explorer = KernelExplorer(objects=100, kind=kind)
    assert explorer.costs().heap_bytes - explorer.before().heap_bytes == 100 * each


def test_scattered_mappings_cost_more_tables_than_compact_ones() -> None:
    """64 pages side by side share their tables; scattered ones need up to three each."""
    explorer = KernelExplorer(mappings=64, placement="compact")
    compact = explorer.costs().table_pages
    assert compact < 10
    explorer.act("place scattered")
    assert explorer.placement == "scattered"
    assert 64 * 2 < explorer.costs().table_pages <= 1 + 64 * 3
    assert f"(compact: {compact})" in explorer.sentence()
    grown = {name: size - before for name, size, before, _ in explorer.columns()}
    assert grown["mmu"] == (explorer.costs().table_pages - 1) * 4096
    assert grown["VMOs"] == 0, "the pages were committed before; mapping them commits none"


def test_each_bar_begins_where_the_last_ended() -> None:
    """The kstats bars are one stack, as wide as all of memory."""
    explorer = KernelExplorer(handles=500, objects=100)
    tips = tuple(f"{name}: " for name, *_ in explorer.columns())
    bars = [mark for mark in explorer.scene().marks if mark.tip.endswith("of all memory")]
    assert [bar.tip.startswith(tip) for bar, tip in zip(bars, tips, strict=True)] == [True] * 7
    for one, other in pairwise(bars):
        assert one.x + one.width == pytest.approx(other.x)
    assert sum(bar.width for bar in bars) == pytest.approx(220)


@pytest.mark.parametrize("state", STATES, ids=str)
def test_every_state_fits_the_sheet(state: dict[str, Any]) -> None:
    """Every mark lies on the sheet, whose size never changes; what acts has words."""
    scene = KernelExplorer(**state).scene()
    assert (scene.width, scene.height) == (760, 396)
    for mark in scene.marks:
        assert 0 <= mark.x <= mark.x + mark.width <= 760
        assert 0 <= mark.y <= mark.y + mark.height <= 396
        assert mark.tip or not mark.act


def test_controls_follow_and_are_few() -> None:
    """Controls are linked to the traits; no more than seven; a wrong state is refused."""
    explorer = KernelExplorer(objects=20)
    handles, objects, kind = explorer.children[0].children
    assert objects.value == 20
    handles.value = 250
    kind.value = "socket"
    assert (explorer.handles, explorer.kind) == (250, "socket")
    assert sum(len(box.children) for box in explorer.children[:-1]) <= 7
    with pytest.raises(traitlets.TraitError):
        explorer.handles = -1
    assert explorer.view.sentence == explorer.sentence()


def test_summary_is_deterministic() -> None:
    """The text a notebook compares has every column of kstats, and the sentence."""
    lines = KernelExplorer(handles=100).summary().splitlines()
    assert lines[0] == "100 handles, 0 objects of kind event, 0 scattered mappings"
    assert [line.split()[0] for line in lines[2:10]] == (
        ["free", "VMOs", "kheap", "kfree", "wired", "mmu", "other", "total"]
    )
    assert lines[10].startswith("102 handles, 2 of them the machine's own, need 8k of arena")
    assert lines == KernelExplorer(handles=100).summary().splitlines()


def test_still_form() -> None:
    """A saved notebook has the picture and the text."""
    data, _ = KernelExplorer()._repr_mimebundle_()
    assert data["image/png"]
    assert data["text/plain"].startswith("0 handles")

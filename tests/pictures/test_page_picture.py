"""The page picture: who reaches each page of a VMO, said in words and drawn."""

from __future__ import annotations

import pytest

import magmem
from magmem.errors import MissingData
from magmem.pictures import picture
from magmem.snapshot import Snapshot

PAGE = 4096


def machine(vmos: list[dict[str, object]], mappings: list[tuple[int, int, int, int]]) -> Snapshot:
    """Processes 11 (A) and 12 (B) under job 1; mappings are (aspace, vmo, first page, pages)."""
    names = ("size_pages", "committed", "parent", "offset_pages")
    sizes, runs, parents, offsets = (
        [v.get(n, d) for v in vmos] for n, d in zip(names, (4, [], None, 0), strict=True)
    )
    ordered = sorted(mappings)
    pages = [(row, *run) for row, found in enumerate(runs) for run in found]
    return Snapshot.of(
        {
            "tasks": {
                "koid": [1, 11, 12],
                "kind": ["job", "process", "process"],
                "parent_koid": [None, 1, 1],
                "name": ["root", "A", "B"],
            },
            "aspaces": {"kind": ["user", "user"], "process_koid": [11, 12]},
            "vmos": {
                "id": [f"v{row}" for row in range(len(vmos))],
                "koid": [100 + row for row in range(len(vmos))],
                "name": [v.get("name", "") for v in vmos],
                "size_bytes": [size * PAGE for size in sizes],
                "parent": parents,
                "parent_offset_bytes": [offset * PAGE for offset in offsets],
                "pages_known": [True] * len(vmos),
            },
            "pages": dict(
                zip(("vmo", "first_page", "page_count"), zip(*pages, strict=True), strict=True)
            )
            if pages
            else {},
            "regions": {
                "aspace": [a for a, *_ in ordered],
                "depth": [1] * len(ordered),
                "kind": ["mapping"] * len(ordered),
                "vmo": [v for _, v, *_ in ordered],
                "vmo_offset_bytes": [first * PAGE for *_, first, _ in ordered],
                "size_bytes": [count * PAGE for *_, count in ordered],
                "perms": ["rw-"] * len(ordered),
            },
            "handles": {
                "process_koid": [11 for v in vmos if v.get("held")],
                "type": ["vmo" for v in vmos if v.get("held")],
                "vmo": [row for row, v in enumerate(vmos) if v.get("held")],
            },
        },
        coverage={"pages": "complete"},
    )


def said(snap: Snapshot, vmo: int = 0) -> list[tuple[int, int, str]]:
    """First page, pages and tint of each run of one VMO's picture."""
    df = picture(snap, 100 + vmo).df
    return list(zip(df["first_page"], df["page_count"], df["tint"], strict=True))


def test_disjoint_halves_are_private() -> None:
    """Worked case 3: A and B map disjoint halves of one VMO; each page has one sharer."""
    snap = machine([{"size_pages": 8, "committed": [(0, 8)]}], [(0, 0, 0, 4), (1, 0, 4, 4)])
    assert said(snap) == [(0, 4, "private"), (4, 4, "private")]
    assert "pages 0-3: private to A" in str(picture(snap, 100))


def test_overlap_is_shared_only_where_it_is() -> None:
    """A page is shared if two address spaces map it, however often one of them does."""
    snap = machine(
        [{"size_pages": 4, "committed": [(0, 3)]}], [(0, 0, 0, 2), (0, 0, 0, 2), (1, 0, 1, 3)]
    )
    assert said(snap) == [(0, 1, "private"), (1, 1, "shared"), (2, 1, "private"), (3, 1, "none")]


def test_clone_sees_what_it_has_not_copied() -> None:
    """Worked case 4: the parent's page that the clone has copied is hidden, the others are A's."""
    snap = machine([{"committed": [(0, 4)]}, {"committed": [(1, 1)], "parent": 0}], [(0, 1, 0, 4)])
    assert said(snap) == [(0, 1, "private"), (1, 1, "hidden_kernel"), (2, 2, "private")]
    assert said(snap, 1) == [(0, 1, "none"), (1, 1, "private"), (2, 2, "none")]
    assert "page 0: mapped rw- by A, through a clone" in str(picture(snap, 100))


def test_clone_at_an_offset_shifts_the_pages() -> None:
    """Page i of the clone is page offset + i of the parent, and only within both sizes."""
    snap = machine(
        [
            {"size_pages": 4, "committed": [(0, 4)]},
            {"size_pages": 9, "parent": 0, "offset_pages": 2},
        ],
        [(0, 1, 0, 9)],
    )
    assert said(snap) == [(0, 2, "hidden_kernel"), (2, 2, "private")]


def test_handle_without_mapping_is_hidden() -> None:
    """Worked case 5: pages that only a handle shows are hidden, by whom is said."""
    snap = machine([{"committed": [(0, 2)], "held": True}], [])
    assert said(snap) == [(0, 2, "hidden_handle"), (2, 2, "none")]
    assert "hidden: only a handle, of A" in str(picture(snap, 100))


def test_names_stand_for_every_vmo_of_that_name() -> None:
    """A name chooses all its VMOs; an unknown one is an error that names it."""
    snap = machine([{"name": "heap", "committed": [(0, 1)]}, {"name": "heap"}], [])
    assert [row.koid for row in picture(snap, "heap").rows] == [100, 101]
    assert [row.koid for row in picture(snap).rows] == [100]
    with pytest.raises(LookupError, match="no VMO with name 'stack'"):
        picture(snap, "stack")


def test_unknown_pages_are_not_drawn_as_none() -> None:
    """A capture without page runs has no page picture, and says what it lacks."""
    with pytest.raises(MissingData, match="no page runs: picture needs"):
        picture(magmem.read_capture("guide-vmaps"))


@pytest.mark.parametrize("dark", [False, True])
def test_figure_draws_every_row_and_process(dark: bool) -> None:
    """The figure is at least 12 cm wide and carries each VMO's label and each process's name."""
    snap = machine(
        [{"name": "heap", "size_pages": 900, "committed": [(3, 700)]}, {"name": "<b>&"}],
        [(0, 0, 0, 900), (1, 0, 5, 10), (1, 1, 0, 4)],
    )
    figure = picture(snap, [100, 101]).figure(dark=dark)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"A", "B", "688 pages"} <= set(texts)
    assert any(text.startswith("heap, koid 100: 3600k, 2800k committed") for text in texts)
    assert figure.get_size_inches()[0] * 2.54 >= 12


def test_figure_says_what_it_leaves_out() -> None:
    """Eight mappings of the same pages are drawn as bars; of ten, two are told in words."""
    vmos = [{"committed": [(0, 4)]}]
    for mappings, told in ((8, []), (9, ["and 1 more mapping"]), (10, ["and 2 more mappings"])):
        figure = picture(machine(vmos, [(0, 0, 0, 4)] * mappings)).figure()
        words = [text.get_text() for text in figure.axes[0].texts]
        assert sum(word == "rw- A" for word in words) == min(mappings, 8)
        assert [word for word in words if word.startswith("and ")] == told

"""The PSS explorer: its numbers are the rules', its state its traits, its text deterministic."""

from __future__ import annotations

import pytest
import traitlets
from magmem_widgets import PssExplorer


def marks(explorer: PssExplorer, kind: str) -> list[dict[str, object]]:
    """The marks of a kind in what the view was sent."""
    return [mark for mark in explorer.view.scene["marks"] if mark["k"] == kind]


def test_worked_case_one() -> None:
    """Four share one page: 1024 each; two share another: 2048 more for each of those."""
    explorer = PssExplorer()
    table = explorer.numbers()
    assert table["pss_bytes"].tolist() == [1024 + 2048, 1024 + 2048, 1024, 1024]
    assert table["private_bytes"].tolist() == [0, 0, 0, 0]
    assert "just what is mapped" in explorer.sentence()


def test_one_vmo_for_all_divides_by_too_many() -> None:
    """#shr belongs to the VMO: page 1 has 2 sharers, but magenta-2017 divides it by 4."""
    explorer = PssExplorer(vmos="one VMO for all")
    assert explorer.numbers()["pss_bytes"].tolist() == [2048, 2048, 1024, 1024]
    assert "2,048 less than the 8,192" in explorer.sentence()
    explorer.rule = "exact"
    assert explorer.numbers()["pss_bytes"].tolist() == [3072, 3072, 1024, 1024]


def test_click_toggles_a_mapping_and_updates_the_view() -> None:
    """A click on a cell maps or unmaps that page, and the scene and sentence follow."""
    explorer = PssExplorer()
    explorer.view._handle_custom_msg({"act": "toggle 1 2"}, [])
    assert (1, 2) in explorer.shared
    assert [m["s"] for m in marks(explorer, "r")].count("1/3") == 3
    explorer.act("toggle 1 2")
    assert (1, 2) not in explorer.shared
    assert explorer.view.sentence == explorer.sentence()


def test_every_cell_can_be_reached() -> None:
    """One clickable cell per page and process, each with words for a screen reader."""
    explorer = PssExplorer(pages=3, processes=5)
    cells = [mark for mark in marks(explorer, "r") if "act" in mark]
    assert len(cells) == 3 * 5
    assert all(mark["tip"] for mark in cells)


def test_controls_and_traits_follow_each_other() -> None:
    """Sliders set the traits, and traits set in Python move the sliders."""
    explorer = PssExplorer()
    slider = explorer.children[0].children[0]
    slider.value = 5
    assert explorer.pages == 5
    explorer.pages = 7
    assert slider.value == 7
    assert sum(len(box.children) for box in explorer.children[:-1]) <= 7


def test_nothing_jumps() -> None:
    """The sheet has one size, whatever the state."""
    sizes = set()
    for pages in (1, 8):
        explorer = PssExplorer(pages=pages, processes=pages)
        sizes.add((explorer.view.scene["width"], explorer.view.scene["height"]))
    assert len(sizes) == 1


def test_wrong_state_is_refused() -> None:
    """Traits say what they expected, and keep what they had."""
    explorer = PssExplorer()
    with pytest.raises(traitlets.TraitError, match="found page 9 of process 0"):
        explorer.shared = {(9, 0)}
    with pytest.raises(traitlets.TraitError):
        explorer.pages = 99
    assert explorer.pages == 2


def test_summary_says_the_picture_in_words() -> None:
    """The text that notebooks compare has every page, every process and the sum."""
    text = PssExplorer(pages=1, processes=2, shared={(0, 0), (0, 1)}).summary()
    last = "PSS of A is 2,048 bytes for the 1 page it maps."
    assert text.splitlines() == [
        "1 page in one VMO each, 2 processes, rule magenta-2017",
        "page 0: shared by 2 processes",
        "PROCESS  PRIVATE   SHARED      PSS",
        "A              0    4,096    2,048",
        "B              0    4,096    2,048",
        f"{last} All PSS together are 4,096 bytes: just",
        "what is mapped.",
    ]


def test_each_cell_tells_the_part_that_the_rule_charges() -> None:
    """In one VMO for all, magenta-2017 divides page 1 by 4, though 2 map it; exact by those 2."""
    explorer = PssExplorer(vmos="one VMO for all")
    assert [mark["s"] for mark in marks(explorer, "r") if mark["s"]] == ["1/4"] * 6
    explorer.rule = "exact"
    assert [mark["s"] for mark in marks(explorer, "r") if mark["s"]] == ["1/4"] * 4 + ["1/2"] * 2


def test_notebook_keeps_text_and_picture() -> None:
    """Where no kernel runs, a saved notebook shows the still form and the summary."""
    data, _ = PssExplorer()._repr_mimebundle_()
    assert data["text/plain"].startswith("2 pages in one VMO each")
    assert data["image/png"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_closing_leaves_no_comm() -> None:
    """Disposing closes the comms of the explorer and of everything in it."""
    explorer = PssExplorer()
    parts = [explorer, explorer.view, *explorer.children, *explorer.children[0].children]
    explorer.close()
    assert all(part.comm is None for part in parts)


def test_bars_tell_private_from_shared() -> None:
    """The bar of what is mapped, and that of the sum of PSS, have a private and a shared part."""
    explorer = PssExplorer(pages=2, processes=2, shared=frozenset({(0, 0), (1, 0), (1, 1)}))
    tips = [str(mark["tip"]) for mark in marks(explorer, "r") if "bytes" in str(mark.get("tip"))]
    assert tips == [
        "Σ PSS: 8,192 bytes, of it 4,096 private",
        "Σ PSS: 8,192 bytes, of it 4,096 shared",
        "mapped: 8,192 bytes, of it 4,096 private",
        "mapped: 8,192 bytes, of it 4,096 shared",
    ]
    heights = [mark["h"] for mark in marks(explorer, "r") if "bytes" in str(mark.get("tip"))]
    assert heights == [160.0] * 4

"""The multiply-mapped laboratory: the ledger's causes lead from reported to exact, byte by byte."""

from __future__ import annotations

from fractions import Fraction

import pytest
import traitlets
from magmem_widgets import MultiplyMappedLab

import magmem

K = 1024


def rects(lab: MultiplyMappedLab, tint: str) -> list[dict[str, object]]:
    """The rectangles of a tint in what the view was sent."""
    marks = lab.view.scene["marks"]
    return [mark for mark in marks if mark["k"] == "r" and mark["t"] == tint]


def test_two_errors_may_cancel() -> None:
    """Two windows each, half overlapping: what ps counts twice is just what it divides away."""
    lab = MultiplyMappedLab()
    assert dict(lab.way()) == {
        "reported": 2 * (2 * 4 * 4 * K) // 2,
        "rounding": 0,
        "duplicate mappings": -2 * (2 * 4 * K) // 2,
        "partial sharing": 2 * 4 * K,
        "clones": 0,
        "exact": 8 * 4 * K,
    }
    assert lab.sentence() == (
        "All PSS together: ps reports 32,768 bytes, exact are 32,768: "
        "duplicate mappings -8,192, partial sharing +8,192."
    )


def test_one_process_pays_for_every_mapping() -> None:
    """Four mappings of the same four pages: ps reports them four times, they are there once."""
    lab = MultiplyMappedLab(processes=1, mappings=4, overlap=4)
    way = dict(lab.way())
    assert (way["reported"], way["exact"]) == (4 * 16 * K, 16 * K)
    assert way["duplicate mappings"] == -3 * 16 * K
    assert len(rects(lab, "twice")) == 3 + 1, "three bars, and the step of the waterfall"


@pytest.mark.parametrize("clone", [False, True])
@pytest.mark.parametrize("overlap", [0, 3, 4])
def test_causes_explain_everything(overlap: int, clone: bool) -> None:
    """Reported and the causes make exact, and all exact PSS are the pages there are."""
    lab = MultiplyMappedLab(mappings=3, processes=4, overlap=overlap, clone=clone, written=3)
    for chosen in ("", "A", "D"):
        lab.chosen = chosen
        *steps, (_, exact) = lab.way()
        assert sum((size for _, size in steps), Fraction(0)) == exact
    lab.chosen = ""
    pages = 4 + (3 - 1 + 4 - 1) * (4 - overlap) + 3 * clone
    assert dict(lab.way())["exact"] == pages * 4 * K
    table = lab.numbers()
    assert not table[["not_running_bytes", "sharer_estimate_bytes"]].any(axis=None)


def test_the_ledger_says_the_same() -> None:
    """The numbers are those of `magmem.account` on the machine that is shown."""
    lab = MultiplyMappedLab(processes=3, clone=True)
    reported = magmem.account(lab.snapshot(), "magenta-2017").df["pss_bytes"].tolist()
    exact = magmem.account(lab.snapshot(), "exact").df["pss_bytes"].tolist()
    assert lab.numbers()["reported_bytes"].tolist() == reported
    assert lab.numbers()["exact_bytes"].tolist() == exact


def test_a_clone_pays_nothing_for_what_it_sees_through() -> None:
    """A clone is charged by ps only for its own copies, exact also for its part of the parent's."""
    lab = MultiplyMappedLab(processes=1, mappings=1, clone=True, written=1, chosen="child")
    way = dict(lab.way())
    assert way["reported"] == 4 * K
    assert way["clones"] == 3 * 4 * K // 2
    lab.written = 4
    assert dict(lab.way())["clones"] == 0


def test_click_chooses_a_process() -> None:
    """A click on a name shows its way, a second click everybody's."""
    lab = MultiplyMappedLab()
    lab.view._handle_custom_msg({"act": "choose B"}, [])
    assert lab.chosen == "B"
    assert lab.view.sentence.startswith("PSS of B: ps reports 16,384 bytes")
    assert [mark["s"] for mark in lab.view.scene["marks"] if mark.get("ring")] == ["B"]
    lab.act("choose B")
    assert lab.chosen == ""


def test_a_chosen_process_may_go() -> None:
    """Fewer processes than the chosen one: a message, and the picture stays until it is back."""
    lab = MultiplyMappedLab(chosen="B")
    before = lab.view.scene
    lab.processes = 1
    assert lab.view.is_error
    assert lab.view.sentence == "expected one of A, found 'B'"
    assert lab.view.scene == before
    lab.processes = 2
    assert not lab.view.is_error


def test_controls_and_traits_follow_each_other() -> None:
    """Sliders set the traits and follow them; without a clone nothing can be written."""
    lab = MultiplyMappedLab()
    mappings = lab.children[0].children[0]
    clone, written = lab.children[1].children
    mappings.value = 4
    assert lab.mappings == 4
    assert written.disabled
    clone.value = True
    assert lab.clone
    assert not written.disabled
    assert sum(len(box.children) for box in lab.children[:-1]) <= 7
    with pytest.raises(traitlets.TraitError):
        lab.overlap = 5


def test_everything_stays_on_the_sheet() -> None:
    """The sheet has one size, and at the extremes every mark is on it."""
    sizes = set()
    for mappings, processes, overlap in ((1, 1, 4), (4, 4, 0), (4, 4, 4)):
        lab = MultiplyMappedLab(
            mappings=mappings, processes=processes, overlap=overlap, clone=True, written=4
        )
        scene = lab.view.scene
        sizes.add((scene["width"], scene["height"]))
        for mark in scene["marks"]:
            assert 0 <= mark["x"] <= scene["width"] - max(mark["w"], 0)
            assert 0 <= mark["y"] <= scene["height"] - max(mark["h"], 0)
    assert len(sizes) == 1


def test_summary_and_still_form() -> None:
    """The text has every process and every cause; the still form is stored beside it."""
    lab = MultiplyMappedLab(processes=1, mappings=2, overlap=4)
    assert lab.summary().splitlines() == [
        "1 process with 2 mappings of 4 pages each, overlap 4, no clone",
        "PROCESS  REPORTED  ROUNDING  DUPLICATE   PARTIAL    CLONES     EXACT",
        "A          32,768         0    -16,384         0         0    16,384",
        "All PSS together: ps reports 32,768 bytes, exact are 16,384: duplicate mappings -16,384.",
    ]
    data, _ = lab._repr_mimebundle_()
    assert data["text/plain"] == lab.summary()
    assert data["image/png"]

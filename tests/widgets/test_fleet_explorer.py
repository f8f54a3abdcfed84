"""The fleet explorer: questions, a ranking, panels over builds, and the machine below."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from magmem_widgets import FleetExplorer, MachineExplorer

import magmem
from magmem.fleet import Fleet


@pytest.fixture(scope="module")
def lab() -> Fleet:
    """Six devices, three builds, two hours."""
    fleet = magmem.fleet("memory://explored")
    fleet.add(magmem.scenarios.fleet(devices=6, builds=3, hours=3))
    return fleet


@pytest.fixture
def explorer(lab: Fleet) -> Iterator[FleetExplorer]:
    """One on the newest build."""
    made = FleetExplorer(lab)
    yield made
    made.close()


def test_the_planted_cause_comes_first(explorer: FleetExplorer) -> None:
    """Each question's first row is the one that was planted, in words and in the scene."""
    assert explorer.summary().splitlines()[1].endswith("  netstack")
    assert "netstack +" in explorer.sentence()
    explorer.question = "leaks"
    assert explorer.summary().splitlines()[1].split() == ["+256k/h", "lab-02", "2026.04"]
    explorer.question = "outliers"
    assert explorer.machine == ""


@pytest.mark.parametrize("question", FleetExplorer.question.values)
def test_every_question_is_drawn_and_saved(explorer: FleetExplorer, question: str) -> None:
    """A tab has marks on the sheet, a summary, a still form, and its rows as CSV."""
    explorer.question = question
    assert not explorer.view.is_error, explorer.view.sentence
    scene = explorer.scene()
    assert all(0 <= mark.x <= scene.width and mark.y <= scene.height for mark in scene.marks)
    assert len(explorer.panels()) == 3
    assert explorer.csv().count("\n") == len(explorer.answer.df) + 1
    assert explorer.figure(dark=True)._repr_png_().startswith(b"\x89PNG")


def test_a_row_leads_to_builds_and_a_bar_to_its_machine(explorer: FleetExplorer) -> None:
    """Choosing a process draws it; a bar opens the capture; a second click closes it."""
    row = explorer.summary().splitlines()
    explorer.act("row 1")
    assert explorer.selected == row[2].split()[-1]
    assert explorer.selected in explorer._panels_title()
    capture = explorer.panels()[0].bars[0][2]
    explorer.act(f"machine {capture}")
    (below,) = explorer._below.children
    assert isinstance(below, MachineExplorer)
    assert capture[:12] in explorer.sentence()
    explorer.act(f"machine {capture}")
    assert explorer._below.children == ()


def test_wrong_builds_are_said_and_nothing_breaks(explorer: FleetExplorer) -> None:
    """A build that is not in the fleet is named in the sentence; the picture stays."""
    explorer.since_build = "1999"
    assert explorer.view.is_error
    assert "2026.04" in explorer.view.sentence
    explorer.since_build = "2026.05"
    assert not explorer.view.is_error

"""What `make lab` leaves on disk and in the page: pictures where no kernel runs, and no comm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page
from support.lab import Lab, save, show, summary

pytestmark = pytest.mark.browser
EXPLORERS = (
    "from magmem_widgets import PssExplorer\nPssExplorer(pages=4)",
    "from magmem_widgets import HiddenVmoExplorer\nHiddenVmoExplorer()",
)


def test_saved_explorers_leave_their_picture(page: Page, lab: Lab) -> None:
    """A notebook saved with explorers and opened without a kernel shows their still forms."""
    show(page, lab, "gone", *EXPLORERS)
    save(page, lab, "gone.ipynb")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.goto("about:blank")
    page.goto(lab.url("gone.ipynb"))
    pictures = page.locator(".jp-OutputArea-output img")
    pictures.nth(1).wait_for()
    assert pictures.count() == len(EXPLORERS)
    for number in range(len(EXPLORERS)):
        box = pictures.nth(number).bounding_box()
        assert box is not None
        assert box["width"] > 500
    assert "model not found" not in page.locator(".jp-Notebook").inner_text()


def test_other_widgets_are_saved_as_they_are(page: Page, lab: Lab) -> None:
    """Only a view with a still form beside it is taken out; a plain slider's stays."""
    show(page, lab, "slider", "import ipywidgets\nipywidgets.IntSlider()", ready=".widget-slider")
    cells = json.loads(Path(save(page, lab, "slider.ipynb")).read_text())["cells"]
    assert "application/vnd.jupyter.widget-view+json" in cells[0]["outputs"][0]["data"]


def test_closing_many_explorers_leaves_no_comm(page: Page, lab: Lab) -> None:
    """Ten explorers in one notebook: `close` takes each off the page and ends all its comms."""
    start = (
        "import comm\n"
        "from magmem_widgets import HiddenVmoExplorer, PssExplorer\n"
        "many = [PssExplorer() for _ in range(5)] + [HiddenVmoExplorer() for _ in range(5)]\n"
        "display(*many)\n"
        "there = len(comm.get_comm_manager().comms)"
    )
    end = (
        "if page_is_ready:\n"
        "    for explorer in many:\n"
        "        explorer.close()\n"
        "print(there, len(comm.get_comm_manager().comms))"
    )
    show(page, lab, "many", f"page_is_ready = False\n{start}", end)
    shown = page.locator(".mx-explorer")
    shown.nth(9).wait_for()
    there, now = summary(page).split()
    assert int(there) == int(now) > 100
    page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        ".requestExecute({ code: 'page_is_ready = True' }).done"
    )
    assert summary(page).split() == [there, "0"]
    page.wait_for_function("document.querySelectorAll('.mx-explorer').length === 0")

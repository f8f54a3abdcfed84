"""The course in a real JupyterLab: nothing stands between the user and the first cell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from support.lab import ROOT, Lab, model, open_notebook, outputs, run_all, running_lab

pytestmark = pytest.mark.browser
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all notebooks."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def test_first_cell_is_free_of_dialogs(page: Page, lab: Lab) -> None:
    """As `make lab` sets it up, JupyterLab asks nothing: no kernel choice, no news, no warning."""
    open_notebook(page, lab, "00-start-here.ipynb")
    page.wait_for_timeout(3000)  # news and update notices come late
    assert page.locator(".jp-Dialog").count() == 0
    assert page.locator(".Toastify__toast").count() == 0
    assert page.locator(".jp-Notification-Status.jp-mod-unread").count() == 0


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_runs_without_error(page: Page, lab: Lab, notebook: str) -> None:
    """Run All Cells ends with no error output, nothing on stderr, no console exception."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    open_notebook(page, lab, notebook)
    run_all(page)
    assert [o for o in outputs(page) if o["output_type"] == "error"] == []
    assert [o for o in outputs(page) if o.get("name") == "stderr"] == []
    assert problems == []


def test_start_here_shows_the_treemap(page: Page, lab: Lab) -> None:
    """Notebook 00 shows the guide's `ps` as text and a treemap one can read."""
    open_notebook(page, lab, "00-start-here.ipynb")
    run_all(page)
    texts = "".join("".join(o.get("data", {}).get("text/plain", "")) for o in outputs(page))
    assert "p:1916   24.4M   24.4M     28k devhost:pci#3:8086:2922" in texts
    picture = page.locator(".jp-RenderedImage img, .jp-RenderedSVG img").first
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    assert box["width"] > 300
    assert box["height"] > 200


def test_a_run_changes_no_output(page: Page, lab: Lab) -> None:
    """What JupyterLab computes is what is stored: the texts of all outputs agree."""
    import nbformat

    open_notebook(page, lab, "00-start-here.ipynb")
    run_all(page)
    stored = nbformat.read(ROOT / "notebooks" / "00-start-here.ipynb", as_version=4)
    for cell, fresh in zip(stored.cells, model(page)["cells"], strict=True):
        old = [
            output.get("text", output.get("data", {}).get("text/plain"))
            for output in cell.get("outputs", [])
        ]
        new = [
            output.get("text", output.get("data", {}).get("text/plain"))
            for output in fresh.get("outputs", [])
        ]
        assert ["".join(text or "") for text in old] == ["".join(text or "") for text in new]


def test_lab_leaves_the_checkout_alone(lab: Lab) -> None:
    """The tests' JupyterLab works on a copy."""
    assert not Path(lab.folder).is_relative_to(ROOT)

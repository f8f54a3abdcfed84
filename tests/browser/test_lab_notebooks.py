"""The course in a real JupyterLab: nothing stands between the user and the first cell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page
from support.lab import ROOT, Lab, model, open_notebook, outputs, run_all, running_lab, save

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
def test_chapter(page: Page, lab: Lab, notebook: str) -> None:
    """Run All: no error, nothing on stderr, readable figures; saved, no byte has changed.

    Then its explorer, if it has one, answers to a control by mouse or keyboard.
    """
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    open_notebook(page, lab, notebook)
    run_all(page)
    assert [o for o in outputs(page) if o["output_type"] == "error"] == []
    assert [o for o in outputs(page) if o.get("name") == "stderr"] == []
    saved = save(page, lab, notebook)
    assert saved.read_bytes() == (ROOT / "notebooks" / notebook).read_bytes()
    for width, natural in figures(page):
        assert width >= 400, "a figure is narrower than one can read"
        assert width >= natural / 2.5, "a figure is shrunk until its words cannot be read"
    for explorer in page.locator(".jp-OutputArea-output:has(.mx-explorer, .mm-treemap)").all():
        assert answers(page, explorer), "no control changes what the explorer shows"
    assert problems == []


def figures(page: Page) -> list[tuple[float, float]]:
    """Width on screen and width in pixels of every picture of the open notebook."""
    found = page.evaluate(
        "async () => { const found = [];"
        " for (const image of document.querySelectorAll('.jp-OutputArea-output img')) {"
        " image.scrollIntoView(); await image.decode();"
        " found.push([image.clientWidth, image.naturalWidth]); } return found; }"
    )
    return [(width, natural) for width, natural in found]


def answers(page: Page, explorer: Locator) -> bool:
    """Whether some control, moved as a user moves it, changes the words of an explorer."""
    explorer.scroll_into_view_if_needed()
    controls = explorer.locator(".noUi-handle, svg [role=button], [role=treeitem]")
    controls.first.wait_for(state="attached")  # a large treemap draws after its cell has run
    before = explorer.inner_text()
    moves = [
        (control, key) for control in controls.all() for key in ("ArrowRight", "ArrowLeft", "Enter")
    ]
    for control, key in moves[:30]:
        control.focus()
        page.keyboard.press(key)
        for _ in range(10):
            if explorer.inner_text() != before:
                return True
            page.wait_for_timeout(50)
    return False


def test_start_here_shows_list_and_treemap_after_the_guess(page: Page, lab: Lab) -> None:
    """Notebook 00 shows the guide's `ps` and a treemap one can read, once it was guessed."""
    open_notebook(page, lab, "00-start-here.ipynb")
    run_all(page)
    cells = model(page)["cells"]
    at = next(
        at for at, cell in enumerate(cells) if "predict 00/largest" in "".join(cell["source"])
    )
    page.evaluate(f"() => window.jupyterapp.shell.currentWidget.content.scrollToItem({at})")
    cell = page.locator(f".jp-Cell[data-windowed-list-index='{at}']")
    cell.locator(".mp-box").wait_for()
    assert cell.locator("img").count() == 0
    cell.locator(".mp-skip").click()
    picture = cell.locator("img").first
    picture.scroll_into_view_if_needed()
    assert "p:1916   24.4M   24.4M     28k devhost:pci#3:8086:2922" in str(cell.text_content())
    box = picture.bounding_box()
    assert box is not None
    assert box["width"] > 300
    assert box["height"] > 200


def test_lab_leaves_the_checkout_alone(lab: Lab) -> None:
    """The tests' JupyterLab works on a copy."""
    assert not Path(lab.folder).is_relative_to(ROOT)

"""Take the pictures of the README in a real Chromium (`make pictures`)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nbformat
from nbformat import v4
from playwright.sync_api import Page, sync_playwright
from support.lab import Lab, open_notebook, run_all, running_lab

import magmem

FOLDER = Path(__file__).parent.parent.parent / "docs" / "pictures"
EXPLORERS = {
    "pss-explorer": "from magmem_widgets import PssExplorer\nPssExplorer(pages=4)",
    "machine-explorer": (
        "import magmem\n"
        "from magmem_widgets import MachineExplorer\n"
        "snap = magmem.read_capture('small-machine')\n"
        "MachineExplorer(snap, opened=('1107',), selected='1107/1117')"
    ),
    "diff-explorer": (
        "import magmem\n"
        "from magmem_widgets import DiffExplorer\n"
        "machine = magmem.scenarios.make('slow_leak', seed=9)\n"
        "minutes = machine.statistics().query(\"op == 'advance'\")['step']\n"
        "states = [machine.at_step(minutes.iloc[at]) for at in (4, 9)]\n"
        "names = ('minute 5', 'minute 10')\n"
        "states = [state.snapshot(name=name) for state, name in zip(states, names)]\n"
        "DiffExplorer(*states, what='vmos')"
    ),
}
"""Picture name to the cell that shows an explorer."""


def treemap(page: Page, folder: Path) -> None:
    """The HTML page of a described machine, as a browser shows it from disk."""
    path = folder / "mem.html"
    magmem.treemap(magmem.read_capture("two-arena-machine")).save(path)
    page.set_viewport_size({"width": 1200, "height": 720})
    page.goto(path.as_uri())
    page.wait_for_timeout(1000)
    page.screenshot(path=FOLDER / "treemap.png")


def explorers(page: Page, lab: Lab) -> None:
    """Each explorer in a notebook of its own; the picture is cut to what the cell shows."""
    page.set_viewport_size({"width": 1280, "height": 1100})
    for name, code in EXPLORERS.items():
        notebook = v4.new_notebook(cells=[v4.new_code_cell(code)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, lab.folder / "notebooks" / f"{name}.ipynb")
        open_notebook(page, lab, f"{name}.ipynb")
        run_all(page)
        page.wait_for_timeout(1500)
        shown = page.locator(".jp-OutputArea-output").first
        shown.screenshot(path=FOLDER / f"{name}.png")


def notebook(page: Page, lab: Lab) -> None:
    """The first chapter in JupyterLab."""
    page.set_viewport_size({"width": 1200, "height": 900})
    open_notebook(page, lab, "00-start-here.ipynb")
    run_all(page)
    page.wait_for_timeout(1000)
    page.screenshot(path=FOLDER / "start-here.png")


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        treemap(page, Path(scratch))
        with running_lab(Path(scratch) / "lab") as lab:
            notebook(page, lab)
            explorers(page, lab)
        browser.close()


if __name__ == "__main__":
    main()

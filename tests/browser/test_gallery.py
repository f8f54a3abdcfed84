"""The README's gallery: every explorer and chapter on screen, as a picture.

The tests hold the README to it; the pictures go to ``screenshots/gallery``, or where the variable
``MAGMEM_PICTURES`` says: `make pictures` stores them in ``docs/pictures``.
"""

from __future__ import annotations

import os
import re
from io import BytesIO
from pathlib import Path

import magmem_widgets
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page
from support.lab import ROOT, Lab, open_notebook, show

import magmem

pytestmark = pytest.mark.browser

FOLDER = Path(os.environ.get("MAGMEM_PICTURES") or ROOT / "screenshots" / "gallery")
STORED = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
}
PICTURE = re.compile(r'"image/png": |<img ')
"""A stored output that is a picture, or HTML with one in it: the result of a prediction."""

CHAPTERS = [chapter for chapter, stored in STORED.items() if PICTURE.search(stored)]
EXPLORERS = {
    "MachineExplorer": (
        "snap = magmem.read_capture('small-machine')\n"
        "MachineExplorer(snap, opened=('1107',), selected='1107/1117')"
    ),
    "PssExplorer": "PssExplorer(pages=4)",
    "AddressSpaceExplorer": "AddressSpaceExplorer(magmem.scenarios.make('guide_vmaps'), 2470)",
    "HiddenVmoExplorer": "HiddenVmoExplorer(clone=True)",
    "KernelExplorer": "KernelExplorer(handles=1000, mappings=64)",
    "MultiplyMappedLab": "MultiplyMappedLab(processes=3, clone=True)",
    "TimeMachine": "TimeMachine(magmem.scenarios.make('fork_like_clones'))",
    "TreemapExplorer": "TreemapExplorer(magmem.read_capture('two-arena-machine'))",
    "FleetExplorer": (
        "lab = magmem.fleet('memory://gallery')\n"
        "_ = lab.add(magmem.scenarios.fleet(devices=6, builds=4, hours=4))\n"
        "FleetExplorer(lab, since_build='2026.06')"
    ),
    "DiffExplorer": (
        "machine = magmem.scenarios.make('slow_leak', seed=9)\n"
        "minutes = machine.statistics().query(\"op == 'advance'\")['step']\n"
        "states = [machine.at_step(minutes.iloc[at]) for at in (4, 9)]\n"
        "names = ('minute 5', 'minute 10')\n"
        "states = [state.snapshot(name=name) for state, name in zip(states, names)]\n"
        "DiffExplorer(*states, what='vmos')"
    ),
}
"""Explorer to the cell that shows it at its best."""


def keep(picture: bytes, name: str) -> None:
    """Store a picture in few colours; it must show something, and stand in the README."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    assert image.width >= 400
    assert image.height >= 100
    assert len(image.getcolors(1 << 24) or ()) > 8, "an empty picture"
    FOLDER.mkdir(parents=True, exist_ok=True)
    few = image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(FOLDER / f"{name}.png", optimize=True)
    file = f"docs/pictures/{name}.png"
    assert file in (ROOT / "README.md").read_text(encoding="utf-8"), file
    assert (ROOT / file).is_file() or FOLDER == ROOT / "docs" / "pictures", file


def test_every_explorer_is_in_the_gallery() -> None:
    """No explorer is left out."""
    explorers = {
        name
        for name, value in vars(magmem_widgets).items()
        if name in magmem_widgets.__all__
        and isinstance(value, type)
        and issubclass(value, magmem_widgets.Explorer)
    }
    # The base of all, and the frame that sets any of them a goal.
    assert explorers - {"Explorer", "Challenged"} == set(EXPLORERS)


def test_a_chapter_without_a_picture_shows_none() -> None:
    """The README has no picture for a chapter that has none."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for chapter in STORED.keys() - set(CHAPTERS):
        assert f"docs/pictures/{chapter}.png" not in readme


@pytest.mark.parametrize("name", EXPLORERS)
def test_explorer(page: Page, lab: Lab, name: str) -> None:
    """The explorer in a notebook, cut to what its cell shows."""
    page.set_viewport_size({"width": 1280, "height": 1300})
    code = f"import magmem\nfrom magmem_widgets import {name}\n{EXPLORERS[name]}"
    show(page, lab, f"gallery-{name}", code, ready=".jp-OutputArea-output .mx-box")
    page.locator(".mx-box .mx-sentence, .mx-box .mm-tile").first.wait_for()
    page.wait_for_timeout(500)  # a treemap grows into its place
    keep(page.locator(".jp-OutputArea-output").first.screenshot(), name)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter(page: Page, lab: Lab, chapter: str) -> None:
    """The largest picture of a chapter, as it is stored."""
    open_notebook(page, lab, f"{chapter}.ipynb")
    pictures = page.locator(".jp-OutputArea-output img")
    # JupyterLab fills a long notebook bit by bit.
    pictures.nth(len(PICTURE.findall(STORED[chapter])) - 1).wait_for(state="attached")
    # What a prediction shows is closed until it is asked for.
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    keep(max(pictures.all(), key=area).screenshot(), chapter)


def area(picture: Locator) -> float:
    """Square pixels on screen."""
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    return box["width"] * box["height"] if box else 0.0


def test_treemap_page(page: Page, tmp_path: Path) -> None:
    """The HTML page of a described machine, as a browser shows it from disk."""
    path = tmp_path / "mem.html"
    magmem.treemap(magmem.read_capture("two-arena-machine")).save(path)
    page.set_viewport_size({"width": 1200, "height": 720})
    page.goto(path.as_uri())
    page.locator(".mm-tile").first.wait_for()
    page.wait_for_timeout(500)  # the tiles grow into their places
    keep(page.screenshot(), "treemap")

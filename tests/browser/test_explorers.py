"""The explorers in a real JupyterLab, by mouse and keyboard: what is shown is what Python says."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.lab import Lab, show, summary

pytestmark = pytest.mark.browser


def test_pss_explorer_by_mouse_and_keyboard(page: Page, lab: Lab) -> None:
    """Clicking a cell shares a page; arrows and Enter do the same; the sums follow."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    start = "from magmem_widgets import PssExplorer\nexplorer = PssExplorer()\nexplorer"
    show(page, lab, "pss", start, "print(explorer.summary())")
    sentence = page.locator(".mx-sentence")
    assert "All PSS together are 8,192 bytes: just what is mapped." in sentence.inner_text()

    page.get_by_role("button", name="C maps page 1").click()
    page.wait_for_function("document.querySelector('.mx-explorer').textContent.includes('1/3')")
    assert "page 1: shared by 3 processes" in summary(page)

    page.get_by_role("button", name="C unmaps page 1").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="D unmaps page 1").wait_for()
    assert "page 1: shared by 4 processes" in summary(page)
    focused = page.evaluate("document.activeElement.closest('.mx-explorer') !== null")
    assert focused or page.get_by_role("button", name="D unmaps page 1").is_visible()

    height = page.locator(".mx-explorer").bounding_box()
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="A maps page 2").wait_for()
    assert page.locator(".mx-explorer").bounding_box() == height, "nothing jumps"
    assert problems == []


def test_two_views_of_one_explorer_agree(page: Page, lab: Lab) -> None:
    """Shown twice, an explorer has one state; its patterns do not disturb one another."""
    start = "from magmem_widgets import PssExplorer\nexplorer = PssExplorer()\nexplorer"
    show(page, lab, "twice", start, "explorer", "print(explorer.summary())")
    page.locator(".mx-explorer").nth(1).wait_for()
    page.get_by_role("button", name="D maps page 1").first.click()
    page.wait_for_function(
        "[...document.querySelectorAll('.mx-explorer')]"
        ".every(view => view.textContent.includes('1/3'))"
    )
    ids = page.evaluate("[...document.querySelectorAll('.mx-explorer pattern')].map(p => p.id)")
    assert len(ids) == len(set(ids))


def test_patterns_of_two_explorers_have_names_of_their_own(page: Page, lab: Lab) -> None:
    """Else a hatch would vanish as soon as the notebook takes the other explorer off the page."""
    start = "from magmem_widgets import PssExplorer\nPssExplorer()"
    show(page, lab, "two", start, "PssExplorer()", "print()")
    page.locator(".mx-explorer").nth(1).wait_for()
    ids = page.evaluate("[...document.querySelectorAll('.mx-explorer pattern')].map(p => p.id)")
    assert len(ids) >= 2
    assert len(ids) == len(set(ids))


def test_names_are_never_html(page: Page, lab: Lab) -> None:
    """A scene's texts and tips are text, whatever they contain."""
    start = (
        "from magmem_widgets import SceneView\n"
        "from magmem_widgets.scene import Scene\n"
        "scene = Scene(300, 60, '<b>label</b>')\n"
        "scene.rect(5, 5, 40, 40, 'private', text='<i>x</i>', tip='<img src=x>', act='a')\n"
        "view = SceneView(scene=scene.data(), sentence='<script>1</script>')\n"
        "view"
    )
    show(page, lab, "names", start)
    page.locator(".mx-explorer [role=button]").hover()
    assert page.locator(".mx-tip").inner_text() == "<img src=x>"
    assert page.locator(".mx-sentence").inner_text() == "<script>1</script>"
    assert page.locator(".mx-explorer img, .mx-explorer i, .mx-explorer script").count() == 0


def test_plain_keys_are_the_explorers_own(page: Page, lab: Lab) -> None:
    """With the focus in an explorer no letter adds a cell, and an arrow moves its own menu."""
    start = "from magmem_widgets import PssExplorer\nexplorer = PssExplorer()\nexplorer"
    show(page, lab, "keys", start, "print(explorer.summary())")
    cells = page.locator(".jp-Cell")
    for control in (".mx-explorer [role=button]", ".noUi-handle", ".jp-OutputArea button"):
        page.locator(control).first.focus()
        page.keyboard.press("b")
        assert cells.count() == 2
    menu = page.locator(".jp-OutputArea select").first
    menu.focus()
    page.keyboard.press("ArrowDown")
    assert menu.evaluate("menu => document.activeElement === menu")
    assert "rule exact" in summary(page)

"""The treemap inside a notebook: the view of mem.html, its choice back in Python."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.lab import Lab, show, summary

pytestmark = pytest.mark.browser

START = (
    "from magmem import scenarios\n"
    "from magmem_widgets import TreemapExplorer\n"
    "explorer = TreemapExplorer(scenarios.make('guide_vmos'))\n"
    "explorer"
)


def test_treemap_by_mouse_and_keyboard(page: Page, lab: Lab) -> None:
    """A click goes in and tells Python the koids; Escape goes out; the notebook hears no key."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    show(page, lab, "treemap", START, "print(explorer.summary())", ready=".mm-tile")
    assert page.locator(".mm-heading").inner_text() in summary(page)

    page.locator(".mm-tile", has_text="bootfs").last.click()
    page.locator(".mm-crumbs b", has_text="hidden").wait_for()
    assert summary(page).endswith("selected: 1034\n")

    page.locator(".mm-tile:focus, .mm-tile[tabindex='0']").first.focus()
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator(".mm-crumbs b", has_text="physmem").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator(".mm-crumbs button", has_text="physmem").wait_for()
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    assert page.evaluate("document.activeElement.closest('.mm-treemap') !== null")

    page.get_by_role("button", name="by VMO").click()
    page.locator(".mm-heading", has_text="by VMO").wait_for()
    page.get_by_label("sizes by").select_option("exact")
    page.locator(".mm-heading", has_text="rule exact").wait_for()
    assert page.locator(".mm-heading").inner_text() in summary(page)
    assert problems == []


def test_a_rule_that_cannot_be_used_leaves_the_picture(page: Page, lab: Lab) -> None:
    """An error in input is a message above the treemap, which stays as it was."""
    start = START.replace("scenarios.make('guide_vmos')", "magmem.read_capture('guide-ps')")
    show(page, lab, "partial", "import magmem\n" + start, ready=".mm-tile")
    before = page.locator(".mm-heading").inner_text()
    page.get_by_label("sizes by").select_option("exact")
    page.locator(".mx-problem:visible").wait_for()
    assert "exact" in page.locator(".mx-problem").inner_text()
    assert page.locator(".mm-heading").inner_text() == before

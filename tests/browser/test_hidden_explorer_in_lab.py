"""The hidden VMO explorer in JupyterLab: what is shown is what Python says."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.lab import Lab, flowing, show, summary

pytestmark = pytest.mark.browser


def test_hidden_vmo_by_mouse_and_keyboard(page: Page, lab: Lab) -> None:
    """A click maps the VMO, arrows and Enter give a clone; matrix and sentence follow."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    start = "from magmem_widgets import HiddenVmoExplorer\ne = HiddenVmoExplorer()\ne"
    show(page, lab, "hidden", start, "print(e.summary())")
    sentence = page.locator(".mx-sentence")
    assert "32k are hidden" in sentence.inner_text()
    box = page.locator(".mx-explorer").bounding_box()

    page.get_by_role("button", name="give: mapping of A").click()
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.includes('Nothing is hidden')"
    )
    assert flowing(summary(page)).endswith(" " + sentence.inner_text())

    page.get_by_role("button", name="take away: mapping of A").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="take away: B's clone").wait_for()
    assert "clone: 2 of 8 pages written" in summary(page)

    page.get_by_role("button", name="page 4 of copy").click()
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.startsWith('52k are committed')"
    )
    assert flowing(summary(page)).endswith(" " + sentence.inner_text())

    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.startsWith('48k are committed')"
    )
    assert page.locator(".mx-explorer").bounding_box() == box, "nothing jumps"
    assert problems == []

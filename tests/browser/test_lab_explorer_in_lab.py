"""The multiply-mapped laboratory in JupyterLab: sliders, clicks and keys change the waterfall."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.lab import Lab, flowing, show, summary

pytestmark = pytest.mark.browser


def test_laboratory_by_mouse_and_keyboard(page: Page, lab: Lab) -> None:
    """A slider changes picture and numbers; Enter on a name shows that process's way."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    start = "from magmem_widgets import MultiplyMappedLab\nlab = MultiplyMappedLab()\nlab"
    show(page, lab, "multiply-mapped", start, "print(lab.summary())")
    sentence = page.locator(".mx-sentence")
    assert sentence.inner_text() in flowing(summary(page))
    place = page.locator(".mx-explorer").bounding_box()

    overlap = page.get_by_role("slider").nth(2)
    overlap.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.includes('exact are 16,384')"
    )
    text = summary(page)
    assert "overlap 4" in text
    assert sentence.inner_text() in flowing(text)
    assert page.locator(".mx-explorer").bounding_box() == place, "nothing jumps"

    page.get_by_role("button", name="the way of B").click()
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.startsWith('PSS of B')"
    )
    page.get_by_role("button", name="the way of B").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.startsWith('PSS of A')"
    )
    assert sentence.inner_text() in flowing(summary(page))
    assert problems == []

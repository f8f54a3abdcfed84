"""The kernel explorer in JupyterLab: what is shown is what Python says."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.lab import Lab, flowing, show, summary

pytestmark = pytest.mark.browser


def test_kernel_by_mouse_and_keyboard(page: Page, lab: Lab) -> None:
    """Sliders by keyboard, placement by click and by Enter; bars and sentence follow."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    start = "from magmem_widgets import KernelExplorer\ne = KernelExplorer(mappings=64)\ne"
    show(page, lab, "kernel", start, "print(e.summary())")
    sentence = page.locator(".mx-sentence")
    place = within_cell(page)
    assert "64 scattered mappings" in sentence.inner_text()

    page.get_by_role("slider").first.focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.startsWith('1,502 handles')"
    )
    assert flowing(summary(page)).endswith(" " + sentence.inner_text())

    page.get_by_role("button", name="compact: ").click()
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.includes('64 compact')"
    )
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.includes('64 scattered')"
    )
    assert flowing(summary(page)).endswith(" " + sentence.inner_text())
    assert within_cell(page) == place, "nothing jumps"
    assert problems == []


def within_cell(page: Page) -> tuple[float, ...]:
    """Place of the explorer in its cell, and its size; the notebook itself may be scrolled."""
    cell = page.locator(".jp-Cell").first.bounding_box()
    box = page.locator(".mx-explorer").bounding_box()
    assert cell is not None
    assert box is not None
    return box["x"] - cell["x"], box["y"] - cell["y"], box["width"], box["height"]

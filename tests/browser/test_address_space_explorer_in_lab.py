"""The address space explorer in JupyterLab: in, out, and to everyone who maps a VMO."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.lab import Lab, flowing, show, summary

pytestmark = pytest.mark.browser

START = """\
import magmem
from magmem_widgets import AddressSpaceExplorer
e = AddressSpaceExplorer(magmem.scenarios.make("shared_library_farm"), 1041)
e"""


def test_address_space_by_mouse_and_keyboard(page: Page, lab: Lab) -> None:
    """A click goes into a VMAR, Enter selects a mapping, its bars lead to other processes."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    show(page, lab, "aspace", START, "print(e.summary())")
    sentence = page.locator(".mx-sentence")
    box = page.locator(".mx-explorer").bounding_box()
    assert "VMAR 'root' of worker-0" in sentence.inner_text()

    page.get_by_role("button", name="VMAR 'useralloc'").first.click()
    page.get_by_role("button", name="out to the VMAR around").wait_for()
    assert flowing(summary(page)).endswith(" " + sentence.inner_text())

    page.get_by_role("button", name="out to the VMAR around").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.startsWith('This mapping')"
    )
    assert flowing(summary(page)).endswith(" " + sentence.inner_text())

    page.get_by_role("button", name="1048 worker-1 maps").first.click()
    page.wait_for_function(
        "document.querySelector('.mx-explorer svg').getAttribute('aria-label')"
        " === 'address space of worker-1'"
    )
    assert summary(page).startswith("worker-1: root")
    assert page.locator(".mx-explorer").bounding_box() == box, "nothing jumps"
    assert problems == []

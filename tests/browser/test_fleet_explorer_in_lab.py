"""The fleet explorer in JupyterLab: tabs, rows, and the way to a machine, by mouse and keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.lab import Lab, show, summary

pytestmark = pytest.mark.browser

START = """\
import magmem
from magmem_widgets import FleetExplorer
lab = magmem.fleet("memory://browser")
_ = lab.add(magmem.scenarios.fleet(devices=6, builds=3, hours=3))
explorer = FleetExplorer(lab)
explorer"""
CHECK = """\
print(explorer.question, explorer.selected, bool(explorer.machine))
print(explorer.sentence())"""


def test_fleet_explorer_by_mouse_and_keyboard(page: Page, lab: Lab) -> None:
    """A tab asks, a row is drawn over builds, a bar opens its machine, and is closed again."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 1300})
    show(page, lab, "fleet", START, CHECK)
    page.get_by_role("button", name="netstack: +").first.wait_for()
    page.get_by_role("button", name="leaks", exact=True).click()
    row = page.get_by_role("button", name="lab-02  2026.05: +256k/h")
    row.wait_for()
    row.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.startsWith('lab-02  2026.05: +256k/h')"
    )
    assert summary(page).splitlines()[0] == "leaks lab-02  2026.05 False"
    page.get_by_role("button", name="opens this machine").last.click()
    page.get_by_text("Below is the machine of capture").wait_for()
    page.locator(".mx-box .mx-box").first.wait_for()
    page.get_by_role("button", name="save as CSV").click()
    page.get_by_role("link", name="leaks.csv").wait_for()
    page.get_by_role("button", name="hidden", exact=True).click()
    page.wait_for_function(
        "document.querySelector('.mx-sentence').textContent.includes('kernel-only')"
    )
    assert problems == []

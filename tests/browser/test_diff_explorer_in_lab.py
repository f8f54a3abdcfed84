"""The diff view in JupyterLab: tiles, kinds and controls by mouse and keyboard; Python's sums."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.lab import Lab, show, summary

pytestmark = pytest.mark.browser

START = """\
from magmem import scenarios
from magmem_widgets import DiffExplorer
leak = scenarios.make("unmapped_leak")
early = leak.at_step(20).snapshot(name="early")
explorer = DiffExplorer(early, leak.snapshot(name="late"))
explorer"""
CHECK = """\
before, after = (snap.kmem["vmo_bytes"].iloc[-1] for snap in (early, leak.snapshot()))
print(f"{after - before:+,}", explorer.what, explorer.order, explorer.kinds, explorer.selected)
print(explorer.sentence())"""


def test_diff_view_by_mouse_and_keyboard(page: Page, lab: Lab) -> None:
    """A tile's click and an arrow with Enter select rows; a kind's box hides; nothing jumps."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    show(page, lab, "diff", START, CHECK)
    view, sentence = page.locator(".mx-explorer"), page.locator(".mx-sentence")
    size = "(({clientWidth, clientHeight}) => [clientWidth, clientHeight])"
    measure = f"{size}(document.querySelector('.mx-explorer'))"
    before = page.evaluate(measure)

    def said(start: str) -> list[str]:
        page.wait_for_function(
            "start => document.querySelector('.mx-sentence').textContent.startsWith(start)",
            arg=start,
        )
        assert page.evaluate(measure) == before, "nothing jumps"
        told = summary(page).splitlines()
        assert told[1] == sentence.inner_text()
        return told

    page.get_by_role("button", name="hidden by holder").click()
    told = said("Memory that no process maps is 108M more")
    assert told[0].startswith("+113,246,208 holders change")
    shown = view.text_content() or ""
    assert "+113,246,208 bytes, the sum of all rows" in shown, "the sums are Python's"

    page.get_by_role("button", name="logger (1041): grew").first.click()
    said("logger (1041) holds 108M more by handles alone (12M → 120M); no mapping shows it.")
    assert page.locator(".mx-ring").count() == 2, "the tile and its row"

    page.get_by_role("button", name="VMOs", exact=True).click()
    told = said("All VMOs together own 108M more in pages: 1 grew, 0 shrank, 26 came, 0 went.")
    assert told[0].endswith("'went') "), "what is selected elsewhere is selected no more"
    page.get_by_role("button", name="log-3 (1050): grew").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_text("log-4 (1051) is new").wait_for()
    assert page.evaluate("document.activeElement.ariaLabel").startswith("log-4 (1051): came")
    said("log-4 (1051) is new: it owns 4M in pages.")

    page.get_by_role("button", name="hide what grew").click()
    page.get_by_role("button", name="show what grew").wait_for()
    assert page.get_by_role("button", name="log-3 (1050): grew").count() == 0
    page.get_by_role("button", name="others (16)").focus()
    page.keyboard.press("Enter")
    # Ten are larger; the selected one of them keeps its row.
    page.get_by_role("button", name="larger (9)").wait_for()
    assert "('shrank', 'came', 'went')" in said("log-4 (1051)")[0]

    page.get_by_role("button", name="by size after").click()
    page.get_by_role("button", name=": same").first.wait_for()
    page.get_by_role("button", name="physical by use").click()
    said("Physical memory is as much as before, 2046.9M:")
    assert problems == []


def test_unknown_is_shown_as_unknown(page: Page, lab: Lab) -> None:
    """Between captures that know nothing in common the view says why, and shows no 0."""
    start = (
        "import magmem\n"
        "from magmem_widgets import DiffExplorer\n"
        'pair = magmem.read_capture("guide-ps"), magmem.read_capture("guide-kstats")\n'
        "explorer = DiffExplorer(*pair)\n"
        "explorer"
    )
    show(page, lab, "diff-unknown", start, "print(explorer.sentence())")
    for word in ("processes", "VMOs", "hidden by holder", "physical by use"):
        page.get_by_role("button", name=word, exact=True).click()
        page.wait_for_function(
            "word => document.querySelector('.mx-explorer svg').textContent.includes(word + ': ?')",
            arg=word,
        )
        assert page.locator(".mx-sentence").inner_text().startswith("Not known. ")
        assert "0B" not in (page.locator(".mx-explorer svg").text_content() or "")

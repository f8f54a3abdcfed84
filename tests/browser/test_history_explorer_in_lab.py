"""The time machine in JupyterLab: slider, bars and keys go through the steps."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.lab import Lab, show, summary

pytestmark = pytest.mark.browser


def test_time_machine_by_mouse_and_keyboard(page: Page, lab: Lab) -> None:
    """The slider goes one step on, a bar goes to its step, an arrow and Enter to the next bar."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    start = (
        "from magmem import scenarios\n"
        "from magmem_widgets import TimeMachine\n"
        "explorer = TimeMachine(scenarios.make('guide_vmos'), step=3)\n"
        "explorer"
    )
    show(page, lab, "time", start, "print(explorer.sentence())")
    sentence = page.locator(".mx-sentence")
    assert sentence.inner_text().startswith("Step 3 of ")
    size = "(({clientWidth, clientHeight}) => [clientWidth, clientHeight])"
    measure = f"{size}(document.querySelector('.mx-explorer'))"
    before = page.evaluate(measure)

    def at(step: int) -> None:
        page.wait_for_function(
            "step => document.querySelector('.mx-sentence').textContent.startsWith(step)",
            arg=f"Step {step} of ",
        )
        assert summary(page).strip() == sentence.inner_text()

    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")
    at(4)
    assert page.locator(".mx-explorer .mx-ring").count() >= 1
    page.get_by_role("button", name="step 20:").click()
    at(20)
    page.get_by_role("button", name="step 20:").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    at(21)
    assert page.evaluate(measure) == before, "nothing jumps"
    assert problems == []

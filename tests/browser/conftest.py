"""A real Chromium for the browser tests; a failing test leaves a screenshot in screenshots/."""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from support.lab import Lab, running_lab

SCREENSHOTS = Path(__file__).parent.parent.parent / "screenshots"
QUIET = (
    "--no-sandbox",  # in a container there is often only root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("no chromium on the path; `make test-browser` installs Debian's")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Tell the fixtures of a test whether its body failed."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


_FAILED = pytest.StashKey[bool]()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page of 1280 by 800 at 1×; its picture is kept if the test fails."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    fresh = context.new_page()
    yield fresh
    if request.node.stash.get(_FAILED, True):
        SCREENSHOTS.mkdir(exist_ok=True)
        name = re.sub(r"[^\w.-]+", "-", request.node.name)
        fresh.screenshot(path=SCREENSHOTS / f"{name}.png")
    context.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all explorers."""
    with running_lab(tmp_path_factory.mktemp("explorers")) as running:
        yield running

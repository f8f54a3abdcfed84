"""The machine explorer in JupyterLab, by mouse and keyboard: what is shown is what Python says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page
from support.lab import Lab, show, summary

from magmem.listing import wrapped

pytestmark = pytest.mark.browser

TOP = {"x": 12.0, "y": 8.0}
"""Where the name of an open tile stands."""

START = (
    "import magmem\n"
    "from magmem_widgets import MachineExplorer\n"
    "explorer = MachineExplorer(magmem.read_capture('small-machine'))\n"
    "explorer"
)


def opened(page: Page, lab: Lab, name: str, start: str = START) -> list[str]:
    """Show the explorer; a list that script errors are put into."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    show(page, lab, name, start, "print(explorer.summary())", ready=".mt-line:not([hidden])")
    page.wait_for_selector(".mm-tile")
    return problems


def lines(page: Page) -> list[str]:
    """Name, PSS, PRIVATE and SHARED of the lines in view, from top to bottom, in one text each."""
    found: list[str] = page.evaluate(
        "() => [...document.querySelectorAll('.mt-line:not([hidden])')]"
        ".sort((one, other) => one.dataset.at - other.dataset.at)"
        ".map(line => [...line.children].filter((_, at) => [0, 2, 3, 4].includes(at))"
        ".map(cell => (cell.querySelector('.mt-name') ?? cell).textContent).join(' ').trim())"
    )
    return [re.sub(" +", " ", line) for line in found]


def sentence_is(page: Page, start: str) -> None:
    """Wait until the sentence begins so."""
    page.wait_for_function(
        "start => document.querySelector('.mt-sentence').textContent.startsWith(start)", arg=start
    )


def told(page: Page) -> list[str]:
    """The lines of `summary()`, blanks closed up, without head and sentence."""
    text = summary(page)
    said = wrapped(page.locator(".mt-sentence").inner_text())
    assert text.strip().endswith(said)
    return [re.sub(" +", " ", line.strip()) for line in text.split(said)[0].splitlines()[1:]]


def test_by_keyboard_from_the_root_to_a_page_and_back(page: Page, lab: Lab) -> None:
    """Arrows walk, Enter goes in, Escape comes out; the treemap follows, the notebook does not."""
    problems = opened(page, lab, "machine-keys")
    assert lines(page) == told(page)
    before = page.locator(".mt-machine").bounding_box()
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    page.locator(".mt-grid").focus()
    page.keyboard.press("ArrowDown")
    sentence_is(page, "PSS of j:1028 root is 3916.0k")
    page.keyboard.press("End")
    sentence_is(page, "PSS of p:1056 bin/devmgr")
    page.keyboard.press("ArrowUp")
    sentence_is(page, "PSS of p:1080 devhost:root is 675.3k")
    page.wait_for_selector(".mm-ring:not([hidden])")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".mt-at[aria-expanded='true']")
    page.keyboard.press("ArrowRight")
    sentence_is(page, "VMO 1036 lib/libfdio.so")
    page.keyboard.press("Enter")
    sentence_is(page, "The mapping 0x")
    page.keyboard.press("Enter")
    sentence_is(page, "Pages ")
    assert "p:1080" in page.locator(".mm-crumbs b").inner_text()
    assert next(text for text in told(page) if text.startswith("pages")) in lines(page)
    page.locator(".mt-grid").focus()
    for start in ("The mapping", "VMO 1036", "PSS of p:1080", "PSS of j:1079", "PSS of j:1028"):
        page.keyboard.press("Escape")
        sentence_is(page, start)
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelector('.mt-count').textContent === '1 line'")
    assert lines(page) == told(page)
    assert page.locator(".mt-machine").bounding_box() == before, "nothing jumps"
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    assert problems == []


def test_by_mouse_sort_filter_unit_rule_and_tiles(page: Page, lab: Lab) -> None:
    """Heads sort, the filter keeps what is found, unit and rule show Python's numbers."""
    problems = opened(page, lab, "machine-mouse")
    head = page.get_by_role("columnheader", name="NAME")
    page.get_by_role("button", name="NAME", exact=True).click()
    page.wait_for_selector("[aria-sort='ascending']")
    assert head.get_attribute("aria-sort") == "ascending"
    assert lines(page) == told(page)
    assert lines(page)[1].startswith("p:1056 bin/devmgr")

    page.get_by_label("Filter by name or koid").fill("devhost")
    page.wait_for_function("document.querySelector('.mt-count').textContent === '4 lines'")
    assert lines(page) == told(page)
    page.get_by_label("Filter by name or koid").fill("")
    page.wait_for_function("document.querySelector('.mt-count').textContent === '5 lines'")

    page.locator(".mt-machine").get_by_label("Unit of sizes").select_option("k")
    page.wait_for_function(
        "[...document.querySelectorAll('.mt-line')].some(l => l.textContent.includes('2673.3k'))"
    )
    page.get_by_label("Rule").select_option("exact")
    sentence_is(page, "3 processes have a PSS of 2948k together, by the exact rule")
    assert lines(page) == told(page)

    page.locator(".mt-line", has_text="j:1079").click()
    page.keyboard.press("Enter")
    page.locator(".mm-crumbs b", has_text="j:1079").wait_for()
    page.locator(".mm-stage [role=treeitem]", has_text="devhost:root").click(position=TOP)
    sentence_is(page, "PSS of p:1080 devhost:root")
    assert page.locator(".mt-at .mt-name").inner_text() == "p:1080 devhost:root"
    page.locator(".mt-line", has_text="p:1107").locator(".mt-twist").click()
    page.locator(".mt-is-vmo").first.wait_for()
    shown = lines(page)
    assert shown[:10] == told(page)[:10], "opening a line moves none of those above it"
    page.locator(".mt-crumbs button").first.click()
    sentence_is(page, "PSS of j:1028 root")
    assert problems == []


def test_csv_is_saved_by_the_browser(page: Page, lab: Lab, tmp_path: Path) -> None:
    """The button saves just what `csv()` says."""
    problems = opened(page, lab, "machine-csv")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    download.value.save_as(tmp_path / "shown.csv")
    assert download.value.suggested_filename == "system-1.csv"
    text = (tmp_path / "shown.csv").read_text()
    assert text.splitlines()[1] == 'job,0,1028,root,4009980,3166208,,"3 processes, 1 job",1028'
    assert len(text.splitlines()) == 6
    assert problems == []


def test_ten_thousand_lines_scroll_and_only_those_in_view_exist(page: Page, lab: Lab) -> None:
    """End reaches the last of many lines; a key is answered on screen quickly (printed)."""
    start = (
        "import numpy as np\n"
        "from magmem import Snapshot\n"
        "from magmem_widgets import MachineExplorer\n"
        "n = 10_000\n"
        "size = np.arange(n) * 4096\n"
        "tasks = {'koid': [1, *range(100, 100 + n)], 'kind': ['job', *['process'] * n],\n"
        "         'parent_koid': [None, *[1] * n], 'name': [f'task-{k}' for k in range(n + 1)],\n"
        "         'reported_pss_bytes': [int(size.sum()), *size],\n"
        "         'reported_private_bytes': [int(size.sum()), *size],\n"
        "         'reported_shared_bytes': [None, *[0] * n]}\n"
        "explorer = MachineExplorer(Snapshot.of({'tasks': tasks}, root_job_koid=1))\n"
        "explorer"
    )
    problems = opened(page, lab, "machine-large", start)
    page.locator(".mt-grid").focus()
    page.keyboard.press("End")
    sentence_is(page, "PSS of p:100 task-1 is 0B")
    page.locator(".mt-line", has_text="task-1").last.wait_for()
    assert page.locator(".mt-line").count() < 20
    page.keyboard.press("Home")
    sentence_is(page, "PSS of j:1 task-0")
    waits = page.evaluate(
        """async () => {
            const [grid, said] = ['.mt-grid', '.mt-sentence'].map(s => document.querySelector(s));
            const waits = [];
            for (let turn = 0; turn < 30; turn++) {
                const [before, start] = [said.textContent, performance.now()];
                const key = new KeyboardEvent('keydown', { key: 'PageDown', bubbles: true });
                grid.dispatchEvent(key);
                while (said.textContent === before) await new Promise(requestAnimationFrame);
                waits.push(performance.now() - start);
            }
            return waits.sort((one, other) => one - other);
        }"""
    )
    print(f"key to picture, 10,000 processes: median {waits[15]:.0f} ms, p95 {waits[28]:.0f} ms")
    assert problems == []


def test_names_from_captures_are_text(page: Page, lab: Lab) -> None:
    """Markup in a name is shown as it is, in the table, the breadcrumb and the tiles."""
    start = (
        "import magmem\n"
        "from magmem_widgets import MachineExplorer\n"
        "m = magmem.Machine(memory='64M')\n"
        "m.root_job.spawn('<img src=x>')\n"
        "explorer = MachineExplorer(m)\n"
        "explorer"
    )
    problems = opened(page, lab, "machine-names", start)
    page.locator(".mt-line", has_text="<img src=x>").click()
    page.locator(".mt-crumbs b", has_text="<img src=x>").wait_for()
    assert page.locator(".mt-machine img, .mm-treemap img").count() == 0
    assert problems == []

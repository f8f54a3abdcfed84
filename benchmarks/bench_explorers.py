"""Moving a control of each explorer until the new picture is on screen, in a real JupyterLab.

Bars of the design: at most 100 ms in 95 of 100 moves, of it at most 16 ms in Python. A move is a
key pressed on a control; its time runs from the key's event in the page to the first frame painted
after the view has changed. Python's part is the processor time of what the kernel does with each
message. Each explorer has a notebook and a kernel of its own. Needs a Chromium (`make chromium`).

    python benchmarks/bench_explorers.py [EXPLORER ...] [--moves N]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from playwright.sync_api import Page, sync_playwright
from support.lab import Lab, outputs, running_lab, show

SHOWN_BAR_MS, PYTHON_BAR_MS = 100.0, 16.0
SLIDER, MENU = ".noUi-handle", ".jp-OutputArea select"
SCENE = ".mx-explorer"


@dataclass(frozen=True)
class Move:
    """How an explorer is made, which control gets which keys in turn, and what then changes."""

    code: str
    control: str = SLIDER
    keys: tuple[str, ...] = ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft")
    view: str = SCENE


EXPLORERS = {
    # What it has computed it keeps; a slider has few states, and each move here is a new one.
    "PssExplorer": Move("type('Anew', (PssExplorer,), {'_MOST_KEPT': 0})()"),
    "AddressSpaceExplorer": Move("AddressSpaceExplorer(magmem.read_capture('linux-lab'))"),
    "DiffExplorer": Move(
        "DiffExplorer(*(magmem.scenarios.make('slow_leak').at_step(s) for s in (100, 300)), "
        "what='vmos')",
        ".mx-explorer [aria-label^='message']",
        ("Enter",),
    ),
    "HiddenVmoExplorer": Move("HiddenVmoExplorer(clone=True)"),
    "KernelExplorer": Move("KernelExplorer()"),
    "MultiplyMappedLab": Move("MultiplyMappedLab()"),
    "MachineExplorer": Move(
        "MachineExplorer(magmem.read_capture('linux-lab'))",
        "[role=treegrid]",
        ("ArrowDown", "End", "ArrowUp", "Home"),
        ".mt-sentence",
    ),
    "TimeMachine": Move(
        "TimeMachine(magmem.scenarios.make('unmapped_leak'), step=20)", keys=("ArrowRight",)
    ),
    "TreemapExplorer": Move(
        "TreemapExplorer(magmem.read_capture('two-arena-machine'))",
        MENU,
        ("ArrowDown", "ArrowUp"),
        ".jp-OutputArea-output",
    ),
}

BEFORE = """\
import time
import ipywidgets
import magmem
from magmem_widgets import *
took = []
handle = ipywidgets.Widget._handle_msg
def timed(self, message):
    begin = time.process_time()
    handle(self, message)
    took.append((time.process_time() - begin) * 1000)
ipywidgets.Widget._handle_msg = timed
explorer = {code}
explorer"""
AFTER = "import json\nprint(json.dumps(took))"

WATCH = """(view) => {
  window.shown = new Promise((done) => {
    let start = null;
    document.addEventListener("keydown", () => { start ??= performance.now(); }, true);
    const watcher = new MutationObserver(() => {
      if (start === null) return;
      watcher.disconnect();
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => done(performance.now() - start);
        channel.port2.postMessage(0);
      });
    });
    const everything = { subtree: true, childList: true, characterData: true, attributes: true };
    watcher.observe(document.querySelector(view), everything);
    setTimeout(() => done(null), 5000);
  });
}"""
IDLE = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"


def measure(page: Page, lab: Lab, name: str, moves: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each move until painted, and Python's for each message."""
    move = EXPLORERS[name]
    show(page, lab, name, BEFORE.format(code=move.code), AFTER, ready=move.view)
    page.locator(move.control).first.focus()
    shown = []
    for number in range(moves + 3):
        page.wait_for_function(IDLE)
        page.evaluate(WATCH, move.view)
        page.keyboard.press(move.keys[number % len(move.keys)])
        took = page.evaluate("window.shown")
        if took is None:
            raise RuntimeError(f"{name}: a move changed nothing within 5 seconds")
        shown.append(float(took))
    page.evaluate(
        "async () => { const notebook = window.jupyterapp.shell.currentWidget.content;"
        " notebook.activeCellIndex = notebook.widgets.length - 1;"
        " await window.jupyterapp.commands.execute('notebook:run-cell'); }"
    )
    page.wait_for_function(IDLE)
    python = [float(took) for took in json.loads(outputs(page)[-1]["text"])]
    # The first moves load what later ones find loaded.
    return shown[3:], python[3 * len(python) // len(shown) :]


def most(times: list[float]) -> float:
    """The time that 95 of 100 do not exceed."""
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


def main(arguments: list[str]) -> int:
    """Print a row for each explorer; returns 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("explorer", nargs="*", help=f"of {', '.join(EXPLORERS)}; all if none")
    parser.add_argument("--moves", type=int, default=60)
    asked = parser.parse_args(arguments)
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no chromium on the path: `make chromium` installs Debian's")
        return 1
    missed = False
    print(f"{'milliseconds':24}{'shown p50':>12}{'p95':>8}{'Python p50':>14}{'p95':>8}")
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_lab(Path(scratch) / "lab") as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for name in asked.explorer or EXPLORERS:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            shown, python = measure(page, lab, name, asked.moves)
            page.close()
            row = [statistics.median(shown), most(shown), statistics.median(python), most(python)]
            print(
                f"{name:24}{row[0]:>12.0f}{row[1]:>8.0f}{row[2]:>14.1f}{row[3]:>8.1f}", flush=True
            )
            missed |= row[1] > SHOWN_BAR_MS or row[3] > PYTHON_BAR_MS
        browser.close()
    print(f"{'bars':24}{'':>12}{SHOWN_BAR_MS:>8.0f}{'':>14}{PYTHON_BAR_MS:>8.1f}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

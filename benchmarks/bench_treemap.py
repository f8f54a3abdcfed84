"""A machine of 100,000 leaves: snapshot → tree → finished HTML page → picture in a browser.

Prints seconds, bytes and tiles beside the bars of the design, and the page's time as a ratio to one
`json.dumps` of its data in the same run. The browser part needs a Chromium, and says so when there
is none.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.big_machine import big_machine

import magmem
from magmem.snapshot import Snapshot
from magmem.treemap import Treemap

WAIT_FOR_PAINT = """
const painted = () => new Promise((done) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = done;
  channel.port2.postMessage(0);
}));
"""
ZOOMS = f"""async () => {{
  {WAIT_FOR_PAINT}
  const {{ tree }} = treemap;
  const way = [0];
  for (;;) {{
    const inner = tree.children(way.at(-1)).filter((node) => tree.count[node]);
    if (!inner.length) break;
    way.push(inner.reduce((one, two) => (tree.area[two] > tree.area[one] ? two : one)));
  }}
  const times = [];
  for (const node of [...way, 0, ...way]) {{
    await painted();
    const start = performance.now();
    treemap.open({{ node }});
    await painted();
    times.push([performance.now() - start, treemap.tiles.length]);
  }}
  return times;
}}"""


def seconds(action: Callable[[], Any], repeat: int = 5) -> float:
    """The median time of an action."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def fresh(snap: Snapshot) -> Snapshot:
    """The same tables without anything remembered from earlier questions."""
    return Snapshot.of(snap.tables(), root_job_koid=snap.root_job_koid, coverage=snap.coverage)


def show(what: str, value: str, bar: str = "") -> None:
    """One line of the report."""
    print(f"{what:58} {value:>12}  {bar}")


def in_browser(treemap: Treemap, chromium: str) -> None:
    """Open the page from disk and zoom along its largest nodes, in and back."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "mem.html"
        treemap.save(path)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        start = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_selector(".mm-tile", state="attached")
        show("opened in Chromium, first tiles drawn", f"{time.perf_counter() - start:.2f} s")
        times = page.evaluate(ZOOMS)
        milliseconds = sorted(took for took, _ in times)
        show("zoom until painted, median", f"{statistics.median(milliseconds):.0f} ms")
        show("zoom until painted, slowest", f"{milliseconds[-1]:.0f} ms", "bar 200 ms")
        show("tiles drawn, most", f"{max(tiles for _, tiles in times):,}", "bar 5,000")
        show("requests beside the file itself", f"{len(requests) - 1}", "bar 0")
        browser.close()


def main() -> None:
    """Print the report."""
    snap = big_machine()
    for by, rule in (("process", "treemap-2017"), ("process", "exact"), ("vmo", "treemap-2017")):

        def make(by: str = by, rule: str = rule) -> Treemap:
            return magmem.treemap(fresh(snap), by=by, rule=rule)

        treemap = make()
        print(f"== by {by}, rule {rule}: {treemap.tiles:,} leaves, {len(treemap.tree):,} nodes")
        whole = seconds(lambda make=make: make().html())
        page = treemap.html()
        data = treemap.payload()
        dumps = seconds(lambda data=data: json.dumps(data))
        show("snapshot → tree", f"{seconds(make):.2f} s")
        show("snapshot → finished HTML", f"{whole:.2f} s", "bar 1 s")
        show("the same, in times of json.dumps of its data", f"{whole / dumps:.1f} ×")
        show("size of the page", f"{len(page.encode()) / 1e6:.2f} MB", "bar 2 MB")
        show("tree → picture (PNG)", f"{seconds(treemap.png, 1):.2f} s")
        if by == "process" and rule == "treemap-2017":
            chromium = shutil.which("chromium")
            if chromium:
                in_browser(treemap, chromium)
            else:
                print("no chromium on the path: zooms are not measured")


if __name__ == "__main__":
    main()

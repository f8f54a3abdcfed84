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

LARGEST_NODES = """() => {
  const { tree } = treemap;
  const way = [0];
  for (;;) {
    const inner = tree.children(way.at(-1)).filter((node) => tree.count[node]);
    if (!inner.length) return way;
    way.push(inner.reduce((one, two) => (tree.area[two] > tree.area[one] ? two : one)));
  }
}"""
ZOOM = """async (node) => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(0);
  }));
  await painted();
  const start = performance.now();
  treemap.open({ node });
  await painted();
  return performance.now() - start;
}"""


def seconds(action: Callable[[], Any], repeat: int = 5) -> tuple[float, float]:
    """Time by the clock and of the processor; medians, because other work may share the machine."""
    clock, processor = [], []
    for _ in range(repeat):
        start = time.perf_counter(), time.process_time()
        action()
        clock.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return statistics.median(clock), statistics.median(processor)


def both(times: tuple[float, float]) -> str:
    """Clock and processor time, as they are printed."""
    return f"{times[0]:.2f} s ({times[1]:.2f} s CPU)"


def fresh(snap: Snapshot) -> Snapshot:
    """The same tables without anything remembered from earlier questions."""
    return Snapshot.of(snap.tables(), root_job_koid=snap.root_job_koid, coverage=snap.coverage)


def show(what: str, value: str, bar: str = "") -> None:
    """One line of the report."""
    print(f"{what:48} {value:>22}  {bar}")


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
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")

        def busy() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return 1000 * next(each["value"] for each in metrics if each["name"] == "ThreadTime")

        clock: list[float] = []
        processor: list[float] = []
        most = 0
        for node in page.evaluate(LARGEST_NODES):
            runs = []
            for _ in range(3):
                before = busy()
                runs.append((page.evaluate(ZOOM, node), busy() - before))
            most = max(most, page.evaluate("treemap.tiles.length"))
            clock.append(min(run[0] for run in runs))
            processor.append(min(run[1] for run in runs))
        for name, pick in (("median", statistics.median), ("slowest", max)):
            value = f"{pick(clock):.0f} ms ({pick(processor):.0f} ms CPU)"
            show(f"zoom until painted, {name} node, best of 3", value, "bar 200 ms")
        show("tiles drawn, most", f"{most:,}", "bar 5,000")
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
        show("snapshot → tree", both(seconds(make)))
        show("snapshot → finished HTML", both(whole), "bar 1 s")
        show("the same, in times of json.dumps of its data", f"{whole[1] / dumps[1]:.1f} ×")
        show("size of the page", f"{len(page.encode()) / 1e6:.2f} MB", "bar 2 MB")
        show("tree → picture (PNG)", both(seconds(treemap.png, 1)))
        if by == "process" and rule == "treemap-2017":
            chromium = shutil.which("chromium")
            if chromium:
                in_browser(treemap, chromium)
            else:
                print("no chromium on the path: zooms are not measured")


if __name__ == "__main__":
    main()

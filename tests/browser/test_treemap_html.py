"""The treemap page in a real browser, opened from disk, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounting.tiny import Vmo, machine
from playwright.sync_api import Locator, Page, expect
from support.big_machine import big_machine
from support.shared import goldens

import magmem
from magmem import Snapshot, Treemap
from magmem.captures import load_machine
from magmem.sizes import format_size

pytestmark = pytest.mark.browser

CONTRASTS = """() => {
  const channels = (colour) => {
    const parts = colour.match(/[\\d.]+/g).map(Number);
    const unit = colour.startsWith("color(") ? 255 : 1;
    return parts.map((part, at) => (at < 3 ? unit * part : part));
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = channels(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("#treemap *")].filter((element) =>
    element.getClientRects().length &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((element) => {
    const ink = channels(getComputedStyle(element).color).slice(0, 3);
    const [low, high] = [light(ink), light(ground(element))].sort((a, b) => a - b);
    return [(high + 0.05) / (low + 0.05), element.className, element.textContent.slice(0, 30)];
  });
}"""


@pytest.fixture
def show(page: Page, tmp_path: Path) -> Callable[..., Treemap]:
    """Save a treemap, open the file from disk, and fail on errors and network requests."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda request: problems.append(request.url))
    opened = (tmp_path / "mem.html").as_uri()

    def open_page(snap: Snapshot, **how: str) -> Treemap:
        treemap = magmem.treemap(snap, **how)
        treemap.save(tmp_path / "mem.html")
        page.goto(opened)
        expect(page.locator(".mm-tile").first).to_be_attached()
        assert [problem for problem in problems if problem != opened] == []
        return treemap

    yield open_page
    assert [problem for problem in problems if problem != opened] == []


def system_2() -> Snapshot:
    """A described machine."""
    return load_machine(goldens() / "system-2.json")


def tile(page: Page, name: str) -> Locator:
    """The tile of the first level whose label begins so."""
    return page.locator(f'.mm-stage [role="treeitem"][aria-label^="{name}"]')


def tip(page: Page) -> dict[str, str]:
    """What the tooltip says, by word."""
    rows = page.locator(".mm-tip dt").all_inner_texts()
    return dict(zip(rows, page.locator(".mm-tip dd").all_inner_texts(), strict=True))


def crumbs(page: Page) -> list[str]:
    """The way from the root to what is shown."""
    return page.locator(".mm-crumbs > *").all_inner_texts()


def test_hover_tells_what_a_tile_is(page: Page, show: Callable[..., Treemap]) -> None:
    """Name, koid, type, size and exact bytes, share of parent and total, and what it is made of."""
    treemap = show(system_2())
    page.evaluate(f"treemap.open({{ node: {treemap.tree.find(1058).index} }})")
    page.locator(".mm-label b", has_text="bootfs").first.hover()
    expect(page.locator(".mm-tip")).to_be_visible()
    assert page.locator(".mm-tip > b").inner_text() == "bootfs"
    size = 10 * 2**20 // 2
    assert tip(page) == {
        "what": "VMO, koid 1032",
        "size": f"5M = {size:,} bytes",
        "share": "78.7% of bin/devmgr, 0.5% of physmem",
        "made of": "10M ÷ 2, hidden: handle only",
        "the whole VMO": "size 10M, committed 10M, 0 mappings, share count 1",
    }
    page.mouse.move(2, 2)
    expect(page.locator(".mm-tip")).to_be_hidden()


def test_click_goes_in_and_escape_goes_out(page: Page, show: Callable[..., Treemap]) -> None:
    """A click on a tile's label opens it; Escape, Out and the breadcrumb lead back."""
    show(system_2())
    page.locator(".mm-header b", has_text="launchpad").click()
    assert crumbs(page) == ["physmem", "VMOs/processes", "j:1026 root", "p:1253 launchpad"]
    assert page.locator(".mm-words").inner_text().startswith("p:1253 launchpad: 4024.7k (private")
    page.keyboard.press("Escape")
    assert crumbs(page)[-1] == "j:1026 root"
    expect(tile(page, "p:1253 launchpad")).to_be_focused()
    page.get_by_role("button", name="Out").click()
    assert crumbs(page) == ["physmem", "VMOs/processes"]
    page.locator(".mm-crumbs button", has_text="physmem").click()
    assert crumbs(page) == ["physmem"]
    expect(page.get_by_role("button", name="Out")).to_be_disabled()


def test_a_click_on_a_leaf_goes_to_its_process(page: Page, show: Callable[..., Treemap]) -> None:
    """A VMO drawn deep inside opens the process it is in, and is selected there."""
    show(system_2())
    page.locator(".mm-label", has_text="1152k").click()
    assert crumbs(page)[-1] == "p:1253 launchpad"
    expect(tile(page, "(no name): 1152k")).to_be_focused()
    ring, chosen = page.locator(".mm-ring"), tile(page, "(no name): 1152k")
    expect(ring).to_be_visible()
    assert ring.bounding_box() == chosen.bounding_box()


def test_everything_by_keyboard(page: Page, show: Callable[..., Treemap]) -> None:
    """Tab reaches the tiles, arrows move by place, Enter opens, Escape returns to the same tile."""
    show(system_2())
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "treeitem":
            break
    expect(tile(page, "VMOs/processes")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(tile(page, "wired")).to_be_focused()
    expect(page.locator(".mm-tip")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(tile(page, "heap")).to_be_focused()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.ariaLabel").startswith(("mmu", "other"))
    page.keyboard.press("ArrowUp")
    expect(tile(page, "heap")).to_be_focused()
    page.keyboard.press("Enter")
    assert crumbs(page) == ["physmem", "heap"]
    expect(tile(page, "allocated")).to_be_focused()
    page.keyboard.press("Enter")  # a leaf: nothing to open
    assert crumbs(page) == ["physmem", "heap"]
    page.keyboard.press("Escape")
    expect(tile(page, "heap")).to_be_focused()


def test_focus_covers_nothing(page: Page, show: Callable[..., Treemap]) -> None:
    """The ring stands around the focused tile; what is drawn in the tile stays in sight."""
    show(system_2(), rule="exact")
    page.evaluate("treemap.zoomOut(); treemap.elements[treemap.now].focus()")
    ring = page.locator(".mm-ring")
    expect(ring).to_be_visible()
    assert ring.bounding_box() == tile(page, "VMOs/processes").bounding_box()
    hidden = page.evaluate(
        "() => [...document.querySelectorAll('.mm-label')].filter((label) => {"
        " const { left, top } = label.getBoundingClientRect();"
        " return !label.parentElement.contains(document.elementFromPoint(left + 6, top + 6)); })"
        ".map((label) => label.textContent)"
    )
    assert hidden == []


def test_tiles_are_a_tree_for_assistive_technology(
    page: Page, show: Callable[..., Treemap]
) -> None:
    """The stage is a tree of labelled items with their place in the set; the rest is hidden."""
    show(system_2())
    items = page.locator('.mm-stage [role="treeitem"]')
    count = items.count()
    assert count == 5
    for at in range(count):
        assert items.nth(at).get_attribute("aria-setsize") == str(count)
        assert items.nth(at).get_attribute("aria-posinset") == str(at + 1)
        assert items.nth(at).get_attribute("aria-label")
    assert page.locator('.mm-tile:not([role="treeitem"]):not([aria-hidden="true"])').count() == 0
    assert page.locator('.mm-stage [tabindex="0"]').count() == 1
    controls = page.locator(".mm-controls button, .mm-controls input, .mm-controls select")
    assert controls.count() <= 7
    for at in range(controls.count()):
        control = controls.nth(at)
        assert control.inner_text() or control.get_attribute("aria-label")


def test_search_highlights_and_leads_there(page: Page, show: Callable[..., Treemap]) -> None:
    """Names in any case and koids are found, counted and ringed; Enter goes from find to find."""
    show(system_2())
    field = page.get_by_role("searchbox")
    field.fill("LAUNCHPAD")
    expect(page.locator(".mm-count")).to_have_text("2 found")  # a process, and a VMO in it
    assert page.locator(".mm-found.mm-open .mm-header b", has_text="launchpad").count() == 1
    assert page.locator(".mm-found-near").count() > 5  # what is in it is not dimmed
    field.fill("1032")
    expect(page.locator(".mm-count")).to_have_text("2 found")
    assert page.locator(".mm-found:not(.mm-open)").count() == 2
    field.press("Enter")
    assert crumbs(page)[-1] in {"p:1058 bin/devmgr", "hidden: handle only"}
    expect(field).to_be_focused()
    field.press("Escape")
    expect(page.locator(".mm-count")).to_have_text("")
    assert page.locator(".mm-found, .mm-dim").count() == 0


def test_small_tiles_are_one_that_opens(page: Page, show: Callable[..., Treemap]) -> None:
    """Tiles too small to see merge into others (n, size), which opens on click and on Enter."""
    vmos = {"big": Vmo(100_000, range(100_000), name="big")}
    vmos |= {f"v{n}": Vmo(1, name=f"small-{n}") for n in range(40)}
    treemap = show(machine(vmos, {"a": list(vmos)}))
    process = treemap.tree.find(101)
    page.evaluate(f"treemap.open({{ node: {process.index} }})")
    merged = page.locator(".mm-others")
    assert merged.count() == 1
    expect(tile(page, "others (40, 160k)")).to_be_visible()
    merged.click()
    assert crumbs(page)[-1] == "others (40, 160k)"
    assert page.locator('.mm-stage [role="treeitem"]').count() == 40
    page.keyboard.press("Escape")
    expect(tile(page, "others (40, 160k)")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.locator('.mm-stage [role="treeitem"]').count() == 40


def test_the_table_has_the_same_numbers(page: Page, show: Callable[..., Treemap]) -> None:
    """The table lists every part of the level with Python's sizes; its names lead on."""
    treemap = show(system_2())
    page.evaluate(f"treemap.open({{ node: {treemap.tree.find(1253).index} }})")
    page.get_by_role("button", name="Table").click()
    rows = page.locator(".mm-table tbody tr")
    children = sorted(treemap.tree.find(1253).children, key=lambda node: -node.size_bytes)
    assert rows.count() == len(children)
    for at, child in enumerate(children):
        cells = rows.nth(at).locator("td").all_inner_texts()
        assert cells[0] == child.label
        assert cells[3] == format_size(int(child.size_bytes))
        assert cells[4].startswith(f"{int(child.size_bytes):,}")
    page.locator(".mm-table button", has_text="mmap-anonymous[2]").click()
    assert crumbs(page)[-1] == "mmap-anonymous[2]"
    assert rows.count() == 2


def test_a_long_level_is_listed_in_pages(page: Page, show: Callable[..., Treemap]) -> None:
    """Of a level of 700 parts the table shows 500, and the others on request."""
    vmos = {f"v{n}": Vmo(1, name=f"vmo-{n}") for n in range(700)}
    treemap = show(machine(vmos, {"a": list(vmos)}))
    page.evaluate(f"treemap.open({{ node: {treemap.tree.find(101).index} }})")
    page.get_by_role("button", name="Table").click()
    assert page.locator(".mm-table tbody tr").count() == 500
    page.get_by_role("button", name="200 more").click()
    assert page.locator(".mm-table tbody tr").count() == 700
    expect(page.get_by_role("button", name="more")).to_be_hidden()


def test_the_unit_can_be_fixed(page: Page, show: Callable[..., Treemap]) -> None:
    """The unit switch changes every size on screen."""
    vmos = show(system_2()).tree.find("VMOs/processes")
    page.get_by_label("Unit of sizes").select_option("k")
    assert page.locator(".mm-header i").first.inner_text() == format_size(int(vmos.size_bytes), "k")
    assert "wired 27792k" in page.locator(".mm-words").inner_text()


def test_free_memory_can_be_drawn(page: Page, show: Callable[..., Treemap]) -> None:
    """Free memory of more than half is in the bar until it is asked for; the words say so."""
    show(system_2())
    assert tile(page, "free").count() == 0
    assert "The tiles leave out free 965.3M" in page.locator(".mm-words").inner_text()
    page.get_by_role("button", name="Free").click()
    expect(tile(page, "free: 965.3M")).to_be_visible()
    assert "leave out" not in page.locator(".mm-words").inner_text()
    page.get_by_role("button", name="Free").click()
    assert tile(page, "free").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_word_can_be_read(page: Page, show: Callable[..., Treemap], theme: Any) -> None:
    """In both themes each word on screen has 4.5 : 1 against what is behind it."""
    page.emulate_media(color_scheme=theme)
    show(system_2(), rule="exact")
    for step in ("", "search", "table"):
        if step == "search":
            page.get_by_role("searchbox").fill("lib")
        if step == "table":
            page.get_by_role("button", name="Table").click()
        page.mouse.move(400, 300)
        found = page.evaluate(CONTRASTS)
        assert len(found) > 30
        assert [entry for entry in found if entry[0] < 4.5 and entry[1] != "mm-button"] == []
    ground = page.evaluate(
        "getComputedStyle(document.querySelector('.mm-treemap')).backgroundColor"
    )
    assert ground == ("rgb(255, 255, 255)" if theme == "light" else "rgb(21, 24, 27)")


def test_nothing_jumps(page: Page, show: Callable[..., Treemap]) -> None:
    """Hovering, searching, zooming and the table leave every part of the page where it was."""
    treemap = show(system_2())
    places = (
        "() => ['.mm-controls', '.mm-frame', '.mm-words', '.mm-legend'].map((part) =>"
        " JSON.stringify(document.querySelector(part).getBoundingClientRect()))"
    )
    before = page.evaluate(places)
    page.mouse.move(300, 300)
    page.get_by_role("searchbox").fill("nothing has this name")
    page.evaluate(f"treemap.open({{ node: {treemap.tree.find('VMOs/processes').index} }})")
    page.get_by_role("button", name="Table").click()
    assert page.evaluate(places) == before


@pytest.mark.parametrize("width", [360, 700])
def test_a_narrow_window_shows_all(page: Page, show: Callable[..., Treemap], width: int) -> None:
    """In a narrow window nothing stands out to the side, and the tiles are laid out anew."""
    show(system_2())
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_function("() => treemap.drawnAt.split(' ')[0] == treemap.stage.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    right = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.mm-tile')]"
        ".map((tile) => tile.getBoundingClientRect().right))"
    )
    assert right <= width


def test_names_stay_text(page: Page, show: Callable[..., Treemap]) -> None:
    """Markup in names is shown as written; none of it runs or becomes an element."""
    name = "<img src=x onerror=alert(1)>"
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    vmos = {"v": Vmo(900, name=name), "w": Vmo(300, name="</script><script>alert(2)//")}
    show(machine(vmos, {name: ["v"], "b": ["w"]}, name="<b>title</b>"))
    page.get_by_role("searchbox").fill("<")
    expect(page.locator(".mm-count")).to_have_text("3 found")
    page.locator(".mm-label b", has_text="<img").first.hover()
    assert page.locator(".mm-tip > b").inner_text() == name
    page.get_by_role("button", name="Table").click()
    assert page.locator("#treemap img, #treemap script").count() == 0
    assert page.title().startswith("<b>title</b>: ")


def test_motion_stops_when_the_system_asks(page: Page, show: Callable[..., Treemap]) -> None:
    """A zoom shows where it leads by a frame that flies; not with reduced motion."""
    inside = show(system_2()).tree.find("VMOs/processes").index
    flights = (
        f"() => {{ treemap.open({{ node: {inside} }});"
        " return document.querySelectorAll('.mm-flight').length }"
    )
    assert page.evaluate(flights) == 1
    page.wait_for_function("() => !document.querySelector('.mm-flight')")
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("treemap.zoomOut()")
    assert page.evaluate(flights) == 0


def test_a_hundred_thousand_leaves(page: Page, show: Callable[..., Treemap]) -> None:
    """A large machine is read from its compressed data and drawn in at most 5,000 tiles."""
    treemap = show(big_machine())
    assert page.evaluate("treemap.tree.length") == len(treemap.tree)
    assert 500 < page.locator(".mm-tile").count() <= 5000
    page.get_by_role("searchbox").fill("service-77")
    expect(page.locator(".mm-count")).to_have_text("11 found")
    page.get_by_role("searchbox").press("Enter")
    assert crumbs(page)[-1].startswith("j:")


def test_by_vmo_and_selection(page: Page, show: Callable[..., Treemap]) -> None:
    """By VMO each VMO holds its processes; what is chosen is told as koids."""
    show(system_2(), by="vmo")
    page.evaluate("treemap.onSelect = (koids, label) => (globalThis.chosen = [koids, label])")
    page.locator(".mm-header b", has_text="bootfs").first.click()
    assert page.evaluate("chosen") == [["1032"], "bootfs"]
    tile(page, "p:1058 bin/devmgr").click()
    assert page.evaluate("chosen") == [["1058"], "bin/devmgr"]


def test_other_data_keeps_the_place(page: Page, show: Callable[..., Treemap]) -> None:
    """`update` with a new state of the same machine stays in the process that was open."""
    treemap = show(system_2())
    page.evaluate(f"treemap.open({{ node: {treemap.tree.find(1253).index} }})")
    other = magmem.treemap(system_2(), rule="exact").payload()
    page.evaluate("(data) => treemap.update(data)", other)
    assert crumbs(page)[-1] == "p:1253 launchpad"
    assert "3774.7k" in page.locator(".mm-words").inner_text()
    page.evaluate("treemap.destroy()")
    assert page.locator("#treemap > *").count() == 0

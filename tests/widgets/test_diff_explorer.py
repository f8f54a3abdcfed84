"""The diff view: every row in one line of the table, sums to the byte, unknown stays unknown."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import traitlets
from magmem_widgets import DiffExplorer
from support.random_snapshots import random_machine

import magmem
from magmem import Machine, Snapshot
from magmem.accounting.attribution import attribution_of

WHATS = ("processes", "vmos", "holders", "memory")


def machines() -> tuple[Snapshot, Snapshot]:
    """Process a grows by 448k and leaks 4M by a handle, b shrinks by 64k, c goes, d comes."""
    m = Machine(memory="256M", seed=1)
    a, b, c = (m.root_job.spawn(name) for name in "abc")
    heap = a.map(a.create_vmo("1M", name="heap"))
    heap.touch("64k", write=True)
    spare = b.create_vmo("1M", name="spare")
    b.map(spare).touch("128k", write=True)
    before = m.snapshot(name="before")
    heap.touch("512k", write=True)
    a.create_vmo("4M", name="leak").commit()
    spare.decommit("64k", "64k")
    c.kill()
    m.root_job.spawn("d")
    return before, m.snapshot(name="after")


@pytest.fixture
def explorer() -> DiffExplorer:
    """Those two."""
    return DiffExplorer(*machines())


def marks(explorer: DiffExplorer) -> list[dict[str, Any]]:
    """What is drawn."""
    found: list[dict[str, Any]] = explorer.view.scene["marks"]
    return found


def acts(explorer: DiffExplorer, word: str) -> list[str]:
    """What can be clicked and begins with this word, in order of drawing."""
    return [mark["act"] for mark in marks(explorer) if mark.get("act", "").startswith(word)]


def lines_sum(explorer: DiffExplorer) -> tuple[Fraction, Fraction]:
    """The lines of the table added up, and its last line."""
    changes = explorer.changes
    assert changes is not None
    chosen = explorer._selected(changes)
    *lines, (word, total) = explorer._lines(changes, chosen)
    assert word == "all"
    return sum((by for _, by in lines if by is not None), Fraction(0)), Fraction(total)


def test_each_kind_has_its_tint_and_its_sign(explorer: DiffExplorer) -> None:
    """Process a grew, b shrank, c went, d came; the boxes above say how many and by how much."""
    said = {mark["act"]: mark["s"] for mark in marks(explorer) if "kind" in mark.get("act", "")}
    assert said["kind grew"].startswith("▲ grew 1: +")
    assert said["kind shrank"].startswith("▼ shrank 1: −")
    assert said["kind came"].startswith("✚ came 1: +")
    assert said["kind went"].startswith("✕ went 1: −")
    tints = {
        mark["tip"].split(" (")[0]: mark["t"]
        for mark in marks(explorer)
        if mark.get("act", "").startswith("row") and mark["t"] != "clear"
    }
    assert tints == {"a": "grew", "b": "shrank", "c": "went", "d": "came"}


@pytest.mark.parametrize("what", WHATS)
def test_total_is_the_change_of_totals(what: str) -> None:
    """The last line is the difference of what both states have in all, taken from them directly."""
    before, after = machines()
    explorer = DiffExplorer(before, after, what=what)
    owned = attribution_of(after).alloc_bytes - attribution_of(before).alloc_bytes
    pss = [Fraction(sum(magmem.account(snap, "exact").df["pss_bytes"])) for snap in (before, after)]
    hidden = [magmem.ledger(snap).statement for snap in (before, after)]
    parts = ("handle-only", "kernel-only", "kernel-mapped")
    expected = {
        "processes": pss[1] - pss[0],
        "vmos": owned,
        "holders": sum(hidden[1][part] - hidden[0][part] for part in parts),
        "memory": 0,
    }[what]
    assert lines_sum(explorer) == (expected, expected)
    assert explorer.changes is not None
    total = explorer.changes.total
    assert total.after_bytes - total.before_bytes == expected


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("order", ["change", "after"])
def test_no_row_is_lost_or_counted_twice(seed: int, order: str) -> None:
    """Whatever is filtered, opened or selected, the table's lines add up to its last, exactly."""
    explorer = DiffExplorer(random_machine(seed), random_machine(seed + 1000), order=order)
    for what in WHATS:
        explorer.what = what
        changes = explorer.changes
        assert changes is not None
        for kinds in ((), ("grew",), ("came", "went"), ("grew", "shrank", "came", "went")):
            explorer.kinds = kinds
            for skip in (0, 3, 1000):
                explorer.skip = skip
                for row in (None, 0, changes.total.count - 1):
                    explorer.selected = "" if row is None else changes[row].title
                    added, total = lines_sum(explorer)
                    assert added == total == changes.total.change_bytes
                    assert not explorer.view.is_error, explorer.view.sentence


def test_tiles_are_sized_by_what_is_chosen(explorer: DiffExplorer) -> None:
    """Areas go by |change|, or by the size after; then what stayed the same is drawn too."""
    for order in ("change", "after"):
        explorer.what, explorer.order = "vmos", order
        changes = explorer.changes
        assert changes is not None
        tiles = [
            mark
            for mark in marks(explorer)
            if mark.get("act", "").startswith("row") and mark["x"] < 370 and mark["w"] != 376
        ]
        area = {int(mark["act"].split()[1]): mark["w"] * mark["h"] for mark in tiles}
        sizes = {row: getattr(changes[row], f"{order}_bytes") for row in area}
        first = max(area, key=lambda row: area[row])
        for row, size in sizes.items():
            assert area[row] / area[first] == pytest.approx(abs(size / sizes[first]), abs=0.01)
    assert any(mark["t"] == "other" for mark in tiles), "what stayed the same is drawn too"


def test_a_click_selects_a_row_and_the_sentence_tells_it(explorer: DiffExplorer) -> None:
    """A tile's click rings tile and row; a second click takes the selection back."""
    explorer.what = "holders"
    (row,) = set(acts(explorer, "row"))
    explorer.view._handle_custom_msg({"act": row}, [])
    assert explorer.selected.startswith("a (")
    assert explorer.view.sentence == (
        f"{explorer.selected} holds 4M more by handles alone (0B → 4M); no mapping shows it."
    )
    assert [mark["act"] for mark in marks(explorer) if mark.get("ring")] == [row, row]
    explorer.view._handle_custom_msg({"act": row}, [])
    assert explorer.selected == ""


def test_sentences_of_processes(explorer: DiffExplorer) -> None:
    """Grew and shrank with both sizes, came with its size, went with what it had."""
    changes = explorer.changes
    assert changes is not None
    said = {}
    for row in range(changes.total.count):
        explorer.selected = changes[row].title
        said[changes[row].name] = explorer.sentence().partition(" (")[2].partition(") ")[2]
    assert said["a"].startswith("grew by 44")
    assert said["b"].startswith("shrank by ")
    assert explorer.sentence().startswith(f"{changes[3].title} is new: it has an exact PSS of ")
    explorer.selected = changes[2].title
    assert " is gone: it had an exact PSS of " in explorer.sentence()


def test_a_selection_stays_where_it_still_exists(explorer: DiffExplorer) -> None:
    """From processes to holders it is the same process; physical memory knows no process."""
    changes = explorer.changes
    assert changes is not None
    title = next(changes[row].title for row in range(4) if changes[row].name == "a")
    explorer.selected = title
    explorer.what = "holders"
    assert explorer.selected == title
    explorer.what = "memory"
    assert explorer.selected == ""


def test_kinds_can_be_hidden(explorer: DiffExplorer) -> None:
    """A click on a kind takes its tiles and rows away; their sum stays in the table."""
    explorer.view._handle_custom_msg({"act": "kind grew"}, [])
    assert explorer.kinds == ("shrank", "came", "went")
    assert "grew" not in {
        mark["t"] for mark in marks(explorer) if mark.get("act", "").startswith("row")
    }
    assert "not shown (" in explorer.summary()
    explorer.view._handle_custom_msg({"act": "kind grew"}, [])
    assert explorer.kinds == ("grew", "shrank", "came", "went")


def test_others_open() -> None:
    """Thirty equal VMOs: ten rows, then the others, which a click shows; the larger lead back."""
    m = Machine(memory="256M")
    a = m.root_job.spawn("a")
    before = m.snapshot()
    for number in range(30):
        a.create_vmo("64k", name=f"v{number}").commit()
    explorer = DiffExplorer(before, m.snapshot(), what="vmos")
    assert acts(explorer, "skip") == ["skip 10"]
    explorer.act("skip 10")
    assert acts(explorer, "skip") == ["skip 0", "skip 19"]
    assert "v10" in explorer.summary()
    explorer.act("skip 19")
    assert "larger (19)" in explorer.summary()
    assert explorer.view.scene["marks"][0] == DiffExplorer(before, before).view.scene["marks"][0]
    explorer.what = "processes"
    assert explorer.skip == 0


def test_small_tiles_are_merged() -> None:
    """With one huge change and many small ones, the small ones are one tile that opens."""
    m = Machine(memory="256M")
    a = m.root_job.spawn("a")
    before = m.snapshot()
    a.create_vmo("64M", name="big").commit()
    for number in range(60):
        a.create_vmo("4k", name=f"v{number}").commit()
    explorer = DiffExplorer(before, m.snapshot(), what="vmos")
    (tile,) = [mark for mark in marks(explorer) if mark["t"] == "other"]
    assert tile["s"].startswith("others (") or not tile["s"]
    assert tile["tip"] == "60 smaller ones; click or Enter shows the largest of them"
    assert tile["act"] == "skip 1"


def test_nothing_changed() -> None:
    """A state against itself: it says so."""
    before, _ = machines()
    explorer = DiffExplorer(before, before)
    assert explorer.sentence().endswith("and nothing changed.")
    assert "nothing changed" in [mark["s"] for mark in marks(explorer)]


@pytest.mark.parametrize("what", WHATS)
def test_unknown_stays_unknown(what: str) -> None:
    """A capture without processes or statistics: no 0 anywhere, but why it is not known."""
    pair = magmem.read_capture("guide-ps"), magmem.read_capture("guide-kstats")
    explorer = DiffExplorer(*pair, what=what)
    assert explorer.sentence().startswith("Not known. ")
    assert "one state" in explorer.sentence()
    assert not explorer.view.is_error
    assert any("not known" in mark["s"] for mark in marks(explorer))
    said = [mark["s"] for mark in marks(explorer)]
    assert {"▲ grew: ?", "▼ shrank: ?", "✚ came: ?", "✕ went: ?"} <= set(said)
    assert not any("0" in text for text in said)


def test_one_unknown_size_among_known_ones() -> None:
    """A process whose PSS one state does not tell has a line of its own with a question mark."""

    def capture(*sizes: int | None) -> Snapshot:
        tasks = {
            "koid": [5, 6],
            "kind": ["process", "process"],
            "name": ["x", "y"],
            "reported_pss_bytes": list(sizes),
        }
        return Snapshot.of({"tasks": tasks}, coverage={"processes": "complete"})

    explorer = DiffExplorer(capture(4096, 8192), capture(None, 12288))
    assert explorer.sentence().endswith(" Of 1 more one state does not tell the size.")
    assert "?  not known (1)" in explorer.summary()
    explorer.selected = "x (5)"
    assert explorer.sentence() == (
        "x (5): one state does not tell its size, so its change is not known."
    )


def test_errors_are_the_sentence(explorer: DiffExplorer) -> None:
    """A title that is not there is named, with some that are; the picture stays as it was."""
    scene = explorer.view.scene
    explorer.selected = "nobody"
    assert explorer.view.is_error
    assert explorer.view.sentence.startswith("no 'nobody' here; the largest changes are of a (")
    assert explorer.view.scene == scene
    with pytest.raises(traitlets.TraitError, match="kinds of grew, shrank, came, went, found 'x'"):
        explorer.kinds = ("x",)


def test_controls_follow(explorer: DiffExplorer) -> None:
    """Buttons and traits are one; with the kinds there are six controls."""
    what, order = explorer.children[0].children
    what.value = "vmos"
    order.value = "after"
    assert (explorer.what, explorer.order) == ("vmos", "after")
    assert "VMOs" in explorer.sentence()


@pytest.mark.parametrize("what", WHATS)
def test_everything_stays_on_the_sheet(what: str, explorer: DiffExplorer) -> None:
    """Every rectangle is on one sheet of one size, also when others are open."""
    explorer.what = what
    for skip in (0, 1):
        explorer.skip = skip
        scene = explorer.view.scene
        assert (scene["width"], scene["height"]) == (760, 420)
        for mark in scene["marks"]:
            if mark["k"] == "r":
                assert -0.01 <= mark["x"] <= scene["width"] - mark["w"] + 0.01
                assert -0.01 <= mark["y"] <= scene["height"] - mark["h"] + 0.01


def test_names_cannot_break_lines() -> None:
    """A name with a line break or markup is text in one line."""
    m = Machine(memory="64M")
    before = m.snapshot(name="<i>")
    m.root_job.spawn("a\n<b>")
    explorer = DiffExplorer(before, m.snapshot())
    assert "a\\n<b> (" in explorer.sentence()
    (row,) = {mark["tip"] for mark in marks(explorer) if "row" in mark.get("act", "")}
    assert row.splitlines()[0].startswith("a\\n<b> (")


def test_two_explorers_do_not_disturb_one_another() -> None:
    """Each has its own state."""
    one, other = DiffExplorer(*machines()), DiffExplorer(*machines())
    one.what = "memory"
    assert other.what == "processes"
    assert other.view.scene != one.view.scene


def test_a_machine_is_taken_as_it_is_now() -> None:
    """A machine works in place of a snapshot."""
    m = Machine(memory="64M")
    before = m.snapshot()
    m.root_job.spawn("sh")
    assert "1 came" in DiffExplorer(before, m).sentence()


@pytest.mark.parametrize("dark", [False, True])
def test_still_form(explorer: DiffExplorer, dark: bool) -> None:
    """The figure has the texts of the scene."""
    texts = {text.get_text() for text in explorer.figure(dark=dark).axes[0].texts}
    assert "Difference of before and after" in texts
    assert "change" in texts


def test_notebook_keeps_text_and_picture(explorer: DiffExplorer) -> None:
    """Where no kernel runs, a saved notebook shows the still form and the summary."""
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"].startswith("Difference of before and after")
    assert data["image/png"]

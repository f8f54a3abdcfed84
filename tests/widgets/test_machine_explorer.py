"""The machine explorer: what it shows is what `ps` and the rules say; what is done moves it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import traitlets
from magmem_widgets import MachineExplorer, TreemapView
from magmem_widgets.theme import ASSETS, script

import magmem
from magmem.treemap.payload import encode


@pytest.fixture
def explorer() -> MachineExplorer:
    """The small described machine: 3 processes, every page known."""
    return MachineExplorer(magmem.read_capture("small-machine"))


def do(explorer: MachineExplorer, what: str, **content: Any) -> None:
    """What the table sends when something is done."""
    version = explorer.view.sheet["version"]
    message = {"do": what, "view": "v", "seq": 1, "version": version, **content}
    # Not by the view, which would log an exception instead of raising it.
    explorer._message(explorer.view, message, [])


def names(explorer: MachineExplorer) -> list[str]:
    """Names of the lines that were sent."""
    return [row[3] for row in explorer.view.sheet["rows"]]


def test_lines_are_those_of_ps(explorer: MachineExplorer) -> None:
    """In the order of ps, with the numbers of ps, in its form."""
    explorer.column = ""
    listed = magmem.ps(explorer.snap).df
    lines = explorer.table()
    assert lines["koid"].tolist() == listed["koid"].tolist()
    for column in ("pss_bytes", "private_bytes", "shared_bytes"):
        assert lines[column].tolist() == listed[column].tolist()
    printed = str(magmem.ps(explorer.snap)).splitlines()[1:-1]
    for row, text in zip(explorer.view.sheet["rows"], printed, strict=True):
        assert [size for size in row[4:7] if size] == text.split()[1 : 1 + sum(map(bool, row[4:7]))]


def test_rules_give_their_own_numbers(explorer: MachineExplorer) -> None:
    """Each process is charged what `account` charges it; the treemap follows the rule."""
    for rule in ("magenta-2017", "exact"):
        explorer.rule = rule
        told = magmem.account(explorer.snap, rule).df.set_index("koid")
        lines = explorer.table().query("kind == 'process'").set_index("koid")
        assert lines["pss_bytes"].to_dict() == told["pss_bytes"].to_dict()
        expected = magmem.treemap(explorer.snap, rule=rule)
        assert explorer.tiles.payload == encode(expected.payload())


def test_a_rule_that_cannot_be_used_says_why_and_the_last_one_stays() -> None:
    """An error in input is the sentence; the table is as it was."""
    explorer = MachineExplorer(magmem.read_capture("guide-ps"))
    before = explorer.view.sheet["rows"]
    do(explorer, "set", name="rule", value="exact")
    assert explorer.view.is_error
    assert explorer.view.sentence.startswith("This capture has no mappings")
    assert explorer.rule == "magenta-2017"
    assert explorer.view.sheet["rows"] == before
    do(explorer, "set", name="unit", value="k")
    assert not explorer.view.is_error


def test_a_click_on_a_head_sorts_turns_and_gives_back_the_order_of_ps(
    explorer: MachineExplorer,
) -> None:
    """Largest first, then smallest first, then as ps prints."""
    states = []
    for _ in range(3):
        do(explorer, "sort", column="shared")
        states.append((explorer.column, explorer.descending))
    assert states == [("shared", True), ("shared", False), ("", True)]
    do(explorer, "sort", column="name")
    assert (explorer.column, explorer.descending) == ("name", False)
    do(explorer, "sort", column="<b>")
    assert explorer.column == "name"


def test_enter_goes_in_and_escape_comes_out(explorer: MachineExplorer) -> None:
    """From the root to a run of pages and back, each step one level, the treemap with it."""
    seen = []
    for _ in range(5):
        at = max(explorer.view.sheet["at"], 0)
        do(explorer, "drill", at=at)
        seen.append(explorer.selected)
    heap = seen[2]
    assert seen[:2] == ["1079", "1107"]
    assert heap.startswith("1107/")
    assert [key.count("/") for key in seen] == [0, 0, 1, 2, 3]
    assert explorer.tiles.chosen == {"koids": heap.split("/"), "zoom": True}
    for above in [*seen[-2::-1], "1028", "1028"]:
        do(explorer, "up", at=explorer.view.sheet["at"])
        assert explorer.selected == above
    assert [key for key, _ in explorer.view.sheet["crumbs"]] == ["1028"]


def test_closing_a_row_takes_the_choice_out_of_it(explorer: MachineExplorer) -> None:
    """What is chosen inside a row that closes gives way to that row."""
    explorer.select("1080/1036")
    assert "1036 lib/libfdio.so" in names(explorer)
    explorer.collapse(1080)
    assert explorer.selected == "1080"
    assert "1036 lib/libfdio.so" not in names(explorer)
    explorer.collapse(1079)
    assert explorer.selected == "1079"
    assert len(explorer.view.sheet["rows"]) == 3
    explorer.expand(1079)
    assert len(explorer.view.sheet["rows"]) == 5


def test_filter_finds_names_koids_and_who_has_a_vmo(explorer: MachineExplorer) -> None:
    """Processes that map a VMO of that name stay, and show just these VMOs when opened."""
    do(explorer, "set", name="wanted", value="libfdio")
    lines = explorer.view.sheet["rows"]
    assert [row[3] for row in lines if row[0] == "process"] == [
        "p:1107 devhost:pci#3:8086:2922",
        "p:1080 devhost:root",
        "p:1056 bin/devmgr",
    ]
    assert lines[2][7].startswith("2 VMOs found; ")
    explorer.expand(1080)
    assert [row[3] for row in explorer.view.sheet["rows"] if row[0] == "vmo"] == [
        "1036 lib/libfdio.so",
        "1083 lib/libfdio.so",
    ]
    explorer.wanted = "1056"
    assert names(explorer) == ["j:1028 root", "p:1056 bin/devmgr"]
    explorer.wanted = "nothing like it"
    assert explorer.view.sheet["total"] == 0


def test_a_click_on_a_tile_chooses_its_row(explorer: MachineExplorer) -> None:
    """The row is opened up to it; what has no row is said, and nothing is chosen."""
    path = [["job", "1028"], ["job", "1079"], ["process", "1080"], ["vmo", "1036"]]
    explorer.tiles._handle_custom_msg({"koids": ["1036"], "path": path, "said": "x"}, [])
    assert explorer.selected == "1080/1036"
    assert explorer.view.sheet["rows"][explorer.view.sheet["at"]][3] == "1036 lib/libfdio.so"
    said = "wired: 23.5M, 9.2% of physmem."
    explorer.tiles._handle_custom_msg({"koids": [], "path": [], "said": said}, [])
    assert (explorer.selected, explorer.view.sentence) == ("", said)
    assert explorer.tiles.chosen["koids"] == []
    explorer.select(1080)
    assert explorer.view.sentence.startswith("PSS of p:1080 devhost:root is 675.3k")


def test_sentence_says_the_parts(explorer: MachineExplorer) -> None:
    """PSS = private + its part of the shared, and what ps does not count."""
    told = magmem.ps(explorer.snap).df.set_index("koid").loc[1080]
    scaled = magmem.format_size(int(told["pss_bytes"] - told["private_bytes"]))
    explorer.selected = "1080"
    assert f"372k of its own and {scaled}, its part of the 824k it shares." in explorer.sentence()
    assert explorer.sentence().endswith("By handle only it has 1 VMO with 4k: not in PSS.")


def test_lines_out_of_sight_are_sent_when_asked_for() -> None:
    """Only a window is sent; another is answered to the view that asks, and to no other."""
    machine = magmem.Machine(memory="256M", seed=1)
    for number in range(100):
        machine.root_job.spawn(f"p{number}")
    explorer = MachineExplorer(machine, column="")
    assert explorer.view.sheet["total"] > 100
    assert len(explorer.view.sheet["rows"]) == 60
    answers: list[dict[str, Any]] = []
    explorer.view.send = answers.append
    do(explorer, "rows", first=90, count=10)
    assert answers[0]["to"] == "v"
    expected = explorer.table()["name"].tolist()[90:100]
    assert [row[3].split(" ")[1] for row in answers[0]["rows"]] == expected
    for wrong in ({"first": -1, "count": 5}, {"first": 0, "count": 10**9}, {"first": "0"}):
        do(explorer, "rows", **wrong)
    do(explorer, "rows", first=0, count=5, version=-7)
    assert len(answers) == 1


def test_a_key_that_came_before_the_answer_means_the_line_it_was_on(
    explorer: MachineExplorer,
) -> None:
    """A line is meant as it was on screen, whatever has been opened above it since."""
    version = explorer.view.sheet["version"]
    do(explorer, "open", at=2)
    assert explorer.view.sheet["version"] == version + 1
    do(explorer, "select", at=4, version=version)
    assert explorer.selected == "1056"
    do(explorer, "select", at=4, version=-1)
    do(explorer, "select", at=10**6)
    do(explorer, "select", at="4")
    assert explorer.selected == "1056"


def test_csv_is_what_is_shown(explorer: MachineExplorer, tmp_path: Path) -> None:
    """The lines in their order, sizes in bytes; unknown is empty; saved whole."""
    explorer.expand(1080)
    explorer.save_csv(tmp_path / "shown.csv")
    text = (tmp_path / "shown.csv").read_text()
    assert text == explorer.csv()
    read = pd.read_csv(io.StringIO(text))
    assert read["key"].tolist() == [str(key) for key in explorer.table()["key"]]
    assert read["pss_bytes"].iloc[0] == 4_009_980
    answers: list[dict[str, Any]] = []
    explorer.view.send = answers.append
    do(explorer, "export")
    assert answers == [{"to": "v", "csv": text, "name": "system-1.csv"}]
    partial = MachineExplorer(magmem.read_capture("guide-vmaps"))
    assert partial.csv().splitlines()[1].startswith("process,0,2470,,,,,")


@pytest.mark.parametrize("capture", ["guide-ps", "guide-vmaps", "guide-vmos", "linux-lab"])
def test_partial_captures_are_shown_as_far_as_they_go(capture: str) -> None:
    """Every process opens; what is unknown is ?, and summary, figure and treemap still work."""
    explorer = MachineExplorer(magmem.read_capture(capture))
    explorer.expand(*explorer.snap.processes["koid"].tolist())
    assert explorer.view.sheet["total"] > len(explorer.snap.processes)
    known = {size for row in explorer.view.sheet["rows"] for size in row[4:7]}
    assert ("?" in known) == capture.startswith("guide-vm")
    assert explorer.figure()._repr_png_()
    assert explorer.tiles.payload


def test_where_only_resident_sizes_are_known_they_sort() -> None:
    """PSS stays unknown; the largest resident size stands first and is named."""
    tasks = {
        "koid": [1, 2, 3, 4],
        "kind": ["job", "process", "process", "process"],
        "parent_koid": [None, 1, 1, 1],
        "name": ["root", "small", "large", "silent"],
        "reported_resident_bytes": [None, 4096, 8192, None],
    }
    explorer = MachineExplorer(magmem.Snapshot.of({"tasks": tasks}, root_job_koid=1))
    assert [row[3:5] for row in explorer.view.sheet["rows"]] == [
        ["j:1 root", "?"],
        ["p:3 large", "?"],
        ["p:2 small", "?"],
        ["p:4 silent", "?"],
    ]
    assert explorer.sentence().startswith(
        "PSS is unknown; p:3 large has the largest resident size, 8k,"
    )


@pytest.mark.parametrize("capture", ["guide-kstats", "guide-asd"])
def test_a_capture_without_processes_says_so(capture: str) -> None:
    """No lines, one sentence, no exception."""
    explorer = MachineExplorer(magmem.read_capture(capture))
    assert explorer.view.sheet["total"] == 0
    assert explorer.summary().startswith("NAME")
    assert "this capture has no" in explorer.view.sentence


def test_a_machine_is_read_anew() -> None:
    """`read` shows the state of this moment, and gives up the choice of what is gone."""
    machine = magmem.Machine(memory="64M", seed=1)
    process = machine.root_job.spawn("gone")
    explorer = MachineExplorer(machine, selected=str(process.koid))
    process.kill()
    assert explorer.selected == str(process.koid)
    explorer.read()
    assert explorer.selected == ""
    assert "gone" not in explorer.csv()


def test_wrong_input_is_refused(explorer: MachineExplorer) -> None:
    """Sources, keys and units that do not exist name what was expected."""
    with pytest.raises(TypeError, match="expected a Snapshot or a Machine, found str"):
        MachineExplorer("guide-ps")
    with pytest.raises(traitlets.TraitError, match="expected a koid of a task"):
        explorer.select(7)
    with pytest.raises(traitlets.TraitError):
        explorer.unit = "x"
    do(explorer, "set", name="unit", value="x")
    assert explorer.view.is_error
    do(explorer, "set", name="source", value="x")
    do(explorer, "crumb", key="<b>")
    assert explorer.selected == ""


def test_names_stay_text(explorer: MachineExplorer) -> None:
    """A name with a line break or markup is one line of text; the view sets no HTML."""
    machine = magmem.Machine(memory="64M")
    machine.root_job.spawn("a\n<b>x</b>")
    explorer = MachineExplorer(machine)
    assert any(name.endswith("a\\n<b>x</b>") for name in names(explorer))
    assert "\n<b>" not in explorer.summary()
    for module in ("machine", "machine_rows"):
        assert "innerHTML" not in (ASSETS / f"{module}.js").read_text()
    assert "\nimport " not in script("machine_rows", "machine")


def test_many_explorers_are_apart() -> None:
    """What is done in one changes no other."""
    snap = magmem.read_capture("small-machine")
    one, other = MachineExplorer(snap), MachineExplorer(snap)
    one.select(1080)
    do(one, "sort", column="name")
    assert (other.selected, other.column) == ("", "pss")


def test_notebook_keeps_text_and_picture(explorer: MachineExplorer) -> None:
    """Where no kernel runs, a saved notebook shows the still form and the summary."""
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == explorer.summary()
    assert data["image/png"]
    assert explorer.figure(dark=True)._repr_png_() != explorer.figure()._repr_png_()


def test_closing_leaves_no_comm(explorer: MachineExplorer) -> None:
    """Disposing closes the comms of the explorer, its table and its treemap."""
    assert isinstance(explorer.tiles, TreemapView)
    explorer.close()
    assert explorer.view.comm is None
    assert explorer.tiles.comm is None
    assert explorer.comm is None


def test_choosing_another_line_puts_no_line_into_words_again(
    explorer: MachineExplorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines on screen are kept until others, or other texts, are to be seen."""
    before = explorer.view.sheet["rows"]
    monkeypatch.setattr("magmem_widgets.machine.explorer.rows_data", None)
    do(explorer, "select", at=3)
    assert (explorer.view.sheet["at"], explorer.view.sheet["rows"]) == (3, before)
    with pytest.raises(TypeError):
        explorer.unit = "k"


def test_a_deep_chain_of_jobs_stays_on_the_sheet() -> None:
    """3,000 jobs in one another: the breadcrumb has a few steps, the still form stays in width."""
    count = 3000
    tasks = {
        "koid": range(1, count + 1),
        "kind": ["job"] * count,
        "parent_koid": [None, *range(1, count)],
        "name": [f"job-{number}" for number in range(count)],
    }
    snap = magmem.Snapshot.of({"tasks": tasks}, root_job_koid=1)
    explorer = MachineExplorer(snap, selected=str(count))
    steps = explorer.view.sheet["crumbs"]
    assert [key for key, _ in steps] == [str(koid) for koid in range(count - 7, count + 1)]
    assert steps[0][1] == "…"
    for mark in explorer.scene().marks:
        assert 0 <= mark.x <= 760
    do(explorer, "crumb", key=steps[0][0])
    assert explorer.selected == str(count - 7)

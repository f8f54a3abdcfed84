"""The hidden VMO explorer: its matrix is what the tools print, its words follow the state."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
import traitlets
from magmem_widgets import HiddenVmoExplorer

import magmem
from magmem.sim import Machine
from magmem.treemap import treemap

KEEPERS = ("handle", "mapping", "kernel_mapping", "clone")
STATES = [
    {**dict(zip(KEEPERS, on, strict=True)), "written": written}
    for on in product((False, True), repeat=4)
    for written in ((0, 3, 4) if on[3] else (0,))
]


def machine_of(state: dict[str, int], pages: int) -> tuple[Machine, int]:
    """A machine of its own in that state, and by how much its VMOs grew."""
    machine = magmem.Machine("64M")
    a, b = (machine.root_job.create_process(name) for name in "AB")
    a.start()
    b.start()
    a.create_event()  # the arena's first pages are there before the VMO
    before = machine.kmem.vmo_bytes
    data = a.create_vmo(pages * 4096, "data")
    data.commit()
    if state["mapping"]:
        a.map(data)
    if state["kernel_mapping"]:
        machine.kernel.map(data)
    if state["clone"]:
        copy = data.clone(name="copy").transfer(b)
        b.map(copy).touch(state["written"] * 4096, write=True)
    if not state["handle"]:
        data.close()
    return machine, machine.kmem.vmo_bytes - before


@pytest.mark.parametrize("state", STATES, ids=str)
def test_matrix_is_what_the_tools_print(state: dict[str, int]) -> None:
    """Every number of the matrix is the tool's own on a machine that holds this state alone."""
    explorer = HiddenVmoExplorer(pages=4, **state)
    machine, grown = machine_of(state, 4)
    snap = machine.snapshot()
    counted = {tool: sum(map(Fraction, sizes)) for tool, sizes in explorer.counted().items()}
    processes = magmem.ps(snap).df
    processes = processes[processes["kind"] == "process"]
    assert counted["ps"] == processes["pss_bytes"].sum()
    runs = {task.koid: task for task in machine.processes}
    maps = [magmem.vmaps(snap, koid).df for koid in runs]
    assert counted["vmaps"] == sum(frame["resident_bytes"].sum() for frame in maps)
    listed = [magmem.vmos(snap, koid).df.drop_duplicates("koid") for koid in runs]
    assert counted["vmos"] == sum(frame["committed_bytes"].sum() for frame in listed)
    hidden = magmem.k_vmos(snap, "hidden").df
    ours = hidden["name"].isin(["data", "copy"])
    assert counted["k mx vmos hidden"] == hidden.loc[ours, "committed_bytes"].sum()
    tiles = treemap(snap).df.set_index("node")
    of_process = tiles["parent"].map(tiles["kind"]) == "process"
    ours = of_process & tiles["name"].isin(["data", "copy"])
    assert counted["treemap"] == sum(tiles.loc[ours, "size_bytes"])
    assert counted["kstats -m"] == grown
    own = snap.vmos["name"].isin(["data", "copy"]).to_numpy()
    assert counted["ledger"] == own[snap.pages["vmo"]] @ snap.pages["page_count"] * 4096


@pytest.mark.parametrize("state", STATES, ids=str)
def test_hidden_bytes_are_those_of_the_report(state: dict[str, int]) -> None:
    """What the sentence calls hidden is what `magmem.hidden` lists for the VMO and its clone."""
    machine, _ = machine_of(state, 4)
    table = magmem.hidden(machine).df
    mine = table[table["name"].isin(["data", "copy"])]
    assert HiddenVmoExplorer(pages=4, **state).hidden_bytes() == mine["size_bytes"].sum()


def test_a_handle_alone_is_unseen_by_ps() -> None:
    """Unmapped memory with one handle: ps says 0, k mx vmos hidden and kstats say all."""
    explorer = HiddenVmoExplorer()
    assert explorer.summary().splitlines() == [
        "VMO of 8 pages, kept by: handle of A",
        "TOOL                  DATA     COPY",
        "ps                       0        0",
        "vmaps                    0        0",
        "vmos                32,768        0",
        "k mx vmos hidden    32,768        0",
        "treemap             16,384        0",
        "kstats -m           32,768        0",
        "ledger              32,768        0",
        *explorer.wrapped().splitlines(),
    ]
    assert explorer.sentence() == (
        "32k are committed: ps counts 0B, k mx vmos hidden lists 32k. "
        "32k are hidden: no process maps them, A's handle keeps them."
    )


def test_nothing_keeps_it() -> None:
    """Without handle, mapping and clone the VMO is gone, and no tool counts it."""
    explorer = HiddenVmoExplorer(handle=False)
    assert explorer.sentence().startswith("Nothing keeps the VMO")
    assert not any(map(any, explorer.counted().values()))


def test_clicks_toggle_keepers_and_write_pages() -> None:
    """A keeper's mark gives and takes it; a page of the clone is written, or the last one not."""
    explorer = HiddenVmoExplorer()
    for name in KEEPERS:
        before = getattr(explorer, name)
        explorer.view._handle_custom_msg({"act": f"toggle {name}"}, [])
        assert getattr(explorer, name) is not before
    explorer.act("write 5")
    assert explorer.written == 6
    explorer.act("write 5")
    assert explorer.written == 5
    assert explorer.view.sentence == explorer.sentence()


def test_controls_follow_and_are_few() -> None:
    """Buttons and slider are linked to the traits; no more than seven."""
    explorer = HiddenVmoExplorer(pages=6)
    *buttons, written = [control for box in explorer.children[:-1] for control in box.children]
    assert len(buttons) + 1 <= 7
    buttons[1].value = True
    assert explorer.mapping
    explorer.written = 4
    assert (written.value, written.max) == (4, 6)
    explorer.clone = False
    assert written.disabled, "without a clone there is nothing to write to"
    explorer.clone = True
    assert not written.disabled
    with pytest.raises(traitlets.TraitError):
        explorer.pages = 99


def test_every_state_fits_the_sheet() -> None:
    """Every mark lies on the sheet, whose size never changes, and what acts has words."""
    explorer = HiddenVmoExplorer(pages=12)
    for state in STATES:
        for name, value in state.items():
            setattr(explorer, name, value)
        scene = explorer.scene()
        assert (scene.width, scene.height) == (760, 372)
        for mark in scene.marks:
            assert 0 <= mark.x <= mark.x + mark.width <= 760
            assert 0 <= mark.y <= mark.y + mark.height <= 372
            assert mark.tip or not mark.act


def test_still_form() -> None:
    """A saved notebook has the picture and the text."""
    data, _ = HiddenVmoExplorer()._repr_mimebundle_()
    assert data["image/png"]
    assert data["text/plain"].startswith("VMO of 8 pages")

"""The treemap widget: its tree is `magmem.treemap`'s, its selection comes back as koids."""

from __future__ import annotations

import pytest
import traitlets
from magmem_widgets import TreemapExplorer, TreemapView

import magmem
from magmem.treemap.bundle import script
from magmem.treemap.payload import encode


def test_same_script_and_payload_as_the_page() -> None:
    """The notebook draws with the script of mem.html, from the payload of mem.html."""
    explorer = TreemapExplorer(magmem.scenarios.make("fork_like_clones"))
    page = explorer.treemap.html()
    assert explorer.view.payload in page
    assert script() in page
    assert str(explorer.view._esm).startswith(script())


def test_controls_choose_what_is_shown() -> None:
    """Side and rule follow the controls, and the view follows them."""
    machine = magmem.scenarios.make("fork_like_clones")
    explorer = TreemapExplorer(machine)
    by, rule = explorer.children[0].children
    by.value, rule.value = "vmo", "exact"
    expected = magmem.treemap(machine, by="vmo", rule="exact")
    assert explorer.view.payload == encode(expected.payload())
    assert explorer.summary().splitlines()[0] == expected.title
    explorer.by = "process"
    assert by.value == "process"


def test_selection_comes_back_as_koids() -> None:
    """What is clicked arrives as whole numbers, also above 2**53; other messages change nothing."""
    explorer = TreemapExplorer(magmem.scenarios.make("fork_like_clones"))
    explorer.view._handle_custom_msg({"koids": ["1034", str(2**63 + 1)], "label": "x"}, [])
    assert explorer.selected == (1034, 2**63 + 1)
    assert explorer.summary().endswith(f"selected: 1034, {2**63 + 1}")
    explorer.view._handle_custom_msg({"koids": ["<b>"]}, [])
    assert explorer.selected == (1034, 2**63 + 1)


def test_error_is_a_message_and_leaves_the_picture() -> None:
    """A capture that cannot answer a rule says so; the treemap stays."""
    explorer = TreemapExplorer(magmem.read_capture("guide-ps"))
    before = explorer.view.payload
    explorer.rule = "exact"
    assert "exact" in explorer.view.error
    assert explorer.view.payload == before
    explorer.rule = "treemap-2017"
    assert explorer.view.error == ""


def test_a_machine_is_read_anew() -> None:
    """`read` shows the state of this moment."""
    machine = magmem.Machine(memory="64M", seed=1)
    explorer = TreemapExplorer(machine)
    before = explorer.treemap.tiles
    machine.root_job.spawn("new")
    assert explorer.treemap.tiles == before
    explorer.read()
    assert explorer.treemap.tiles > before
    assert explorer.view.payload == encode(explorer.treemap.payload())


def test_sentence_says_the_parts_largest_first() -> None:
    """All parts of the machine by name and size."""
    explorer = TreemapExplorer(magmem.scenarios.make("guide_vmos"))
    assert explorer.sentence().startswith("2046.9M in all: free 2022.3M, wired 18.5M, ")


def test_wrong_source_and_rule_are_refused() -> None:
    """A source must be a snapshot or a machine, a rule one of those there are."""
    with pytest.raises(TypeError, match="expected a Snapshot or a Machine, found str"):
        TreemapExplorer("guide-ps")
    with pytest.raises(traitlets.TraitError):
        TreemapExplorer(magmem.Machine(memory="64M"), rule="guess")


def test_notebook_keeps_text_and_picture() -> None:
    """Where no kernel runs, a saved notebook shows the still treemap and the summary."""
    explorer = TreemapExplorer(magmem.scenarios.make("fork_like_clones"))
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == explorer.summary()
    assert data["image/png"]
    assert explorer.figure(dark=True)._repr_png_() != explorer.figure()._repr_png_()


def test_closing_leaves_no_comm() -> None:
    """Disposing closes the comms of the explorer and of its view."""
    explorer = TreemapExplorer(magmem.Machine(memory="64M"))
    view = explorer.view
    assert isinstance(view, TreemapView)
    explorer.close()
    assert view.comm is None
    assert explorer.comm is None

"""The time machine: every step as the machine was then, and in words what the step changed."""

from __future__ import annotations

import pytest
import traitlets
from magmem_widgets import TimeMachine
from magmem_widgets.moment import Moment, changes

import magmem
from magmem import Machine


@pytest.fixture
def machine() -> Machine:
    """Boot; spawn; create_vmo; map; touch of two pages; unmap; close; kill."""
    made = Machine(memory="64M", seed=1)
    process = made.root_job.spawn("sh")
    vmo = process.create_vmo("40k", name="heap")
    mapping = process.map(vmo)
    mapping.touch("8k", write=True)
    mapping.unmap()
    vmo.close()
    process.kill()
    return made


def test_each_step_says_what_it_changed(machine: Machine) -> None:
    """New and gone, pages, mappings and handles: each by name, at the step that changed it."""
    explorer = TimeMachine(machine)
    process = machine.events["who"].iloc[1]
    said = {}
    for step in range(machine.step + 1):
        explorer.step = step
        said[step] = explorer.changes()
    assert said[0] == []
    assert said[1][0] == f"new process sh ({process})"
    vmo = said[2][0].removeprefix("new VMO ")
    assert vmo.startswith("heap (")
    assert said[3] == [f"{vmo} has 1 mapping, had 0"]
    assert said[4] == [f"{vmo} owns 2 pages more"]
    assert said[5] == [f"{vmo} has 0 mappings, had 1"]
    assert said[6] == [f"gone VMO {vmo}"]
    assert said[7][0] == f"gone process sh ({process})"


def test_shows_the_machine_of_that_step(machine: Machine) -> None:
    """A moment is what the replayed machine says, and the sentence what is free then."""
    explorer = TimeMachine(machine, step=4)
    then = machine.at_step(4)
    assert explorer.moment(4) == Moment.of(then)
    free = magmem.format_size(then.kmem.free_bytes)
    assert explorer.sentence().endswith(
        f"It takes {machine.events['pages'][3]} pages; {free} are free."
    )
    assert f"{then.kmem.vmo_bytes:,}" in explorer.summary()


def test_what_changed_has_a_ring(machine: Machine) -> None:
    """The row of the VMO that the step changed, the chart's place, and nothing else."""
    explorer = TimeMachine(machine, step=4)
    ringed = [mark for mark in explorer.view.scene["marks"] if mark.get("ring")]
    assert len(ringed) == 2
    assert ringed[0]["tip"].startswith("heap (")
    assert ringed[0]["tip"].splitlines()[1] == "size 40,960 bytes, committed 8,192"


def test_going_back_and_forth_replays_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment that was looked at is kept."""
    explorer = TimeMachine(machine, step=4)
    before = explorer.view.scene
    explorer.step = 5
    monkeypatch.setattr(Machine, "at_step", None)
    explorer.step = 4
    assert explorer.view.scene == before


def test_a_click_on_a_bar_goes_there(machine: Machine) -> None:
    """Every step of a short history has a bar, and a click on it sets the step."""
    explorer = TimeMachine(machine)
    acts = [mark["act"] for mark in explorer.view.scene["marks"] if "act" in mark]
    assert acts == [f"step {step}" for step in range(machine.step + 1)]
    explorer.view._handle_custom_msg({"act": "step 2"}, [])
    assert explorer.step == 2
    assert explorer.view.sentence.startswith("Step 2 of 7, create_vmo by sh")


def test_the_machine_may_go_on(machine: Machine) -> None:
    """What the machine does later is no part of the explorer."""
    explorer = TimeMachine(machine)
    machine.root_job.spawn("later")
    with pytest.raises(traitlets.TraitError, match="expected a step from 0 to 7, found 8"):
        explorer.step = 8
    assert explorer.machine.step == 7


def test_controls_follow(machine: Machine) -> None:
    """Slider and play button are the step."""
    explorer = TimeMachine(machine)
    play, slider = explorer.children[0].children
    slider.value = 3
    assert (explorer.step, play.value) == (3, 3)


def test_too_long_a_history_is_refused(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    """It says how many events it can hold and how many there are."""
    monkeypatch.setattr("magmem_widgets.history.MOST_STEPS", 5)
    with pytest.raises(ValueError, match="expected a machine of at most 5 events, found 7"):
        TimeMachine(machine)


@pytest.mark.parametrize("name", ["guide_vmos", "shared_library_farm", "fork_like_clones"])
def test_everything_stays_on_the_sheet(name: str) -> None:
    """At boot, in the middle and at the end, every rectangle is on the same sheet."""
    machine = magmem.scenarios.make(name)
    sizes = set()
    for step in (0, machine.step // 2, machine.step):
        scene = TimeMachine(machine, step=step).view.scene
        sizes.add((scene["width"], scene["height"]))
        for mark in scene["marks"]:
            assert 0 <= mark["x"] <= scene["width"] - mark["w"]
            assert 0 <= mark["y"] <= scene["height"] - mark["h"]
    assert len(sizes) == 1


def test_names_cannot_break_lines() -> None:
    """A name with a line break is shown escaped, in one line."""
    machine = Machine(memory="64M")
    machine.root_job.spawn("a\nb")
    explorer = TimeMachine(machine)
    assert "a\\nb" in explorer.sentence()
    assert "\n" not in explorer.sentence()


def test_changes_of_size_and_state() -> None:
    """A VMO made longer and a process that is dying are told too."""
    machine = Machine(memory="64M")
    process = machine.root_job.spawn("sh")
    vmo = process.create_vmo("4k", name="heap")
    before = Moment.of(machine)
    vmo.resize("12k")
    process.kill(finish=False)
    said = changes(before, Moment.of(machine))
    assert f"sh ({process.koid}) is dying" in said
    assert any(text.endswith("is 12k long, was 4k") for text in said)


def test_notebook_keeps_text_and_picture(machine: Machine) -> None:
    """Where no kernel runs, a saved notebook shows the still form and the summary."""
    data, _ = TimeMachine(machine)._repr_mimebundle_()
    assert data["text/plain"].startswith("Step 7 of 7, ")
    assert data["image/png"]


def test_summary_says_what_a_step_took(machine: Machine) -> None:
    """Pages taken by a touch, given back by the last close of a VMO that nobody maps."""
    for step in (4, 6):
        pages = int(machine.events["pages"][step - 1])
        verb = "takes" if pages > 0 else "gives back"
        line = f"It {verb} {abs(pages)} pages; "
        assert any(
            text.startswith(line) for text in TimeMachine(machine, step=step).summary().splitlines()
        )

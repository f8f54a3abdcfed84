"""Challenges: each can be reached, is not reached where it begins, and is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from magmem_widgets import (
    AddressSpaceExplorer,
    DiffExplorer,
    Explorer,
    HiddenVmoExplorer,
    KernelExplorer,
    MachineExplorer,
    MultiplyMappedLab,
    PssExplorer,
    TimeMachine,
    TreemapExplorer,
    challenge,
)
from magmem_widgets.challenges import GOALS

import magmem
from magmem.predictions import Guesses

ROOT = Path(__file__).parents[2]


@cache
def space() -> Any:
    """The machine of chapter 01 where its explorer appears."""
    m = magmem.Machine(memory="2G", seed=7)
    sh, _ = m.root_job.spawn("sh"), m.root_job.spawn("sh:vc")
    sh.allocate("1G")
    guarded = sh.allocate("260k")
    guarded.map(sh.create_vmo("256k", name="stack"), perms="rw", offset="4k")
    return m


@cache
def music() -> Any:
    """The machine of chapter 03, as far as the challenges look at it."""
    m = magmem.Machine(memory="256M", seed=3)
    player, mixer = m.root_job.spawn("player"), m.root_job.spawn("mixer")
    ring = player.create_vmo("128k", name="ring")
    for process in (player, mixer):
        process.map(process.open(ring.vmo), perms="rw").touch(write=True)
    player.create_vmo("300k", name="cover").commit()
    return m.snapshot()


@cache
def leak() -> Any:
    """The machine of chapter 08 and two of its states."""
    m = magmem.scenarios.make("slow_leak", seed=9)
    steps = m.statistics().query("op == 'advance'")["step"].tolist()
    return m, [m.at_step(steps[minute - 1]).snapshot(name=str(minute)) for minute in (4, 12)]


@cache
def gallery() -> Any:
    """The machine of chapter 09 without its helpers."""
    m = magmem.Machine(memory="512M", seed=9)
    m.root_job.spawn("gallery")
    m.root_job.spawn("camera").create_vmo("56M", name="frames").commit()
    return m.snapshot()


START: dict[str, Callable[[], Explorer]] = {
    "first-look": lambda: MachineExplorer(magmem.read_capture("small-machine")),
    "space": lambda: AddressSpaceExplorer(space(), space().processes[0].koid),
    "shell": lambda: AddressSpaceExplorer(magmem.scenarios.make("guide_vmaps"), 2470),
    "music": lambda: MachineExplorer(music()),
    "pss": PssExplorer,
    "hidden": lambda: HiddenVmoExplorer(mapping=True),
    "kernel": KernelExplorer,
    "shortcuts": lambda: MultiplyMappedLab(
        processes=3, mappings=2, overlap=1, clone=True, written=1
    ),
    "leak": lambda: DiffExplorer(*leak()[1]),
    "history": lambda: TimeMachine(leak()[0]),
    "treemap": lambda: TreemapExplorer(gallery()),
    "browser": lambda: MachineExplorer(magmem.read_capture("linux-lab")),
}


def grid(*pairs: tuple[int, int]) -> frozenset[tuple[int, int]]:
    """Mappings of the PSS explorer."""
    return frozenset(pairs)


def node(explorer: Any, name: str = "", size_bytes: int = 0) -> int:
    """The place of a mapping or VMAR with this name or size."""
    return next(
        one.at
        for one in explorer.tree()
        if (not name or (one.name == name and one.kind == "mapping"))
        and (not size_bytes or one.size_bytes == size_bytes)
    )


def set_all(**traits: Any) -> Callable[[Any], None]:
    """A way that sets traits."""

    def way(explorer: Any) -> None:
        with explorer.hold_trait_notifications():
            for name, value in traits.items():
                explorer.set_trait(name, value)

    return way


def at_pages(most: int, sign: int) -> Callable[[Any], None]:
    """Go to the first step that takes (or, negative, gives back) so many pages."""

    def way(explorer: Any) -> None:
        pages = explorer.machine.events["pages"] * sign
        explorer.step = int(explorer.machine.events.loc[pages >= most, "step"].iloc[0])

    return way


def choose_tile(name: str) -> Callable[[Any], None]:
    """Click a tile of that name."""

    def way(explorer: Any) -> None:
        table = explorer.treemap.df
        explorer.view.selected = (int(table.loc[table["name"] == name, "koid"].iloc[0]),)

    return way


def open_ring(explorer: Any) -> None:
    """Choose the VMO with three rows, and open it."""
    table = explorer.snap.vmos.set_index("name")
    key = f"{explorer.snap.processes['koid'].iloc[0]}/{table.loc['ring', 'koid']}"
    explorer.expand(int(key.split("/", maxsplit=1)[0]), key)
    explorer.select(key)


def choose_cover(explorer: Any) -> None:
    """Choose the VMO that nobody maps."""
    koid = explorer.snap.vmos.set_index("name").loc["cover", "koid"]
    explorer.select(f"{explorer.snap.processes['koid'].iloc[0]}/{koid}")


WAYS: dict[str, Callable[[Any], None]] = {
    "first-look/twice": lambda e: e.select("1107/1117"),
    "first-look/another-rule": lambda e: (e.select("1107/1117"), e.set_trait("rule", "exact"))[0],
    "space/guard": lambda e: e.set_trait("zoom", node(e, size_bytes=260 * 1024)),
    "space/empty-gigabyte": lambda e: e.set_trait("zoom", node(e, size_bytes=2**30)),
    "space/shared-library": lambda e: e.set_trait("selected", node(e, "vdso/full")),
    "shell/promised": lambda e: e.set_trait("selected", node(e, "mmap-anonymous")),
    "shell/no-page": lambda e: e.set_trait("selected", node(e, "/boot/bin/sh", 128 * 1024)),
    "music/three-rows": open_ring,
    "music/nobody-pays": choose_cover,
    "pss/six-and-two": set_all(shared=grid((0, 0), (1, 0), (1, 1))),
    "pss/seven": set_all(
        pages=3, shared=grid((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3))
    ),
    "pss/private-nothing": set_all(
        pages=4, shared=grid(*((page, who) for page in range(4) for who in range(2)))
    ),
    "pss/half-is-lost": set_all(
        pages=4, shared=grid(*((at, at) for at in range(4))), vmos="one VMO for all"
    ),
    "hidden/ps-is-blind": set_all(mapping=False),
    "hidden/vmos-is-blind": set_all(mapping=False, handle=False, kernel_mapping=True),
    "hidden/nothing-hidden": set_all(kernel_mapping=True),
    "hidden/hide-two-pages": set_all(mapping=False, clone=True),
    "hidden/let-go": set_all(mapping=False, handle=False),
    "kernel/forty-k-of-handles": set_all(handles=800),
    "kernel/same-mappings-fewer-tables": set_all(mappings=64, placement="compact"),
    "kernel/heap": set_all(objects=400, kind="channel"),
    "kernel/kfree-shrinks": set_all(objects=400),
    "shortcuts/twice-too-much": set_all(processes=1, mappings=2, overlap=4, clone=False),
    "shortcuts/too-little": set_all(processes=2, mappings=1, overlap=0, clone=False),
    "shortcuts/clones-alone": set_all(chosen="child"),
    "shortcuts/right-by-luck": set_all(processes=2, mappings=2, overlap=2, clone=False),
    "leak/one-message": set_all(what="vmos", selected="message (1103)"),
    "leak/the-holder": set_all(what="holders", selected="fontsvc (1053)"),
    "leak/nothing-lost": set_all(what="memory", selected="free"),
    "history/gives-back": at_pages(1000, -1),
    "history/touch": at_pages(1000, 1),
    "treemap/find-frames": choose_tile("frames"),
    "treemap/frames-whole": set_all(rule="memory_monitor"),
    "treemap/heaps": set_all(by="vmo"),
    "browser/largest": lambda e: e.select("1013"),
    "browser/exactly": lambda e: (e.select("1013"), e.set_trait("rule", "exact"))[0],
}


def test_there_are_enough_and_all_are_tried() -> None:
    """At least 25, and the ways below are those of every challenge."""
    names = [f"{series}/{goal.name}" for series, goals in GOALS.items() for goal in goals]
    assert len(names) == len(set(names)) >= 25
    assert list(WAYS) == names
    assert list(START) == list(GOALS)


@pytest.mark.parametrize("name", WAYS)
def test_challenge_is_reached_by_its_way_and_not_before(name: str) -> None:
    """Where the series begins it is open; a state is what reaches it."""
    series, _, short = name.partition("/")
    goal = next(one for one in GOALS[series] if one.name == short)
    explorer = START[series]()
    assert not goal.reached(explorer)
    WAYS[name](explorer)
    assert goal.reached(explorer)
    assert goal.hints
    assert goal.learnt
    explorer.close()


def test_reached_challenge_is_marked_and_kept(tmp_path: Path) -> None:
    """It says what there is to see, stays reached after a restart, and the next one comes."""
    shown = challenge(HiddenVmoExplorer(mapping=True), "hidden", guesses=Guesses(tmp_path))
    assert shown.goal.name == "ps-is-blind"
    assert not any(shown.view.done)
    shown.explorer.mapping = False
    assert shown.view.done[0]
    assert "Reached." in shown.view.said
    again = challenge(HiddenVmoExplorer(mapping=True), "hidden", guesses=Guesses(tmp_path))
    assert again.view.done[0]
    assert again.goal.name == "vmos-is-blind"
    again._message(again.view, {"act": "back"}, [])
    assert "Reached." in again.view.said
    for one in (shown, again):
        one.close()


def test_hints_come_one_at_a_time(tmp_path: Path) -> None:
    """From a nudge to almost the way; then there are no more."""
    shown = challenge(PssExplorer(), "pss", guesses=Guesses(tmp_path))
    for hint in shown.goal.hints:
        assert shown.view.more
        shown._message(shown.view, {"act": "hint"}, [])
        assert hint.split("`")[0][:20] in re.sub("<[^>]*>", "", shown.view.said)
    assert not shown.view.more
    shown._message(shown.view, {"act": "next"}, [])
    assert shown.view.more
    shown.close()


def test_what_is_stored_does_not_depend_on_what_was_reached(tmp_path: Path) -> None:
    """The picture of the explorer, and its challenges in words."""
    shown = challenge(HiddenVmoExplorer(mapping=True), "hidden", guesses=Guesses(tmp_path))
    before, _ = shown._repr_mimebundle_()
    shown.explorer.mapping = False
    shown.explorer.mapping = True
    after, _ = shown._repr_mimebundle_()
    assert before["text/plain"] == after["text/plain"]
    assert before["text/plain"].startswith("Challenges:\n1. `ps` counts 0")
    assert "image/png" in before
    shown.close()


def test_unknown_series_names_those_there_are() -> None:
    """A slip in a cell is answered with what could have been meant."""
    with pytest.raises(ValueError, match="expected one of the series first-look, space"):
        challenge(PssExplorer(), "psss")


def test_every_series_is_in_a_chapter_once() -> None:
    """A challenge that no chapter has is none."""
    used: list[str] = []
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                used += re.findall(r'challenge\(.*"([a-z-]+)"\)', cell.source)
    assert sorted(used) == sorted(GOALS)

"""Time machine: scrub through the events of a simulated machine.

Above are the processes and the VMOs with most pages, in the middle of the sheet their pages; what
the step changed has a ring. Beneath are the kernel's statistics over time, as bars of what is taken
since boot. The machine is made again by replaying its history; each moment that was looked at is
kept, so that going back and forth costs nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar

import traitlets
from ipywidgets import HBox, IntSlider, Play, Widget

from magmem.listing import count
from magmem.printable import one_line
from magmem.sim import Machine
from magmem.sizes import format_size
from magmem.snapshot import PAGE_BYTES
from magmem_widgets.explorer import Explorer
from magmem_widgets.moment import Moment, VmoFacts, changes
from magmem_widgets.scene import Mark, Scene

__all__ = ["MOST_STEPS", "TimeMachine"]

MOST_STEPS = 2_000
"""A longer history is refused: making it again would take longer than a slider may."""

_MOST_BARS = 100
_ROWS, _BOXES = 10, 9
_WIDE = 760.0
_CHART_LEFT, _CHART_TOP, _CHART_WIDE, _CHART_HIGH = 96.0, 326.0, 600.0, 76.0
_STACK = (
    ("vmo_bytes", "private"),
    ("total_heap_bytes", "heap_used"),
    ("mmu_overhead_bytes", "mmu"),
)
_LEGEND = (
    ("private", "one process"),
    ("shared", "several"),
    ("hidden_handle", "handle only"),
    ("hidden_kernel", "kernel only"),
    ("wired", "wired"),
)
"""Who maps a VMO, or else keeps it: what the tints of the rows mean."""
_WORDS = {"vmo_bytes": "VMOs", "total_heap_bytes": "heap", "mmu_overhead_bytes": "page tables"}


class TimeMachine(Explorer):
    """A simulated machine at any of its steps.

    Attributes
    ----------
    machine : Machine
        As it was when the explorer was made; its history has at most 2,000 events.
    step : int
        Number of events that have happened, 0 (booted) to ``machine.step``.

    Raises
    ------
    ValueError
        The machine's history is longer.
    """

    title: ClassVar[str] = "What each step of a machine changes"
    watched: ClassVar[tuple[str, ...]] = ("step",)

    step = traitlets.Int(0, min=0)

    def __init__(self, machine: Machine, **traits: Any) -> None:
        if machine.step > MOST_STEPS:
            raise ValueError(
                f"expected a machine of at most {MOST_STEPS:,} events, found {machine.step:,}"
            )
        # Its own copy: what the machine does later is not part of this explorer.
        self.machine = machine.at_step(machine.step)
        self._events = self.machine.events
        self._statistics = self.machine.statistics()
        self._moments: dict[int, Moment] = {}
        self._shown_rows = self._largest()
        self._every = -(-(self.machine.step + 1) // _MOST_BARS)
        self._bars = self._statistics_bars()
        traits.setdefault("step", machine.step)
        super().__init__(**traits)

    @traitlets.validate("step")
    def _valid_step(self, proposal: dict[str, Any]) -> int:
        step = int(proposal["value"])
        if not 0 <= step <= self.machine.step:
            raise traitlets.TraitError(
                f"expected a step from 0 to {self.machine.step}, found {step}"
            )
        return step

    def controls(self) -> list[Widget]:
        """A slider over the steps, and a button that plays them."""
        last = self.machine.step
        play = Play(self.step, 0, last, interval=400, description="play", show_repeat=False)
        slider = IntSlider(self.step, 0, last, description="step")
        slider.layout.width = "75%"
        traitlets.link((self, "step"), (slider, "value"))
        traitlets.link((self, "step"), (play, "value"))
        return [HBox([play, slider])]

    def act(self, name: str) -> None:
        """Go to a step (``step NUMBER``)."""
        self.step = int(name.removeprefix("step "))

    def moment(self, step: int) -> Moment:
        """The machine after that many events."""
        if step not in self._moments:
            self._moments[step] = Moment.of(self.machine.at_step(step))
        return self._moments[step]

    def changes(self) -> list[str]:
        """What this step changed, in words; nothing at boot."""
        if self.step == 0:
            return []
        return [one_line(said) for said in changes(self.moment(self.step - 1), self._now)]

    def scene(self) -> Scene:
        """The event, the processes, the VMOs, and the statistics over time."""
        scene = Scene(_WIDE, 436, "a machine after one of its events")
        before = self.moment(max(self.step - 1, 0))
        scene.text(8, 20, self._headline(), bold=True)
        if self.step:
            told = one_line(self._events["arguments"].iloc[self.step - 1])
            scene.text(8, 38, told[:112] + "…" * (len(told) > 112), "faint", size=11)
        self._processes(scene, before)
        for row, key in enumerate(self._rows(before)):
            self._vmo(scene, 108 + row * 19, self._now.vmos.get(key), before.vmos.get(key))
        self._chart(scene)
        return scene

    def sentence(self) -> str:
        """What the step changed, and how many pages it took or gave back."""
        if self.step == 0:
            return f"The machine has booted. {self._taken()}"
        found = self.changes()
        more = [f"{count(len(found) - 3, 'change')} more"] if len(found) > 3 else []
        said = "; ".join([*found[:3], *more]) or "no process or VMO changes"
        return f"{self._headline()}: {said}. {self._taken()}"

    def summary(self) -> str:
        """The step, every change, and the kernel's statistics, as text."""
        row = self._statistics.iloc[self.step]
        numbers = [f"{name:<20}{int(row[name]):>16,}" for name in self._statistics.columns[2:]]
        changed = [f"- {said}" for said in self.changes()]
        return "\n".join([self._headline(), *changed, self._taken(), *numbers])

    def _taken(self) -> str:
        """How many pages the step took or gave back, and what is free after it."""
        free = format_size(int(self._statistics["free_bytes"].iloc[self.step]))
        if self.step == 0:
            return f"{free} are free."
        pages = int(self._events["pages"].iloc[self.step - 1])
        taken = ("takes " if pages >= 0 else "gives back ") + count(abs(pages), "page")
        return f"It {taken}; {free} are free."

    @property
    def _now(self) -> Moment:
        return self.moment(self.step)

    def _headline(self) -> str:
        if self.step == 0:
            return f"Step 0 of {self.machine.step}, boot"
        event = self._events.iloc[self.step - 1]
        who = self._now.processes.get(int(event["who"]))
        who = who or self.moment(self.step - 1).processes.get(int(event["who"]))
        by = one_line(who.title) if who else "the laboratory"
        return f"Step {self.step} of {self.machine.step}, {event['op']} by {by}"

    def _largest(self) -> list[str]:
        """The VMOs that have a row at every step: those with most pages at the end."""
        vmos = self.moment(self.machine.step).vmos
        sizes = sorted(vmos, key=lambda key: vmos[key].committed_bytes, reverse=True)
        chosen = set(sizes[: _ROWS - 2])
        return [key for key in vmos if key in chosen]

    def _rows(self, before: Moment) -> list[str]:
        """These, then up to two others that the step changed."""
        now = self._now.vmos
        keys = dict.fromkeys((*now, *before.vmos))
        changed = [key for key in keys if now.get(key) != before.vmos.get(key)]
        others = [key for key in changed if key not in self._shown_rows]
        return [*self._shown_rows, *others[: _ROWS - len(self._shown_rows)]]

    def _processes(self, scene: Scene, before: Moment) -> None:
        """A box each: those the step changed first have a place, then the oldest."""
        now = self._now.processes
        changed = {koid for koid in now if now[koid] != before.processes.get(koid)}
        wanted = sorted(now, key=lambda koid: (koid not in changed, koid))[:_BOXES]
        wide = 78.0
        for place, koid in enumerate(sorted(wanted)):
            process = now[koid]
            name = one_line(process.name).rsplit("/", 1)[-1]
            scene.rect(
                8 + place * (wide + 4),
                50,
                wide,
                26,
                "surface",
                text=name if len(name) <= 12 else name[:11] + "…",
                ring=koid in changed,
                tip=f"{one_line(process.title)}\n{process.state}, {process.mappings} mappings, "
                f"{process.handles} handles",
            )
        there = f"{count(len(now), 'process', 'processes')}, {count(len(self._now.vmos), 'VMO')}"
        scene.text(8, 94, there, "faint", size=11)
        for place, (tint, word) in enumerate(_LEGEND):
            x = 190 + place * 112
            scene.rect(x, 84, 12, 12, tint)
            scene.text(x + 18, 94, word, size=11)

    def _vmo(self, scene: Scene, y: float, vmo: VmoFacts | None, before: VmoFacts | None) -> None:
        """One row: name, the pages it owns along its size, and its numbers."""
        facts = vmo or before
        if facts is None:
            return
        left, wide = 190.0, 380.0
        name = one_line(facts.title)
        tint = "text" if vmo else "faint"
        scene.text(
            left - 8, y + 12, name[:28] + "…" * (len(name) > 28), tint, anchor="end", size=11
        )
        tip = (
            f"{name}\nsize {facts.size_bytes:,} bytes, committed {facts.committed_bytes:,}\n"
            f"{facts.mappings} mappings, {facts.handles} handles"
        )
        scene.rect(left, y, wide, 14, "none", tip=tip, ring=vmo != before)
        pages = max(-(-facts.size_bytes // PAGE_BYTES), 1)
        for first, length in _joined(facts.runs, pages / wide) if vmo else ():
            wide_run = max(length / pages * wide, 1.0)
            x = min(left + first / pages * wide, left + wide - wide_run)
            scene.rect(x, y + 2, wide_run, 10, facts.tint, tip=tip)
        said = format_size(facts.committed_bytes) if vmo else "gone"
        scene.text(640, y + 12, said, tint, anchor="end", bold=vmo != before, size=11)
        of = f"of {format_size(facts.size_bytes)}"
        scene.text(648, y + 12, of, "faint", size=11)

    def _chart(self, scene: Scene) -> None:
        """The statistics over time, with a ring around where one is."""
        place = self.step // self._every
        wide = _CHART_WIDE / -(-(self.machine.step + 1) // self._every)
        x, y = _CHART_LEFT + place * wide, _CHART_TOP - 4
        scene.marks += self._bars
        scene.rect(x - 1, y, max(wide, 3), _CHART_HIGH + 8, "none", ring=True)

    def _statistics_bars(self) -> list[Mark]:
        """Bytes taken since boot, a bar for every step or every few; a click goes there."""
        table = self._statistics
        shown = range(0, self.machine.step + 1, self._every)
        names = [name for name, _ in _STACK]
        taken = (table[names] - table[names].iloc[0]).clip(lower=0)
        most = max(int(taken.sum(axis=1).max()), PAGE_BYTES)
        bottom, wide = _CHART_TOP + _CHART_HIGH, _CHART_WIDE / len(shown)
        chart = Scene(0, 0, "")
        for place, step in enumerate(shown):
            sizes = [int(size) for size in taken.iloc[step]]
            parts = zip(names, sizes, strict=True)
            said = ", ".join(f"{_WORDS[name]} +{format_size(size)}" for name, size in parts)
            y = bottom
            for (name, tint), size in zip(_STACK, sizes, strict=True):
                tall = max(size / most * _CHART_HIGH, 1 if name == "vmo_bytes" else 0)
                y -= tall
                if tall < 0.3:
                    continue
                chart.rect(
                    _CHART_LEFT + place * wide,
                    y,
                    max(wide - 1, 0.8),
                    tall,
                    tint,
                    tip=f"step {step}: {said}",
                    act=f"step {step}" if name == "vmo_bytes" else "",
                )
        left, right = _CHART_LEFT, _CHART_LEFT + _CHART_WIDE
        chart.line(left, bottom, right, bottom)
        chart.text(left - 8, _CHART_TOP + 8, format_size(most), anchor="end", size=11)
        chart.text(left - 8, bottom, "at boot", anchor="end", size=11)
        for place, (name, tint) in enumerate(_STACK):
            x = left + place * 110
            chart.rect(x, bottom + 14, 12, 12, tint)
            chart.text(x + 18, bottom + 24, _WORDS[name], size=11)
        chart.text(right, bottom + 24, "taken since boot", "faint", anchor="end", size=11)
        return chart.marks


def _joined(runs: tuple[tuple[int, int], ...], gap_pages: float) -> list[tuple[int, int]]:
    """Runs with those joined whose gap is too small to be seen."""
    joined: list[tuple[int, int]] = []
    for first, length in runs:
        if joined and first - sum(joined[-1]) < gap_pages:
            start = joined.pop()[0]
            joined.append((start, first + length - start))
        else:
            joined.append((first, length))
    return joined

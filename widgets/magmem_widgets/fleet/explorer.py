"""Fleet explorer: questions as tabs, a ranking, and where a click leads: to builds, then a machine.

A row of the ranking is a process, a device or a capture; choosing it draws it over builds and
hours. A bar or row of one capture opens that machine below in a `MachineExplorer`. What is seen
can be saved as CSV.
"""

from __future__ import annotations

import base64
from typing import Any, ClassVar

import traitlets
from ipywidgets import HTML, Button, HBox, ToggleButtons, VBox, Widget

from magmem.fleet import Answer, Fleet
from magmem.fleet.figure import VALUES, row_names, said
from magmem.fleet.questions import MEASURES, RULES
from magmem.listing import count
from magmem_widgets.explorer import Explorer
from magmem_widgets.fleet.multiples import Panel, draw_panels, panels_of
from magmem_widgets.machine import MachineExplorer
from magmem_widgets.scene import Scene

__all__ = ["FleetExplorer"]

QUESTIONS = {
    "grew": "grew since",
    "regressions": "between builds",
    "percentiles": "percentiles",
    "leaks": "leaks",
    "hidden": "hidden",
    "outliers": "outliers",
}
"""Each tab and its word."""

ROWS = 12
_WIDE, _HIGH = 760.0, 402.0
_TOP, _STEP = 32.0, 17.0
_NAME, _BAR = 214.0, 430.0
_PANELS = (8.0, 266.0, 744.0, 112.0)


class FleetExplorer(Explorer):
    """A fleet: what its questions answer, over builds and hours, down to one machine.

    Attributes
    ----------
    question : str
        ``grew``, ``regressions``, ``percentiles``, ``leaks``, ``hidden`` or ``outliers``.
    since_build : str
        For ``grew``; empty for the newest build.
    selected : str
        What row is chosen, by its name in the ranking; empty for none.
    machine : str
        Id of the capture that is opened below; empty for none.
    """

    title: ClassVar[str] = "What a fleet of machines does with its memory"
    watched: ClassVar[tuple[str, ...]] = ("question", "since_build", "selected", "machine")

    question = traitlets.Enum(tuple(QUESTIONS), "grew")
    since_build = traitlets.Unicode()
    selected = traitlets.Unicode()
    machine = traitlets.Unicode()

    def __init__(self, fleet: Fleet, **traits: Any) -> None:
        self.fleet = fleet
        self._answers: dict[tuple[str, str], Answer] = {}
        self._panels: dict[tuple[str, str, str], list[Panel]] = {}
        self._below = VBox([])
        super().__init__(**traits)
        self.children = [*self.children, self._below]
        self.observe(self._show_machine, "machine")
        self.observe(self._start_anew, "question")
        self._show_machine(None)

    def controls(self) -> list[Widget]:
        """The questions, and what saves the answer."""
        tabs = ToggleButtons(options=[(word, name) for name, word in QUESTIONS.items()])
        tabs.style.button_width = "auto"
        traitlets.link((self, "question"), (tabs, "value"))
        save = Button(description="save as CSV", tooltip="the rows that are seen, as a CSV file")
        self._link = HTML("")
        save.on_click(lambda _: self._offer())
        return [HBox([tabs]), HBox([save, self._link])]

    @property
    def answer(self) -> Answer:
        """The listing behind what is seen."""
        key = (self.question, self.since_build if self.question == "grew" else "")
        if key not in self._answers:
            if self.question == "grew":
                self._answers[key] = self.fleet.grew(self.since_build or None)
            else:
                self._answers[key] = getattr(self.fleet, self.question)()
        return self._answers[key]

    def csv(self) -> str:
        """What is seen, as CSV."""
        return self.answer.to_csv()

    def act(self, name: str) -> None:
        """``row NUMBER`` chooses a row, ``machine ID`` opens a capture."""
        verb, _, what = name.partition(" ")
        if verb == "machine":
            self.machine = "" if what == self.machine else what
        elif verb == "row":
            names = self._names()
            if int(what) < len(names):
                self.selected = "" if names[int(what)] == self.selected else names[int(what)]

    def scene(self) -> Scene:
        """The ranking above, the chosen row over builds and hours below."""
        answer = self.answer
        scene = Scene(_WIDE, _HIGH, answer.title)
        scene.text(8, 18, answer.title, bold=True, size=12.5)
        if self.question == "hidden":
            names, values = self._causes()
        else:
            values = [
                0.0 if value is None else float(value)
                for value in answer.df[VALUES[self.question]].astype(object).tolist()
            ]
            names = self._names()
        most = max([1e-9, *map(abs, values)])
        for row, (name, value) in enumerate(zip(names[:ROWS], values[:ROWS], strict=True)):
            self._row(scene, row, name, value, most)
        if not names:
            scene.text(8, 60, "nothing to show", "faint")
        scene.text(8, _PANELS[1] - 18, self._panels_title(), bold=True, size=11)
        draw_panels(scene, self.panels(), _PANELS, self.machine)
        return scene

    def panels(self) -> list[Panel]:
        """The chosen row over builds and hours; the first row where none is chosen."""
        column, name, device = self._chosen()
        key = (column, name, device)
        if key not in self._panels:
            self._panels[key] = panels_of(self.fleet, column, name, device)
        return self._panels[key]

    def sentence(self) -> str:
        """The first of the ranking with its number, and how many captures answer."""
        names, values = self._ranked()
        if not names:
            return f"{self.answer.title}: nothing to show."
        first = f"{self.answer.title}: {names[0]} {self._said(values[0])} comes first"
        if self.selected in names:
            value = values[names.index(self.selected)]
            first = f"{self.selected}: {self._said(value)}"
        out = self.answer.left_out
        left = f" {count(out, 'capture')} left out." if out else ""
        open_ = f" Below is the machine of capture {self.machine[:12]}." if self.machine else ""
        return f"{first}; {count(len(names), 'row')}.{left}{open_}"

    def summary(self) -> str:
        """The question, the ranking, and the panels, as text."""
        names, values = self._ranked()
        lines = [self.answer.title]
        lines += [
            f"{self._said(value):>12}  {name}{' *' if name == self.selected else ''}"
            for name, value in zip(names[:ROWS], values[:ROWS], strict=True)
        ]
        lines.append(self._panels_title())
        for panel in self.panels():
            sizes = [size for _, size, _ in panel.bars]
            lines.append(
                f"{panel.build}: {count(len(sizes), 'time')}, {sizes[0]:,} to {sizes[-1]:,} bytes"
            )
        return "\n".join([*lines, self.wrapped(), ""])

    def close(self) -> None:
        """Close the machine below as well."""
        self.machine = ""
        super().close()

    # the parts

    def _row(self, scene: Scene, row: int, name: str, value: float, most: float) -> None:
        y = _TOP + row * _STEP
        short = name if len(name) <= 32 else name[:31] + "…"
        scene.text(_NAME - 6, y + 12, short, size=11, anchor="end")
        wide = max(1.0, _BAR * abs(value) / most)
        tint = "grew" if value > 0 else "shrank"
        if self.question in ("percentiles", "hidden"):
            tint = "private"
        spoken = self._said(value)
        more = {"tip": f"{name}: {spoken}", "ring": name == self.selected}
        if self.question != "hidden":
            more["act"] = f"row {row}"
        scene.rect(_NAME, y, wide, _STEP - 5, tint, **more)
        scene.text(_NAME + wide + 6, y + 12, spoken, size=11)

    def _names(self) -> list[str]:
        return row_names(self.question, self.answer.df)

    def _causes(self) -> tuple[list[str], list[float]]:
        """Of hidden memory the newest time, by reason."""
        frame = self.answer.df
        last = frame[frame[frame.columns[0]] == frame[frame.columns[0]].max()]
        return last["why"].tolist(), [float(size) for size in last["mean_bytes"].tolist()]

    def _ranked(self) -> tuple[list[str], list[float]]:
        if self.question == "hidden":
            return self._causes()
        values = self.answer.df[VALUES[self.question]].astype(object).tolist()
        return self._names(), [0.0 if value is None else float(value) for value in values]

    def _said(self, value: float) -> str:
        return said("percentiles" if self.question == "hidden" else self.question, value)

    def _chosen(self) -> tuple[str, str, str]:
        """Column, process and device of the chosen row, else of the first."""
        if self.question == "hidden":
            return MEASURES["hidden"], "", ""
        names = self._names()
        if not names:
            return MEASURES["alloc"], "", ""
        row = names.index(self.selected) if self.selected in names else 0
        line = self.answer.df.iloc[row]
        if self.question == "leaks":
            return MEASURES["handle-only"], "", str(line["device"])
        if self.question == "outliers":
            return MEASURES["alloc"], "", str(line["device"])
        return RULES["exact"], str(line["name"]), ""

    def _panels_title(self) -> str:
        column, name, device = self._chosen()
        who = name or device or "all devices"
        what = column.removesuffix("_bytes").replace("_", " ")
        return f"{who} over builds and hours, {what}; a bar opens its machine"

    def _start_anew(self, _change: object) -> None:
        self.selected = ""
        self._link.value = ""

    def _show_machine(self, _change: object) -> None:
        for child in self._below.children:
            child.close()
        shown = [MachineExplorer(self.fleet.snapshot(self.machine))] if self.machine else []
        self._below.children = shown

    def _offer(self) -> None:
        data = base64.b64encode(self.csv().encode()).decode()
        name = f"{self.question}.csv"
        self._link.value = f'<a download="{name}" href="data:text/csv;base64,{data}">{name}</a>'

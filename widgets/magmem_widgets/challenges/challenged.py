"""An explorer with challenges above it, one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets
from ipywidgets import Layout, VBox

from magmem.predictions import Guess, Guesses
from magmem.predictions.kept import now
from magmem_widgets.challenges.goal import Goal
from magmem_widgets.challenges.goals import GOALS
from magmem_widgets.explorer import Explorer
from magmem_widgets.machine import MachineExplorer
from magmem_widgets.predictions.written import markdown
from magmem_widgets.theme import ASSETS, script
from magmem_widgets.treemap import TreemapExplorer

__all__ = ["ChallengeView", "Challenged", "challenge"]


LOW = {MachineExplorer: "150px", TreemapExplorer: "340px"}
"""The height of the tiles below a challenge."""


class ChallengeView(anywidget.AnyWidget):
    """One challenge on the page; buttons come back as ``{"act": "hint" | "next" | "back"}``."""

    _esm = script("challenge")
    _css = (ASSETS / "challenge.css").read_text(encoding="utf-8")
    at = traitlets.Int(0).tag(sync=True)
    many = traitlets.Int(1).tag(sync=True)
    ask = traitlets.Unicode().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    done = traitlets.List(traitlets.Bool()).tag(sync=True)
    more = traitlets.Bool(default_value=True).tag(sync=True)


class Challenged(VBox):  # type: ignore[misc] # traitlets' base is untyped
    """An explorer and its challenges.

    Parameters
    ----------
    explorer : Explorer
    goals : tuple of Goal
    series : str
        The name under which what was reached is kept.
    guesses : Guesses
        Where it is kept.
    """

    def __init__(
        self, explorer: Explorer, goals: tuple[Goal, ...], series: str, guesses: Guesses
    ) -> None:
        self.explorer, self.goals, self.series, self.guesses = explorer, goals, series, guesses
        done = [guesses.get(self._kept_as(goal)) is not None for goal in goals]
        self.at = done.index(False) if False in done else 0
        self._hints = 0
        self.view = ChallengeView(many=len(goals), done=done)
        super().__init__(children=[self.view, explorer], layout=Layout(width="100%"))
        self.add_class("mx-box")
        self.view.on_msg(self._message)
        if isinstance(explorer, (MachineExplorer, TreemapExplorer)):
            # With the line above it, everything shows in a window of 1280 by 800 still.
            tiles = explorer.tiles if isinstance(explorer, MachineExplorer) else explorer.view
            tiles.height = LOW[type(explorer)]
        explorer.observe(self._changed)
        self._show("")

    @property
    def goal(self) -> Goal:
        """The challenge on the screen."""
        return self.goals[self.at]

    def _kept_as(self, goal: Goal) -> str:
        return f"challenge/{self.series}/{goal.name}"

    def _changed(self, _change: object) -> None:
        """Look whether the challenge on the screen is reached."""
        if self.view.done[self.at] or not self.goal.reached(self.explorer):
            return
        self.guesses.keep(Guess(self._kept_as(self.goal), "reached", now(), True))
        self.view.done = [done or at == self.at for at, done in enumerate(self.view.done)]
        self._show(f"**Reached.** {self.goal.learnt}")

    def _show(self, said: str) -> None:
        if not said and self.view.done[self.at]:
            said = f"**Reached.** {self.goal.learnt}"
        with self.view.hold_sync():
            self.view.at = self.at
            self.view.ask = markdown(self.goal.ask)
            self.view.said = markdown(said)
            self.view.more = self._hints < len(self.goal.hints) and not self.view.done[self.at]

    def _message(self, _view: object, content: dict[str, Any], _buffers: object) -> None:
        act = content.get("act")
        if act == "hint" and self._hints < len(self.goal.hints):
            self._hints += 1
            self._show(f"**Hint.** {self.goal.hints[self._hints - 1]}")
        elif act in ("next", "back"):
            self.at = (self.at + (1 if act == "next" else -1)) % len(self.goals)
            self._hints = 0
            self._show("")
            self._changed(None)

    def summary(self) -> str:
        """The challenges, and the explorer in words; the same whatever was reached."""
        asked = [f"{at}. {goal.ask}" for at, goal in enumerate(self.goals, 1)]
        return "\n".join(["Challenges:", *asked, "", self.explorer.summary()])

    def close(self) -> None:
        """Take explorer and challenges off the page and close their comms."""
        self.explorer.close()
        self.view.close()
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        still, _ = self.explorer._repr_mimebundle_(**options)
        shown = {key: still[key] for key in ("image/png",) if key in still}
        return {**(data or {}), **shown, "text/plain": self.summary()}, metadata


def challenge(explorer: Explorer, series: str, *, guesses: Guesses | None = None) -> Challenged:
    """Put a series of challenges above an explorer.

    Parameters
    ----------
    explorer : Explorer
        In the state in which the series begins.
    series : str
        A name of `magmem_widgets.challenges.GOALS`.
    guesses : Guesses, optional
        Where to keep what was reached; the file beside the notebook if not given.

    Raises
    ------
    ValueError
        No such series.
    """
    if series not in GOALS:
        raise ValueError(f"expected one of the series {', '.join(GOALS)}, found {series!r}")
    return Challenged(explorer, GOALS[series], series, guesses or Guesses(Path.cwd()))

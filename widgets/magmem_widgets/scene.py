"""A scene: what an explorer shows at one moment, as plain marks.

An explorer computes a scene from its state; the same scene is drawn by ``assets/scene.js`` in the
notebook and by matplotlib as a still figure, so both always show the same. Places and sizes are in
points on a sheet of fixed width and height: nothing jumps when a value changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from matplotlib.patches import Rectangle

from magmem.palette import CHANGES, DARK, LIGHT, TINTS, text_on
from magmem.still import Still

__all__ = ["Anchor", "Mark", "Scene"]

Anchor = Literal["start", "middle", "end"]

_TINTS = {**TINTS, **CHANGES}
_HATCHES = {"hatch": "////", "dots": "..", "solid": "", "outline": ""}


@dataclass(frozen=True, slots=True)
class Mark:
    """One rectangle, text or line.

    The text of a rectangle is centred in it and may have several lines. `tint` is a name of the
    palette, or ``none``, ``clear``, ``surface``, ``line``, ``text``, ``faint``. `act` names what a
    click or Enter does; it is sent to Python. `tip` is the tooltip and what a screen reader says.
    `ring` marks what just changed or is selected.
    """

    kind: Literal["rect", "text", "line"]
    x: float
    y: float
    width: float = 0.0
    height: float = 0.0
    tint: str = "none"
    text: str = ""
    size: float = 12.0
    anchor: Anchor = "start"
    bold: bool = False
    tip: str = ""
    act: str = ""
    ring: bool = False

    def data(self) -> dict[str, Any]:
        """The mark for the JavaScript view; what is not set is left out."""
        short = {
            "k": self.kind[0],
            "x": round(self.x, 2),
            "y": round(self.y, 2),
            "w": round(self.width, 2),
            "h": round(self.height, 2),
            "t": self.tint,
            "s": self.text,
        }
        if self.kind == "text":
            short |= {"z": self.size, "a": self.anchor, "b": self.bold}
        optional = {"tip": self.tip, "act": self.act, "ring": self.ring}
        return short | {name: value for name, value in optional.items() if value}


@dataclass
class Scene:
    """Marks on a sheet of `width` by `height`; `label` says to a screen reader what it is."""

    width: float
    height: float
    label: str
    marks: list[Mark] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, tint: str, **more: Any) -> None:
        """A rectangle; with `act` it can be clicked and focused."""
        self.marks.append(Mark("rect", x, y, width, height, tint, **more))

    def text(self, x: float, y: float, text: str, tint: str = "text", **more: Any) -> None:
        """A text whose baseline begins, is centred or ends at ``(x, y)`` (`anchor`)."""
        self.marks.append(Mark("text", x, y, tint=tint, text=text, **more))

    def line(self, x: float, y: float, x2: float, y2: float, tint: str = "line") -> None:
        """A straight line."""
        self.marks.append(Mark("line", x, y, x2 - x, y2 - y, tint))

    def data(self) -> dict[str, Any]:
        """The scene for the JavaScript view."""
        return {
            "width": self.width,
            "height": self.height,
            "label": self.label,
            "marks": [mark.data() for mark in self.marks],
        }

    def figure(self, title: str = "", *, dark: bool = False) -> Still:
        """The scene as a matplotlib figure (150 dpi), the same marks at the same places."""
        theme = DARK if dark else LIGHT
        head = 26.0 if title else 0.0
        inch = 1 / 96
        size = (self.width * inch, (self.height + head) * inch)
        figure = Still(figsize=size, dpi=150, facecolor=theme.ground)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0, self.width), ylim=(self.height, -head))
        axes.axis("off")
        plain = {
            "none": theme.ground,
            "clear": theme.ground,
            "surface": theme.surface,
            "line": theme.line,
            "text": theme.text,
            "faint": theme.faint,
            "ring": theme.ring,
        }

        def colour(tint: str) -> str:
            if tint in plain:
                return plain[tint]
            return _TINTS[tint].dark if dark else _TINTS[tint].light

        if title:
            axes.text(8, -8, title, fontsize=11, weight="bold", color=theme.text)
        for mark in self.marks:
            if mark.tint == "clear" and not mark.ring:
                continue
            fill = colour(mark.tint)
            if mark.kind == "rect":
                pattern = _TINTS[mark.tint].pattern if mark.tint in _TINTS else "solid"
                axes.add_patch(
                    Rectangle(
                        (mark.x, mark.y),
                        mark.width,
                        mark.height,
                        facecolor=fill,
                        edgecolor=theme.ring if mark.ring else theme.line,
                        hatch=_HATCHES[pattern],
                        lw=2.0 if mark.ring else 0.5,
                    )
                )
                if mark.text:
                    axes.text(
                        mark.x + mark.width / 2,
                        mark.y + mark.height / 2,
                        mark.text,
                        fontsize=8,
                        ha="center",
                        va="center",
                        color=text_on(fill),
                        clip_on=True,
                    )
            elif mark.kind == "line":
                axes.plot(
                    [mark.x, mark.x + mark.width],
                    [mark.y, mark.y + mark.height],
                    color=fill,
                    lw=0.8,
                )
            else:
                axes.text(
                    mark.x,
                    mark.y,
                    mark.text,
                    fontsize=mark.size * 0.7,
                    ha={"start": "left", "middle": "center", "end": "right"}[mark.anchor],
                    va="baseline",
                    weight="bold" if mark.bold else "normal",
                    color=fill,
                )
        return figure

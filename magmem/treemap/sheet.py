"""A matplotlib sheet in points with `y` downwards: rectangles with meanings, and text that fits.

Text is drawn as it is, never as mathematics; a character the font lacks becomes a box, so drawing
warns of nothing.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle

from magmem.palette import DARK, LIGHT, TINTS, text_on
from magmem.still import Still
from magmem.treemap.layout import Rect

__all__ = ["Sheet"]

_FONT: Final = "DejaVu Sans"
_HATCHES: Final = {"hatch": "/////", "dots": "....."}
_DOTS_PER_INCH: Final = 150


class Sheet:
    """One figure of `width` by `height` points, in the light theme or the dark one."""

    def __init__(self, width: float, height: float, *, dark: bool = False) -> None:
        self.width, self.height, self.dark = width, height, dark
        self.theme = DARK if dark else LIGHT
        size = (width / 72, height / 72)
        self.figure = Still(figsize=size, dpi=_DOTS_PER_INCH, facecolor=self.theme.ground)
        axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        self._axes = axes

    def box(self, place: Rect, fill: str, line: str = "", line_width: float = 0.5) -> None:
        """A plain rectangle, with an outline inside its edge if `line` is a colour."""
        inset = line_width / 2 if line else 0
        self._axes.add_artist(
            Rectangle(
                (place.x + inset, place.y + inset),
                max(place.w - 2 * inset, 0.1),
                max(place.h - 2 * inset, 0.1),
                facecolor=fill,
                edgecolor=line or "none",
                linewidth=line_width if line else 0,
            )
        )

    def fill(self, tint: str) -> str:
        """The colour of a meaning; of the ground where there is none."""
        if not tint:
            return self.theme.ground
        return TINTS[tint].dark if self.dark else TINTS[tint].light

    def tinted(self, place: Rect, tint: str) -> None:
        """A rectangle with the colour and the pattern of a meaning."""
        fill = self.fill(tint)
        self.box(place, fill)
        hatch = _HATCHES.get(TINTS[tint].pattern)
        if hatch and min(place.w, place.h) >= 4:
            # Pattern lines lean away from the text, so they never lower its contrast.
            pattern = "#FFFFFF" if text_on(fill) != "#FFFFFF" else "#000000"
            self._axes.add_artist(
                Rectangle(
                    (place.x, place.y),
                    place.w,
                    place.h,
                    facecolor="none",
                    edgecolor=pattern,
                    alpha=0.3,
                    hatch=hatch,
                    linewidth=0,
                )
            )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        *,
        colour: str = "",
        weight: str = "normal",
        right: bool = False,
        plate: str = "",
    ) -> None:
        """Words with their upper left (or right) corner at a point, on a plate of a colour.

        They have the theme's text colour if `colour` is empty.
        """
        if plate:
            extent = width_of(words, size, weight)
            self.box(Rect(x - 1, y, extent + 2, size * 1.25), plate)
        self._axes.text(
            x,
            y,
            printable(words),
            fontsize=size,
            fontfamily=_FONT,
            fontweight=weight,
            color=colour or self.theme.text,
            ha="right" if right else "left",
            va="top",
            parse_math=False,
        )


@lru_cache(maxsize=4096)
def width_of(words: str, size: float, weight: str = "normal") -> float:
    """Width of words in points, as they are drawn at this resolution."""
    font = FontProperties(family=_FONT, size=size, weight=weight)
    width, _, _ = _renderer().get_text_width_height_descent(printable(words), font, ismath=False)
    return float(width) * 72 / _DOTS_PER_INCH


def fitted(words: str, room: float, size: float, weight: str = "normal") -> str:
    """Words cut with an ellipsis to what fits; empty if fewer than three characters would."""
    if width_of(words, size, weight) <= room:
        return words
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(words[:middle] + "…", size, weight) <= room:
            low = middle
        else:
            high = middle - 1
    return words[:low] + "…" if low >= 3 else ""


def wrapped(words: str, room: float, size: float, weight: str = "normal") -> list[str]:
    """Words as lines that fit, broken at blanks; a word too long for a line is cut."""
    lines: list[str] = []
    for word in words.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, size, weight) <= room:
            lines[-1] = longer
        else:
            lines.append(fitted(word, room, size, weight))
    return lines


@cache
def _renderer() -> Any:
    return RendererAgg(1, 1, _DOTS_PER_INCH)  # type: ignore[no-untyped-call]  # ships no types


@cache
def _charmap() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=_FONT))).get_charmap())


def printable(words: str) -> str:
    """Words with a box for every control character and every one the font lacks."""
    return "".join(
        c if c.isprintable() and ord(c) in _charmap() else "\N{WHITE SQUARE}" for c in words
    )

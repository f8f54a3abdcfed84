"""The one visual language: what each colour means, its light and dark hue, and its second cue.

A *tint* is a meaning such as ``private`` or ``hidden_kernel``. Figures, pages and explorers take
their colours from here, so the same thing looks the same everywhere. Hues are told apart by the
common forms of colour blindness, and each tint has a word and a pattern beside its colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["CHANGES", "DARK", "LIGHT", "TINTS", "Theme", "Tint", "contrast", "text_on"]


@dataclass(frozen=True, slots=True)
class Tint:
    """One meaning: its word on screen, hue on light and dark ground, and pattern.

    `pattern` is solid, hatch, dots or outline.
    """

    word: str
    light: str
    dark: str
    pattern: str = "solid"


@dataclass(frozen=True, slots=True)
class Theme:
    """Ground, text, lines and the surface of headers, as hex colours."""

    ground: str
    text: str
    faint: str
    line: str
    surface: str
    ring: str = "#F0E442"


LIGHT: Final = Theme("#FFFFFF", "#1B1F23", "#57606A", "#8A949E", "#F6F7F8")
DARK: Final = Theme("#15181B", "#E8EAED", "#A6AFB8", "#717B85", "#20252A")

TINTS: Final[Mapping[str, Tint]] = MappingProxyType(
    {
        "private": Tint("private", "#0072B2", "#56B4E9"),
        "shared": Tint("shared, this process's part", "#009E73", "#35C9A0", "hatch"),
        "twice": Tint("counted twice or more", "#D55E00", "#FF8A3D", "outline"),
        "hidden_handle": Tint("hidden: handle only", "#8E5AA8", "#C49ADB", "dots"),
        "hidden_kernel": Tint("hidden: kernel", "#6B6A86", "#A5A3C4", "dots"),
        "heap_used": Tint("kernel heap in use", "#B37F00", "#E6B84A"),
        "heap_free": Tint("kernel heap free", "#E8C766", "#7A6A3A"),
        "wired": Tint("wired", "#7A6651", "#B59E85"),
        "mmu": Tint("page tables (mmu)", "#6B7A1F", "#B5C45A"),
        "free": Tint("free", "#ECEFF1", "#2A3036"),
        "other": Tint("others, unknown (?)", "#B0B7BD", "#5B646C"),
    }
)
"""Every tint by name; the order is the legend's."""

CHANGES: Final[Mapping[str, Tint]] = MappingProxyType(
    {
        "grew": Tint("grew", "#D55E00", "#FF8A3D"),
        "shrank": Tint("shrank", "#0072B2", "#56B4E9"),
        "came": Tint("came", "#D55E00", "#FF8A3D", "hatch"),
        "went": Tint("went", "#0072B2", "#56B4E9", "dots"),
    }
)
"""Between two states: more is vermilion, less is blue; what only one of them has is patterned."""


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two hex colours, 1 to 21, as WCAG 2 defines it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def text_on(fill: str) -> str:
    """The text colour, near-black or white, that stands out more on a fill."""
    return max("#101418", "#FFFFFF", key=lambda text: contrast(text, fill))

"""A difference as bars: what grew to the right, what shrank to the left, largest first."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

from magmem.palette import DARK, LIGHT, TINTS
from magmem.sizes import format_size
from magmem.still import Still

__all__ = ["draw"]

_TINTS = {
    "handle-only": "hidden_handle",
    "kernel-only": "hidden_kernel",
    "kernel-mapped": "hidden_kernel",
    "hidden": "hidden_kernel",
}

MOST = 14
"""Bars drawn; the listing has them all."""

LONGEST = 80
"""Characters of a title that fit the width."""


def draw(table: pd.DataFrame, title: str, *, dark: bool = False) -> Still:
    """The largest changes of processes and hidden memory, which make up that of all VMO pages.

    Where no process is known, of uses of memory. The title says how much that is in all.
    """
    theme = DARK if dark else LIGHT
    drawn = table["section"].isin(["processes", "hidden"])
    if not drawn.any():
        drawn = table["section"] == "memory"
    rows = table[drawn & (table["change"] != "same") & table["change_bytes"].notna()]
    finding = _finding(table, rows)
    order = rows["change_bytes"].map(lambda size: -abs(size)).sort_values(kind="stable").index
    rows = rows.loc[order[:MOST]]
    figure = Still(figsize=(6.3, 0.9 + 0.27 * max(1, len(rows))), dpi=150, facecolor=theme.ground)
    axes = figure.add_axes((0.36, 0.02, 0.60, 1 - 0.7 / figure.get_size_inches()[1]))
    axes.set_facecolor(theme.ground)
    axes.axis("off")
    sizes = [float(size) for size in rows["change_bytes"]]
    reach = max([1.0, *map(abs, sizes)])
    axes.set(xlim=(-1.5 * reach, 1.5 * reach), ylim=(max(1, len(rows)) - 0.4, -0.6))
    axes.axvline(0, color=theme.line, lw=0.8)
    for row, (size, name, change, section) in enumerate(
        zip(sizes, rows["name"], rows["change"], rows["section"], strict=True)
    ):
        side = "twice" if size > 0 else "private"
        tint = TINTS[_TINTS.get(name, side) if section == "hidden" else side]
        axes.barh(row, size, height=0.66, color=tint.dark if dark else tint.light)
        axes.text(
            size + 0.03 * reach * (1 if size > 0 else -1),
            row,
            _signed(Fraction(size)),
            ha="left" if size > 0 else "right",
            va="center",
            fontsize=7.5,
            color=theme.text,
        )
        short = name if len(name) <= 26 else name[:25] + "…"
        axes.text(
            -1.55 * reach,
            row,
            f"{short or '-'} ({change})",
            ha="right",
            va="center",
            fontsize=7.5,
            color=theme.text,
        )
    if not len(rows):
        axes.text(0, 0, "nothing changed", ha="center", fontsize=9, color=theme.text)
    lines = ((0.0, finding, 9, "bold", theme.text), (0.17, title, 7.5, "normal", theme.faint))
    for below, words, size, weight, color in lines:
        figure.text(
            0.015,
            1 - (0.03 + below) / figure.get_size_inches()[1],
            words if len(words) <= LONGEST else words[: LONGEST - 1] + "…",
            fontsize=size,
            weight=weight,
            va="top",
            color=color,
        )
    return figure


def _finding(table: pd.DataFrame, rows: pd.DataFrame) -> str:
    """By how much the pages of all VMOs changed, and what changed most."""
    pages = rows["change_bytes"][rows["section"] != "memory"].sum()
    if not len(rows):
        return "nothing changed"
    most = rows.loc[rows["change_bytes"].map(abs).astype(float).idxmax()]
    what = f"{most['name'] or '-'} {_signed(most['change_bytes'])}"
    if (table["section"] == "hidden").any():
        return f"{_signed(pages)} of pages, most {what}"
    return f"most {what}"


def _signed(size: int | Fraction) -> str:
    return f"{'+' if size >= 0 else '−'}{format_size(abs(round(size)))}"

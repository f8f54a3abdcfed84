"""A difference as bars: what grew to the right, what shrank to the left, largest first."""

from __future__ import annotations

import pandas as pd

from magmem.palette import DARK, LIGHT, TINTS
from magmem.sizes import format_size
from magmem.still import Still

__all__ = ["draw"]

MOST = 14
"""Bars drawn; the listing has them all."""


def draw(table: pd.DataFrame, title: str, *, dark: bool = False) -> Still:
    """The largest changes of processes (of uses of memory, if no process is known)."""
    theme = DARK if dark else LIGHT
    section = "processes" if (table["section"] == "processes").any() else "memory"
    rows = table[(table["section"] == section) & (table["change"] != "same")]
    order = rows["change_bytes"].map(lambda size: -abs(size)).sort_values(kind="stable").index
    rows = rows.loc[order[:MOST]]
    figure = Still(figsize=(6.3, 0.8 + 0.27 * max(1, len(rows))), dpi=150, facecolor=theme.ground)
    axes = figure.add_axes((0.36, 0.02, 0.60, 1 - 0.6 / figure.get_size_inches()[1]))
    axes.set_facecolor(theme.ground)
    axes.axis("off")
    sizes = [float(size) for size in rows["change_bytes"]]
    reach = max([1.0, *map(abs, sizes)])
    axes.set(xlim=(-1.5 * reach, 1.5 * reach), ylim=(max(1, len(rows)) - 0.4, -0.6))
    axes.axvline(0, color=theme.line, lw=0.8)
    for row, (size, name, change) in enumerate(
        zip(sizes, rows["name"], rows["change"], strict=True)
    ):
        tint = TINTS["twice" if size > 0 else "private"]
        axes.barh(row, size, height=0.66, color=tint.dark if dark else tint.light)
        sign = "+" if size > 0 else "−"
        axes.text(
            size + 0.03 * reach * (1 if size > 0 else -1),
            row,
            f"{sign}{format_size(abs(round(size)))}",
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
            parse_math=False,
        )
    if not len(rows):
        axes.text(0, 0, "nothing changed", ha="center", fontsize=9, color=theme.text)
    figure.text(
        0.015, 0.985, title, fontsize=9, weight="bold", va="top", color=theme.text, parse_math=False
    )
    return figure

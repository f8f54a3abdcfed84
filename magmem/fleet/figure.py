"""Answers as pictures: bars of the first rows, ranges of percentiles, hidden memory over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magmem.palette import CHANGES, DARK, LIGHT, TINTS, Theme
from magmem.sizes import format_size
from magmem.still import Still

if TYPE_CHECKING:
    from magmem.fleet.answer import Answer

__all__ = ["VALUES", "draw", "row_names"]

MOST = 14
"""Bars drawn; the listing has every row."""

VALUES = {
    "grew": "growth_bytes",
    "regressions": "growth_bytes",
    "leaks": "bytes_per_hour",
    "outliers": "z",
    "like": "likeness",
    "percentiles": "p50_bytes",
    "hidden": "mean_bytes",
}
"""The column that each question is ranked by."""

_WHY = {
    "handle-only": "hidden_handle",
    "kernel-only": "hidden_kernel",
    "kernel-mapped": "wired",
    "shadowed": "twice",
    "unmapped part": "shared",
}


def draw(answer: Answer, *, dark: bool = False) -> Still:
    """A picture of an answer; the title says what it asks."""
    theme = DARK if dark else LIGHT
    frame = answer.df
    bars = frame.head(MOST)
    tall = 3.0 if answer.question == "hidden" else 0.9 + 0.27 * max(1, len(bars))
    figure = Still(figsize=(7.2, tall), dpi=150, facecolor=theme.ground)
    axes = figure.add_axes((0.30, 0.06, 0.66, 1 - 0.42 / tall - 0.06))
    axes.set_facecolor(theme.ground)
    title = answer.title if len(answer.title) <= 92 else answer.title[:91] + "…"
    figure.text(
        0.015,
        1 - 0.08 / tall,
        title,
        fontsize=9,
        weight="bold",
        va="top",
        color=theme.text,
        parse_math=False,
    )
    if not len(frame):
        axes.axis("off")
        axes.text(0.2, 0.5, "nothing to show", fontsize=9, color=theme.text)
    elif answer.question == "hidden":
        _over_time(axes, frame, theme, dark)
    else:
        _bars(axes, answer.question, bars, theme, dark)
    return figure


def row_names(question: str, frame: Any) -> list[str]:
    """What each row is called in a picture."""
    columns = {
        "regressions": ["name", "build"],
        "leaks": ["device", "holder", "process", "build"],
        "outliers": ["device", "build"],
        "like": ["device", "build"],
    }.get(question, ["name"])
    there = [frame[name].tolist() for name in columns if name in frame.columns]
    return [
        "  ".join("?" if _missing(part) else str(part) for part in parts)
        for parts in zip(*there, strict=True)
    ]


def _missing(value: Any) -> bool:
    import pandas as pd

    return value is None or bool(pd.isna(value))


def _bars(axes: Any, question: str, frame: Any, theme: Theme, dark: bool) -> None:
    axes.axis("off")
    column = VALUES[question]
    values = [0.0 if _missing(value) else float(value) for value in frame[column].tolist()]
    tops = (
        [float(value) for value in frame["max_bytes"].tolist()]
        if question == "percentiles"
        else values
    )
    low, high = min(0.0, *values), max(1e-9, *tops)
    span = high - low
    axes.set(
        xlim=(low - 0.16 * span * (low < 0), high + 0.16 * span), ylim=(len(values) - 0.4, -0.6)
    )
    axes.axvline(0, color=theme.line, lw=0.8)
    for row, (value, name) in enumerate(zip(values, row_names(question, frame), strict=True)):
        tint = CHANGES["grew" if value > 0 else "shrank"]
        if question in ("percentiles", "like"):
            tint = TINTS["private"]
        color = tint.dark if dark else tint.light
        axes.barh(row, value, height=0.66, color=color)
        end = value
        if question == "percentiles":
            axes.plot([value, tops[row]], [row, row], color=theme.line, lw=1.2)
            axes.plot([tops[row]], [row], marker="|", color=theme.text, ms=7)
            end = tops[row]
        right = value >= 0
        axes.text(
            end + 0.012 * span * (1 if right else -1),
            row,
            said(question, value),
            ha="left" if right else "right",
            va="center",
            fontsize=7.5,
            color=theme.text,
        )
        short = name if len(name) <= 30 else name[:29] + "…"
        axes.annotate(
            short,
            (0, row),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7.5,
            color=theme.text,
            parse_math=False,
        )


def said(question: str, value: float) -> str:
    """A value in words, as it stands beside its bar."""
    if question == "outliers":
        return f"{value:+.1f}"
    if question == "like":
        return f"{value:.1%}"
    size = format_size(abs(round(value)))
    if question == "percentiles":
        return size
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{size}{'/h' if question == 'leaks' else ''}"


def _over_time(axes: Any, frame: Any, theme: Theme, dark: bool) -> None:
    """Stacked bars, one for each day, hour or build."""
    unit = frame.columns[0]
    times = list(dict.fromkeys(frame[unit].tolist()))
    bottom = dict.fromkeys(times, 0.0)
    for why in dict.fromkeys(frame["why"].tolist()):
        rows = frame[frame["why"] == why]
        tint = TINTS[_WHY.get(why, "other")]
        at = [times.index(moment) for moment in rows[unit].tolist()]
        sizes = [float(size) for size in rows["mean_bytes"].tolist()]
        base = [bottom[times[place]] for place in at]
        axes.bar(
            at, sizes, bottom=base, width=0.7, color=tint.dark if dark else tint.light, label=why
        )
        for place, size in zip(at, sizes, strict=True):
            bottom[times[place]] += size
    step = max(1, len(times) // 8)
    texts = [str(moment).removesuffix(" 00:00:00") for moment in times]
    axes.set_xticks(range(0, len(times), step), texts[::step], fontsize=7, color=theme.text)
    axes.yaxis.set_major_formatter(lambda size, _: format_size(max(0, round(size))))
    axes.tick_params(colors=theme.faint, labelsize=7)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_position((0.12, 0.12, 0.62, 0.72))
    axes.legend(
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        fontsize=7,
        frameon=False,
        labelcolor=theme.text,
    )

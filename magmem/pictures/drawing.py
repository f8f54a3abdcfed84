"""Drawing the page picture with matplotlib, in the colours of the one visual language.

Squares are drawn for short runs; a long run becomes one bar that says how many pages it stands
for, so that a 2M heap and a one-page VMO fit the same picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.patches import FancyBboxPatch, Rectangle

from magmem.listing import count
from magmem.palette import DARK, LIGHT, TINTS, Theme, text_on
from magmem.still import Still

if TYPE_CHECKING:
    from magmem.pictures.pages import PagePicture, PageRun, VmoRow
    from magmem.pictures.reach import Window

__all__ = ["draw"]

SQUARES = 40
"""Squares across: more pages than that in a VMO, and its long runs are drawn as bars."""

LONGEST = 8
"""Squares' width that stands for a long run."""

MOST_LANES = 8
"""Rows of mapping bars over a VMO; how many more mappings there are is said below them."""

_HATCHES = {"solid": "", "hatch": "///", "dots": "..", "outline": ""}


def draw(picture: PagePicture, *, title: str, dark: bool) -> Still:
    """The figure of a page picture."""
    theme = DARK if dark else LIGHT
    bars = [_lanes(row) for row in picture.rows]
    axis = [_Axis(row.runs) for row in picture.rows]
    across = max([24.0, *(one.width for one in axis)])
    above = [0.62 * (len(lanes) + bool(left_out)) for lanes, left_out in bars]
    heights = [1.9 + bar for bar in above]
    columns = len(picture.processes)
    width = across + 1.5 + 3.2 * columns
    rows_height = sum(heights)
    head = 1.0 + max((len(_short(name)) for _, name in picture.processes), default=0) * 0.36
    head += 0.8 if title else 0.0  # a line of its own: a long title ends above the columns' names
    inch = 9.6 / (SQUARES + 12)
    size = (max(width * inch, 6.0), (rows_height + head + 2.2) * inch)
    figure = Still(figsize=size, dpi=150, facecolor=theme.ground)
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    axes.set_xlim(-0.6, width)
    axes.set_ylim(rows_height + 2.2, -head)
    axes.set_aspect("equal")
    axes.axis("off")
    _columns(axes, picture, across + 1.5, theme, rows_height)
    names = dict(picture.processes)
    top = 0.0
    for row, bar, one, height, over in zip(picture.rows, bars, axis, heights, above, strict=True):
        _row(axes, row, bar, one, top, names, theme)
        _cells(axes, picture, row, (across + 1.5, top + 1.0 + over), theme)
        top += height
    _legend(axes, picture, rows_height + 0.9, theme)
    if title:
        axes.text(0, 0.35 - head, title, fontsize=9.5, weight="bold", va="top", color=theme.text)
    return figure


def _row(
    axes: Any,
    row: VmoRow,
    bars: tuple[list[list[Window]], int],
    axis: _Axis,
    top: float,
    names: dict[int | None, str],
    theme: Theme,
) -> None:
    lanes, left_out = bars
    axes.text(0, top + 0.45, row.label, fontsize=8, va="center", color=theme.text)
    y = top + 0.85
    for lane in lanes:
        for window in lane:
            left, right = axis.at(window.first), axis.at(window.end)
            place, width = (left + 0.06, y), right - left - 0.12
            axes.add_patch(Rectangle(place, width, 0.2, color=theme.faint, lw=0))
            words = f"{window.perms} {_short(names[window.koid])}"
            if len(words) * 0.27 > right - left:
                words = window.perms if right - left >= 1 else ""
            axes.text(place[0], y + 0.41, words, fontsize=5.5, va="center", color=theme.faint)
        y += 0.62
    if left_out:
        words = f"and {count(left_out, 'more mapping')}"
        axes.text(0.06, y + 0.2, words, fontsize=5.5, va="center", color=theme.faint)
        y += 0.62
    for run in row.runs:
        _run(axes, run, axis, y, theme)


def _run(axes: Any, run: PageRun, axis: _Axis, y: float, theme: Theme) -> None:
    left, right = axis.at(run.first), axis.at(run.end)
    if run.tint == "none":
        face, edge, hatch = theme.ground, theme.line, ""
    else:
        tint = TINTS[run.tint]
        face = tint.dark if theme is DARK else tint.light
        edge, hatch = theme.ground, _HATCHES[tint.pattern]
    if right - left + 0.01 >= run.pages:
        for page in range(run.pages):
            place = (left + page + 0.06, y + 0.06)
            axes.add_patch(
                Rectangle(place, 0.88, 0.88, facecolor=face, edgecolor=edge, hatch=hatch, lw=0.5)
            )
        return
    axes.add_patch(
        FancyBboxPatch(
            (left + 0.14, y + 0.14),
            right - left - 0.28,
            0.72,
            boxstyle="round,pad=0.08",
            facecolor=face,
            edgecolor=edge,
            hatch=hatch,
            lw=0.5,
        )
    )
    axes.text(
        (left + right) / 2,
        y + 0.5,
        f"{run.pages:,} pages",
        fontsize=6,
        ha="center",
        va="center",
        color=theme.faint if run.tint == "none" else text_on(face),
        bbox=None if run.tint == "none" else {"facecolor": face, "lw": 0, "pad": 0.8},
    )


def _cells(
    axes: Any, picture: PagePicture, row: VmoRow, place: tuple[float, float], theme: Theme
) -> None:
    mapped = {window.koid for window in row.windows if window.perms}
    held = {window.koid for window in row.windows if not window.perms}
    for number, (koid, _) in enumerate(picture.processes):
        words = "\n".join(word for word, who in (("maps", mapped), ("handle", held)) if koid in who)
        x = place[0] + 3.2 * number
        axes.text(
            x + 1.4,
            place[1] + 0.35,
            words or "–",
            fontsize=5.5,
            ha="center",
            va="center",
            color=theme.text,
        )


def _columns(axes: Any, picture: PagePicture, left: float, theme: Theme, height: float) -> None:
    for number, (_, name) in enumerate(picture.processes):
        x = left + 3.2 * number
        axes.add_patch(
            Rectangle(
                (x, -0.1), 2.8, height + 0.1, facecolor=theme.surface, edgecolor=theme.line, lw=0.4
            )
        )
        axes.text(
            x + 1.4,
            -0.4,
            _short(name),
            fontsize=7,
            rotation=90,
            ha="center",
            va="bottom",
            color=theme.text,
        )


def _short(name: str, length: int = 18) -> str:
    """A name cut to what fits a heading; the text form has it whole."""
    return name if len(name) <= length else name[: length - 1] + "…"


def _legend(axes: Any, picture: PagePicture, y: float, theme: Theme) -> None:
    used = {run.tint for row in picture.rows for run in row.runs}
    x = 0.0
    for name in ("private", "shared", "hidden_handle", "hidden_kernel", "none"):
        if name not in used:
            continue
        tint = TINTS.get(name)
        face = theme.ground if tint is None else tint.dark if theme is DARK else tint.light
        axes.add_patch(
            Rectangle(
                (x, y),
                0.8,
                0.8,
                facecolor=face,
                edgecolor=theme.line if tint is None else theme.ground,
                hatch="" if tint is None else _HATCHES[tint.pattern],
                lw=0.5,
            )
        )
        word = _WORDS[name]
        axes.text(x + 1.1, y + 0.4, word, fontsize=6.5, va="center", color=theme.text)
        x += 2.2 + 0.52 * len(word)


_WORDS = {
    "private": "private: one process",
    "shared": "shared: several",
    "hidden_handle": "hidden: handle only",
    "hidden_kernel": "hidden: kernel",
    "none": "not committed",
}


def _lanes(row: VmoRow) -> tuple[list[list[Window]], int]:
    """Mapping bars packed into as few lanes as their overlaps need, and how many found no room."""
    lanes: list[list[Window]] = []
    left_out = 0
    for window in sorted(row.windows, key=lambda w: (w.first, -w.end)):
        if not window.perms:
            continue
        for lane in lanes:
            if lane[-1].end <= window.first:
                lane.append(window)
                break
        else:
            if len(lanes) < MOST_LANES:
                lanes.append([window])
            else:
                left_out += 1
    return lanes, left_out


class _Axis:
    """Page number to x: one square a page, long runs pressed into a fixed width."""

    def __init__(self, runs: tuple[PageRun, ...]) -> None:
        total = sum(run.pages for run in runs)
        widths = [float(run.pages) for run in runs]
        if total > SQUARES:
            widths = [float(min(run.pages, LONGEST)) for run in runs]
            if sum(widths) > SQUARES:
                widths = [width * SQUARES / sum(widths) for width in widths]
            else:
                spare = SQUARES - sum(widths)
                for number in sorted(range(len(runs)), key=lambda n: runs[n].pages):
                    more = min(runs[number].pages - widths[number], spare)
                    whole = widths[number] + more == runs[number].pages
                    if whole:
                        widths[number] += more
                        spare -= more
        self.first = [run.first for run in runs]
        self.end = [run.end for run in runs]
        self.left = [sum(widths[:number]) for number in range(len(runs))]
        self.widths = widths
        self.width = sum(widths)

    def at(self, page: int) -> float:
        """The left edge of a page; beyond the last page, the right end."""
        for first, end, left, width in zip(
            self.first, self.end, self.left, self.widths, strict=True
        ):
            if page < end:
                return left + width * (page - first) / (end - first)
        return self.left[-1] + self.widths[-1] if self.left else 0.0

"""Small multiples of a fleet: one process or device over builds and hours, a panel for each build.

Each panel has the captures of one build as bars in order of time; all panels share one scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from magmem.fleet import Fleet
from magmem.fleet.parquet import text
from magmem.sizes import format_size
from magmem_widgets.scene import Scene

__all__ = ["Panel", "draw_panels", "panels_of"]

MOST_PANELS = 6
MOST_BARS = 24


@dataclass(frozen=True)
class Panel:
    """One build.

    Attributes
    ----------
    build : str
    bars : tuple of (str, int, str)
        Time, median bytes, and the id of a capture of that time.
    """

    build: str
    bars: tuple[tuple[str, int, str], ...]


def panels_of(fleet: Fleet, column: str, name: str, device: str) -> list[Panel]:
    """Medians by build and time of one process, of one device, or of both.

    Parameters
    ----------
    column : str
        Of ``processes`` where `name` is given, else of ``captures``.
    name, device : str
        Empty for all.
    """
    table = "processes" if name else "captures"
    where = [f"{column} IS NOT NULL"]
    where += [f"name = {text(name)}"] if name else []
    where += [f"device = {text(device)}"] if device else []
    frame = fleet.sql(
        f"SELECT build, captured_at, median({column})::BIGINT AS size, "  # noqa: S608 (ours, quoted)
        f"min(capture_id) AS capture_id FROM {table} WHERE {' AND '.join(where)} "
        "GROUP BY build, captured_at ORDER BY min(captured_at) OVER (PARTITION BY build), build, "
        "captured_at"
    ).df
    panels: dict[str, list[tuple[str, int, str]]] = {}
    for build, at, size, capture in frame.itertuples(index=False):
        panels.setdefault(_said(build), []).append((_said(at), int(size), capture))
    last = list(panels.items())[-MOST_PANELS:]
    return [Panel(build, tuple(_thinned(bars))) for build, bars in last]


def _said(value: Any) -> str:
    return "?" if value is None or pd.isna(value) else str(value)


def _thinned(bars: list[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """At most so many bars, the first and the last among them."""
    if len(bars) <= MOST_BARS:
        return bars
    step = (len(bars) - 1) / (MOST_BARS - 1)
    return [bars[round(place * step)] for place in range(MOST_BARS)]


def draw_panels(
    scene: Scene,
    panels: list[Panel],
    place: tuple[float, float, float, float],
    selected: str,
) -> None:
    """Draw the panels side by side in `place` (x, y, width, height); a bar's act is its capture."""
    left, top, wide, high = place
    if not panels:
        scene.text(left, top + 16, "no captures with these numbers", "faint", size=11)
        return
    most = max((size for panel in panels for _, size, _ in panel.bars), default=0) or 1
    scene.text(left, top - 4, f"0 to {format_size(most)}", "faint", size=10)
    each = wide / len(panels)
    for number, panel in enumerate(panels):
        x, inner = left + number * each, each - 10
        scene.rect(x, top, inner, high, "surface")
        scene.text(x + inner / 2, top + high + 14, panel.build, size=10.5, anchor="middle")
        step = inner / max(1, len(panel.bars))
        for at, (when, size, capture) in enumerate(panel.bars):
            tall = max(1.0, high * size / most)
            scene.rect(
                x + at * step + 0.5,
                top + high - tall,
                max(1.5, step - 1.0),
                tall,
                "private",
                tip=f"{panel.build}, {when}: {size:,} bytes; opens this machine",
                act=f"machine {capture}",
                ring=capture == selected,
            )

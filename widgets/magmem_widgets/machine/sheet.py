"""The machine explorer's table as data for its view: the sheet, and the lines that are in sight."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

import anywidget
import traitlets

from magmem.kernel.runs import Ints
from magmem_widgets.machine.lines import RULE_WORDS, MachineLines, sized
from magmem_widgets.machine.rows import MachineRows
from magmem_widgets.machine.sums import RULES
from magmem_widgets.theme import machine_style, script

__all__ = ["UNITS", "WINDOW", "MachineView", "Sent", "rows_data", "sheet"]

UNITS: Final = ("", "B", "k", "M", "G")
"""What sizes are shown in; empty: as the guide's tools print them, such as ``68k``."""

WINDOW: Final = 60
"""Lines that are sent at a time."""

_MOST_CRUMBS: Final = 8
"""Steps of the breadcrumb; in a deeper tree the first of them is ``…``."""

_KEPT: Final = 4
"""Versions whose lines are remembered: a key may be pressed before an answer is on screen."""


class MachineView(anywidget.AnyWidget):
    """The table; lines are sent as they are scrolled to, and what is done comes back as messages.

    Attributes
    ----------
    sheet : dict
        What is shown but for the lines out of sight: how many there are and their `version`, the
        chosen one, the order, the filter, the choices, the breadcrumb.
    sentence, is_error
        What is said beneath.
    """

    _esm = script("machine_rows", "machine")
    _css = machine_style()
    sheet = traitlets.Dict({}).tag(sync=True)
    sentence = traitlets.Unicode().tag(sync=True)
    is_error = traitlets.Bool(default_value=False).tag(sync=True)


@dataclass
class Sent:
    """What views have been told: by which version of the lines, which of them, in answer to whom.

    Attributes
    ----------
    version : int
        Counts up whenever other lines, or other texts in them, are to be seen.
    window : (int, int)
        First and number of the lines that were asked for last.
    asker : dict
        View and sequence number of the last message.
    """

    version: int = 0
    window: tuple[int, int] = (0, WINDOW)
    asker: dict[str, Any] = field(default_factory=dict)
    _shown: tuple[Any, ...] = ()
    _orders: dict[int, tuple[MachineRows, Ints]] = field(default_factory=dict)

    def lines(self, rows: MachineRows, order: Ints, unit: str) -> None:
        """These lines are to be seen from now on."""
        shown = (rows, order, unit)
        if self._shown and all(one is other for one, other in zip(shown, self._shown, strict=True)):
            return
        self._shown = shown
        self.version += 1
        self._orders[self.version] = rows, order
        self._orders.pop(self.version - _KEPT, None)

    def order_of(self, version: object, rows: MachineRows) -> Ints | None:
        """The lines of a version, if they are rows of these; None if they are forgotten."""
        known = self._orders.get(version) if isinstance(version, int) else None
        return known[1] if known and known[0] is rows else None

    def around(self, at: int) -> tuple[int, int]:
        """First and number of the lines to send, so that the line at `at` is among them."""
        first, count = self.window
        seen = at < 0 or first <= at < first + count
        return (first if seen else max(at - count // 2, 0)), count


def sheet(
    lines: MachineLines, order: Ints, sent: Sent, row: int, at: int, state: dict[str, Any]
) -> dict[str, Any]:
    """Everything but the lines: see `MachineView`."""
    words = {name: RULE_WORDS[name] for name in RULES}
    if lines.rows.sums.source == "reported":
        words[RULES[0]] = "as ps printed it"
    path = lines.rows.lineage(row) if row >= 0 else []
    crumbs = [[lines.rows.key(each), lines.title(each)] for each in path[-_MOST_CRUMBS:]]
    if len(path) > _MOST_CRUMBS:
        crumbs[0][1] = "…"
    return {
        "version": sent.version,
        "total": len(order),
        "at": at,
        "chosen": lines.rows.key(row) if row >= 0 else "",
        "asker": sent.asker,
        "units": [[unit, unit or "auto"] for unit in UNITS],
        "rules": list(words.items()),
        "crumbs": crumbs,
        **state,
    }


def rows_data(
    lines: MachineLines,
    shown: Ints,
    opened: Collection[int],
    closed: Collection[int],
    unit: str,
) -> list[list[Any]]:
    """Some lines for the view.

    Each is kind, level, 0 (nothing below) or 1 (closed) or 2 (open), name, PSS, PRIVATE, SHARED,
    what else is known, and private and scaled in percent of the PSS of all processes.
    """
    total = lines.rows.sums.total
    made = []
    for row in shown.tolist():
        line = lines.line(row)
        is_open = row not in closed if line.kind == "job" else row in opened
        sizes = [sized(size, unit) for size in (line.pss, line.private, line.shared)]
        share = [0.0, 0.0]
        if total and line.pss >= 0 and line.private >= 0:
            private = min(line.private, line.pss)
            share = [round(100 * float(part / total), 3) for part in (private, line.pss - private)]
        state = (2 if is_open else 1) if line.opens else 0
        made.append([line.kind, line.level, state, line.name, *sizes, line.words, *share])
    return made

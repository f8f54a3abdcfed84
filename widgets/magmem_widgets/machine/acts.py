"""What one does in the machine explorer, by mouse and keyboard, as changes of its state.

Messages come from a page and are checked: whatever does not fit changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from magmem_widgets.machine.rows import COLUMNS
from magmem_widgets.machine.sheet import WINDOW, rows_data

if TYPE_CHECKING:
    from magmem_widgets.machine.explorer import MachineExplorer

__all__ = ["Acts"]

_MOST_ROWS = 500


class Acts:
    """Answers the messages of the table and the tiles of one explorer."""

    def __init__(self, explorer: MachineExplorer) -> None:
        self._explorer = explorer

    def hear(self, content: dict[str, Any]) -> None:
        """A message of the table: ``do`` says what, ``view`` and ``seq`` who asks."""
        explorer, do = self._explorer, content.get("do")
        if do == "rows":
            self._send_rows(content)
            return
        if do == "export":
            name = f"{explorer.snap.name or 'machine'}.csv"
            explorer.view.send({"to": content.get("view"), "csv": explorer.csv(), "name": name})
            return
        explorer.sent.asker = {"view": content.get("view"), "seq": content.get("seq")}
        if do == "set":
            self._set(content.get("name"), content.get("value"))
        elif do == "sort":
            self._sort(str(content.get("column")))
        elif do == "crumb":
            self._go(str(content.get("key")))
        else:
            self._row(str(do), content)

    def hear_tile(self, content: dict[str, Any]) -> None:
        """A click on a tile: choose its row; what has no row is only said."""
        explorer = self._explorer
        rows, key = explorer.lines.rows, ""
        path = content.get("path", [])
        for step in path if isinstance(path, list) else []:
            kind, koid = map(str, step) if len(step) == 2 else ("", "")
            if kind in ("job", "process") and rows.find(koid) >= 0:
                key = koid
            elif kind == "vmo" and key and rows.find(f"{key}/{koid}") >= 0:
                key = f"{key}/{koid}"
        explorer.sent.asker = {}
        if key:
            self._go(key)
            return
        with explorer.one_change():
            explorer.selected = ""
            explorer.said = str(content.get("said", ""))

    def _go(self, key: str) -> None:
        explorer = self._explorer
        explorer.zooms = False
        if explorer.lines.rows.find(key) >= 0:
            explorer.select(key)

    def _row(self, do: str, content: dict[str, Any]) -> None:
        """Something is done to the line at a place."""
        explorer, at = self._explorer, content.get("at")
        rows = explorer.lines.rows
        order = explorer.sent.order_of(content.get("version"), rows)
        with explorer.one_change():
            if order is None or not isinstance(at, int) or not 0 <= at < len(order):
                return
            row = int(order[at])
            key, above = rows.key(row), rows.parent(row)
            explorer.zooms = do in ("drill", "up")
            if do == "select":
                explorer.selected = key
            elif do == "open":
                explorer.expand(key)
            elif do == "shut":
                explorer.collapse(key)
            elif do == "drill":
                self._drill(row, key)
            elif do == "up" and above >= 0:
                explorer.selected = rows.key(above)

    def _drill(self, row: int, key: str) -> None:
        """Open a row and choose the first line in it."""
        explorer = self._explorer
        rows = explorer.lines.rows
        explorer.selected = key
        if not rows.opens(row):
            return
        explorer.expand(key)
        below = explorer.line_of(row) + 1
        order = explorer.visible()
        if below < len(order) and rows.parent(int(order[below])) == row:
            explorer.selected = rows.key(int(order[below]))

    def _sort(self, column: str) -> None:
        """A click on a head: by this column, then the other way round, then as `ps` prints."""
        explorer = self._explorer
        if column not in COLUMNS:
            return
        first = column != "name"
        with explorer.one_change():
            if explorer.column != column:
                explorer.column, explorer.descending = column, first
            elif explorer.descending == first:
                explorer.descending = not first
            else:
                explorer.column, explorer.descending = "", True

    def _set(self, name: object, value: object) -> None:
        """A control has another value."""
        explorer = self._explorer
        if name not in ("unit", "rule", "wanted") or not isinstance(value, str):
            return
        try:
            with explorer.one_change():
                if name == "wanted" and value:
                    explorer.closed = ()
                explorer.set_trait(name, value)
        except traitlets.TraitError as error:
            explorer.tell(str(error))

    def _send_rows(self, content: dict[str, Any]) -> None:
        """Lines that were scrolled to, for the view that asks."""
        explorer = self._explorer
        first, count = content.get("first"), content.get("count")
        order = explorer.sent.order_of(content.get("version"), explorer.lines.rows)
        if order is None or not isinstance(first, int) or not isinstance(count, int):
            return
        if first < 0 or not 0 < count <= _MOST_ROWS:
            return
        explorer.sent.window = (first, max(count, WINDOW))
        shown = order[first : first + count]
        opened, closed = explorer.open_rows()
        rows = rows_data(explorer.lines, shown, opened, closed, explorer.unit)
        message = {"to": content.get("view"), "version": content["version"], "first": first}
        explorer.view.send({**message, "rows": rows})

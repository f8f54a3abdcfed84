"""Machine explorer: which task uses how much, and what that is, down to the page.

Above is the job tree as a table: jobs, processes, the VMOs of a process, its mappings of a VMO, the
runs of committed pages. Below stands the treemap of the same machine; what is chosen in one is
shown in the other. Works on any capture: what it does not tell is ``?``, and a row says what is
missing. Only the lines on screen are put into words, so a machine of 10,000 processes stays quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, ClassVar

import pandas as pd
import traitlets

from magmem.csv_cells import csv_text
from magmem.errors import MagmemError
from magmem.files import write_atomically
from magmem.kernel.runs import Ints
from magmem.snapshot.source import Source, snapshot_of
from magmem.treemap.treemap import Treemap, treemap
from magmem_widgets.explorer import Explorer
from magmem_widgets.machine.acts import Acts
from magmem_widgets.machine.facts import MachineFacts
from magmem_widgets.machine.lines import MachineLines
from magmem_widgets.machine.rows import COLUMNS, MachineRows, Order
from magmem_widgets.machine.sheet import UNITS, MachineView, Sent, rows_data, sheet
from magmem_widgets.machine.still import outline, still
from magmem_widgets.machine.sums import RULES
from magmem_widgets.machine.tree import MachineTree
from magmem_widgets.scene import Scene
from magmem_widgets.treemap import TreemapView

__all__ = ["MachineExplorer"]


class MachineExplorer(Explorer):
    """Any machine state: its tasks with their memory, and a treemap that follows.

    Attributes
    ----------
    source : Snapshot or Machine
        What is shown. A machine is read anew by `read`.
    rule : str
        ``magenta-2017`` (as `ps` prints; a capture's own numbers where it has no mappings) or
        ``exact``.
    unit : str
        One of `UNITS`.
    column : str
        ``pss``, ``private``, ``shared`` or ``name``; empty for the order of `ps`.
    descending : bool
    wanted : str
        Filter: what has it in its name, or is that koid.
    selected : str
        Key of the chosen row: a koid, or koids parted by ``/`` from the process down, such as
        ``1080/1036``. Empty for none.
    opened, closed : tuple of str
        Keys of what is open; keys of jobs that are closed.
    """

    title: ClassVar[str] = "Which task uses how much memory"
    watched: ClassVar[tuple[str, ...]] = (
        *("source", "rule", "unit", "column", "descending"),
        *("wanted", "selected", "opened", "closed"),
    )

    source = traitlets.Any()
    rule = traitlets.Enum(RULES, RULES[0])
    unit = traitlets.Enum(UNITS, "")
    column = traitlets.Enum((*COLUMNS, ""), "pss")
    descending = traitlets.Bool(default_value=True)
    wanted = traitlets.Unicode()
    selected = traitlets.Unicode()
    opened = traitlets.Tuple()
    closed = traitlets.Tuple()

    view: MachineView

    def __init__(self, source: Source, **traits: Any) -> None:
        self._forget()
        self.busy = False
        self._answered = RULES[0]
        self.sent = Sent()
        self.zooms = False
        self.said = ""
        self._worded: tuple[tuple[int, ...], list[Any]] = ((), [])
        self._acts = Acts(self)
        self.tiles = TreemapView(bare=True, height="200px")
        self.tiles.on_msg(self._tile_clicked)
        # Whether there is such a row can be told once the source is read.
        selected = traits.pop("selected", "")
        super().__init__(source=source, **traits)
        self.children = [self.view, self.tiles]
        if selected:
            self.select(selected)

    def _forget(self) -> None:
        self._by_rule: dict[str, MachineLines] = {}
        self._treemaps: dict[str, Treemap] = {}
        self._drawn = ""
        self._order_of_lines: tuple[Any, Ints] | None = None

    @traitlets.validate("source")
    def _valid_source(self, proposal: dict[str, Any]) -> Source:
        self.snap = snapshot_of(proposal["value"])
        self._forget()
        source: Source = proposal["value"]
        return source

    @traitlets.validate("selected")
    def _valid_selected(self, proposal: dict[str, Any]) -> str:
        key = str(proposal["value"])
        if key and self.lines.rows.find(key) < 0:
            raise traitlets.TraitError(
                f"expected a koid of a task, or a path such as 1080/1036, found {key!r}"
            )
        return key

    def make_view(self) -> MachineView:
        """The table in the place of a scene."""
        return MachineView()

    def read(self) -> None:
        """Read a machine anew and show its state of this moment."""
        self.snap = snapshot_of(self.source)
        self._forget()
        if self.lines.rows.find(self.selected) < 0:
            self.selected = ""
        self.refresh()

    # ---- what is shown

    @property
    def lines(self) -> MachineLines:
        """Rows by the rule in force.

        Raises
        ------
        MissingData
            The capture does not know what the rule needs.
        """
        if self.rule not in self._by_rule:
            known = next(iter(self._by_rule.values()), None)
            facts = known.rows.facts if known else MachineFacts(self.snap)
            tree = known.rows.tree if known else MachineTree(self.snap)
            rows = MachineRows(self.snap, self.rule, facts, tree)
            self._by_rule[self.rule] = MachineLines(rows, self.rule)
        return self._by_rule[self.rule]

    @property
    def treemap(self) -> Treemap:
        """The treemap beneath, as `magmem.treemap` makes it."""
        if self.rule not in self._treemaps:
            self._treemaps[self.rule] = treemap(self.snap, "process", self.rule)
        return self._treemaps[self.rule]

    def visible(self) -> Ints:
        """Rows in the order of the lines, closed ones and filtered ones left out."""
        asked = (
            *(self.rule, self.column, self.descending, self.wanted.strip()),
            *(self.opened, self.closed),
        )
        if self._order_of_lines is None or self._order_of_lines[0] != asked:
            order = Order(self.column, self.descending)
            lines = self.lines.rows.visible(*self.open_rows(), order, asked[3])
            self._order_of_lines = asked, lines
        return self._order_of_lines[1]

    def table(self) -> pd.DataFrame:
        """What is shown, as a table.

        Returns
        -------
        DataFrame
            One row per line: kind (job, process, vmo, mapping, handle, run), depth, koid (Int64),
            name, pss_bytes (int, `Fraction` where divided, missing where unknown), private_bytes,
            shared_bytes (Int64), known (in words), key.
        """
        return self.lines.table(self.visible().tolist())

    def csv(self) -> str:
        """What is shown as CSV: sizes in bytes, exact ones as fractions, unknown ones empty."""
        return csv_text(self.table())

    def save_csv(self, path: str | PathLike[str]) -> None:
        """Write `csv` to a file, whole or not at all.

        Raises
        ------
        OSError
            The file cannot be written; what stood there before is untouched.
        """
        write_atomically(path, self.csv())

    def refresh(self) -> None:
        """Show what the traits say; a rule that cannot be used says why, and the last one stays."""
        try:
            lines = self.lines
            order = self.visible()
            sentence = self.sentence()
        except MagmemError as error:
            if self.rule != self._answered:
                with self.one_change():
                    self.rule = self._answered
            self.tell(str(error))
            return
        self._answered = self.rule
        self.sent.lines(lines.rows, order, self.unit)
        row = lines.rows.find(self.selected) if self.selected else -1
        at = self.line_of(row)
        first, count = self.sent.around(at)
        state = {
            name: getattr(self, name) for name in ("column", "descending", "wanted", "unit", "rule")
        }
        state["first"] = first
        state["rows"] = self._rows_of(lines, order, first, count)
        with self.view.hold_sync():
            self.view.sheet = sheet(lines, order, self.sent, row, at, state)
            self.view.sentence = sentence
            self.view.is_error = False
        self._draw(lines, row)

    def _rows_of(self, lines: MachineLines, order: Ints, first: int, count: int) -> list[Any]:
        """Some lines as data; choosing another of them puts none into words again."""
        asked = (self.sent.version, first, count)
        if self._worded[0] != asked:
            shown = order[first : first + count]
            self._worded = asked, rows_data(lines, shown, *self.open_rows(), self.unit)
        return self._worded[1]

    def tell(self, message: str) -> None:
        """Say a mistake in input in the place of the sentence."""
        self.view.set_trait("sentence", f"{message[:1].upper()}{message[1:]}.")
        self.view.set_trait("is_error", True)

    def open_rows(self) -> tuple[set[int], set[int]]:
        """Rows of what is open, and of jobs that are closed."""
        rows = self.lines.rows
        return set(self._found(rows, self.opened)), set(self._found(rows, self.closed))

    def _draw(self, lines: MachineLines, row: int) -> None:
        """The treemap by this rule, its unit, and what is ringed in it."""
        if self._drawn != self.rule:
            self._drawn = self.rule
            try:
                self.tiles.show(self.treemap)
            except (MagmemError, ValueError) as error:
                self.tiles.error = str(error)
        koids: list[str] = []
        if row >= 0:
            task, vmo = lines.rows.task_of(row), lines.rows.vmo_of(row)
            koids = [str(lines.rows.tree.koid[task])]
            koids += [lines.rows.facts.vmo_key(vmo)] if vmo >= 0 else []
        with self.tiles.hold_sync():
            self.tiles.unit = self.unit
            self.tiles.chosen = {"koids": koids, "zoom": self.zooms}

    def sentence(self) -> str:
        """What is chosen, with its numbers; the largest process while nothing is."""
        if self.said:
            return self.said
        lines = self.lines
        if self.selected:
            return lines.sentence(lines.rows.find(self.selected), self.unit)
        return lines.everything(self.unit)

    def summary(self) -> str:
        """The first lines of the table, and the sentence, as text."""
        return outline(self.lines, self.visible(), self.unit) + self.wrapped()

    def scene(self) -> Scene:
        """The still form: the first lines with bars, and the sentence."""
        return still(self.lines, self.visible(), self.selected, self.unit, self.sentence())

    # ---- what is done

    def select(self, key: str | int) -> None:
        """Choose a row and open what it stands in.

        Raises
        ------
        TraitError
            There is no such row.
        """
        with self.one_change():
            self.selected = str(key)
            self._reveal(str(key))

    def expand(self, *keys: str | int) -> None:
        """Open processes, VMOs or mappings, and jobs that were closed."""
        asked = [str(key) for key in keys]
        with self.one_change():
            self.closed = tuple(key for key in self.closed if key not in asked)
            new = [key for key in asked if key not in self.opened]
            self.opened = (*self.opened, *new)

    def collapse(self, *keys: str | int) -> None:
        """Close jobs, processes, VMOs or mappings; what was chosen inside gives way to them."""
        rows = self.lines.rows
        asked = [str(key) for key in keys]
        with self.one_change():
            jobs = [key for key in asked if rows.is_job(rows.find(key)) and key not in self.closed]
            self.closed = (*self.closed, *jobs)
            self.opened = tuple(key for key in self.opened if key not in asked)
            line = rows.lineage(rows.find(self.selected)) if self.selected else []
            over = [row for row in line[:-1] if rows.key(row) in asked]
            if over:
                self.selected = rows.key(over[0])

    def _reveal(self, key: str) -> None:
        rows = self.lines.rows
        above = [rows.key(row) for row in rows.lineage(rows.find(key))[:-1]]
        self.expand(*[each for each in above if not rows.is_job(rows.find(each))])
        self.closed = tuple(each for each in self.closed if each not in above)
        if self.line_of(rows.find(key)) < 0:
            self.wanted = ""

    def line_of(self, row: int) -> int:
        """The line a row stands in; -1 if it is not to be seen."""
        places = (self.visible() == row).nonzero()[0]
        return int(places[0]) if len(places) else -1

    @staticmethod
    def _found(rows: MachineRows, keys: Sequence[str]) -> list[int]:
        return [row for row in map(rows.find, keys) if row >= 0]

    def one_change(self) -> OneChange:
        """Changes of several traits inside it are shown together."""
        return OneChange(self)

    def _changed(self, _change: object) -> None:
        self.said = ""
        if not self.busy:
            self.refresh()

    def _message(self, _view: object, content: dict[str, Any], _buffers: object) -> None:
        self._acts.hear(content)

    def _tile_clicked(self, _view: object, content: dict[str, Any], _buffers: object) -> None:
        self._acts.hear_tile(content)


class OneChange:
    """A block of changes that are shown together when it ends."""

    def __init__(self, explorer: MachineExplorer) -> None:
        self._explorer = explorer

    def __enter__(self) -> None:
        self._outer = self._explorer.busy
        self._explorer.busy = True

    def __exit__(self, *_: object) -> None:
        self._explorer.busy = self._outer
        if not self._outer:
            self._explorer.refresh()

"""`TextTable`: a table in text, declared by its header and what each of its columns holds.

The header leads: its columns may stand in any order, some may be absent, and one that nobody knows
is left out, counted, and named in a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from magmem.captures.reading.cells import Cell
from magmem.captures.reading.dump import Dump, TextFormat
from magmem.captures.reading.layout import Header, Layout, fields_of
from magmem.captures.reading.session import Session

__all__ = ["ALWAYS", "NEVER", "WHEN_ENDED", "Line", "TableDump", "TextTable", "Totals", "Whole"]

Whole = Literal["always", "when ended", "never"]
"""Whether a dump tells all of a facet: by its nature, if its end was seen, or not at all."""

ALWAYS: Whole = "always"
WHEN_ENDED: Whole = "when ended"
NEVER: Whole = "never"

_RULED = re.compile(r"[-=_+| \t]*[-=_]{2}[-=_+| \t]*").fullmatch


@dataclass(frozen=True)
class Totals:
    """The row of sums that ends a table.

    Attributes
    ----------
    word : str
        What stands in the place of the name, or alone at the line's end; empty if the sums
        stand below a rule, under the columns right of the name.
    sums : tuple of str
        Headings whose cells are checked against it; a contradiction becomes a note.
    within : int
        Bytes by which each row may be cut or rounded.
    """

    word: str
    sums: tuple[str, ...] = ()
    within: int = 0


@dataclass(frozen=True)
class Line:
    """A line beside the rows that tells something of another table.

    Attributes
    ----------
    pattern : str
        A regular expression of the whole line; its named groups are the keys of `cells`.
    table : str
        The table that takes a row of it; empty for a line that is known and says nothing.
    cells : mapping of group to Cell
    facet : str
        Facet of which this is a part; empty for none.
    joins : bool
        All such lines of a dump fill one row of their table.
    finish : function of values, or None
        Works on the values of the row before it is kept.
    """

    pattern: str
    table: str = ""
    cells: Mapping[str, Cell] = field(default_factory=dict)
    facet: str = ""
    joins: bool = False
    finish: Callable[[dict[str, Any]], None] | None = None


@dataclass(frozen=True)
class TextTable(TextFormat):
    """A kind of dump that is a header and rows.

    Attributes
    ----------
    name : str
        What it is called in messages.
    table : str
        The table its rows go to (`magmem.snapshot.TABLES`).
    header : Header
        How the dump is recognised.
    columns : mapping of heading to Cell
        What magmem knows of its columns. A column that is not here is left out with a note.
    others : function of str to Cell or None
        For headings that are known by their form only.
    every : mapping of column to value
        What is the same in every row.
    before : mapping of column to pattern
        Lines that may stand before a header; group 1 is the value of that column in the rows below.
    lines : tuple of Line
        Lines beside the rows.
    unique : str
        Heading whose cells differ from row to row; empty for none.
    again : str
        What to say of rows that repeat a cell of `unique` and are passed over; empty: an error.
    placed : bool
        Cells stand below their headings; if not, no cell is ever empty and they are read in order.
    finish : function of TableDump, cells and line to values
        Works on the values of a row before it is kept; cells are texts by heading.
    one_row : bool
        A header stands over one row each, again and again.
    ends : Totals or None
    covers : mapping of facet to Whole
    at_end : function of TableDump
        Called when the dump is over.
    expected : str or function of TableDump and line to str
        What a broken row should have been, for the message.
    dump : str
        What the sources table calls a dump; the name if empty.
    longest_name : int
        The longest name in it.
    """

    name: str
    table: str
    header: Header
    columns: Mapping[str, Cell]
    others: Callable[[str], Cell | None] = lambda _heading: None
    every: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()
    unique: str = ""
    again: str = ""
    placed: bool = True
    finish: Callable[[TableDump, dict[str, Any], dict[str, str], int], None] | None = None
    one_row: bool = False
    ends: Totals | None = None
    covers: Mapping[str, Whole] = field(default_factory=dict)
    at_end: Callable[[TableDump], None] | None = None
    expected: str | Callable[[TableDump, str], str] = ""
    dump: str = ""

    def opens(self, line: str, number: int, session: Session) -> TableDump | None:
        """A header, or a line that may stand before it."""
        if self.header.words(line) or self.leads(line):
            return TableDump(self, session, number)
        return None

    def leads(self, line: str) -> dict[str, str]:
        """The value that a line before the header tells, by its column."""
        for column, pattern in self.before.items():
            match = pattern.fullmatch(line)
            if match is not None:
                return {column: match[1]}
        return {}

    def likeness(self, line: str) -> tuple[float, str]:
        """By the headings that a line has and lacks."""
        return self.header.likeness(line)


class TableDump(Dump):
    """One dump of a `TextTable`.

    Attributes
    ----------
    layout : Layout or None
        The columns, once the header is read.
    ended : bool
        Its end was seen.
    told : dict
        The values of the last row.
    """

    format: TextTable
    skip: ClassVar[int] = 0
    """Headings at the left that are no column of cells."""

    def __init__(self, format: TextTable, session: Session, number: int) -> None:  # noqa: A002
        super().__init__(session, format.dump or format.name, number)
        self.format = format
        self.layout: Layout | None = None
        self.ended = self.ruled = False
        self.told: dict[str, Any] = {}
        self.lead: dict[str, str] = {}
        self.sums: dict[str, int] = {}
        self.seen: set[Any] = set()
        self.joined: dict[str, int] = {}
        self._lines = [(re.compile(line.pattern), line) for line in format.lines]

    def head(self, line: str, number: int) -> bool:
        """Read a header; False if the line is none."""
        words = self.format.header.words(line)
        if not words:
            return False
        fields = fields_of(words[self.skip :], self.format.columns, self.format.others)
        self.layout = Layout(fields, placed=self.format.placed)
        for one in self.layout.fields:
            if one.cell is None:
                self.session.unknown(self.format.name, one.heading, number)
        return True

    def take(self, line: str, number: int) -> bool:
        """A header, a row, the totals, or a line beside them."""
        lead = self.format.leads(line)
        if lead:
            self.lead, self.layout = lead, None
        elif not self._take(line, number):
            return False
        self.origin.last_line = number
        return True

    def _take(self, line: str, number: int) -> bool:
        if self.head(line, number):
            return True
        if self._beside(line, number):
            return True
        if self.layout is None or self.ended:
            return False
        if _RULED(line):
            self.ruled = self.rows > 0
            return True
        if self._totals(line, number):
            return True
        cells = self.layout.cut(line) if self.is_row(line) else None
        if cells is None:
            if self.is_row(line):
                raise self.error(number, self.expected(line), line)
            return False
        self.keep(self.values(cells, number), cells, number)
        if self.format.one_row:
            self.lead, self.layout = {}, None
        return True

    def is_row(self, line: str) -> bool:
        """Whether a line is clearly a row: its first word fits, and it has half of the others."""
        words = line.split()
        layout = self.layout
        if layout is None or not words:
            return False
        first = layout.fields[0].cell
        fits = first is None or first.wide or bool(first.matches(words[0]))
        return fits and 2 * len(words) >= len(layout.before) + len(layout.after)

    def expected(self, line: str) -> str:
        """What a row should be, for the message."""
        expected = self.format.expected
        if isinstance(expected, str):
            if expected:
                return expected
            fields = self.layout.fields if self.layout is not None else ()
            return f"a row of {self.format.name} with {', '.join(one.heading for one in fields)}"
        return expected(self, line)

    def values(self, cells: dict[str, str], number: int) -> dict[str, Any]:
        """The values of a row by column, from its cells."""
        values = dict(self.format.every)
        for heading, text in cells.items():
            cell = self.cell(heading)
            if cell is None:
                continue
            value = cell.read(self, text, number)
            if cell.column:
                values[cell.column] = value
        return values

    def cell(self, heading: str) -> Cell | None:
        """What is known of a column."""
        return self.format.columns.get(heading) or self.format.others(heading)

    def keep(self, values: dict[str, Any], cells: dict[str, str], number: int) -> int:
        """Keep a row, and count what of it was left out."""
        if self.format.finish is not None:
            self.format.finish(self, values, cells, number)
        unique = self.format.unique
        if unique:
            key = cells.get(unique)
            if key in self.seen and self.format.again:
                self.session.repair(number, self.format.again)
                return -1
            if key in self.seen:
                raise self.error(number, f"a row of its own for {unique} {key}", "it again")
            self.seen.add(key)
        for heading in cells:
            if self.cell(heading) is None:
                self.session.unknown(self.format.name, heading, number, 1)
        if self.format.ends is not None:
            for heading in self.format.ends.sums:
                cell = self.format.columns[heading]
                self.sums[heading] = self.sums.get(heading, 0) + (values.get(cell.column) or 0)
        self.told = {**self.lead, **values}
        return self.add(self.format.table, number, **self.told)

    def _beside(self, line: str, number: int) -> bool:
        for pattern, told in self._lines:
            match = pattern.fullmatch(line)
            if match is None:
                continue
            values = {
                cell.column: cell.read(self, match[group], number)
                for group, cell in told.cells.items()
                if match[group] is not None
            }
            if told.finish is not None:
                told.finish(values)
            if told.table and told.joins and told.table in self.joined:
                self.session.tables[told.table].change(self.joined[told.table], **values)
            elif told.table:
                self.joined[told.table] = self.add(told.table, number, **values)
            if told.facet:
                self.covers(told.facet, whole=False)
            return True
        return False

    def _totals(self, line: str, number: int) -> bool:
        ends = self.format.ends
        if ends is None or self.layout is None or (ends.word and ends.word not in line.split()):
            return False
        if not ends.word:
            return self._totals_at_right(line, number)
        empty = [one.heading for one in self.layout.before]
        cells = self.layout.cut(line, 0, empty)
        if cells is None or ends.word not in cells.values():
            return False
        self._check(cells, number)
        return True

    def _totals_at_right(self, line: str, number: int) -> bool:
        """Sums below a rule, under the columns right of the name."""
        words = line.split()
        fields = self.layout.after or self.layout.before if self.layout is not None else []
        if not self.ruled or len(words) < len(fields):
            return False
        last = zip(fields, words[len(words) - len(fields) :], strict=True)
        self._check({one.heading: text for one, text in last}, number)
        return True

    def _check(self, cells: dict[str, str], number: int) -> None:
        ends = self.format.ends
        assert ends is not None  # noqa: S101 (asked by the callers)
        self.ended = True
        for heading in ends.sums:
            if heading not in cells or self.elided:
                continue
            if not self.format.columns[heading].matches(cells[heading]):
                continue
            total = self.format.columns[heading].read(self, cells[heading], number)
            held, within = self.sums.get(heading, 0), ends.within * (self.rows + 1)
            if total is not None and abs(total - held) > within:
                message = f"{heading} of all rows is {held}, but the total says {total}"
                self.note("contradiction", number, message)

    def end(self) -> None:
        """Say what the dump covers."""
        if self.format.at_end is not None:
            self.format.at_end(self)
        if not self.rows:
            return
        cut = False
        for facet, whole in self.format.covers.items():
            self.covers(facet, whole=whole == ALWAYS or (whole == WHEN_ENDED and self.ended))
            cut = cut or (whole == WHEN_ENDED and not self.ended)
        if cut:
            message = f"nothing closes this {self.origin.dump}, so it may be cut short"
            self.note("truncated", self.origin.last_line, message)

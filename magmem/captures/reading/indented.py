"""`Indented`: a table whose first column is a tree, by indentation.

Each row begins with a mark that tells its sort (``j:1028``, ``p:1043``); what it hangs below is the
nearest row above it that stands further left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from magmem.captures.reading.session import Session
from magmem.captures.reading.text_table import TableDump, TextTable

__all__ = ["Indented", "IndentedDump", "Sort"]


@dataclass(frozen=True)
class Sort:
    """One sort of row.

    Attributes
    ----------
    every : mapping of column to value
        What is the same in every such row; also what the sort is called, by the first value.
    below : str
        The mark of what it may hang below.
    empty : tuple of str
        Headings whose cells such rows leave empty.
    bare : bool
        Such rows may have none of the cells but the name.
    """

    every: Mapping[str, Any]
    below: str
    empty: tuple[str, ...] = ()
    bare: bool = False

    @property
    def word(self) -> str:
        """What such a row is called."""
        return str(next(iter(self.every.values())))


@dataclass(frozen=True)
class Indented(TextTable):
    """A table whose rows are a tree.

    Attributes
    ----------
    sorts : mapping of mark to Sort
    koid, parent : str
        Columns for the koid beside the mark and for that of the row above.
    """

    sorts: Mapping[str, Sort] = field(default_factory=dict)
    koid: str = "koid"
    parent: str = "parent_koid"

    def opens(self, line: str, number: int, session: Session) -> IndentedDump | None:
        """A header."""
        return IndentedDump(self, session, number) if self.header.words(line) else None


class IndentedDump(TableDump):
    """One dump of an `Indented`.

    Attributes
    ----------
    above : list of (indentation, mark, koid, line)
        The rows the next one may hang below, from the top down.
    """

    format: Indented
    skip = 1

    def __init__(self, format: Indented, session: Session, number: int) -> None:  # noqa: A002
        super().__init__(format, session, number)
        self.above: list[tuple[int, str, int, int]] = []
        self.gap = 0
        self.full: set[str] = set()  # marks of rows that have had cells beside their name
        marks = "".join(format.sorts)
        self._row = re.compile(rf"( *+)([{marks}]): ?([0-9]{{1,19}})(?![^ ])")
        self._like = re.compile(rf" *+[{marks}]: ?[-+]?[0-9]")

    def elide(self, number: int) -> None:
        """Rows may be missing here, and with them what later ones hang below."""
        super().elide(number)
        self.gap = number

    def is_row(self, line: str) -> bool:
        """By the mark and the digits behind it."""
        return bool(self._like.match(line))

    def _take(self, line: str, number: int) -> bool:
        if self.head(line, number):
            return True
        if not self.is_row(line):
            return False
        row = self._row.match(line)
        sort = self.format.sorts[row[2]] if row is not None else None
        layout = self.layout
        cells = None
        if row is not None and sort is not None and layout is not None:
            bare = sort.bare and row[2] not in self.full
            cells = layout.cut(line, row.end(), sort.empty, bare=bare)
        if cells is None or row is None or sort is None:
            raise self.error(number, self.expected(line), line)
        koid = self.count(row[3], number, "a koid")
        if not koid:
            raise self.error(number, "a koid above 0", line)
        depth = len(row[1])
        above = self.above
        while above and above[-1][0] >= depth:
            above.pop()
        parent = self._parent(sort, depth, number) if above else None
        if len(cells) > 1:
            self.full.add(row[2])
        values = {self.format.koid: koid, self.format.parent: parent, **sort.every}
        values.update(self.values(cells, number))
        self.keep_row(values, cells, number, top=not above)
        above.append((depth, row[2], koid, number))
        return True

    def keep_row(
        self,
        values: dict[str, Any],
        cells: dict[str, str],
        number: int,
        *,
        top: bool,  # noqa: ARG002
    ) -> None:
        """Keep a row; `top` says that nothing stands above it."""
        self.keep(values, cells, number)

    def _parent(self, sort: Sort, depth: int, number: int) -> int | None:
        """The row above; None where rows between may have been left out."""
        _, mark, koid, line = self.above[-1]
        if line < self.gap and (len(self.above) > 1 or depth > 2):
            return None
        if mark == sort.below:
            return koid
        if self.elided:
            return None
        wanted = self.format.sorts[sort.below].word
        expected = f"a {sort.word} below a {wanted}"
        found = f"it below {self.format.sorts[mark].word} {koid}"
        raise self.error(number, expected, found)

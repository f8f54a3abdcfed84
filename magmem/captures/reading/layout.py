"""The header of a text table, and how its rows are cut into cells.

Where every cell stands under its heading, places tell which cell is empty. Where they do not (a
value too wide, a copy whose runs of blanks became one), cells follow each other in the header's
order, and what a column cannot hold is not given to it. Either way a cell that belongs to no known
column is cut out and never reaches the name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from magmem.captures.reading.cells import Cell

__all__ = ["Field", "Header", "Layout", "fields_of"]

LONGEST = 400
"""No header is longer."""

MOST_HEADINGS = 60

_WORD = re.compile(r"[^ ]++")
_FIGURE = re.compile(r"[-?]|[-+?(]?[0-9][^ ]*+").fullmatch


@dataclass(frozen=True)
class Field:
    """A column of one dump: its heading, the places it takes, and its cell if it is known."""

    heading: str
    start: int
    end: int
    cell: Cell | None


@dataclass(frozen=True)
class Header:
    """What makes a line the header of a table.

    Attributes
    ----------
    required : tuple of str
        Headings that must be there, in any order.
    some : tuple of str
        Headings of which at least one must be there.
    first, last : str
        The heading that begins or ends the line; empty for any.
    spelt : mapping of str to str
        Other spellings of a heading; one with a blank in it counts as one heading.
    glued : mapping of str to str
        Headings that are printed as one, and the same as long with a blank between.
    """

    required: tuple[str, ...]
    some: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    spelt: Mapping[str, str] = field(default_factory=dict)
    glued: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _sure(self) -> tuple[str, ...]:
        """What a header has to contain, whatever its spelling: a quick look before a slow one."""
        spelt = set(self.spelt.values())
        return tuple(word for word in (self.first, *self.required) if word not in spelt)

    def words(self, line: str) -> list[tuple[str, int, int]]:
        """The headings of a line with the places each takes; empty if it is no header of a kind."""
        if len(line) > LONGEST or not all(map(line.__contains__, self._sure)):
            return []
        words = self._words(line)
        headings = [heading for heading, _, _ in words]
        if (
            not words
            or len(words) > MOST_HEADINGS
            or (self.first and headings[0] != self.first)
            or (self.last and headings[-1] != self.last)
            or not all(map(headings.__contains__, self.required))
            or (self.some and not any(map(headings.__contains__, self.some)))
        ):
            return []
        return words

    def likeness(self, line: str) -> tuple[float, str]:
        """How much a line looks like this header, and which headings it lacks."""
        if len(line) > LONGEST:
            return 0.0, ""
        words = self._words(line)
        headings = {heading for heading, _, _ in words}
        wanted = [*self.required, *filter(None, (self.first, self.last))]
        wanted = list(dict.fromkeys(wanted))
        lacking = [heading for heading in wanted if heading not in headings]
        known = len(headings.intersection([*wanted, *self.some]))
        if known < 2 or not lacking or 2 * known < len(words):
            return 0.0, ""
        column = "the column" if len(lacking) == 1 else "the columns"
        verb = "is" if len(lacking) == 1 else "are"
        return known / (known + len(lacking)), f"{column} {', '.join(lacking)} {verb} missing"

    def _words(self, line: str) -> list[tuple[str, int, int]]:
        for printed, parted in self.glued.items():
            line = line.replace(printed, parted)
        for spelling in self.spelt:
            if " " in spelling:
                line = line.replace(spelling, spelling.replace(" ", "\0"))
        return [
            (self.spelt.get(text, text), match.start(), match.end())
            for match in _WORD.finditer(line)
            for text in (match[0].replace("\0", " "),)
        ]


class Layout:
    """The columns of one dump, in its own order.

    Parameters
    ----------
    fields : sequence of Field
        In the order of the header; at most one is wide (`Cell.wide`).
    placed : bool
        Whether the places of the fields are known.
    """

    def __init__(self, fields: Sequence[Field], *, placed: bool = True) -> None:
        wide = [at for at, one in enumerate(fields) if one.cell is not None and one.cell.wide]
        at = wide[0] if wide else len(fields)
        self.fields = list(fields)
        self.before = self.fields[:at]
        self.wide = self.fields[at] if wide else None
        self.after = self.fields[at + 1 :]
        self.placed = placed

    def cut(
        self, line: str, begin: int = 0, empty: Collection[str] = (), *, bare: bool = False
    ) -> dict[str, str] | None:
        """The cells of a row by heading; None if it cannot be one.

        Parameters
        ----------
        begin : int
            Where the cells begin, behind what was read already.
        empty : collection of str
            Headings that rows of this sort leave empty.
        bare : bool
            Such rows may have no cells but the wide one.
        """
        words = [(match[0], match.start(), match.end()) for match in _WORD.finditer(line, begin)]
        if self.after:
            return self._from_both_ends(line, words)
        cells = self._by_place(line, words, empty) if self.placed else None
        return self._by_order(line, words, begin, empty, bare=bare) if cells is None else cells

    def _by_place(
        self, line: str, words: Sequence[tuple[str, int, int]], empty: Collection[str]
    ) -> dict[str, str] | None:
        """Cells under their headings, at the same left or right end; None if any is elsewhere."""
        name_at = self.wide.start if self.wide is not None else len(line)
        cells: dict[str, str] = {}
        fields = iter(self.before)
        skipped: list[Field] = []
        wider = 0
        for text, start, end in words:
            if start >= name_at:
                break
            for one in fields:
                if start == one.start or abs(end - one.end) <= 1:
                    break
                skipped.append(one)
            else:
                return None
            if end > name_at or (one.cell is not None and not one.cell.matches(text)):
                return None
            cells[one.heading] = text
            wider = end - one.end
        if self.wide is not None:
            # A value one too wide moves what follows by one.
            name = line[name_at + (wider == 1 and line[name_at : name_at + 1] == " ") :]
            if not cells and line[name_at - 1 : name_at] == name[:1] == " ":
                return None
            if self.wide.cell is not None and not self.wide.cell.matches(name):
                name = name.strip(" ")
            cells[self.wide.heading] = name
            if not name:
                skipped.extend(fields)
        else:
            skipped.extend(fields)
        # Further right something stands, so the place in between was left empty on purpose; at the
        # end of a line it may have been cut off.
        unclear = skipped if not cells.get(self.wide.heading if self.wide else "", "") else ()
        if any(_needed(one, empty) for one in unclear):
            return None
        return cells

    def _by_order(
        self,
        line: str,
        words: Sequence[tuple[str, int, int]],
        begin: int,
        empty: Collection[str],
        *,
        bare: bool,
    ) -> dict[str, str] | None:
        cells: dict[str, str] = {}
        at, behind, gap = 0, begin, False
        for nth, one in enumerate(self.before):
            text = words[at][0] if at < len(words) else ""
            if one.heading not in empty and self._takes(one, text, len(words) - at, nth):
                cells[one.heading] = text
                behind = words[at][2]
                at, gap = at + 1, False
                continue
            gap = True
            if _needed(one, empty):
                if not bare or cells or _holds(one, words):
                    return None
                break
        if self.wide is None:
            return cells if at == len(words) else None
        # One blank parts a name from the cell before it, the rest is its own; behind empty cells
        # nobody can tell.
        rest = line[behind:]
        name = rest.lstrip(" ") if gap else rest[1:]
        if self.wide.cell is not None and not self.wide.cell.matches(name):
            name = name.strip(" ")
            if not self.wide.cell.matches(name):
                return None
        cells[self.wide.heading] = name
        return cells

    def _takes(self, one: Field, text: str, left: int, nth: int) -> bool:
        """Whether a word is a cell of a column, rather than of one that follows."""
        if not text or one.cell is not None:
            return bool(text and one.cell is not None and one.cell.matches(text))
        needed = sum(1 for other in self.before[nth + 1 :] if _needed(other, ()))
        return bool(_FIGURE(text)) or left > needed + 1

    def _from_both_ends(
        self, line: str, words: Sequence[tuple[str, int, int]]
    ) -> dict[str, str] | None:
        """A wide column in the middle is what the columns left and right of it leave."""
        left, right = len(self.before), len(self.after)
        if self.wide is None or len(words) < left + right:
            return None
        middle = words[left : len(words) - right]
        ends = [*words[:left], *words[len(words) - right :]]
        fields = [*self.before, *self.after]
        cells = {one.heading: text for one, (text, _, _) in zip(fields, ends, strict=True)}
        if any(one.cell is not None and not one.cell.matches(cells[one.heading]) for one in fields):
            return None
        name = line[middle[0][1] : middle[-1][2]] if middle else ""
        return {**cells, self.wide.heading: name}


def _holds(one: Field, words: Sequence[tuple[str, int, int]]) -> bool:
    """Whether any word could be a cell of the column."""
    return one.cell is not None and any(one.cell.matches(text) for text, _, _ in words)


def _needed(one: Field, empty: Collection[str]) -> bool:
    return one.cell is not None and not one.cell.blank and one.heading not in empty


def fields_of(
    words: Sequence[tuple[str, int, int]],
    columns: Mapping[str, Cell],
    others: Callable[[str], Cell | None] = lambda _heading: None,
) -> list[Field]:
    """The fields of a header's words."""
    return [
        Field(heading, start, end, columns.get(heading) or others(heading))
        for heading, start, end in words
    ]

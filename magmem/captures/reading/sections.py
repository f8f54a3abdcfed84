"""`Sections`: a report of many parts, such as Android's bugreport, most of which say nothing here.

Lines of a section that is wanted go to the other formats; those of the rest are passed over, many
at a time. A section ends every dump before it. A line of a section that cannot be read costs
itself, with a note, and not the report.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from magmem.captures.reading.commands import Command
from magmem.captures.reading.dump import Dump, TextFormat
from magmem.captures.reading.session import Session

__all__ = ["Sections"]


@dataclass(frozen=True)
class Sections(TextFormat):
    """A report with a head line for each section.

    Attributes
    ----------
    name : str
    starts : pattern
        The whole of a line that only such a report has.
    head : pattern
        The whole of a head line; group 1 or 2 is what the section is.
    marks : tuple of str
        What a head line begins with.
    wanted : pattern
        The names of sections that are read, each time or, with the group ``once``, the first time;
        the group ``pid`` is the process it is of.
    """

    name: str
    starts: re.Pattern[str]
    head: re.Pattern[str]
    marks: tuple[str, ...]
    wanted: re.Pattern[str]

    def opens(self, line: str, number: int, session: Session) -> Dump | None:
        """A line of such a report alone."""
        if not line.startswith(self.marks) or not self.starts.fullmatch(line):
            return None
        return _Dump(self, session, number)


class _Dump(Dump):
    """The report while it is read."""

    def __init__(self, format: Sections, session: Session, number: int) -> None:  # noqa: A002
        super().__init__(session, format.name, number)
        self.format = format
        self.reading = False
        self.seen: set[str] = set()
        session.lenient = True
        self.origin.coverage["processes"] = "partial"

    def take(self, line: str, number: int) -> bool:
        """A head line, or any line of a section that is not wanted."""
        self.origin.last_line = number
        match = self._head(line)
        if match is None:
            return not self.reading
        self.parts = True
        name = match[1] or match[2] or ""
        wanted = self.format.wanted.fullmatch(name)
        once = wanted["once"] if wanted is not None else None
        self.reading = wanted is not None and once not in self.seen
        if once:
            self.seen.add(once)
        if wanted is not None and self.reading:
            self.session.command = Command("linux", wanted["pid"] or name)
        return True

    def run(self, lines: Sequence[str], start: int, number: int) -> int:
        """All lines up to the next head."""
        if self.reading:
            return 0
        at, marks = start, self.format.marks
        while at < len(lines) and not lines[at].startswith(marks):
            at += 1
        self.origin.last_line = max(self.origin.last_line, number + at - start - 1)
        return at - start

    def _head(self, line: str) -> re.Match[str] | None:
        return self.format.head.fullmatch(line) if line.startswith(self.format.marks) else None

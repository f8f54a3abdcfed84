"""One console session: the dumps found in it, their rows, and remarks about them."""

from __future__ import annotations

import re
from typing import Any

from magmem.captures.reading.commands import Command
from magmem.captures.reading.rows import Tables
from magmem.captures.reconcile.loose import Origin
from magmem.captures.reconcile.settle import Notes
from magmem.errors import CaptureError

__all__ = ["Session"]

_OF_PROCESS = re.compile(r"(?:^|[/\\])([0-9]{1,9})[/\\](?:smaps|smaps_rollup|maps|status)[^/\\]*$")

SHOWN_COLUMNS = 20
"""Unknown columns of one kind of dump that are named."""


class Session:
    """The dumps of one text, in the order they begin, with their rows.

    Attributes
    ----------
    source : str
        File the text is of.
    tables : Tables
        The rows of every dump.
    origins : list of Origin
        The dumps; a row's origin is a number of this list.
    notes : Notes
    command : Command or None
        The last command line, until a dump takes it.
    root_job_koid : int or None
        The job at the top of a ps.
    timestamp_iso : str
        The last time a dump tells.
    empty : list of int
        Dumps that have begun and hold nothing.
    lenient : bool
        A line that cannot be read costs itself alone, with a note.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.tables = Tables()
        self.origins: list[Origin] = []
        self.notes = Notes()
        self.command: Command | None = None
        self.root_job_koid: int | None = None
        self.timestamp_iso = ""
        self.empty: list[int] = []
        self.lenient = False
        self.readers: dict[Any, Any] = {}
        self.repairs: dict[str, list[int]] = {}
        self._unknown: dict[str, dict[str, int]] = {}
        self._unknown_lines: dict[str, int] = {}

    def begin(self, dump: str, line: int) -> int:
        """A dump begins; returns its number."""
        self.origins.append(Origin(self.source, dump, line, line))
        return len(self.origins) - 1

    def asked(self, tool: str) -> Command | None:
        """The command line before the dump, if it is of this tool; it counts for one dump."""
        command = self.command
        if command is None or command.tool != tool:
            return None
        self.command = None
        return command

    def pid(self) -> int | None:
        """The process that the last command line, or else the path of the text, names; once."""
        command = self.command
        if command is not None and command.pid is not None:
            self.command = None
            return command.pid
        match = _OF_PROCESS.search(self.source) if not self.origins[1:] else None
        return int(match[1]) or None if match is not None else None

    def repair(self, line: int, message: str) -> None:
        """A line was read after some repair; `finish` notes how many, and the first."""
        self.repairs.setdefault(message, []).append(line)

    def unknown(self, dump: str, heading: str, line: int, cells: int = 0) -> None:
        """A column that the format does not know, and how many of its cells were left out."""
        self._unknown_lines.setdefault(dump, line)
        told = self._unknown.setdefault(dump, {})
        told[heading] = told.get(heading, 0) + cells

    def finish(self) -> None:
        """Note each sort of repair, and the unknown columns of each kind of dump, once."""
        for message, lines in self.repairs.items():
            more = f" ({len(lines)} lines)" if len(lines) > 1 else ""
            self.note("repaired", lines[0], message + more)
        for dump, told in self._unknown.items():
            named = ", ".join(heading[:40] for heading in list(told)[:SHOWN_COLUMNS])
            more = f" and {len(told) - SHOWN_COLUMNS} more" if len(told) > SHOWN_COLUMNS else ""
            columns = "a column" if len(told) == 1 else f"{len(told)} columns"
            cells = sum(told.values())
            count = "1 cell" if cells == 1 else f"{cells} cells"
            is_left = "is" if len(told) == 1 else "are"
            message = f"{columns} of {dump} that magmem does not know {is_left} left out: "
            line = self._unknown_lines[dump]
            self.note("skipped", line, f"{message}{named}{more} ({count})")

    def error(self, line: int, expected: str, found: str) -> CaptureError:
        """What to raise at this line."""
        return CaptureError(self.source, f"line {line}", expected, found.strip())

    def note(self, kind: str, line: int, message: str) -> None:
        """Remark on something at a line."""
        self.notes.add(kind, self.source, f"line {line}", message)

"""One console session: the dumps found in it, and what every reader of a dump needs.

A `Reader` gathers the rows of all dumps of its kind in a session. It is led by the header or first
line it finds; `take` says whether a line is a row of the open dump. A line that clearly belongs to
the dump, yet cannot be read, is a `CaptureError`; a line that `take` refuses is left to others.
After either, the same line may be offered again without console noise, so a reader works out every
value of a row before it keeps any.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from magmem.captures.facts.loose import Bundle, Origin
from magmem.captures.facts.rounding import printed_size
from magmem.captures.facts.settle import Notes
from magmem.captures.transcripts.commands import Command
from magmem.errors import CaptureError
from magmem.snapshot import Coverage

__all__ = ["MOST", "Reader", "Session"]

MOST = 2**63 - 1
"""The largest size, count or koid a table can hold."""

LONGEST_NAME = 31
"""Bytes of a name in the kernel (reference/kernel.md "Tasks")."""


class Session:
    """The dumps of one text, in the order they begin, and remarks about them.

    Attributes
    ----------
    source : str
        File the text is of.
    origins : list of Origin
    notes : Notes
    command : Command or None
        The last command line, until a dump takes it.
    root_job_koid : int or None
        The job at the top of a ps.
    timestamp_iso : str
        The last time a dump tells.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.origins: list[Origin] = []
        self.notes = Notes()
        self.command: Command | None = None
        self.root_job_koid: int | None = None
        self.timestamp_iso = ""
        self.repairs: dict[str, list[int]] = {}

    def repair(self, line: int, message: str) -> None:
        """A line was read after some repair; `finish_repairs` notes how many, and the first."""
        self.repairs.setdefault(message, []).append(line)

    def finish_repairs(self) -> None:
        """Note each sort of repair once."""
        for message, lines in self.repairs.items():
            more = f" ({len(lines)} lines)" if len(lines) > 1 else ""
            self.note("repaired", lines[0], message + more)

    def error(self, line: int, expected: str, found: str) -> CaptureError:
        """What to raise at this line."""
        return CaptureError(self.source, f"line {line}", expected, found.strip())

    def note(self, kind: str, line: int, message: str) -> None:
        """Remark on something at a line."""
        self.notes.add(kind, self.source, f"line {line}", message)


class Reader(ABC):
    """Reads every dump of one kind in a session.

    Attributes
    ----------
    origin : Origin or None
        The open dump.
    at : int
        Its number in the session.
    elided : int
        Line of the first ``...`` in it; 0 if none.
    """

    names: ClassVar[str]
    """What the kind of dump is called in messages."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.origin: Origin | None = None
        self.at = -1
        self.elided = 0
        self.elisions = 0

    @abstractmethod
    def opens(self, line: str, number: int) -> bool:
        """Whether a dump begins with this line; if so it is open now, and the line is read."""

    @abstractmethod
    def take(self, line: str, number: int) -> bool:
        """Whether the line is part of the open dump; if so it is read."""

    @abstractmethod
    def bundle(self) -> Bundle:
        """All rows of all dumps, as loose rows."""

    def end(self) -> None:  # noqa: B027 (most kinds need nothing more)
        """The open dump is over: check it, and say what it covers."""

    def begin(self, dump: str, number: int) -> Origin:
        """Open a dump."""
        self.close()
        self.origin = Origin(self.session.source, dump, number, number)
        self.at = len(self.session.origins)
        self.session.origins.append(self.origin)
        self.elided = self.elisions = 0
        return self.origin

    def close(self) -> None:
        """End the open dump, if any."""
        if self.origin is None:
            return
        self.end()
        if self.elisions:
            places = "" if self.elisions == 1 else f" in {self.elisions} places"
            message = f"lines of {self.origin.dump} are left out{places}"
            self.session.note("elided", self.elided, message)
        self.origin = None

    def elide(self, number: int) -> None:
        """A ``...`` stands in the open dump."""
        self.elided = self.elided or number
        self.elisions += 1

    def covers(self, *facets: str, whole: bool = True) -> None:
        """What the open dump knows, all of it only if nothing was left out."""
        assert self.origin is not None  # noqa: S101 (called while a dump is open)
        degree: Coverage = "complete" if whole and not self.elided else "partial"
        self.origin.coverage.update(dict.fromkeys(facets, degree))

    def asked(self, tool: str) -> Command | None:
        """The command line before the dump, if it is of this tool; it counts for one dump."""
        command = self.session.command
        if command is None or command.tool != tool:
            return None
        self.session.command = None
        return command

    def count(self, text: str, line: int, what: str) -> int:
        """A whole number of 63 bits; the text holds digits alone, or ``-`` for unknown (−1)."""
        if text == "-":
            return -1
        value = int(text) if len(text) < 20 else MOST + 1
        if value > MOST:
            raise self.session.error(line, f"{what} of 63 bits at most", text)
        return value

    def address(self, text: str, line: int, what: str) -> int:
        """A hexadecimal number of 64 bits."""
        value = int(text, 16) if len(text) <= 18 else 1 << 64
        if value >= 1 << 64:
            raise self.session.error(line, f"{what} of 64 bits at most", text)
        return value

    def size(self, text: str, line: int) -> tuple[int, int]:
        """Bytes and slack of a printed size."""
        try:
            size = printed_size(text)
        except ValueError:
            raise self.session.error(line, "a size below 8E such as 68k", text) from None
        if size[1]:
            assert self.origin is not None  # noqa: S101
            self.origin.rounded = True
        return size

    def name(self, text: str, line: int) -> str:
        """A name that fits the kernel."""
        if len(text) > LONGEST_NAME:
            raise self.session.error(line, f"a name of at most {LONGEST_NAME} bytes", text)
        return text

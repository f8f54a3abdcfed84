"""A reader with state: it gathers the rows of all dumps of its kind in a session.

Formats that are not yet declared as `magmem.captures.reading.dump.TextFormat` are written so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from magmem.captures.reading.commands import Command
from magmem.captures.reading.dump import LONGEST_NAME, MOST, TextFormat
from magmem.captures.reading.lines import without_noise
from magmem.captures.reading.session import Session
from magmem.captures.reconcile.loose import Bundle, Origin
from magmem.captures.reconcile.rounding import printed_size
from magmem.errors import CaptureError
from magmem.snapshot import Coverage

__all__ = ["MOST", "Reader", "ReaderFormat", "Session"]


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

    @property
    def over(self) -> bool:
        """Whether no dump is open."""
        return self.origin is None

    def run(self, lines: Sequence[str], start: int, number: int) -> int:  # noqa: ARG002
        """Line by line."""
        return 0

    def start(self, line: str, number: int) -> None:  # noqa: B027
        """The line is read when the dump is opened."""

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
        self.at = self.session.begin(dump, number)
        self.origin = self.session.origins[self.at]
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


class ReaderFormat(TextFormat):
    """The format of such a reader; a session has one of each."""

    def __init__(self, kind: type[Reader]) -> None:
        self.kind = kind
        self.name = kind.names

    def opens(self, line: str, number: int, session: Session) -> Any:
        """The session's reader, if a dump begins with the line, which is read then."""
        reader = session.readers.get(self.kind)
        if reader is None:
            reader = session.readers[self.kind] = self.kind(session)
        try:
            return reader if reader.opens(line, number) else None
        except CaptureError:
            if reader.origin is None:
                raise
        for cleaner in without_noise(line):
            try:
                if reader.take(cleaner, number):
                    session.repair(number, "console noise inside the line is taken out")
                    return reader
            except CaptureError:
                continue
        reader.opens(line, number)
        return None

"""What every text format is made of: the format, which says where a dump begins, and the dump.

A format has no state. `TextFormat.opens` looks at one line and gives a `Dump` if one begins there;
the dump is then given that line and all that follow until it refuses one. A line that clearly
belongs to the dump, yet cannot be read, is a `CaptureError`; a line that `take` refuses is left to
others. After either, the same line may be offered again without console noise, or joined with the
next, so a dump works out every value of a row before it keeps any.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from magmem.captures.reading.commands import Command
from magmem.captures.reading.rows import Rounded, size_of
from magmem.captures.reading.session import Session
from magmem.captures.reconcile.loose import Origin
from magmem.errors import CaptureError
from magmem.snapshot import Coverage

__all__ = ["LONGEST_NAME", "MOST", "Dump", "TextFormat"]

MOST = 2**63 - 1
"""The largest size, count or koid a table can hold."""

LONGEST_NAME = 31
"""Bytes of a name in the kernel (reference/kernel.md "Tasks")."""


class TextFormat(ABC):
    """One kind of dump in a text.

    Attributes
    ----------
    name : str
        What it is called in messages, such as ``kstats -m``.
    """

    name: str

    @abstractmethod
    def opens(self, line: str, number: int, session: Session) -> Dump | None:
        """The dump that begins with this line, if one does; the line is not read yet."""

    def likeness(self, line: str) -> tuple[float, str]:  # noqa: ARG002 (formats that can tell do)
        """How much a line that opens no dump looks as if it ought to, from 0 to 1, and why not."""
        return 0.0, ""


class Dump(ABC):
    """One dump while it is read.

    Parameters
    ----------
    session : Session
    name : str
        What the sources table calls it.
    number : int
        The line it begins on.

    Attributes
    ----------
    at : int
        Its number in the session, the origin of its rows.
    elided : int
        Line of the first ``...`` in it; 0 if none.
    rows : int
        How many rows it has kept.
    over : bool
        It has ended.
    parts : bool
        The line taken last ends all other dumps; whoever ends them sets it back.
    """

    longest_name: ClassVar[int] = LONGEST_NAME

    def __init__(self, session: Session, name: str, number: int) -> None:
        self.session = session
        self.at = session.begin(name, number)
        self.origin: Origin = session.origins[self.at]
        self.elided = self.elisions = self.rows = 0
        self.over = self.parts = False

    @abstractmethod
    def take(self, line: str, number: int) -> bool:
        """Whether the line is part of the dump; if so it is read."""

    def start(self, line: str, number: int) -> None:
        """Read the line that the dump begins with."""
        self.take(line, number)

    def run(self, lines: Sequence[str], start: int, number: int) -> int:  # noqa: ARG002
        """Read as many lines from ``lines[start]`` on as can be read in one go, and say how many.

        For formats of millions of lines; `number` is the first line's. Whatever is not taken here
        is offered to `take`.
        """
        return 0

    def settle(self) -> None:  # noqa: B027 (most kinds need nothing more)
        """Read what still waits, before it is asked whether the dump holds anything."""

    def end(self) -> None:  # noqa: B027 (most kinds need nothing more)
        """The dump is over: check it, and say what it covers."""

    def close(self) -> None:
        """End the dump, once."""
        if self.over:
            return
        self.over = True
        self.settle()
        if not self.rows and not self.origin.coverage:
            self.session.empty.append(self.at)
        self.end()
        if self.elisions:
            places = "" if self.elisions == 1 else f" in {self.elisions} places"
            message = f"lines of {self.origin.dump} are left out{places}"
            self.session.note("elided", self.elided, message)

    def elide(self, number: int) -> None:
        """A ``...`` stands in the dump."""
        self.elided = self.elided or number
        self.elisions += 1

    def add(self, table: str, line: int, /, **values: Any) -> int:
        """Keep a row of a table (`magmem.captures.reading.rows.Rows.add`); returns its number."""
        self.rows += 1
        self.origin.last_line = line
        return self.session.tables[table].add(self.at, line, **values)

    def covers(self, *facets: str, whole: bool = True) -> None:
        """What the dump knows, all of it only if nothing was left out."""
        degree: Coverage = "complete" if whole and not self.elided else "partial"
        self.origin.coverage.update(dict.fromkeys(facets, degree))

    def asked(self, tool: str) -> Command | None:
        """The command line before the dump, if it is of this tool."""
        return self.session.asked(tool)

    def error(self, line: int, expected: str, found: str) -> CaptureError:
        """What to raise at this line."""
        return self.session.error(line, expected, found)

    def note(self, kind: str, line: int, message: str) -> None:
        """Remark on something at a line."""
        self.session.note(kind, line, message)

    def count(self, text: str, line: int, what: str) -> int:
        """A whole number of 63 bits; the text holds digits alone."""
        value = int(text) if len(text) < 20 else MOST + 1
        if value > MOST:
            raise self.error(line, f"{what} of 63 bits at most", text)
        return value

    def koid(self, text: str, line: int) -> int:
        """A koid that an object can have."""
        koid = self.count(text, line, "a koid")
        if not koid:
            raise self.error(line, "a koid above 0", text)
        return koid

    def address(self, text: str, line: int, what: str) -> int:
        """A hexadecimal number of 64 bits."""
        value = int(text, 16) if len(text) <= 18 else 1 << 64
        if value >= 1 << 64:
            raise self.error(line, f"{what} of 64 bits at most", text)
        return value

    def size(self, text: str, line: int) -> int:
        """Bytes of a printed size."""
        try:
            size_bytes = size_of(text)
        except ValueError:
            raise self.error(line, "a size below 8E such as 68k", text) from None
        if isinstance(size_bytes, Rounded):
            self.origin.rounded = True
        return size_bytes

    def name(self, text: str, line: int) -> str:
        """A name that fits the kernel."""
        if len(text) > self.longest_name:
            raise self.error(line, f"a name of at most {self.longest_name} bytes", text)
        return text

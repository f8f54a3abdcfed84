"""Give each line of a text to the dump it is of.

Dumps may be open side by side, the last used first: a kernel log interrupts other output. A line
that no open dump takes may be a command line or begin another dump; the rest is noise, counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from magmem.captures.reading.commands import command_of
from magmem.captures.reading.dump import Dump, TextFormat
from magmem.captures.reading.lines import is_elision, is_silent, without_noise
from magmem.captures.reading.prefixes import unprefixed
from magmem.captures.reading.session import Session
from magmem.errors import CaptureError

__all__ = ["Candidate", "Noise", "read_lines"]

MOST_CANDIDATES = 200
"""Lines that open nothing and are still looked at, to say what they look like."""

SHORTEST_WRAPPED = 40
"""No terminal that wraps lines is narrower."""


@dataclass(frozen=True)
class Candidate:
    """A line that looks like the beginning of a dump, and why it is none."""

    score: float
    line: int
    text: str
    name: str
    why: str


class Noise:
    """Lines that are part of no dump.

    Attributes
    ----------
    count, first : int
        How many there are, and the first one's number.
    text : str
        The first line of all that is not blank.
    best : Candidate or None
        What looks most like a dump among the first of them.
    """

    def __init__(self) -> None:
        self.count = self.first = 0
        self.text = ""
        self.best: Candidate | None = None

    def add(self, line: str, number: int, formats: Sequence[TextFormat]) -> None:
        """Count a line, and look what it might have been."""
        self.count += 1
        self.first = self.first or number
        if self.count > MOST_CANDIDATES:
            return
        for one in formats:
            score, why = one.likeness(line)
            if score and (self.best is None or score > self.best.score):
                self.best = Candidate(score, number, line, one.name, why)


def read_lines(
    batches: Iterable[Sequence[str]], session: Session, formats: Sequence[TextFormat]
) -> Noise:
    """Read a text that comes some lines at a time.

    Raises
    ------
    CaptureError
        A line that clearly belongs to a dump cannot be read.
    """
    loop = _Loop(session, formats)
    number = 1
    for lines in batches:
        at = 0
        while at < len(lines):
            at += loop.run(lines, at, number + at) or loop.line(lines[at], number + at)
        number += len(lines)
    loop.finish()
    return loop.noise


class _Loop:
    def __init__(self, session: Session, formats: Sequence[TextFormat]) -> None:
        self.session = session
        self.formats = formats
        self.open: list[tuple[TextFormat, Dump]] = []
        self.noise = Noise()
        # A row that could not be read: perhaps its end stands on the next line.
        self.torn: tuple[Dump, str, int, CaptureError] | None = None

    def run(self, lines: Sequence[str], at: int, number: int) -> int:
        """Lines that the dump in front reads in one go."""
        if not self.open or self.torn is not None:
            return 0
        try:
            return self.open[0][1].run(lines, at, number)
        except CaptureError:
            if not self.session.lenient:
                raise
            return 0

    def line(self, raw: str, number: int) -> int:
        """Read one line; always 1."""
        try:
            return self._line(raw, number)
        except CaptureError as error:
            if not self.session.lenient:
                raise
            self.torn = None
            self.session.repair(number, f"what cannot be read is passed over: {error.expected}")
            return 1

    def _line(self, raw: str, number: int) -> int:
        line = unprefixed(raw)
        if not self.noise.text:
            self.noise.text = raw.strip()
        if self.torn is not None:
            dump, head, first, error = self.torn
            self.torn = None
            if not _takes_joined(dump, head + line, first):
                raise error
            self.session.repair(first, "a line that was wrapped is joined with the next")
            return 1
        if self._taken(line, number) or self.torn is not None:
            return 1
        if is_silent(line) and not ("#" in line and command_of(line)):
            return 1
        if is_elision(line):
            if self.open:
                self.open[0][1].elide(number)
            return 1
        command = command_of(line)
        if command is not None:
            for _, dump in self.open:
                dump.close()
            self.open.clear()
            self.session.command = command
        elif not self._opened(line, number):
            self.noise.add(line, number, self.formats)
        return 1

    def finish(self) -> None:
        """The text is over."""
        if self.torn is not None:
            raise self.torn[3]
        for _, dump in self.open:
            dump.close()

    def _taken(self, line: str, number: int) -> bool:
        for at, (_, dump) in enumerate(self.open):
            try:
                taken = dump.take(line, number) or (
                    "] " in line and _takes_cleaned(dump, line, number)
                )
            except CaptureError as error:
                taken = _takes_cleaned(dump, line, number)
                if not taken:
                    if len(line) < SHORTEST_WRAPPED:
                        raise
                    self.torn = dump, line, number, error
                    return False
            if taken:
                if getattr(dump, "parts", False):
                    self._part(dump)
                    return True
                if at:
                    self.open.insert(0, self.open.pop(at))
                if dump.over:
                    del self.open[0]
                return True
        return False

    def _part(self, dump: Dump) -> None:
        """Another section begins: every other dump is over."""
        dump.parts = False
        others = [pair for pair in self.open if pair[1] is not dump]
        self.open = [pair for pair in self.open if pair[1] is dump]
        for _, other in others:
            other.close()

    def _opened(self, line: str, number: int) -> bool:
        """Whether a dump begins with the line."""
        for one in self.formats:
            dump = one.opens(line, number, self.session)
            if dump is None:
                continue
            for at, (other, before) in enumerate(self.open):
                if other is one:
                    if before is not dump:
                        before.close()
                    del self.open[at]
                    break
            self.open.insert(0, (one, dump))
            try:
                dump.start(line, number)
            except CaptureError:
                if not _takes_cleaned(dump, line, number):
                    raise
            return True
        return False


def _takes_cleaned(dump: Dump, line: str, number: int) -> bool:
    """Whether the dump reads the line without some ``] `` of the console in it."""
    for cleaner in without_noise(line):
        try:
            if dump.take(cleaner, number):
                dump.session.repair(number, "console noise inside the line is taken out")
                return True
        except CaptureError:
            continue
    return False


def _takes_joined(dump: Dump, line: str, number: int) -> bool:
    try:
        return dump.take(line, number)
    except CaptureError:
        return False

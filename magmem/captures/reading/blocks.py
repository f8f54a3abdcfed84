"""`Blocks`: lines below a head line, such as ``KEY: VALUE``, that belong together.

A format declares how a block begins and what its other lines look like, and gets each block whole.
A line of another form ends nothing: it is left to others, and the block goes on behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from magmem.captures.reading.dump import Dump, TextFormat
from magmem.captures.reading.session import Session

__all__ = ["Block", "BlockDump", "Blocks", "kilobytes"]

MOST_LINES = 1 << 20
"""No block is longer; what follows is left out."""

_FIGURE = re.compile(r"\s*(?:Node\s+\d+\s+)?([^\s:=]+)\s*[:=]?\s*(\d{1,15})\s*([kK]i?[bB]?)?\s*")


@dataclass(frozen=True)
class Block:
    """The lines of one block, the head first, and the number of that line."""

    lines: Sequence[str]
    number: int


@dataclass(frozen=True)
class Blocks(TextFormat):
    """A kind of dump made of blocks.

    Attributes
    ----------
    name : str
        What messages and the sources table call it.
    head : pattern
        The whole of a line that begins a block.
    row : pattern
        The whole of any other line of one.
    keep : function of BlockDump and Block
        Reads a block once it is over, and says what it covers.
    joins : bool
        A head inside a block is one more line of it.
    ends : pattern
        The whole of a line that is the last of a block; one that never matches if not given.
    """

    name: str
    head: re.Pattern[str]
    row: re.Pattern[str]
    keep: Callable[[BlockDump, Block], None]
    joins: bool = False
    ends: re.Pattern[str] = field(default_factory=lambda: re.compile(r"(?!)"))

    def opens(self, line: str, number: int, session: Session) -> BlockDump | None:
        """A head line."""
        return BlockDump(self, session, number) if self.head.fullmatch(line) else None


class BlockDump(Dump):
    """One dump of `Blocks`.

    Attributes
    ----------
    pid : int or None
        The process that the command line before it names.
    command : str
        That command line, without prompt.
    """

    def __init__(self, format: Blocks, session: Session, number: int) -> None:  # noqa: A002
        super().__init__(session, format.name, number)
        self.format = format
        command = session.command
        self.command = command.argument if command is not None and command.tool == "linux" else ""
        self.pid = session.pid()
        self._lines: list[str] = []
        self._number = number

    def take(self, line: str, number: int) -> bool:
        """A head, or a line of the block."""
        if self._is_head(line) and not (self.format.joins and self._lines):
            self._flush()
            self._number = number
        elif not (
            self._lines
            and (self.format.row.fullmatch(line) or (self.format.joins and self._is_head(line)))
        ):
            return False
        if len(self._lines) < MOST_LINES:
            self._lines.append(line)
        self.origin.last_line = number
        if self.format.ends.fullmatch(line):
            self._flush()
        return True

    def _is_head(self, line: str) -> bool:
        return bool(self.format.head.fullmatch(line))

    def settle(self) -> None:
        """The last block is over too."""
        self._flush()

    def _flush(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            last = self.origin.last_line
            self.format.keep(self, Block(lines, self._number))
            self.origin.last_line = last


def kilobytes(lines: Sequence[str]) -> Mapping[str, int]:
    """Figures by key: bytes where the unit is kB, else as they are; those of several nodes added.

    The first of a key counts, but of lines that begin with ``Node N``, which are added.
    """
    found: dict[str, int] = {}
    for line in lines:
        match = _FIGURE.fullmatch(line)
        if match is None:
            continue
        value = int(match[2]) * (1024 if match[3] else 1)
        if line.lstrip().startswith("Node "):
            found[match[1]] = found.get(match[1], 0) + value
        else:
            found.setdefault(match[1], value)
    return found

"""The echo of a command line, which tells what the lines after it are of."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Command", "command_of"]

_COMMAND = re.compile(
    r"[ \t]*+(?:[\w.:/@~-]{0,40}+[$>#] ++)?+(?:k +)?(?:(?:mx|zx) +)?"
    r"(?:(?P<ps>ps(?: +-[A-Za-z]{1,4}| +--units=.)*)"
    r"|vmaps +(?P<vmaps>[0-9]{1,19})"
    r"|vmos +(?P<vmos>[0-9]{1,19}|all|hidden)(?: +-u.?)?"
    r"|asd +(?P<asd>[0-9]{1,19}|k[a-z]{0,5})"
    r"|ht +(?P<ht>[0-9]{1,19})"
    r"|(?P<aspaces>vmm +aspaces)"
    r"|(?P<other>pmm +arenas|jobs|ps +help|vmaps +help|vmos +help"
    r"|kstats(?: +-[A-Za-z]+(?: +[0-9]+)?)*|help|version|thread +list"
    r"|memgraph(?: +-[a-z]+)?))[ \t]*+"
)

LONGEST = 200
"""No prompt and command are longer."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command line: the tool, and what it was asked about.

    Attributes
    ----------
    tool : str
        ``ps``, ``vmaps``, ``vmos``, ``asd``, ``ht``, ``aspaces`` or ``other``.
    argument : str
        A koid, ``all``, ``hidden``, or for ps its options.
    """

    tool: str
    argument: str

    @property
    def koid(self) -> int:
        """The process asked about; −1 if none, or none that can be."""
        koid = int(self.argument) if self.argument.isdigit() else 0
        return koid if 0 < koid < 1 << 63 else -1


def command_of(line: str) -> Command | None:
    """The command a line echoes, if it is one alone on its line."""
    match = _COMMAND.fullmatch(line) if len(line) <= LONGEST else None
    if match is None or match.lastgroup is None:
        return None
    return Command(match.lastgroup, match[match.lastgroup])

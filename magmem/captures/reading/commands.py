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

_TOOLS = (
    r"ps|free|cat|grep|head|tail|smem|ps_mem(?:\.py)?|pmap|top|procrank|librank|showmap|dumpsys"
    r"|dmesg|journalctl|kubectl|docker|\S*/proc/\S+"
)
_LINUX = re.compile(
    r"[ \t]*+(?:[\w.:/@~\[\] -]{0,60}?[$>#] ?+|(?===> ))"
    r"(?:adb +(?:-\w +\S+ +)?(?:shell +)?)?(?:sudo +|su +\w+ +)?"
    rf"(?:==> )?(?P<command>(?:{_TOOLS})(?: .*)?)"
)
"""A prompt and a command of Linux or Android, with anything behind it; ``==> FILE <==`` as well."""

_PID = re.compile(
    r"/(?:proc/)?(\d{1,9})/|\b(?:pmap|showmap|meminfo)(?: +-\w+)* +(\d{1,9})\b|^(\d{1,9})$"
)

LONGEST = 200
"""No prompt and command are longer."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command line: the tool, and what it was asked about.

    Attributes
    ----------
    tool : str
        ``ps``, ``vmaps``, ``vmos``, ``asd``, ``ht``, ``aspaces`` or ``other``; ``linux``.
    argument : str
        A koid, ``all``, ``hidden``, or for ps its options; of Linux the whole command.
    """

    tool: str
    argument: str

    @property
    def koid(self) -> int:
        """The process asked about; −1 if none, or none that can be."""
        koid = int(self.argument) if self.argument.isdigit() else 0
        return koid if 0 < koid < 1 << 63 else -1

    @property
    def pid(self) -> int | None:
        """The process that a command of Linux names, as ``/proc/PID/smaps`` does."""
        match = _PID.search(self.argument) if self.tool == "linux" else None
        pid = int(match[1] or match[2] or match[3]) if match is not None else 0
        return pid or None


def command_of(line: str) -> Command | None:
    """The command a line echoes, if it is one alone on its line."""
    match = _COMMAND.fullmatch(line) if len(line) <= LONGEST else None
    if match is not None and match.lastgroup is not None:
        return Command(match.lastgroup, match[match.lastgroup])
    if len(line) > LONGEST or not _MARKED(line):
        return None
    match = _LINUX.fullmatch(line)
    return None if match is None else Command("linux", match["command"])


_MARKED = re.compile(r"[^$>#]{0,60}[$>#]|==> ").match

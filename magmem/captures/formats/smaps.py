"""``/proc/PID/smaps`` (or ``maps``) of one process or of many, one after the other.

A start address below the end before, a command line or a heading with another pid begins the next
process. What is behind the mappings is decided as for a running system (`LinuxMemory`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from magmem.captures.formats.linux_memory import LinuxMemory
from magmem.captures.reading.dump import Dump, TextFormat
from magmem.captures.reading.session import Session
from magmem.linux.smaps import Mappings, parse_smaps

__all__ = ["SMAPS"]

_HEADER = re.compile(
    r"(?P<start>[0-9a-f]{1,16})-(?P<end>[0-9a-f]{1,16}) [-r][-w][-x][sp] [0-9a-f]{1,16} "
    r"[0-9a-f]{1,5}:[0-9a-f]{1,6} \d{1,20}(?: .*)?"
)
_LIKE_HEADER = re.compile(r"[0-9a-f]{4,16}-[0-9a-f]{4,16} [-rwxsp]{1,4} ")
_FIELD = re.compile(r"[A-Z]\w*: +(?:\d{1,15} kB|\d{1,15})\s*|VmFlags:.*|Name: +.*")
_FOREIGN = ("MemTotal:", "Name:\t")
_ROLLUP = "[rollup]"
_LAST = ("[stack]", "[vdso]", "[vvar]", "[vsyscall]", "[vectors]")
"""What stands at the upper end of an address space."""

LOT = 1 << 16
"""Lines that are read at once: bounded memory, whatever the text holds."""


class _Smaps(TextFormat):
    """One text of many processes."""

    name = "smaps"

    def opens(self, line: str, number: int, session: Session) -> Dump | None:
        """A mapping."""
        if _HEADER.fullmatch(line) and not line.endswith(_ROLLUP):
            return _Dump(session, self.name, number)
        return None


class _Dump(Dump):
    """The mappings of the process that is being read; `waiting` lines are not yet parsed."""

    def __init__(self, session: Session, name: str, number: int) -> None:
        super().__init__(session, name, number)
        self.pid = session.pid()
        self.waiting: list[str] = []
        self.pieces: list[Mappings] = []
        self.reach = 0
        self.first = number
        self.known: set[str] = set()

    def take(self, line: str, number: int) -> bool:
        """A mapping, or a field of the last one."""
        header = _HEADER.fullmatch(line)
        if header is None:
            if _LIKE_HEADER.match(line):
                expected = "START-END PERMS OFFSET DEVICE INODE NAME"
                raise self.error(number, expected, line)
            if line.startswith(_FOREIGN) or not _FIELD.fullmatch(line):
                return False
        elif line.endswith(_ROLLUP):
            return False
        else:
            self._begin(header, line, number)
        self.waiting.append(line)
        self.origin.last_line = number
        return True

    def run(self, lines: Sequence[str], start: int, number: int) -> int:
        """As many mappings as follow each other."""
        at, count = start, len(lines)
        waiting, field, known = self.waiting, _FIELD.fullmatch, self.known
        while at < count:
            line = lines[at]
            # Fields begin with a capital, mappings with a figure or a small letter.
            if "A" <= line[:1] <= "Z":
                key = line.partition(":")[0]
                if key not in known:
                    if line.startswith(_FOREIGN) or not field(line):
                        break
                    if " kB" in line:
                        known.add(key)
                elif line[-3:] != " kB" and not field(line):
                    break
            else:
                header = _HEADER.fullmatch(line)
                if header is None or line.endswith(_ROLLUP):
                    break
                self._begin(header, line, number + at - start)
                waiting = self.waiting
            waiting.append(line)
            at += 1
        if at > start:
            self.origin.last_line = number + at - start - 1
        return at - start

    def settle(self) -> None:
        """The last process is over."""
        self._finish()

    def end(self) -> None:
        """A list of mappings has no end that could be seen."""
        self.covers("mappings", "processes", "vmos", whole=False)

    def _begin(self, header: re.Match[str], line: str, number: int) -> None:
        start, end = int(header["start"], 16), int(header["end"], 16)
        if start >= end:
            raise self.error(number, "a range that ends behind its start", line)
        if start < self.reach:
            self._parse()
            if self._is_another(start, end):
                self._finish()
                self.pid, self.first = self.session.pid(), number
            else:
                self.note("remark", number, "the mappings are not in the order of their addresses")
        elif len(self.waiting) >= LOT:
            self._parse()
        self.reach = end

    def _is_another(self, start: int, end: int) -> bool:
        """Whether a mapping below the end of the last one is of another process.

        It is where the place is taken, where it lies below all, or behind what comes last.
        """
        last = self.pieces[-1].name[-1:] if self.pieces else []
        if last and last[0] in _LAST:
            return True
        if any(bool(((one.start < end) & (one.end > start)).any()) for one in self.pieces):
            return True
        return start < min((int(one.start[0]) for one in self.pieces if len(one)), default=1 << 64)

    def _parse(self) -> None:
        if self.waiting:
            data = ("\n".join(self.waiting) + "\n").encode("utf-8", "replace")
            odd: list[str] = []
            self.pieces.append(parse_smaps(data, self.session.source, odd))
            self.rows += len(self.pieces[-1])
            self.waiting = []
            for message in odd[:1]:
                self.note("skipped", self.first, message)

    def _finish(self) -> None:
        self._parse()
        if not self.pieces:
            return
        memory = LinuxMemory.of(self.session)
        memory.process(self.at, memory.koid(self.pid, self.first), _joined(self.pieces))
        self.pieces, self.reach = [], 0


def _joined(parts: Sequence[Mappings]) -> Mappings:
    if len(parts) == 1:
        return parts[0]
    joined = Mappings(
        np.concatenate([one.start for one in parts]),
        np.concatenate([one.end for one in parts]),
        np.concatenate([one.offset_bytes for one in parts]),
        [text for one in parts for text in one.perms],
        [text for one in parts for text in one.device],
        [inode for one in parts for inode in one.inode],
        [text for one in parts for text in one.name],
        [text for one in parts for text in one.flags],
        np.concatenate([one.figures for one in parts]),
    )
    order = np.argsort(joined.start, kind="stable")
    if (np.diff(order) == 1).all():
        return joined
    places = order.tolist()
    perms, device, name, flags = (
        [texts[at] for at in places]
        for texts in (joined.perms, joined.device, joined.name, joined.flags)
    )
    inode = [joined.inode[at] for at in places]
    start, end, offset = joined.start[order], joined.end[order], joined.offset_bytes[order]
    return Mappings(start, end, offset, perms, device, inode, name, flags, joined.figures[order])


SMAPS = _Smaps()

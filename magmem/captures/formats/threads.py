"""`thread list` of the kernel console: names of processes and threads.

It prints ``(process:thread)``; where a name holds a colon itself the two cannot be told apart, and
stay unknown. Threads of the kernel have no koid and are left out.
"""

from __future__ import annotations

import re
from array import array

from magmem.captures.reading.reader import Reader, Session
from magmem.captures.reconcile.loose import Bundle, loose
from magmem.captures.reconcile.tasks import KINDS

__all__ = ["ThreadsReader"]

PROCESS, THREAD = KINDS.index("process"), KINDS.index("thread")

_ROW = re.compile(
    r" *+thr 0x[0-9a-f]{1,16} st ++[a-z]{1,8} pri ++[0-9:-]{1,12} "
    r"pid ([0-9]{1,19}) tid ([0-9]{1,19}) \((.*)\) *+"
)


class ThreadsReader(Reader):
    """Every `thread list` of a session."""

    names = "thread list"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.dumps, self.lines = array("q"), array("q")
        self.koids, self.kinds, self.parents = array("q"), array("b"), array("q")
        self.task_names: list[str | None] = []

    def opens(self, line: str, number: int) -> bool:
        """The first thread."""
        if not _ROW.fullmatch(line):
            return False
        self.begin("thread list", number)
        return self.take(line, number)

    def take(self, line: str, number: int) -> bool:
        """A thread."""
        row = _ROW.fullmatch(line)
        if row is None:
            return False
        assert self.origin is not None  # noqa: S101
        self.origin.last_line = number
        process, thread = (self.count(row[at], number, "a koid") for at in (1, 2))
        if process and thread:
            names: list[str | None] = [None, None]
            if row[3].count(":") == 1:
                names = [self.name(name, number) for name in row[3].split(":")]
            self._task(process, PROCESS, -1, names[0], number)
            self._task(thread, THREAD, process, names[1], number)
            self.covers("processes", "threads", whole=False)
        return True

    def _task(self, koid: int, kind: int, parent: int, name: str | None, number: int) -> None:
        self.dumps.append(self.at)
        self.lines.append(number)
        self.koids.append(koid)
        self.kinds.append(kind)
        self.parents.append(parent)
        self.task_names.append(name)

    def bundle(self) -> Bundle:
        """Processes and threads."""
        columns = {
            "koid": self.koids,
            "kind": self.kinds,
            "parent_koid": self.parents,
            "name": self.task_names,
        }
        return {"tasks": loose("tasks", self.dumps, self.lines, columns)}

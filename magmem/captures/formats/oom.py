"""Out-of-memory reports: free and total memory, and what each large process has mapped.

Sizes of processes are whole MiB, cut down; long names are cut with ``...``. The jobs looked at and
the processes of the one killed are tasks too. A process is told to be of the killed job only where
that job has no jobs below it.
"""

from __future__ import annotations

import re
from array import array

from magmem.captures.reading.reader import Reader, Session
from magmem.captures.reconcile.loose import Bundle, loose
from magmem.captures.reconcile.rounding import SIZE, UNITS
from magmem.captures.reconcile.tasks import KINDS
from magmem.snapshot.schema import TABLES

__all__ = ["OomReader"]

JOB, PROCESS = KINDS.index("job"), KINDS.index("process")
RUNNING = TABLES["tasks"].columns["state"].choices.index("running")

_OOM = re.compile(r" *+OOM:")
_MEMORY = re.compile(rf" *+OOM: ({SIZE})\s*+free \([^)]{{1,40}}\) / ({SIZE})\s*+total *+")
_PROCESS = re.compile(rf" *+OOM: ++proc ++([0-9]{{1,19}}) ++({SIZE}) '(.*)' *+")
_JOB = re.compile(r" *+OOM: ++(\(skip\)|\(next\)|\*KILL\*) ++job ++([0-9]{1,19}) '(.*)' *+")
_MEMBER = re.compile(r" *+OOM: ++\+ proc ++([0-9]{1,19}) ++([a-z]{1,8}) '(.*)' *+")
_MEMBERS = re.compile(
    r" *+OOM: ++= ([0-9]{1,19}) running procs \(([0-9]{1,19}) total\), ([0-9]{1,19}) jobs *+"
)
_LIKE_TASK = re.compile(r" *+OOM: ++(?:\+ |\(skip\) |\(next\) |\*KILL\* )?(?:proc|job) ++-?[0-9]")
_LIKE_MEMORY = re.compile(r" *+OOM: -?[0-9][0-9.]{0,25}[BkKMGTPE] free")


class OomReader(Reader):
    """Every out-of-memory report of a session."""

    names = "out-of-memory report"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.dumps, self.lines = array("q"), array("q")
        self.koids, self.kinds = array("q"), array("b")
        self.parents, self.states = array("q"), array("b")
        self.task_names: list[str] = []
        self.resident, self.slack = array("q"), array("q")
        self.kmem_dumps, self.kmem_lines = array("q"), array("q")
        self.free, self.total = array("q"), array("q")
        self.free_slack, self.total_slack = array("q"), array("q")

    def opens(self, line: str, number: int) -> bool:
        """Any line that begins with ``OOM:``."""
        if not _OOM.match(line):
            return False
        self.begin("oom", number)
        self.killed = -1
        self.members: list[int] = []
        return self.take(line, number)

    def take(self, line: str, number: int) -> bool:
        """A line that begins with ``OOM:``."""
        if not _OOM.match(line):
            return False
        assert self.origin is not None  # noqa: S101
        self.origin.last_line = number
        if (memory := _MEMORY.fullmatch(line)) is not None:
            free, total = (self.size(memory[at], number) for at in (1, 2))
            self.kmem_dumps.append(self.at)
            self.kmem_lines.append(number)
            self.free.append(free[0])
            self.free_slack.append(free[1])
            self.total.append(total[0])
            self.total_slack.append(total[1])
            self.covers("kmem", whole=False)
        elif (process := _PROCESS.fullmatch(line)) is not None:
            size, slack = self.size(process[2], number)
            self._task(PROCESS, process[1], process[3], number)
            self.resident[-1], self.slack[-1] = size, max(slack, UNITS[process[2][-1]])
        elif (job := _JOB.fullmatch(line)) is not None:
            self._task(JOB, job[2], job[3], number)
            self.killed = self.koids[-1] if job[1] == "*KILL*" else -1
            self.members = []
        elif (member := _MEMBER.fullmatch(line)) is not None:
            self._task(PROCESS, member[1], member[3], number)
            self.states[-1] = RUNNING if member[2] == "run" else -1
            self.members.append(len(self.koids) - 1)
        elif (members := _MEMBERS.fullmatch(line)) is not None:
            if members[3] == "0" and self.killed > 0:
                for row in self.members:
                    self.parents[row] = self.killed
        elif _LIKE_TASK.match(line) or _LIKE_MEMORY.match(line):
            expected = "free and total sizes, or proc or job with koid, size and name in quotes"
            raise self.session.error(number, expected, line)
        return True

    def _task(self, kind: int, koid_text: str, name: str, number: int) -> None:
        koid, name = self.count(koid_text, number, "a koid"), self.name(name, number)
        if not koid:
            raise self.session.error(number, "a koid above 0", koid_text)
        self.dumps.append(self.at)
        self.lines.append(number)
        self.koids.append(koid)
        self.kinds.append(kind)
        self.parents.append(-1)
        self.states.append(-1)
        self.task_names.append(name)
        self.resident.append(-1)
        self.slack.append(0)
        self.covers("processes" if kind == PROCESS else "jobs", whole=False)

    def bundle(self) -> Bundle:
        """Tasks, and total and free memory."""
        tasks = {
            "koid": self.koids,
            "kind": self.kinds,
            "parent_koid": self.parents,
            "name": self.task_names,
            "state": self.states,
            "reported_resident_bytes": self.resident,
        }
        kmem = {"total_bytes": self.total, "free_bytes": self.free}
        kmem_slack = {"total_bytes": self.total_slack, "free_bytes": self.free_slack}
        slack = {"reported_resident_bytes": self.slack}
        return {
            "tasks": loose("tasks", self.dumps, self.lines, tasks, slack),
            "kmem": loose("kmem", self.kmem_dumps, self.kmem_lines, kmem, kmem_slack),
        }

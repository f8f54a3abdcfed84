"""`ps`: jobs, processes and threads as an indented list.

Columns come from the header: PSS, PRIVATE, SHARED, or VIRT, RES of an older one, and STATE. Jobs
show sums for PSS and PRIVATE alone, threads only a state. Without a header (a copy that lost it)
they follow from the first rows. The header closes the list too.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable

import numpy as np

from magmem.captures.facts.loose import Bundle, loose
from magmem.captures.facts.rounding import SIZE
from magmem.captures.facts.tasks import KINDS, PORTS
from magmem.captures.transcripts.session import Reader, Session
from magmem.snapshot.schema import TABLES

__all__ = ["STATES", "PsReader"]

COLUMNS = {
    "PSS": "reported_pss_bytes",
    "PRIVATE": "reported_private_bytes",
    "SHARED": "reported_shared_bytes",
    "VIRT": "reported_virtual_bytes",
    "RES": "reported_resident_bytes",
}
SUMMED = ("PSS", "PRIVATE")
WIDTH = 7
"""Of every column but the first and the last (reference/tools.md "ps")."""

_STATE_NAMES = TABLES["tasks"].columns["state"].choices
STATES = {
    printed: _STATE_NAMES.index(name)
    for printed, name in {
        "new": "new",
        "running": "running",
        "susp": "suspended",
        "blocked": "blocked",
        "dying": "dying",
        "dead": "dead",
        "???": "unknown",
    }.items()
}
"""Code of each printed thread state; `excp` hides the state."""

JOB, PROCESS, THREAD = (KINDS.index(kind) for kind in ("job", "process", "thread"))
NOT_WAITING, SOMEWHERE = PORTS.index("none"), PORTS.index("unknown")

_HEADER = re.compile(r" *TASK((?: +(?:PSS|PRIVATE|SHARED|VIRT|RES|STATE)){1,6}) +NAME *")
_KINDS = {"j": JOB, "p": PROCESS, "t": THREAD}
_LIKE_ROW = re.compile(r" *+[jpt]: ?[-+]?[0-9]")
_GUESS = re.compile(rf" *+[jp]: ?[0-9]{{1,19}}((?: ++{SIZE}){{2,3}})(?: |$)")
_THREAD_STATE = "|".join(re.escape(state) for state in (*STATES, "excp"))

Pattern = Callable[[str], re.Match[str] | None]


class PsReader(Reader):
    """Every `ps` of a session."""

    names = "ps"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.dumps = array("q")
        self.lines = array("q")
        self.koids = array("q")
        self.kinds = array("b")
        self.parents = array("q")
        self.task_names: list[str] = []
        self.states = array("b")
        self.ports = array("b")
        self.sizes = {name: array("q") for name in COLUMNS}
        self.slacks = {name: array("q") for name in COLUMNS}
        self.first_row = 0
        self.headed = self.footed = self.stated = False

    def opens(self, line: str, number: int) -> bool:
        """A header, or a row whose sizes tell the columns."""
        header = _HEADER.fullmatch(line) if len(line) < 200 else None
        if header is not None:
            self._open(header[1].split(), number, headed=True, name_at=line.index("NAME"))
            return True
        guess = _GUESS.match(line)
        if guess is None:
            return False
        kind = line.lstrip(" ")[0]
        shown = len(guess[1].split())
        old = shown == 2 and kind == "p"
        columns = ["VIRT", "RES"] if old else ["PSS", "PRIVATE", "SHARED"]
        self._open(columns, number, headed=False, name_at=0)
        return self.take(line, number)

    def _open(self, columns: list[str], number: int, *, headed: bool, name_at: int) -> None:
        self.begin("ps", number)
        command = self.asked("ps")
        self.with_threads = command is not None and "T" in command.argument
        self.headed, self.footed = headed, False
        self.stated = "STATE" in columns
        self.columns = [name for name in columns if name != "STATE"]
        sums = [name for name in self.columns if name in SUMMED]
        summed = len(sums)
        self.shown = {
            mark: [
                (self.sizes[name], self.slacks[name], told.index(name) if name in told else -1)
                for name in self.columns
            ]
            for mark, told in (("j", sums), ("p", self.columns), ("t", []))
        }
        state_gap = WIDTH + 1 if self.stated else 0
        self.rows: dict[str, Pattern] = {
            "j": self._pattern("j", summed),
            "p": self._pattern("p", len(self.columns)),
            "t": re.compile(rf"( *+)t: ?([0-9]{{1,19}}) ++({_THREAD_STATE})(?= |$)(.*)").fullmatch,
        }
        blanks = len(self.columns) - summed
        # A job without sums has its name under the header's, however wide the first column.
        self.gaps = {"j": 1 + (WIDTH + 1) * blanks + state_gap, "p": 1 + state_gap, "t": 1}
        self.name_at = 0 if summed else name_at
        self.first_row = len(self.koids)
        self.seen: dict[int, int] = {}
        self.above: list[tuple[int, int, int]] = []

    @staticmethod
    def _pattern(kind: str, sizes: int) -> Pattern:
        columns = rf" ++({SIZE})" * sizes
        return re.compile(rf"( *+){kind}: ?([0-9]{{1,19}})(?![0-9]){columns}(.*)").fullmatch

    def take(self, line: str, number: int) -> bool:
        """A row, or the closing header."""
        mark = line.lstrip(" ")[:1]
        row = self.rows[mark](line) if mark in ("j", "p", "t") else None
        if row is None:
            return self._take_other(line, number)
        origin = self.origin
        assert origin is not None  # noqa: S101
        origin.last_line = number
        indent, koid_text, *rest = row.groups()
        koid = self.count(koid_text, number, "a koid")
        if not koid:
            raise self.session.error(number, "a koid above 0", line)
        kind = _KINDS[mark]
        depth = len(indent)
        above = self.above
        while above and above[-1][0] >= depth:
            above.pop()
        parent = self._parent(kind, number) if above else -1
        if not above and kind == JOB and len(self.koids) == self.first_row:
            self.session.root_job_koid = koid
        state = port = -1
        if kind == THREAD:
            state = STATES.get(rest[0], -1)
            port = SOMEWHERE if rest[0] == "excp" else NOT_WAITING
            name = rest[1][1:]
        else:
            name = self._name(line, mark, rest[-1])
        name = self.name(name, number)
        told = [
            self.size(rest[at], number) if at >= 0 else (-1, 0) for _, _, at in self.shown[mark]
        ]
        above.append((depth, kind, koid))
        row_number = len(self.koids)
        self.dumps.append(self.at)
        self.lines.append(number)
        self.koids.append(koid)
        self.kinds.append(kind)
        self.parents.append(parent)
        self.task_names.append(name)
        self.states.append(state)
        self.ports.append(port)
        for (sizes, slacks, _), (size, slack) in zip(self.shown[mark], told, strict=True):
            sizes.append(size)
            slacks.append(slack)
        if self.seen.setdefault(koid, row_number) != row_number:
            self._again(self.seen[koid], row_number, number)
        return True

    def _parent(self, kind: int, number: int) -> int:
        _, above_kind, above_koid = self.above[-1]
        wanted = PROCESS if kind == THREAD else JOB
        if above_kind == wanted:
            return above_koid
        if not self.elided:
            expected = f"a {KINDS[kind]} below a {KINDS[wanted]}"
            raise self.session.error(number, expected, f"it below {KINDS[above_kind]} {above_koid}")
        return -1

    def _name(self, line: str, mark: str, tail: str) -> str:
        if self.name_at and mark == "j":
            head, name = line[: self.name_at], line[self.name_at :]
            return name if head.endswith(" ") or not name else tail.lstrip(" ")
        gap = self.gaps[mark]
        return tail[gap:] if not tail[:gap].strip(" ") else tail.lstrip(" ")

    def _again(self, first: int, second: int, number: int) -> None:
        """The same row twice is a slip of the console; two rows of one koid are an error."""
        facts = [
            (
                self.kinds[row],
                self.parents[row],
                self.task_names[row],
                self.states[row],
                *(self.sizes[column][row] for column in self.columns),
            )
            for row in (first, second)
        ]
        if facts[0] != facts[1]:
            expected = f"koid {self.koids[first]} once, as on line {self.lines[first]}"
            raise self.session.error(number, expected, f"it again as {self.task_names[second]!r}")
        self.session.repair(number, "the same task is printed twice alike")

    def _take_other(self, line: str, number: int) -> bool:
        if _LIKE_ROW.match(line):
            counts = "PSS and PRIVATE" if line.lstrip(" ")[0] == "j" else ", ".join(self.columns)
            raise self.session.error(number, f"a row of ps with a koid, {counts} and a name", line)
        if len(line) < 200 and _HEADER.fullmatch(line):
            assert self.origin is not None  # noqa: S101
            if len(self.koids) > self.first_row:
                self.origin.last_line = number
                self.footed = True
                self.close()
            return True
        return False

    def end(self) -> None:
        """Complete if closed by the header, or if the sums at the top hold the rows."""
        rows = range(self.first_row, len(self.koids))
        for name in COLUMNS.keys() - set(self.columns):
            self.sizes[name].extend([-1] * len(rows))
            self.slacks[name].extend([0] * len(rows))
        assert self.origin is not None  # noqa: S101
        if not rows:
            message = "nothing follows the header of this ps"
            self.session.note("truncated", self.origin.last_line, message)
            return
        kinds = np.array(self.kinds[self.first_row :])
        agreed = self._sums_agree(kinds) if (kinds == PROCESS).any() else None
        whole = self.footed or agreed is True
        if not whole:
            message = "no header closes this ps, so it may be cut short"
            self.session.note("truncated", self.origin.last_line, message)
        self.covers("jobs", whole=whole)
        if (kinds == PROCESS).any() or not (kinds == JOB).any():
            self.covers("processes", whole=whole)
        if (kinds == THREAD).any() or (self.with_threads and self.stated):
            self.covers("threads", whole=whole)

    def _sums_agree(self, kinds: np.ndarray[tuple[int], np.dtype[np.int8]]) -> bool | None:
        """Whether the processes add up to the PRIVATE of the jobs at the top; None if not told."""
        first = self.first_row
        top = np.flatnonzero((kinds == JOB) & (np.array(self.parents[first:]) < 0)) + first
        low = np.flatnonzero(kinds == PROCESS) + first
        size, slack = self.sizes["PRIVATE"], self.slacks["PRIVATE"]
        if not len(top) or any(size[row] < 0 for row in (*top, *low)):
            return None
        # Python's integers: hostile sizes add up to more than 63 bits.
        held = [sum(size[row] for row in rows) for rows in (top, low)]
        if abs(held[0] - held[1]) <= sum(slack[row] for row in (*top, *low)):
            return True
        if self.footed and not self.elided:
            line = self.lines[top[0]]
            message = (
                f"the jobs at the top of this ps hold {held[0]} private bytes, "
                f"but its processes {held[1]}"
            )
            self.session.note("contradiction", line, message)
        return False

    def bundle(self) -> Bundle:
        """The tasks table."""
        columns = {
            "koid": self.koids,
            "kind": self.kinds,
            "parent_koid": self.parents,
            "name": self.task_names,
            "state": self.states,
            "exception_port": self.ports,
        } | {COLUMNS[name]: sizes for name, sizes in self.sizes.items()}
        slack = {COLUMNS[name]: slacks for name, slacks in self.slacks.items()}
        return {"tasks": loose("tasks", self.dumps, self.lines, columns, slack)}

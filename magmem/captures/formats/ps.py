"""`ps`: jobs, processes and threads as an indented list.

Columns come from the header: PSS, PRIVATE, SHARED, or VIRT, RES of an older one, and STATE. Jobs
show sums for PSS and PRIVATE alone (the oldest none), threads only a state. From 2019 on STATE says
``killoom`` of a job that may be killed when memory runs out. Without a header (a copy that lost it)
the columns follow from the first row. The header closes the list too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from magmem.captures.reading.cells import choice, name, size
from magmem.captures.reading.indented import Indented, IndentedDump, Sort
from magmem.captures.reading.layout import Field, Header, Layout
from magmem.captures.reading.session import Session
from magmem.captures.reconcile.rounding import SIZE

__all__ = ["PS"]

SUMMED = ("PSS", "PRIVATE")
STATES = {
    "new": "new",
    "running": "running",
    "susp": "suspended",
    "blocked": "blocked",
    "dying": "dying",
    "dead": "dead",
    "???": "unknown",
    "excp": None,
    "killoom": None,
}
"""Each printed state; `excp` hides the thread's, `killoom` is a job's flag."""

COLUMNS = {
    "PSS": size("reported_pss_bytes"),
    "PRIVATE": size("reported_private_bytes"),
    "SHARED": size("reported_shared_bytes"),
    "VIRT": size("reported_virtual_bytes"),
    "RES": size("reported_resident_bytes"),
    "STATE": choice("state", STATES, blank=True),
    "NAME": name(),
}
UNSUMMED = ("SHARED", "VIRT", "RES")
FIGURES = (*SUMMED, *UNSUMMED)

_GUESS = re.compile(rf" *+([jp]): ?[0-9]{{1,19}}((?: ++{SIZE}){{2,3}})(?: |$)")


@dataclass(frozen=True)
class _Ps(Indented):
    def opens(self, line: str, number: int, session: Session) -> PsDump | None:
        """A header, or a row whose sizes tell the columns."""
        if self.header.words(line) or _GUESS.match(line):
            return PsDump(self, session, number)
        return None


class _Held:
    """What rows hold of PRIVATE together: bytes, their slack, and whether each row told it."""

    def __init__(self) -> None:
        self.size_bytes = self.slack = self.line = 0
        self.told = True

    def add(self, size_bytes: int | None, line: int) -> None:
        self.line = self.line or line
        self.told = self.told and size_bytes is not None
        self.size_bytes += size_bytes or 0
        self.slack += getattr(size_bytes, "slack", 0)


class PsDump(IndentedDump):
    """One `ps`."""

    def __init__(self, format: Indented, session: Session, number: int) -> None:  # noqa: A002
        super().__init__(format, session, number)
        command = self.asked("ps")
        self.with_threads = command is not None and "T" in command.argument
        self.kinds: dict[str, int] = {}
        self.first_of: dict[int, tuple[dict[str, Any], int]] = {}
        self.held = {"job": _Held(), "process": _Held()}
        self.to_be_killed: list[int] = []

    def start(self, line: str, number: int) -> None:
        """The header, or a row that tells the columns."""
        guess = _GUESS.match(line)
        if guess is not None:
            old = guess[1] == "p" and len(guess[2].split()) == 2
            shown = ["VIRT", "RES"] if old else ["PSS", "PRIVATE", "SHARED"]
            words = [*shown, "STATE", "NAME"]
            fields = [Field(heading, 0, 0, COLUMNS[heading]) for heading in words]
            self.layout = Layout(fields, placed=False)
        self.take(line, number)

    def head(self, line: str, number: int) -> bool:
        """The header that opens the list, or the same again that closes it."""
        words = self.format.header.words(line)
        if not words:
            return False
        if self.rows:
            self.ended = True
            self.origin.last_line = number
            self.close()
            return True
        return super().head(line, number)

    def expected(self, line: str) -> str:
        """The figures that a row of this kind has."""
        fields = self.layout.fields if self.layout is not None else []
        shown = [one.heading for one in fields if one.heading in FIGURES]
        counts = "PSS and PRIVATE" if line.lstrip(" ")[:1] == "j" else ", ".join(shown)
        return f"a row of ps with a koid, {counts} and a name"

    def keep_row(
        self, values: dict[str, Any], cells: dict[str, str], number: int, *, top: bool
    ) -> None:
        """The same row twice is a slip of the console; two rows of one koid are an error."""
        kind, koid = values["kind"], values["koid"]
        if kind != "thread":
            values["state"] = None
        else:
            values["exception_port"] = "unknown" if cells.get("STATE") == "excp" else "none"
        before, line = self.first_of.setdefault(koid, (values, number))
        if before != values:
            expected = f"koid {koid} once, as on line {line}"
            raise self.error(number, expected, f"it again as {values['name']!r}")
        if line != number:
            self.session.repair(number, "the same task is printed twice alike")
        if top and kind == "job" and not self.rows:
            self.session.root_job_koid = koid
        self.keep(values, cells, number)
        if cells.get("STATE") == "killoom":
            self.to_be_killed.append(koid)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind == "process" or (kind == "job" and values["parent_koid"] is None):
            self.held[kind].add(values.get("reported_private_bytes"), number)

    def end(self) -> None:
        """Complete if closed by the header, or if the sums at the top hold the rows."""
        if not self.rows:
            message = "nothing follows the header of this ps"
            self.note("truncated", self.origin.last_line, message)
            return
        has_jobs, has_processes, has_threads = (
            kind in self.kinds for kind in ("job", "process", "thread")
        )
        agreed = self._sums_agree() if has_processes else None
        whole = self.ended or agreed is True
        if not whole:
            message = "no header closes this ps, so it may be cut short"
            self.note("truncated", self.origin.last_line, message)
        self.covers("jobs", whole=whole)
        if has_processes or not has_jobs:
            self.covers("processes", whole=whole)
        stated = self.layout is not None and any(
            one.heading == "STATE" for one in self.layout.fields
        )
        if has_threads or (self.with_threads and stated):
            self.covers("threads", whole=whole)
        if self.to_be_killed:
            named = ", ".join(map(str, self.to_be_killed[:20]))
            more = f" and {len(self.to_be_killed) - 20} more" if self.to_be_killed[20:] else ""
            message = f"marked killoom, to be killed when memory runs out: job {named}{more}"
            self.note("remark", self.origin.first_line, message)

    def _sums_agree(self) -> bool | None:
        """Whether the processes add up to the PRIVATE of the jobs at the top; None if not told."""
        top, low = self.held["job"], self.held["process"]
        if not top.line or not (top.told and low.told):
            return None
        if abs(top.size_bytes - low.size_bytes) <= top.slack + low.slack:
            return True
        if self.ended and not self.elided:
            message = (
                f"the jobs at the top of this ps hold {top.size_bytes} private bytes, "
                f"but its processes {low.size_bytes}"
            )
            self.note("contradiction", top.line, message)
        return False


PS = _Ps(
    "ps",
    table="tasks",
    header=Header((), some=(*FIGURES, "STATE"), first="TASK", last="NAME"),
    columns=COLUMNS,
    sorts={
        "j": Sort({"kind": "job"}, below="j", empty=UNSUMMED, bare=True),
        "p": Sort({"kind": "process"}, below="j"),
        "t": Sort({"kind": "thread"}, below="p", empty=FIGURES),
    },
)

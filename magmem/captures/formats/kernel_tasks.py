"""What the kernel console tells of jobs and handles: `k mx jobs`, `k mx ht KOID`."""

from __future__ import annotations

import re
from array import array

from magmem.captures.reading.reader import Reader, Session
from magmem.captures.reconcile.loose import Bundle, loose
from magmem.captures.reconcile.tasks import KINDS

__all__ = ["HandlesReader", "JobsReader"]

JOB, PROCESS = KINDS.index("job"), KINDS.index("process")

_JOBS_TITLE = re.compile(r" *+All jobs from least to most important: *+")
_JOBS_HEADER = re.compile(r" *+koid name *+")
_JOBS_ROW = re.compile(r" *+([0-9]{1,19}) '(.*)' *+")
_LIKE_JOBS_ROW = re.compile(r" *+-?[0-9]{1,25} '")

_HT_TITLE = re.compile(r" *+process \[([0-9]{1,19})\] handles *:? *+")
_HT_HEADER = re.compile(r" *+handle ++koid *+: *+type *+")
_HT_ROW = re.compile(r" *+([0-9a-f]{1,8}) ++([0-9]{1,19}) : ([a-z][a-z0-9 _-]{0,30}) *+")
_LIKE_HT_ROW = re.compile(r" *+[0-9a-f]{1,20} ++-?[0-9]{1,25} :")
_HT_TOTAL = re.compile(r" *+total: ([0-9]{1,19}) handles? *+")
_SHORT = 200


class JobsReader(Reader):
    """Every `k mx jobs`: jobs in order of importance, without the tree."""

    names = "k jobs"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.dumps, self.lines = array("q"), array("q")
        self.koids, self.places = array("q"), array("q")
        self.task_names: list[str] = []

    def opens(self, line: str, number: int) -> bool:
        """The title, or the header where the title is lost."""
        if len(line) > _SHORT or not (_JOBS_TITLE.fullmatch(line) or _JOBS_HEADER.fullmatch(line)):
            return False
        self.begin("k jobs", number)
        self.first_row = len(self.koids)
        return True

    def take(self, line: str, number: int) -> bool:
        """A job."""
        assert self.origin is not None  # noqa: S101
        row = _JOBS_ROW.fullmatch(line)
        if row is None:
            if _LIKE_JOBS_ROW.match(line):
                raise self.session.error(number, "a koid and a name in quotes", line)
            return len(self.koids) == self.first_row and bool(_JOBS_HEADER.fullmatch(line[:_SHORT]))
        koid = self.count(row[1], number, "a koid")
        if not koid:
            raise self.session.error(number, "a koid above 0", line)
        name = self.name(row[2], number)
        self.origin.last_line = number
        self.dumps.append(self.at)
        self.lines.append(number)
        self.koids.append(koid)
        self.places.append(-1 if self.elided else len(self.koids) - 1 - self.first_row)
        self.task_names.append(name)
        return True

    def end(self) -> None:
        """Every job, but not what is below what."""
        self.covers("jobs", whole=False)

    def bundle(self) -> Bundle:
        """Job rows."""
        columns = {
            "koid": self.koids,
            "kind": [JOB] * len(self.koids),
            "name": self.task_names,
            "importance": self.places,
        }
        return {"tasks": loose("tasks", self.dumps, self.lines, columns)}


class HandlesReader(Reader):
    """Every `k mx ht KOID`: all handles of a process, without rights."""

    names = "k ht"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.dumps, self.lines = array("q"), array("q")
        self.processes, self.values = array("q"), array("q")
        self.koids, self.vmos = array("q"), array("q")
        self.types: list[str] = []
        self.process_rows: list[tuple[int, int, int]] = []
        self.vmo_dumps, self.vmo_lines, self.vmo_koids = array("q"), array("q"), array("q")

    def opens(self, line: str, number: int) -> bool:
        """The title, which names the process."""
        title = _HT_TITLE.fullmatch(line) if len(line) < _SHORT else None
        if title is None:
            return False
        self.koid = self.count(title[1], number, "a koid")
        if not self.koid:
            raise self.session.error(number, "a koid above 0", line)
        self.begin("k ht", number)
        self.asked("ht")
        self.process_rows.append((self.at, number, self.koid))
        self.first_row = len(self.koids)
        self.totalled = False
        return True

    def take(self, line: str, number: int) -> bool:
        """The header, a handle, or the total."""
        assert self.origin is not None  # noqa: S101
        row = _HT_ROW.fullmatch(line) if len(line) < _SHORT else None
        if row is None:
            if _LIKE_HT_ROW.match(line):
                expected = "a handle in hexadecimal, a koid and a type"
                raise self.session.error(number, expected, line)
            return len(line) < _SHORT and self._take_other(line, number)
        self.origin.last_line = number
        koid, sort = self.count(row[2], number, "a koid"), row[3].rstrip(" ")
        vmo = -1
        if sort == "vmo":
            vmo = len(self.vmo_koids)
            self.vmo_dumps.append(self.at)
            self.vmo_lines.append(number)
            self.vmo_koids.append(koid)
        self.dumps.append(self.at)
        self.lines.append(number)
        self.processes.append(self.koid)
        self.values.append(int(row[1], 16))
        self.koids.append(koid)
        self.types.append(sort)
        self.vmos.append(vmo)
        return True

    def _take_other(self, line: str, number: int) -> bool:
        total = _HT_TOTAL.fullmatch(line)
        if total is None:
            return bool(_HT_HEADER.fullmatch(line))
        assert self.origin is not None  # noqa: S101
        self.origin.last_line = number
        told, held = self.count(total[1], number, "a count"), len(self.koids) - self.first_row
        if told == held:
            self.totalled = True
        elif not self.elided:
            message = f"the total says {told} handles, the rows are {held}"
            self.session.note("contradiction", number, message)
        return True

    def end(self) -> None:
        """Whole if the total agrees."""
        assert self.origin is not None  # noqa: S101
        self.covers("processes", "handles", whole=False)
        if len(self.vmo_koids):
            self.covers("vmos", whole=False)
        if self.totalled and not self.elided:
            self.origin.whole_handles.add(self.koid)

    def bundle(self) -> Bundle:
        """The process, its handles, and a VMO for each handle to one."""
        handles = {
            "process_koid": self.processes,
            "value": self.values,
            "type": self.types,
            "koid": self.koids,
            "vmo": self.vmos,
        }
        vmos = {"koid": self.vmo_koids, "pages_known": [0] * len(self.vmo_koids)}
        dumps, lines, koids = (
            zip(*self.process_rows, strict=True) if self.process_rows else ([],) * 3
        )
        tasks = {"koid": list(koids), "kind": [PROCESS] * len(koids)}
        return {
            "tasks": loose("tasks", list(dumps), list(lines), tasks),
            "handles": loose("handles", self.dumps, self.lines, handles),
            "vmos": loose("vmos", self.vmo_dumps, self.vmo_lines, vmos),
        }

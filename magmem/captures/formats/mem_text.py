"""What `mem` prints: a summary of processes, and the same as CSV.

The summary's sizes have a unit and at most one decimal, and a whole number is rounded too. The
rest that the kernel counts beside the listed VMOs is its line ``vmo``; all VMO bytes are both.
``kernel`` with koid 1 is made up by the tool and no process.
"""

from __future__ import annotations

import re

from magmem.captures.json_text import shorten
from magmem.captures.reading.dump import Dump, TextFormat
from magmem.captures.reading.rows import Rounded
from magmem.captures.reading.session import Session
from magmem.captures.reconcile.rounding import UNITS

__all__ = ["MEM_CSV", "MEM_SUMMARY", "KernelRows", "shared_bytes"]

_SIZE = r"[0-9]{1,19}(?:\.[0-9])?[BkKMGTPE]"
_HEAD = re.compile(rf"Time: *+([0-9]{{1,19}}) VMO: *+({_SIZE}) Free: *+({_SIZE})\s*+").fullmatch
_TASK = re.compile(rf"(.*)<([0-9]{{1,19}})> ({_SIZE})(?: ({_SIZE}) ({_SIZE}))?\s*+").fullmatch
_PART = re.compile(rf"\s(.*?) ({_SIZE})(?: ({_SIZE}) ({_SIZE}))?\s*+").fullmatch
_THREE = re.compile(r"([0-9]{1,12}),([^,]{1,80}(?:,[^,0-9]{1,80})*),([0-9]{1,19})\s*+").fullmatch
_SIX = re.compile(
    r"([0-9]{1,12}),([0-9]{1,19}),(.{0,80}),([0-9]{1,19}),([0-9]{1,19}),([0-9]{1,19})\s*+"
).fullmatch

KERNEL_LINES = {
    "wired": "wired_bytes",
    "heap": "total_heap_bytes",
    "mmu": "mmu_overhead_bytes",
}


def shared_bytes(total: int, private: int) -> int:
    """Total less private, as rounded as both."""
    slack = getattr(total, "slack", 0) + getattr(private, "slack", 0)
    size = max(0, total - private)
    return Rounded(size, slack) if slack else size


def _sum(*sizes: int) -> int:
    slack = sum(getattr(size, "slack", 0) for size in sizes)
    return Rounded(sum(sizes), slack) if slack else sum(sizes)


class KernelRows:
    """The kernel's lines of a summary, until they are a row of kmem."""

    def __init__(self) -> None:
        self.parts: dict[str, int] = {}
        self.listed_vmos: int | None = None
        self.free: int | None = None

    def values(self) -> dict[str, int]:
        """The row: all VMO bytes where both parts are told, and other with ipc."""
        row = {
            column: self.parts[name] for name, column in KERNEL_LINES.items() if name in self.parts
        }
        if self.free is not None:
            row["free_bytes"] = self.free
        if self.listed_vmos is not None and "vmo" in self.parts:
            row["vmo_bytes"] = _sum(self.listed_vmos, self.parts["vmo"])
        if "other" in self.parts:
            beside = [self.parts[name] for name in ("ipc", "zram") if name in self.parts]
            row["other_bytes"] = _sum(self.parts["other"], *beside)
        return row


class _Summary(Dump):
    longest_name = 400

    def __init__(self, session: Session, number: int) -> None:
        super().__init__(session, "mem summary", number)
        self.kernel, self.in_kernel = KernelRows(), False
        self.head = False

    def start(self, line: str, number: int) -> None:
        """The first line."""
        self.take(line, number)

    def _size(self, text: str) -> int:
        size = round(float(text[:-1]) * UNITS[text[-1]])
        return size if text[-1] == "B" else Rounded(size, UNITS[text[-1]] * 75 // 1024)

    def take(self, line: str, number: int) -> bool:
        """The head, a process, or a part of one."""
        if (head := _HEAD(line)) is not None:
            if self.head:
                return False
            self.head = True
            self.covers("kmem", whole=False)
            self.kernel.listed_vmos, self.kernel.free = self._size(head[2]), self._size(head[3])
        elif (task := _TASK(line)) is not None and line[:1] not in " \t":
            self._task(task, number)
        elif (part := _PART(line)) is not None:
            if self.in_kernel:
                self.kernel.parts[part[1].strip()] = self._size(part[2])
        else:
            return False
        self.origin.last_line, self.origin.rounded = number, True
        return True

    def _task(self, task: re.Match[str], number: int) -> None:
        koid, name = self.koid(task[2], number), task[1]
        self.in_kernel = koid == 1 and name == "kernel"
        if self.in_kernel:
            return
        private = self._size(task[3])
        # One figure: total and private are the same, so nothing is shared.
        scaled, total = (self._size(task[at]) if task[at] else private for at in (4, 5))
        self.add(
            "tasks",
            number,
            koid=koid,
            kind="process",
            name=name,
            reported_pss_bytes=scaled,
            reported_private_bytes=private,
            reported_shared_bytes=shared_bytes(total, private) if task[5] else 0,
        )
        self.covers("processes", whole=False)

    def end(self) -> None:
        """The kernel's row."""
        row = self.kernel.values()
        if row:
            self.add("kmem", self.origin.last_line, **row)


class _Csv(Dump):
    def __init__(self, session: Session, number: int) -> None:
        super().__init__(session, "mem CSV", number)
        self.time = -1
        self.times = 0
        self.buckets: dict[str, int] = {}
        self.tasks: dict[int, tuple[int, list[tuple[str, int, int, int]]]] = {}

    def take(self, line: str, number: int) -> bool:
        """A bucket or a process; of a series the last time counts."""
        six, three = _SIX(line), None
        if six is None:
            three = _THREE(line)
        match = six or three
        if match is None:
            return False
        if int(match[1]) != self.time:
            self.time, self.times = int(match[1]), self.times + 1
            self.buckets.clear()
            self.tasks.clear()
        self.origin.last_line = number
        if three is not None:
            self.buckets[three[2]] = self.count(three[3], number, "bytes")
            self.covers("kmem", whole=False)
            return True
        assert six is not None  # noqa: S101
        koid = self.koid(six[2], number)
        self.covers("processes", whole=False)
        private, scaled, total = (self.count(six[at], number, "bytes") for at in (4, 5, 6))
        if (koid, six[3]) != (1, "kernel"):
            rows = self.tasks.setdefault(koid, (number, []))[1]
            rows.append((six[3], private, scaled, total))
        return True

    def end(self) -> None:
        """The last time's rows."""
        for koid, (line, rows) in self.tasks.items():
            private, scaled, total = (sum(figures) for figures in list(zip(*rows, strict=True))[1:])
            self.add(
                "tasks",
                line,
                koid=koid,
                kind="process",
                # Several rows of one koid are its groups of VMOs, not its name.
                name=rows[0][0] if len(rows) == 1 else None,
                reported_pss_bytes=scaled,
                reported_private_bytes=private,
                reported_shared_bytes=max(0, total - private),
            )
        if "Free" in self.buckets:
            self.add("kmem", self.origin.last_line, free_bytes=self.buckets["Free"])
        if self.buckets:
            told = ", ".join(f"{name} {size}" for name, size in list(self.buckets.items())[:30])
            message = f"a digest, with no processes in it; bytes by bucket: {shorten(told, 800)}"
            self.note("remark", self.origin.first_line, message)
        if self.times > 1:
            message = f"{self.times} times, one after the other; the last ({self.time} s) is read"
            self.note("remark", self.origin.first_line, message)


class _SummaryFormat(TextFormat):
    name = "mem summary"

    def opens(self, line: str, number: int, session: Session) -> Dump | None:
        """The line with time, VMO and free bytes."""
        return _Summary(session, number) if _HEAD(line) else None


class _CsvFormat(TextFormat):
    name = "mem CSV"

    def opens(self, line: str, number: int, session: Session) -> Dump | None:
        """Three fields or six."""
        return _Csv(session, number) if _SIX(line) or _THREE(line) else None


MEM_SUMMARY = _SummaryFormat()
MEM_CSV = _CsvFormat()

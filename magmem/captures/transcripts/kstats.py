"""`kstats -m`: reports of the kernel's memory statistics, one after the other.

The header tells the columns: mid-2017 prints seven, September 2017 eight. kheap is the heap less
its free bytes; the table holds the whole heap.
"""

from __future__ import annotations

import re
from array import array

from magmem.captures.facts.loose import Bundle, loose
from magmem.captures.facts.rounding import SIZE
from magmem.captures.transcripts.session import MOST, Reader, Session

__all__ = ["KstatsReader"]

COLUMNS = {
    "total": "total_bytes",
    "free": "free_bytes",
    "VMOs": "vmo_bytes",
    "kheap": "total_heap_bytes",
    "kfree": "free_heap_bytes",
    "wired": "wired_bytes",
    "mmu": "mmu_overhead_bytes",
    "other": "other_bytes",
}

_STAMP = re.compile(r" *+--- ([0-9TZ:.+-]{8,40}) --- *+")
_HEADER = re.compile(r" *+(?:mem )?total((?: ++(?:free|VMOs|kheap|kfree|wired|mmu|other)){2,7}) *+")
_ROW = re.compile(rf"(?: *+{SIZE})(?: ++{SIZE}){{1,7}} *+")
_LIKE_ROW = re.compile(r" *+-?[0-9]{1,25}(?:\.[0-9])?[BkKMGTPE](?: |$)")
_SHORT = 200


class KstatsReader(Reader):
    """Every `kstats -m` of a session; reports that follow each other are one dump."""

    names = "kstats -m"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.dumps, self.lines = array("q"), array("q")
        self.stamps: list[str | None] = []
        self.sizes = {name: array("q") for name in COLUMNS.values()}
        self.slacks = {name: array("q") for name in COLUMNS.values()}

    def opens(self, line: str, number: int) -> bool:
        """A time or a header."""
        if len(line) > _SHORT or not (_STAMP.fullmatch(line) or _HEADER.fullmatch(line)):
            return False
        self.begin("kstats", number)
        self.stamp: str | None = None
        self.columns: list[str] = []
        self.reported = False
        self.whole = True
        return self.take(line, number)

    def take(self, line: str, number: int) -> bool:
        """A time, a header, or the sizes under it."""
        if len(line) > _SHORT:
            return False
        assert self.origin is not None  # noqa: S101
        stamp, header = _STAMP.fullmatch(line), _HEADER.fullmatch(line)
        if stamp is not None:
            self.stamp = stamp[1]
            self.columns = []
        elif header is not None:
            self.columns = ["total", *header[1].split()]
        elif self.columns and _LIKE_ROW.match(line):
            self._report(line, number)
        else:
            return False
        self.origin.last_line = number
        return True

    def _report(self, line: str, number: int) -> None:
        texts = line.split()
        if not _ROW.fullmatch(line) or len(texts) != len(self.columns):
            expected = f"{len(self.columns)} sizes: {', '.join(self.columns)}"
            raise self.session.error(number, expected, line)
        told = {
            COLUMNS[column]: self.size(text, number)
            for column, text in zip(self.columns, texts, strict=True)
        }
        used, unused = told.pop("total_heap_bytes", None), told.get("free_heap_bytes")
        if used is not None and unused is not None:
            if used[0] + unused[0] > MOST:
                raise self.session.error(number, "a heap below 8E", line)
            told["total_heap_bytes"] = used[0] + unused[0], used[1] + unused[1]
        self.dumps.append(self.at)
        self.lines.append(number)
        self.stamps.append(self.stamp)
        for name in self.sizes:
            size, slack = told.get(name, (-1, 0))
            self.sizes[name].append(size)
            self.slacks[name].append(slack)
        self.whole = len(told) == len(COLUMNS)
        self.reported = True
        self.session.timestamp_iso = self.stamp or self.session.timestamp_iso
        self.stamp, self.columns = None, []

    def end(self) -> None:
        """Whole if the last report has every column."""
        if self.reported:
            assert self.origin is not None  # noqa: S101
            self.origin.coverage["kmem"] = "complete" if self.whole else "partial"

    def bundle(self) -> Bundle:
        """A kmem row for each report."""
        columns = {"timestamp": self.stamps, **self.sizes}
        return {"kmem": loose("kmem", self.dumps, self.lines, columns, self.slacks)}

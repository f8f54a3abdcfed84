"""``aspace`` of the debugger zxdb: one process's address space.

Ends are exclusive, sizes are cut to whole units, so start and end tell the size. What lies below
what follows from the ranges: copies lose the indentation of names.
"""

from __future__ import annotations

import re
from typing import Any

from magmem.captures.reading.dump import Dump, TextFormat
from magmem.captures.reading.session import Session
from magmem.snapshot import PAGE_BYTES

__all__ = ["ZXDB_ASPACE"]

_HEADER = re.compile(
    r"\s*+Start ++End ++(Prot ++)?Size ++(?:(Koid) ++Offset ++Cmt\.Pgs ++)?Name\s*+"
).fullmatch
_ROW = re.compile(
    r"\s*+(0x[0-9a-f]{1,40}) ++(0x[0-9a-f]{1,40}) ++(?:([r-][w-][x-]) ++)?([0-9]{1,19}[BKMGTPE])"
    r"(?: ++([0-9]{1,19}) ++(0x[0-9a-f]{1,40}) ++([0-9]{1,19}))?(?: ++(.*?))?\s*+"
).fullmatch
_LIKE = re.compile(r"\s*+0x[0-9a-f]{1,40} ++(?:0x)?[0-9a-f]").match
_PROCESS = re.compile(r"proc:([0-9]{1,19})").fullmatch
_FOOT = re.compile(
    r"\s*+(?:Page size|Total mapped bytes|(Total committed pages)): ([0-9]{1,19})(?: .{0,200})?"
).fullmatch


class _Aspace(Dump):
    def __init__(self, session: Session, number: int) -> None:
        super().__init__(session, "zxdb aspace", number)
        self.aspace = -1
        self.above: list[tuple[int, int]] = []
        self.closed = False
        self.pages = 0

    def take(self, line: str, number: int) -> bool:
        """The header, a range, or the sums at the foot."""
        if _HEADER(line):
            return not self.rows
        foot = _FOOT(line)
        if foot is not None:
            self._foot(foot, number)
            return True
        row = None if self.closed else _ROW(line)
        if row is None:
            if not self.closed and _LIKE(line):
                expected = "START END, permissions, a size, koid, offset and pages, a name"
                raise self.error(number, expected, line)
            return False
        start, end = (self.address(row[at], number, "an address") for at in (1, 2))
        if not start < end or end - start >= 1 << 63:
            raise self.error(number, "an end after the start", line)
        name = self.name(row[8] or "", number)
        if self.aspace < 0:
            self._open(start, end, name, number, mapping=row[5] is not None)
            if row[5] is None:
                return True
        self._region(row, start, end, name, number)
        return True

    def _open(self, start: int, end: int, name: str, number: int, *, mapping: bool) -> None:
        """The first range is the address space; where an excerpt lacks it, nothing is known."""
        process = None if mapping else _PROCESS(name)
        if process is None:
            self.note("remark", number, "no name tells which process this aspace is of")
        known = {} if mapping else {"name": name, "base": start, "size_bytes": end - start}
        koid = None if process is None else self.koid(process[1], number)
        self.aspace = self.add(
            "aspaces", number, kind="user", process_koid=koid, whole=False, **known
        )

    def _region(self, row: re.Match[str], start: int, end: int, name: str, number: int) -> None:
        koid = self.count(row[5], number, "a koid") if row[5] else None
        offset = self.address(row[6], number, "an offset") if row[6] else None
        pages = self.count(row[7], number, "a count of pages") if row[7] else None
        if pages is not None and pages * PAGE_BYTES > end - start + PAGE_BYTES:
            raise self.error(number, f"pages that fit {end - start} bytes", str(pages))
        while self.above and not (self.above[-1][0] <= start and end <= self.above[-1][1]):
            self.above.pop()
        values: dict[str, Any] = {"kind": "vmar", "name": name}
        if koid is not None and pages is not None:
            self.pages += pages
            vmo = self.add("vmos", number, koid=koid, name=name, pages_known=False)
            values = {
                "kind": "mapping",
                "vmo": vmo,
                "vmo_offset_bytes": offset,
                "perms": row[3],
                "reported_resident_bytes": pages * PAGE_BYTES,
            }
        depth = len(self.above)
        self.add(
            "regions",
            number,
            aspace=self.aspace,
            depth=depth,
            base=start,
            size_bytes=end - start,
            **values,
        )
        if koid is None:
            self.above.append((start, end))

    def _foot(self, foot: re.Match[str], number: int) -> None:
        self.closed = True
        self.origin.last_line = number
        if foot[1] and not self.elided and self.count(foot[2], number, "a count") != self.pages:
            message = f"the sum says {foot[2]} committed pages, the rows are {self.pages}"
            self.note("contradiction", number, message)

    def end(self) -> None:
        """A process, its regions and the VMOs in them."""
        if self.rows:
            self.covers("processes", "mappings", "vmos", whole=False)


class _Format(TextFormat):
    name = "zxdb aspace"

    def opens(self, line: str, number: int, session: Session) -> Dump | None:
        """The header."""
        return _Aspace(session, number) if _HEADER(line) else None


ZXDB_ASPACE = _Format()

"""The text of ``ffx profile memory``: a block a process, and one of the kernel.

Sizes have two decimals at most, in B, KiB, MiB or GiB. Until 2024 a block begins with the process's
figures; in 2025 they are the first row of its table, ``Total``, as pairs committed and populated.
"""

from __future__ import annotations

import re

from magmem.captures.formats.mem_text import KernelRows, shared_bytes
from magmem.captures.json_text import shorten
from magmem.captures.reading.dump import Dump, TextFormat
from magmem.captures.reading.rows import Rounded
from magmem.captures.reading.session import Session

__all__ = ["FFX_TEXT"]

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = r"[0-9]{1,19}(?:\.[0-9]{1,2})? (?:[KMGT]i)?B"
_SIZES = re.compile(_SIZE)
_OPENS = re.compile(r"\s*+Process name: ++\S|\s*+Time: ++[0-9]{1,19} ns\s*+$").match
_LINE = re.compile(
    r"\s*+(Process name|Process koid|Private|PSS|Total|VMO|Free|Time|Task|PID"
    r"|Undigested|Bucket [^:]{1,80}): ++(.*?)\s*+"
).fullmatch
_UNCOMPRESSED = re.compile(r"\s*+(?:Private|PSS|Total) uncompressed: ++.*").fullmatch
_HEADER = re.compile(
    r"\s*+(?:Private ++Scaled ++Total|(?:Committed|Populated|[ |])++)\s*+"
).fullmatch
_ROW = re.compile(rf"\s++(\S.*?) ++({_SIZE}(?: ++{_SIZE}){{0,5}})(?: ++\(shared\))?\s*+").fullmatch

_FIGURES = {"Private": "private", "PSS": "scaled", "Total": "total"}


class _Ffx(Dump):
    longest_name = 400

    def __init__(self, session: Session, number: int) -> None:
        super().__init__(session, "ffx profile memory", number)
        self.kernel = KernelRows()
        self.block: dict[str, int] = {}
        self.label: str | None = None
        self.koid_told = 0
        self.line = number
        self.groups: list[str] = []
        self.seen: set[int] = set()

    def _size(self, text: str, number: int) -> int:
        match = _SIZES.match(text)
        if match is None:
            raise self.error(number, "a size such as 90.5 KiB", text)
        value, unit = match[0].split(" ")
        size = round(float(value) * _UNITS[unit])
        if size >= 1 << 63:
            raise self.error(number, "a size below 8E", text)
        if unit == "B":
            return int(value.partition(".")[0])
        self.origin.rounded = True
        return Rounded(size, _UNITS[unit] // 200 + 1)

    def take(self, line: str, number: int) -> bool:
        """A line of a block, or a row of its table."""
        told = _LINE(line)
        if told is not None and not line.startswith(" " * 8):
            self._told(told[1], told[2], number)
        elif _UNCOMPRESSED(line) or _HEADER(line):
            pass
        elif (row := _ROW(line)) is not None:
            self._row(row[1], _SIZES.findall(row[2]), number)
        else:
            return False
        self.origin.last_line = number
        return True

    def _told(self, word: str, text: str, number: int) -> None:
        if word == "Process name":
            self._keep()
            self.label, self.line = text, number
        elif word == "Process koid":
            koid = self.koid(text, number) if text.isdigit() else 0
            if not koid:
                raise self.error(number, "the koid of a process", text)
            if koid in self.seen:
                raise self.error(number, f"one block of process {koid}", "it again")
            self.seen.add(koid)
            self.koid_told = koid
            self.covers("processes", whole=False)
        elif word == "VMO":
            self.covers("kmem", whole=False)
            self.kernel.listed_vmos = self._size(text, number)
        elif word == "Free":
            self.kernel.free = self._size(text, number)
        elif word in _FIGURES and self.label is not None:
            self.block.setdefault(_FIGURES[word], self._size(text, number))

    def _row(self, name: str, sizes: list[str], number: int) -> None:
        values = [self._size(size, number) for size in sizes]
        if self.label is None:
            if len(values) == 1:
                self.kernel.parts[name] = values[0]
            return
        # Pairs are committed and populated.
        values = values[::2] if len(values) == 6 else values
        if name == "Total" and not self.block and not self.groups and len(values) == 3:
            self.block = dict(zip(("private", "scaled", "total"), values, strict=True))
        else:
            self.groups.append(f"{name} {', '.join(sizes)}")

    def _keep(self) -> None:
        if self.koid_told:
            block = self.block
            total, private = block.get("total"), block.get("private")
            shared = None if total is None or private is None else shared_bytes(total, private)
            self.add(
                "tasks",
                self.line,
                koid=self.koid_told,
                kind="process",
                name=self.label,
                reported_pss_bytes=block.get("scaled"),
                reported_private_bytes=private,
                reported_shared_bytes=shared,
            )
            if self.groups:
                told = "; ".join(self.groups[:20])
                count = f"{len(self.groups)} groups of VMOs of process {self.koid_told}"
                self.note("remark", self.line, f"{count}: {shorten(told, 800)}")
        self.block, self.label, self.koid_told, self.groups = {}, None, 0, []

    def end(self) -> None:
        """The last block, and the kernel's."""
        last = self.origin.last_line
        self._keep()
        row = self.kernel.values()
        if row:
            self.add("kmem", last, **row)
            self.covers("kmem", whole=False)
        self.origin.last_line = last


class _Format(TextFormat):
    name = "ffx profile memory"

    def opens(self, line: str, number: int, session: Session) -> Dump | None:
        """A process's block, or the kernel's."""
        return _Ffx(session, number) if _OPENS(line) else None


FFX_TEXT = _Format()

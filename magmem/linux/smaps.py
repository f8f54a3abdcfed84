"""The mappings of a process as ``/proc/PID/smaps`` (or plain ``maps``) lists them.

One item per mapping, in address order. The kernel's figures are kB, here bytes; a figure that a
kernel does not give is missing (-1), never 0. The page the x86 kernel lists above all address
spaces (``[vsyscall]``) is left out: it belongs to no process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from magmem.errors import CaptureError
from magmem.linux.process import PssSums
from magmem.linux.procfs import shown

__all__ = ["FIGURES", "Mappings", "parse_smaps"]

Ints = npt.NDArray[np.int64]

FIGURES = (
    "Rss",
    "Pss",
    "Shared_Clean",
    "Shared_Dirty",
    "Private_Clean",
    "Private_Dirty",
    "Anonymous",
)
"""The kernel's figures that are kept, in its order."""

_HEADER = rb"([0-9a-f]+)-([0-9a-f]+) ([-rwxsp]{4}) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)\n"
_FIGURE = rb" +(\d{1,15}) kB\n"
# One mapping as every kernel since 2.6.36 prints it; lines of later kernels may stand between.
_WHOLE = re.compile(
    _HEADER
    + rb"(?:[^R\n].*\n)*+Rss:"
    + _FIGURE
    + rb"Pss:"
    + _FIGURE
    + rb"(?:(?!Shared_Clean)\w+:.*\n)*+Shared_Clean:"
    + _FIGURE
    + rb"Shared_Dirty:"
    + _FIGURE
    + rb"Private_Clean:"
    + _FIGURE
    + rb"Private_Dirty:"
    + _FIGURE
    + rb"(?:(?!Anonymous)\w+:.*\n)*+Anonymous:"
    + _FIGURE
    + rb"(?:(?!VmFlags)\w+:.*\n)*+VmFlags:(.*)\n"
)
_HEADER_LINE = re.compile(_HEADER.removesuffix(rb"\n"))
_FIGURE_LINE = re.compile(rb"(\w+): +(\d{1,15}) kB")
_OTHER_LINE = re.compile(rb"\w[\w ()]*:")

GATE = b"[vsyscall]"

Row = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Mappings:
    """The mappings of one process; lists and arrays of one length.

    Attributes
    ----------
    start, end, offset_bytes : uint64 arrays
        The range of addresses (end exclusive), and where in the file it begins.
    perms : list of str
        ``rwx`` with ``-`` for missing, then ``s`` shared or ``p`` private.
    device, name : list of str
        ``MAJOR:MINOR`` in hex; path, ``[heap]`` and the like, or empty.
    inode : list of int
        0 where no file is mapped.
    flags : list of str
        The two-letter VmFlags, blank-separated; empty if not told.
    figures : int64 array of shape (mappings, len(FIGURES))
        Bytes; -1 for what the kernel does not tell.
    """

    start: npt.NDArray[np.uint64]
    end: npt.NDArray[np.uint64]
    offset_bytes: npt.NDArray[np.uint64]
    perms: list[str]
    device: list[str]
    inode: list[int]
    name: list[str]
    flags: list[str]
    figures: Ints

    def __len__(self) -> int:
        return len(self.start)

    def figure(self, name: str) -> Ints:
        """One of `FIGURES` of every mapping, bytes; -1 for missing."""
        return self.figures[:, FIGURES.index(name)]

    @property
    def sums(self) -> PssSums:
        """The figures of the whole process; None where a mapping lacks one."""

        def total(*names: str) -> int | None:
            columns = [self.figure(name) for name in names]
            if any(len(column) and int(column.min()) < 0 for column in columns):
                return None
            return sum(int(column.sum()) for column in columns)

        return PssSums(
            total("Rss"),
            total("Pss"),
            total("Private_Clean", "Private_Dirty"),
            total("Shared_Clean", "Shared_Dirty"),
        )


def parse_smaps(data: bytes, source: str) -> Mappings:
    """Read ``/proc/PID/smaps`` or ``/proc/PID/maps``.

    Raises
    ------
    CaptureError
        A line that is neither a mapping nor a field, or ranges out of order; names the line.
    """
    rows: list[Row] = _WHOLE.findall(data)
    # A kernel gives every mapping the same fields, so nothing was skipped if lines add up.
    first = _WHOLE.match(data)
    lines = first[0].count(b"\n") if first else 0
    if data.count(b"\n") != len(rows) * lines or data[-1:] not in (b"", b"\n"):
        rows = _line_by_line(data, source)
    if rows and rows[-1][6] == GATE:
        rows.pop()
    return _columns(rows, source)


def _line_by_line(data: bytes, source: str) -> list[Row]:
    """The same rows from any order of fields, with empty texts for what is missing."""
    rows: list[list[bytes]] = []
    place = {name.encode(): 7 + at for at, name in enumerate(FIGURES)}
    for number, line in enumerate(data.splitlines(), 1):
        if header := _HEADER_LINE.fullmatch(line):
            rows.append([*header.groups(), *[b""] * len(FIGURES), b""])
        elif not rows or not _OTHER_LINE.match(line):
            expected = "START-END PERMS OFFSET DEVICE INODE NAME, or FIELD: VALUE"
            raise CaptureError(source, f"line {number}", expected, shown(line, 80))
        elif line.startswith(b"VmFlags:"):
            rows[-1][-1] = line.partition(b":")[2]
        elif (figure := _FIGURE_LINE.fullmatch(line)) and figure[1] in place:
            rows[-1][place[figure[1]]] = figure[2]
    return list(rows)


def _columns(rows: list[Row], source: str) -> Mappings:
    columns = list(zip(*rows, strict=True)) or [()] * (8 + len(FIGURES))
    start, end, offset = (
        np.array(_integers(columns[at], 16, source), np.uint64) for at in (0, 1, 3)
    )
    disordered = np.flatnonzero((start >= end) | np.append(end[:-1] > start[1:], False)[: len(end)])
    if len(disordered):
        at = int(disordered[0])
        found = f"{int(start[at]):x}-{int(end[at]):x}"
        raise CaptureError(source, f"mapping {at + 1}", "mappings in address order", found)
    texts = {at: [*map(_text, columns[at])] for at in (2, 4, 6, 7 + len(FIGURES))}
    kb = [[int(text or -1) for text in columns[7 + at]] for at in range(len(FIGURES))]
    figures = np.array(kb, np.int64).T.reshape(len(rows), len(FIGURES))
    return Mappings(
        start,
        end,
        offset,
        texts[2],
        texts[4],
        _integers(columns[5], 10, source),
        texts[6],
        texts[7 + len(FIGURES)],
        np.where(figures < 0, -1, figures * 1024),
    )


def _integers(texts: Sequence[bytes], base: int, source: str) -> list[int]:
    values = [int(text, base) for text in texts] if max(map(len, texts), default=0) <= 20 else []
    if not values and texts:
        values = [int(text, base) if len(text) <= 20 else 1 << 64 for text in texts]
    if values and max(values) >= 1 << 64:
        at = next(i for i, value in enumerate(values) if value >= 1 << 64)
        place = f"mapping {at + 1}"
        raise CaptureError(source, place, "numbers of at most 64 bits", shown(texts[at]))
    return values


@lru_cache(maxsize=1 << 14)
def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return shown(raw)
    return text if text.isprintable() else shown(raw)

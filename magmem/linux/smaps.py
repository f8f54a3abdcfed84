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
    "AnonHugePages",
    "Shared_Hugetlb",
    "Private_Hugetlb",
    "Swap",
    "SwapPss",
)
"""The kernel's figures that are kept."""

HUGETLB = ("Shared_Hugetlb", "Private_Hugetlb")
"""Pages of the reserved pool: in none of the other figures, and in no kernel before 4.4."""

_HEADER = rb"([0-9a-f]+)-([0-9a-f]+) ([-rwxsp]{4}) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)\n"
_HEADER_LINE = re.compile(_HEADER.removesuffix(rb"\n"))
_FIGURE_LINE = re.compile(rb"(\w+): +(\d{1,15}) kB")
_OTHER_LINE = re.compile(rb"[\w(][^:]*:")
_NAME_LINE = re.compile(rb"Name: +(.*)")
_FIELD = re.compile(rb"(\w+):")

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
    def resident_bytes(self) -> Ints:
        """What of each mapping is in memory, huge pages of the reserved pool included."""
        names = ("Rss", *HUGETLB)
        found: Ints = np.sum([np.maximum(self.figure(name), 0) for name in names], axis=0)
        return found

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
            total("Swap"),
            total("Private_Hugetlb"),
            total("Shared_Hugetlb"),
            total("SwapPss"),
        )


def parse_smaps(data: bytes, source: str, odd: list[str] | None = None) -> Mappings:
    """Read ``/proc/PID/smaps`` or ``/proc/PID/maps``.

    Parameters
    ----------
    odd : list of str, optional
        Given, lines that are neither a mapping nor a field are left out and told here.

    Raises
    ------
    CaptureError
        Such a line where `odd` is not given, or ranges out of order; names the line.
    """
    rows = _same_fields(data) or _line_by_line(data, source, odd)
    if rows and rows[-1][6] == GATE:
        rows.pop()
    return _columns(rows, source)


def _same_fields(data: bytes) -> list[Row]:
    """The rows of a text in which every mapping has the fields of the first; else none.

    A kernel gives every mapping the same fields in the same order, whatever they are, so one
    expression made of those of the first mapping reads all others.
    """
    head, *fields = data[: _second(data)].splitlines()[:MAX_FIELDS] or [b""]
    names = [match[1] for line in fields if (match := _FIELD.match(line))]
    if len(names) != len(fields) or b"Name" in names or not _HEADER_LINE.fullmatch(head):
        return []
    pattern, places = _expression(tuple(names))
    found = pattern.findall(data)
    if data.count(b"\n") != len(found) * (1 + len(names)) or data[-1:] != b"\n":
        return []
    if None not in places and places == tuple(range(7, 8 + len(FIGURES))):
        return list(found)
    return [
        (*row[:7], *(b"" if place is None else row[place] for place in places)) for row in found
    ]


MAX_FIELDS = 100


def _second(data: bytes) -> int:
    """Where the second mapping begins."""
    match = _NEXT_HEADER.search(data, data.find(b"\n"))
    return len(data) if match is None else match.start() + 1


_NEXT_HEADER = re.compile(rb"\n[0-9a-f]+-[0-9a-f]+ [-rwxsp]{4} ")


@lru_cache(maxsize=16)
def _expression(names: tuple[bytes, ...]) -> tuple[re.Pattern[bytes], tuple[int | None, ...]]:
    """What reads one mapping with these fields, and which group each figure and the flags are."""
    wanted = [name.encode() for name in FIGURES]
    pieces = [_HEADER]
    group_of: dict[bytes, int] = {}
    for name in names:
        if name == b"VmFlags" and name not in group_of:
            pieces.append(rb"VmFlags:(.*)\n")
        elif name in wanted and name not in group_of:
            pieces.append(name + rb": +(\d{1,15}) kB\n")
        else:
            pieces.append(name + rb":.*\n")
            continue
        group_of[name] = 7 + len(group_of)
    places = (group_of.get(name) for name in [*wanted, b"VmFlags"])
    return re.compile(b"".join(pieces)), tuple(places)


def _line_by_line(data: bytes, source: str, odd: list[str] | None) -> list[Row]:
    """The same rows from any order of fields, with empty texts for what is missing."""
    rows: list[list[bytes]] = []
    place = {name.encode(): 7 + at for at, name in enumerate(FIGURES)}
    for number, line in enumerate(data.splitlines(), 1):
        if header := _HEADER_LINE.fullmatch(line):
            rows.append([*header.groups(), *[b""] * len(FIGURES), b""])
        elif not rows or not _OTHER_LINE.match(line):
            expected = "START-END PERMS OFFSET DEVICE INODE NAME, or FIELD: VALUE"
            error = CaptureError(source, f"line {number}", expected, shown(line, 80))
            if odd is None:
                raise error
            odd.append(str(error))
        elif line.startswith(b"VmFlags:"):
            rows[-1][-1] = line.partition(b":")[2]
        elif name := _NAME_LINE.fullmatch(line):
            rows[-1][6] = rows[-1][6] or name[1]  # Android before 5.17
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
    kb = [_numbers(columns[7 + at]) for at in range(len(FIGURES))]
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


def _numbers(texts: Sequence[bytes]) -> list[int]:
    if b"" in texts:
        return [int(text or -1) for text in texts]
    return [*map(int, texts)]


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

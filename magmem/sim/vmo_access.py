"""Bytes of VMOs: reading and writing them without a mapping, and finding their physical pages.

Reading an uncommitted page sees zeros and commits nothing; writing commits. Ranges to read, write,
commit and decommit are trimmed at the VMO's end, so only one that starts past it, or wraps 64 bits,
is `OutOfRange`; lookup and pin trim nothing (reference/kernel.md "VMOs").
"""

from __future__ import annotations

from typing import Final

from magmem.errors import (
    BadState,
    InvalidArgs,
    NoMemory,
    NotFound,
    NotSupported,
    OutOfRange,
    Unavailable,
)
from magmem.sim import commit
from magmem.sim.arguments import WORD, shown
from magmem.sim.pins import MAX_PINS, PinCounts
from magmem.sim.vmo import Vmo
from magmem.units import PAGE_BYTES

__all__ = [
    "MAX_READ_BYTES",
    "check_range",
    "lookup",
    "page_range",
    "pin",
    "read_pages",
    "require_paged",
    "store",
    "trim",
    "unpin",
    "write",
]

MAX_READ_BYTES: Final = 1 << 28
"""Most bytes that one call hands over; more would be the reader's own memory, not the machine's."""


def require_paged(vmo: Vmo, what: str) -> None:
    """Raise `NotSupported` for a physical VMO, whose contents are a device's."""
    if vmo.phys_base is not None:
        raise NotSupported(f"{vmo!r} is a physical range: no {what}")


def check_range(vmo: Vmo, offset: int, length: int) -> None:
    """Raise `OutOfRange` unless ``[offset, offset + length)`` lies in the VMO."""
    if offset + length > vmo.size_bytes:
        raise OutOfRange(
            f"bytes {shown(offset)} … {shown(offset + length)} are not within the "
            f"{vmo.size_bytes} of {vmo!r}"
        )


def trim(vmo: Vmo, offset: int, length: int) -> int:
    """How much of ``[offset, offset + length)`` lies in the VMO.

    Raises
    ------
    OutOfRange
        It starts past the VMO's end, or offset and length wrap 64 bits.
    """
    if offset > vmo.size_bytes or offset + length >= WORD:
        raise OutOfRange(
            f"bytes {shown(offset)} … {shown(offset + length)} start past the "
            f"{vmo.size_bytes} of {vmo!r}, or end past 2^64"
        )
    return min(length, vmo.size_bytes - offset)


def page_range(offset: int, length: int) -> tuple[int, int]:
    """The pages a byte range touches, half open; none for length 0."""
    first = offset // PAGE_BYTES
    return first, -(-(offset + length) // PAGE_BYTES) if length else first


def read_pages(vmo: Vmo, offset: int, length: int) -> bytes:
    """Bytes of a paged VMO as a clone sees them; may reach to the end of the last page.

    Raises
    ------
    NoMemory
        More than `MAX_READ_BYTES`.
    """
    if length > MAX_READ_BYTES:
        raise NoMemory(f"reading {length} bytes at once: {MAX_READ_BYTES} are the most")
    data = bytearray(length)
    start, end = page_range(offset, length)
    for segment in commit.visible(vmo, start, end):
        if segment.owner is None:
            continue
        contents = segment.owner.pages.contents
        shift = segment.shift
        for written in segment.owner.pages.written(segment.start + shift, segment.end + shift):
            at = (written - shift) * PAGE_BYTES - offset
            low, high = max(at, 0), min(at + PAGE_BYTES, length)
            data[low:high] = contents[written][low - at : high - at]
    return bytes(data)


def write(vmo: Vmo, offset: int, data: bytes) -> int:
    """Write bytes into a paged VMO, within its size; returns the pages newly committed.

    Raises
    ------
    NoMemory
        Nothing has changed.
    """
    taken = commit.commit(vmo, *page_range(offset, len(data)))
    store(vmo, offset, data)
    return taken


def store(vmo: Vmo, offset: int, data: bytes) -> None:
    """Put bytes into pages the VMO owns."""
    view = memoryview(data)
    at = 0
    while at < len(data):
        page, inside = divmod(offset + at, PAGE_BYTES)
        part = min(PAGE_BYTES - inside, len(data) - at)
        vmo.pages.store(page, inside, view[at : at + part])
        at += part


def lookup(vmo: Vmo, offset: int, length: int) -> list[tuple[int, int, int]]:
    """Physical addresses of a range: (offset in the VMO, physical address, bytes) of whole pages.

    Raises
    ------
    InvalidArgs
        Length 0.
    OutOfRange
        The range passes the end.
    NoMemory
        A page of the range is committed neither here nor in an ancestor it is seen through.
    """
    if not length:
        raise InvalidArgs("lookup needs a length above 0")
    check_range(vmo, offset, length)
    start, end = page_range(offset, length)
    if vmo.phys_base is not None:
        at = start * PAGE_BYTES
        return [(at, vmo.phys_base + at, (end - start) * PAGE_BYTES)]
    found: list[tuple[int, int, int]] = []
    for segment in commit.visible(vmo, start, end):
        if segment.owner is None:
            raise NoMemory(f"page {segment.start} of {vmo!r} is not committed")
        shift = segment.shift
        for s, e, frame in segment.owner.pages.physical(segment.start + shift, segment.end + shift):
            place = ((s - shift) * PAGE_BYTES, frame * PAGE_BYTES, (e - s) * PAGE_BYTES)
            if found and found[-1][1] + found[-1][2] == place[1]:
                found[-1] = (found[-1][0], found[-1][1], found[-1][2] + place[2])
            else:
                found.append(place)
    return found


def pin(vmo: Vmo, offset: int, length: int) -> None:
    """Pin every page of a range once more.

    Raises
    ------
    OutOfRange
        The range passes the end.
    NotFound
        The VMO does not own a page of the range.
    Unavailable
        A page has 31 pins already.
    """
    check_range(vmo, offset, length)
    start, end = page_range(offset, length)
    if start == end:
        return
    gaps = vmo.pages.gaps(start, end)
    if gaps:
        raise NotFound(f"page {gaps[0][0]} of {vmo!r} is not committed")
    counts = vmo.pins or PinCounts()
    if counts.highest(start, end) >= MAX_PINS:
        raise Unavailable(f"a page in {start} … {end - 1} of {vmo!r} has {MAX_PINS} pins already")
    counts.change(start, end, 1)
    vmo.pins = counts


def unpin(vmo: Vmo, offset: int, length: int) -> None:
    """Undo one pin of every page of a range.

    Raises
    ------
    OutOfRange
        The range passes the end.
    BadState
        A page of the range has no pin to undo.
    """
    check_range(vmo, offset, length)
    start, end = page_range(offset, length)
    if start == end:
        return
    fixed = min(end, vmo.fixed_pages)
    if (
        vmo.pins is None
        or vmo.pins.lowest(start, end) < 1
        or (start < fixed and vmo.pins.lowest(start, fixed) < 2)
    ):
        raise BadState(f"a page in {start} … {end - 1} of {vmo!r} has no pin to undo")
    vmo.pins.change(start, end, -1)

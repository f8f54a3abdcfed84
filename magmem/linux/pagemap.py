"""Page frames: what ``/proc/PID/pagemap``, ``/proc/kpagecount`` and ``/proc/kpageflags`` tell.

Everything is counted in pages of the machine. Frame numbers are shown to root alone (the
capability CAP_SYS_ADMIN); others read 0 in their place. A page table entry counts when it holds a
page of memory: entries of the shared zero page are not counted, as the kernel does not either.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["FrameCounts", "Installed", "confirmed", "read_installed", "zero_frames"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

PRESENT, FILE, EXCLUSIVE = 63, 61, 56  # bits of an entry; EXCLUSIVE since Linux 4.2
FRAME = np.uint64((1 << 55) - 1)

SPARSE = 16
"""A mapping this many times larger than what is resident of it is first asked where that is."""

SPARSE_PAGES = 4096
"""Shorter mappings are simply read."""

PIECE_PAGES = 1 << 19
"""Entries read in one piece (4 MiB of them)."""

PAGEMAP_SCAN = 0xC0606610  # since Linux 6.7
PAGE_IS_PRESENT = 1 << 3
SCAN_REGIONS = 4096

SWAP_BACKED, KSM = 14, 21  # bits of kpageflags


@dataclass(frozen=True, slots=True)
class Installed:
    """Entries that hold a page, of one or many processes; arrays of one length.

    Attributes
    ----------
    mapping : int64 array
        Which mapping, by number.
    page : int64 array
        Page of the mapping, from 0.
    frame : int64 array
        Page frame; 0 if it is not told.
    is_file : bool array
        The page belongs to a file or to shared memory; if not, to one process and its forks.
    is_exclusive : bool array
        No other entry of any process holds this page.
    """

    mapping: Ints
    page: Ints
    frame: Ints
    is_file: Bools
    is_exclusive: Bools

    def __len__(self) -> int:
        return len(self.page)

    def where(self, choice: npt.NDArray[np.bool_] | Ints) -> Installed:
        """Some of them."""
        return Installed(
            self.mapping[choice],
            self.page[choice],
            self.frame[choice],
            self.is_file[choice],
            self.is_exclusive[choice],
        )


def read_installed(
    fd: int, mapping: Ints, first_page: Ints, pages: Ints, resident_pages: Ints
) -> Installed:
    """The entries of some mappings of one process.

    Parameters
    ----------
    fd : int
        Its open ``pagemap``.
    mapping : int64 array
        Number of each mapping, given back in the result.
    first_page, pages : int64 arrays
        Where each begins (address divided by the page size) and how long it is; sorted.
    resident_pages : int64 array
        Pages resident of each as last heard; decides only how the entries are looked for.

    Raises
    ------
    OSError
        The process has gone, or its page map may not be read.
    """
    pieces: list[bytes] = []
    begin: list[int] = []
    for first, count, is_sparse in _stretches(first_page, pages, resident_pages):
        ranges = _present_ranges(fd, first, count) if is_sparse else [(first, count)]
        for low, length in ranges:
            for at in range(low, low + length, PIECE_PAGES):
                piece = os.pread(fd, min(PIECE_PAGES, low + length - at) * 8, at * 8)
                if not is_sparse or piece.strip(b"\0"):
                    pieces.append(piece[: len(piece) // 8 * 8])
                    begin.append(at)
    words: Words = np.frombuffer(b"".join(pieces), "<u8")
    length_of = np.array([len(piece) // 8 for piece in pieces], np.int64)
    start_of = np.cumsum(length_of) - length_of
    place = np.flatnonzero(words >> np.uint64(PRESENT))
    words = words[place]
    piece_of = np.searchsorted(start_of, place, side="right") - 1
    page = np.array(begin, np.int64)[piece_of] + place - start_of[piece_of]
    row = np.searchsorted(first_page, page, side="right") - 1
    return Installed(
        mapping[row],
        page - first_page[row],
        (words & FRAME).astype(np.int64),
        (words >> np.uint64(FILE) & np.uint64(1)).astype(bool),
        (words >> np.uint64(EXCLUSIVE) & np.uint64(1)).astype(bool),
    )


def confirmed(installed: Installed, doubtful: Bools, counts: FrameCounts) -> Installed:
    """The same entries, with `is_exclusive` right also where huge pages are mapped as a whole.

    For all pages of such a mapping the kernel gives one bit, decided by the first of them: after a
    fork and a write to that first page it is wrong for the others. How often each page is mapped
    is counted page by page.

    Parameters
    ----------
    doubtful : bool array
        Entries that may be of such a mapping.
    """
    at = np.flatnonzero(doubtful & installed.is_exclusive & ~installed.is_file)
    if not len(at):
        return installed
    mapped = counts.mapped(installed.frame[at])
    is_exclusive = installed.is_exclusive.copy()
    # Without counts the frames decide, when all processes are read.
    is_exclusive[at] = False if mapped is None else mapped == 1
    return replace(installed, is_exclusive=is_exclusive)


def _stretches(first_page: Ints, pages: Ints, resident_pages: Ints) -> list[tuple[int, int, bool]]:
    """What to read in one go: first page, pages, and whether it is sparse; neighbours joined."""
    sparse = (pages > SPARSE * resident_pages) & (pages > SPARSE_PAGES)
    end = first_page + pages
    opens = np.ones(len(pages), bool)
    opens[1:] = (end[:-1] != first_page[1:]) | sparse[1:] | sparse[:-1]
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(pages)) - 1 if len(first) else first
    columns = first_page[first], end[last] - first_page[first], sparse[first]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _present_ranges(fd: int, first: int, count: int) -> list[tuple[int, int]]:
    """Where pages are present in a long range; all of it if the kernel cannot say."""
    if not sys.platform.startswith("linux"):
        return [(first, count)]
    import fcntl

    page = os.sysconf("SC_PAGE_SIZE")
    regions = np.zeros((SCAN_REGIONS, 3), np.uint64)
    found: list[tuple[int, int]] = []
    at, end = first * page, (first + count) * page
    while at < end:
        # struct pm_scan_arg: size, flags, start, end, walk_end, vec, vec_len, max_pages,
        # category_inverted, category_mask, category_anyof_mask, return_mask
        vector = regions.ctypes.data
        question = (ctypes.c_uint64 * 12)(
            96, 0, at, end, 0, vector, SCAN_REGIONS, 0, 0, PAGE_IS_PRESENT, 0, PAGE_IS_PRESENT
        )
        try:
            told = fcntl.ioctl(fd, PAGEMAP_SCAN, question)
        except OSError:
            return [(first, count)]
        ranges = regions[:told, :2].astype(np.int64) // page
        found += [(low, high - low) for low, high in ranges.tolist()]
        if question[4] <= at:
            break
        at = question[4]
    return found


def zero_frames(pagemap: Path) -> Ints:
    """The frame of the zero page, found by reading memory that was never written.

    Parameters
    ----------
    pagemap : Path
        This process's own page map.

    Returns
    -------
    int64 array
        Empty where it cannot be told.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    with mmap.mmap(-1, page, access=mmap.ACCESS_COPY) as unwritten:
        byte = unwritten[0]
        view = ctypes.c_char.from_buffer(unwritten)
        at = ctypes.addressof(view) // page
        del view
        try:
            with pagemap.open("rb", buffering=0) as file:
                file.seek(at * 8)
                word = file.read(8)
        except OSError:
            word = b""
    frame = int.from_bytes(word, "little") & int(FRAME)
    return np.array([frame] if frame and not byte else [], np.int64)


class FrameCounts:
    """How often each page frame is mapped, and what sort it is, from the whole machine's files.

    Parameters
    ----------
    counts, flags : int or None
        Open ``kpagecount`` and ``kpageflags``; None where they are missing or closed to us.
    """

    def __init__(self, counts: int | None, flags: int | None) -> None:
        self._counts = counts
        self._flags = flags

    def mapped(self, frames: Ints) -> Ints | None:
        """Entries of all processes that hold each frame; None if not told."""
        words = _words(self._counts, frames)
        return None if words is None else words.astype(np.int64)

    def merged(self, frames: Ints) -> Bools | None:
        """Whether each frame was merged from equal pages (KSM); None if not told."""
        return self._flagged(frames, KSM)

    def swap_backed(self, frames: Ints) -> Bools | None:
        """Whether each frame has no disk but swap behind it; None if not told."""
        return self._flagged(frames, SWAP_BACKED)

    def _flagged(self, frames: Ints, bit: int) -> Bools | None:
        words = _words(self._flags, frames)
        return None if words is None else (words >> np.uint64(bit) & np.uint64(1)).astype(bool)


def _words(fd: int | None, frames: Ints) -> Words | None:
    """One 64-bit word per frame, read in few pieces; None if a piece is not there."""
    if fd is None or not len(frames):
        return None if fd is None else np.zeros(0, np.uint64)
    unique, place = np.unique(frames, return_inverse=True)
    words = np.empty(len(unique), np.uint64)
    # Reading a gap of some hundred words costs less than another call.
    cuts = np.flatnonzero((np.diff(unique) > 512) | (np.arange(1, len(unique)) % 65536 == 0)) + 1
    low = 0
    for high in [*cuts.tolist(), len(unique)]:
        first, last = int(unique[low]), int(unique[high - 1])
        try:
            piece = np.frombuffer(os.pread(fd, (last - first + 1) * 8, first * 8), "<u8")
        except OSError:
            return None
        if len(piece) != last - first + 1:
            return None
        words[low:high] = piece[unique[low:high] - first]
        low = high
    return words[place]

"""Files that live in memory: tmpfs, memfds, shared memory, mapped or not.

Such a file may hold pages that nobody maps. Which of its pages are in memory is asked in the ways
the kernel has, none of which reads or changes the file:

- ``cachestat`` (Linux 6.5) counts them, and nothing that was swapped out;
- ``mincore`` of a mapping that is never touched says it page by page;
- ``lseek`` to data and holes alone counts swapped pages as data and does not show pages that were
  allocated and not written (``fallocate``); it is believed where the others agree.

Sizes are bytes.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import stat
import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from magmem.linux.runs import runs_of

__all__ = ["MAX_RUNS", "MemoryFile", "MemoryFiles", "device_name"]

MAX_RUNS = 1 << 16
"""Runs after which a file is given up as too scattered to list."""

CHUNK_PAGES = 1 << 18
"""Pages asked about at once."""

MAX_CHUNKS = 1 << 12
"""A file that is longer is asked with `lseek` alone."""

MAX_QUESTIONS = 1 << 16
"""Ranges of one file that are asked about before it is given up."""

CACHESTAT = 451  # the number of the system call on every architecture

Identity = tuple[str, int]
"""Device (``MAJOR:MINOR`` in hex, as in ``maps``) and inode."""


def device_name(major: int, minor: int) -> str:
    """A device as ``maps`` writes it."""
    return f"{major:02x}:{minor:02x}"


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """One such file.

    Attributes
    ----------
    size_bytes : int
    allocated_bytes : int
        What it holds, in memory or swapped out.
    resident_bytes : int or None
        What of it is in memory; None where the kernel does not tell.
    runs : tuple of (first page, pages) or None
        The pages in memory, sorted and disjoint; None where it does not tell all of them.
    is_huge : bool
        Whether its pages are huge ones of the reserved pool.
    """

    size_bytes: int
    allocated_bytes: int
    resident_bytes: int | None
    runs: tuple[tuple[int, int], ...] | None
    is_huge: bool = False


class MemoryFiles:
    """Those met so far, each asked once.

    Parameters
    ----------
    page_bytes : int
        Bytes of a page of this machine.
    """

    def __init__(self, page_bytes: int) -> None:
        self._page_bytes = page_bytes
        self.found: dict[Identity, MemoryFile] = {}

    def see(self, path: str) -> Identity | None:
        """Ask the file behind a link of ``/proc``, unless it was met before.

        Returns
        -------
        (str, int) or None
            Its device and inode; None where it is no regular file.

        Raises
        ------
        OSError
            The link is gone or may not be followed.
        """
        status = os.stat(path)  # noqa: PTH116 (a path of text, thousands of times)
        if not stat.S_ISREG(status.st_mode):
            return None
        identity = (device_name(os.major(status.st_dev), os.minor(status.st_dev)), status.st_ino)
        if identity not in self.found:
            self.found[identity] = _asked(path, status, self._page_bytes)
        return identity


def _asked(path: str, status: os.stat_result, page_bytes: int) -> MemoryFile:
    allocated = status.st_blocks * 512
    unknown = MemoryFile(status.st_size, allocated, None, None)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return unknown
    try:
        same = os.fstat(fd)
        if (same.st_dev, same.st_ino) != (status.st_dev, status.st_ino):
            return unknown
        if os.fstatvfs(fd).f_bsize != page_bytes:
            return MemoryFile(status.st_size, allocated, allocated, None, is_huge=True)
        return _told(fd, status.st_size, allocated, page_bytes)
    except (OSError, ValueError):
        return unknown
    finally:
        os.close(fd)


def _told(fd: int, size_bytes: int, allocated_bytes: int, page_bytes: int) -> MemoryFile:
    """What the kernel tells of an open file of tmpfs or a memfd."""
    pages, allocated = -(-size_bytes // page_bytes), allocated_bytes // page_bytes
    cached = _cached_pages(fd)
    data = _data_runs(fd, page_bytes)
    written = None if data is None else sum(count for _, count in data)
    runs: tuple[tuple[int, int], ...] | None = None
    if cached == 0:
        runs = ()
    elif written == allocated and cached in (None, allocated):
        runs = data
    elif pages <= CHUNK_PAGES * MAX_CHUNKS:
        runs = _resident_runs(fd, pages, page_bytes, cached)
    known = sum(count for _, count in runs) if runs is not None else cached
    resident = None if known is None else known * page_bytes
    return MemoryFile(size_bytes, allocated_bytes, resident, runs)


def _cached_pages(fd: int, first_byte: int = 0, length: int = 0) -> int | None:
    """Pages of a range (length 0: to the end) that are in memory; None if not told."""
    span = (ctypes.c_uint64 * 2)(first_byte, length)
    counts = (ctypes.c_uint64 * 5)()
    if not sys.platform.startswith("linux") or _libc().syscall(
        CACHESTAT, fd, ctypes.byref(span), ctypes.byref(counts), 0
    ):
        return None
    return counts[0]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _resident_runs(
    fd: int, pages: int, page_bytes: int, cached: int | None
) -> tuple[tuple[int, int], ...] | None:
    """Which pages are in memory; None where that takes too long or is not allowed."""
    if cached is None:
        return _by_mincore(fd, pages, page_bytes)
    found: list[tuple[int, int]] = []
    waiting = [(0, pages, cached)]
    asked = 0
    while waiting and asked < MAX_QUESTIONS:
        first, count, here = waiting.pop()
        if here == count:
            if found and sum(found[-1]) == first:
                first, count = found[-1][0], found.pop()[1] + count
            found.append((first, count))
        elif here:
            half = count // 2
            low = _cached_pages(fd, first * page_bytes, half * page_bytes) or 0
            asked += 1
            waiting.append((first + half, count - half, max(0, here - low)))
            waiting.append((first, half, low))
    # Pages beyond the end of the file, and files that change, cannot be placed.
    settled = not waiting and sum(count for _, count in found) == cached
    return tuple(found) if settled else None


def _by_mincore(fd: int, pages: int, page_bytes: int) -> tuple[tuple[int, int], ...] | None:
    """The same before Linux 6.5, which does not show what was allocated and not written."""
    found = []
    for first in range(0, pages, CHUNK_PAGES):
        present = _mincore(fd, first, min(CHUNK_PAGES, pages - first), page_bytes)
        # To those who may not ask, every page is said to be there.
        if present is None or present.all():
            return None
        found.append(np.flatnonzero(present) + first)
    place = np.concatenate([np.zeros(0, np.int64), *found])
    runs = runs_of(np.zeros_like(place), place)
    return tuple(zip(runs.first.tolist(), runs.count.tolist(), strict=True))


def _mincore(fd: int, first: int, count: int, page_bytes: int) -> npt.NDArray[np.bool_] | None:
    length = count * page_bytes
    size = os.fstat(fd).st_size - first * page_bytes
    with mmap.mmap(
        fd, min(length, size), mmap.MAP_SHARED, mmap.PROT_READ, offset=first * page_bytes
    ) as view:
        vector = np.zeros(count, np.uint8)
        touched = np.frombuffer(view, np.uint8)
        address = ctypes.c_void_p(touched.ctypes.data)
        where = vector.ctypes.data_as(ctypes.c_void_p)
        failed = _libc().mincore(address, ctypes.c_size_t(len(view)), where)
        del touched
    return None if failed else (vector & 1).astype(bool)


def _data_runs(fd: int, page_bytes: int) -> tuple[tuple[int, int], ...] | None:
    """Where the file has data, written or swapped out; None if that is too scattered."""
    found: list[tuple[int, int]] = []
    at = 0
    while len(found) < MAX_RUNS:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return tuple(found)
            raise
        at = os.lseek(fd, data, os.SEEK_HOLE)
        first, end = data // page_bytes, -(-at // page_bytes)
        found.append((first, end - first))
    return None

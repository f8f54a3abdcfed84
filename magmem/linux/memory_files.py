"""Files that live in memory: tmpfs, memfds, shared memory, mapped or not.

Such a file may hold pages that nobody maps. Its holes are asked for with ``lseek``, which reads
nothing and changes nothing. Sizes are bytes.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

__all__ = ["MAX_RUNS", "MemoryFile", "MemoryFiles", "device_name"]

MAX_RUNS = 1 << 16
"""Runs after which a file is given up as too scattered to list."""

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
    size_bytes, allocated_bytes : int
    runs : tuple of (first page, pages) or None
        The pages it holds, sorted and disjoint; None where it does not tell all of them.
    """

    size_bytes: int
    allocated_bytes: int
    runs: tuple[tuple[int, int], ...] | None


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
            allocated = status.st_blocks * 512
            runs = _present_runs(path, status, self._page_bytes)
            told = sum(count for _, count in runs or ()) * self._page_bytes
            whole = runs if told == allocated else None
            self.found[identity] = MemoryFile(status.st_size, allocated, whole)
        return identity


def _present_runs(
    path: str, status: os.stat_result, page_bytes: int
) -> tuple[tuple[int, int], ...] | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        same = os.fstat(fd)
        if (same.st_dev, same.st_ino) != (status.st_dev, status.st_ino):
            return None
        return _runs(fd, page_bytes)
    except OSError:
        return None
    finally:
        os.close(fd)


def _runs(fd: int, page_bytes: int) -> tuple[tuple[int, int], ...] | None:
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

"""Reading ``/proc``: whole files as bytes, by process, and what can go wrong.

A process may end at any moment and most of its files are for its owner alone, so every read ends
in bytes, `ProcessLookupError` or `FileNotFoundError` (it has gone), or `PermissionError`. A
process's folder is held open while it is read: its pid cannot become another process's meanwhile.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from magmem.errors import CaptureError

__all__ = ["GONE", "MAX_FILE_BYTES", "Proc", "ProcFolder", "natural", "numbers", "shown"]

GONE = (ProcessLookupError, FileNotFoundError, NotADirectoryError)
"""What reading raises when the process has ended."""

MAX_FILE_BYTES = 1 << 30
"""The longest file that is read; `smaps` of a million mappings is shorter."""

MAX_NUMBER = 1 << 22
"""No pid is higher on any Linux (PID_MAX_LIMIT), and no process may open more files."""

PIECE_BYTES = 1 << 20

LOOKED_AT = 8
"""Processes that are asked for the size of a page."""

_PAGE = re.compile(rb"^KernelPageSize: +(4|16|64) kB$", re.MULTILINE)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNTELLABLE = re.compile("[\ud800-\udfff]")


class Proc:
    """A mounted proc file system.

    Parameters
    ----------
    root : Path
        Where it is mounted, or a folder it was copied into.

    Attributes
    ----------
    place : str
        The root as text.
    is_live : bool
        Whether it is a mounted one, in which links lead to the files of processes that run.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.place = str(root)
        self.sys = Path("/sys") if root == Path("/proc") else root.parent / "sys"
        self.is_live = _is_proc(root / "self") or _is_proc(root)

    def read(self, name: str) -> bytes:
        """A file of the whole machine, such as ``meminfo``.

        Raises
        ------
        OSError
            It is not there or may not be read.
        CaptureError
            It is longer than any such file should be.
        """
        return _read_all(self.root / name, None, str(self.root / name))

    def read_sys(self, name: str) -> bytes:
        """A file of ``/sys`` beside it, such as ``block/zram0/mm_stat``.

        Raises
        ------
        OSError
            It is not there or may not be read.
        """
        return _read_all(self.sys / name, None, str(self.sys / name))

    def names_in_sys(self, folder: str) -> list[str]:
        """What a folder of ``/sys`` holds, sorted; nothing where it may not be looked into."""
        try:
            return sorted(os.listdir(self.sys / folder))  # noqa: PTH208 (names alone are wanted)
        except OSError:
            return []

    def open(self, name: str) -> int:
        """A file of the whole machine, to be closed by the caller."""
        return os.open(self.root / name, os.O_RDONLY | os.O_CLOEXEC)

    def pids(self) -> list[int]:
        """Every process that is listed now, by pid."""
        return numbers(os.listdir(self.root))  # noqa: PTH208 (half as long as scandir)

    def has_processes(self) -> bool:
        """Whether there is a process in it."""
        try:
            return bool(self.pids())
        except OSError:
            return False

    def page_bytes(self) -> int:
        """Bytes of a page of the machine; of a saved tree by the first mappings that tell."""
        if self.is_live:
            return os.sysconf("SC_PAGE_SIZE")
        for pid in self.pids()[:LOOKED_AT]:
            with suppress(OSError), self.process(pid) as folder:
                if sizes := _PAGE.findall(folder.read("smaps")):
                    return min(map(int, sizes)) * 1024
        return os.sysconf("SC_PAGE_SIZE")

    @contextmanager
    def process(self, pid: int) -> Iterator[ProcFolder]:
        """The folder of one process, held open.

        Raises
        ------
        OSError
            One of `GONE` when there is no such process (any more).
        """
        place = self.root / str(pid)
        fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield ProcFolder(fd, str(place), self.is_live)
        finally:
            os.close(fd)


class ProcFolder:
    """The open folder of a process; names are relative to it."""

    def __init__(self, fd: int, place: str, is_live: bool = True) -> None:
        self.fd = fd
        self.place = place
        self.is_live = is_live

    def read(self, name: str) -> bytes:
        """A whole file, such as ``stat``."""
        return _read_all(name, self.fd, f"{self.place}/{name}")

    def read_if_there(self, name: str) -> bytes | None:
        """A file that not every kernel has; None where it is missing.

        Raises
        ------
        OSError
            The process has gone, or the file may not be read.
        """
        try:
            return self.read(name)
        except FileNotFoundError:
            if self.is_live:
                os.stat("stat", dir_fd=self.fd)  # raises when it is the process that is missing
            return None

    @contextmanager
    def task(self, tid: int) -> Iterator[ProcFolder]:
        """The folder of one thread, which has most of what the process's own has."""
        fd = self.open(f"task/{tid}", os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield ProcFolder(fd, f"{self.place}/task/{tid}", self.is_live)
        finally:
            os.close(fd)

    def numbers(self, name: str) -> list[int]:
        """The numbers that are names in a folder below, such as ``task`` or ``fd``."""
        fd = self.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return numbers(os.listdir(fd))  # noqa: PTH208 (a path cannot name a descriptor)
        finally:
            os.close(fd)

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """A file descriptor, to be closed by the caller."""
        return os.open(name, flags | os.O_CLOEXEC, dir_fd=self.fd)

    def link(self, name: str) -> str:
        """Where a symbolic link leads."""
        return os.readlink(name, dir_fd=self.fd)

    def mode_of_link(self, name: str) -> int:
        """The permission bits of a symbolic link itself."""
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mode


def _is_proc(root: Path) -> bool:
    """Whether a file system of type proc is mounted there, or above."""
    try:
        device = root.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return False
    name = f"{os.major(device)}:{os.minor(device)}".encode()
    lines = (line.partition(b" - ") for line in mounts.splitlines())
    return any(head.split()[2] == name and tail[:5] == b"proc " for head, _, tail in lines)


def numbers(names: Iterable[str]) -> list[int]:
    """Names that are numbers a pid or a file descriptor can be, sorted."""
    found = (int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 11)
    return sorted(number for number in found if number <= MAX_NUMBER)


def _read_all(path: str | Path, dir_fd: int | None, source: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    pieces = []
    left = MAX_FILE_BYTES
    try:
        while piece := os.read(fd, PIECE_BYTES):
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                raise CaptureError(source, "", f"at most {MAX_FILE_BYTES} bytes", "more")
    finally:
        os.close(fd)
    return b"".join(pieces)


def natural(text: bytes, source: str, place: str, base: int = 10, below: int = 1 << 63) -> int:
    """A number of 0 or more in a file of ``/proc``.

    Raises
    ------
    CaptureError
        Not digits of that base, or `below` or more.
    """
    try:
        value = int(text, base) if len(text) <= 40 and b"_" not in text else -1
    except ValueError:
        value = -1
    if not 0 <= value < below:
        raise CaptureError(source, place, f"a number of 0 … {below - 1}", shown(text))
    return value


def shown(raw: bytes | str, longest: int = 0) -> str:
    """Bytes of the system as text: control characters and what is not UTF-8 as escapes.

    Parameters
    ----------
    raw : bytes or str
        As read, or as Python decodes file names.
    longest : int
        Cut to so many bytes of UTF-8, with ``…`` for what is left out; 0: leave it whole.
    """
    if isinstance(raw, str):
        raw = os.fsencode(raw) if _UNTELLABLE.search(raw) else raw.encode()
    text = raw.decode("utf-8", "backslashreplace")
    if not text.isprintable():
        text = _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)
    if longest and len(text.encode()) > longest:
        text = text.encode()[: longest - 3].decode("utf-8", "ignore") + "…"
    return text

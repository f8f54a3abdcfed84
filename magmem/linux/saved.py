"""Saved proc file systems: a folder, or a tar ball (plain, gzip, bzip2, xz), as a capture.

``cp -r /proc``, what smemcap keeps, the ``proc`` of a sosreport: any choice of files at any depth.
They are read by the same code as the running system. Of a tar ball the files that are wanted are
laid out in a scratch folder first, one after another, so that memory does not grow with the number
of processes; links in it lead nowhere and are left out.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from magmem.errors import CaptureError

if TYPE_CHECKING:
    from magmem.snapshot import Snapshot

__all__ = ["is_saved_tree", "read_saved_tree"]

MAX_DEPTH = 6
"""So deep below a folder the proc file system is looked for."""

MACHINE = (
    "meminfo", "zoneinfo", "slabinfo", "vmstat", "sysvipc/shm", "net/sockstat", "kpagecount",
    "kpageflags", "version",
)  # fmt: skip
PROCESS = (
    "stat", "status", "comm", "cmdline", "cgroup", "smaps", "smaps_rollup", "maps", "pagemap",
    "mountinfo",
)  # fmt: skip

_WANTED = re.compile(
    rf"(?:\d{{1,7}}/(?:{'|'.join(PROCESS)}|fdinfo/\d+|task/\d+/(?:{'|'.join(PROCESS)}))"
    rf"|{'|'.join(MACHINE)})"
)
_OF_SYS = re.compile(r"(?:.*/)?(sys/(?:fs/cgroup|kernel/mm/hugepages)/.*)")


def is_saved_tree(path: Path) -> bool:
    """Whether a path may be one: a folder, or a tar ball."""
    try:
        if path.is_dir():
            return True
        if not path.is_file():
            return False
        with tarfile.open(path, "r:*") as tar:
            return tar.next() is not None  # a file that begins with a block of 0 is no tar ball
    except (OSError, ValueError, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError):
        return False


def read_saved_tree(path: Path, progress: Callable[[int, int], object] | None = None) -> Snapshot:
    """The machine that a saved tree is of.

    Parameters
    ----------
    path : Path
        A folder or a tar ball.
    progress : callable, optional
        Called with processes read and processes in all.

    Raises
    ------
    CaptureError
        There is no process in it, or the tar ball is damaged.
    OSError
        It cannot be read.
    """
    if path.is_dir():
        return _of_folder(path, path, progress)
    with TemporaryDirectory(prefix="magmem-") as scratch:
        try:
            _lay_out(path, Path(scratch))
        except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise CaptureError(str(path), "", "a whole tar ball", str(error)) from error
        return _of_folder(Path(scratch), path, progress)


def _of_folder(
    folder: Path, named: Path, progress: Callable[[int, int], object] | None
) -> Snapshot:
    from magmem.linux.capture import capture_linux

    root = _proc_in(folder)
    if root is None:
        expected = "a proc file system: folders of processes (NUMBER/smaps, NUMBER/stat …)"
        kind = "directory" if named.is_dir() else "tar ball"
        raise CaptureError(str(named), "", expected, f"a {kind} without one")
    snap = capture_linux(proc=root, progress=progress)
    return snap.renamed(named.name)


def _proc_in(folder: Path) -> Path | None:
    """The shallowest folder that holds folders of processes."""
    level = [folder]
    for _ in range(MAX_DEPTH):
        below: list[Path] = []
        for place in level:
            try:
                inside = sorted(entry.path for entry in os.scandir(place) if entry.is_dir())
            except OSError:
                continue
            folders = [Path(entry) for entry in inside]
            if any(each.name.isdigit() and _is_process(each) for each in folders):
                return place
            below += [each for each in folders if not each.is_symlink()]
        level = below
    return None


def _is_process(folder: Path) -> bool:
    return any((folder / name).is_file() for name in PROCESS)


def _lay_out(path: Path, into: Path) -> None:
    """The files that are wanted, each under its own name below `into`, whatever was before it."""
    with tarfile.open(path, "r:*") as tar:
        for member in tar:
            if not member.isfile():
                continue
            name = member.name.lstrip("./")
            parts = name.split("/")
            # The longest end of the name that is a file of /proc: PID/task/TID/stat, not TID/stat.
            ends = ("/".join(parts[at:]) for at in range(len(parts)))
            inner = next((end for end in ends if _WANTED.fullmatch(end)), None)
            target = into / "proc" / inner if inner else None
            if target is None and (found := _OF_SYS.fullmatch(name)) and ".." not in parts:
                target = into / found[1]
            if target is None:
                continue
            source = tar.extractfile(member)
            if source is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)

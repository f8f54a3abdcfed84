"""The file descriptors of a process as handles.

A descriptor of a file, of shared memory or of a memfd is a handle to a VMO, found by device and
inode. The disk is never asked: a file's inode comes from ``fdinfo`` and its device from the table
of mounts, because `stat` on a dead network mount would wait for ever. Only memory file systems,
which always answer, are asked for more (`magmem.linux.memory_files`).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from magmem.linux.memory_files import MemoryFiles, device_name
from magmem.linux.procfs import GONE, ProcFolder, shown
from magmem.linux.vmos import IN_MEMORY

__all__ = ["Descriptor", "Mounts", "is_in_memory", "parse_mounts", "read_descriptors"]

MEMORY_SYSTEMS = {"tmpfs", "ramfs", "hugetlbfs"}
NO_FILES = {"proc", "sysfs", "devpts", "devtmpfs", "cgroup", "cgroup2", "debugfs", "tracefs", "bpf"}
"""File systems whose files are no memory: devices and windows into the kernel."""

DUPLICATE, TRANSFER, READ, WRITE, MAP = 1, 2, 4, 8, 32

TYPES = {
    "pipe": "fifo",
    "anon_inode:[eventfd]": "event",
    "anon_inode:[eventpoll]": "port",
    "anon_inode:[timerfd]": "timer",
    "anon_inode:[pidfd]": "process",
}
"""What a link names, and the kind of handle that comes nearest."""

_FIELD = re.compile(rb"^(flags|mnt_id|ino|scm_fds|size):\s+(\d{1,19})$", re.MULTILINE)
_ANONYMOUS = re.compile(r"(\w+):\[\d+\]$|(anon_inode:.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One file descriptor.

    Attributes
    ----------
    number : as the process knows it.
    type : ``vmo`` for files and shared memory, else the kind of object.
    rights : mask of the handles table: duplicate and transfer always, read, write and map as
        it was opened.
    name : path as the kernel tells it, for files.
    device, inode : identity of the file, as in `Mappings`, where the type is vmo.
    in_flight : descriptors that lie in this socket, sent and not yet taken out.
    buffer_bytes : of a DMA buffer: its size.
    """

    number: int
    type: str
    rights: int
    name: str = ""
    device: str = ""
    inode: int = 0
    in_flight: int = 0
    buffer_bytes: int = 0


Mounts = Mapping[int, tuple[str, str]]
"""Mount id to device (``MAJOR:MINOR`` in hex, as in ``maps``) and type of file system."""


def parse_mounts(data: bytes) -> Mounts:
    """Read ``/proc/PID/mountinfo``; lines that are no mount are passed over."""
    mounts: dict[int, tuple[str, str]] = {}
    for line in data.splitlines():
        head, _, tail = line.partition(b" - ")
        fields, kind = head.split(), tail.split()
        device = re.fullmatch(rb"(\d{1,9}):(\d{1,9})", fields[2]) if len(fields) > 2 else None
        if device and kind and fields[0].isdigit() and len(fields[0]) < 19:
            name = device_name(int(device[1]), int(device[2]))
            mounts[int(fields[0])] = (name, shown(kind[0]))
    return mounts


def is_in_memory(name: str, device: str, mounts: Mounts) -> bool:
    """Whether a mapped file lives in memory: on a memory file system, or the kernel's own."""
    return bool(IN_MEMORY.match(name)) or (device, "tmpfs") in mounts.values()


def read_descriptors(
    folder: ProcFolder, mounts: Mounts, memory: MemoryFiles | None
) -> list[Descriptor]:
    """Every file descriptor of a process, by number; those closed meanwhile are left out.

    Parameters
    ----------
    memory : MemoryFiles or None
        Asks files in memory; None for a tree that was saved, whose links lead nowhere.

    Raises
    ------
    PermissionError
        They may not be read.
    """
    found = []
    for number in folder.numbers("fd"):
        try:
            found.append(_read_one(folder, number, mounts, memory))
        except GONE:
            continue
    return found


def _read_one(
    folder: ProcFolder, number: int, mounts: Mounts, memory: MemoryFiles | None
) -> Descriptor:
    name = f"fd/{number}"
    target = folder.link(name)
    mode = folder.mode_of_link(name)
    rights = DUPLICATE | TRANSFER
    rights |= READ | MAP if mode & stat.S_IRUSR else 0
    rights |= WRITE if mode & stat.S_IWUSR else 0
    if anonymous := _ANONYMOUS.match(target):
        kind = shown(anonymous[1] or anonymous[2], 31)
        in_flight = 0
        if kind == "socket":
            told = dict(_FIELD.findall(folder.read_if_there(f"fdinfo/{number}") or b""))
            in_flight = int(told.get(b"scm_fds", b"0"))
        return Descriptor(number, TYPES.get(kind, kind), rights, in_flight=in_flight)
    told = dict(_FIELD.findall(folder.read_if_there(f"fdinfo/{number}") or b""))
    device, system = mounts.get(int(told.get(b"mnt_id", b"-1")), ("", ""))
    in_memory = system in MEMORY_SYSTEMS or (not device and IN_MEMORY.match(target))
    if memory is not None and in_memory:
        identity = memory.see(f"{folder.place}/{name}")
        if identity:
            return Descriptor(number, "vmo", rights, shown(target), *identity)
        return Descriptor(number, "file", rights)
    inode = int(told.get(b"ino", b"0"))
    if target.startswith("/dmabuf:"):
        size = int(told.get(b"size", b"0"))
        return Descriptor(number, "dmabuf", rights, shown(target), "", inode, 0, size)
    flags = told.get(b"flags", b"0")
    is_folder = flags.strip(b"01234567") == b"" and int(flags, 8) & os.O_DIRECTORY
    if is_folder or not device or not inode or inode >= 1 << 64 or system in NO_FILES:
        return Descriptor(number, "directory" if is_folder else "file", rights)
    return Descriptor(number, "vmo", rights, shown(target), device, inode)

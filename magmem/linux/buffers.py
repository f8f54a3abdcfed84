"""What lies in pipes and sockets, waiting to be read.

No counter of the kernel has it: pipes have none at all, and ``/proc/net/sockstat`` counts TCP and
UDP alone. A pipe is asked (``FIONREAD``) through a copy of a process's descriptor, which takes the
right to trace it; sockets of this network namespace are listed by the kernel (``sock_diag``).
Nothing is read out of them. Sizes are bytes.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress

from magmem.linux.descriptors import Descriptor
from magmem.linux.procfs import ProcFolder

__all__ = ["Pipes", "parse_sockstat", "unix_queued_bytes"]

PIDFD_GETFD = 438  # the number of the system call on every architecture
FIONREAD = 0x541B
PAGE = 4096

SOCK_DIAG, BY_FAMILY, DUMP, REQUEST, DONE, ERROR = 4, 20, 0x300, 1, 3, 2
SHOW_QUEUE, QUEUE = 0x10, 4

_MEM = re.compile(rb"^(?:TCP|UDP|UDPLITE):.* mem (\d+)", re.MULTILINE)
_FRAGMENTS = re.compile(rb"^FRAG6?:.* memory (\d+)", re.MULTILINE)


class Pipes:
    """The pipes met so far, each asked once.

    Attributes
    ----------
    held_bytes : int
        Whole pages of what waits in them.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self.held_bytes = 0

    def see(self, folder: ProcFolder, pid: int, descriptors: Sequence[Descriptor]) -> None:
        """Ask the pipes among the descriptors of a process."""
        pipes = [one for one in descriptors if one.type == "fifo"]
        if not pipes or not hasattr(os, "pidfd_open"):
            return
        with suppress(OSError):
            process = os.pidfd_open(pid)
            try:
                for one in pipes:
                    self._ask(folder, process, one.number)
            finally:
                os.close(process)

    def _ask(self, folder: ProcFolder, process: int, number: int) -> None:
        name = folder.link(f"fd/{number}")
        if name in self._seen or not name.startswith("pipe:["):
            return
        self._seen.add(name)
        libc = ctypes.CDLL(None, use_errno=True)
        copy = int(libc.syscall(PIDFD_GETFD, process, number, 0))
        if copy < 0:
            return
        try:
            # Between our two looks the number may have become another file.
            if os.readlink(f"/proc/self/fd/{copy}") == name:  # noqa: PTH115 (text is compared)
                waiting = ctypes.c_int()
                if not libc.ioctl(copy, FIONREAD, ctypes.byref(waiting)):
                    self.held_bytes += -(-waiting.value // PAGE) * PAGE
        finally:
            os.close(copy)


def parse_sockstat(data: bytes, page_bytes: int) -> int:
    """Bytes of TCP, UDP and fragments by ``/proc/net/sockstat``."""
    pages = sum(int(count) for count in _MEM.findall(data))
    return pages * page_bytes + sum(int(size) for size in _FRAGMENTS.findall(data))


def unix_queued_bytes() -> int:
    """What lies unread in Unix sockets of this network namespace; 0 where that is not told."""
    if not sys.platform.startswith("linux"):
        return 0
    # struct nlmsghdr, then struct unix_diag_req: family, protocol, pad, states, inode, show, cookie
    body = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, SHOW_QUEUE, 0, 0)
    head = struct.pack("=IHHII", 16 + len(body), BY_FAMILY, DUMP | REQUEST, 1, 0)
    total = 0
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
            kernel.settimeout(2)
            kernel.send(head + body)
            while True:
                data = kernel.recv(1 << 18)
                more, size = _queues(data)
                total += size
                if not more:
                    return total
    except OSError:
        return total


def _queues(data: bytes) -> tuple[bool, int]:
    """Whether more is to come, and the bytes queued in the sockets that one answer lists."""
    total = at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind in (DONE, ERROR) or length < 16:
            return False, total
        is_listening = data[at + 18] == 10
        place = at + 32
        while place + 4 <= at + length:
            size, attribute = struct.unpack_from("=HH", data, place)
            if attribute == QUEUE and not is_listening:
                total += int(struct.unpack_from("=I", data, place + 4)[0])
            place += max(4, (size + 3) & ~3)
        at += (length + 3) & ~3
    return True, total

"""What ``/proc/PID/stat`` says of a process, and ``status`` in a saved tree that lacks it."""

from __future__ import annotations

import re

from magmem.linux.process import STATES, Stat, parse_stat
from magmem.linux.procfs import ProcFolder, shown

__all__ = ["stat_of"]

_LINE = re.compile(rb"^(\w+):[ \t]*(.*)$", re.MULTILINE)


def stat_of(folder: ProcFolder, pid: int) -> Stat:
    """The facts of a process.

    A saved tree may have any choice of files: what ``stat`` would tell is then taken from
    ``status``, ``comm`` or the first word of ``cmdline``.

    Raises
    ------
    CaptureError
        ``stat`` cannot be understood.
    OSError
        The process has gone, or may not be read.
    """
    if folder.is_live:
        return parse_stat(folder.read("stat"), f"{folder.place}/stat")
    data = folder.read_if_there("stat")
    if data:
        return parse_stat(data, f"{folder.place}/stat")
    told = dict(_LINE.findall(folder.read_if_there("status") or b""))
    name = told.get(b"Name") or (folder.read_if_there("comm") or b"").strip()
    if not name:
        command = (folder.read_if_there("cmdline") or b"").partition(b"\0")[0]
        name = command.rpartition(b"/")[2][:15] or b"pid %d" % pid

    def number(key: bytes) -> int:
        digits = told.get(key, b"").split()
        return int(digits[0]) if digits and digits[0].isdigit() and len(digits[0]) < 16 else 0

    is_kernel = number(b"Kthread") == 1 or pid == 2 or number(b"PPid") == 2
    return Stat(
        shown(name, 31),
        STATES.get(shown(told.get(b"State", b"?")[:1]), "unknown"),
        number(b"PPid"),
        is_kernel,
        0,
        number(b"VmSize") * 1024,
        number(b"VmRSS") * 1024 // 4096,
        max(1, number(b"Threads")),
    )

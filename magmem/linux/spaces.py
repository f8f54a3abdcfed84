"""Processes that run in one address space (``vfork``, ``clone`` with CLONE_VM).

Both show the same mappings and the same figures; counted twice they would be twice the memory. The
kernel is asked (``kcmp``) whether parent and child have one memory, where their sizes agree.
"""

from __future__ import annotations

import ctypes
import os
import platform

from magmem.linux.records import ProcessRecord

__all__ = ["Spaces"]

KCMP = {"x86_64": 312, "aarch64": 272, "riscv64": 272, "ppc64le": 354, "s390x": 343}
"""The number of the system call; of other machines none is known here."""

KCMP_VM = 1


class Spaces:
    """The processes met so far that have memory."""

    def __init__(self) -> None:
        self._met: dict[int, ProcessRecord] = {}
        self._children: dict[int, list[ProcessRecord]] = {}
        self._number = KCMP.get(platform.machine())

    def same_as(self, record: ProcessRecord) -> int | None:
        """A process met before that runs in the same address space, if there is one."""
        parent = self._met.get(record.stat.parent_pid)
        near = [*([parent] if parent else []), *self._children.get(record.pid, ())]
        self._met[record.pid] = record
        self._children.setdefault(record.stat.parent_pid, []).append(record)
        for other in near:
            alike = other.stat.virtual_bytes == record.stat.virtual_bytes
            if alike and self._is_one(record.pid, other.pid):
                first: int | None = other.same_space_as
                return int(other.pid if first is None else first)
        return None

    def _is_one(self, first: int, second: int) -> bool:
        if self._number is None or os.name != "posix":
            return False
        libc = ctypes.CDLL(None, use_errno=True)
        return int(libc.syscall(self._number, first, second, KCMP_VM, 0, 0)) == 0

"""What ``/proc/PID/stat``, ``cgroup`` and ``smaps_rollup`` say of a process or thread.

Sizes are bytes. The name of a process is whatever it likes, with parentheses and newlines; the
fields after it are found from the last parenthesis.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from magmem.errors import CaptureError
from magmem.linux.procfs import natural, shown

__all__ = ["PssSums", "Stat", "parse_cgroup", "parse_rollup", "parse_stat"]

KERNEL_THREAD = 0x00200000  # PF_KTHREAD in the flags field

STATES = {
    "R": "running",
    "S": "blocked",
    "D": "blocked",
    "I": "blocked",
    "T": "suspended",
    "t": "suspended",
    "Z": "dead",
    "X": "dead",
    "x": "dead",
}
"""State letters of ``stat`` as thread states of the tasks table."""


@dataclass(frozen=True, slots=True)
class Stat:
    """One line of ``/proc/PID/stat``.

    Attributes
    ----------
    name : as the process gave it, at most 15 bytes; control characters escaped.
    state : as in `STATES`; ``unknown`` for letters of later kernels.
    parent_pid : 0 for the first process and for the kernel's first thread.
    is_kernel : whether it is a thread of the kernel.
    start : clock ticks after boot.
    virtual_bytes : size of the address space.
    resident_pages : pages, counted roughly by the kernel.
    threads : how many there are, those that have ended but for their leader's place not among them.
    """

    name: str
    state: str
    parent_pid: int
    is_kernel: bool
    start: int
    virtual_bytes: int
    resident_pages: int
    threads: int = 1


def parse_stat(data: bytes, source: str) -> Stat:
    """Read ``/proc/PID/stat`` or ``/proc/PID/task/TID/stat``.

    Raises
    ------
    CaptureError
        Fewer fields than every kernel since 2.6 writes, or not numbers.
    """
    head, closed, tail = data.rpartition(b")")
    _, opened, name = head.partition(b"(")
    fields = tail.split()
    if not (closed and opened) or len(fields) < 22:
        raise CaptureError(source, "", "PID (NAME) STATE and 21 more fields", shown(data, 80))
    return Stat(
        shown(name, 31),
        STATES.get(shown(fields[0]), "unknown"),
        natural(fields[1], source, "field 4"),
        bool(natural(fields[6], source, "field 9") & KERNEL_THREAD),
        natural(fields[19], source, "field 22"),
        natural(fields[20], source, "field 23"),
        natural(fields[21], source, "field 24", below=1 << 51),
        natural(fields[17], source, "field 20", below=1 << 31),
    )


def parse_cgroup(data: bytes, source: str) -> str:
    """The control group whose memory limit a process is under, as an absolute path.

    That is the hierarchy of the memory controller (version 1), else the unified one (version 2),
    else the first listed; ``/`` where there are no control groups.

    Raises
    ------
    CaptureError
        A line that is not NUMBER:CONTROLLERS:PATH.
    """
    paths: dict[str, str] = {}
    for number, line in enumerate(data.splitlines(), 1):
        parts = line.split(b":", 2)
        if len(parts) != 3 or not parts[2].startswith(b"/"):
            found = shown(line, 80)
            raise CaptureError(source, f"line {number}", "NUMBER:CONTROLLERS:/PATH", found)
        kind = "memory" if b"memory" in parts[1].split(b",") else shown(parts[1])
        paths.setdefault(kind, shown(parts[2]))
    return paths.get("memory", paths.get("", next(iter(paths.values()), "/")))


@dataclass(frozen=True, slots=True)
class PssSums:
    """The kernel's own sums over the mappings of a process, bytes; None where it does not say.

    Huge pages of the reserved pool stand apart, as they do there (`magmem.linux.huge`).
    """

    rss_bytes: int | None
    pss_bytes: int | None
    private_bytes: int | None
    shared_bytes: int | None
    swap_bytes: int | None = None
    private_huge_bytes: int | None = None
    shared_huge_bytes: int | None = None
    swap_pss_bytes: int | None = None


_KB = re.compile(rb"^(\w+): +(\d{1,17}) kB$", re.MULTILINE)


def parse_rollup(data: bytes, source: str) -> PssSums:
    """Read ``/proc/PID/smaps_rollup``.

    Raises
    ------
    CaptureError
        There is no line of the kind ``Pss: NUMBER kB``.
    """
    sizes = {name: int(kb) * 1024 for name, kb in _KB.findall(data)}
    if b"Rss" not in sizes or b"Pss" not in sizes:
        raise CaptureError(source, "", "lines Rss: and Pss: in kB", shown(data, 80))

    def total(*names: bytes) -> int | None:
        return sum(sizes[name] for name in names) if sizes.keys() >= set(names) else None

    return PssSums(
        sizes[b"Rss"],
        sizes[b"Pss"],
        total(b"Private_Clean", b"Private_Dirty"),
        total(b"Shared_Clean", b"Shared_Dirty"),
        total(b"Swap"),
        total(b"Private_Hugetlb"),
        total(b"Shared_Hugetlb"),
        total(b"SwapPss"),
    )

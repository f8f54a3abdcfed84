"""Reading what the whole machine tells, each file by itself: one that is missing costs a note."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from magmem.errors import CaptureError
from magmem.linux.buffers import parse_sockstat, unix_queued_bytes
from magmem.linux.descriptors import parse_mounts
from magmem.linux.kmem import HugePool, Machine, MemoryMount
from magmem.linux.machine import (
    parse_counters,
    parse_meminfo,
    parse_slabinfo,
    parse_sysvipc,
    parse_zoneinfo,
)
from magmem.linux.pagemap import FrameCounts
from magmem.linux.procfs import Proc

__all__ = ["frame_counts", "read_machine"]

ALL_FILES = ("meminfo", "slabinfo", "zoneinfo", "vmstat", "sysvipc/shm", "net/sockstat")
"""The files of the whole machine that are read."""

Remarks = list[tuple[str, str]]
_T = TypeVar("_T")


@contextmanager
def frame_counts(proc: Proc) -> Iterator[FrameCounts]:
    """How often page frames are mapped; the files are open until the end."""
    files: list[int | None] = []
    try:
        for name in ("kpagecount", "kpageflags"):
            files.append(None)
            with suppress(OSError):
                files[-1] = proc.open(name)
        yield FrameCounts(files[0], files[1])
    finally:
        for file in files:
            if file is not None:
                os.close(file)


def read_machine(
    proc: Proc, page_bytes: int, remarks: Remarks, files: Collection[str] = ALL_FILES
) -> Machine:
    """The files of the whole machine.

    Parameters
    ----------
    remarks : list of (str, str)
        Gets place and sentence for what is missing or reads oddly.
    files : collection of str
        Those of `ALL_FILES` to read; what the others tell is missing then.
    """

    def read(name: str, parse: Callable[[bytes, str], _T], missing: _T, why: str = "") -> _T:
        if name not in files:
            return missing
        try:
            return parse(proc.read(name), f"{proc.place}/{name}")
        except CaptureError as error:
            remarks.append((name, str(error)))
        except OSError as error:
            if why:
                remarks.append((name, why.format(error.strerror)))
        return missing

    odd: list[str] = []
    nothing: Mapping[str, int] = {}
    meminfo = read(
        "meminfo",
        lambda data, source: parse_meminfo(data, source, odd),
        nothing,
        "meminfo could not be read ({}): of the machine's memory only its processes' is known",
    )
    remarks += [("meminfo", message) for message in odd]
    odd = []
    slabs = read(
        "slabinfo",
        lambda data, source: parse_slabinfo(data, source, odd),
        None,
        "only root may read slabinfo: how much of the kernel's heap is free is not known",
    )
    remarks += [("slabinfo", message) for message in odd]
    is_live = proc.is_live
    sockets = read("net/sockstat", lambda data, _: parse_sockstat(data, page_bytes), 0)
    sockets += unix_queued_bytes() if is_live and "net/sockstat" in files else 0
    return Machine(
        meminfo,
        read("zoneinfo", parse_zoneinfo, ()),
        slabs,
        page_bytes,
        vmstat=read("vmstat", lambda data, _: parse_counters(data), {}),
        segments=read("sysvipc/shm", parse_sysvipc, ()),
        mounts=_memory_mounts(proc) if is_live and "sysvipc/shm" in files else (),
        huge_pools=_huge_pools(proc, meminfo),
        socket_bytes=-(-sockets // page_bytes) * page_bytes,
    )


def _memory_mounts(proc: Proc) -> tuple[MemoryMount, ...]:
    """What the mounted file systems in memory hold, each once; those behind others are missed."""
    found: dict[str, MemoryMount] = {}
    for line in _lines(proc, "self/mountinfo"):
        head, _, tail = line.partition(b" - ")
        fields, kind = head.split(), tail.split()
        if len(fields) < 5 or kind[:1] not in ([b"tmpfs"], [b"devtmpfs"]):
            continue
        ((device, _),) = parse_mounts(line).values() or (("", ""),)
        path = os.fsdecode(fields[4]).encode().decode("unicode_escape", "replace")
        with suppress(OSError):
            status = os.stat(path)  # noqa: PTH116 (a mount point of memory, which answers)
            here = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
            told = os.statvfs(path)
            used = (told.f_blocks - told.f_bfree) * told.f_frsize
            if here == device and device not in found:
                found[device] = MemoryMount(device, path, used)
    return tuple(found.values())


def _lines(proc: Proc, name: str) -> Sequence[bytes]:
    try:
        return proc.read(name).splitlines()
    except OSError:
        return ()


def _huge_pools(proc: Proc, meminfo: Mapping[str, int]) -> tuple[HugePool, ...]:
    """The reserved pools of huge pages, one of each size."""
    pools = []
    for name in proc.names_in_sys("kernel/mm/hugepages"):
        size = name.removeprefix("hugepages-").removesuffix("kB")
        counts = []
        for count in ("nr", "free"):
            with suppress(OSError, ValueError):
                counts.append(int(proc.read_sys(f"kernel/mm/hugepages/{name}/{count}_hugepages")))
        if size.isdigit() and len(counts) == 2:
            pools.append(HugePool(int(size) * 1024, counts[0], counts[1]))
    if not pools and meminfo.get("HugePages_Total"):
        size_bytes = meminfo.get("Hugepagesize", 0)
        free = meminfo.get("HugePages_Free", 0)
        pools.append(HugePool(size_bytes, meminfo["HugePages_Total"], free))
    return tuple(pools)

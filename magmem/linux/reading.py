"""Reading the running system, as quickly as it can be, before anything is made of it.

One pass over the processes; each is read whole before the next, so that what belongs together is
of one moment. Whatever ends, is closed to us or reads oddly is left out and counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from magmem.errors import CaptureError
from magmem.linux.descriptors import (
    Descriptor,
    Mounts,
    is_in_memory,
    parse_mounts,
    read_descriptors,
)
from magmem.linux.entries import Entries
from magmem.linux.kmem import Machine
from magmem.linux.machine import Slabs, Zone, parse_meminfo, parse_slabinfo, parse_zoneinfo
from magmem.linux.memory_files import MemoryFiles
from magmem.linux.pagemap import FrameCounts, read_installed, zero_frames
from magmem.linux.process import PssSums, Stat, parse_cgroup, parse_rollup, parse_stat
from magmem.linux.procfs import GONE, Proc, ProcFolder
from magmem.linux.smaps import Mappings, parse_smaps

__all__ = ["ProcessRecord", "Reading", "read_system"]


@dataclass(slots=True)
class ProcessRecord:
    """What was read of one process; None for what may not be read.

    Attributes
    ----------
    first_mapping : int
        Number of its first mapping among those of all processes.
    same_space_as : int or None
        A process in whose address space it runs; it has no mappings of its own then.
    """

    pid: int
    stat: Stat
    cgroup: str = "/"
    sums: PssSums | None = None
    mappings: Mappings | None = None
    descriptors: list[Descriptor] | None = None
    threads: list[tuple[int, Stat]] = field(default_factory=list)
    first_mapping: int = 0
    same_space_as: int | None = None

    @property
    def has_memory(self) -> bool:
        """Whether it has an address space: it is no thread of the kernel and has not exited."""
        return not self.stat.is_kernel and self.stat.state != "dead"


@dataclass(slots=True)
class Reading:
    """Everything read.

    Attributes
    ----------
    entries : Entries or None
        None where page frames are not known.
    no_frames : str
        Why not, as a sentence; empty if they are, or were not asked for.
    gone, closed, no_descriptors : list of int
        Pids that ended while they were read, pids that may not be read, and pids whose memory
        may be read but not their descriptors.
    odd : list of (str, str)
        What could not be understood: where, and the error.
    page_bytes : int
        Bytes of a page of the machine.
    """

    page_bytes: int
    is_subset: bool
    with_mappings: bool
    machine: Machine
    records: list[ProcessRecord] = field(default_factory=list)
    memory: MemoryFiles = field(init=False)
    entries: Entries | None = None
    no_frames: str = ""
    no_slabs: str = ""
    gone: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    no_descriptors: list[int] = field(default_factory=list)
    odd: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.memory = MemoryFiles(self.page_bytes)


def read_system(
    proc: Proc,
    detail: str,
    pids: set[int] | None,
    page_bytes: int,
    progress: Callable[[int, int], object] | None,
) -> Reading:
    """Read processes, then the machine.

    Parameters
    ----------
    proc : Proc
    detail : str
        As in `magmem.capture_linux`.
    pids : set of int or None
        Only these.
    page_bytes : int
        Bytes of a page of the machine.
    progress : callable or None
        Called with processes read and processes in all.

    Raises
    ------
    CaptureError
        ``meminfo`` cannot be understood.
    OSError
        ``meminfo`` cannot be read.
    """
    reading = Reading(page_bytes, pids is not None, detail != "processes", Machine({}, (), None, 0))
    if detail in ("auto", "pages"):
        reading.entries = Entries()
    reader = _Reader(proc, reading)
    listed = [pid for pid in proc.pids() if pids is None or pid in pids]
    if pids is not None:
        reading.gone += sorted(pids.difference(listed))
    for done, pid in enumerate(listed, 1):
        reader.take(pid)
        if progress is not None:
            progress(done, len(listed))
    if reading.entries is not None:
        with ExitStack() as stack:
            files: list[int | None] = []
            for name in ("kpagecount", "kpageflags"):
                files.append(None)
                with suppress(OSError):
                    file = stack.enter_context((proc.root / name).open("rb", buffering=0))
                    files[-1] = file.fileno()
            zeros = zero_frames(proc.root / "self" / "pagemap")
            reading.entries.settle(FrameCounts(*files), zeros)
    _read_machine(proc, reading)
    return reading


class _Reader:
    """Takes one process after another into a `Reading`."""

    def __init__(self, proc: Proc, reading: Reading) -> None:
        self.proc = proc
        self.reading = reading
        self.mappings = 0
        self.mounts: dict[str, Mounts] = {}
        self.asked: set[tuple[str, int]] = set()

    def take(self, pid: int) -> None:
        """Read a process; count it where that cannot be done."""
        place = f"{self.proc.root}/{pid}"
        try:
            with self.proc.process(pid) as folder:
                record = ProcessRecord(pid, parse_stat(folder.read("stat"), f"{place}/stat"))
                try:
                    self._read(folder, record)
                except GONE:
                    raise
                except (CaptureError, OSError) as error:
                    if isinstance(error, PermissionError) and record.sums is None:
                        self.reading.closed.append(pid)
                    else:
                        self.reading.odd.append((place, str(error)))
        except GONE:
            self.reading.gone.append(pid)
        except (CaptureError, OSError) as error:
            self.reading.odd.append((place, str(error)))
        else:
            self.reading.records.append(record)

    def _read(self, folder: ProcFolder, record: ProcessRecord) -> None:
        cgroup = folder.read_if_there("cgroup")
        if cgroup is not None:
            record.cgroup = parse_cgroup(cgroup, f"{folder.place}/cgroup")
        if self.reading.with_mappings:
            self._read_threads(folder, record)
        if record.has_memory:
            self._read_memory(folder, record)

    def _read_memory(self, folder: ProcFolder, record: ProcessRecord) -> None:
        if not self.reading.with_mappings:
            rollup = folder.read_if_there("smaps_rollup")
            if rollup is not None:
                source = f"{folder.place}/smaps_rollup"
                record.sums = parse_rollup(rollup, source) if rollup else None
                return
        data = folder.read_if_there("smaps")
        if data is None:
            data = folder.read("maps")
        mappings = parse_smaps(data, f"{folder.place}/smaps")
        record.sums = mappings.sums
        if not self.reading.with_mappings:
            return
        record.first_mapping = self.mappings
        if self.reading.entries is not None:
            self._read_frames(folder, record, mappings)
        if record.same_space_as is None:
            record.mappings = mappings
            self.mappings += len(mappings)
        else:
            record.sums = PssSums(0, 0, 0, 0)
        # From here on the process may end: what was read of it stays good.
        with suppress(*GONE):
            mounts = self._mounts(folder)
            try:
                record.descriptors = read_descriptors(folder, mounts, self.reading.memory)
            except PermissionError:
                self.reading.no_descriptors.append(record.pid)
            if self.reading.entries is not None:
                self._ask_memory_files(folder, mappings, mounts)

    def _read_frames(self, folder: ProcFolder, record: ProcessRecord, mappings: Mappings) -> None:
        reading, page = self.reading, self.reading.page_bytes
        assert reading.entries is not None  # noqa: S101 (asked by the caller)
        resident = mappings.figure("Rss") // page
        has_pages = (resident != 0) & np.fromiter(map(_holds_memory, mappings.flags), bool)
        at = np.flatnonzero(has_pages)
        if not len(at):
            return
        try:
            fd = folder.open("pagemap")
        except FileNotFoundError:
            folder.read("stat")  # raises when it is the process that is missing
            reading.entries = None
            reading.no_frames = "this kernel has no page maps (CONFIG_PROC_PAGE_MONITOR)"
            return
        start = (mappings.start[at] // np.uint64(page)).astype(np.int64)
        pages = ((mappings.end - mappings.start)[at] // np.uint64(page)).astype(np.int64)
        try:
            installed = read_installed(fd, at + self.mappings, start, pages, resident[at])
        finally:
            os.close(fd)
        if len(installed) and not installed.frame.any():
            reading.entries = None
            reading.no_frames = "the kernel shows page frames only to root (CAP_SYS_ADMIN)"
            return
        record.same_space_as = reading.entries.add(installed, record.pid, int(start[0]))

    def _mounts(self, folder: ProcFolder) -> Mounts:
        try:
            space = folder.link("ns/mnt")
        except OSError:
            space = folder.place
        if space not in self.mounts:
            self.mounts[space] = parse_mounts(folder.read_if_there("mountinfo") or b"")
        return self.mounts[space]

    def _ask_memory_files(self, folder: ProcFolder, mappings: Mappings, mounts: Mounts) -> None:
        """Files in memory that are mapped but open no more are reached through the mapping."""
        rows = zip(mappings.device, mappings.inode, mappings.name, strict=True)
        for at, (device, inode, name) in enumerate(rows):
            if not inode or (device, inode) in self.asked:
                continue
            self.asked.add((device, inode))
            if (device, inode) in self.reading.memory.found:
                continue
            if is_in_memory(name, device, mounts):
                span = f"{int(mappings.start[at]):x}-{int(mappings.end[at]):x}"
                with suppress(OSError):
                    self.reading.memory.see(f"{folder.place}/map_files/{span}")

    def _read_threads(self, folder: ProcFolder, record: ProcessRecord) -> None:
        for tid in folder.numbers("task"):
            place = f"task/{tid}/stat"
            try:
                record.threads.append(
                    (tid, parse_stat(folder.read(place), f"{folder.place}/{place}"))
                )
            except GONE:
                continue


@lru_cache(maxsize=4096)
def _holds_memory(flags: str) -> bool:
    """Whether a mapping may hold pages: not device memory, nor huge pages of the reserved pool."""
    return not {"pf", "io", "ht"}.intersection(flags.split())


def _read_machine(proc: Proc, reading: Reading) -> None:
    meminfo = parse_meminfo(proc.read("meminfo"), f"{proc.root}/meminfo")
    zones: tuple[Zone, ...] = ()
    slabs: Slabs | None = None
    try:
        zones = parse_zoneinfo(proc.read("zoneinfo"), f"{proc.root}/zoneinfo")
    except CaptureError as error:
        reading.odd.append((error.source, str(error)))
    except OSError:
        pass
    try:
        slabs = parse_slabinfo(proc.read("slabinfo"), f"{proc.root}/slabinfo")
    except CaptureError as error:
        reading.odd.append((error.source, str(error)))
    except OSError:
        reading.no_slabs = "only root may read slabinfo"
    reading.machine = Machine(meminfo, zones, slabs, reading.page_bytes)

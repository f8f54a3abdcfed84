"""Reading one process after another: its tasks, mappings, page frames and descriptors."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

import numpy as np

from magmem.errors import CaptureError
from magmem.linux.buffers import Pipes
from magmem.linux.descriptors import Mounts, is_in_memory, parse_mounts, read_descriptors
from magmem.linux.huge import HugeMapping, huge_mappings
from magmem.linux.pagemap import FrameCounts, Installed, confirmed, read_installed
from magmem.linux.process import PssSums, parse_cgroup, parse_rollup, parse_stat
from magmem.linux.procfs import GONE, Proc, ProcFolder
from magmem.linux.records import ProcessRecord, Reading
from magmem.linux.smaps import Mappings, parse_smaps
from magmem.linux.spaces import Spaces
from magmem.linux.status import stat_of

__all__ = ["ProcessReader"]

NOTHING = PssSums(0, 0, 0, 0, 0, swap_pss_bytes=0)
"""The sums of a process that runs in the address space of another."""


class ProcessReader:
    """Takes one process after another into a `Reading`.

    Parameters
    ----------
    proc : Proc
    reading : Reading
        What it adds to.
    counts : FrameCounts
        How often page frames are mapped, now.
    """

    def __init__(self, proc: Proc, reading: Reading, counts: FrameCounts) -> None:
        self.proc = proc
        self.reading = reading
        self.counts = counts
        self.spaces = Spaces() if proc.is_live else None
        self.pipes = Pipes() if proc.is_live else None
        self.mappings = 0
        self.mounts: dict[str, Mounts] = {}
        self.asked: set[tuple[str, int]] = set()

    def take(self, pid: int) -> None:
        """Read a process; count it where that cannot be done."""
        place = f"{self.proc.place}/{pid}"
        try:
            with self.proc.process(pid) as folder:
                record = ProcessRecord(pid, stat_of(folder, pid))
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
        with suppress(PermissionError):
            cgroup = folder.read_if_there("cgroup")
            if cgroup is not None:
                record.cgroup = parse_cgroup(cgroup, f"{folder.place}/cgroup")
        if self.reading.with_mappings:
            self._read_threads(folder, record)
        if record.has_memory:
            self._read_memory(folder, record)
        elif record.stat.threads > 1 and not record.stat.is_kernel:
            self._read_through_thread(folder, record)

    def _read_through_thread(self, folder: ProcFolder, record: ProcessRecord) -> None:
        """The memory of a process whose main thread has ended, through one that lives."""
        with suppress(FileNotFoundError):
            for tid in folder.numbers("task"):
                with suppress(*GONE), folder.task(tid) as thread:
                    stat = parse_stat(thread.read("stat"), f"{thread.place}/stat")
                    if stat.state == "dead":
                        continue
                    record.stat = replace(
                        record.stat,
                        state=stat.state,
                        virtual_bytes=stat.virtual_bytes,
                        resident_pages=stat.resident_pages,
                    )
                    record.read_through = tid
                    self._read_memory(thread, record)
                    return
        self.reading.closed.append(record.pid)

    def _read_memory(self, folder: ProcFolder, record: ProcessRecord) -> None:
        if self.spaces is not None:
            record.same_space_as = self.spaces.same_as(record)
            if record.same_space_as is not None:
                record.sums = NOTHING
                return
        if not self.reading.with_mappings:
            rollup = folder.read_if_there("smaps_rollup")
            if rollup:
                record.sums = parse_rollup(rollup, f"{folder.place}/smaps_rollup")
            if rollup is not None and not (record.sums and record.sums.shared_huge_bytes):
                private = record.sums.private_huge_bytes if record.sums else None
                record.huge = (HugeMapping(("", 0), private, 0),) if private else ()
                return
        data = folder.read_if_there("smaps")
        if data is None:
            data = folder.read("maps")
        if not data and not self.proc.is_live and record.stat.resident_pages:
            raise PermissionError(errno.EACCES, "saved empty: it could not be read", "smaps")
        odd: list[str] = []
        mappings = parse_smaps(data, f"{folder.place}/smaps", odd)
        self.reading.remarks += [("smaps", message) for message in odd[:1]]
        record.sums, record.huge = mappings.sums, huge_mappings(mappings)
        if not self.reading.with_mappings:
            return
        record.first_mapping = self.mappings
        if self.reading.entries is not None:
            self._read_frames(folder, record, mappings)
        if record.same_space_as is None:
            record.mappings = mappings
            self.mappings += len(mappings)
        else:
            record.sums, record.huge = NOTHING, ()
        # From here on the process may end: what was read of it stays good.
        with suppress(*GONE):
            mounts = self._mounts(folder)
            self._read_descriptors(folder, record, mounts)
            if self.reading.entries is not None and self.proc.is_live:
                self._ask_memory_files(folder, mappings, mounts)

    def _read_descriptors(self, folder: ProcFolder, record: ProcessRecord, mounts: Mounts) -> None:
        memory = self.reading.memory if self.proc.is_live else None
        try:
            record.descriptors = read_descriptors(folder, mounts, memory)
        except PermissionError:
            self.reading.no_descriptors.append(record.pid)
            return
        if self.pipes is not None:
            self.pipes.see(folder, record.pid, record.descriptors)
        if any(descriptor.in_flight for descriptor in record.descriptors):
            self.reading.in_flight.append(record.pid)

    def _read_frames(self, folder: ProcFolder, record: ProcessRecord, mappings: Mappings) -> None:
        reading, page = self.reading, self.reading.page_bytes
        assert reading.entries is not None  # noqa: S101 (asked by the caller)
        resident = mappings.resident_bytes // page
        has_pages = (resident != 0) & np.fromiter(map(_holds_memory, mappings.flags), bool)
        at = np.flatnonzero(has_pages)
        if not len(at):
            return
        try:
            fd = folder.open("pagemap")
        except FileNotFoundError:
            reading.entries = None
            reading.no_frames = "no page maps were saved"
            if self.proc.is_live:
                folder.read("stat")  # raises when it is the process that is missing
                reading.no_frames = "this kernel has no page maps (CONFIG_PROC_PAGE_MONITOR)"
            return
        start = (mappings.start[at] // np.uint64(page)).astype(np.int64)
        pages = ((mappings.end - mappings.start)[at] // np.uint64(page)).astype(np.int64)
        try:
            installed = read_installed(fd, at + self.mappings, start, pages, resident[at])
        finally:
            os.close(fd)
        if (len(installed) or not self.proc.is_live) and not installed.frame.any():
            reading.entries = None
            reading.no_frames = "the kernel shows page frames only to root (CAP_SYS_ADMIN)"
            if not len(installed):
                reading.no_frames = "the page maps were saved empty"
            return
        in_huge = np.zeros(self.mappings + len(mappings), bool)
        in_huge[self.mappings :] = mappings.figure("AnonHugePages") > 0
        installed = confirmed(installed, in_huge[installed.mapping], self.counts)
        record.same_space_as = reading.entries.add(installed, record.pid, int(start[0]))
        if record.same_space_as is None:
            self._see_files(mappings, installed)

    def _see_files(self, mappings: Mappings, installed: Installed) -> None:
        """Keep the frames of files, which tell what files are one."""
        entries = self.reading.entries
        file = installed.where(installed.is_file)
        if entries is None or not len(file):
            return
        number = entries.files.numbers(mappings.device, mappings.inode, mappings.name)
        at = file.mapping - self.mappings
        page = (mappings.offset_bytes // np.uint64(self.reading.page_bytes)).astype(np.int64)
        entries.files.add(number[at], page[at] + file.page, file.frame)

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
        try:
            tids = folder.numbers("task")
        except FileNotFoundError:
            if self.proc.is_live:
                raise
            return
        for tid in tids:
            place = f"task/{tid}/stat"
            try:
                record.threads.append(
                    (tid, parse_stat(folder.read(place), f"{folder.place}/{place}"))
                )
            except GONE:
                continue


@lru_cache(maxsize=4096)
def _holds_memory(flags: str) -> bool:
    """Whether a mapping may hold pages: not device memory."""
    return not {"pf", "io"}.intersection(flags.split())

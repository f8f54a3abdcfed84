"""Reading the running system, as quickly as it can be, before anything is made of it.

One pass over the processes; each is read whole before the next, so that what belongs together is
of one moment. Whatever ends, is closed to us or reads oddly is left out and counted. A tree that
was saved is read by the same code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import numpy as np

from magmem.linux.entries import Entries
from magmem.linux.huge import with_huge
from magmem.linux.kmem import Machine
from magmem.linux.machine_reading import ALL_FILES, frame_counts, read_machine
from magmem.linux.pagemap import zero_frames
from magmem.linux.process_reading import ProcessReader
from magmem.linux.procfs import Proc
from magmem.linux.records import Reading

__all__ = ["read_system"]

NO_FRAMES = np.zeros(0, np.int64)


def read_system(
    proc: Proc,
    detail: str,
    pids: set[int] | None,
    page_bytes: int,
    progress: Callable[[int, int], object] | None,
    machine: Collection[str] = ALL_FILES,
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
    machine : collection of str
        Which files of the whole machine to read (`magmem.linux.machine_reading.ALL_FILES`).

    Raises
    ------
    OSError
        The processes cannot be listed.
    """
    reading = Reading(page_bytes, pids is not None, detail != "processes", Machine())
    if detail in ("auto", "pages"):
        reading.entries = Entries()
    began = time.monotonic()
    with frame_counts(proc) as counts:
        reader = ProcessReader(proc, reading, counts)
        listed = [pid for pid in proc.pids() if pids is None or pid in pids]
        if pids is not None:
            reading.gone += sorted(pids.difference(listed))
        for done, pid in enumerate(listed, 1):
            reader.take(pid)
            if progress is not None:
                progress(done, len(listed))
        if reading.entries is not None:
            zeros = zero_frames(proc.root / "self" / "pagemap") if proc.is_live else NO_FRAMES
            reading.entries.settle(counts, zeros)
    reading.pipe_bytes = reader.pipes.held_bytes if reader.pipes is not None else 0
    _charge_huge(reading)
    reading.machine = read_machine(proc, reading.page_bytes, reading.remarks, machine)
    reading.seconds = time.monotonic() - began
    return reading


def _charge_huge(reading: Reading) -> None:
    """Put each process's part of the huge pages into its sums."""
    holders = [record for record in reading.records if record.huge and record.sums]
    told = [(record.sums, record.huge) for record in holders if record.sums]
    for record, sums in zip(holders, with_huge(told), strict=True):
        record.sums = sums

"""What a capture of Linux tells of itself: what is missing, and why, in whole sentences."""

from __future__ import annotations

from collections.abc import Sequence

from magmem.linux.reading import Reading
from magmem.linux.space import Memory

__all__ = ["notes_of"]

SHOWN_ERRORS = 20

ROUGH_BYTES = 1 << 20
"""The kernel's counters are rough by about so much (each processor keeps some to itself)."""


def notes_of(reading: Reading, memory: Memory | None, source: str) -> dict[str, list[str | None]]:
    """The notes table.

    Parameters
    ----------
    reading : Reading
    memory : Memory or None
        None where only sums of processes were read.
    source : str
        What the snapshot calls its source.
    """
    notes: list[tuple[str, str | None, str]] = []
    if reading.no_frames:
        told = (
            f"{reading.no_frames}: which pages are shared by whom is not known, PSS is what the "
            "kernel reports"
        )
        notes.append(("remark", "pagemap", told))
    if reading.closed:
        notes.append(("skipped", "smaps", _closed(reading)))
    if reading.no_descriptors:
        whose = _many(len(reading.no_descriptors), "process", "processes")
        told = (
            f"the file descriptors of {whose} may not be read (that takes the same user, or "
            "CAP_SYS_PTRACE): which memory they hold without mapping it is not known"
        )
        notes.append(("skipped", "fd", told))
    if reading.gone:
        told = f"{_many(len(reading.gone), 'process', 'processes')} ended while being read"
        notes.append(("skipped", None, told))
    for place, message in reading.odd[:SHOWN_ERRORS]:
        notes.append(("skipped", place, message))
    if len(reading.odd) > SHOWN_ERRORS:
        told = f"{len(reading.odd) - SHOWN_ERRORS} more files could not be understood"
        notes.append(("skipped", None, told))
    kernel = sum(record.stat.is_kernel for record in reading.records)
    if kernel:
        threads = _many(kernel, "thread of the kernel has", "threads of the kernel have")
        notes.append(("remark", None, f"{threads} no address space"))
    notes += [
        (
            "remark",
            f"process {record.pid}",
            f"it runs in the address space of process {record.same_space_as}, where its memory is",
        )
        for record in reading.records
        if record.same_space_as is not None
    ]
    if reading.no_slabs and memory is not None:
        told = f"{reading.no_slabs}: how much of the kernel's heap is free is not known"
        notes.append(("remark", "slabinfo", told))
    if memory is not None:
        notes += _of_memory(reading, memory)
    columns: Sequence[Sequence[str | None]] = list(zip(*notes, strict=True)) or [(), (), ()]
    kinds, places, messages = columns
    return {
        "kind": list(kinds),
        "source": [source] * len(kinds),
        "place": list(places),
        "message": list(messages),
    }


def _closed(reading: Reading) -> str:
    closed = set(reading.closed)
    pages = sum(record.stat.resident_pages for record in reading.records if record.pid in closed)
    what = _many(len(closed), "process", "processes")
    return (
        f"{what} may not be read (that takes the same user, or CAP_SYS_PTRACE): of the memory only "
        f"RSS is known, so PSS lies between 0 and {pages * reading.page_bytes} bytes in all"
    )


def _of_memory(reading: Reading, memory: Memory) -> list[tuple[str, str | None, str]]:
    notes: list[tuple[str, str | None, str]] = []
    swapped = reading.machine.meminfo.get("SwapTotal", 0) - reading.machine.meminfo.get(
        "SwapFree", 0
    )
    if swapped:
        told = f"{swapped} bytes are swapped out; they are no memory and appear in no table"
        notes.append(("remark", "meminfo", told))
    if reading.entries is not None and reading.entries.merged:
        merged = _many(reading.entries.merged, "page was", "pages were")
        notes.append(("remark", "kpageflags", f"{merged} merged because they were equal (KSM)"))
    if memory.unplaced:
        placed = _many(memory.unplaced, "shared page is", "shared pages are")
        told = (
            f"{placed} shared in a way that no tree of clones tells; one sharer is charged for each"
        )
        notes.append(("remark", "pagemap", told))
    if memory.skew_bytes > ROUGH_BYTES:
        told = (
            f"{memory.skew_bytes} bytes of the pages found are more than the kernel counted a "
            "moment later"
        )
        notes.append(("contradiction", "meminfo", told))
    if memory.excess_bytes:
        told = (
            f"the kernel's counters exceed the whole by {memory.excess_bytes} bytes; what else "
            "there is is not known"
        )
        notes.append(("contradiction", "meminfo", told))
    if memory.mapped_bytes is not None:
        notes += _outside(reading, memory.mapped_bytes)
    return notes


def _outside(reading: Reading, mapped_bytes: int) -> list[tuple[str, str | None, str]]:
    """Pages that processes hold which were not captured, seen from what the kernel charges."""
    spaces = [record for record in reading.records if record.mappings is not None]
    charged = sum((record.sums.pss_bytes or 0) for record in spaces if record.sums)
    mappings = sum(len(record.mappings or ()) for record in spaces)
    outside = mapped_bytes - charged
    # The kernel cuts every mapping's PSS down to kB.
    if outside <= mappings * 1024 + mapped_bytes // 100:
        return []
    told = (
        f"the kernel charges about {outside} bytes of the pages found to processes that are not "
        "in this capture; PSS computed from it is higher by as much"
    )
    return [("remark", "smaps", told)]


def _many(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"

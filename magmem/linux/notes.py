"""What a capture of Linux tells of itself: what is missing, and why, in whole sentences."""

from __future__ import annotations

from collections.abc import Sequence

from magmem.linux.access import access_notes, many
from magmem.linux.records import Reading
from magmem.linux.space import Memory

__all__ = ["notes_of"]

SHOWN_ERRORS = 20

LONG_SECONDS = 0.05
"""Captures that took longer say how long."""

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
    notes += access_notes(reading)
    if reading.gone:
        told = f"{many(len(reading.gone), 'process', 'processes')} ended while being read"
        notes.append(("skipped", None, told))
    for place, message in reading.odd[:SHOWN_ERRORS]:
        notes.append(("skipped", place, message))
    if len(reading.odd) > SHOWN_ERRORS:
        told = f"{len(reading.odd) - SHOWN_ERRORS} more files could not be understood"
        notes.append(("skipped", None, told))
    # Sums of processes do without the heap's.
    left_out = {"slabinfo"} if memory is None else set()
    remarks = [remark for remark in reading.remarks if remark[0] not in left_out]
    notes += [("remark", place, message) for place, message in remarks[:SHOWN_ERRORS]]
    notes += [
        (
            "remark",
            f"process {record.pid}",
            f"its main thread has ended: it was read through thread {record.read_through}",
        )
        for record in reading.records
        if record.read_through is not None
    ]
    if reading.seconds >= LONG_SECONDS:
        told = f"reading took {reading.seconds:.1f} s: the capture is of that span, not of a moment"
        notes.append(("remark", "moment", told))
    if reading.in_flight:
        whose = " ".join(map(str, reading.in_flight))
        told = (
            "descriptors that were sent and not yet received lie in sockets held by the "
            f"processes {whose}: memory behind them is nobody's"
        )
        notes.append(("remark", "sockets", told))
    kernel = sum(record.stat.is_kernel for record in reading.records)
    if kernel:
        threads = many(kernel, "thread of the kernel has", "threads of the kernel have")
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
    if memory is not None:
        notes += _of_memory(reading, memory)
        if caches := _caches(reading):
            notes.append(("remark", "slabinfo", caches))
    columns: Sequence[Sequence[str | None]] = list(zip(*notes, strict=True)) or [(), (), ()]
    kinds, places, messages = columns
    return {
        "kind": list(kinds),
        "source": [source] * len(kinds),
        "place": list(places),
        "message": list(messages),
    }


def _of_memory(reading: Reading, memory: Memory) -> list[tuple[str, str | None, str]]:
    notes: list[tuple[str, str | None, str]] = []
    swapped = reading.machine.meminfo.get("SwapTotal", 0) - reading.machine.meminfo.get(
        "SwapFree", 0
    )
    if swapped:
        told = f"{swapped} bytes are swapped out; they are no memory and appear in no table"
        notes.append(("remark", "meminfo", told))
    if reading.entries is not None and reading.entries.merged:
        merged = many(reading.entries.merged, "page was", "pages were")
        notes.append(("remark", "kpageflags", f"{merged} merged because they were equal (KSM)"))
    if memory.unplaced:
        placed = many(memory.unplaced, "shared page is", "shared pages are")
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


SHOWN_CACHES = 8


def _caches(reading: Reading) -> str:
    """The largest caches of the kernel's heap, and how much of the heap could be given back."""
    slabs, info = reading.machine.slabs, reading.machine.meminfo
    if slabs is None or "SReclaimable" not in info:
        return ""
    largest = sorted(slabs.caches, key=lambda cache: (-cache.pages, cache.name))[:SHOWN_CACHES]
    each = ", ".join(f"{cache.name} {cache.pages * reading.page_bytes}" for cache in largest)
    return (
        f"{info['SReclaimable']} bytes of slab are reclaimable, {info.get('SUnreclaim', 0)} not; "
        f"the largest caches: {each}"
    )


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

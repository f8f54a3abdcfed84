"""The records that a lab's functions are given: what the kernel knows, as plain tuples.

Everything is an int, a text, a truth value, or a tuple of such. Sizes and offsets are bytes
(``…_bytes``); the pages of a VMO are numbered from 0, and a page is 4096 bytes. Other records are
referred to by number: a process by its koid, a VMO by its place in `Records.vmos`. The same page
with an example: ``docs/labs.md``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from magmem.units import PAGE_BYTES

__all__ = [
    "KERNEL",
    "PAGE",
    "Handle",
    "Job",
    "Mapping",
    "Memory",
    "Process",
    "Records",
    "Run",
    "Vmo",
    "page_count",
]

PAGE: Final = PAGE_BYTES
"""Bytes of a page."""

KERNEL: Final = 0
"""What stands for the kernel's address space where a process's koid is expected."""


class Run(NamedTuple):
    """Pages next to each other: `count` pages, the first of which has the number `first`."""

    first: int
    count: int  # type: ignore[assignment]  # a tuple's own `count` is of no use here


class Vmo(NamedTuple):
    """A VMO and the pages it owns.

    Attributes
    ----------
    number : int
        Its place in `Records.vmos`; mappings, handles and clones refer to it by this.
    koid : int
        0 if no process ever had a handle to it.
    name : str
    kind : str
        ``paged``, or ``physical`` for a device's addresses, which own no pages.
    size_bytes : int
        Need not be whole pages.
    parent : int or None
        Number of the VMO that this is a clone of; None if it is no clone.
    parent_offset_bytes : int
        Where in the parent the clone begins: its page 0 shows the parent's page
        ``parent_offset_bytes // PAGE``. Whole pages; 0 if it is no clone.
    is_wired : bool
        Whether the kernel counts its pages as wired, not as VMO memory.
    runs : tuple of Run
        The committed pages it owns, sorted, without overlap. A clone's: only its own copies.
    """

    number: int
    koid: int
    name: str
    kind: str
    size_bytes: int
    parent: int | None
    parent_offset_bytes: int
    is_wired: bool
    runs: tuple[Run, ...]


class Mapping(NamedTuple):
    """A window: the addresses of a process that show pages of a VMO.

    Attributes
    ----------
    process : int
        Koid of the process whose address space it is in; 0 (`KERNEL`) for the kernel's.
    address : int
        Its first address.
    size_bytes : int
        How many addresses; whole pages. May go past the end of the VMO.
    vmo : int
        Number of the VMO it shows.
    vmo_offset_bytes : int
        Where in the VMO it begins; whole pages.
    order : int
        The mapping that was made later has the larger number.
    entries : tuple of Run
        Which of its pages the page table has, numbered from the mapping's first page. Only the
        lab ``linux`` looks at them.
    """

    process: int
    address: int
    size_bytes: int
    vmo: int
    vmo_offset_bytes: int
    order: int
    entries: tuple[Run, ...]


class Handle(NamedTuple):
    """A handle: the process with that koid holds the VMO with that number."""

    process: int
    vmo: int


class Process(NamedTuple):
    """A process; `job` is the koid of its job. One that does not run keeps its mappings."""

    koid: int
    name: str
    job: int
    is_running: bool


class Job(NamedTuple):
    """A job; `parent` is the koid of the job above it, None for the root job."""

    koid: int
    name: str
    parent: int | None


class Memory(NamedTuple):
    """Physical memory as the kernel counts it (`kstats`), without the pages of VMOs.

    Attributes
    ----------
    total_bytes : int
        All of it. What the other fields leave of it are the pages of VMOs that are not wired.
    free_bytes : int
    wired_bytes : int
        With the pages that VMOs own whose `Vmo.is_wired` is set.
    heap_used_bytes, heap_free_bytes : int
        ``kheap`` and ``kfree``: the kernel's heap, in use and free inside.
    mmu_bytes : int
        Page tables.
    other_bytes : int
    """

    total_bytes: int
    free_bytes: int
    wired_bytes: int
    heap_used_bytes: int
    heap_free_bytes: int
    mmu_bytes: int
    other_bytes: int


class Records(NamedTuple):
    """A machine at one moment.

    Attributes
    ----------
    name : str
    jobs : tuple of Job
        In creation order, the root job first.
    processes : tuple of Process
        In creation order; the kernel is not among them.
    vmos : tuple of Vmo
        Oldest to newest; ``vmos[n].number == n``.
    mappings : tuple of Mapping
        The kernel's first, then by process and address.
    handles : tuple of Handle
        Those to VMOs. A process may have several to the same one.
    memory : Memory
    """

    name: str
    jobs: tuple[Job, ...]
    processes: tuple[Process, ...]
    vmos: tuple[Vmo, ...]
    mappings: tuple[Mapping, ...]
    handles: tuple[Handle, ...]
    memory: Memory

    def __repr__(self) -> str:
        counts = (
            (len(self.processes), "process", "processes"),
            (len(self.vmos), "VMO", "VMOs"),
            (len(self.mappings), "mapping", "mappings"),
            (len(self.handles), "handle", "handles"),
        )
        told = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts)
        return f"<Records of {self.name or 'a machine'}: {told}>"


def page_count(size_bytes: int) -> int:
    """Pages that a size takes, the last one perhaps in part."""
    return -(-size_bytes // PAGE)

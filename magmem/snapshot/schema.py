"""The tables of a snapshot: every column, its type, its unit and its meaning, in this one place.

A column is of one of five sorts:

=========  ==============================  ==============================
sort       pandas dtype                    when `required` (never missing)
=========  ==============================  ==============================
``int``    ``Int64``                       ``int64``
``uint``   ``UInt64`` (addresses, offsets) ``uint64``
``text``   ``string[python]``              the same, without missing
``bool``   ``boolean``                     ``bool``
choices    ``category`` with fixed values  the same, without missing
=========  ==============================  ==============================

Unknown is missing (``pandas.NA``), never 0. Sizes are bytes in ``*_bytes``, amounts of pages are
``*_pages`` or named so in their unit. A column called ``vmo``, ``parent``, ``aspace`` or ``region``
holds the *row number* of another table, because kernel objects without a koid have no other name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from pandas.api.extensions import ExtensionDtype

__all__ = ["FACETS", "PAGE_BYTES", "TABLES", "Column", "TableSpec"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its sort, unit, meaning, and whether it may be missing."""

    name: str
    sort: str
    doc: str
    unit: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any] | ExtensionDtype:
        """Its dtype in a DataFrame."""
        from magmem.snapshot.frames import dtype_of

        return dtype_of(self)

    @property
    def is_address(self) -> bool:
        """Whether its numbers are written ``0x…``; other numbers of 64 bits are plain integers."""
        return self.unit == "address"


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: what a row is, its order, and its columns by name."""

    name: str
    doc: str
    columns: Mapping[str, Column]

    def frame(self, values: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """A DataFrame of this table with every column and dtype in place.

        Parameters and errors are those of `magmem.snapshot.Table.of`.
        """
        from magmem.snapshot.frames import frame_of
        from magmem.snapshot.table import Table

        return frame_of(Table.of(self, values))


def _table(name: str, doc: str, *columns: Column) -> TableSpec:
    return TableSpec(name, doc, MappingProxyType({column.name: column for column in columns}))


def _int(name: str, doc: str, unit: str = "", required: bool = False) -> Column:
    return Column(name, "int", doc, unit, required)


def _uint(name: str, doc: str) -> Column:
    return Column(name, "uint", doc, "address")


def _text(name: str, doc: str, required: bool = False) -> Column:
    return Column(name, "text", doc, "", required)


def _choice(name: str, doc: str, choices: tuple[str, ...], required: bool = False) -> Column:
    return Column(name, "choice", doc, "", required, choices)


TASKS = _table(
    "tasks",
    "One row per job, process and thread. Jobs first, then processes, then threads, each in "
    "creation order (for a transcript: in the order it prints them).",
    _int("koid", "Kernel object id, unique in the table.", required=True),
    _choice("kind", "What the task is.", ("job", "process", "thread"), required=True),
    _int(
        "parent_koid", "Job of a job or process, process of a thread; missing above the super-root."
    ),
    _text("name", "At most 31 bytes of UTF-8 in the kernel; may be empty."),
    _choice(
        "state",
        "Life cycle; missing for jobs and where the source does not say.",
        ("initial", "new", "running", "suspended", "blocked", "dying", "dead", "unknown"),
    ),
    _choice(
        "exception_port",
        "Where a thread waits for an exception to be handled: none, or which port; unknown = it "
        "waits, but the source does not say where.",
        ("none", "debugger", "thread", "process", "job", "system", "unknown"),
    ),
    _int("importance", "Jobs: place in the list from least (0) to most important."),
    _int("reported_pss_bytes", "PSS as the source printed it.", "bytes"),
    _int("reported_private_bytes", "PRIVATE as the source printed it.", "bytes"),
    _int("reported_shared_bytes", "SHARED as the source printed it.", "bytes"),
    _int("reported_virtual_bytes", "VIRT of an older ps.", "bytes"),
    _int(
        "reported_resident_bytes", "RES of an older ps; mapped committed of an OOM report.", "bytes"
    ),
    _int(
        "reported_swap_bytes",
        "What of the process is swapped out, a slot in full for each that shares it (Linux).",
        "bytes",
    ),
    _int("reported_swap_pss_bytes", "The same with shared slots divided by sharers.", "bytes"),
    _int("reported_handles", "Handles of the process as `k mx ps` counts them.", "handles"),
)

ASPACES = _table(
    "aspaces",
    "One row per address space: the kernel's first where known, then the processes' in the order "
    "of the tasks table.",
    _choice("kind", "Who uses it.", ("kernel", "user"), required=True),
    _int("process_koid", "The process it belongs to; missing for the kernel's."),
    _text("name", "`kernel` or `proc:KOID`."),
    _uint("addr", "Address of the kernel's object, as dumps print it."),
    _uint("base", "First address of the range."),
    _int("size_bytes", "Length of the range.", "bytes"),
    _int("flags", "Bits 0-1: 0 user, 1 kernel."),
    _int("ref", "Reference count, as dumps print it."),
)

REGIONS = _table(
    "regions",
    "One row per VMAR and mapping, by address space, in depth-first pre-order (address order).",
    _int("aspace", "Row in aspaces.", required=True),
    _int("depth", "0 for the root VMAR, one more per level.", required=True),
    _choice("kind", "VMAR or mapping.", ("vmar", "mapping"), required=True),
    _uint("base", "First address."),
    _int("size_bytes", "Length of the range.", "bytes"),
    _text("name", "VMARs: their name. Mappings: missing (their VMO has the name)."),
    _uint("addr", "Address of the kernel's object, as dumps print it."),
    _int("ref", "Reference count, as dumps print it."),
    _int("vmo", "Mappings: row in vmos."),
    Column(
        "vmo_offset_bytes",
        "uint",
        "Mappings: where in the VMO the range begins; up to 2^64 − 8192, far past any VMO's end.",
        "bytes",
    ),
    _text("perms", "Mappings: `rwx` with `-` for missing."),
    _int("arch_mmu_flags", "Mappings: the raw flags (4 user, 8 r, 0x10 w, 0x20 x, 0x80 invalid)."),
    _int("map_seq", "Mappings: global creation number, unique."),
    _int(
        "reported_resident_bytes", "Mappings: `:res` or `pages` as the source printed it.", "bytes"
    ),
    _int("reported_pss_bytes", "Mappings: PSS as the source printed it.", "bytes"),
    _int("reported_swap_bytes", "Mappings: what is swapped out, as printed.", "bytes"),
)

VMOS = _table(
    "vmos",
    "One row per VMO, oldest to newest where the source tells.",
    _text("id", "Name inside this snapshot, unique.", required=True),
    _int("koid", "Kernel object id; 0 = userspace never had a handle; missing = unknown."),
    _choice(
        "kind", "Backed by RAM, or a raw physical range that uses none.", ("paged", "physical")
    ),
    _text("name", "May be empty."),
    _int("size_bytes", "Current size; need not be a page multiple.", "bytes"),
    Column("is_clone", "bool", "Whether it is a copy-on-write clone."),
    _int("parent", "Row of the VMO it is a clone of; missing if none or not in the capture."),
    _int("parent_koid", "Koid of that VMO as the source names it (0: a VMO without koid)."),
    _int("parent_offset_bytes", "Where in the parent the clone begins.", "bytes"),
    _uint("addr", "Address of the kernel's object, as dumps print it."),
    _int("ref", "Reference count, as dumps print it."),
    _uint("phys_base", "Physical VMOs: first physical address."),
    Column(
        "pages_are_wired", "bool", "Its pages count as wired, not as VMO memory (vDSO, ramdisk)."
    ),
    Column(
        "pages_known",
        "bool",
        "The pages table holds every page it owns (also when that is none).",
        required=True,
    ),
    _int("reported_committed_bytes", "`alloc` or committed_bytes as the source gave it.", "bytes"),
    _int("reported_num_children", "#chld as the source gave it."),
    _int("reported_num_mappings", "#map as the source gave it."),
    _int("reported_share_count", "#shr as the source gave it."),
)

PAGES = _table(
    "pages",
    "Runs of committed pages in each VMO's own page list (a clone's: only its own copies). Sorted "
    "by VMO and first page; disjoint.",
    _int("vmo", "Row in vmos.", required=True),
    _int("first_page", "Page index in the VMO.", "pages", required=True),
    _int("page_count", "Length of the run, at least 1.", "pages", required=True),
)

ENTRIES = _table(
    "entries",
    "Runs of page-table entries: which pages of a mapping are installed. Sorted by region and "
    "first page; disjoint.",
    _int("region", "Row in regions (a mapping).", required=True),
    _int("first_page", "Page index in the mapping.", "pages", required=True),
    _int("page_count", "Length of the run, at least 1.", "pages", required=True),
)

HANDLES = _table(
    "handles",
    "One row per handle, by process, in the kernel's iteration order.",
    _int("process_koid", "The process that holds it.", required=True),
    _int("value", "Handle value (32 bits)."),
    _text("type", "Object type, such as vmo, channel or event-pair.", required=True),
    _int("koid", "The object it refers to."),
    _int("rights", "Rights mask (1 duplicate, 2 transfer, 4 read, 8 write, 16 execute, 32 map …)."),
    _int("vmo", "Row in vmos when the type is vmo."),
)

ARENAS = _table(
    "arenas",
    "One row per arena of physical memory, with its pages by state.",
    _text("name", "At most 15 bytes."),
    _uint("base", "First physical address."),
    _int("size_bytes", "Length.", "bytes"),
    _int("priority", "Allocation order."),
    _int("flags", "Raw flags."),
    _uint("addr", "Address of the kernel's object, as dumps print it."),
    _uint("page_array_addr", "Address of its page array, as dumps print it."),
    _int("free_count", "The arena's own count of free pages.", "pages"),
    _int("free_pages", "Pages in state free.", "pages"),
    _int("alloc_pages", "Pages in state alloc.", "pages"),
    _int("wired_pages", "Pages in state wired.", "pages"),
    _int("heap_pages", "Pages in state heap.", "pages"),
    _int("object_pages", "Pages in state object (VMOs).", "pages"),
    _int("mmu_pages", "Pages in state mmu (page tables).", "pages"),
)

KMEM = _table(
    "kmem",
    "Kernel memory statistics: one row per report in the source; the last is the machine's state.",
    _text("timestamp", "ISO 8601 time of the report."),
    _int("total_bytes", "All physical memory.", "bytes"),
    _int("free_bytes", "Free pages.", "bytes"),
    _int("wired_bytes", "Wired pages.", "bytes"),
    _int("total_heap_bytes", "Heap pages, in use and free inside.", "bytes"),
    _int("free_heap_bytes", "Free bytes inside the heap's pages (kfree).", "bytes"),
    _int("vmo_bytes", "Object pages.", "bytes"),
    _int("mmu_overhead_bytes", "Page-table pages.", "bytes"),
    _int("other_bytes", "Pages in any other state.", "bytes"),
    _int("swap_total_bytes", "Room for what is swapped out (Linux); no memory.", "bytes"),
    _int("swap_free_bytes", "What of that room is free.", "bytes"),
    _int("swap_memory_bytes", "Memory that swapped pages take again, compressed (zram).", "bytes"),
)

SOURCES = _table(
    "sources",
    "Where the snapshot's rows come from: one row per dump read.",
    _text("source", "File, dataset name, `<stdin>` or what made the state.", required=True),
    _text("dump", "Kind of dump, such as `ps` or `machine description`.", required=True),
    _int("first_line", "Line in the file, from 1."),
    _int("last_line", "Line in the file, from 1."),
    _text("tables", "Tables it fills, blank-separated.", required=True),
    Column("rounded", "bool", "Its sizes are printed with one decimal, so rounded.", required=True),
)

NOTES = _table(
    "notes",
    "What a reader repaired, skipped, or found to contradict something else.",
    _choice(
        "kind",
        "What sort of remark.",
        ("contradiction", "elided", "repaired", "skipped", "truncated", "remark"),
        required=True,
    ),
    _text("source", "Where it was met.", required=True),
    _text("place", "Line or record."),
    _text("message", "One sentence.", required=True),
)

TABLES: Final[Mapping[str, TableSpec]] = MappingProxyType(
    {
        table.name: table
        for table in (
            TASKS,
            ASPACES,
            REGIONS,
            VMOS,
            PAGES,
            ENTRIES,
            HANDLES,
            ARENAS,
            KMEM,
            SOURCES,
            NOTES,
        )
    }
)
"""Every table of a snapshot by name."""

FACETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "jobs": "the job tree",
        "processes": "the processes",
        "threads": "the threads of every process",
        "mappings": "the address spaces, VMARs and mappings",
        "kernel mappings": "the kernel's own address space",
        "vmos": "the VMOs",
        "pages": "the page runs each VMO owns",
        "entries": "which pages are installed in page tables",
        "handles": "the handles of every process",
        "arenas": "the arenas of physical memory",
        "kmem": "the kernel memory statistics",
    }
)
"""What a snapshot may know: each is complete, partial or absent (`Snapshot.coverage`)."""

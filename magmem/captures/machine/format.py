"""The structure of a machine description, version 1, as typed records.

The rules are reference/machine-format.md and docs/machine-format.md. Addresses, flags, rights and
handle values are ``"0x…"`` strings; sizes, offsets and counts are integers. ``None`` stands for a
field that is absent or null: unknown, except where its documentation gives a default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from magmem.captures.json_text import Natural
from magmem.snapshot import TABLES, TableSpec

__all__ = [
    "DUMP",
    "FORMAT",
    "MAX_DEPTH",
    "PERMS",
    "Arena",
    "Aspace",
    "Handle",
    "Job",
    "Kmem",
    "Machine",
    "Mapping",
    "PageStates",
    "Process",
    "Tables",
    "Thread",
    "Timestamp",
    "Vmar",
    "Vmo",
]

FORMAT: Final = "magmem-machine/1"
"""What the ``format`` field of version 1 says."""

DUMP: Final = "machine description"
"""How the sources table calls this kind."""

MAX_DEPTH: Final = 256
"""Levels of VMARs a description may nest; the guide's machines have 4."""

PERMS: Final = tuple(f"{r}{w}{x}" for r in "r-" for w in "w-" for x in "x-")
"""What a mapping's ``perms`` may be."""

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Offset = Annotated[int, msgspec.Meta(ge=0)]
"""An integer of 0 … 2^64 − 1; msgspec cannot state that bound, so the readers hold to it."""

Run = tuple[Natural, Natural]


class _Record(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A record of the format; its fields are in the order they are written."""


class Timestamp(_Record):
    """UTC time of the state."""

    seconds: Natural | None = None
    nanoseconds: Annotated[int, msgspec.Meta(ge=0, le=999_999_999)] | None = None
    iso: str | None = None


class Job(_Record):
    """A job; ``parent_koid`` is null for the super-root."""

    koid: Natural
    name: str
    parent_koid: Natural | None = None


class Kmem(_Record):
    """Kernel memory statistics, bytes."""

    total_bytes: Natural
    free_bytes: Natural
    wired_bytes: Natural
    total_heap_bytes: Natural
    free_heap_bytes: Natural
    vmo_bytes: Natural
    mmu_overhead_bytes: Natural
    other_bytes: Natural


class PageStates(_Record):
    """Pages of an arena by state."""

    alloc: Natural
    wired: Natural
    heap: Natural
    object: Natural
    mmu: Natural
    free: Natural


class Arena(_Record):
    """An arena of physical memory."""

    name: str
    base: str
    size: Natural
    priority: Integer
    flags: str
    page_states: PageStates
    free_count: Natural | None = None
    addr: str | None = None
    page_array_addr: str | None = None


class Vmo(_Record):
    """A VMO; ``committed`` are the runs of its own pages, unknown when absent."""

    id: str
    koid: Natural
    kind: str
    name: str
    size: Natural
    parent: str | None = None
    parent_offset: Natural = 0
    addr: str | None = None
    ref: Integer | None = None
    committed: list[Run] | None = None
    pages_are_wired: bool = False
    phys_base: str | None = None


class Mapping(_Record, tag_field="type", tag="mapping"):
    """A mapping; ``entries`` are the runs of its installed pages, unknown when absent."""

    base: str
    size: Natural
    perms: str
    vmo: str
    vmo_offset: Offset = 0
    arch_mmu_flags: str | None = None
    map_seq: Natural | None = None
    entries: list[Run] | None = None
    addr: str | None = None
    ref: Integer | None = None


class Vmar(_Record, tag_field="type", tag="vmar"):
    """A VMAR; ``children`` are sorted by base."""

    name: str
    base: str
    size: Natural
    children: list[Vmar | Mapping]
    addr: str | None = None
    ref: Integer | None = None


class Aspace(_Record):
    """An address space."""

    base: str
    size: Natural
    root_vmar: Vmar
    name: str | None = None
    flags: str | None = None
    addr: str | None = None
    ref: Integer | None = None


class Thread(_Record):
    """A thread of a process."""

    koid: Natural
    name: str
    state: str
    exception_port: str = "none"


class Handle(_Record):
    """A handle in the kernel's iteration order."""

    type: str
    koid: Natural
    value: str
    rights: str


class Process(_Record):
    """A process; ``threads``, ``handles`` and ``aspace`` are unknown when absent."""

    koid: Natural
    job_koid: Natural
    name: str
    state: str
    threads: list[Thread] | None = None
    handles: list[Handle] | None = None
    aspace: Aspace | None = None


def _row(table: TableSpec) -> type[msgspec.Struct]:
    kinds: dict[str, Any] = {
        "int": Integer,
        "uint": Offset,
        "text": str,
        "bool": bool,
        "choice": str,
    }
    columns = sorted(table.columns.values(), key=lambda column: not column.required)
    return msgspec.defstruct(
        f"{table.name}_row",
        [
            (column.name, kind) if column.required else (column.name, kind | None, None)
            for column in columns
            for kind in [str if column.is_address else kinds[column.sort]]
        ],
        bases=(_Record,),
    )


if TYPE_CHECKING:
    Tables = Any
else:
    Tables = msgspec.defstruct(
        "Tables",
        [(name, list[_row(table)] | None, None) for name, table in TABLES.items()],
        bases=(_Record,),
    )


class Machine(_Record):
    """The whole description.

    ``coverage`` and ``tables`` are magmem's own: facets that are not complete, and whole tables of
    the snapshot that the description cannot tell; see docs/machine-format.md.
    """

    format: str
    name: str = ""
    page_size: Natural = 4096
    timestamp: Timestamp | None = None
    memgraph_self_koid: Natural = 0
    root_job_koid: Natural | None = None
    jobs: list[Job] | None = None
    jobs_by_importance: list[Natural] | None = None
    kmem: Kmem | None = None
    arenas: list[Arena] | None = None
    kernel_aspace: Aspace | None = None
    vmos: list[Vmo] | None = None
    processes: list[Process] | None = None
    coverage: dict[str, str] | None = None
    tables: Tables | None = None

"""Everything the slow model knows of a machine: small records in dictionaries, by serial number.

Records name each other by serial, so that a whole state can be copied at once and thrown away
when an operation fails. Nothing is derived in advance: counts, sizes and statistics are worked out
from these records each time they are asked for. Sizes are bytes unless a name ends in ``_pages``.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field

from magmem.errors import KernelError

__all__ = [
    "PAGE",
    "Arena",
    "Aspace",
    "Handle",
    "Job",
    "Mapping",
    "Object",
    "Process",
    "Refused",
    "State",
    "Thread",
    "Vmar",
    "Vmo",
    "page_count",
    "refuse",
]

PAGE = 4096


def page_count(size_bytes: int) -> int:
    """Pages that hold so many bytes, the last one perhaps in part."""
    return -(-size_bytes // PAGE)


class Refused(Exception):
    """The machine must say no, by any one of these statuses (several rules may be broken)."""

    def __init__(self, statuses: Iterable[type[KernelError]]) -> None:
        self.statuses = frozenset(statuses)
        super().__init__(" or ".join(sorted(status.__name__ for status in self.statuses)))


def refuse(*cases: tuple[bool, type[KernelError]]) -> None:
    """Refuse if any rule is broken; each case is whether it is, and its status."""
    statuses = {status for broken, status in cases if broken}
    if statuses:
        raise Refused(statuses)


@dataclass
class Vmo:
    """A VMO and the pages it owns: page index -> 4096 bytes.

    `pins` are pins that can be undone, by page; pages in `for_good` have one more that cannot.
    """

    serial: int
    size_bytes: int
    name: str = ""
    physical: bool = False
    wired: bool = False
    parent: int | None = None
    parent_offset_pages: int = 0
    kernel_references: int = 0
    pages: dict[int, bytearray] = field(default_factory=dict)
    pins: dict[int, int] = field(default_factory=dict)
    for_good: set[int] = field(default_factory=set)


@dataclass
class Mapping:
    """A VMO in an address space; `entries` are the page numbers (address / 4096) installed.

    `allowed` are the permissions it can ever have: what the handle it was made with allows.
    """

    serial: int
    vmar: int
    base: int
    size_bytes: int
    perms: frozenset[str]
    vmo: int
    vmo_offset_pages: int
    map_seq: int
    allowed: frozenset[str] = frozenset("rwx")
    entries: set[int] = field(default_factory=set)

    @property
    def end(self) -> int:
        """The first address past it."""
        return self.base + self.size_bytes

    def vmo_page(self, vpn: int) -> int:
        """The page of the VMO that stands at this page of the address space."""
        return vpn - self.base // PAGE + self.vmo_offset_pages


@dataclass
class Vmar:
    """A range of an address space."""

    serial: int
    aspace: int
    parent: int | None
    base: int
    size_bytes: int
    perms: frozenset[str]
    specific: bool = True

    @property
    def end(self) -> int:
        """The first address past it."""
        return self.base + self.size_bytes


@dataclass
class Aspace:
    """An address space; `process` is None for the kernel's, `code` maps the vDSO's code."""

    serial: int
    process: int | None
    root: int
    code: int | None = None


@dataclass
class Job:
    """A node of the job tree."""

    serial: int
    parent: int | None
    name: str
    alive: bool = True


@dataclass
class Process:
    """A process; `handles` are serials, newest first."""

    serial: int
    job: int
    name: str
    state: str = "initial"
    exit_code: int | None = None
    held: bool = True
    aspace: int | None = None
    handles: list[int] = field(default_factory=list)


@dataclass
class Thread:
    """A thread; `stack` is the VMO of its kernel stack."""

    serial: int
    process: int
    name: str
    state: str = "new"
    exception_port: str = "none"
    stack: int = 0


@dataclass
class Object:
    """Any other kernel object: channel, port, event and so on."""

    serial: int
    kind: str
    packets: int = 0


@dataclass
class Handle:
    """A process's reference to an object: `kind` says which dictionary `target` is a key of."""

    serial: int
    process: int
    kind: str
    target: int
    rights: int


@dataclass
class Arena:
    """A fixed table of kernel entries in a VMO that two kernel mappings show (serials).

    Entry k takes 16 bytes of the control part and `entry_bytes` of the data part, and the pages
    under them are committed when it is first used. A freed entry is used before a new one.
    """

    control: int
    data: int
    entry_bytes: int
    used: int = 0
    live: int = 0


@dataclass
class State:
    """One machine state; `wired_pages` are those that no VMO owns.

    `vdso` are the variants of the vDSO; `kept_vmos` are those that the kernel's arenas lie in.
    """

    serials: int = 0
    map_seqs: int = 0
    vmos: dict[int, Vmo] = field(default_factory=dict)
    mappings: dict[int, Mapping] = field(default_factory=dict)
    vmars: dict[int, Vmar] = field(default_factory=dict)
    aspaces: dict[int, Aspace] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    processes: dict[int, Process] = field(default_factory=dict)
    threads: dict[int, Thread] = field(default_factory=dict)
    objects: dict[int, Object] = field(default_factory=dict)
    handles: dict[int, Handle] = field(default_factory=dict)
    arenas: dict[str, Arena] = field(default_factory=dict)
    kept_jobs: set[int] = field(default_factory=set)
    vdso: set[int] = field(default_factory=set)
    kept_vmos: set[int] = field(default_factory=set)
    kernel_aspace: int = 0
    total_pages: int = 0
    wired_pages: int = 0
    other_pages: int = 0
    heap_pages: int = 0
    boot_table_pages: int = 0
    heap_base_bytes: int = 0

    def serial(self) -> int:
        """A number never used before."""
        self.serials += 1
        return self.serials

    def map_seq(self) -> int:
        """The creation number of the next mapping."""
        self.map_seqs += 1
        return self.map_seqs

    def copy(self) -> State:
        """The same state again, sharing nothing with this one."""
        copied: State = pickle.loads(pickle.dumps(self, protocol=5))  # noqa: S301 (our own bytes)
        return copied

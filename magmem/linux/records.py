"""What is read of a Linux machine: a record for each process, and the whole of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from magmem.linux.descriptors import Descriptor
from magmem.linux.entries import Entries
from magmem.linux.huge import HugeMapping
from magmem.linux.kmem import Machine
from magmem.linux.memory_files import MemoryFiles
from magmem.linux.process import PssSums, Stat
from magmem.linux.smaps import Mappings

__all__ = ["ProcessRecord", "Reading"]


@dataclass(slots=True)
class ProcessRecord:
    """What was read of one process; None for what may not be read.

    Attributes
    ----------
    first_mapping : int
        Number of its first mapping among those of all processes.
    same_space_as : int or None
        A process in whose address space it runs; it has no mappings of its own then.
    huge : tuple of HugeMapping
        Its mappings with huge pages of the reserved pool.
    read_through : int or None
        The thread through which it was read, because its main thread has ended.
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
    huge: tuple[HugeMapping, ...] = ()
    read_through: int | None = None

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
        What could not be understood, so that it is missing: where, and the error.
    remarks : list of (str, str)
        What was passed over without loss: where, and a sentence.
    in_flight : list of int
        Pids that hold sockets with descriptors in them that nobody has taken out yet.
    pipe_bytes : int
        What lies in pipes.
    source : str
        What the snapshot is called: ``live``, or the name of a tree that was saved.
    seconds : float
        How long reading took: what is told is of that span, not of one moment.
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
    gone: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    no_descriptors: list[int] = field(default_factory=list)
    odd: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    pipe_bytes: int = 0
    source: str = "live"
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.memory = MemoryFiles(self.page_bytes)

"""The simulated machine (`Machine`): jobs, handles, VMARs, VMOs, clones, arenas.

Nothing here knows who reads its snapshots.
"""

from magmem.sim.boot import BootPlan
from magmem.sim.handle import Handle, ProcessHandle
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.history import History
from magmem.sim.job import Job
from magmem.sim.kmem import KernelMemory
from magmem.sim.machine import Machine
from magmem.sim.mapping import Mapping
from magmem.sim.process import Process
from magmem.sim.rights import (
    RIGHT_DUPLICATE,
    RIGHT_EXECUTE,
    RIGHT_GET_PROPERTY,
    RIGHT_MAP,
    RIGHT_READ,
    RIGHT_SET_PROPERTY,
    RIGHT_TRANSFER,
    RIGHT_WRITE,
)
from magmem.sim.statistics import TaskStatistics
from magmem.sim.thread import Thread
from magmem.sim.vmar import Vmar
from magmem.sim.vmar_handle import VmarHandle
from magmem.sim.vmo import MAX_VMO_BYTES, Vmo
from magmem.sim.vmo_handle import VmoHandle

__all__ = [
    "HEAP_BYTES",
    "MAX_VMO_BYTES",
    "RIGHT_DUPLICATE",
    "RIGHT_EXECUTE",
    "RIGHT_GET_PROPERTY",
    "RIGHT_MAP",
    "RIGHT_READ",
    "RIGHT_SET_PROPERTY",
    "RIGHT_TRANSFER",
    "RIGHT_WRITE",
    "BootPlan",
    "Handle",
    "History",
    "Job",
    "KernelMemory",
    "Machine",
    "Mapping",
    "Process",
    "ProcessHandle",
    "TaskStatistics",
    "Thread",
    "Vmar",
    "VmarHandle",
    "Vmo",
    "VmoHandle",
]

"""The simulated machine (`Machine`): jobs, handles, VMARs, VMOs, clones, arenas.

Nothing here knows who reads its snapshots.
"""

from magmem.sim.boot import BootPlan
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.history import History
from magmem.sim.kmem import KernelMemory
from magmem.sim.machine import Machine
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
from magmem.sim.vmo import MAX_VMO_BYTES

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
    "History",
    "KernelMemory",
    "Machine",
]

"""A kernel arena: a fixed table of equal entries in a kernel VMO that is committed as it fills.

Handles live in `arena:handles`, port packets in `arena:packets`. The VMO is mapped only into the
kernel, in two parts with a guard page between: a control part (a 16-byte node per entry, for the
list of free ones) and the entries themselves (reference/kernel.md "Objects"). Entries are taken
lowest first, a freed one before a new one; pages once committed stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.sim.arguments import round_up
from magmem.sim.mapping import Mapping, fault
from magmem.sim.perms import WRITE
from magmem.sim.vmo import Vmo
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.kernel import Kernel

__all__ = ["NODE_BYTES", "KernelArena"]

NODE_BYTES: Final = 16


class KernelArena:
    """One arena.

    Attributes
    ----------
    name : str
        Such as ``arena:handles``.
    entry_bytes, entries : int
        Size of an entry, and how many there can be.
    live : int
        Entries in use.
    used, ready : int
        Entries that were ever in use, and that have their bytes committed.
    vmo : Vmo
        Its memory.
    """

    __slots__ = (
        "control",
        "data",
        "entries",
        "entry_bytes",
        "free",
        "kernel",
        "live",
        "name",
        "ready",
        "used",
        "vmo",
    )

    def __init__(self, kernel: Kernel, name: str, entry_bytes: int, entries: int) -> None:
        self.kernel = kernel
        self.name = name
        self.entry_bytes = entry_bytes
        self.entries = entries
        self.live = 0
        self.used = 0
        self.ready = 0
        self.free: list[int] = []
        control_bytes = round_up(NODE_BYTES * entries)
        data_bytes = round_up(entry_bytes * entries)
        self.vmo: Vmo = kernel.new_vmo(control_bytes + data_bytes, name)
        vmar = kernel.new_vmar(name, control_bytes + PAGE_BYTES + data_bytes)
        self.control: Mapping = vmar.place_mapping(self.vmo, 3, 3, 0, control_bytes, 0)
        self.data: Mapping = vmar.place_mapping(
            self.vmo, 3, 3, control_bytes, data_bytes, control_bytes + PAGE_BYTES
        )

    def has_room(self, count: int) -> bool:
        """Whether that many more entries can be taken."""
        return self.live + count <= self.entries

    def pages_for(self, count: int) -> int:
        """Pages to be committed, with their page tables, before `count` entries can be taken."""
        end = self.used + count - len(self.free)
        if end <= self.ready:
            return 0
        tables = self.kernel.aspace.tables
        needed = 0
        runs = []
        for mapping, size in ((self.control, NODE_BYTES), (self.data, self.entry_bytes)):
            first = mapping.base >> 12
            low, high = _pages(self.used, end, size)
            gaps = self.vmo.pages.gaps(low + mapping.vmo_first, high + mapping.vmo_first)
            needed += sum(e - s for s, e in gaps)
            runs += [
                (first + s - mapping.vmo_first, first + e - mapping.vmo_first) for s, e in gaps
            ]
        return needed + tables.lacking(runs) if needed else 0

    def take(self) -> int:
        """One entry's number; its pages have been required."""
        self.live += 1
        if self.free:
            return self.free.pop()
        entry = self.used
        self.used = entry + 1
        if entry >= self.ready:
            self._commit(entry)
        return entry

    def _commit(self, entry: int) -> None:
        """Commit the pages that an entry needs in both parts."""
        ready = self.entries
        for mapping, size in ((self.control, NODE_BYTES), (self.data, self.entry_bytes)):
            low, high = _pages(entry, entry + 1, size)
            fault(mapping, low, high, WRITE, mapping.base + low * PAGE_BYTES)
            ready = min(ready, high * PAGE_BYTES // size)
        self.ready = ready

    def give(self, entry: int) -> None:
        """Free an entry."""
        self.live -= 1
        self.free.append(entry)


def _pages(first: int, end: int, size_bytes: int) -> tuple[int, int]:
    return first * size_bytes // PAGE_BYTES, -(-end * size_bytes // PAGE_BYTES)

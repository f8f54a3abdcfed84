"""A process's handle table: values, and the objects behind them.

A handle's value is its identity in the handle arena, scrambled with a secret of the process; it is
always odd. Dropping the last handle to an object tells the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.sim.arguments import wrong
from magmem.sim.handle import Handle, KernelObject, ProcessHandle, TaskHandle
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.objects import Object, PortHandle
from magmem.sim.rights import default_rights
from magmem.sim.thread import Thread
from magmem.sim.vmar import Vmar
from magmem.sim.vmar_handle import VmarHandle
from magmem.sim.vmo import Vmo
from magmem.sim.vmo_handle import VmoHandle

if TYPE_CHECKING:
    from magmem.sim.process import Process

__all__ = ["HandleTable", "object_type"]

_CLASSES: Final = {
    "vmo": VmoHandle,
    "vmar": VmarHandle,
    "port": PortHandle,
    "job": TaskHandle,
    "process": ProcessHandle,
    "thread": TaskHandle,
}


class HandleTable:
    """The handles of one process.

    Attributes
    ----------
    by_value : dict of int to Handle
        Oldest first.
    secret : int
        What values are scrambled with; even.
    """

    __slots__ = ("by_value", "process", "secret")

    def __init__(self, process: Process, secret: int) -> None:
        self.process = process
        self.secret = secret
        self.by_value: dict[int, Handle] = {}

    def new(
        self, target: KernelObject, rights: int | None = None, kind: str | None = None
    ) -> Handle:
        """Put a new handle in; arena and heap for it have been required."""
        machine = self.process.machine
        if kind is None:
            kind = object_type(target)
        if rights is None:
            rights = default_rights(kind, target.mask if isinstance(target, Vmar) else 0)
        entry, identity = machine.kernel.take_handle()
        handle = self._insert(target, rights, kind, entry, identity)
        target.handle_count += 1
        if target.handle_count == 1 and kind in ("vmo", "vmar"):
            machine.heap.take(HEAP_BYTES[f"{kind} dispatcher"])
        return handle

    def adopt(self, handle: Handle) -> Handle:
        """Take over another process's handle; its place in the arena stays."""
        giver = handle.process.table
        identity = (handle.value ^ giver.secret) >> 1
        del giver.by_value[handle.value]
        handle.alive = False
        return self._insert(handle.object, handle.rights, handle.type, handle.entry, identity)

    def drop(self, handle: Handle) -> None:
        """Take a handle out; its object may die of it."""
        handle.alive = False
        del self.by_value[handle.value]
        self.process.machine.kernel.handle_arena.give(handle.entry)
        target = handle.object
        target.handle_count -= 1
        if not target.handle_count:
            target.last_handle_closed()

    def _insert(
        self, target: KernelObject, rights: int, kind: str, entry: int, identity: int
    ) -> Handle:
        value = (identity << 1 | 1) ^ self.secret
        handle = _CLASSES.get(kind, Handle)(self.process, value, kind, target, rights, entry)
        self.by_value[value] = handle
        return handle


def object_type(target: KernelObject) -> str:
    """The type of an object, as in the snapshot's handles table."""
    from magmem.sim.job import Job
    from magmem.sim.process import Process

    if isinstance(target, Object):
        return target.type
    for cls, kind in (
        (Vmo, "vmo"),
        (Vmar, "vmar"),
        (Process, "process"),
        (Thread, "thread"),
        (Job, "job"),
    ):
        if isinstance(target, cls):
            return kind
    raise wrong("target", "a kernel object", target)

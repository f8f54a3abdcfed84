"""The other kernel objects: channels, events, ports, sockets, timers, fifos and more.

For memory accounting they matter by what they cost: heap bytes (`magmem.sim.heap.HEAP_BYTES`), and
a port's queued packets, which live in the kernel arena `arena:packets`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.errors import BadState, NoMemory
from magmem.sim.arguments import number_of
from magmem.sim.handle import Handle
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.rights import RIGHT_READ, RIGHT_WRITE

if TYPE_CHECKING:
    from magmem.sim.machine import Machine

__all__ = ["OTHER_TYPES", "PAIR_TYPES", "SINGLE_TYPES", "Object", "Port", "PortHandle"]

PAIR_TYPES: Final = ("channel", "event-pair", "socket", "fifo")
"""Types made as two ends, a handle to each."""

SINGLE_TYPES: Final = ("event", "port", "timer")

OTHER_TYPES: Final = ("log", "resource", "interrupt", "pci-device", "guest", "vcpu")
"""Types that `k mx ps` counts only in the total."""


class Object:
    """An object that is nothing but its koid and its cost.

    Attributes
    ----------
    koid : int
    type : str
        As in the snapshot's handles table.
    handle_count : int
        Handles to it; it dies with the last.
    peer : Object or None
        The living other end of a channel, event pair, socket or fifo.
    """

    __slots__ = ("alive", "handle_count", "koid", "machine", "peer", "type")

    def __init__(self, machine: Machine, kind: str, koid: int) -> None:
        self.machine = machine
        self.type = kind
        self.koid = koid
        self.handle_count = 0
        self.peer: Object | None = None
        self.alive = True
        machine.heap.take(HEAP_BYTES[kind])
        machine.objects[koid] = self

    def last_handle_closed(self) -> None:
        """Die."""
        self.alive = False
        self.machine.heap.used -= HEAP_BYTES[self.type]
        del self.machine.objects[self.koid]
        if self.peer is not None:
            self.peer.peer = None
            self.peer = None

    def __repr__(self) -> str:
        return f"<{self.type} {self.koid}>"


class Port(Object):
    """A port; `packets` are the arena entries of what is queued, oldest first."""

    __slots__ = ("packets",)

    def __init__(self, machine: Machine, koid: int) -> None:
        super().__init__(machine, "port", koid)
        self.packets: list[int] = []

    def last_handle_closed(self) -> None:
        """Die, and give the queued packets back."""
        for entry in self.packets:
            self.machine.kernel.packet_arena.give(entry)
        self.packets = []
        super().last_handle_closed()


class PortHandle(Handle):
    """A handle to a port."""

    __slots__ = ()

    object: Port

    def queue(self, count: int = 1) -> None:
        """Queue packets; needs the right to write.

        Raises
        ------
        NoMemory
            The packet arena is full, or its next page does not fit; nothing is queued.
        """
        self.need(RIGHT_WRITE, "queueing a packet")
        arena = self.machine.kernel.packet_arena
        number_of(count, "count", 0, 1 << 32)
        if not arena.has_room(count):
            raise NoMemory(f"{arena.name} holds {arena.entries} packets, {arena.live} are queued")
        self.machine.physical.require(arena.pages_for(count), "queueing packets")
        self.object.packets += [arena.take() for _ in range(count)]
        self.record("queue", count)

    def dequeue(self, count: int = 1) -> None:
        """Take the oldest packets out; needs the right to read.

        Raises
        ------
        BadState
            Fewer are queued.
        """
        self.need(RIGHT_READ, "reading a packet")
        packets = self.object.packets
        number_of(count, "count", 0, 1 << 32)
        if count > len(packets):
            raise BadState(f"expected {count} packets queued, found {len(packets)}")
        for entry in packets[:count]:
            self.machine.kernel.packet_arena.give(entry)
        del packets[:count]
        self.record("dequeue", count)

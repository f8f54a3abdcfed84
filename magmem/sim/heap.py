"""The kernel heap: what each kernel object costs, and the pages the heap has taken.

Costs are bytes with the allocator's header. Those of VMOs, mappings, VMARs and address spaces
follow from the distances between neighbouring objects in dumps of 2017 (a paged VMO and its mapping
lie 0x110 apart, a mapping and the next VMO 0xa0); the others are plausible sizes of the same
order. The heap grows by whole 64 KiB and never gives pages back, so what dies inside it shows as
free heap bytes, not as free pages.

Every object gets the next free bytes as its address, none is reused: objects are numbered by their
place, so a number is unique and tells the age.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from magmem.sim.physical import HEAP, Frames, PhysicalMemory
from magmem.units import PAGE_BYTES

__all__ = ["GROW_PAGES", "HEAP_BYTES", "MAPPING_BYTES", "KernelHeap"]

GROW_PAGES: Final = 16
"""The heap grows by 64 KiB at a time."""

HEAP_BYTES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "address space": 432,
        "vmar": 192,
        "vmar dispatcher": 96,
        "mapping": 160,
        "paged vmo": 272,
        "physical vmo": 240,
        "vmo dispatcher": 96,
        "job": 288,
        "process": 1024,
        "thread": 1536,
        "kernel thread": 9728,
        "channel": 160,
        "event": 96,
        "event-pair": 112,
        "port": 224,
        "socket": 4288,
        "timer": 208,
        "fifo": 4256,
        "log": 160,
        "resource": 128,
        "interrupt": 128,
        "pci-device": 256,
        "guest": 416,
        "vcpu": 512,
    }
)
"""Heap bytes of each kernel object. A kernel thread's stack lies in the heap (8 KiB of its cost), a
user thread's in a VMO of its own; each end of a socket or fifo has a buffer of 4 KiB. A dispatcher
is what handles refer to: it lives while a VMO or VMAR has handles. Handles themselves live in the
handle arena."""

MAPPING_BYTES: Final = HEAP_BYTES["mapping"]


class KernelHeap:
    """Bytes in use, pages taken, and the next object's place.

    Attributes
    ----------
    used : int
        Bytes in use.
    capacity : int
        Bytes of the pages taken, a multiple of 64 KiB.
    base : int
        Address of the first object.
    serial : int
        Place of the next object, in units of 16 bytes from `base`.
    frames : list of Frames
        The pages taken.
    """

    __slots__ = ("base", "capacity", "frames", "physical", "serial", "used")

    def __init__(self, physical: PhysicalMemory, base: int) -> None:
        self.physical = physical
        self.base = base
        self.used = 0
        self.capacity = 0
        self.serial = 0
        self.frames: list[Frames] = []

    def growth_pages(self, size_bytes: int) -> int:
        """Pages the heap must take before it can hold that many bytes more."""
        lack = self.used + size_bytes - self.capacity
        return -(-lack // (GROW_PAGES * PAGE_BYTES)) * GROW_PAGES if lack > 0 else 0

    def take(self, size_bytes: int) -> int:
        """Bytes for one object; returns its serial. The caller has required the growth."""
        serial = self.serial
        self.serial = serial + (size_bytes >> 4)
        self.used += size_bytes
        if self.used > self.capacity:
            self.grow(self.growth_pages(0))
        return serial

    def grow(self, pages: int) -> None:
        """Take pages of physical memory."""
        self.frames += self.physical.take(pages, HEAP)
        self.capacity += pages * PAGE_BYTES

    def address(self, serial: int) -> int:
        """Where the object of that serial lies."""
        return self.base + (serial << 4)

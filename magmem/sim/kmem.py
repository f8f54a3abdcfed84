"""Kernel memory statistics: sums over page states, and the heap's bytes.

total = free + VMOs + heap (in use and free) + wired + mmu + other, to the byte
(reference/kernel.md "Physical memory").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from magmem.sim.physical import ALLOC, FREE, HEAP, MMU, OBJECT, WIRED
from magmem.units import PAGE_BYTES

__all__ = ["KernelMemory"]


@dataclass(frozen=True)
class KernelMemory:
    """Kernel memory statistics, in bytes; the names are those of the snapshot's kmem table."""

    total_bytes: int
    free_bytes: int
    wired_bytes: int
    total_heap_bytes: int
    free_heap_bytes: int
    vmo_bytes: int
    mmu_overhead_bytes: int
    other_bytes: int

    @classmethod
    def of(cls, heap_used: int, pages: Sequence[int]) -> KernelMemory:
        """From the heap bytes in use and the pages in each state."""
        heap = pages[HEAP] * PAGE_BYTES
        return cls(
            total_bytes=sum(pages) * PAGE_BYTES,
            free_bytes=pages[FREE] * PAGE_BYTES,
            wired_bytes=pages[WIRED] * PAGE_BYTES,
            total_heap_bytes=heap,
            free_heap_bytes=heap - heap_used,
            vmo_bytes=pages[OBJECT] * PAGE_BYTES,
            mmu_overhead_bytes=pages[MMU] * PAGE_BYTES,
            other_bytes=pages[ALLOC] * PAGE_BYTES,
        )

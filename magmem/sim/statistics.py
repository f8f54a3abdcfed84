"""The memory of one process as the kernel sums it up for `ps`.

Mapping by mapping: what of its VMO is committed in its range, and how many address spaces share
that VMO. A share is rounded down per mapping (reference/kernel.md "Tasks", "Share count").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magmem.sim.aspace import AddressSpace

__all__ = ["TaskStatistics"]


@dataclass(frozen=True)
class TaskStatistics:
    """Task statistics of one process.

    Attributes
    ----------
    mapped_bytes : int
        Length of all mappings.
    private_bytes, shared_bytes : int
        Committed bytes of mappings whose VMO has one sharer, and of those that have more.
    scaled_shared_bytes : int
        The shared bytes of each mapping divided by its sharers.
    """

    mapped_bytes: int
    private_bytes: int
    shared_bytes: int
    scaled_shared_bytes: int

    @property
    def pss_bytes(self) -> int:
        """Private and scaled bytes together: PSS of `ps`."""
        return self.private_bytes + self.scaled_shared_bytes

    @classmethod
    def of(cls, aspace: AddressSpace) -> TaskStatistics:
        """Sum up an address space."""
        mapped = private = shared = scaled = 0
        for mapping in aspace.mappings():
            mapped += mapping.size_bytes
            committed = mapping.resident_bytes
            share = mapping.vmo.share_count
            if share == 1:
                private += committed
            else:
                shared += committed
                scaled += committed // share
        return cls(mapped, private, shared, scaled)

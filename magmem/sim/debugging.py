"""A debugger's look into another process's memory.

It goes past the permissions of mappings, straight to the VMO behind an address, so a write commits
pages behind a read-only mapping; a read commits nothing (reference/kernel.md "Tasks"). As in the
kernel of 2017 one call reaches one VMO: the first mapping decides which, and the range ends where
that VMO does, not where the mapping does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.errors import AccessDenied, InvalidArgs, NoMemory
from magmem.sim import vmo_access
from magmem.sim.arguments import shown, shown_hex, size_of

if TYPE_CHECKING:
    from magmem.sim.aspace import AddressSpace
    from magmem.sim.vmo import Vmo

__all__ = ["MAX_DEBUG_BYTES", "debugged_length", "read", "write"]

MAX_DEBUG_BYTES: Final = 64 << 20
"""Most bytes of one call."""


def debugged_length(length: int | str) -> int:
    """The length of a call; 0 and more than 64 MiB are `InvalidArgs`."""
    size = size_of(length, "length")
    if not 0 < size <= MAX_DEBUG_BYTES:
        raise InvalidArgs(f"length: expected 1 … {MAX_DEBUG_BYTES}, found {shown(size)}")
    return size


def read(aspace: AddressSpace, address: int, length: int) -> bytes:
    """Bytes of the VMO behind an address.

    Raises
    ------
    NoMemory
        Nothing is mapped there.
    OutOfRange
        The address shows a place past the VMO's end.
    NotSupported
        A physical VMO, whose bytes are a device's.
    """
    vmo, offset = _behind(aspace, address)
    return vmo_access.read_pages(vmo, offset, vmo_access.trim(vmo, offset, length))


def write(aspace: AddressSpace, address: int, data: bytes) -> bytes:
    """Write to the VMO behind an address; returns what of the data found room in it."""
    vmo, offset = _behind(aspace, address)
    part = data[: vmo_access.trim(vmo, offset, len(data))]
    if vmo.is_kernels:
        raise AccessDenied(f"writing memory: {vmo!r} is the kernel's own data")
    vmo_access.write(vmo, offset, part)
    return part


def _behind(aspace: AddressSpace, address: int) -> tuple[Vmo, int]:
    mapping = aspace.find(address)
    if mapping is None:
        raise NoMemory(f"nothing is mapped at {shown_hex(address)}")
    vmo_access.require_paged(mapping.vmo, "bytes")
    return mapping.vmo, address - mapping.base + mapping.vmo_offset_bytes

"""What the kernel holds userspace to about the vDSO's code.

A process may map the vDSO's code once, all of it and at its own place, and can never unmap it,
overwrite it or change its permissions; it goes when the process ends. So whoever finds that
mapping in an address space can trust it (Zircon's VmAddressRegion and VmMapping, September 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.errors import AccessDenied
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.aspace import AddressSpace

__all__ = ["CODE_BYTES", "CODE_OFFSET", "VDSO_PAGES", "check_code", "check_spared"]

VDSO_PAGES: Final = 7
CODE_OFFSET: Final = 6 * PAGE_BYTES
"""Of the vDSO's pages the last is code, the others are read-only data."""

CODE_BYTES: Final = PAGE_BYTES


def check_code(aspace: AddressSpace, vmo_offset: int, size_bytes: int) -> None:
    """Refuse an executable mapping of the vDSO that is not the one a process may have."""
    if aspace.koid == 0:
        return
    if aspace.vdso_code is not None:
        raise AccessDenied(f"the vDSO's code is mapped in {aspace.name} already")
    if (vmo_offset, size_bytes) != (CODE_OFFSET, CODE_BYTES):
        raise AccessDenied(
            f"of the vDSO only the {CODE_BYTES} bytes of code at {CODE_OFFSET:#x} may be mapped "
            f"executable, found {size_bytes} at {vmo_offset:#x}"
        )


def check_spared(aspace: AddressSpace, base: int, end: int) -> None:
    """Refuse to change a range that the vDSO's code lies in."""
    code = aspace.vdso_code
    if code is not None and code.base < end and base < code.end:
        raise AccessDenied(f"{code!r} is the vDSO's code: it stays as long as the process")

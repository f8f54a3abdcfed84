"""Access by address, page by page: faults, touching, reading, writing, and a debugger's look.

An access that faults half-way leaves the pages before the fault as it made them; only then does it
raise (reference/kernel.md "VMARs and mappings").
"""

from __future__ import annotations

from sim.model import vmars, vmos
from sim.model.state import PAGE, Mapping, Refused, State, page_count, refuse

from magmem.errors import NoMemory, NotSupported, PageFault

__all__ = ["behind", "read", "touch", "write"]


def touch(state: State, aspace: int, address: int, length: int, access: str) -> int:
    """Fault in every page of the range, in address order; returns the pages newly committed."""
    good, refusal = _reach(state, aspace, address, length, access)
    new = 0
    for vpn in vmos.covered(address, good):
        new += _fault(state, _mapped(state, aspace, vpn), vpn, access)
    if refusal is not None:
        raise refusal
    return new


def read(state: State, aspace: int, address: int, length: int) -> bytes:
    """Bytes seen through the mappings."""
    good, refusal = _reach(state, aspace, address, length, "read")
    _need_ram(state, aspace, address, good)
    seen = b""
    for vpn in vmos.covered(address, good):
        mapping = _mapped(state, aspace, vpn)
        _fault(state, mapping, vpn, "read")
        seen += vmos.page_bytes(state, mapping.vmo, mapping.vmo_page(vpn))
    if refusal is not None:
        raise refusal
    skip = address % PAGE
    return seen[skip : skip + length]


def write(state: State, aspace: int, address: int, data: bytes) -> int:
    """Write through the mappings, in address order; returns the pages newly committed."""
    good, refusal = _reach(state, aspace, address, len(data), "write")
    _need_ram(state, aspace, address, good)
    new = 0
    for vpn in vmos.covered(address, good):
        mapping = _mapped(state, aspace, vpn)
        new += _fault(state, mapping, vpn, "write")
        start, end = max(address, vpn * PAGE), min(address + good, (vpn + 1) * PAGE)
        offset = mapping.vmo_page(vpn) * PAGE + start % PAGE
        vmos.write_bytes(state, mapping.vmo, offset, data[start - address : end - address])
    if refusal is not None:
        raise refusal
    return new


def behind(state: State, aspace: int, address: int) -> tuple[int, int]:
    """The VMO that a debugger reaches at an address, and where in it."""
    mapping = vmars.mapping_at(state, aspace, address)
    if mapping is None:
        raise Refused([NoMemory])
    return mapping.vmo, address - mapping.base + mapping.vmo_offset_pages * PAGE


def _reach(
    state: State, aspace: int, address: int, length: int, access: str
) -> tuple[int, PageFault | None]:
    """How many bytes can be accessed, and the fault of the first that cannot."""
    need, word = {"read": "r readable", "write": "w writable", "execute": "x executable"}[
        access
    ].split()
    for vpn in vmos.covered(address, length):
        mapping = vmars.mapping_at(state, aspace, vpn * PAGE)
        if mapping is None:
            reason = "no mapping"
        elif need not in mapping.perms:
            reason = f"mapping is not {word}"
        elif mapping.vmo_page(vpn) >= page_count(state.vmos[mapping.vmo].size_bytes):
            reason = "past the end of the VMO"
        else:
            continue
        bad = max(address, vpn * PAGE)
        return bad - address, PageFault(bad, access, reason)
    return length, None


def _need_ram(state: State, aspace: int, address: int, length: int) -> None:
    """Refuse to move bytes where a physical VMO is mapped: the laboratory has no devices."""
    found = [vmars.mapping_at(state, aspace, vpn * PAGE) for vpn in vmos.covered(address, length)]
    refuse((any(m is not None and state.vmos[m.vmo].physical for m in found), NotSupported))


def _mapped(state: State, aspace: int, vpn: int) -> Mapping:
    mapping = vmars.mapping_at(state, aspace, vpn * PAGE)
    assert mapping is not None
    return mapping


def _fault(state: State, mapping: Mapping, vpn: int, access: str) -> int:
    """One page fault: a write gives the VMO a page of its own; then the entry is installed."""
    new = 0
    if access == "write" and not state.vmos[mapping.vmo].physical:
        new = vmos.make_own(state, mapping.vmo, mapping.vmo_page(vpn))
    mapping.entries.add(vpn)
    return new

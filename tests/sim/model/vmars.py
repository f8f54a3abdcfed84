"""Address spaces, page by page (reference/kernel.md "VMARs and mappings").

Addresses are absolute. Where the kernel picks a place at random, the caller says which it picked
and the model judges whether it was allowed to. Functions that must say no raise `Refused`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sim.model import vmos
from sim.model.state import PAGE, Aspace, Mapping, State, Vmar, page_count, refuse

from magmem.errors import (
    AccessDenied,
    InvalidArgs,
    KernelError,
    NoMemory,
    NotFound,
    NotSupported,
    PageFault,
)

__all__ = [
    "allocate",
    "can_place",
    "children",
    "destroy",
    "destroy_aspace",
    "fits_somewhere",
    "mapping_at",
    "need_access",
    "need_ram",
    "new_aspace",
    "place",
    "place_errors",
    "protect",
    "read",
    "table_pages",
    "touch",
    "unmap",
    "write",
]


def new_aspace(state: State, process: int | None, base: int, size_bytes: int) -> Aspace:
    """An address space with its root VMAR."""
    aspace = Aspace(state.serial(), process, 0)
    root = Vmar(state.serial(), aspace.serial, None, base, size_bytes, frozenset("rwx"))
    aspace.root = root.serial
    state.aspaces[aspace.serial] = aspace
    state.vmars[root.serial] = root
    return aspace


def children(state: State, vmar: int) -> list[Vmar | Mapping]:
    """What lies in a VMAR, in address order."""
    inside: list[Vmar | Mapping] = [v for v in state.vmars.values() if v.parent == vmar]
    inside += [mapping for mapping in state.mappings.values() if mapping.vmar == vmar]
    return sorted(inside, key=lambda node: node.base)


def gaps(state: State, vmar: int) -> Iterator[tuple[int, int]]:
    """The free ranges of a VMAR (start, end)."""
    start = state.vmars[vmar].base
    for node in children(state, vmar):
        if node.base > start:
            yield start, node.base
        start = node.end
    if state.vmars[vmar].end > start:
        yield start, state.vmars[vmar].end


def can_place(state: State, vmar: int, base: int, size_bytes: int) -> bool:
    """Whether this page-aligned range of the VMAR is free."""
    return base % PAGE == 0 and any(
        start <= base and base + size_bytes <= end for start, end in gaps(state, vmar)
    )


def fits_somewhere(state: State, vmar: int, size_bytes: int) -> bool:
    """Whether some gap is wide enough."""
    return any(end - start >= size_bytes for start, end in gaps(state, vmar))


def place_errors(
    state: State,
    vmar: int,
    size_bytes: int,
    base: int | None,
    perms: frozenset[str],
    *,
    overwrite: bool,
    is_mapping: bool,
) -> list[tuple[bool, type[KernelError]]]:
    """Each rule of placement: whether it is broken, and the status it gives."""
    region = state.vmars[vmar]
    size_bytes = page_count(size_bytes) * PAGE
    errors: list[tuple[bool, type[KernelError]]] = [
        (size_bytes <= 0, InvalidArgs),
        (not perms <= region.perms, AccessDenied),
        (is_mapping and "w" in perms and "r" not in perms, InvalidArgs),
        (base is None and overwrite, InvalidArgs),
        (size_bytes > region.size_bytes, InvalidArgs),
    ]
    if base is None:
        return [*errors, (not fits_somewhere(state, vmar, size_bytes), NoMemory)]
    outside = base < region.base or base + size_bytes > region.end
    in_the_way = [
        node for node in children(state, vmar) if node.base < base + size_bytes and base < node.end
    ]
    vmars_in_the_way = any(isinstance(node, Vmar) for node in in_the_way)
    return [
        *errors,
        (not region.specific, AccessDenied),
        (base % PAGE != 0, InvalidArgs),
        (outside, InvalidArgs),
        (bool(in_the_way) and not overwrite, NoMemory),
        (vmars_in_the_way, NoMemory),
        (vmars_in_the_way and overwrite, InvalidArgs),
    ]


def place(
    state: State,
    vmar: int,
    base: int,
    length: int,
    perms: frozenset[str],
    vmo: int,
    vmo_offset: int,
    allowed: frozenset[str] = frozenset("rwx"),
) -> int:
    """Make a mapping; mappings in its way give way (the caller checked that they may)."""
    size_bytes = page_count(length) * PAGE
    _cut(state, vmar, base, base + size_bytes)
    first = vmo_offset // PAGE
    mapping = Mapping(
        state.serial(), vmar, base, size_bytes, perms, vmo, first, state.map_seq(), allowed
    )
    state.mappings[mapping.serial] = mapping
    vmos.sweep(state)
    return mapping.serial


def allocate(
    state: State, vmar: int, base: int, size_bytes: int, perms: frozenset[str], *, specific: bool
) -> int:
    """Make a child VMAR."""
    aspace = state.vmars[vmar].aspace
    size_bytes = page_count(size_bytes) * PAGE
    child = Vmar(state.serial(), aspace, vmar, base, size_bytes, perms, specific)
    state.vmars[child.serial] = child
    return child.serial


def unmap(state: State, vmar: int, address: int, length: int) -> None:
    """Free a range: mappings shrink or split, covered child VMARs go with all in them."""
    region = state.vmars[vmar]
    end = address + page_count(length) * PAGE
    inside = [n for n in children(state, vmar) if n.base < end and address < n.end]
    cut = [n for n in inside if isinstance(n, Vmar) and (n.base < address or n.end > end)]
    refuse(
        (address % PAGE != 0 or length <= 0, InvalidArgs),
        (address < region.base or end > region.end, InvalidArgs),
        (bool(cut), InvalidArgs),
    )
    for node in inside:
        if isinstance(node, Vmar):
            destroy(state, node.serial)
    _cut(state, vmar, address, end)
    vmos.sweep(state)


def protect(state: State, vmar: int, address: int, length: int, perms: frozenset[str]) -> None:
    """Change permissions; a mapping splits where the range begins or ends inside it."""
    region = state.vmars[vmar]
    end = address + page_count(length) * PAGE
    inside = [n for n in children(state, vmar) if n.base < end and address < n.end]
    whole = sum(min(n.end, end) - max(n.base, address) for n in inside) == end - address
    refuse(
        (address % PAGE != 0 or length <= 0, InvalidArgs),
        (address < region.base or end > region.end, InvalidArgs),
        ("w" in perms and "r" not in perms, InvalidArgs),
        (not perms <= region.perms, AccessDenied),
        (any(isinstance(n, Mapping) and not perms <= n.allowed for n in inside), AccessDenied),
        (any(isinstance(n, Vmar) for n in inside), InvalidArgs),
        (not whole, NotFound),
    )
    for node in inside:
        assert isinstance(node, Mapping)
        if node.base < address:
            node = _split(state, node, address)  # noqa: PLW2901 (the part inside)
        if node.end > end:
            _split(state, node, end)
        node.perms = perms
        if not perms:
            node.entries = set()


def destroy(state: State, vmar: int) -> None:
    """Remove a VMAR and all in it."""
    for node in children(state, vmar):
        if isinstance(node, Vmar):
            destroy(state, node.serial)
        else:
            del state.mappings[node.serial]
    del state.vmars[vmar]
    vmos.sweep(state)


def destroy_aspace(state: State, aspace: int) -> None:
    """The end of an address space."""
    root = state.aspaces[aspace].root
    if root in state.vmars:
        destroy(state, root)
    del state.aspaces[aspace]


def mapping_at(state: State, aspace: int, address: int) -> Mapping | None:
    """The mapping that covers this address."""
    for mapping in state.mappings.values():
        inside = mapping.base <= address < mapping.end
        if inside and state.vmars[mapping.vmar].aspace == aspace:
            return mapping
    return None


def need_access(state: State, aspace: int, address: int, length: int, access: str) -> None:
    """Raise the `PageFault` of the first page of the range that cannot be accessed."""
    need, word = {"read": "r readable", "write": "w writable", "execute": "x executable"}[
        access
    ].split()
    for vpn in vmos.covered(address, length):
        mapping = mapping_at(state, aspace, vpn * PAGE)
        if mapping is None:
            reason = "no mapping"
        elif need not in mapping.perms:
            reason = f"mapping is not {word}"
        elif mapping.vmo_page(vpn) >= page_count(state.vmos[mapping.vmo].size_bytes):
            reason = "past the end of the VMO"
        else:
            continue
        raise PageFault(max(address, vpn * PAGE), access, reason)


def need_ram(state: State, aspace: int, address: int, length: int) -> None:
    """Refuse to move bytes where a physical VMO is mapped: the laboratory has no devices."""
    found = [mapping_at(state, aspace, vpn * PAGE) for vpn in vmos.covered(address, length)]
    refuse((any(m is not None and state.vmos[m.vmo].physical for m in found), NotSupported))


def touch(state: State, aspace: int, address: int, length: int, access: str) -> int:
    """Fault in every page of the range, in address order; returns the pages newly committed."""
    need_access(state, aspace, address, length, access)
    new = 0
    for vpn in vmos.covered(address, length):
        new += _fault(state, _mapped(state, aspace, vpn), vpn, access)
    return new


def read(state: State, aspace: int, address: int, length: int) -> bytes:
    """Bytes seen through the mappings."""
    need_access(state, aspace, address, length, "read")
    seen = b""
    for vpn in vmos.covered(address, length):
        mapping = _mapped(state, aspace, vpn)
        _fault(state, mapping, vpn, "read")
        seen += vmos.page_bytes(state, mapping.vmo, mapping.vmo_page(vpn))
    skip = address % PAGE
    return seen[skip : skip + length]


def write(state: State, aspace: int, address: int, data: bytes) -> int:
    """Write through the mappings, in address order; returns the pages newly committed."""
    need_access(state, aspace, address, len(data), "write")
    new = 0
    for vpn in vmos.covered(address, len(data)):
        mapping = _mapped(state, aspace, vpn)
        new += _fault(state, mapping, vpn, "write")
        start, end = max(address, vpn * PAGE), min(address + len(data), (vpn + 1) * PAGE)
        offset = mapping.vmo_page(vpn) * PAGE + start % PAGE
        vmos.write_bytes(state, mapping.vmo, offset, data[start - address : end - address])
    return new


def table_pages(state: State, aspace: int) -> int:
    """Page-table pages: one top table, and each lower table that has an entry."""
    vpns = {
        vpn
        for mapping in state.mappings.values()
        if state.vmars[mapping.vmar].aspace == aspace
        for vpn in mapping.entries
    }
    lower = sum(len({vpn >> shift for vpn in vpns}) for shift in (9, 18, 27))
    return 1 + lower


def _mapped(state: State, aspace: int, vpn: int) -> Mapping:
    mapping = mapping_at(state, aspace, vpn * PAGE)
    assert mapping is not None
    return mapping


def _fault(state: State, mapping: Mapping, vpn: int, access: str) -> int:
    """One page fault: a write gives the VMO a page of its own; then the entry is installed."""
    new = 0
    if access == "write" and not state.vmos[mapping.vmo].physical:
        new = vmos.make_own(state, mapping.vmo, mapping.vmo_page(vpn))
    mapping.entries.add(vpn)
    return new


def _cut(state: State, vmar: int, start: int, end: int) -> None:
    """Take the range out of every mapping of the VMAR."""
    for mapping in children(state, vmar):
        if not isinstance(mapping, Mapping) or mapping.base >= end or mapping.end <= start:
            continue
        if mapping.end > end and mapping.base < start:
            _split(state, mapping, end)
        if mapping.base < start:
            _shrink(mapping, mapping.base, start)
        elif mapping.end > end:
            _shrink(mapping, end, mapping.end)
        else:
            del state.mappings[mapping.serial]


def _split(state: State, mapping: Mapping, at: int) -> Mapping:
    """Cut a mapping in two; the part below `at` stays itself, the other is new and returned."""
    upper = replace(mapping, serial=state.serial(), map_seq=state.map_seq())
    state.mappings[upper.serial] = upper
    _shrink(upper, at, mapping.end)
    _shrink(mapping, mapping.base, at)
    return upper


def _shrink(mapping: Mapping, base: int, end: int) -> None:
    mapping.vmo_offset_pages += (base - mapping.base) // PAGE
    mapping.base = base
    mapping.size_bytes = end - base
    mapping.entries = {vpn for vpn in mapping.entries if base <= vpn * PAGE < end}

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
    OutOfRange,
)

__all__ = [
    "allocate",
    "can_place",
    "children",
    "decommit",
    "destroy",
    "destroy_aspace",
    "fits_somewhere",
    "is_other_code",
    "map_range",
    "mapping_at",
    "meets_code",
    "new_aspace",
    "place",
    "place_errors",
    "protect",
    "table_pages",
    "unmap",
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
    errors: list[tuple[bool, type[KernelError]]] = [
        (size_bytes <= 0, InvalidArgs),
        (not perms <= region.perms, AccessDenied),
        (is_mapping and bool(perms) and "r" not in perms, InvalidArgs),
        (base is None and overwrite, InvalidArgs),
        (size_bytes > region.size_bytes, InvalidArgs),
    ]
    if not is_mapping:
        # Only the length of a mapping is rounded, and only a mapping overwrites.
        errors.append((size_bytes % PAGE != 0 or overwrite, InvalidArgs))
    size_bytes = page_count(size_bytes) * PAGE
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
        (overwrite and meets_code(state, region.aspace, base, base + size_bytes), AccessDenied),
    ]


def meets_code(state: State, aspace: int, start: int, end: int) -> bool:
    """Whether the vDSO's code lies in the range: userspace may not change that mapping."""
    code = state.aspaces[aspace].code
    if code is None:
        return False
    mapping = state.mappings[code]
    return mapping.base < end and start < mapping.end


def is_other_code(
    state: State, vmar: int, vmo: int, perms: frozenset[str], vmo_offset: int, length: int
) -> bool:
    """Whether it would map the vDSO executable in another way than once, and the code alone."""
    aspace = state.aspaces[state.vmars[vmar].aspace]
    if vmo not in state.vdso or "x" not in perms or aspace.process is None:
        return False
    return aspace.code is not None or (vmo_offset // PAGE, page_count(length)) != (6, 1)


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
    aspace = state.aspaces[state.vmars[vmar].aspace]
    if vmo in state.vdso and "x" in perms and aspace.process is not None:
        aspace.code = mapping.serial
    vmos.sweep(state)
    return mapping.serial


def map_range(state: State, mapping: int) -> None:
    """Install the entries of the pages that are there; a clone gets copies of what it sees."""
    node = state.mappings[mapping]
    vmo = state.vmos[node.vmo]
    for vpn in range(node.base // PAGE, node.end // PAGE):
        page = node.vmo_page(vpn)
        if page >= page_count(vmo.size_bytes):
            break
        if not vmo.physical:
            if vmos.see(state, vmo.serial, page)[1] is None:
                continue
            vmos.make_own(state, vmo.serial, page)
        if node.perms:
            node.entries.add(vpn)


def decommit(state: State, mapping: int, offset: int, length: int) -> int:
    """Give up pages of the VMO behind a part of a mapping; returns how many."""
    node = state.mappings[mapping]
    refuse(
        (offset + length > node.size_bytes, OutOfRange),
        (state.vmos[node.vmo].physical, NotSupported),
    )
    return vmos.decommit(state, node.vmo, node.vmo_offset_pages * PAGE + offset, length)


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
        (meets_code(state, region.aspace, address, end), AccessDenied),
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
        (bool(perms) and "r" not in perms, InvalidArgs),
        (bool(inside) and not perms <= region.perms, AccessDenied),
        (meets_code(state, region.aspace, address, end), AccessDenied),
        (any(isinstance(n, Mapping) and not perms <= n.allowed for n in inside), AccessDenied),
        (any(isinstance(n, Vmar) for n in inside), InvalidArgs),
        (not whole, NotFound),
    )
    for node in inside:
        assert isinstance(node, Mapping)
        if node.perms == perms:
            continue
        if node.base < address:
            node = _split(state, node, address)  # noqa: PLW2901 (the part inside)
        if node.end > end:
            _split(state, node, end)
        node.perms = perms
        if not perms:
            node.entries = set()


def destroy(state: State, vmar: int) -> None:
    """Remove a VMAR and all in it."""
    region = state.vmars[vmar]
    refuse((meets_code(state, region.aspace, region.base, region.end), AccessDenied))
    for node in children(state, vmar):
        if isinstance(node, Vmar):
            destroy(state, node.serial)
        else:
            del state.mappings[node.serial]
    del state.vmars[vmar]
    vmos.sweep(state)


def destroy_aspace(state: State, aspace: int) -> None:
    """The end of an address space, of the vDSO's code too."""
    root = state.aspaces[aspace].root
    state.aspaces[aspace].code = None
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

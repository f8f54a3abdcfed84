"""Cutting the regions of a VMAR: unmap and protect with splitting, and overwriting.

Each operation has a check that refuses it as a whole, and then a part that cannot fail.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from magmem.errors import AccessDenied, InvalidArgs, NotFound
from magmem.sim import commit, vdso
from magmem.sim.heap import MAPPING_BYTES
from magmem.sim.mapping import Mapping, install
from magmem.sim.perms import PERMS_TEXT

if TYPE_CHECKING:
    from magmem.sim.vmar import Vmar
    from magmem.sim.vmo import Vmo

__all__ = [
    "check_overwrite",
    "check_unmap",
    "map_range",
    "protect",
    "require_range",
    "unmap",
]


def check_unmap(vmar: Vmar, base: int, size_bytes: int) -> None:
    """Refuse to unmap a range that cuts a child VMAR, or that splits without heap for it."""
    end = base + size_bytes
    met = vmar.children_in(base, end)
    for child in met:
        if not isinstance(child, Mapping) and (child.base < base or child.end > end):
            raise InvalidArgs(f"{base:#x}-{end:#x} cuts {child!r}")
    vdso.check_spared(vmar.aspace, base, end)
    if len(met) == 1 and met[0].base < base and met[0].end > end:
        vmar.machine.require("splitting the mapping", heap_bytes=MAPPING_BYTES)


def check_overwrite(vmar: Vmar, base: int, size_bytes: int) -> None:
    """Refuse to overwrite child VMARs: only mappings may be in the way."""
    for child in vmar.children_in(base, base + size_bytes):
        if not isinstance(child, Mapping):
            raise InvalidArgs(f"{base:#x}-{base + size_bytes:#x} would overwrite {child!r}")
    vdso.check_spared(vmar.aspace, base, base + size_bytes)


def unmap(vmar: Vmar, base: int, size_bytes: int) -> None:
    """Unmap a range that has been checked."""
    end = base + size_bytes
    for child in vmar.children_in(base, end):
        if not isinstance(child, Mapping):
            child.clear()
            vmar.remove_child(child)
            child.die()
        elif base <= child.base and child.end <= end:
            vmar.remove_child(child)
            child.detach()
        else:
            _cut(vmar, child, max(base, child.base), min(end, child.end))


def _cut(vmar: Vmar, mapping: Mapping, base: int, end: int) -> None:
    """Unmap a part of a mapping: at its front, at its end, or out of its middle."""
    mapping.drop(base - mapping.base >> 12, end - mapping.base >> 12)
    if mapping.base == base:
        keep_tail(vmar, mapping, end)
        return
    if end < mapping.end:
        split(vmar, mapping, end)
    mapping.size_bytes = base - mapping.base


def keep_tail(vmar: Vmar, mapping: Mapping, base: int) -> None:
    """Let a mapping begin at `base`; the entries before it are gone."""
    pages = base - mapping.base >> 12
    mapping.entries = mapping.take_entries(pages, mapping.size_bytes >> 12)
    at = bisect_left(vmar.bases, mapping.base)
    vmar.bases[at] = base
    vmar.packed = min(vmar.packed, at)
    mapping.size_bytes -= base - mapping.base
    mapping.vmo_first += pages
    mapping.base = base


def split(vmar: Vmar, mapping: Mapping, base: int) -> Mapping:
    """Make what lies from `base` on a mapping of its own; returns it."""
    pages = base - mapping.base >> 12
    tail = Mapping(
        vmar,
        base,
        mapping.end - base,
        mapping.vmo,
        mapping.vmo_first + pages,
        mapping.mask,
        mapping.allowed,
        mapping.cache,
    )
    tail.entries = mapping.take_entries(pages, mapping.size_bytes >> 12)
    mapping.size_bytes = base - mapping.base
    vmar.insert_child(tail)
    return tail


def protect(vmar: Vmar, base: int, size_bytes: int, mask: int) -> None:
    """Change the permissions of a range, splitting mappings at its ends where they change.

    What is wrong first, in address order, decides the error.

    Raises
    ------
    InvalidArgs, AccessDenied, NotFound, NoMemory
        Nothing has changed.
    """
    end = base + size_bytes
    at = base
    mappings: list[Mapping] = []
    for child in vmar.children_in(base, end):
        if child.base > at:
            break
        if not isinstance(child, Mapping):
            raise InvalidArgs(f"{base:#x}-{end:#x} reaches into {child!r}")
        if mask & ~child.allowed:
            raise AccessDenied(f"{PERMS_TEXT[mask]} is more than {child!r} was mapped with")
        vdso.check_spared(vmar.aspace, child.base, child.end)
        mappings.append(child)
        at = child.end
    if at < end:
        raise NotFound(f"nothing is mapped at {at:#x}")
    changed = [mapping for mapping in mappings if mapping.mask != mask]
    if not changed:
        return
    splits = (changed[0].base < base) + (changed[-1].end > end)
    vmar.machine.require("splitting the mapping", heap_bytes=splits * MAPPING_BYTES)
    if changed[0].base < base:
        changed[0] = split(vmar, changed[0], base)
    if changed[-1].end > end:
        split(vmar, changed[-1], end)
    for mapping in changed:
        mapping.mask = mask
        if not mask:
            mapping.drop(0, mapping.size_bytes >> 12)


def require_range(
    vmar: Vmar, base: int, size_bytes: int, vmo: Vmo, mask: int, heap_bytes: int
) -> None:
    """Raise `NoMemory` unless `map_range` of a mapping about to be made will succeed."""
    there = _there(vmo, size_bytes)
    copies = sum((s.end - s.start) * s.depth for s in there if s.depth)
    page = base >> 12
    runs = [(page + s.start, page + s.end) for s in there] if mask else []
    tables = vmar.aspace.tables.lacking(runs) if runs else 0
    vmar.machine.require("the range", heap_bytes=heap_bytes, pages=copies + tables)


def map_range(mapping: Mapping) -> None:
    """Install the entries of the pages that are there (MAP_RANGE); they have been required.

    The quirk of that kernel: on a clone it copies what is seen of the parent into the clone, as a
    write would, whatever the permissions of the mapping.
    """
    there = _there(mapping.vmo, mapping.size_bytes)
    commit.execute(mapping.vmo, [segment for segment in there if segment.depth])
    if mapping.mask:
        install(mapping, [(segment.start, segment.end) for segment in there])


def _there(vmo: Vmo, size_bytes: int) -> list[commit.Segment]:
    """The pages of a VMO's beginning that it owns or sees; all of a physical one."""
    end = min(size_bytes >> 12, vmo.page_limit)
    if vmo.phys_base is not None:
        return [commit.Segment(0, end, vmo, 0, 0)] if end else []
    return [segment for segment in commit.visible(vmo, 0, end) if segment.owner is not None]

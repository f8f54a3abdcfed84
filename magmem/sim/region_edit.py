"""Cutting the regions of a VMAR: unmap and protect with splitting, and overwriting.

Each operation has a check that refuses it as a whole, and then a part that cannot fail.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from magmem.errors import AccessDenied, InvalidArgs, NotFound
from magmem.sim.heap import MAPPING_BYTES
from magmem.sim.mapping import Mapping
from magmem.sim.perms import PERMS_TEXT

if TYPE_CHECKING:
    from magmem.sim.vmar import Vmar

__all__ = ["check_overwrite", "check_unmap", "protect", "unmap"]


def check_unmap(vmar: Vmar, base: int, size_bytes: int) -> None:
    """Refuse to unmap a range that cuts a child VMAR, or that splits without heap for it."""
    end = base + size_bytes
    met = vmar.children_in(base, end)
    for child in met:
        if not isinstance(child, Mapping) and (child.base < base or child.end > end):
            raise InvalidArgs(f"{base:#x}-{end:#x} cuts {child!r}")
    if len(met) == 1 and met[0].base < base and met[0].end > end:
        vmar.machine.require("splitting the mapping", heap_bytes=MAPPING_BYTES)


def check_overwrite(vmar: Vmar, base: int, size_bytes: int) -> None:
    """Refuse to overwrite child VMARs: only mappings may be in the way."""
    for child in vmar.children_in(base, base + size_bytes):
        if not isinstance(child, Mapping):
            raise InvalidArgs(f"{base:#x}-{base + size_bytes:#x} would overwrite {child!r}")


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
    """Change the permissions of a range, splitting mappings at its ends.

    Raises
    ------
    InvalidArgs, AccessDenied, NotFound, NoMemory
        Nothing has changed.
    """
    end = base + size_bytes
    met = vmar.children_in(base, end)
    for child in met:
        if not isinstance(child, Mapping):
            raise InvalidArgs(f"{base:#x}-{end:#x} reaches into {child!r}")
    at = base
    for child in met:
        if child.base > at:
            break
        at = child.end
    if at < end:
        raise NotFound(f"nothing is mapped at {at:#x}")
    if mask & ~vmar.mask:
        raise AccessDenied(f"{PERMS_TEXT[mask]} is more than {vmar!r} allows")
    mappings = [child for child in met if isinstance(child, Mapping)]
    for mapping in mappings:
        if mask & ~mapping.allowed:
            raise AccessDenied(f"{PERMS_TEXT[mask]} is more than {mapping!r} was mapped with")
    splits = (mappings[0].base < base) + (mappings[-1].end > end)
    vmar.machine.require("splitting the mapping", heap_bytes=splits * MAPPING_BYTES)
    if mappings[0].base < base:
        mappings[0] = split(vmar, mappings[0], base)
    if mappings[-1].end > end:
        split(vmar, mappings[-1], end)
    for mapping in mappings:
        mapping.mask = mask
        if not mask:
            mapping.drop(0, mapping.size_bytes >> 12)

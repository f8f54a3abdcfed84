"""Committing and giving up pages of VMOs, with copy-on-write clones as in mid-2017.

A read finds a clone's own page, else the nearest ancestor's, else zeros; a write to a page the
clone does not own copies what it sees (reference/kernel.md "Copy-on-write clones").

The quirk of that kernel: through a clone of a clone, a write or commit also leaves a copy of the
page in every clone between it and the page's owner. Pages that nobody owns leave no such copies.

Whenever a VMO's page comes or goes, the page-table entries of its mappings, and of the clones that
see through to it, are dropped and fault again on the next touch.
"""

from __future__ import annotations

from typing import NamedTuple

from magmem.errors import BadState
from magmem.sim.runs import Run
from magmem.sim.vmo import Vmo
from magmem.units import PAGE_BYTES

__all__ = ["Segment", "commit", "decommit", "drop_entries", "execute", "plan", "resize", "visible"]


class Segment(NamedTuple):
    """Pages ``[start, end)`` of a VMO and where their bytes come from.

    `owner` is the VMO that owns them (None: nobody, they read as zeros), `shift` what to add to a
    page number to get the owner's, `depth` how many generations up the owner is.
    """

    start: int
    end: int
    owner: Vmo | None
    shift: int
    depth: int


def visible(vmo: Vmo, start: int, end: int) -> list[Segment]:
    """What pages ``[start, end)`` of a VMO, all within its size, show; sorted by page."""
    pages = vmo.pages
    found = [Segment(s, e, vmo, 0, 0) for s, e in pages.overlap(start, end)]
    pending = pages.gaps(start, end)
    if vmo.parent is None or not pending:
        found += [Segment(s, e, None, 0, 0) for s, e in pending]
        return sorted(found, key=_by_start) if len(found) > 1 else found
    shift = 0
    depth = 0
    node = vmo
    while pending and node.parent is not None:
        shift += node.parent_first
        node = node.parent
        depth += 1
        below: list[Run] = []
        for s, e in pending:
            limit = max(s, min(e, node.page_limit - shift))
            if limit < e:
                found.append(Segment(limit, e, None, 0, 0))
            if s < limit:
                inside = node.pages.overlap(s + shift, limit + shift)
                found += [Segment(a - shift, b - shift, node, shift, depth) for a, b in inside]
                below += [
                    (a - shift, b - shift) for a, b in node.pages.gaps(s + shift, limit + shift)
                ]
        pending = below
    found += [Segment(s, e, None, 0, 0) for s, e in pending]
    return sorted(found, key=_by_start)


def _by_start(segment: Segment) -> int:
    return segment.start


def plan(vmo: Vmo, start: int, end: int) -> tuple[list[Segment], int]:
    """What must be made so that the VMO owns ``[start, end)``: segments, and pages needed."""
    if vmo.parent is None:
        gaps = vmo.pages.gaps(start, end)
        return [Segment(s, e, None, 0, 0) for s, e in gaps], sum(e - s for s, e in gaps)
    segments = [segment for segment in visible(vmo, start, end) if segment.owner is not vmo]
    needed = sum((s.end - s.start) * max(1, s.depth) for s in segments)
    return segments, needed


def execute(vmo: Vmo, segments: list[Segment]) -> None:
    """Make the pages of a plan; the caller has required them."""
    for start, end, owner, shift, depth in segments:
        chain = [(vmo, 0)]
        while len(chain) < depth:
            node, offset = chain[-1]
            assert node.parent is not None  # noqa: S101 (an owner that deep has clones below)
            chain.append((node.parent, offset + node.parent_first))
        # Whoever sees through the lowest sees through the highest as well, until pages are there.
        top, offset = chain[-1]
        drop_entries(top, start + offset, end + offset)
        for node, offset in reversed(chain):
            _insert(node, start + offset, end + offset, owner, shift - offset)


def _insert(vmo: Vmo, start: int, end: int, owner: Vmo | None, shift: int) -> None:
    pages = vmo.pages
    page = start
    for frame, count in vmo.machine.physical.take(end - start, vmo.state):
        pages.add(page, page + count, frame)
        page += count
    if owner is not None:
        source = owner.pages.contents
        for written in owner.pages.written(start + shift, end + shift):
            pages.contents[written - shift] = bytearray(source[written])


def commit(vmo: Vmo, start: int, end: int) -> int:
    """Make the VMO own pages ``[start, end)``; returns pages taken, quirk copies included.

    Raises
    ------
    NoMemory
        Not all of them fit; nothing has changed.
    """
    segments, needed = plan(vmo, start, end)
    if needed:
        vmo.machine.physical.require(needed, "commit")
        execute(vmo, segments)
    return needed


def commit_page(vmo: Vmo, page: int) -> None:
    """Commit one page of a VMO without parent; the quick case. One page has been required."""
    frame = vmo.machine.physical.take(1, vmo.state)[0][0]
    vmo.pages.add(page, page + 1, frame)
    drop_entries(vmo, page, page + 1)


def decommit(vmo: Vmo, start: int, end: int) -> int:
    """Free the VMO's own pages in ``[start, end)``; returns how many.

    Raises
    ------
    BadState
        A page of the range is pinned; nothing has changed.
    """
    if vmo.is_pinned(start, end):
        raise BadState(f"pages {start} … {end - 1} of {vmo!r} include pinned ones")
    gone = vmo.pages.remove(start, end)
    give = vmo.machine.physical.give
    freed = 0
    for s, e, frame in reversed(gone):
        give(frame, e - s, vmo.state)
        freed += e - s
        drop_entries(vmo, s, e)
    return freed


def resize(vmo: Vmo, size_bytes: int) -> int:
    """Set the size; returns the pages freed past a smaller end.

    Raises
    ------
    BadState
        A page past the new end is pinned; nothing has changed.
    """
    limit = -(-size_bytes // PAGE_BYTES)
    old = vmo.page_limit
    freed = decommit(vmo, limit, old) if limit < old else 0
    if limit < old:
        drop_entries(vmo, limit, old)
    vmo.size_bytes = size_bytes
    vmo.page_limit = limit
    return freed


def drop_entries(vmo: Vmo, start: int, end: int) -> None:
    """Drop page-table entries through which pages ``[start, end)`` of a VMO are seen."""
    for mapping in vmo.mappings:
        if mapping.entries is not None:
            mapping.drop(start - mapping.vmo_first, end - mapping.vmo_first)
    if vmo.children:
        _drop_below(vmo, start, end)


def _drop_below(vmo: Vmo, start: int, end: int) -> None:
    pending = [(vmo, start, end)]
    while pending:
        node, start, end = pending.pop()
        for child in node.children:
            low = max(start - child.parent_first, 0)
            high = min(end - child.parent_first, child.page_limit)
            if low < high:
                for s, e in child.pages.gaps(low, high):
                    for mapping in child.mappings:
                        mapping.drop(s - mapping.vmo_first, e - mapping.vmo_first)
                    pending.append((child, s, e))

"""VMOs and clones, page by page (reference/kernel.md "VMOs", "Copy-on-write clones").

Every function takes the state first and the VMO's serial second. Offsets and lengths are bytes.
A function that must say no raises `Refused` before it changes anything. Memory is not limited
here: the caller looks at the state afterwards and throws it away if it took too many pages.
"""

from __future__ import annotations

from collections.abc import Callable

from sim.model.state import PAGE, Refused, State, Vmo, page_count, refuse

from magmem.errors import (
    AccessDenied,
    BadState,
    InvalidArgs,
    NoMemory,
    NotFound,
    NotSupported,
    OutOfRange,
    Unavailable,
)

__all__ = [
    "MAX_PINS",
    "clone",
    "commit",
    "covered",
    "create",
    "decommit",
    "is_alive",
    "is_kernels",
    "lookup",
    "make_own",
    "page_bytes",
    "pin",
    "pins_of",
    "read",
    "resize",
    "see",
    "sweep",
    "trimmed",
    "unpin",
    "write",
    "write_bytes",
]

MAX_PINS = 31


def create(
    state: State,
    size_bytes: int,
    name: str = "",
    *,
    max_bytes: int,
    physical: bool = False,
    contiguous: bool = False,
) -> int:
    """A new VMO; a contiguous one is committed at once and pinned for good."""
    refuse((size_bytes < 0 or size_bytes > max_bytes, InvalidArgs))
    vmo = Vmo(state.serial(), size_bytes, name, physical=physical)
    state.vmos[vmo.serial] = vmo
    if contiguous:
        vmo.pages = {page: bytearray(PAGE) for page in range(page_count(size_bytes))}
        vmo.for_good = set(vmo.pages)
    return vmo.serial


def see(
    state: State, serial: int, page: int
) -> tuple[list[tuple[Vmo, int]], tuple[Vmo, int] | None]:
    """Who owns the page one sees here, and the clones one looks through on the way to it.

    The way goes from a clone to its parent as long as the page lies in the parent's current size.
    """
    vmo = state.vmos[serial]
    passed: list[tuple[Vmo, int]] = []
    while page not in vmo.pages:
        passed.append((vmo, page))
        if vmo.parent is None:
            return passed, None
        page += vmo.parent_offset_pages
        vmo = state.vmos[vmo.parent]
        if page >= page_count(vmo.size_bytes):
            return passed, None
    return passed, (vmo, page)


def page_bytes(state: State, serial: int, page: int) -> bytes:
    """What one reads in this page: the owner's bytes, or zeros."""
    owner = see(state, serial, page)[1]
    return bytes(owner[0].pages[owner[1]]) if owner else bytes(PAGE)


def drop_entries(state: State, vmo: Vmo, changed: Callable[[int], bool]) -> None:
    """Remove the page-table entries of the changed pages, in the clones that see through too."""
    for mapping in state.mappings.values():
        if mapping.vmo == vmo.serial:
            mapping.entries = {v for v in mapping.entries if not changed(mapping.vmo_page(v))}
    for child in state.vmos.values():
        if child.parent == vmo.serial:

            def seen(page: int, child: Vmo = child) -> bool:
                inside = 0 <= page < page_count(child.size_bytes) and page not in child.pages
                return inside and changed(page + child.parent_offset_pages)

            drop_entries(state, child, seen)


def make_own(state: State, serial: int, page: int) -> int:
    """Give the VMO a page of its own there, as a write or a commit does; returns the new pages.

    The quirk of that kernel: every clone between this one and the page's owner gets a copy too.
    """
    passed, owner = see(state, serial, page)
    if not passed:
        return 0
    if owner is None:
        passed = passed[:1]
    for vmo, index in reversed(passed):
        drop_entries(state, vmo, index.__eq__)
        vmo.pages[index] = bytearray(owner[0].pages[owner[1]] if owner else PAGE)
    return len(passed)


def covered(offset: int, length: int) -> range:
    """The pages of a byte range, rounded outward; none if it is empty."""
    return range(offset // PAGE, page_count(offset + length)) if length else range(0)


def read(state: State, serial: int, offset: int, length: int) -> bytes:
    """``vmo_read``: sees zeros where nothing is committed, and commits nothing."""
    _need_paged(state, serial)
    length = trimmed(state, serial, offset, length)
    seen = b"".join(page_bytes(state, serial, page) for page in covered(offset, length))
    return seen[offset % PAGE :][:length]


def write(state: State, serial: int, offset: int, data: bytes) -> int:
    """``vmo_write``: commits the pages it writes to."""
    _need_paged(state, serial)
    data = data[: trimmed(state, serial, offset, len(data))]
    write_bytes(state, serial, offset, data)
    return len(data)


def write_bytes(state: State, serial: int, offset: int, data: bytes) -> int:
    """Put bytes into pages of the VMO's own; returns the pages newly committed."""
    new = 0
    for page in covered(offset, len(data)):
        new += make_own(state, serial, page)
        start, end = max(offset, page * PAGE), min(offset + len(data), (page + 1) * PAGE)
        own = state.vmos[serial].pages[page]
        own[start - page * PAGE : end - page * PAGE] = data[start - offset : end - offset]
    return new


def commit(state: State, serial: int, offset: int, length: int) -> int:
    """Give the VMO every page of the range; returns the pages newly committed."""
    _need_paged(state, serial)
    length = trimmed(state, serial, offset, length)
    refuse((is_kernels(state, serial), AccessDenied))
    pages = covered(offset, length)
    refuse((len(pages) > len(state.vmos[serial].pages) + state.total_pages, NoMemory))
    return sum(make_own(state, serial, page) for page in pages)


def decommit(state: State, serial: int, offset: int, length: int) -> int:
    """Free the VMO's own pages in the range; returns how many."""
    _need_paged(state, serial)
    length = trimmed(state, serial, offset, length)
    refuse((state.vmos[serial].wired or is_kernels(state, serial), AccessDenied))
    vmo = state.vmos[serial]
    freed = [page for page in vmo.pages if page in covered(offset, length)]
    refuse((any(pins_of(vmo, page) for page in freed), BadState))
    for page in freed:
        del vmo.pages[page]
    drop_entries(state, vmo, freed.__contains__)
    return len(freed)


def resize(state: State, serial: int, size_bytes: int, *, max_bytes: int) -> None:
    """Smaller: the whole pages past the new end are freed. Larger: nothing is added."""
    _need_paged(state, serial)
    refuse((size_bytes < 0, InvalidArgs), (size_bytes > max_bytes, OutOfRange))
    vmo = state.vmos[serial]
    gone = range(page_count(size_bytes), page_count(vmo.size_bytes))
    freed = [page for page in vmo.pages if page in gone]
    refuse((any(pins_of(vmo, page) for page in freed), BadState))
    for page in freed:
        del vmo.pages[page]
    # The mapping shows nothing there any more, so the entries of pages never committed go too.
    drop_entries(state, vmo, gone.__contains__)
    vmo.size_bytes = size_bytes


def lookup(state: State, serial: int, offset: int, length: int) -> list[tuple[int, int, int]]:
    """Where each page of the range lies: (page, serial of the owner, page in the owner)."""
    refuse((length == 0, InvalidArgs))
    _need_range(state, serial, offset, length)
    vmo = state.vmos[serial]
    if vmo.physical:
        return [(page, serial, page) for page in covered(offset, length)]
    found = []
    for page in covered(offset, length):
        owner = see(state, serial, page)[1]
        if owner is None:
            raise Refused([NoMemory])
        found.append((page, owner[0].serial, owner[1]))
    return found


def pin(state: State, serial: int, offset: int, length: int) -> None:
    """Hold every page of the range in place once more."""
    _need_paged(state, serial)
    _need_range(state, serial, offset, length)
    vmo = state.vmos[serial]
    pages = covered(offset, length)
    refuse(
        (any(page not in vmo.pages for page in pages), NotFound),
        (any(pins_of(vmo, page) >= MAX_PINS for page in pages), Unavailable),
    )
    for page in pages:
        vmo.pins[page] = vmo.pins.get(page, 0) + 1


def unpin(state: State, serial: int, offset: int, length: int) -> None:
    """Undo one pin of every page of the range."""
    _need_paged(state, serial)
    _need_range(state, serial, offset, length)
    vmo = state.vmos[serial]
    pages = covered(offset, length)
    refuse((any(not vmo.pins.get(page) for page in pages), BadState))
    for page in pages:
        vmo.pins[page] -= 1


def clone(
    state: State, serial: int, offset: int, size_bytes: int, name: str, *, max_bytes: int
) -> int:
    """A copy-on-write clone; its range may start or end past the parent's end."""
    _need_paged(state, serial)
    refuse((offset < 0 or size_bytes < 0 or offset % PAGE != 0, InvalidArgs))
    refuse((offset + size_bytes > max_bytes, OutOfRange))
    child = Vmo(state.serial(), size_bytes, name, parent=serial, parent_offset_pages=offset // PAGE)
    state.vmos[child.serial] = child
    return child.serial


def is_alive(state: State, vmo: Vmo) -> bool:
    """Whether a handle, a mapping, a clone or the kernel holds it."""
    return (
        vmo.kernel_references > 0
        or any(h.kind == "vmo" and h.target == vmo.serial for h in state.handles.values())
        or any(mapping.vmo == vmo.serial for mapping in state.mappings.values())
        or any(child.parent == vmo.serial for child in state.vmos.values())
    )


def sweep(state: State) -> None:
    """Let every VMO die that nothing holds any more, until none is left."""
    while dead := [vmo.serial for vmo in state.vmos.values() if not is_alive(state, vmo)]:
        for serial in dead:
            del state.vmos[serial]


def pins_of(vmo: Vmo, page: int) -> int:
    """How many pins a page has."""
    return vmo.pins.get(page, 0) + (page in vmo.for_good)


def is_kernels(state: State, serial: int) -> bool:
    """Whether the machine stands on it: an arena, or the stack of a living thread."""
    stacks = {thread.stack for thread in state.threads.values() if thread.state != "dead"}
    mapped = any(m.vmo == serial and m.vmar in stacks for m in state.mappings.values())
    return mapped or serial in state.kept_vmos


def trimmed(state: State, serial: int, offset: int, length: int) -> int:
    """How much of a range lies in the VMO; it may end past the VMO, but not start there."""
    size = state.vmos[serial].size_bytes
    refuse(
        (offset < 0 or length < 0, InvalidArgs),
        (offset > size or offset + length >= 1 << 64, OutOfRange),
    )
    return min(length, size - offset)


def _need_paged(state: State, serial: int) -> None:
    refuse((state.vmos[serial].physical, NotSupported))


def _need_range(state: State, serial: int, offset: int, length: int) -> None:
    refuse(
        (offset < 0 or length < 0, InvalidArgs),
        (offset + length > state.vmos[serial].size_bytes, OutOfRange),
    )

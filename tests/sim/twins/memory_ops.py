"""Random operations on address spaces: map, allocate, unmap, protect, destroy, access."""

from __future__ import annotations

from typing import Any

from sim.model import tasks, vmars
from sim.model.state import PAGE, State, page_count, refuse
from sim.twins.driver import Choice, Twins
from sim.twins.rights import MAP, REGION_RIGHTS
from sim.twins.vmo_ops import BOUND_PAGES, living, some_handle

from magmem.errors import AccessDenied, BadHandle, InvalidArgs

__all__ = ["OPERATIONS"]

RIGHT_OF = {"r": 4, "w": 8, "x": 16}
PERMS = ("rw", "rw", "rw", "rw", "r", "rx", "rwx", "x", "", "w")
FAR = (1 << 64) - 2 * PAGE
"""The last VMO offset at which a page can be mapped."""

PLACES = tuple(page * PAGE for page in range(0, 40, 3))
LENGTHS = (1, 4096, 8192, 10000, 5 * 4096, 16 * 4096)


def _vmars(twins: Twins) -> list[int]:
    """VMARs of living processes."""
    model = twins.model
    alive = {model.processes[p].aspace for p in living(twins)}
    return [vmar.serial for vmar in model.vmars.values() if vmar.aspace in alive]


def _place(state: State, vmar: int, size_bytes: int, base: int | None, shown: Any) -> int:
    """Where it goes: as asked, or as the simulator picked; that must have been free."""
    if base is not None:
        return base
    size_bytes = page_count(size_bytes) * PAGE
    if shown is None:
        return next(s for s, e in vmars.gaps(state, vmar) if e - s >= size_bytes)
    assert vmars.can_place(state, vmar, shown.base, size_bytes), f"{shown!r} is not free"
    place: int = shown.base
    return place


def map_vmo(twins: Twins, choice: Choice) -> None:
    """Map a VMO, at a place or wherever the kernel likes; at times through a region's handle."""
    model = twins.model
    inside = _vmars(twins)
    region_handle = some_handle(twins, choice, "vmar") if not choice.below(3) else None
    handle = some_handle(twins, choice, "vmo")
    if handle is None or not inside:
        return
    item = model.handles[handle]
    vmar = choice.of(inside)
    held = None
    if region_handle is not None:
        held = model.handles[region_handle]
        vmar = held.target
        if vmar not in inside:
            return
    region = model.vmars[vmar]
    perms = choice.of(PERMS)
    vmo_offset = choice.of((0, 0, 0, 0, 4096, 8192, 6 * 4096, 100, 1 << 30, FAR, FAR + PAGE))
    size = model.vmos[item.target].size_bytes
    length = choice.of((*LENGTHS, *(size,) * 6, 0, 1 << 48)) if size < 1 << 32 else PAGE
    ends = [node.end - region.base for node in vmars.children(model, vmar)]
    offset = choice.of((None, *PLACES, *ends, *ends, 100, region.size_bytes - PAGE))
    overwrite = choice.of((False, False, True))
    map_range, compact = not choice.below(4), not choice.below(16)
    base = None if offset is None else region.base + offset

    def predict(state: State, shown: Any) -> int:
        mask = frozenset(perms)
        rights = MAP | sum(RIGHT_OF[letter] for letter in perms)
        bits = 0xFF if held is None else held.rights
        foreign = held is not None and held.process != item.process
        size_bytes = page_count(length) * PAGE
        refuse(
            (foreign, BadHandle),
            (bool(rights & ~item.rights), AccessDenied),
            (bool(rights & ~MAP & ~bits), AccessDenied),
            (vmo_offset % PAGE != 0 or vmo_offset + size_bytes >= 1 << 64, InvalidArgs),
            (compact or (map_range and vmo_offset > 0), InvalidArgs),
            (
                vmars.is_other_code(state, vmar, item.target, mask, vmo_offset, length),
                AccessDenied,
            ),
            *vmars.place_errors(
                state, vmar, length, base, mask, overwrite=overwrite, is_mapping=True
            ),
        )
        place = _place(state, vmar, length, base, shown)
        allowed = frozenset(
            letter for letter, bit in RIGHT_OF.items() if item.rights & bit and bits & bit
        )
        made = vmars.place(
            state, vmar, place, length, mask, item.target, vmo_offset, allowed & region.perms
        )
        if map_range:
            vmars.map_range(state, made)
        return made

    def act() -> Any:
        return twins[vmar if region_handle is None else region_handle].map(
            twins[handle],
            perms,
            vmo_offset=vmo_offset,
            length=length,
            offset=offset,
            overwrite=overwrite,
            compact=compact,
            map_range=map_range,
        )

    done = twins.do(act, predict, spare_pages=BOUND_PAGES if overwrite else 0)
    if done:
        twins.twins[done[1]] = done[0]


def allocate(twins: Twins, choice: Choice) -> None:
    """A child VMAR, now and then through a region's handle, whose process gets the new one."""
    inside = _vmars(twins)
    if not inside:
        return
    region_handle = some_handle(twins, choice, "vmar") if not choice.below(3) else None
    vmar = choice.of(inside)
    held = None
    if region_handle is not None:
        held = twins.model.handles[region_handle]
        vmar = held.target
        if vmar not in inside:
            return
    region = twins.model.vmars[vmar]
    size = choice.of((0, 1, 4096, 20480, 20000, 16 * 4096, 48 * 4096, 1 << 48))
    perms = choice.of(("rwx", "rwx", "rw", "r"))
    specific, compact = choice.of((True, True, False)), choice.of((False, True))
    overwrite = not choice.below(16)
    offset = choice.of((None, *PLACES, 100))
    base = None if offset is None else region.base + offset
    owner = twins.model.aspaces[region.aspace].process
    holder = owner if held is None else held.process
    assert holder is not None

    def predict(state: State, shown: Any) -> tuple[int, int]:
        mask = frozenset(perms)
        bits = 0xFF if held is None else held.rights
        lacks = any(not bits & RIGHT_OF[letter] for letter in perms)
        refuse(
            (lacks, AccessDenied),
            *vmars.place_errors(
                state, vmar, size, base, mask, overwrite=overwrite, is_mapping=False
            ),
        )
        place = _place(state, vmar, size, base, shown)
        made = vmars.allocate(state, vmar, place, size, mask, specific=specific)
        return made, tasks.new_handle(state, holder, "vmar", made, REGION_RIGHTS[perms])

    def act() -> Any:
        return twins[vmar if region_handle is None else region_handle].allocate(
            size,
            offset=offset,
            perms=perms,
            specific=specific,
            compact=compact,
            overwrite=overwrite,
        )

    done = twins.do(act, predict, spare_pages=BOUND_PAGES)
    if done:
        twins.twins[done[1][0]], twins.twins[done[1][1]] = done[0], done[0].handle


def _range(twins: Twins, choice: Choice, vmar: int) -> tuple[int, int]:
    """An address range in and around what lies in a VMAR."""
    region = twins.model.vmars[vmar]
    nodes = vmars.children(twins.model, vmar)
    starts = [region.base, *(node.base for node in nodes), *(node.end for node in nodes)]
    address = choice.of(starts) + choice.of((0, 0, 0, PAGE, 2 * PAGE, -PAGE, 1))
    if nodes and choice.below(3):
        # Inside one of them: from its first page or a later one, to its end or before.
        node = choice.of(nodes)
        pages = node.size_bytes // PAGE
        skip = choice.below(pages)
        return node.base + skip * PAGE, (1 + choice.below(pages - skip)) * PAGE
    sizes = [node.size_bytes for node in nodes]
    return max(0, address), choice.of((*LENGTHS, 0, *sizes, *sizes, region.size_bytes))


def unmap(twins: Twins, choice: Choice) -> None:
    """Unmap a range: parts of mappings, whole ones, gaps, child VMARs."""
    inside = _vmars(twins)
    if not inside:
        return
    vmar = choice.of(inside)
    address, length = _range(twins, choice, vmar)
    twins.do(
        lambda: twins[vmar].unmap(address, length),
        lambda state, _: vmars.unmap(state, vmar, address, length),
    )


def protect(twins: Twins, choice: Choice) -> None:
    """Change permissions of a range."""
    inside = _vmars(twins)
    if not inside:
        return
    vmar = choice.of(inside)
    handles = [h for h in twins.model.handles.values() if h.kind == "vmar" and h.target == vmar]
    handles = [h for h in handles if h.process in living(twins)]
    held = choice.of(handles) if handles and choice.below(2) else None
    address, length = _range(twins, choice, vmar)
    perms = choice.of((*PERMS, "r", "r", "rw"))

    def predict(state: State, _: Any) -> None:
        bits = 0xFF if held is None else held.rights
        refuse((any(not bits & RIGHT_OF[letter] for letter in perms), AccessDenied))
        vmars.protect(state, vmar, address, length, frozenset(perms))

    twins.do(
        lambda: twins[vmar if held is None else held.serial].protect(address, length, perms),
        predict,
    )


def destroy(twins: Twins, choice: Choice) -> None:
    """Destroy a VMAR, seldom the root."""
    inside = _vmars(twins)
    small = [v for v in inside if twins.model.vmars[v].parent is not None]
    if not inside:
        return
    vmar = choice.of([*small * 8, *inside])
    twins.do(twins[vmar].destroy, lambda state, _: vmars.destroy(state, vmar))


OPERATIONS = (
    map_vmo,
    map_vmo,
    allocate,
    unmap,
    protect,
    destroy,
)

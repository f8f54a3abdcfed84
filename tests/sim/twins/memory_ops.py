"""Random operations on address spaces: map, allocate, unmap, protect, destroy, access."""

from __future__ import annotations

from typing import Any

from sim.model import access as accesses
from sim.model import tasks, vmars, vmos
from sim.model.state import PAGE, State, page_count, refuse
from sim.twins.driver import Choice, Twins, need
from sim.twins.rights import MAP, READ, REGION_RIGHTS, WRITE
from sim.twins.vmo_ops import BOUND_PAGES, living, some_bytes, some_handle

from magmem.errors import AccessDenied, BadHandle, BadState, InvalidArgs

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


def _mapping(twins: Twins, choice: Choice) -> int | None:
    model = twins.model
    alive = {model.processes[p].aspace for p in living(twins)}
    found = [m.serial for m in model.mappings.values() if model.vmars[m.vmar].aspace in alive]
    return choice.of(found) if found else None


def access(twins: Twins, choice: Choice) -> None:
    """Touch, read or write a range of addresses, across mappings too."""
    mapping = _mapping(twins, choice)
    if mapping is None:
        return
    node = twins.model.mappings[mapping]
    aspace = twins.model.vmars[node.vmar].aspace
    process = twins.model.aspaces[aspace].process
    assert process is not None
    twin = twins[process]
    places = (0, 0, PAGE, 5000, node.size_bytes - PAGE, node.size_bytes - 1, -1)
    address = node.base + choice.of(places)
    length = choice.of((0, 1, 1, 3, PAGE, 10000, node.size_bytes, 24 * PAGE))
    if node.base <= address < node.end and choice.below(4):
        length = min(length, node.end - address)
    what = choice.of(("read", "write", "write", "touch read", "touch write", "touch execute"))
    data = some_bytes(choice, length) if what == "write" else b""

    def predict(state: State, _: Any) -> Any:
        if what.startswith("touch"):
            return accesses.touch(state, aspace, address, length, what.split()[1])
        if what == "read":
            return accesses.read(state, aspace, address, length)
        return accesses.write(state, aspace, address, data)

    acts = {
        "read": lambda: twin.read(address, length),
        "write": lambda: twin.write(address, data),
        "touch read": lambda: twin.touch(address, length),
        "touch write": lambda: twin.touch(address, length, write=True),
        "touch execute": lambda: twin.touch(address, length, execute=True),
    }
    # A range over several mappings may ask for pages twice that two of them share.
    crosses = address < node.base or address + length > node.end
    done = twins.do(acts[what], predict, spare_pages=64 if crosses else 0)
    assert done is None or done[0] == done[1], f"{what} returned {done[0]!r}, not {done[1]!r}"


def touch_mapping(twins: Twins, choice: Choice) -> None:
    """Touch a mapping as a whole or in part."""
    mapping = _mapping(twins, choice)
    if mapping is None:
        return
    node = twins.model.mappings[mapping]
    aspace = twins.model.vmars[node.vmar].aspace
    offset = choice.of((0, 0, PAGE, 6000))
    length = choice.of((None, 1, 2 * PAGE))
    write = choice.of((True, True, False))
    size = max(0, node.size_bytes - offset) if length is None else length
    if offset + size > node.size_bytes:
        return

    def predict(state: State, _: Any) -> int:
        kind = "write" if write else "read"
        return accesses.touch(state, aspace, node.base + offset, size, kind)

    done = twins.do(lambda: twins[mapping].touch(length, offset=offset, write=write), predict)
    assert done is None or done[0] == done[1], f"touch returned {done}"


def decommit_range(twins: Twins, choice: Choice) -> None:
    """Give up pages of the VMO behind a part of a mapping."""
    mapping = _mapping(twins, choice)
    if mapping is None:
        return
    node = twins.model.mappings[mapping]
    offset = choice.of((0, 0, PAGE, 5000, node.size_bytes))
    length = choice.of((0, 1, PAGE, 3 * PAGE, max(0, node.size_bytes - offset), 1 << 63))

    def predict(state: State, _: Any) -> int:
        return vmars.decommit(state, mapping, offset, length)

    done = twins.do(lambda: twins[mapping].decommit(offset, length), predict)
    assert done is None or done[0] == done[1]


def debug(twins: Twins, choice: Choice) -> None:
    """Look into another process's memory, or write there, whatever its mappings permit."""
    mapping, handle = _mapping(twins, choice), some_handle(twins, choice, "process")
    if mapping is None or handle is None:
        return
    model = twins.model
    target = model.processes[model.handles[handle].target]
    node = model.mappings[mapping]
    address = node.base + choice.of((0, 1, PAGE, node.size_bytes - 1, node.size_bytes))
    length = choice.of((0, 1, PAGE, 10000, (64 << 20) + 1))
    what = choice.of(("read", "write"))
    data = b"" if length > 1 << 20 else some_bytes(choice, length)
    if what == "write":
        length = len(data)

    def predict(state: State, _: Any) -> Any:
        refuse((not 0 < length <= 64 << 20, InvalidArgs))
        need(state, handle, READ | WRITE)
        refuse((target.aspace is None, BadState))
        assert target.aspace is not None
        vmo, offset = accesses.behind(state, target.aspace, address)
        if what == "read":
            return vmos.read(state, vmo, offset, length)
        room = vmos.trimmed(state, vmo, offset, length)
        refuse((vmos.is_kernels(state, vmo), AccessDenied))
        return vmos.write(state, vmo, offset, data[:room])

    acts = {
        "read": lambda: twins[handle].read_memory(address, length),
        "write": lambda: twins[handle].write_memory(address, data),
    }
    done = twins.do(acts[what], predict)
    assert done is None or done[0] == done[1]


def kernel_map(twins: Twins, choice: Choice) -> None:
    """Map some VMO into the kernel, at the lowest place free."""
    model = twins.model
    vmo = choice.of([v.serial for v in model.vmos.values() if v.size_bytes and not v.wired])
    length = choice.of(LENGTHS)
    kernel = twins.machine.kernel

    def predict(state: State, _: Any) -> int:
        root = state.aspaces[state.kernel_aspace].root
        size = page_count(length) * PAGE
        base = next(s for s, e in vmars.gaps(state, root) if e - s >= size)
        return vmars.place(state, root, base, length, frozenset("rw"), vmo, 0)

    done = twins.do(lambda: kernel.map(twins[vmo], "rw", length=length), predict)
    if done:
        twins.twins[done[1]] = done[0]


def kernel_use(twins: Twins, choice: Choice) -> None:
    """Touch or unmap one of the mappings that were made in the kernel."""
    model = twins.model
    root = model.aspaces[model.kernel_aspace].root
    known = {"k", "a", "libc.so", "initial-stack", "jemalloc-heap"}
    mine = [
        m.serial
        for m in model.mappings.values()
        if m.vmar == root and model.vmos[m.vmo].name in known
    ]
    if not mine:
        return
    mapping = choice.of(mine)
    node = model.mappings[mapping]
    if choice.of((True, False)):

        def forget(state: State, _: Any) -> None:
            vmars.unmap(state, root, node.base, node.size_bytes)

        twins.do(twins[mapping].unmap, forget)
        return

    def predict(state: State, _: Any) -> int:
        return accesses.touch(state, state.kernel_aspace, node.base, 2 * PAGE, "write")

    if node.size_bytes >= 2 * PAGE:
        done = twins.do(lambda: twins[mapping].touch(2 * PAGE, write=True), predict)
        assert done is None or done[0] == done[1]


OPERATIONS = (
    map_vmo,
    map_vmo,
    allocate,
    unmap,
    protect,
    destroy,
    access,
    access,
    touch_mapping,
    decommit_range,
    debug,
    kernel_map,
    kernel_use,
)

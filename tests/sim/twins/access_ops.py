"""Random operations on what is mapped: access, decommit, a debugger's look, the kernel's own."""

from __future__ import annotations

from typing import Any

from sim.model import access as accesses
from sim.model import vmars, vmos
from sim.model.state import PAGE, State, page_count, refuse
from sim.twins.driver import Choice, Twins, need
from sim.twins.memory_ops import LENGTHS
from sim.twins.rights import READ, WRITE
from sim.twins.vmo_ops import living, some_bytes, some_handle

from magmem.errors import AccessDenied, BadState, InvalidArgs

__all__ = ["OPERATIONS"]


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
    access,
    access,
    touch_mapping,
    decommit_range,
    debug,
    kernel_map,
    kernel_use,
)

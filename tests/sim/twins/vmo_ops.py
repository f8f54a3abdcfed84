"""Random operations on VMOs through handles, and on the kernel's own VMOs."""

from __future__ import annotations

import itertools
from typing import Any

from sim.model import figures, tasks, vmos
from sim.model.state import PAGE, State, refuse
from sim.twins.driver import Choice, Twins, need
from sim.twins.rights import ALL_RIGHTS, DUPLICATE, GET, READ, SET, WRITE

from magmem.errors import InvalidArgs
from magmem.sim import MAX_VMO_BYTES

__all__ = ["OPERATIONS", "living", "some_bytes", "some_handle", "some_range"]

SIZES = (0, 1, 4096, 4097, 8192, *(n * 4096 for n in (3, 6, 10, 16, 30)), 20000, 40 * 4096 + 7)
OFFSETS = (0, 0, 1, 100, 4095, 4096, 8192, 8192, 12289, 5 * 4096, 16 * 4096, (1 << 40) + 4096)
LENGTHS = (0, 1, 10, 4096, 4097, 8192, 3 * 4096, 30000, 16 * 4096)
HOSTILE_LENGTHS = (*LENGTHS, 1 << 63, (1 << 64) - 4096, 1 << 64)
BOUND_PAGES = 12
"""What making an object may ask for beyond what it takes."""


def living(twins: Twins) -> list[int]:
    """Processes that make and do things."""
    processes = twins.model.processes.values()
    return [p.serial for p in processes if p.state in ("initial", "running")]


def some_handle(twins: Twins, choice: Choice, kind: str) -> int | None:
    """A handle of a living process to an object of that kind."""
    alive = set(living(twins))
    handles = twins.model.handles.values()
    found = [h.serial for h in handles if h.kind == kind and h.process in alive]
    return choice.of(found) if found else None


def some_bytes(choice: Choice, length: int) -> bytes:
    """Bytes that differ from page to page."""
    seed = choice.below(251)
    return bytes((seed + at // 1000 + at) % 251 for at in range(length))


def some_range(twins: Twins, choice: Choice, vmo: int) -> tuple[int, int]:
    """Offset and length of a range of a VMO, three times out of four inside it."""
    offset, length = choice.of(OFFSETS), choice.of(LENGTHS)
    size = twins.model.vmos[vmo].size_bytes
    if choice.below(4):
        offset %= size + 1
        length = min(length, size - offset)
    return offset, length


def create_vmo(twins: Twins, choice: Choice) -> None:
    """A paged VMO, now and then one too large."""
    processes = living(twins)
    if not processes:
        return
    process = choice.of(processes)
    size = choice.of((*SIZES, MAX_VMO_BYTES + 1, 1 << 33))
    name = choice.of(("", "a", "libc.so"))

    def predict(state: State, _: Any) -> tuple[int, int]:
        vmo = vmos.create(state, size, name, max_bytes=MAX_VMO_BYTES)
        return tasks.new_handle(state, process, "vmo", vmo, ALL_RIGHTS), vmo

    _adopt(twins, twins.do(lambda: twins[process].create_vmo(size, name), predict))


def create_contiguous(twins: Twins, choice: Choice) -> None:
    """A VMO in one physical run; memory may be there and yet no such run."""
    processes = living(twins)
    if not processes:
        return
    process = choice.of(processes)
    size = choice.of(SIZES)

    def predict(state: State, shown: Any) -> tuple[int, int]:
        refuse((size == 0, InvalidArgs))
        vmo = vmos.create(state, size, max_bytes=MAX_VMO_BYTES, contiguous=True)
        return tasks.new_handle(state, process, "vmo", vmo, ALL_RIGHTS), vmo

    made = twins.do(
        lambda: twins[process].create_contiguous_vmo(size), predict, spare_pages=1 << 20
    )
    _adopt(twins, made)
    if made:
        runs = made[0].vmo.physical_runs
        assert all(a[2] + a[1] == b[2] for a, b in itertools.pairwise(runs)), runs


def create_physical(twins: Twins, choice: Choice) -> None:
    """A VMO of a device's registers."""
    processes = living(twins)
    if not processes:
        return
    process = choice.of(processes)
    size = choice.of((0, 1, 4096, 3 * 4096))
    base = choice.of((0xFED00000, 0xFED00004))

    def predict(state: State, _: Any) -> tuple[int, int]:
        refuse((size == 0 or size % PAGE != 0 or base % PAGE != 0, InvalidArgs))
        vmo = vmos.create(state, size, "dev", max_bytes=MAX_VMO_BYTES, physical=True)
        return tasks.new_handle(state, process, "vmo", vmo, ALL_RIGHTS), vmo

    _adopt(twins, twins.do(lambda: twins[process].create_physical_vmo(base, size, "dev"), predict))


def vmo_range(twins: Twins, choice: Choice) -> None:
    """Commit, decommit, pin or unpin a range."""
    handle = some_handle(twins, choice, "vmo")
    if handle is None:
        return
    vmo = twins.model.handles[handle].target
    what, rights = choice.of(
        (
            ("commit", 0),
            ("commit", 0),
            ("commit", 0),
            ("decommit", 0),
            ("pin", READ),
            ("unpin", READ),
        )
    )
    offset, length = some_range(twins, choice, vmo)
    if not choice.below(4):
        length = choice.of(HOSTILE_LENGTHS)

    def predict(state: State, _: Any) -> Any:
        need(state, handle, rights)
        return getattr(vmos, what)(state, vmo, offset, length)

    done = twins.do(lambda: getattr(twins[handle], what)(offset, length), predict)
    assert done is None or done[0] == done[1], f"{what} returned {done}"


def vmo_read(twins: Twins, choice: Choice) -> None:
    """Read bytes without a mapping."""
    handle = some_handle(twins, choice, "vmo")
    if handle is None:
        return
    vmo = twins.model.handles[handle].target
    offset, length = some_range(twins, choice, vmo)
    if not choice.below(8) and twins.model.vmos[vmo].size_bytes < 1 << 20:
        length = choice.of(HOSTILE_LENGTHS)

    def predict(state: State, _: Any) -> bytes:
        need(state, handle, READ)
        return vmos.read(state, vmo, offset, length)

    done = twins.do(lambda: twins[handle].read(offset, length), predict)
    assert done is None or done[0] == done[1]


def vmo_write(twins: Twins, choice: Choice) -> None:
    """Write bytes without a mapping."""
    handle = some_handle(twins, choice, "vmo")
    if handle is None:
        return
    vmo = twins.model.handles[handle].target
    offset, length = some_range(twins, choice, vmo)
    data = some_bytes(choice, length)

    def predict(state: State, _: Any) -> int:
        need(state, handle, WRITE)
        return vmos.write(state, vmo, offset, data)

    done = twins.do(lambda: twins[handle].write(offset, data), predict)
    assert done is None or done[0] == done[1]


def resize(twins: Twins, choice: Choice) -> None:
    """Set the size of a VMO."""
    handle = some_handle(twins, choice, "vmo")
    if handle is None:
        return
    vmo = twins.model.handles[handle].target
    size = choice.of((*SIZES, MAX_VMO_BYTES + 1))

    def predict(state: State, _: Any) -> None:
        need(state, handle, WRITE)
        vmos.resize(state, vmo, size, max_bytes=MAX_VMO_BYTES)

    twins.do(lambda: twins[handle].resize(size), predict)


def clone(twins: Twins, choice: Choice) -> None:
    """A copy-on-write clone."""
    handle = some_handle(twins, choice, "vmo")
    if handle is None:
        return
    item = twins.model.handles[handle]
    offset = choice.of((0, 0, 0, 4096, 8192, 100, 20 * 4096, MAX_VMO_BYTES // PAGE * PAGE))
    size = choice.of((*SIZES, MAX_VMO_BYTES + 1))

    def predict(state: State, _: Any) -> tuple[int, int]:
        need(state, handle, DUPLICATE | READ)
        name = state.vmos[item.target].name if item.rights & GET else ""
        vmo = vmos.clone(state, item.target, offset, size, name, max_bytes=MAX_VMO_BYTES)
        rights = item.rights | WRITE | GET | SET
        return tasks.new_handle(state, item.process, "vmo", vmo, rights), vmo

    _adopt(twins, twins.do(lambda: twins[handle].clone(offset, size), predict))


def lookup(twins: Twins, choice: Choice) -> None:
    """Ask where the pages of a range lie."""
    handle = some_handle(twins, choice, "vmo")
    if handle is None:
        return
    vmo = twins.model.handles[handle].target
    offset, length = some_range(twins, choice, vmo)

    def predict(state: State, _: Any) -> list[tuple[int, int, int]]:
        return vmos.lookup(state, vmo, offset, length)

    done = twins.do(lambda: twins[handle].lookup(offset, length), predict)
    if done is None or twins.model.vmos[vmo].physical:
        return
    frames = {
        (serial, first + n): (frame + n) * PAGE
        for serial in {owner for _, owner, _ in done[1]}
        for first, count, frame in twins[serial].physical_runs
        for n in range(count)
    }
    expected = [(page * PAGE, frames[owner, index]) for page, owner, index in done[1]]
    shown = [(at + n, place + n) for at, place, size in done[0] for n in range(0, size, PAGE)]
    assert shown == expected


def set_name(twins: Twins, choice: Choice) -> None:
    """Rename a VMO; a name longer than 31 bytes is cut at a character."""
    handle = some_handle(twins, choice, "vmo")
    if handle is None:
        return
    vmo = twins.model.handles[handle].target
    name = choice.of(("", "jemalloc-heap", "ä" * 20, "x" * 40))

    def predict(state: State, _: Any) -> None:
        need(state, handle, SET)
        state.vmos[vmo].name = name.encode()[:31].decode(errors="ignore")

    twins.do(lambda: twins[handle].set_name(name), predict)


def kernel_vmo(twins: Twins, choice: Choice) -> None:
    """A VMO that userspace never hears of, or a clone of another one by the kernel."""
    size = choice.of(SIZES)
    parents = [v.serial for v in twins.model.vmos.values() if not v.wired]
    parent = choice.of((None, *parents))
    kernel = twins.machine.kernel

    def predict(state: State, _: Any) -> tuple[None, int]:
        if parent is None:
            vmo = vmos.create(state, size, "k", max_bytes=MAX_VMO_BYTES)
        else:
            vmo = vmos.clone(state, parent, 0, size, "k", max_bytes=MAX_VMO_BYTES)
        state.vmos[vmo].kernel_references = 1
        return None, vmo

    if parent is None:
        done = twins.do(lambda: kernel.create_vmo(size, "k"), predict)
    else:
        done = twins.do(lambda: kernel.clone(twins[parent], 0, size, "k"), predict)
    if done:
        twins.twins[done[1][1]] = done[0]


def kernel_use(twins: Twins, choice: Choice) -> None:
    """Commit, write to or release a VMO that the kernel holds."""
    mine = [v.serial for v in twins.model.vmos.values() if v.kernel_references and not v.wired]
    if not mine:
        return
    vmo = choice.of(mine)
    what = choice.of(("commit", "write", "release"))
    offset, length = some_range(twins, choice, vmo)
    kernel, twin = twins.machine.kernel, twins[vmo]
    data = some_bytes(choice, length)

    def predict(state: State, _: Any) -> Any:
        if what == "commit":
            return vmos.commit(state, vmo, offset, length)
        if what == "write":
            return vmos.write(state, vmo, offset, data)
        state.vmos[vmo].kernel_references -= 1
        return vmos.sweep(state)

    acts = {
        "commit": lambda: kernel.commit(twin, offset, length),
        "write": lambda: kernel.write(twin, offset, data),
        "release": lambda: kernel.release(twin),
    }
    done = twins.do(acts[what], predict)
    assert done is None or what != "commit" or done[0] == done[1]


def hog(twins: Twins, choice: Choice) -> None:
    """Let memory run short: the kernel commits nearly all there is, or gives it back."""
    model, kernel = twins.model, twins.machine.kernel
    hogs = [v.serial for v in model.vmos.values() if v.name == "hog" and v.kernel_references]
    if hogs:
        vmo, twin = hogs[0], twins[hogs[0]]

        def release(state: State, _: Any) -> None:
            state.vmos[vmo].kernel_references -= 1
            vmos.sweep(state)

        twins.do(lambda: kernel.release(twin), release)
        return
    pages = max(0, figures.free_pages(model) - choice.below(14))

    def create(state: State, _: Any) -> int:
        made = vmos.create(state, pages * PAGE, "hog", max_bytes=MAX_VMO_BYTES)
        state.vmos[made].kernel_references = 1
        return made

    done = twins.do(lambda: kernel.create_vmo(pages * PAGE, "hog"), create)
    if done:
        twin, vmo = done
        twins.twins[vmo] = twin
        twins.do(lambda: kernel.commit(twin), lambda s, _: vmos.commit(s, vmo, 0, pages * PAGE))


def _adopt(twins: Twins, made: tuple[Any, tuple[int, int]] | None) -> None:
    if made:
        handle, (handle_serial, vmo_serial) = made
        twins.twins[handle_serial], twins.twins[vmo_serial] = handle, handle.vmo


OPERATIONS = (
    create_vmo,
    create_contiguous,
    create_physical,
    vmo_range,
    vmo_read,
    vmo_write,
    resize,
    clone,
    lookup,
    set_name,
    kernel_vmo,
    kernel_use,
    hog,
)

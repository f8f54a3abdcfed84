"""Whether the simulator shows what the model holds; a difference is an AssertionError.

Objects are found by walking both trees in step, so what an operation made on the way (the right
half of a split mapping, a kernel stack) is met here and remembered.
"""

from __future__ import annotations

import itertools
from typing import Any

from sim.model import figures, vmars, vmos
from sim.model.state import PAGE, State, Vmar, page_count
from sim.twins.boot import costs

from magmem.sim import Machine
from magmem.sim.vmo_access import read_pages

__all__ = ["compare"]

LOOKED_AT_PAGES = 64
"""VMOs up to this size are compared byte by byte as a whole; larger ones in their own pages."""


def compare(machine: Machine, model: State, twins: dict[int, Any]) -> None:
    """Assert that both are the same, and that the identities of accounting hold."""
    _tasks(machine, model, twins)
    for aspace in model.aspaces.values():
        twin = twins[aspace.serial]
        if aspace.root in model.vmars:
            _region(model, twins, aspace.root, twin.root)
        else:
            assert not twin.root.alive
            assert not twin.root.children
        assert twin.table_pages == vmars.table_pages(model, aspace.serial), f"tables of {twin.name}"
    _vmos(machine, model, twins)
    _handles(model, twins)
    _koids(model, twins)
    _statistics(machine, model)
    _frames(machine)


def _meet(twins: dict[int, Any], serial: int, twin: Any) -> None:
    """Remember whose twin this is, or see that it is still the same object."""
    assert twins.setdefault(serial, twin) is twin, f"{twin!r} took the place of {twins[serial]!r}"


def _region(model: State, twins: dict[int, Any], serial: int, twin: Any) -> None:
    vmar = model.vmars[serial]
    _meet(twins, serial, twin)
    facts = (twin.base, twin.size_bytes, frozenset(twin.perms) - {"-"}, twin.specific, twin.alive)
    assert facts == (vmar.base, vmar.size_bytes, vmar.perms, vmar.specific, True)
    inside = vmars.children(model, serial)
    ranges = [(node.base, node.size_bytes, isinstance(node, Vmar)) for node in inside]
    shown = [(c.base, c.size_bytes, hasattr(c, "children")) for c in twin.children]
    assert shown == ranges, f"regions of {twin!r}"
    for node, child in zip(inside, twin.children, strict=True):
        if isinstance(node, Vmar):
            _region(model, twins, node.serial, child)
            continue
        _meet(twins, node.serial, child)
        _meet(twins, node.vmo, child.vmo)
        assert child.alive
        assert frozenset(child.perms) - {"-"} == node.perms, child
        assert child.vmo_offset_bytes == node.vmo_offset_pages * PAGE, child
        first = node.base // PAGE
        entries = {
            first + page for start, count in child.installed for page in range(start, start + count)
        }
        assert entries == node.entries, f"page-table entries of {child!r}"


def _vmos(machine: Machine, model: State, twins: dict[int, Any]) -> None:
    seqs = {m.serial: m.map_seq for m in model.mappings.values()}
    known = {id(twins[serial]) for serial in model.vmos}
    assert {id(vmo) for vmo in machine.vmos} == known, "living VMOs"
    for serial, vmo in model.vmos.items():
        twin = twins[serial]
        own = {page for first, count in twin.runs for page in range(first, first + count)}
        assert own == vmo.pages.keys(), f"pages of {twin!r}"
        assert twin.committed_pages == len(own)
        assert (twin.size_bytes, twin.name) == (vmo.size_bytes, vmo.name)
        assert (twin.kind == "physical", twin.pages_are_wired) == (vmo.physical, vmo.wired)
        assert twin.parent is (None if vmo.parent is None else twins[vmo.parent])
        assert twin.parent_offset_bytes == vmo.parent_offset_pages * PAGE
        newest_last = figures.mappings_of(model, serial)
        assert [id(m) for m in twin.mappings] == [id(twins[m]) for m in newest_last], (
            f"mappings of {twin!r}: {[seqs[m] for m in newest_last]}"
        )
        assert len(twin.children) == figures.children(model, serial)
        assert twin.share_count == figures.share_count(model, serial), f"share count of {twin!r}"
        _bytes(model, serial, twin)


def _bytes(model: State, serial: int, twin: Any) -> None:
    vmo = model.vmos[serial]
    if vmo.physical:
        return
    whole = page_count(vmo.size_bytes) <= LOOKED_AT_PAGES
    for page in range(page_count(vmo.size_bytes)) if whole else vmo.pages:
        seen = read_pages(twin, page * PAGE, PAGE)
        assert seen == vmos.page_bytes(model, serial, page), f"bytes of page {page} of {twin!r}"


def _tasks(machine: Machine, model: State, twins: dict[int, Any]) -> None:
    assert {j.koid for j in machine.jobs} == {twins[job].koid for job in model.jobs}
    for serial, job in model.jobs.items():
        assert (twins[serial].name, twins[serial].alive) == (job.name, job.alive)
    assert [p.koid for p in machine.processes] == [twins[p].koid for p in model.processes]
    for serial, process in model.processes.items():
        twin = twins[serial]
        assert (twin.name, twin.state) == (process.name, process.state)
        assert (twin.exit_code, twin.held) == (process.exit_code, process.held)
        assert twin.job is twins[process.job]
        if process.aspace is None:
            assert twin.aspace is None
        else:
            _meet(twins, process.aspace, twin.aspace)
        threads = [
            t.serial for t in model.threads.values() if t.process == serial and t.state != "dead"
        ]
        assert [t.koid for t in twin.threads] == [twins[t].koid for t in threads]
    for serial, thread in model.threads.items():
        twin = twins[serial]
        assert (twin.state, twin.exception_port) == (thread.state, thread.exception_port), twin


def _handles(model: State, twins: dict[int, Any]) -> None:
    values: set[tuple[int, int]] = set()
    for serial, process in model.processes.items():
        table = twins[serial].handles
        assert [id(h) for h in table] == [id(twins[h]) for h in process.handles], twins[serial]
        for twin, handle in zip(table, process.handles, strict=True):
            item = model.handles[handle]
            assert twin.rights == item.rights
            assert twin.alive
            assert twin.object is twins[item.target], twin
            assert twin.value % 2 == 1
            assert 0 < twin.value < 1 << 32
            values.add((serial, twin.value))
    assert len(values) == len(model.handles), "handle values are unique within a process"


def _koids(model: State, twins: dict[int, Any]) -> None:
    """Koids are unique, and in creation order (a kernel VMO gets its own with its first handle)."""
    tables = (model.jobs, model.processes, model.threads, model.vmars, model.objects)
    seen = [twins[vmo].koid for vmo in model.vmos if twins[vmo].koid]
    for table in tables:
        koids = [twins[serial].koid for serial in table if twins[serial].koid]
        assert koids == sorted(koids)
        seen += koids
    assert len(seen) == len(set(seen)), "koids are unique"


def _statistics(machine: Machine, model: State) -> None:
    assert machine.pages == figures.page_states(model)
    kmem = machine.kmem
    heap_used = figures.heap_used_bytes(model, costs())
    assert kmem.total_heap_bytes - kmem.free_heap_bytes == heap_used, "heap bytes in use"
    assert kmem.free_heap_bytes >= 0
    # reference/accounting.md: identities that hold on every machine state.
    assert kmem.total_bytes == (
        kmem.free_bytes
        + kmem.vmo_bytes
        + kmem.total_heap_bytes
        + kmem.wired_bytes
        + kmem.mmu_overhead_bytes
        + kmem.other_bytes
    )
    owned = sum(vmo.committed_pages for vmo in machine.vmos if vmo.kind == "paged") * PAGE
    wired = sum(vmo.committed_pages for vmo in machine.vmos if vmo.pages_are_wired) * PAGE
    assert owned == kmem.vmo_bytes + wired
    assert sum(arena.counts[0] for arena in machine.arenas) * PAGE == kmem.free_bytes


def _frames(machine: Machine) -> None:
    """No physical page is in two places, and each lies in an arena."""
    runs = sorted(
        (frame, frame + count)
        for vmo in machine.vmos
        if vmo.kind == "paged"
        for _, count, frame in vmo.physical_runs
    )
    for (_, end), (start, _) in itertools.pairwise(runs):
        assert end <= start, f"frame {start:#x} is in two places"
    arenas = [(arena.first, arena.end) for arena in machine.arenas]
    for start, end in runs:
        assert any(first <= start and end <= last for first, last in arenas), f"frame {start:#x}"

"""A digest of a machine's whole state: two machines are equal if and only if their digests are.

Everything that can make a difference to what comes later goes in: contents, counters, free lists,
page tables, the order of handles and mappings.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from magmem.sim.kernel_arena import KernelArena
from magmem.sim.objects import Object, Port

if TYPE_CHECKING:
    from magmem.sim.aspace import AddressSpace
    from magmem.sim.machine import Machine
    from magmem.sim.mapping import Mapping
    from magmem.sim.process import Process
    from magmem.sim.vmar import Vmar
    from magmem.sim.vmo import Vmo

__all__ = ["fingerprint"]


def fingerprint(machine: Machine) -> str:
    """SHA-256 of the state, in hexadecimal."""
    kernel = machine.kernel
    parts: list[Any] = [
        ("counters", machine.next_koid, machine.random_state, machine.clock_ms, machine.name),
        (
            "heap",
            machine.heap.used,
            machine.heap.capacity,
            machine.heap.serial,
            machine.heap.frames,
        ),
        [
            (a.name, a.first, a.end, a.counts, a.top, a.stack, a.tidy_at)
            for a in machine.physical.arenas
        ],
        [_vmo(vmo) for vmo in machine.vmos_by_serial.values()],
        _aspace(kernel.aspace),
        ("kernel", kernel.thread_count, kernel.generations),
        [_arena(arena) for arena in kernel.arenas],
        [
            (job.koid, job.name, job.alive, job.handle_count, job.parent and job.parent.koid)
            for job in machine.jobs_by_koid.values()
        ],
        [_process(process) for process in machine.processes_by_koid.values()],
        [
            (
                t.koid,
                t.name,
                t.process.koid,
                t.state,
                t.exception_port,
                t.handle_count,
                t.stack.base,
            )
            for t in machine.threads_by_koid.values()
        ],
        sorted(
            (koid, type(target).__name__, target.handle_count, _extra(target))
            for koid, target in machine.objects.items()
        ),
    ]
    return hashlib.sha256(repr(parts).encode(errors="surrogatepass")).hexdigest()


def _extra(target: Any) -> Any:
    if isinstance(target, Port):
        return str(target.packets)
    if isinstance(target, Object):
        return f"{target.type} {target.peer.koid if target.peer else 0}"
    return ""


def _vmo(vmo: Vmo) -> Any:
    pages = vmo.pages
    contents = {
        page: hashlib.sha256(data).hexdigest()
        for page, data in sorted(pages.contents.items())
        if any(data)
    }
    return (
        (vmo.serial, vmo.koid, vmo.name, vmo.size_bytes, vmo.state, vmo.phys_base),
        (vmo.parent and vmo.parent.serial, vmo.parent_first, vmo.handle_count, vmo.kernel_refs),
        ([child.serial for child in vmo.children], [m.serial for m in vmo.mappings]),
        (pages.starts, pages.ends, pages.frames, pages.count, contents),
        (
            vmo.fixed_pages,
            vmo.pins and [p for p in zip(vmo.pins.at, vmo.pins.count, strict=True) if p[1]],
        ),
    )


def _aspace(aspace: AddressSpace) -> Any:
    tables = aspace.tables
    return (
        (aspace.koid, aspace.serial, tables.frames),
        [sorted(level.items()) for level in (tables.leaf, tables.middle, tables.upper)],
        [_vmar(vmar) for vmar in aspace.vmars()],
        [_mapping(mapping) for mapping in aspace.mappings()],
    )


def _vmar(vmar: Vmar) -> Any:
    return (
        (vmar.serial, vmar.koid, vmar.name, vmar.base, vmar.size_bytes),
        (vmar.mask, vmar.specific, vmar.compact, vmar.handle_count, vmar.held),
        [child.serial for child in vmar.children],
    )


def _mapping(mapping: Mapping) -> Any:
    return (
        (mapping.serial, mapping.base, mapping.size_bytes, mapping.vmo.serial, mapping.vmo_first),
        (mapping.mask, mapping.allowed, mapping.cache),
        [] if mapping.entries is None else mapping.entries.runs(),
    )


def _process(process: Process) -> Any:
    return (
        (process.koid, process.name, process.state, process.job.koid, process.exit_code),
        (process.handle_count, process.held, process.table.secret, list(process.threads_by_koid)),
        [
            (h.value, h.type, h.object.koid, h.rights, h.entry)
            for h in process.table.by_value.values()
        ],
        process.aspace and _aspace(process.aspace),
    )


def _arena(arena: KernelArena) -> Any:
    return (arena.name, arena.live, arena.used, arena.free)

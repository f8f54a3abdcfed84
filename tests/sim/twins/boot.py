"""A model state of a machine just booted: what booting made is taken over, not predicted."""

from __future__ import annotations

from typing import Any

from sim.model import figures, vmars
from sim.model.state import PAGE, Arena, Job, Mapping, State, Vmo

from magmem.sim import Machine
from magmem.sim.vmar import Vmar
from magmem.sim.vmo_access import read_pages

__all__ = ["costs", "model_of"]


def costs() -> dict[str, int]:
    """What each object costs in the kernel heap, as the simulator documents it."""
    from magmem.sim import HEAP_BYTES

    return dict(HEAP_BYTES)


def model_of(machine: Machine) -> tuple[State, dict[int, Any]]:
    """The state just after booting, and the simulator's object of each serial."""
    model = State()
    twins: dict[int, Any] = {}
    serial_of: dict[int, int] = {}
    for vmo in machine.vmos:
        copy = Vmo(
            model.serial(),
            vmo.size_bytes,
            vmo.name,
            physical=vmo.kind == "physical",
            wired=vmo.pages_are_wired,
            parent=serial_of[id(vmo.parent)] if vmo.parent else None,
            parent_offset_pages=vmo.parent_offset_bytes // PAGE,
            kernel_references=vmo.kernel_refs + 1,  # one until it is mapped
        )
        for first, count in vmo.runs:
            for page in range(first, first + count):
                copy.pages[page] = bytearray(read_pages(vmo, page * PAGE, PAGE))
        model.vmos[copy.serial] = copy
        serial_of[id(vmo)] = copy.serial
        twins[copy.serial] = vmo
    _kernel_aspace(model, machine, twins, serial_of)
    for copy in model.vmos.values():
        copy.kernel_references -= 1
    model.vdso = {serial_of[id(vmo)] for vmo in machine.kernel.vdso_variants}
    model.kept_vmos = {s for s, vmo in model.vmos.items() if vmo.name.startswith("arena:")}
    super_root = Job(model.serial(), None, machine.super_root.name)
    root = Job(model.serial(), super_root.serial, machine.root_job.name)
    model.jobs = {super_root.serial: super_root, root.serial: root}
    model.kept_jobs = set(model.jobs)
    twins[super_root.serial], twins[root.serial] = machine.super_root, machine.root_job
    for name, entry_bytes in (("handles", 40), ("packets", 96)):
        inside = [m for m in model.mappings.values() if _name(model, m) == f"arena:{name}"]
        control, data = sorted(inside, key=lambda mapping: mapping.base)
        model.arenas[name] = Arena(control.serial, data.serial, entry_bytes)
    pages = machine.pages
    model.total_pages = sum(pages.values())
    in_vmos = sum(len(vmo.pages) for vmo in model.vmos.values() if vmo.wired)
    model.wired_pages, model.other_pages = pages["wired"] - in_vmos, pages["alloc"]
    model.heap_pages = pages["heap"]
    model.boot_table_pages = pages["mmu"] - figures.table_pages_total(model)
    in_use = machine.kmem.total_heap_bytes - machine.kmem.free_heap_bytes
    model.heap_base_bytes = in_use - figures.heap_used_bytes(model, costs())
    return model, twins


def _name(model: State, mapping: Mapping) -> str:
    return model.vmos[mapping.vmo].name


def _kernel_aspace(
    model: State, machine: Machine, twins: dict[int, Any], serial_of: dict[int, int]
) -> None:
    aspace = machine.kernel.aspace
    copy = vmars.new_aspace(model, None, aspace.base, aspace.size_bytes)
    model.kernel_aspace = copy.serial
    twins[copy.serial], twins[copy.root] = aspace, aspace.root
    pending = [(copy.root, aspace.root)]
    for vmar, original in pending:
        for child in original.children:
            perms = frozenset(child.perms) - {"-"}
            if isinstance(child, Vmar):
                made = vmars.allocate(
                    model, vmar, child.base, child.size_bytes, perms, specific=child.specific
                )
                pending.append((made, child))
            else:
                offset = child.vmo_offset_bytes
                vmo = serial_of[id(child.vmo)]
                made = vmars.place(model, vmar, child.base, child.size_bytes, perms, vmo, offset)
                first = child.base // PAGE
                model.mappings[made].entries = {
                    first + page
                    for start, count in child.installed
                    for page in range(start, start + count)
                }
            twins[made] = child

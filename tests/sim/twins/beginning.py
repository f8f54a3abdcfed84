"""How every random run begins: with processes, VMOs, clones and mappings to work on."""

from __future__ import annotations

from sim.twins import access_ops, memory_ops, task_ops, vmo_ops
from sim.twins.driver import Choice, Twins

__all__ = ["begin"]

BEGINNING = (
    task_ops.spawn,
    task_ops.create_process,
    vmo_ops.create_vmo,
    vmo_ops.create_vmo,
    vmo_ops.clone,
    vmo_ops.clone,
    memory_ops.map_vmo,
    memory_ops.map_vmo,
    memory_ops.allocate,
    access_ops.access,
)


def begin(twins: Twins, choice: Choice) -> None:
    """Do the operations of the beginning, with choices of their own."""
    for operation in BEGINNING:
        operation(twins, choice)
        twins.check()

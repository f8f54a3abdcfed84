"""Where every record of a machine description is, and which row it becomes.

Rows of the snapshot's tables follow the order of the arrays; `MachineIndex.place` leads back from
a row to the path of its record, so that an error can name it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from magmem.captures.columns import Place
from magmem.captures.json_text import shorten
from magmem.captures.machine.format import Aspace, Machine
from magmem.captures.machine.tree import RegionRows, flatten
from magmem.errors import CaptureError

__all__ = ["MachineIndex"]


class MachineIndex:
    """A decoded description with its records numbered.

    Parameters
    ----------
    machine : Machine
        The description.
    source : str
        Its name in errors.
    """

    def __init__(self, machine: Machine, source: str) -> None:
        self.machine = machine
        self.source = source
        self.jobs = machine.jobs or []
        self.processes = machine.processes or []
        self.vmos = machine.vmos or []
        self.vmo_row = {vmo.id: row for row, vmo in enumerate(self.vmos)}
        self.vmo_row_of_koid = {vmo.koid: row for row, vmo in enumerate(self.vmos) if vmo.koid}

    @cached_property
    def thread_at(self) -> list[tuple[int, int]]:
        """Process and number of each thread."""
        return [
            (at, number)
            for at, process in enumerate(self.processes)
            for number in range(len(process.threads or ()))
        ]

    @cached_property
    def handle_at(self) -> list[tuple[int, int]]:
        """Process and number of each handle."""
        return [
            (at, number)
            for at, process in enumerate(self.processes)
            for number in range(len(process.handles or ()))
        ]

    @cached_property
    def aspaces(self) -> list[tuple[str, int | None, Aspace]]:
        """Path, process and record of each address space."""
        found: list[tuple[str, int | None, Aspace]] = []
        if self.machine.kernel_aspace is not None:
            found.append(("kernel_aspace", None, self.machine.kernel_aspace))
        for at, process in enumerate(self.processes):
            if process.aspace is not None:
                found.append((f"processes[{at}].aspace", process.koid, process.aspace))
        return found

    @cached_property
    def regions(self) -> RegionRows:
        """Every VMAR and mapping."""
        return flatten([(place, space) for place, _, space in self.aspaces], self.source)

    def task_place(self, row: int) -> str:
        """The path of a job, process or thread."""
        if row < len(self.jobs):
            return f"jobs[{row}]"
        row -= len(self.jobs)
        if row < len(self.processes):
            return f"processes[{row}]"
        return self.thread_place(row - len(self.processes))

    def thread_place(self, row: int) -> str:
        """The path of a thread."""
        return "processes[{}].threads[{}]".format(*self.thread_at[row])

    def handle_place(self, row: int) -> str:
        """The path of a handle."""
        return "processes[{}].handles[{}]".format(*self.handle_at[row])

    def aspace_place(self, row: int) -> str:
        """The path of an address space."""
        return self.aspaces[row][0]

    def place(self, table: str, row: int) -> str:
        """The path of the record behind a row; the table's name where records have no number."""
        places: dict[str, Place] = {
            "tasks": self.task_place,
            "vmos": "vmos[{}]".format,
            "aspaces": self.aspace_place,
            "regions": self.regions.place,
            "handles": self.handle_place,
            "arenas": "arenas[{}]".format,
        }
        return places[table](row) if table in places else table

    def failure(self, place: str, expected: str, found: Any) -> CaptureError:
        """The error of a record."""
        text = found if isinstance(found, str) else shorten(found)
        return CaptureError(self.source, place, expected, text)

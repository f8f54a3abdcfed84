"""Machines for the labs, made from a text: from one process to three hundred.

They have what a rule may stumble over: mappings in part, twice and past the end, clones of clones,
copies, handles without mappings, VMOs that the kernel alone maps or knows, wired and physical VMOs,
processes that do not run, and, when large, VMOs that more than 64 address spaces map.
"""

from __future__ import annotations

from typing import Final

from magmem.exercises.dice import Dice
from magmem.labs.records import (
    KERNEL,
    PAGE,
    Handle,
    Job,
    Mapping,
    Memory,
    Process,
    Records,
    Run,
    Vmo,
    page_count,
)

__all__ = ["SIZES", "balanced", "made", "owned_pages"]

SIZES: Final = (
    *(1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7, 8, 10, 12, 16),
    *(20, 25, 30, 40, 70, 90, 120, 200, 300),
)
"""Processes of the machines that a check goes through, in this order."""

NAMES: Final = (
    *("appmgr", "audio", "blobfs", "console", "devmgr", "dns", "fontsd", "gpu", "httpd"),
    *("logger", "media", "minfs", "mixer", "netsvc", "player", "sensors", "shell", "viewer"),
)
THINGS: Final = ("atlas", "buffer", "cache", "heap", "index", "journal", "ring", "stack", "tiles")
FIRST_KOID: Final = 1024


def made(words: str, processes: int) -> Records:
    """The machine that a text and a number of processes stand for, the same for ever."""
    return _Maker(Dice("lab", words, str(processes)), processes).records(words)


class _Maker:
    def __init__(self, dice: Dice, processes: int) -> None:
        self.dice = dice
        self.koid = FIRST_KOID
        self.jobs = [Job(self.koid, "root", None)]
        self.processes: list[Process] = []
        self.vmos: list[Vmo] = []
        self.maps: list[tuple[int, int, int, int]] = []  # process, vmo, first page, pages
        self.handles: list[Handle] = []
        for number in range(processes):
            self._process(number)

    def records(self, words: str) -> Records:
        """Fill the machine with VMOs, mappings and handles."""
        count = len(self.processes)
        if count > 1 and self._chance(60):
            self._library()
        for _ in range(1 + self.dice.below(2 * count + 3)):
            self._vmo()
        for _ in range(1 + self.dice.below(4 * count + 1)):
            self._map(*self._pick())
        for _ in range(self.dice.below(2 * count + 2)):
            self._handle()
        records = Records(
            name=f"machine {words}",
            jobs=tuple(self.jobs),
            processes=tuple(self.processes),
            vmos=tuple(self._named(vmo) for vmo in self.vmos),
            mappings=self._mappings(),
            handles=tuple(sorted(self.handles)),
            memory=self._memory(),
        )
        return balanced(records, self.dice.below(900) * PAGE)

    def _chance(self, percent: int) -> bool:
        return self.dice.below(100) < percent

    def _new_koid(self) -> int:
        self.koid += self.dice.between(1, 3)
        return self.koid

    def _process(self, number: int) -> None:
        if number and self._chance(8):
            above = self.dice.choice(self.jobs).koid
            self.jobs.append(Job(self._new_koid(), f"job-{len(self.jobs)}", above))
        name = f"{self.dice.choice(NAMES)}-{number}"
        job = self.dice.choice(self.jobs).koid
        self.processes.append(Process(self._new_koid(), name, job, self._chance(85)))

    def _library(self) -> None:
        """A wired VMO that every process maps in two pieces, as a vDSO; some of them again."""
        pages = self.dice.between(2, 7)
        self._add("paged", pages * PAGE, None, 0, (Run(0, pages),), wired=self._chance(70))
        text = self.dice.between(1, pages - 1)
        for process in self.dice.shuffled(self.processes):
            for _ in range(self.dice.choice((1, 1, 1, 2, 3))):
                self.maps.append((process.koid, 0, 0, text))
            self.maps.append((process.koid, 0, text, pages - text))

    def _vmo(self) -> None:
        pages = self.dice.choice((0, 1, 1, 2, 2, 3, 4, 6, 8, 12, 24))
        size = pages * PAGE - (self.dice.between(1, PAGE - 1) if self._chance(25) else 0)
        parents = [vmo.number for vmo in self.vmos if vmo.kind == "paged"]
        if parents and self._chance(40):
            parent = self.dice.choice(parents)
            offset = self.dice.choice((0, 0, 0, 1, 2)) * PAGE
            self._add("paged", max(0, size), parent, offset, self._runs(pages))
        elif self._chance(6):
            self._add("physical", max(0, size), None, 0, ())
        else:
            self._add("paged", max(0, size), None, 0, self._runs(pages), wired=self._chance(8))

    def _runs(self, pages: int) -> tuple[Run, ...]:
        percent = self.dice.choice((0, 30, 60, 90, 100))
        runs: list[Run] = []
        for page in range(pages):
            if not self._chance(percent):
                continue
            if runs and sum(runs[-1]) == page:
                runs[-1] = Run(runs[-1].first, runs[-1].count + 1)
            else:
                runs.append(Run(page, 1))
        return tuple(runs)

    def _add(
        self,
        kind: str,
        size: int,
        parent: int | None,
        offset: int,
        runs: tuple[Run, ...],
        wired: bool = False,
    ) -> None:
        number = len(self.vmos)
        self.vmos.append(Vmo(number, self._new_koid(), "", kind, size, parent, offset, wired, runs))

    def _named(self, vmo: Vmo) -> Vmo:
        """The VMO with a name that no other has; without a koid where no process knows it."""
        told = any(handle.vmo == vmo.number for handle in self.handles) or any(
            vmo.number == number and process != KERNEL for process, number, *_ in self.maps
        )
        name = f"{self.dice.choice(THINGS)}-{vmo.number}"
        return vmo._replace(name=name, koid=vmo.koid if told else 0)

    def _pick(self) -> tuple[int, int]:
        process = KERNEL if self._chance(8) else self.dice.choice(self.processes).koid
        return process, self.dice.choice(self.vmos).number

    def _map(self, process: int, vmo: int) -> None:
        pages = page_count(self.vmos[vmo].size_bytes)
        first, length = 0, max(1, pages)
        if self._chance(55):
            first = self.dice.below(pages + 1)
            length = self.dice.between(1, pages + 2)
        for _ in range(self.dice.choice((1, 1, 1, 1, 2))):
            self.maps.append((process, vmo, first, length))

    def _handle(self) -> None:
        process, vmo = self.dice.choice(self.processes).koid, self.dice.choice(self.vmos).number
        self.handles += [Handle(process, vmo)] * self.dice.choice((1, 1, 1, 2))

    def _mappings(self) -> tuple[Mapping, ...]:
        order = self.dice.shuffled(range(1, len(self.maps) + 1))
        found: list[Mapping] = []
        address: dict[int, int] = {}
        for (process, vmo, first, pages), place in zip(self.maps, order, strict=True):
            at = address.get(process, (0xFFFFFF80 << 32) if process == KERNEL else 1 << 24)
            address[process] = at + (pages + 1) * PAGE
            entries = self._runs(pages)
            found.append(Mapping(process, at, pages * PAGE, vmo, first * PAGE, place, entries))
        return tuple(sorted(found))

    def _memory(self) -> Memory:
        pages = [self.dice.below(most) * PAGE for most in (2000, 60, 40)]
        heap, used = 64 * PAGE, self.dice.between(1, 64 * PAGE)
        return Memory(0, pages[0], 0, used, heap - used, pages[1], pages[2])


def owned_pages(records: Records, *, wired: bool) -> int:
    """Pages that VMOs own, of those whose pages count as wired or of the others."""
    return sum(run.count for vmo in records.vmos if vmo.is_wired == wired for run in vmo.runs)


def balanced(records: Records, wired_alone_bytes: int) -> Records:
    """The machine with a total that its pages add up to.

    Parameters
    ----------
    wired_alone_bytes : int
        Wired memory beside the pages of VMOs.
    """
    wired = wired_alone_bytes + owned_pages(records, wired=True) * PAGE
    parts = records.memory._replace(total_bytes=0, wired_bytes=wired)
    total = sum(parts) + owned_pages(records, wired=False) * PAGE
    return records._replace(memory=parts._replace(total_bytes=total))

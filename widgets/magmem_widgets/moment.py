"""One moment of a simulated machine in plain numbers, and what a step changed.

A `Moment` is what the time machine draws: small enough to keep one for every step that was looked
at, while the machine it was taken from is thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from magmem.listing import count
from magmem.sim import Machine
from magmem.sizes import format_size
from magmem.snapshot import PAGE_BYTES

__all__ = ["Moment", "ProcessFacts", "VmoFacts", "changes"]


@dataclass(frozen=True, slots=True)
class VmoFacts:
    """A VMO: its sizes and pages, and who knows it (`mappers`: process koids, 0 the kernel)."""

    koid: int
    name: str
    size_bytes: int
    runs: tuple[tuple[int, int], ...]
    mappings: int
    mappers: tuple[int, ...]
    handles: int
    wired: bool

    @property
    def committed_bytes(self) -> int:
        """Bytes of the pages it owns."""
        return sum(length for _, length in self.runs) * PAGE_BYTES

    @property
    def title(self) -> str:
        """Name and koid; one without koid was never known to userspace."""
        return f"{self.name or 'unnamed'} ({self.koid or 'no koid'})"

    @property
    def tint(self) -> str:
        """What its pages count as."""
        if self.wired:
            return "wired"
        processes = len(self.mappers) - (0 in self.mappers)
        if processes:
            return "private" if processes == 1 else "shared"
        return "hidden_handle" if self.handles else "hidden_kernel"


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """A process: its state and how much it has."""

    koid: int
    name: str
    state: str
    mappings: int
    handles: int

    @property
    def title(self) -> str:
        """Name and koid."""
        return f"{self.name or 'process'} ({self.koid})"


@dataclass(frozen=True)
class Moment:
    """Every process by koid and every VMO by serial number, in creation order."""

    processes: dict[int, ProcessFacts]
    vmos: dict[str, VmoFacts]

    @classmethod
    def of(cls, machine: Machine) -> Moment:
        """The machine as it is."""
        processes = {}
        for process in machine.processes:
            mapped = sum(1 for _ in process.aspace.mappings()) if process.aspace else 0
            facts = (process.koid, process.name, process.state, mapped, len(process.handles))
            processes[process.koid] = ProcessFacts(*facts)
        vmos = {}
        for vmo in machine.vmos:
            owners = (mapping.aspace.process for mapping in vmo.mappings)
            vmos[vmo.id] = VmoFacts(
                koid=vmo.koid,
                name=vmo.name,
                size_bytes=vmo.size_bytes,
                runs=tuple(vmo.runs),
                mappings=len(vmo.mappings),
                mappers=tuple(sorted({owner.koid if owner else 0 for owner in owners})),
                handles=vmo.handle_count,
                wired=vmo.pages_are_wired,
            )
        return cls(processes, vmos)


def changes(before: Moment, after: Moment) -> list[str]:
    """What came, went, and changed, one short clause each, in creation order."""
    found = [*_came_and_went("process", before.processes, after.processes)]
    for koid, process in after.processes.items():
        old = before.processes.get(koid)
        if old and old.state != process.state:
            found.append(f"{process.title} is {process.state}")
    found += _came_and_went("VMO", before.vmos, after.vmos)
    for key, vmo in after.vmos.items():
        old_vmo = before.vmos.get(key)
        if old_vmo and old_vmo != vmo:
            found += [f"{vmo.title} {said}" for said in _differences(old_vmo, vmo)]
    return found


def _came_and_went(
    what: str,
    before: dict[int, ProcessFacts] | dict[str, VmoFacts],
    after: dict[int, ProcessFacts] | dict[str, VmoFacts],
) -> Iterator[str]:
    for word, here, there in (("new", after, before), ("gone", before, after)):
        titles = [facts.title for key, facts in here.items() if key not in there]
        if titles:
            more = f" and {len(titles) - 2} more" if len(titles) > 2 else ""
            plural = "es" if what == "process" else "s"
            yield f"{word} {what}{plural * (len(titles) > 1)} {', '.join(titles[:2])}{more}"


def _differences(before: VmoFacts, after: VmoFacts) -> Iterator[str]:
    if before.size_bytes != after.size_bytes:
        yield f"is {format_size(after.size_bytes)} long, was {format_size(before.size_bytes)}"
    gained = (after.committed_bytes - before.committed_bytes) // PAGE_BYTES
    if gained:
        verb = "owns" if gained > 0 else "gives back"
        yield f"{verb} {count(abs(gained), 'page')}{' more' * (gained > 0)}"
    elif before.runs != after.runs:
        yield "owns other pages"
    if before.mappings != after.mappings:
        yield f"has {count(after.mappings, 'mapping')}, had {before.mappings}"
    if before.handles != after.handles:
        yield f"has {count(after.handles, 'handle')}, had {before.handles}"

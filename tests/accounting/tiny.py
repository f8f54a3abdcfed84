"""Literal small machines for worked cases: VMOs, who maps what, who holds what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from magmem.snapshot import FACETS, PAGE_BYTES, Snapshot

KERNEL = "kernel"


@dataclass(frozen=True)
class Vmo:
    """A VMO of `size` pages that owns the pages `owned` (default: all, or a clone's none)."""

    size: int
    owned: Sequence[int] | None = None
    parent: str | None = None
    offset: int = 0
    wired: bool = False
    name: str = ""
    koid: int | None = None

    @property
    def pages(self) -> Sequence[int]:
        """The indices it owns."""
        if self.owned is not None:
            return self.owned
        return () if self.parent else range(self.size)


@dataclass(frozen=True)
class Map:
    """A mapping of a VMO: `first` page and `count` of pages (default: all of it)."""

    vmo: str
    first: int = 0
    count: int | None = None


def machine(
    vmos: Mapping[str, Vmo],
    maps: Mapping[str, Sequence[Map | str]],
    handles: Mapping[str, Sequence[str]] | None = None,
    states: Mapping[str, str] | None = None,
    newest_first: bool = False,
    **meta: Any,
) -> Snapshot:
    """A machine whose processes are the keys of `maps` (``kernel`` is the kernel's space).

    Koids: the job 1, processes 101 … in order of `maps` and `handles`, VMOs 1001 … in order.
    """
    held, states = handles or {}, states or {}
    names = [name for name in dict.fromkeys((*maps, *held)) if name != KERNEL]
    koid = {name: 101 + place for place, name in enumerate(names)}
    row = {name: place for place, name in enumerate(vmos)}
    spaces = [KERNEL, *names]
    regions: list[dict[str, Any]] = []
    for aspace, name in enumerate(spaces):
        for mapping in maps.get(name, ()):
            place = Map(mapping) if isinstance(mapping, str) else mapping
            count = vmos[place.vmo].size if place.count is None else place.count
            regions.append(
                {
                    "aspace": aspace,
                    "depth": 1,
                    "kind": "mapping",
                    "vmo": row[place.vmo],
                    "vmo_offset_bytes": place.first * PAGE_BYTES,
                    "size_bytes": count * PAGE_BYTES,
                    "map_seq": (-1 if newest_first else 1) * len(regions) + 10_000,
                }
            )
    alloc = sum(len(vmo.pages) for vmo in vmos.values()) * PAGE_BYTES
    wired = sum(len(vmo.pages) for vmo in vmos.values() if vmo.wired) * PAGE_BYTES
    tables: dict[str, Any] = {
        "tasks": {
            "koid": [1, *koid.values()],
            "kind": ["job"] + ["process"] * len(names),
            "parent_koid": [None] + [1] * len(names),
            "name": ["root", *names],
            "state": [None, *(states.get(name, "running") for name in names)],
        },
        "aspaces": {
            "kind": ["kernel"] + ["user"] * len(names),
            "process_koid": [None, *koid.values()],
        },
        "regions": columns(regions),
        "vmos": {
            "id": list(vmos),
            "koid": [v.koid or 1001 + place for place, v in enumerate(vmos.values())],
            "kind": ["paged"] * len(vmos),
            "name": [vmo.name for vmo in vmos.values()],
            "size_bytes": [vmo.size * PAGE_BYTES for vmo in vmos.values()],
            "is_clone": [vmo.parent is not None for vmo in vmos.values()],
            "parent": [None if vmo.parent is None else row[vmo.parent] for vmo in vmos.values()],
            "parent_offset_bytes": [vmo.offset * PAGE_BYTES for vmo in vmos.values()],
            "pages_are_wired": [vmo.wired for vmo in vmos.values()],
            "pages_known": [True] * len(vmos),
        },
        "pages": columns(
            [
                {"vmo": place, "first_page": page, "page_count": 1}
                for place, vmo in enumerate(vmos.values())
                for page in vmo.pages
            ]
        ),
        "handles": columns(
            [
                {"process_koid": koid[holder], "type": "vmo", "vmo": row[name]}
                for holder, names_held in held.items()
                for name in names_held
            ]
        ),
        "kmem": {
            "total_bytes": [alloc + 100 * PAGE_BYTES],
            "free_bytes": [50 * PAGE_BYTES],
            "wired_bytes": [wired + 20 * PAGE_BYTES],
            "total_heap_bytes": [15 * PAGE_BYTES],
            "free_heap_bytes": [5000],
            "vmo_bytes": [alloc - wired],
            "mmu_overhead_bytes": [10 * PAGE_BYTES],
            "other_bytes": [5 * PAGE_BYTES],
        },
    }
    complete: Any = dict.fromkeys(FACETS, "complete")
    return Snapshot.of(tables, **({"coverage": complete, "root_job_koid": 1} | meta))


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}

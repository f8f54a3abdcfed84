"""Random small machines, made straight as snapshot tables from a seed.

`random_machine` lays several independent *islands* of processes and VMOs into one snapshot (they
share only the kernel's address space), so that one snapshot holds many small machines. Islands
have clones of clones at offsets and past their parent's end, odd sizes, partial, overlapping and
duplicate mappings, kernel mappings, processes that do not run, VMOs with handles only or with
nothing, wired and physical VMOs, and now and then more than 64 address spaces on one VMO.
"""

from __future__ import annotations

from random import Random
from typing import Any

from magmem.snapshot import FACETS, PAGE_BYTES, Snapshot

__all__ = ["random_machine"]

STATES = ["running"] * 6 + ["initial", "dying", "dead"]


def random_machine(seed: int, islands: int = 1, crowded: bool = False) -> Snapshot:
    """A machine of `islands` random parts; `crowded`: one VMO has more than 64 address spaces."""
    return _Maker(seed).machine(islands, crowded)


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 (test machines, not secrets)
        self.koid = 1024
        self.sequence = list(range(1, 100_000))
        self.tasks: list[dict[str, Any]] = [
            {"koid": 1024, "kind": "job", "parent_koid": None, "name": "root", "state": None}
        ]
        self.vmos: list[dict[str, Any]] = []
        self.pages: list[dict[str, int]] = []
        self.handles: list[dict[str, Any]] = []
        self.mappings: list[list[dict[str, Any]]] = [[]]

    def machine(self, islands: int, crowded: bool) -> Snapshot:
        for _ in range(islands):
            self.island(self.random.randint(70, 110) if crowded else self.random.randint(1, 4))
        regions, entries = self.regions()
        owners = [None, *(task["koid"] for task in self.tasks if task["kind"] == "process")]
        tables: dict[str, Any] = {
            "tasks": _columns(self.tasks),
            "aspaces": {
                "kind": ["kernel"] + ["user"] * (len(owners) - 1),
                "process_koid": owners,
                "name": ["kernel", *(f"proc:{koid}" for koid in owners[1:])],
            },
            "regions": _columns(regions),
            "vmos": _columns(self.vmos),
            "pages": _columns(self.pages),
            "entries": _columns(entries),
            "handles": _columns(self.handles),
            "kmem": self.kmem(),
        }
        complete: Any = dict.fromkeys(FACETS, "complete")
        return Snapshot.of(tables, name="random", root_job_koid=1024, coverage=complete)

    def new_koid(self) -> int:
        self.koid += self.random.randint(1, 3)
        return self.koid

    def island(self, processes: int) -> None:
        random = self.random
        aspaces = []
        for _ in range(processes):
            state = random.choice(STATES)
            koid, name = self.new_koid(), f"p{len(self.tasks)}"
            self.tasks.append(
                {
                    "koid": koid,
                    "kind": "process",
                    "parent_koid": 1024,
                    "name": name,
                    "state": state,
                }
            )
            aspaces.append(len(self.mappings))
            self.mappings.append([])
        first = len(self.vmos)
        for _ in range(random.randint(1, 6)):
            self.vmo(first)
        rows = range(first, len(self.vmos))
        for _ in range(random.randint(0, 3 * processes + 2)):
            aspace = 0 if random.random() < 0.12 else random.choice(aspaces)
            self.map(aspace, random.choice(rows))
        if processes > 64:
            popular = random.choice(rows)
            for aspace in aspaces:
                for _ in range(random.randint(1, 3)):
                    self.map(aspace, popular)
        for _ in range(random.randint(0, 4)):
            row = random.choice(rows)
            koid = self.tasks[random.choice(aspaces)]["koid"]
            self.handles.append({"process_koid": koid, "type": "vmo", "vmo": row, "rights": 63})

    def vmo(self, first: int) -> None:
        random = self.random
        row = len(self.vmos)
        size_pages = random.choice([0, 1, 2, 3, 5, 8, 12])
        size_bytes = size_pages * PAGE_BYTES
        if size_pages and random.random() < 0.3:
            size_bytes -= random.randint(1, PAGE_BYTES - 1)
        parent = random.randrange(first, row) if row > first and random.random() < 0.55 else None
        physical = parent is None and random.random() < 0.08
        if parent is not None and self.vmos[parent]["kind"] == "physical":
            parent = None
        self.vmos.append(
            {
                "id": f"v{row}",
                "koid": self.new_koid() if random.random() < 0.8 else 0,
                "kind": "physical" if physical else "paged",
                "name": random.choice(["", "heap", "stack"]),
                "size_bytes": size_bytes,
                "is_clone": parent is not None,
                "parent": parent,
                "parent_offset_bytes": (
                    None if parent is None else random.choice([0, 0, 0, 1, 2, 4]) * PAGE_BYTES
                ),
                "pages_are_wired": random.random() < 0.1,
                "pages_known": True,
            }
        )
        density = 0.0 if physical else random.choice([0.0, 0.25, 0.5, 0.9, 1.0])
        owned = [page for page in range(size_pages) if random.random() < density]
        self.pages += [
            {"vmo": row, "first_page": page, "page_count": count}
            for page, count in self.runs(owned)
        ]

    def runs(self, owned: list[int]) -> list[tuple[int, int]]:
        """Runs over sorted pages; touching runs stay apart now and then."""
        runs: list[tuple[int, int]] = []
        for page in owned:
            if runs and sum(runs[-1]) == page and self.random.random() < 0.9:
                runs[-1] = runs[-1][0], runs[-1][1] + 1
            else:
                runs.append((page, 1))
        return runs

    def map(self, aspace: int, row: int) -> None:
        random = self.random
        size_pages = -(-self.vmos[row]["size_bytes"] // PAGE_BYTES)
        if random.random() < 0.4:
            offset, pages = 0, max(1, size_pages)
        else:
            offset = random.randint(0, size_pages + 1)
            pages = random.randint(1, size_pages + 2)
        self.mappings[aspace].append(
            {
                "vmo": row,
                "vmo_offset_bytes": offset * PAGE_BYTES,
                "size_bytes": pages * PAGE_BYTES,
            }
        )

    def regions(self) -> tuple[list[dict[str, Any]], list[dict[str, int]]]:
        regions: list[dict[str, Any]] = []
        entries: list[dict[str, int]] = []
        self.random.shuffle(self.sequence)
        for aspace, mappings in enumerate(self.mappings):
            regions.append({"aspace": aspace, "depth": 0, "kind": "vmar", "base": 0})
            base = 1 << 24
            for mapping in mappings:
                installed = self.random.choice([0.0, 0.5, 1.0])
                pages = range(mapping["size_bytes"] // PAGE_BYTES)
                touched = [page for page in pages if self.random.random() < installed]
                entries += [
                    {"region": len(regions), "first_page": page, "page_count": count}
                    for page, count in self.runs(touched)
                ]
                place = {"aspace": aspace, "depth": 1, "kind": "mapping", "base": base}
                regions.append(place | mapping | {"map_seq": self.sequence.pop()})
                base += mapping["size_bytes"] + PAGE_BYTES
        return regions, entries

    def kmem(self) -> dict[str, list[int]]:
        wired_rows = {row for row, vmo in enumerate(self.vmos) if vmo["pages_are_wired"]}
        alloc = wired = 0
        for run in self.pages:
            alloc += run["page_count"] * PAGE_BYTES
            wired += run["page_count"] * PAGE_BYTES if run["vmo"] in wired_rows else 0
        parts = {
            "free_bytes": self.random.randint(0, 99) * PAGE_BYTES,
            "wired_bytes": wired + self.random.randint(0, 9) * PAGE_BYTES,
            "total_heap_bytes": 7 * PAGE_BYTES,
            "vmo_bytes": alloc - wired,
            "mmu_overhead_bytes": self.random.randint(0, 9) * PAGE_BYTES,
            "other_bytes": self.random.randint(0, 9) * PAGE_BYTES,
        }
        parts["total_bytes"] = sum(parts.values())
        parts["free_heap_bytes"] = self.random.randint(0, 7 * PAGE_BYTES)
        return {name: [value] for name, value in parts.items()}


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}

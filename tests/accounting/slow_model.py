"""The accounting rules page by page, with dictionaries: slow, obvious, and sharing no code.

Reads the plain tables of a snapshot and follows reference/accounting.md word by word. Used to
check the fast rules on random machines.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from magmem.snapshot import Snapshot

PAGE = 4096
Page = tuple[int, int]
"""A physical page: the VMO (row) that owns it, and its index there."""


@dataclass(frozen=True)
class Mapping:
    """One mapping, in pages of its VMO."""

    aspace: int
    vmo: int
    first: int
    count: int
    sequence: int


class SlowModel:
    """One machine state, page by page."""

    def __init__(self, snap: Snapshot) -> None:
        vmos = snap.vmos.astype(object).to_dict("records")
        self.size = [-(-vmo["size_bytes"] // PAGE) for vmo in vmos]
        self.parent = [None if _missing(vmo["parent"]) else vmo["parent"] for vmo in vmos]
        self.shift = [
            0 if _missing(vmo["parent_offset_bytes"]) else vmo["parent_offset_bytes"] // PAGE
            for vmo in vmos
        ]
        self.wired = [vmo["pages_are_wired"] is True for vmo in vmos]
        self.owned: list[set[int]] = [set() for _ in vmos]
        for run in snap.pages.to_dict("records"):
            first = run["first_page"]
            self.owned[run["vmo"]] |= set(range(first, first + run["page_count"]))
        aspaces = snap.aspaces.astype(object).to_dict("records")
        self.process_of = {
            row: aspace["process_koid"]
            for row, aspace in enumerate(aspaces)
            if not _missing(aspace["process_koid"])
        }
        self.kernel = {row for row, aspace in enumerate(aspaces) if aspace["kind"] == "kernel"}
        self.mappings: dict[int, Mapping] = {}
        for row, region in enumerate(snap.regions.astype(object).to_dict("records")):
            if region["kind"] == "mapping":
                self.mappings[row] = Mapping(
                    region["aspace"],
                    region["vmo"],
                    region["vmo_offset_bytes"] // PAGE,
                    region["size_bytes"] // PAGE,
                    region["map_seq"],
                )
        tasks = snap.tasks.astype(object).to_dict("records")
        self.state = {t["koid"]: t["state"] for t in tasks if t["kind"] == "process"}
        self.handles = [
            (handle["process_koid"], handle["vmo"])
            for handle in snap.handles.astype(object).to_dict("records")
            if not _missing(handle["vmo"])
        ]
        self.entries = [
            (run["region"], page)
            for run in snap.entries.to_dict("records")
            for page in range(run["first_page"], run["first_page"] + run["page_count"])
        ]

    def visible(self, vmo: int, index: int) -> Page | None:
        """The page that a read of the VMO finds at an index; None for zeros."""
        at: int | None = vmo
        while at is not None and index < self.size[at]:
            if index in self.owned[at]:
                return at, index
            index += self.shift[at]
            at = self.parent[at]
        return None

    def all_pages(self) -> list[Page]:
        """Every committed page."""
        return [(vmo, index) for vmo, owned in enumerate(self.owned) for index in sorted(owned)]

    def range_of(self, mapping: Mapping) -> range:
        """The VMO's pages inside a mapping, up to the VMO's end."""
        return range(mapping.first, min(mapping.first + mapping.count, self.size[mapping.vmo]))

    def own_pages(self, mapping: Mapping) -> list[Page]:
        """Pages in the VMO's own list inside the mapped range and the VMO's size."""
        vmo = mapping.vmo
        inside = (index for index in self.range_of(mapping) if index < self.size[vmo])
        return [(vmo, index) for index in inside if index in self.owned[vmo]]

    def aspaces_of(self, vmo: int) -> set[int]:
        """Address spaces with a mapping of the VMO."""
        return {m.aspace for m in self.mappings.values() if m.vmo == vmo}

    def share_counts(self) -> dict[int, int]:
        """#shr of every mapped VMO, by looking at its mappings newest first."""
        by_vmo: dict[int, list[Mapping]] = defaultdict(list)
        for mapping in self.mappings.values():
            by_vmo[mapping.vmo].append(mapping)
        counts = {}
        for vmo, mappings in by_vmo.items():
            mappings.sort(key=lambda mapping: -mapping.sequence)
            seen: set[int] = set()
            counts[vmo] = 0
            for visited, mapping in enumerate(mappings):
                if mapping.aspace not in seen and len(seen) == 64:
                    counts[vmo] = 64 + (len(mappings) - visited) * 64 // visited
                    break
                seen.add(mapping.aspace)
            else:
                counts[vmo] = max(1, len(seen))
        return counts

    def sharers(self) -> dict[Page, set[int]]:
        """The distinct address spaces through which each page is visible."""
        found: dict[Page, set[int]] = {page: set() for page in self.all_pages()}
        for mapping in self.mappings.values():
            for index in self.range_of(mapping):
                page = self.visible(mapping.vmo, index)
                if page is not None:
                    found[page].add(mapping.aspace)
        return found

    def magenta(self) -> dict[int, dict[str, int]]:
        """PRIVATE, SHARED, scaled of every address space."""
        shares = self.share_counts()
        rows: dict[int, dict[str, int]] = defaultdict(Counter)
        for mapping in self.mappings.values():
            size = len(self.own_pages(mapping)) * PAGE
            share = shares[mapping.vmo]
            row = rows[mapping.aspace]
            if share == 1:
                row["private"] += size
            else:
                row["shared"] += size
                row["scaled"] += size // share
        return rows

    def stages(self) -> list[dict[int, Fraction]]:
        """R0 … R5 of every address space."""
        shares = self.share_counts()
        exact = {vmo: len(self.aspaces_of(vmo)) for vmo in shares}
        stages: list[dict[int, Fraction]] = [defaultdict(Fraction) for _ in range(6)]
        for aspace, row in self.magenta().items():
            stages[0][aspace] = Fraction(row["private"] + row["scaled"])
        once: dict[Page, set[int]] = defaultdict(set)
        for mapping in self.mappings.values():
            size = len(self.own_pages(mapping)) * PAGE
            stages[1][mapping.aspace] += Fraction(size, shares[mapping.vmo])
            stages[2][mapping.aspace] += Fraction(size, exact[mapping.vmo])
            for page in self.own_pages(mapping):
                once[page].add(mapping.aspace)
        for page, aspaces in once.items():
            for aspace in aspaces:
                stages[3][aspace] += Fraction(PAGE, exact[page[0]])
                stages[4][aspace] += Fraction(PAGE, len(aspaces))
        for aspaces in self.sharers().values():
            for aspace in aspaces:
                stages[5][aspace] += Fraction(PAGE, len(aspaces))
        return stages

    def uss(self) -> dict[int, int]:
        """Bytes of the pages with an address space as only sharer."""
        alone: dict[int, int] = Counter()
        for aspaces in self.sharers().values():
            if len(aspaces) == 1:
                alone[next(iter(aspaces))] += PAGE
        return alone

    def reached(self) -> dict[int, int]:
        """Bytes of the pages each address space reaches, each page whole."""
        whole: dict[int, int] = Counter()
        for aspaces in self.sharers().values():
            for aspace in aspaces:
                whole[aspace] += PAGE
        return whole

    def seers(self) -> dict[Page, set[int]]:
        """VMOs through which each page is visible."""
        found: dict[Page, set[int]] = {page: set() for page in self.all_pages()}
        for vmo, size in enumerate(self.size):
            for index in range(size):
                page = self.visible(vmo, index)
                if page is not None:
                    found[page].add(vmo)
        return found

    def holders(self) -> dict[Page, set[int]]:
        """Processes (koids) that hold a handle through which each page is visible."""
        by_vmo: dict[int, set[int]] = defaultdict(set)
        for koid, vmo in self.handles:
            by_vmo[vmo].add(koid)
        return {
            page: set().union(*(by_vmo[vmo] for vmo in vmos)) for page, vmos in self.seers().items()
        }

    def hidden(self) -> tuple[dict[int, Fraction], int, int]:
        """Handle-only bytes by process koid, their sum, and kernel-only bytes."""
        by_process: dict[int, Fraction] = defaultdict(Fraction)
        held = kernel = 0
        holders = self.holders()
        for page, aspaces in self.sharers().items():
            if aspaces:
                continue
            if not holders[page]:
                kernel += PAGE
                continue
            held += PAGE
            for koid in holders[page]:
                by_process[koid] += Fraction(PAGE, len(holders[page]))
        return by_process, held, kernel

    def hidden_why(self) -> dict[tuple[int, str], int]:
        """Pages without a process's mapping by (VMO, reason)."""
        sharers, holders = self.sharers(), self.holders()
        mapped = {mapping.vmo for mapping in self.mappings.values()}
        behind = {
            page
            for mapping in self.mappings.values()
            for index in self.range_of(mapping)
            for page in self.chain(mapping.vmo, index)
        }
        found: dict[tuple[int, str], int] = Counter()
        for page, aspaces in sharers.items():
            if aspaces - self.kernel:
                continue
            if aspaces:
                why = "kernel-mapped"
            elif page in behind:
                why = "shadowed"
            elif page[0] in mapped:
                why = "unmapped part"
            else:
                why = "handle-only" if holders[page] else "kernel-only"
            found[page[0], why] += 1
        return found

    def chain(self, vmo: int, index: int) -> list[Page]:
        """Every page that stands at an index of the VMO or of one above it."""
        pages = []
        at: int | None = vmo
        while at is not None and index < self.size[at]:
            if index in self.owned[at]:
                pages.append((at, index))
            index += self.shift[at]
            at = self.parent[at]
        return pages

    def linux(self) -> dict[int, Fraction]:
        """Proportional bytes by address space, each page divided by its page-table entries."""
        seen: list[tuple[int, Page]] = []
        for region, index in self.entries:
            mapping = self.mappings[region]
            page = self.visible(mapping.vmo, mapping.first + index)
            if page is not None and index < mapping.count:
                seen.append((mapping.aspace, page))
        count = Counter(page for _, page in seen)
        charged: dict[int, Fraction] = defaultdict(Fraction)
        for aspace, page in seen:
            charged[aspace] += Fraction(PAGE, count[page])
        return charged

    def memory_monitor(self) -> dict[int, Fraction]:
        """Bytes by process koid: a VMO belongs to all who have or map it or a descendant."""
        owners: list[set[int]] = [set() for _ in self.owned]
        for koid, vmo in self.handles:
            owners[vmo].add(koid)
        for mapping in self.mappings.values():
            if mapping.aspace in self.process_of:
                owners[mapping.vmo].add(self.process_of[mapping.aspace])
        for vmo in range(len(self.owned)):
            above = self.parent[vmo]
            while above is not None:
                owners[above] |= owners[vmo]
                above = self.parent[above]
        charged: dict[int, Fraction] = defaultdict(Fraction)
        for vmo, koids in enumerate(owners):
            for koid in koids:
                charged[koid] += Fraction(len(self.owned[vmo]) * PAGE, len(koids))
        return charged

    def rfc_0254(self) -> tuple[dict[int, Fraction], Fraction]:
        """Bytes by address space, and what stays with VMOs that nobody maps."""
        aspaces = [self.aspaces_of(vmo) for vmo in range(len(self.owned))]
        charged: dict[int, Fraction] = defaultdict(Fraction)
        unmapped = Fraction(0)
        for page, vmos in self.seers().items():
            for vmo in vmos or {page[0]}:
                part = Fraction(PAGE, max(1, len(vmos)))
                for aspace in aspaces[vmo]:
                    charged[aspace] += part / len(aspaces[vmo])
                if not aspaces[vmo]:
                    unmapped += part
        return charged, unmapped

    def treemap(self) -> dict[int, Fraction]:
        """Bytes by koid of processes that run: alloc / #shr, or / (#shr + 1) if not mapped."""
        shares = self.share_counts()
        pairs: dict[tuple[int, int], bool] = dict.fromkeys(self.handles, False)
        for mapping in self.mappings.values():
            if mapping.aspace in self.process_of:
                pairs[self.process_of[mapping.aspace], mapping.vmo] = True
        charged: dict[int, Fraction] = defaultdict(Fraction)
        for (koid, vmo), mapped in pairs.items():
            if self.state[koid] == "running":
                parts = shares.get(vmo, 1) + (0 if mapped else 1)
                charged[koid] += Fraction(len(self.owned[vmo]) * PAGE, parts)
        return charged


def _missing(value: Any) -> bool:
    return value is None or value != value or str(value) == "<NA>"  # noqa: PLR0124 (NaN)

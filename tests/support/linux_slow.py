"""The linux and the exact rule over a small snapshot, page by page, as plainly as possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

from magmem.snapshot import PAGE_BYTES, Snapshot

__all__ = ["Page", "SlowRules"]

Page = tuple[int, int]
"""VMO row and page of it."""


class SlowRules:
    """Who holds and who sees each page."""

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        self.owned: dict[int, set[int]] = defaultdict(set)
        for vmo, first, count in snap.pages.itertuples(index=False):
            if not snap.vmos["id"][vmo].startswith("kernel/"):
                self.owned[vmo].update(range(first, first + count))
        vmos = snap.vmos
        self.parent = vmos["parent"].astype(object).tolist()
        self.offset = (vmos["parent_offset_bytes"].fillna(0) // PAGE_BYTES).tolist()
        self.pages = (-(-vmos["size_bytes"] // PAGE_BYTES)).tolist()
        regions = snap.regions
        self.begin = (regions["vmo_offset_bytes"].fillna(0) // PAGE_BYTES).tolist()
        self.vmo = regions["vmo"].astype(object).tolist()
        self.koid = snap.aspaces["process_koid"].astype(object).tolist()
        self.space = regions["aspace"].tolist()
        self.entries: dict[int, dict[int, Page]] = defaultdict(dict)
        self.count: dict[Page, int] = defaultdict(int)
        for region, first, count in snap.entries.itertuples(index=False):
            for at in range(first, first + count):
                page = self.resolve(self.vmo[region], self.begin[region] + at)
                assert page is not None, "an entry without a page"
                self.entries[region][at] = page
                self.count[page] += 1

    def resolve(self, vmo: int, page: int) -> Page | None:
        """The page that is visible at a place of a VMO."""
        while page < self.pages[vmo]:
            if page in self.owned[vmo]:
                return vmo, page
            if not isinstance(self.parent[vmo], int):
                return None
            page += self.offset[vmo]
            vmo = self.parent[vmo]
        return None

    def pss_bytes(self, region: int) -> Fraction:
        """What smaps says of one mapping."""
        return self.pss_of(self.entries[region].values())

    def pss_of(self, pages: Iterable[Page]) -> Fraction:
        """What smaps says of some entries."""
        return sum((Fraction(PAGE_BYTES, self.count[page]) for page in pages), Fraction(0))

    def pss_of_processes(self) -> dict[int, Fraction]:
        """What smaps says of each process."""
        sums: dict[int, Fraction] = defaultdict(Fraction)
        for region in self.entries:
            sums[self.koid[self.space[region]]] += self.pss_bytes(region)
        return dict(sums)

    def holders(self) -> dict[Page, set[int]]:
        """The processes that have an entry of each page."""
        found: dict[Page, set[int]] = defaultdict(set)
        for region, pages in self.entries.items():
            for page in pages.values():
                found[page].add(self.koid[self.space[region]])
        return dict(found)

    def watchers(self, koids: set[int]) -> dict[Page, set[int]]:
        """The processes, of some, that see each page through any mapping (the exact rule)."""
        found: dict[Page, set[int]] = defaultdict(set)
        sizes = self.snap.regions["size_bytes"].astype(object).tolist()
        for region, vmo in enumerate(self.vmo):
            koid = self.koid[self.space[region]]
            if not isinstance(vmo, int) or koid not in koids or not self._has_pages(vmo):
                continue
            for at in range(min(sizes[region] // PAGE_BYTES, self.pages[vmo])):
                page = self.resolve(vmo, self.begin[region] + at)
                if page is not None:
                    found[page].add(koid)
        return dict(found)

    def _has_pages(self, vmo: int) -> bool:
        while isinstance(vmo, int):
            if self.owned[vmo]:
                return True
            vmo = self.parent[vmo]
        return False

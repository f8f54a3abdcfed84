"""PSS explorer: share a page by clicking, and see what each process pays by each rule.

Rows are pages, columns are processes; a filled square at their crossing is a mapping. Under each
name stand its PRIVATE, SHARED and PSS; at the right the sum of all PSS beside the memory there
really is. The numbers come from `magmem.account` on a snapshot of just this machine.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import pandas as pd
import traitlets
from ipywidgets import Dropdown, HBox, IntSlider, ToggleButtons, Widget

import magmem
from magmem.listing import count
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem_widgets.explorer import Explorer
from magmem_widgets.scene import Scene

__all__ = ["PssExplorer"]

MOST_PAGES = 8
MOST_PROCESSES = 8
RULES = ("magenta-2017", "exact", "treemap-2017", "memory_monitor", "rfc-0254")
LAYOUTS = ("one VMO each", "one VMO for all")
_FIRST = frozenset({(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)})


class PssExplorer(Explorer):
    """Pages × processes: who maps which page, and what each pays.

    Attributes
    ----------
    pages, processes : int
        Size of the grid, 1 to 8 each.
    shared : frozenset of (page, process)
        The mappings; pages and processes count from 0.
    vmos : str
        ``one VMO each`` or ``one VMO for all``: whether #shr is right for each page.
    rule : str
        The rule whose numbers stand under the names.
    """

    title: ClassVar[str] = "What each process pays for the pages it maps"
    watched: ClassVar[tuple[str, ...]] = ("pages", "processes", "shared", "vmos", "rule")

    pages = traitlets.Int(2, min=1, max=MOST_PAGES)
    processes = traitlets.Int(4, min=1, max=MOST_PROCESSES)
    shared = traitlets.Any(_FIRST)
    vmos = traitlets.Enum(LAYOUTS, LAYOUTS[0])
    rule = traitlets.Enum(RULES, RULES[0])

    _MOST_KEPT = 500

    def __init__(self, **traits: Any) -> None:
        # A slider that is moved back and forth meets the same states again and again.
        self._kept: dict[tuple[object, ...], pd.DataFrame] = {}
        super().__init__(**traits)

    @traitlets.validate("shared")
    def _valid_shared(self, proposal: dict[str, Any]) -> frozenset[tuple[int, int]]:
        pairs = frozenset((int(page), int(process)) for page, process in proposal["value"])
        for page, process in pairs:
            if not (0 <= page < MOST_PAGES and 0 <= process < MOST_PROCESSES):
                raise traitlets.TraitError(
                    f"expected pages below {MOST_PAGES} and processes below {MOST_PROCESSES}, "
                    f"found page {page} of process {process}"
                )
        return pairs

    def controls(self) -> list[Widget]:
        """Sliders for the grid, the way pages lie in VMOs, and the rule."""
        pages = IntSlider(self.pages, 1, MOST_PAGES, description="pages")
        processes = IntSlider(self.processes, 1, MOST_PROCESSES, description="processes")
        layouts = [(f"pages in {layout}", layout) for layout in LAYOUTS]
        vmos = ToggleButtons(options=layouts, value=self.vmos)
        vmos.style.button_width = "auto"
        rule = Dropdown(options=RULES, value=self.rule, description="rule")
        for name, control in (
            ("pages", pages),
            ("processes", processes),
            ("vmos", vmos),
            ("rule", rule),
        ):
            traitlets.link((self, name), (control, "value"))
        return [HBox([pages, processes]), HBox([vmos, rule])]

    def act(self, name: str) -> None:
        """Toggle the mapping of one page by one process (``toggle PAGE PROCESS``)."""
        _, page, process = name.split()
        self.shared = self.shared ^ {(int(page), int(process))}

    def snapshot(self) -> Snapshot:
        """The machine of this state: every page committed, each mapping one page long."""
        together = self.vmos == LAYOUTS[1]
        pairs = sorted((process, page) for page, process in self._mappings())
        regions = {
            "aspace": [process for process, _ in pairs],
            "depth": [1] * len(pairs),
            "kind": ["mapping"] * len(pairs),
            "vmo": [0 if together else page for _, page in pairs],
            "vmo_offset_bytes": [page * PAGE_BYTES * together for _, page in pairs],
            "size_bytes": [PAGE_BYTES] * len(pairs),
        }
        memory = (1, self.pages) if together else (self.pages, 1)
        return _unmapped(self.processes, *memory).with_tables({"regions": regions})

    def numbers(self) -> pd.DataFrame:
        """What the rule says: name and ``private_bytes``, ``shared_bytes``, ``pss_bytes``."""
        state = (self.pages, self.processes, self.shared, self.vmos, self.rule)
        if state not in self._kept:
            if len(self._kept) >= self._MOST_KEPT:
                self._kept.clear()
            self._kept[state] = magmem.account(self.snapshot(), self.rule).df
        return self._kept[state]

    def scene(self) -> Scene:
        """The numbers of each process, the grid, and the sum at the right."""
        table, counts, parts = self.numbers(), self._counts(), self._parts()
        names = table["name"].tolist()
        scene = Scene(760, 396, "pages and the processes that map them")
        left, top, cell = 96.0, 116.0, 30.0
        step = 62.0
        for process in range(self.processes):
            x = left + process * step + cell / 2
            scene.text(x, 24, names[process], anchor="middle", bold=True)
        for page in range(self.pages):
            y = top + page * (cell + 4)
            tint = ("hidden_kernel", "private")[counts[page] == 1] if counts[page] < 2 else "shared"
            scene.text(54, y + 19, f"page {page}", anchor="end")
            scene.rect(60, y + 4, 22, 22, tint, tip=f"page {page}: {self._said(counts[page])}")
            for process in range(self.processes):
                mapped = (page, process) in self.shared
                verb = "unmaps" if mapped else "maps"
                scene.rect(
                    left + process * step,
                    y,
                    cell,
                    cell,
                    tint if mapped else "none",
                    text=f"1/{parts[page]}" if mapped and parts[page] > 1 else "",
                    tip=f"{names[process]} {verb} page {page}: click or Enter",
                    act=f"toggle {page} {process}",
                )
        rows = (("PRIVATE", "private_bytes"), ("SHARED", "shared_bytes"), ("PSS", "pss_bytes"))
        for number, (word, column) in enumerate(rows):
            y = 50 + number * 20
            scene.text(82, y, word, anchor="end", bold=word == "PSS")
            for process, size in enumerate(table[column].tolist()):
                x = left + process * step + cell
                scene.text(x, y, f"{int(size):,}", anchor="end", bold=word == "PSS")
        self._bars(scene, table, counts)
        return scene

    def sentence(self) -> str:
        """Who pays what for the first page, and whether the sum is right."""
        table, counts = self.numbers(), self._counts()
        total, real = int(table["pss_bytes"].sum()), self._real(counts)
        first = table.iloc[0]
        of = sum((page, 0) in self.shared for page in range(self.pages))
        pays = f"PSS of A is {int(first['pss_bytes']):,} bytes for the {count(of, 'page')} it maps."
        if total == real:
            return f"{pays} All PSS together are {total:,} bytes: just what is mapped."
        how = "more" if total > real else "less"
        return (
            f"{pays} All PSS together are {total:,} bytes, {abs(total - real):,} {how} than the "
            f"{real:,} that are mapped."
        )

    def summary(self) -> str:
        """The grid and the numbers of every process by the rule, as text."""
        table, counts = self.numbers(), self._counts()
        processes = count(self.processes, "process", "processes")
        lines = [
            f"{count(self.pages, 'page')} in {self.vmos}, {processes}, rule {self.rule}",
            *(f"page {page}: {self._said(counts[page])}" for page in range(self.pages)),
            "PROCESS  PRIVATE   SHARED      PSS",
        ]
        for row in table.itertuples():
            numbers = (row.private_bytes, row.shared_bytes, row.pss_bytes)
            lines.append(f"{row.name:<7}" + "".join(f"{int(number):>9,}" for number in numbers))
        return "\n".join([*lines, self.wrapped()])

    def _mappings(self) -> list[tuple[int, int]]:
        return [
            (page, process)
            for page, process in sorted(self.shared)
            if page < self.pages and process < self.processes
        ]

    def _counts(self) -> list[int]:
        found = [0] * self.pages
        for page, _ in self._mappings():
            found[page] += 1
        return found

    def _parts(self) -> list[int]:
        """By how many the rule divides each page: but for the exact one, by who maps the VMO."""
        if self.vmos == LAYOUTS[0] or self.rule == "exact":
            return self._counts()
        return [len({process for _, process in self._mappings()})] * self.pages

    def _said(self, sharers: int) -> str:
        return {0: "mapped by nobody", 1: "private to one process"}.get(
            sharers, f"shared by {sharers} processes"
        )

    def _real(self, counts: list[int]) -> int:
        return sum(1 for sharers in counts if sharers) * PAGE_BYTES

    def _bars(self, scene: Scene, table: pd.DataFrame, counts: list[int]) -> None:
        """The sum of PSS beside the memory that is mapped, to one scale: private, then shared."""
        total, real = int(table["pss_bytes"].sum()), self._real(counts)
        alone = min(int(table["private_bytes"].sum()), total), counts.count(1) * PAGE_BYTES
        top, tall = 24.0, 320.0
        most = max(total, self.pages * PAGE_BYTES)
        for x, size, private, words in (
            (610.0, total, alone[0], "Σ PSS"),
            (680.0, real, alone[1], "mapped"),
        ):
            scene.rect(x, top, 44, tall, "none")
            bottom = top + tall
            for tint, part in (("private", private), ("shared", size - private)):
                height = tall * part / most
                bottom -= height
                tip = f"{words}: {size:,} bytes, of it {part:,} {tint}"
                scene.rect(x, bottom, 44, height, tint, tip=tip)
            scene.text(x + 22, top + tall + 18, words, anchor="middle")
            scene.text(x + 22, top + tall + 36, f"{size:,}", anchor="middle", bold=True)


@cache
def _unmapped(processes: int, vmos: int, pages: int) -> Snapshot:
    """Running processes A, B, C … under one job, and VMOs of so many pages, all committed.

    Made once: what a click changes is mappings alone.
    """
    koids = [10 + number for number in range(processes)]
    tasks = {
        "koid": [1, *koids],
        "kind": ["job"] + ["process"] * processes,
        "parent_koid": [None] + [1] * processes,
        "name": ["root", *(chr(ord("A") + number) for number in range(processes))],
        "state": [None] + ["running"] * processes,
    }
    rows = {
        "id": [f"v{row}" for row in range(vmos)],
        "koid": [100 + row for row in range(vmos)],
        "kind": ["paged"] * vmos,
        "size_bytes": [pages * PAGE_BYTES] * vmos,
        "pages_known": [True] * vmos,
    }
    facets = ("jobs", "processes", "mappings", "kernel mappings", "vmos", "pages", "handles")
    return Snapshot.of(
        {
            "tasks": tasks,
            "aspaces": {"kind": ["user"] * processes, "process_koid": koids},
            "vmos": rows,
            "pages": {"vmo": range(vmos), "first_page": [0] * vmos, "page_count": [pages] * vmos},
        },
        root_job_koid=1,
        coverage=dict.fromkeys(facets, "complete"),
    )

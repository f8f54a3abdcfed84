"""Multiply-mapped laboratory: what ``ps`` reports when pages are mapped more than once.

One VMO, every page committed; each mapping is a window of four pages, and each begins a little
later than the one before, in the same process or the next. How far they overlap decides which pages
a process maps twice, and which pages two processes share. A clone of the first four pages may be
mapped by one more process. Below stands the way from the reported PSS to the exact one, cause by
cause, as `magmem.ledger` finds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any, ClassVar

import pandas as pd
import traitlets
from ipywidgets import Checkbox, HBox, IntSlider, Widget

import magmem
from magmem.listing import count
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem_widgets.explorer import Explorer
from magmem_widgets.scene import Scene

__all__ = ["MultiplyMappedLab"]

WINDOW_PAGES = 4
MOST = 4
CAUSES = ("rounding", "duplicate mappings", "partial sharing", "clones")
"""Steps of the ledger that can differ from 0 here: all processes run, none has 64 sharers."""

_CHILD = "child"
_LEFT, _CELL, _SLOT = 76.0, 19.0, 39.0
_WIDE = 760.0


@dataclass(frozen=True, slots=True)
class _Window:
    """One mapping of the VMO: its process and its pages."""

    process: int
    first: int

    @property
    def pages(self) -> range:
        return range(self.first, self.first + WINDOW_PAGES)


class MultiplyMappedLab(Explorer):
    """One VMO, mapped often: reported against exact PSS, with every cause between them.

    Attributes
    ----------
    mappings : int
        Mappings in each process, 1 to 4.
    processes : int
        1 to 4.
    overlap : int
        Pages that one mapping has in common with the next, 0 to 4 of its four.
    clone : bool
        Whether one more process maps a clone of the first four pages.
    written : int
        How many pages it has written through the clone, 0 to 4.
    chosen : str
        Whose way from reported to exact is shown: a process's name, or empty for all.
    """

    title: ClassVar[str] = "The way from the reported PSS to the exact one"
    watched: ClassVar[tuple[str, ...]] = (
        "mappings",
        "processes",
        "overlap",
        "clone",
        "written",
        "chosen",
    )

    mappings = traitlets.Int(2, min=1, max=MOST)
    processes = traitlets.Int(2, min=1, max=MOST)
    overlap = traitlets.Int(2, min=0, max=WINDOW_PAGES)
    clone = traitlets.Bool(default_value=False)
    written = traitlets.Int(1, min=0, max=WINDOW_PAGES)
    chosen = traitlets.Unicode()

    def __init__(self, **traits: Any) -> None:
        self._numbers: dict[tuple[object, ...], pd.DataFrame] = {}
        super().__init__(**traits)

    def controls(self) -> list[Widget]:
        """Four sliders, and whether there is a clone."""
        made: dict[str, Widget] = {
            "mappings": IntSlider(self.mappings, 1, MOST, description="mappings"),
            "processes": IntSlider(self.processes, 1, MOST, description="processes"),
            "overlap": IntSlider(self.overlap, 0, WINDOW_PAGES, description="overlap"),
            "clone": Checkbox(self.clone, description="one more maps a clone", indent=False),
            "written": IntSlider(self.written, 0, WINDOW_PAGES, description="written"),
        }
        for name, control in made.items():
            traitlets.link((self, name), (control, "value"))
        traitlets.dlink((self, "clone"), (made["written"], "disabled"), lambda clone: not clone)
        sliders = [made[name] for name in ("mappings", "processes", "overlap")]
        return [HBox(sliders), HBox([made["clone"], made["written"]])]

    def act(self, name: str) -> None:
        """Show one process's way (``choose NAME``), or everybody's by choosing it again."""
        chosen = name.removeprefix("choose ")
        self.chosen = "" if chosen == self.chosen else chosen

    def snapshot(self) -> Snapshot:
        """The machine of this state."""
        windows = self._windows()
        names = self._names()
        koids = [10 + number for number in range(len(names))]
        cloned = [0] if self.clone else []
        facets = ("jobs", "processes", "mappings", "kernel mappings", "vmos", "pages", "handles")
        runs = [(0, self._pages()), *((1, self.written) for _ in cloned if self.written)]
        places = [(window.process, 0, window.first) for window in windows]
        places += [(len(names) - 1, 1, 0) for _ in cloned]
        return Snapshot.of(
            {
                "tasks": {
                    "koid": [1, *koids],
                    "kind": ["job"] + ["process"] * len(names),
                    "parent_koid": [None] + [1] * len(names),
                    "name": ["root", *names],
                    "state": [None] + ["running"] * len(names),
                },
                "aspaces": {"kind": ["user"] * len(names), "process_koid": koids},
                "vmos": {
                    "id": ["shared", *("clone" for _ in cloned)],
                    "koid": [100, *(101 for _ in cloned)],
                    "kind": ["paged", *("paged" for _ in cloned)],
                    "size_bytes": [
                        self._pages() * PAGE_BYTES,
                        *(WINDOW_PAGES * PAGE_BYTES for _ in cloned),
                    ],
                    "is_clone": [False, *(True for _ in cloned)],
                    "parent": [None, *cloned],
                    "parent_offset_bytes": [None, *cloned],
                    "pages_known": [True, *(True for _ in cloned)],
                },
                "pages": {
                    "vmo": [vmo for vmo, _ in runs],
                    "first_page": [0] * len(runs),
                    "page_count": [count for _, count in runs],
                },
                "regions": {
                    "aspace": [process for process, _, _ in places],
                    "depth": [1] * len(places),
                    "kind": ["mapping"] * len(places),
                    "vmo": [vmo for _, vmo, _ in places],
                    "vmo_offset_bytes": [first * PAGE_BYTES for _, _, first in places],
                    "size_bytes": [WINDOW_PAGES * PAGE_BYTES] * len(places),
                },
            },
            root_job_koid=1,
            coverage=dict.fromkeys(facets, "complete"),
        )

    def numbers(self) -> pd.DataFrame:
        """The ledger's table: name, ``reported_bytes``, one column a cause, ``exact_bytes``."""
        state = (self.mappings, self.processes, self.overlap, self.clone, self.written)
        # There are few states, and a slider goes back and forth between them.
        if state not in self._numbers:
            self._numbers[state] = magmem.ledger(self.snapshot()).df
        return self._numbers[state]

    def way(self) -> tuple[tuple[str, Fraction], ...]:
        """From reported over each cause to exact, in bytes, of the chosen process or of all."""
        table = self.numbers()
        if self.chosen:
            table = table[table["name"] == self.chosen]
            if table.empty:
                raise ValueError(
                    f"expected one of {', '.join(self._names())}, found {self.chosen!r}"
                )
        columns = [f"{cause.replace(' ', '_')}_bytes" for cause in CAUSES]
        return tuple(
            (word, sum(map(Fraction, table[column].tolist()), Fraction(0)))
            for word, column in zip(
                ("reported", *CAUSES, "exact"),
                ("reported_bytes", *columns, "exact_bytes"),
                strict=True,
            )
        )

    def scene(self) -> Scene:
        """Pages, the mappings of each process, its two numbers, and the waterfall."""
        scene = Scene(_WIDE, 416, "a VMO, its mappings, and the way from reported to exact PSS")
        counts = self._sharers()
        way = self.way()
        scene.text(8, 32, "VMO", bold=True)
        for page, owners in enumerate(counts):
            scene.rect(
                _LEFT + page * _CELL,
                16,
                _CELL - 2,
                22,
                "shared" if len(set(owners)) > 1 else "private",
                text=str(len(set(owners))),
                tip=f"page {page}: {self._said(owners)}",
            )
        scene.text(_WIDE - 76, 32, "reported", anchor="end", size=11)
        scene.text(_WIDE - 8, 32, "exact", anchor="end", size=11)
        for row, name in enumerate(self._names()):
            self._process(scene, row, name, counts)
        self._waterfall(scene, way)
        return scene

    def sentence(self) -> str:
        """Reported, exact, and each cause that has a part in the difference."""
        way = dict(self.way())
        reported, exact = way["reported"], way["exact"]
        who = f"PSS of {self.chosen}" if self.chosen else "All PSS together"
        begin = f"{who}: ps reports {_bytes(reported)} bytes"
        causes = [f"{cause} {_signed(way[cause])}" for cause in CAUSES if way[cause]]
        if not causes:
            return f"{begin}, and that is exact."
        return f"{begin}, exact are {_bytes(exact)}: {', '.join(causes)}."

    def summary(self) -> str:
        """The state, and reported, causes and exact of every process, as text."""
        table = self.numbers()
        clone = f"a clone with {count(self.written, 'page')} written" if self.clone else "no clone"
        who = count(self.processes, "process", "processes")
        each = f"{count(self.mappings, 'mapping')} of {WINDOW_PAGES} pages each"
        lines = [
            f"{who} with {each}, overlap {self.overlap}, {clone}",
            "PROCESS  REPORTED  ROUNDING  DUPLICATE   PARTIAL    CLONES     EXACT",
        ]
        columns = ["reported_bytes", *(f"{one.replace(' ', '_')}_bytes" for one in CAUSES)]
        for _, row in table.iterrows():
            numbers = [_bytes(Fraction(row[column])) for column in (*columns, "exact_bytes")]
            widths = (10, 10, 11, 10, 10, 10)
            cells = (text.rjust(wide) for text, wide in zip(numbers, widths, strict=True))
            lines.append(f"{row['name']:<7}" + "".join(cells))
        return "\n".join([*lines, self.wrapped()])

    def _names(self) -> list[str]:
        letters = [chr(ord("A") + number) for number in range(self.processes)]
        return [*letters, _CHILD] if self.clone else letters

    def _windows(self) -> list[_Window]:
        step = WINDOW_PAGES - self.overlap
        return [
            _Window(process, (process + number) * step)
            for process in range(self.processes)
            for number in range(self.mappings)
        ]

    def _pages(self) -> int:
        return max(window.pages.stop for window in self._windows())

    def _sharers(self) -> list[list[str]]:
        """Of each page the process of each mapping that reaches it, the clone's not counted."""
        names = self._names()
        found: list[list[str]] = [[] for _ in range(self._pages())]
        for window in self._windows():
            for page in window.pages:
                found[page].append(names[window.process])
        if self.clone:
            for page in range(self.written, WINDOW_PAGES):
                found[page].append(_CHILD)
        return found

    def _said(self, owners: list[str]) -> str:
        parts = [
            f"{name} ×{owners.count(name)}" if owners.count(name) > 1 else name
            for name in dict.fromkeys(owners)
        ]
        return f"mapped by {', '.join(parts)}"

    def _process(self, scene: Scene, row: int, name: str, counts: list[list[str]]) -> None:
        """One process: its bars over the pages, and its two numbers at the right."""
        y = 52 + row * _SLOT
        table = self.numbers()
        numbers = table[table["name"] == name].iloc[0]
        scene.rect(
            8,
            y,
            56,
            _SLOT - 8,
            "surface",
            text=name,
            tip=f"the way of {name}: click or Enter",
            act=f"choose {name}",
            ring=name == self.chosen,
        )
        for x, column in ((76, "reported_bytes"), (8, "exact_bytes")):
            said = _bytes(Fraction(numbers[column]))
            scene.text(_WIDE - x, y + 21, said, anchor="end", bold=column == "exact_bytes")
        if name == _CHILD:
            self._clone(scene, y)
            return
        seen: set[int] = set()
        for number, window in enumerate(w for w in self._windows() if w.process == row):
            tints = [
                "twice" if page in seen else "shared" if len(set(counts[page])) > 1 else "private"
                for page in window.pages
            ]
            for tint, part in groupby(zip(tints, window.pages, strict=True), lambda pair: pair[0]):
                pages = [page for _, page in part]
                once_more = ", mapped by it already" if tint == "twice" else ""
                scene.rect(
                    _LEFT + pages[0] * _CELL,
                    y + number * 9,
                    len(pages) * _CELL - 2,
                    7,
                    tint,
                    tip=f"mapping {number + 1} of {name}: {_range(pages)}{once_more}",
                )
            seen.update(window.pages)

    def _clone(self, scene: Scene, y: float) -> None:
        """The clone's own pages as squares, its mapping as a bar."""
        for page in range(WINDOW_PAGES):
            own = page < self.written
            scene.rect(
                _LEFT + page * _CELL,
                y + 11,
                _CELL - 2,
                22,
                "private" if own else "none",
                text="1" if own else "",
                tip=f"page {page} of the clone: "
                + ("its own copy, written by child" if own else "the parent's page, seen through"),
            )
        tip = f"mapping of child: the clone, pages 0 to {WINDOW_PAGES - 1}"
        scene.rect(_LEFT, y, WINDOW_PAGES * _CELL - 2, 7, "private", tip=tip)

    def _waterfall(self, scene: Scene, way: tuple[tuple[str, Fraction], ...]) -> None:
        """Reported as a bar, each cause as a step to the left or right of it, exact as a bar."""
        top, high, left, wide = 270.0, 24.0, 150.0, 500.0
        scene.text(8, top - 10, f"PSS of {self.chosen or 'all processes'}, bytes", bold=True)
        ends = [Fraction(0)]
        for word, size in way[:-1]:
            ends.append(size if word == "reported" else ends[-1] + size)
        most = max(*ends, Fraction(PAGE_BYTES))

        def at(size: Fraction) -> float:
            return left + wide * float(size / most)

        for row, (word, size) in enumerate(way):
            y = top + row * high
            whole = word in ("reported", "exact")
            scene.text(left - 10, y + 13, word, anchor="end", bold=whole)
            start, end = (Fraction(0), size) if whole else (ends[row], ends[row + 1])
            x, x2 = sorted((at(start), at(end)))
            if size:
                # What falls away had been counted twice or more.
                tint = "private" if whole else "twice" if size < 0 else "other"
                said = f"{word}: {size if size.denominator > 1 else f'{int(size):,}'} bytes"
                scene.rect(x, y, max(x2 - x, 1.5), high - 6, tint, tip=said)
            if row < len(way) - 1:
                scene.line(at(end), y + high - 6, at(end), y + high)
            said = _bytes(size) if whole else _signed(size)
            scene.text(_WIDE - 8, y + 13, said, anchor="end", bold=whole)
        scene.line(left, top - 4, left, top + high * len(way))


def _range(pages: list[int]) -> str:
    return f"pages {pages[0]} to {pages[-1]}" if len(pages) > 1 else f"page {pages[0]}"


def _bytes(size: Fraction) -> str:
    """Whole bytes with digits in groups; what is rounded stands exactly in the tooltip."""
    return f"{round(size):,}"


def _signed(size: Fraction) -> str:
    """The same with its sign, 0 without; a part of a byte is not shown as 0."""
    if size and not round(size):
        return f"{float(size):+.2f}"
    return f"{round(size):+,}" if size else "0"

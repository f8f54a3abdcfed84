"""Hidden VMO explorer: who keeps one VMO alive, and which tools see its bytes.

A process ``A`` may have a handle to the VMO and map it, the kernel may map it, and a process ``B``
may map a copy-on-write clone and write some of its pages. Every combination lies in one simulated
machine, so that a change only looks another VMO up; what each tool counts is `magmem.vmo`'s answer
about it. A VMO that nothing keeps is gone, and so counted by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, product
from typing import Any, ClassVar

import traitlets
from ipywidgets import HBox, IntSlider, ToggleButton, Widget

import magmem
from magmem.accounting.vmo import VmoReport
from magmem.sizes import format_size
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem_widgets.explorer import Explorer
from magmem_widgets.scene import Scene

__all__ = ["HiddenVmoExplorer"]

MOST_PAGES = 12
TOOLS = {
    "ps": "PSS of the processes",
    "vmaps": ":res of their mappings",
    "vmos": "alloc of what they list",
    "k mx vmos hidden": "alloc, if listed",
    "treemap": "areas within processes",
    "kstats -m": "in the column VMOs",
    "ledger": "every byte, once",
}
"""The tools in the order of `magmem.vmo`, and which of their numbers is meant."""

KEEPERS = {
    "handle": "handle of A",
    "mapping": "mapping of A",
    "kernel_mapping": "kernel mapping",
    "clone": "B's clone",
}
State = tuple[bool, bool, bool, bool, int]


@dataclass(frozen=True)
class _States:
    """One machine with a VMO in every state, and the koids of that VMO and its clone."""

    snap: Snapshot
    koids: dict[State, tuple[int, int | None]]


@lru_cache(maxsize=4)
def _states(pages: int) -> _States:
    machine = magmem.Machine("64M", history=False)
    a, b = (machine.root_job.create_process(name) for name in "AB")
    a.start()
    b.start()
    koids: dict[State, tuple[int, int | None]] = {}
    for handle, mapping, kernel in product((False, True), repeat=3):
        for written in range(-1, pages + 1):
            clone = written >= 0
            if not (handle or mapping or kernel or clone):
                continue
            data = a.create_vmo(pages * PAGE_BYTES, "data")
            data.commit()
            if mapping:
                a.map(data)
            if kernel:
                machine.kernel.map(data)
            copy = None
            if clone:
                copy = data.clone(name="copy").transfer(b)
                b.map(copy).touch(written * PAGE_BYTES, write=True)
            state = (handle, mapping, kernel, clone, max(written, 0))
            koids[state] = (data.koid, copy.koid if copy else None)
            if not handle:
                data.close()
    return _States(machine.snapshot("every state of one VMO"), koids)


@lru_cache(maxsize=1024)
def _report(pages: int, koid: int) -> VmoReport:
    report: VmoReport = magmem.vmo(_states(pages).snap, koid)
    return report


class HiddenVmoExplorer(Explorer):
    """One VMO: what keeps it, which pages are hidden, and which tools see its bytes.

    Attributes
    ----------
    handle, mapping : bool
        Whether process A has a handle to the VMO, and whether it maps it.
    kernel_mapping : bool
        Whether the kernel maps it.
    clone : bool
        Whether B has and maps a clone of it.
    written : int
        Pages of the clone that B has written; no more than there are.
    pages : int
        Committed pages of the VMO, 1 to 12.
    """

    title: ClassVar[str] = "Which tool sees the bytes of one VMO"
    watched: ClassVar[tuple[str, ...]] = (*KEEPERS, "written", "pages")

    handle = traitlets.Bool(default_value=True)
    mapping = traitlets.Bool(default_value=False)
    kernel_mapping = traitlets.Bool(default_value=False)
    clone = traitlets.Bool(default_value=False)
    written = traitlets.Int(2, min=0, max=MOST_PAGES)
    pages = traitlets.Int(8, min=1, max=MOST_PAGES)

    def controls(self) -> list[Widget]:
        """A button for each thing that keeps the VMO, and how much of the clone is written."""
        buttons = [ToggleButton(description=word, tooltip=word) for word in KEEPERS.values()]
        written = IntSlider(self.written, 0, MOST_PAGES, description="written")
        for name, control in zip((*KEEPERS, "written"), (*buttons, written), strict=True):
            traitlets.link((self, name), (control, "value"))
        traitlets.dlink((self, "pages"), (written, "max"))
        traitlets.dlink((self, "clone"), (written, "disabled"), lambda clone: not clone)
        return [HBox(buttons), HBox([written])]

    def act(self, name: str) -> None:
        """``toggle NAME`` of a keeper, or ``write PAGE`` of the clone."""
        verb, what = name.split()
        if verb == "toggle":
            self.set_trait(what, not getattr(self, what))
        else:
            page = int(what)
            self.written = page if page == self._written() - 1 else page + 1

    def reports(self) -> tuple[VmoReport | None, VmoReport | None]:
        """`magmem.vmo` about the VMO and about its clone; none for what does not exist."""
        found = _states(self.pages).koids.get(self._state())
        if found is None:
            return None, None
        data, copy = found
        return _report(self.pages, data), None if copy is None else _report(self.pages, copy)

    def counted(self) -> dict[str, tuple[Any, Any]]:
        """As how many bytes each tool counts the VMO, and its clone (int or Fraction)."""
        columns = []
        for report in self.reports():
            if report is None:
                columns.append(dict.fromkeys(TOOLS, 0))
            else:
                columns.append(dict(zip(TOOLS, report.tools["size_bytes"], strict=True)))
        return {tool: (columns[0][tool], columns[1][tool]) for tool in TOOLS}

    def scene(self) -> Scene:
        """What keeps the VMO at the left, its pages below, and the matrix of tools."""
        scene = Scene(760, 372, "one VMO, what keeps it, and which tools see its bytes")
        self._keepers(scene)
        self._pages(scene)
        self._matrix(scene)
        return scene

    def sentence(self) -> str:
        """How much ps counts, how much is hidden and by whom it is kept, or who pays."""
        if self._gone():
            return "Nothing keeps the VMO: it is gone, and its pages are free again."
        counted, total = self.counted(), self._total_bytes()
        listed = format_size(int(sum(counted["k mx vmos hidden"])))
        says = f"{format_size(total)} are committed: ps counts {format_size(self._ps_bytes())}"
        says += f", k mx vmos hidden lists {'none' if listed == '0B' else listed}"
        if hidden := self.hidden_bytes():
            keeper = "A's handle" if self.handle else "the clone"
            why = f"no process maps them, {keeper} keeps them"
            if self.kernel_mapping:
                why = "only the kernel maps them"
            return f"{says}. {format_size(hidden)} are hidden: {why}."
        return f"{says}. Nothing is hidden: {self._payers()}."

    def hidden_bytes(self) -> int:
        """Bytes of pages that no process's mapping reaches."""
        if self._gone():
            return 0
        return PAGE_BYTES * sum(
            not {"A", "B"} & set(self._reach(page)) for page in range(self.pages)
        )

    def summary(self) -> str:
        """The keepers, the pages, and what each tool counts, as text."""
        kept = [word for name, word in KEEPERS.items() if getattr(self, name)]
        lines = [f"VMO of {self.pages} pages, kept by: {', '.join(kept) or 'nothing'}"]
        if self.clone:
            lines.append(f"clone: {self._written()} of {self.pages} pages written")
        lines.append(f"{'TOOL':<17}{'DATA':>9}{'COPY':>9}")
        lines += [
            f"{tool:<17}" + "".join(f"{int(size):>9,}" for size in sizes)
            for tool, sizes in self.counted().items()
        ]
        return "\n".join([*lines, self.wrapped()])

    def _written(self) -> int:
        return min(self.written, self.pages) if self.clone else 0

    def _state(self) -> State:
        return (self.handle, self.mapping, self.kernel_mapping, self.clone, self._written())

    def _gone(self) -> bool:
        return not any(self._state()[:4])

    def _ps_bytes(self) -> int:
        return int(sum(self.counted()["ps"]))

    def _total_bytes(self) -> int:
        return 0 if self._gone() else (self.pages + self._written()) * PAGE_BYTES

    def _payers(self) -> str:
        paid: dict[str, Any] = dict.fromkeys(("A", "B", "kernel"), 0)
        for report in self.reports():
            for row in report.df.itertuples() if report else ():
                paid[row.name] += row.exact_bytes
        words = [f"{name} {format_size(int(size))}" for name, size in paid.items() if size]
        return f"the ledger charges {', '.join(words)}"

    def _reach(self, page: int) -> list[str]:
        """Whose mappings reach a page of the VMO."""
        through = self.clone and page >= self._written()
        ways = (("A", self.mapping), ("B", through), ("the kernel", self.kernel_mapping))
        return [who for who, reaches in ways if reaches]

    def _look(self, page: int) -> tuple[str, str]:
        """Tint and words of a page of the VMO."""
        reach = self._reach(page)
        if self._gone():
            return "free", "free again"
        if not reach:
            held = "A's handle keeps it" if self.handle else "only the clone keeps it"
            return "hidden_handle" if self.handle else "hidden_kernel", f"hidden: {held}"
        if reach == ["the kernel"]:
            return "hidden_kernel", "hidden: only the kernel maps it"
        how = "private to" if len(reach) == 1 else "shared by"
        return "private" if len(reach) == 1 else "shared", f"{how} {' and '.join(reach)}"

    def _keepers(self, scene: Scene) -> None:
        tints = ("hidden_handle", "private", "hidden_kernel", "shared")
        scene.text(8, 20, "WHAT KEEPS IT", "faint", size=11)
        for number, ((name, word), tint) in enumerate(zip(KEEPERS.items(), tints, strict=True)):
            on = getattr(self, name)
            x, y = 8 + (number % 2) * 156, 30 + (number // 2) * 36
            scene.rect(
                *(x, y, 148, 28, tint if on else "none"),
                text=word if on else f"no {word}",
                tip=f"{'take away' if on else 'give'}: {word} (click or Enter)",
                act=f"toggle {name}",
            )

    def _pages(self, scene: Scene) -> None:
        left, step = 8.0, 25.5
        scene.text(left, 138, "VMO data", bold=True)
        size = "gone" if self._gone() else format_size(self.pages * PAGE_BYTES)
        scene.text(left + 304, 138, size, anchor="end")
        for page in range(self.pages):
            tint, words = self._look(page)
            scene.rect(left + page * step, 146, 23, 23, tint, tip=f"page {page} of data: {words}")
        written = self._written()
        ink = "text" if self.clone else "faint"
        scene.text(left, 242, "its clone copy", ink, bold=self.clone)
        size = format_size(written * PAGE_BYTES) if self.clone else "no clone"
        scene.text(left + 304, 242, size, ink, anchor="end")
        for page in range(self.pages if self.clone else 0):
            own = page < written
            x = left + page * step
            said = "B's own copy" if own else "not copied: B sees data's page"
            after = page if page == written - 1 else page + 1
            scene.rect(
                *(x, 200, 23, 23, "private" if own else "none"),
                tip=f"page {page} of copy: {said}\nclick or Enter: {after} pages written",
                act=f"write {page}",
            )
            if not own:
                scene.line(x + 11.5, 171, x + 11.5, 198, "faint")
        scene.text(left, 276, "SQUARES ARE PAGES", "faint", size=11)
        legend = (
            ("private", "one process"),
            ("shared", "several"),
            ("hidden_handle", "hidden: handle only"),
            ("hidden_kernel", "hidden: kernel"),
        )
        for number, (tint, word) in enumerate(legend):
            x, y = left + (number % 2) * 164, 286 + (number // 2) * 24
            scene.rect(x, y, 15, 15, tint)
            scene.text(x + 22, y + 12, word)

    def _matrix(self, scene: Scene) -> None:
        left, top = 348.0, 56.0
        pages = [self._look(page)[0] for page in range(self.pages)]
        columns = (
            (left + 140, "data", [] if self._gone() else pages),
            (left + 272, "copy", ["private"] * self._written()),
        )
        scene.text(left, 20, "WHICH TOOL SEES IT, AS HOW MUCH", "faint", size=11)
        for x, word, _ in columns:
            scene.text(x, 44, word, bold=True)
        for number, (tool, sizes) in enumerate(self.counted().items()):
            y = top + number * 44
            scene.line(left, y - 4, left + 400, y - 4)
            scene.text(left, y + 15, tool, bold=True)
            scene.text(left, y + 31, TOOLS[tool], "faint", size=11)
            for (x, word, tints), size in zip(columns, sizes, strict=True):
                whole = len(tints) * PAGE_BYTES
                tip = f"{tool} counts {int(size):,} of the {whole:,} bytes of {word}"
                self._cell(scene, x, y, tints, int(size), tip)

    def _cell(
        self, scene: Scene, x: float, y: float, tints: list[str], size: int, tip: str
    ) -> None:
        """How much of the pages a tool counts: a bar in their tints, in a frame of their size."""
        wide = 84.0
        if not tints:
            scene.text(x, y + 22, "–", "faint")
            return
        scene.rect(x, y + 6, wide, 22, "none", tip=tip)
        each = wide * size / len(tints) ** 2 / PAGE_BYTES
        at = x
        for tint, run in groupby(tints):
            part = each * len(list(run))
            if part:
                scene.rect(at, y + 6, part, 22, tint, tip=tip)
            at += part
        label = format_size(size) if size else "0"
        scene.text(x + wide + 40, y + 22, label, anchor="end", bold=bool(size))

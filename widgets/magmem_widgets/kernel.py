"""Kernel explorer: what handles, objects and scattered mappings cost the kernel.

A machine of 16 MiB in two arenas is simulated with the chosen number of handles, objects and
mappings. Its pages are drawn by state, each row 1 MiB (the arenas count pages by state, not by
place); beside them the columns of ``kstats``, which add up to the total, and what the sliders cost
in heap, ``arena:handles`` and page tables. Sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import traitlets
from ipywidgets import Dropdown, HBox, IntSlider, ToggleButtons, Widget

import magmem
from magmem.listing import count
from magmem.sim import BootPlan
from magmem.sim.kmem import KernelMemory
from magmem.sim.physical import STATE_NAMES
from magmem.sizes import format_size
from magmem.snapshot import PAGE_BYTES
from magmem_widgets.explorer import Explorer
from magmem_widgets.scene import Scene

__all__ = ["KernelExplorer"]

MOST_HANDLES = 1500
MOST_OBJECTS = 400
MOST_MAPPINGS = 64
KINDS = ("event", "channel", "socket", "vmo")
PLACEMENTS = ("scattered", "compact")
COMPACT_BYTES = 1 << 30
MEBIBYTE = 1 << 20
ROW_PAGES = MEBIBYTE // PAGE_BYTES
MEMORY = ((MEBIBYTE, 7 * MEBIBYTE, 0, "memory"), (4 << 30, 9 * MEBIBYTE, 1, "memory-high"))
BOOT = BootPlan(ramdisk="1M", alloc_pages=32)
STATES = {
    "wired": "wired",
    "heap": "heap_used",
    "object": "private",
    "mmu": "mmu",
    "alloc": "other",
    "free": "free",
}
"""Page states and their tints, in the order they are drawn."""


@dataclass(frozen=True)
class _Costs:
    """What one machine says: kstats, its arenas' pages by state, and the three costs."""

    kmem: KernelMemory
    arenas: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    handles: int
    arena_bytes: int
    table_pages: int
    kernel_table_pages: int

    @property
    def heap_bytes(self) -> int:
        """Heap bytes in use."""
        return self.kmem.total_heap_bytes - self.kmem.free_heap_bytes


@lru_cache(maxsize=512)
def _costs(handles: int, objects: int, kind: str, mappings: int, placement: str) -> _Costs:
    machine = magmem.Machine(memory_map=MEMORY, boot=BOOT, history=False)
    process = machine.root_job.create_process("A")
    process.start()
    event = process.create_event()
    for _ in range(handles):
        event.duplicate()
    make = getattr(process, f"create_{kind}")
    size = (PAGE_BYTES,) if kind == "vmo" else ()
    for _ in range(objects):
        make(*size)
    data = process.create_vmo(MOST_MAPPINGS * PAGE_BYTES, "data")
    data.commit()
    region = process.root_vmar
    if placement == "compact":
        # How mappings are placed is a property of the region they are in.
        region = process.allocate(COMPACT_BYTES, compact=True)
        region.handle.close()
    for page in range(mappings):
        region.map(data, vmo_offset=page * PAGE_BYTES, length=PAGE_BYTES).touch()
    arenas = tuple(
        (arena.name, tuple(zip(STATE_NAMES, arena.counts, strict=True))) for arena in machine.arenas
    )
    return _Costs(
        machine.kmem,
        arenas,
        machine.kernel.handle_count,
        machine.kernel.handle_arena.vmo.committed_pages * PAGE_BYTES,
        process.aspace.table_pages,
        machine.kernel.aspace.table_pages,
    )


class KernelExplorer(Explorer):
    """Arenas, kstats, and the price of handles, objects and scattered mappings.

    Attributes
    ----------
    handles : int
        Handles to one event beside its first, 0 to 1500.
    objects : int
        Objects made, 0 to 400; each comes with its handle (channels and sockets with two).
    kind : str
        Which: ``event``, ``channel``, ``socket`` or ``vmo``.
    mappings : int
        Mappings of one page each, 0 to 64.
    placement : str
        ``scattered`` over the address space, or ``compact``.
    """

    title: ClassVar[str] = "What handles, objects and mappings cost the kernel"
    watched: ClassVar[tuple[str, ...]] = ("handles", "objects", "kind", "mappings", "placement")

    handles = traitlets.Int(0, min=0, max=MOST_HANDLES)
    objects = traitlets.Int(0, min=0, max=MOST_OBJECTS)
    kind = traitlets.Enum(KINDS, KINDS[0])
    mappings = traitlets.Int(0, min=0, max=MOST_MAPPINGS)
    placement = traitlets.Enum(PLACEMENTS, PLACEMENTS[0])

    def controls(self) -> list[Widget]:
        """Three sliders, the kind of object, and how mappings are placed."""
        handles = IntSlider(0, 0, MOST_HANDLES, 50, description="handles")
        objects = IntSlider(0, 0, MOST_OBJECTS, 10, description="objects")
        mappings = IntSlider(0, 0, MOST_MAPPINGS, description="mappings")
        kind = Dropdown(options=KINDS, description="of kind")
        placement = ToggleButtons(options=PLACEMENTS)
        made = (handles, objects, kind, mappings, placement)
        for name, control in zip(self.watched, made, strict=True):
            traitlets.link((self, name), (control, "value"))
        return [HBox([handles, objects, kind]), HBox([mappings, placement])]

    def act(self, name: str) -> None:
        """``place WAY``: scattered or compact."""
        self.placement = name.split()[1]

    def costs(self) -> _Costs:
        """What the machine of this state says."""
        return _costs(self.handles, self.objects, self.kind, self.mappings, self.placement)

    def before(self) -> _Costs:
        """What the machine said with every slider at 0."""
        return _costs(0, 0, KINDS[0], 0, PLACEMENTS[0])

    def columns(self) -> list[tuple[str, int, int, str]]:
        """The columns of kstats: name, bytes, bytes with every slider at 0, and tint."""
        now, then = self.costs(), self.before()

        def column(name: str, field: str, tint: str) -> tuple[str, int, int, str]:
            return name, getattr(now.kmem, field), getattr(then.kmem, field), tint

        return [
            column("free", "free_bytes", "free"),
            column("VMOs", "vmo_bytes", "private"),
            ("kheap", now.heap_bytes, then.heap_bytes, "heap_used"),
            column("kfree", "free_heap_bytes", "heap_free"),
            column("wired", "wired_bytes", "wired"),
            column("mmu", "mmu_overhead_bytes", "mmu"),
            column("other", "other_bytes", "other"),
        ]

    def scene(self) -> Scene:
        """The arenas at the left, kstats at the right, the costs beneath it."""
        scene = Scene(760, 396, "pages of the arenas by state, kstats, and what the sliders cost")
        self._arenas(scene)
        self._kstats(scene)
        self._prices(scene)
        return scene

    def sentence(self) -> str:
        """What the handles, the objects and the mappings cost, none of it in ps."""
        now, then = self.costs(), self.before()
        grown = now.heap_bytes - then.heap_bytes
        handles = f"{now.handles:,} handles, 2 of them the machine's own, need"
        said = [
            f"{handles} {format_size(now.arena_bytes)} of arena:handles",
            f"objects and mappings {format_size(grown)} of heap",
        ]
        mappings = count(self.mappings, f"{self.placement} mapping")
        tables = f"{mappings} with {count(now.table_pages, 'page-table page')}"
        if self.mappings:
            other = PLACEMENTS[self.placement == PLACEMENTS[0]]
            tables += f" ({other}: {self._tables(other)})"
        return f"{said[0]}, {said[1]}, {tables}. ps shows none of this."

    def summary(self) -> str:
        """The state, the columns of kstats and the costs as text."""
        now = self.costs()
        made = f"{self.handles} handles, {self.objects} objects of kind {self.kind}"
        lines = [
            f"{made}, {self.mappings} {self.placement} mappings",
            f"{'KSTATS':<8}{'BYTES':>12}{'GROWN':>12}",
        ]
        for name, size, before, _ in self.columns():
            lines.append(f"{name:<8}{size:>12,}{size - before:>+12,}")
        lines.append(f"{'total':<8}{now.kmem.total_bytes:>12,}")
        return "\n".join([*lines, self.wrapped()])

    def _tables(self, placement: str) -> int:
        return _costs(0, 0, KINDS[0], self.mappings, placement).table_pages

    def _arenas(self, scene: Scene) -> None:
        left, wide, tall = 8.0, 320.0, 15.0
        y = 8.0
        for name, pages in self.costs().arenas:
            counts = dict(pages)
            total = sum(counts.values())
            scene.text(left, y + 12, f"arena {name}", bold=True)
            scene.text(left + wide, y + 12, format_size(total * PAGE_BYTES), anchor="end")
            y += 18
            at = 0
            for state, tint in STATES.items():
                count = counts[state]
                tip = f"{name}: {count:,} pages {state} ({count * PAGE_BYTES:,} bytes)"
                while count:
                    row, column = divmod(at, ROW_PAGES)
                    part = min(count, ROW_PAGES - column)
                    scale = wide / ROW_PAGES
                    place = (left + column * scale, y + row * (tall + 2), part * scale, tall)
                    scene.rect(*place, tint, tip=tip)
                    at, count = at + part, count - part
            y += total // ROW_PAGES * (tall + 2) + 8
        scene.text(left, 356, "each row is 1M: 256 pages, by state", "faint", size=11)
        for number, (state, tint) in enumerate(STATES.items()):
            x = left + number * 54
            scene.rect(x, 372, 12, 12, tint)
            scene.text(x + 16, 382, state, size=11)

    def _kstats(self, scene: Scene) -> None:
        left, wide = 352.0, 220.0
        total = self.costs().kmem.total_bytes
        scene.text(left, 20, "kstats", bold=True)
        scene.text(left + 400, 20, "since all 0", "faint", anchor="end", size=11)
        at = 0.0
        for number, (name, size, before, tint) in enumerate(self.columns()):
            y = 28 + number * 24
            scene.text(left + 44, y + 14, name, anchor="end")
            scene.rect(left + 52, y, wide, 18, "none")
            tip = f"{name}: {size:,} bytes, {size / total:.1%} of all memory"
            width = wide * size / total
            scene.rect(left + 52 + at, y, width, 18, tint, tip=tip)
            at += width
            scene.text(left + 330, y + 14, format_size(size), anchor="end")
            scene.text(left + 400, y + 14, _signed(size - before), "faint", anchor="end")
        y = 28 + 7 * 24
        scene.line(left, y + 1, left + 400, y + 1)
        scene.text(left + 44, y + 18, "total", anchor="end", bold=True)
        scene.text(left + 330, y + 18, format_size(total), anchor="end", bold=True)
        scene.text(left + 52, y + 18, "each bar begins where the last ended", "faint", size=11)

    def _prices(self, scene: Scene) -> None:
        left, top = 352.0, 246.0
        now, then = self.costs(), self.before()
        scene.text(left, top + 6, "what it costs", bold=True)
        rows = (
            ("heap in use", now.heap_bytes, then.heap_bytes, "heap_used"),
            ("arena:handles", now.arena_bytes, then.arena_bytes, "hidden_kernel"),
            ("A's tables", now.table_pages * PAGE_BYTES, then.table_pages * PAGE_BYTES, "mmu"),
        )
        most = max(MEBIBYTE, *(size for _, size, _, _ in rows))
        for number, (name, size, before, tint) in enumerate(rows):
            y = top + 16 + number * 26
            scene.text(left + 92, y + 14, name, anchor="end")
            scene.rect(left + 100, y, 172, 18, "none")
            tip = f"{name}: {size:,} bytes, {size - before:,} more than with every slider at 0"
            scene.rect(left + 100, y, 172 * size / most, 18, tint, tip=tip)
            scene.text(left + 330, y + 14, format_size(size), anchor="end")
            scene.text(left + 400, y + 14, _signed(size - before), "faint", anchor="end")
        scene.text(left, 360, "page-table pages for the mappings", bold=True)
        for number, placement in enumerate(PLACEMENTS):
            pages = self._tables(placement)
            scene.rect(
                *(left + number * 204, 368, 196, 24),
                "mmu" if placement == self.placement else "none",
                text=f"{placement}: {pages}",
                tip=f"{placement}: {pages} page-table pages of A; click or Enter to place so",
                act=f"place {placement}",
            )


def _signed(size: int) -> str:
    if not size:
        return "+0"
    return ("+" if size > 0 else "−") + format_size(abs(size))

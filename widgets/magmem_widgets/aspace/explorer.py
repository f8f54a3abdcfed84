"""Address space explorer: one process's VMARs and mappings, their pages, and who else maps them.

The widths are on a log scale of sizes, so a page and a terabyte fit one sheet; gaps are drawn
narrow. Inside a mapping its committed pages stand where they lie. A click on a VMAR goes into it, a
click on a mapping selects it: beneath, its VMO with every mapping of it as a bar.
"""

from __future__ import annotations

from math import log2
from typing import Any, ClassVar

import traitlets
from ipywidgets import Dropdown, HBox, IntSlider, Widget

from magmem.sizes import format_size
from magmem.snapshot import PAGE_BYTES
from magmem.snapshot.source import Source, snapshot_of
from magmem_widgets.aspace.tree import Node, Spaces, Use
from magmem_widgets.explorer import Explorer
from magmem_widgets.scene import Scene

__all__ = ["AddressSpaceExplorer"]

LEFT, WIDE = 8.0, 744.0
TOP, BOTTOM, STEP = 66.0, 206.0, 26.0
MOST_CHILDREN = 24
MOST_USES = 6
NARROW = 5.0
"""Points below which what lies in a VMAR is not drawn; a click goes into it."""


class AddressSpaceExplorer(Explorer):
    """One address space: its tree, its committed pages, and everyone who maps the same VMO.

    Attributes
    ----------
    koid : int
        The process; 0 is the kernel.
    zoom : int
        The VMAR shown, by its place in the address space (0 is the root VMAR).
    selected : int
        The mapping selected, likewise; -1 is none.
    first : int
        The first of the VMAR's children that is drawn; 24 are drawn at once.

    Parameters
    ----------
    source : Snapshot or Machine
        What is explored.
    koid : int, optional
        The process to begin with; the first one where not given.
    """

    title: ClassVar[str] = "Where a process's memory lies, and who else maps it"
    watched: ClassVar[tuple[str, ...]] = ("koid", "zoom", "selected", "first")

    koid = traitlets.Int(0)
    zoom = traitlets.Int(0, min=0)
    selected = traitlets.Int(-1, min=-1)
    first = traitlets.Int(0, min=0)

    def __init__(self, source: Source, koid: int | None = None, **traits: Any) -> None:
        self.spaces = Spaces(snapshot_of(source))
        if koid is None:
            koid = max(list(self.spaces.names)[:2])
        super().__init__(koid=koid, **traits)

    def controls(self) -> list[Widget]:
        """Which process, and from which child on."""
        options = [(f"{koid} {name}", koid) for koid, name in self.spaces.names.items()]
        process = Dropdown(options=options, value=self.koid, description="process")
        first = IntSlider(0, 0, 0, description="from child")
        traitlets.link((self, "koid"), (process, "value"))
        self._slider = first
        self.observe(self._other_process, names=["koid"])
        self.observe(self._fit_slider, names=["koid", "zoom"])
        self._fit_slider(None)
        traitlets.link((self, "first"), (first, "value"))
        return [HBox([process, first])]

    def _fit_slider(self, _change: object) -> None:
        node = self.tree()[self.zoom] if self.zoom < len(self.tree()) else self.tree()[0]
        self._slider.max = max(0, len(node.children) - MOST_CHILDREN)

    def _other_process(self, _change: object) -> None:
        with self.hold_trait_notifications():
            self.zoom, self.selected, self.first = 0, -1, 0

    def act(self, name: str) -> None:
        """``in AT`` a VMAR, ``out``, ``pick AT`` a mapping, ``go KOID AT`` to one elsewhere."""
        verb, *numbers = name.split()
        if verb == "out":
            self._show(max(0, self.tree()[self.zoom].parent), -1)
        elif verb == "in":
            self._show(int(numbers[0]), -1)
        elif verb == "pick":
            self.selected = int(numbers[0])
        else:
            self.koid = int(numbers[0])
            at = int(numbers[1])
            self._show(max(0, self.tree()[at].parent), at)

    def _show(self, zoom: int, selected: int) -> None:
        children = self.tree()[zoom].children
        place = children.index(selected) if selected in children else 0
        with self.hold_trait_notifications():
            self.zoom, self.selected = zoom, selected
            self.first = max(0, min(place, len(children) - MOST_CHILDREN))

    def tree(self) -> list[Node]:
        """The nodes of this address space."""
        return self.spaces.tree(self.koid)

    def scene(self) -> Scene:
        """The path, the VMAR and what lies in it; beneath, the VMO selected and who maps it."""
        scene = Scene(760, 372, f"address space of {self._who()}")
        node = self._at(self.zoom, "vmar")
        self._path(scene, node)
        self._inside(scene, node, LEFT, WIDE, TOP - STEP, self.first, MOST_CHILDREN)
        scene.line(LEFT, BOTTOM + 14, LEFT + WIDE, BOTTOM + 14)
        if self.selected >= 0:
            self._vmo(scene, self._at(self.selected, "mapping"))
        else:
            self._key(scene)
        return scene

    def sentence(self) -> str:
        """What is selected and who maps it; else how much of the VMAR is committed."""
        if self.selected < 0:
            node = self._at(self.zoom, "vmar")
            below = [other for other in self._below(node) if other.kind == "mapping"]
            mapped = sum(other.size_bytes for other in below)
            committed = sum(other.committed_bytes for other in below)
            count = f"{len(below):,} mapping{'s' * (len(below) != 1)}"
            return (
                f"VMAR '{node.name}' of {self._who()} spans {format_size(node.size_bytes)}: "
                f"{count} map {format_size(mapped)} of it, {format_size(committed)} are committed."
            )
        node = self._at(self.selected, "mapping")
        label, _ = self.spaces.vmo(node.vmo)
        committed = node.committed_bytes
        counts: dict[tuple[int, str], int] = {}
        for use in self.spaces.uses(node.vmo):
            counts[use.koid, use.process] = counts.get((use.koid, use.process), 0) + 1
        people = [f"{name}{f' {n} times' * (n > 1)}" for (_, name), n in counts.items()]
        listed = ", ".join(people[:MOST_USES])
        if len(people) > MOST_USES:
            listed += f" and {len(people) - MOST_USES:,} more"
        alone = "only " if len(people) == 1 else f"{len(people):,} address spaces map it: "
        tail = f"{alone}{listed} maps it" if len(people) == 1 else f"{alone}{listed}"
        return (
            f"This mapping ({node.perms}) shows {format_size(node.size_bytes)} of {label}, "
            f"{format_size(committed)} of it committed; {tail}."
        )

    def summary(self) -> str:
        """The VMAR shown, what lies in it, and the sentence, as text."""
        node = self._at(self.zoom, "vmar")
        lines = [f"{self._who()}: {' > '.join(other.name for other in self._above(node))}"]
        for at in node.children[self.first : self.first + MOST_CHILDREN]:
            child = self.tree()[at]
            size = format_size(child.size_bytes)
            committed = format_size(sum(node.committed_bytes for node in self._below(child)))
            mark = "*" if at == self.selected else " "
            lines.append(
                f"{mark}{child.base:#018x} {child.kind:<7} {child.perms or '---'} {size:>8} "
                f"{committed:>8} {child.name}".rstrip()
            )
        return "\n".join([*lines, self.wrapped()])

    def _who(self) -> str:
        name = self.spaces.names.get(self.koid, "")
        return name or f"process {self.koid}"

    def _at(self, at: int, kind: str) -> Node:
        tree = self.tree()
        if at >= len(tree) or tree[at].kind != kind:
            found = tree[at].kind if at < len(tree) else f"{len(tree)} nodes"
            raise LookupError(f"expected a {kind} at place {at} of {self._who()}, found {found}")
        return tree[at]

    def _above(self, node: Node) -> list[Node]:
        path = [node]
        while path[0].parent >= 0:
            path.insert(0, self.tree()[path[0].parent])
        return path

    def _below(self, node: Node) -> list[Node]:
        """The node and everything in it; it is a run, because the order is pre-order."""
        tree = self.tree()
        end = node.at + 1
        while end < len(tree) and tree[end].depth > node.depth:
            end += 1
        return tree[node.at : end]

    def _path(self, scene: Scene, node: Node) -> None:
        words = " › ".join(other.name or "vmar" for other in self._above(node))
        if node.parent >= 0:
            tip = "out to the VMAR around: click or Enter"
            scene.rect(LEFT, 6, 60, 22, "surface", text="out", tip=tip, act="out")
        at = LEFT + (72 if node.parent >= 0 else 0)
        scene.text(at, 21, f"{self._who()} › {words}", bold=True)
        span = f"{node.base:#x} – {node.base + node.size_bytes:#x}"
        scene.text(LEFT + WIDE, 21, f"{span}, {format_size(node.size_bytes)}", anchor="end")
        shown = min(MOST_CHILDREN, len(node.children) - self.first)
        note = "widths: log of size; gaps are narrow; lower half: filled where pages are committed"
        if shown < len(node.children):
            note = f"{self.first + 1}–{self.first + shown} of {len(node.children)} children; {note}"
        scene.text(LEFT, 52, note, "faint", size=11)

    def _inside(
        self, scene: Scene, node: Node, x: float, wide: float, y: float, first: int, most: int
    ) -> None:
        """The children of a VMAR beneath it, side by side."""
        shown = [self.tree()[at] for at in node.children[first : first + most]]
        if not shown or y + STEP > BOTTOM - 30:
            return
        gap = min(6.0, wide / 4 / len(shown))
        scale = (wide - gap * (len(shown) - 1)) / sum(map(_weight, shown))
        for child in shown:
            width = _weight(child) * scale
            if child.kind == "vmar":
                self._draw_vmar(scene, child, x, width, y + STEP)
            else:
                self._draw_mapping(scene, child, x, width, y + STEP)
            x += width + gap

    def _draw_vmar(self, scene: Scene, node: Node, x: float, wide: float, y: float) -> None:
        deep = y + STEP > BOTTOM - 30
        below = self._below(node)
        inside = sum(other.kind == "mapping" for other in below)
        tip = f"VMAR '{node.name}' at {node.base:#x}\n{node.size_bytes:,} bytes, {inside} mappings"
        text = _fitting(f"R {node.name} {format_size(node.size_bytes)}", wide)
        text = text or _fitting(format_size(node.size_bytes), wide)
        scene.rect(
            *(x, y, wide, BOTTOM - y if deep else STEP - 4, "surface"),
            text=text,
            tip=f"{tip}\nclick or Enter: go in",
            act=f"in {node.at}",
        )
        if wide >= NARROW:
            self._inside(scene, node, x, wide, y, 0, max(1, int(wide / NARROW)))

    def _draw_mapping(self, scene: Scene, node: Node, x: float, wide: float, y: float) -> None:
        committed = self.spaces.committed(node)
        size = sum(b - a for a, b in committed) * PAGE_BYTES
        tip = (
            f"{node.perms} {node.name or 'mapping'} at {node.base:#x}\n{node.size_bytes:,} bytes, "
            f"{size:,} committed\nclick or Enter: select"
        )
        scene.rect(
            *(x, y, wide, BOTTOM - y, "none"),
            tip=tip,
            act=f"pick {node.at}",
            ring=node.at == self.selected,
        )
        tint = "shared" if self.spaces.sharers[node.vmo] > 1 else "private"
        head = min(52.0, (BOTTOM - y) * 0.6)
        part = wide / node.pages
        for a, b in _visible(committed, node.pages, wide):
            scene.rect(x + a * part, y + head, (b - a) * part, BOTTOM - y - head, tint, tip=tip)
        words = (f"M {format_size(node.size_bytes)}", node.perms, node.name)
        for line, word in enumerate(words[: int(head // 16)]):
            if text := _fitting(word, wide):
                scene.text(x + wide / 2, y + 15 + line * 16, text, anchor="middle", size=11)

    def _vmo(self, scene: Scene, node: Node) -> None:
        """The VMO's pages as a strip, and every mapping of it as a bar."""
        label, pages = self.spaces.vmo(node.vmo)
        uses = self.spaces.uses(node.vmo)
        pages = max([pages, *(use.first_page + use.pages for use in uses)])
        left, wide = 300.0, 452.0
        tint = "shared" if self.spaces.sharers[node.vmo] > 1 else "private"
        owned = self.spaces.owned(node.vmo)
        count = sum(b - a for a, b in owned)
        scene.text(LEFT, 242, _fitting(label, 280) or label[:40], bold=True)
        tip = f"{label}: {count:,} of {pages:,} pages committed"
        scene.rect(left, 228, wide, 18, "none", tip=tip)
        for a, b in _visible(owned, pages, wide):
            scene.rect(left + a * wide / pages, 228, (b - a) * wide / pages, 18, tint, tip=tip)
        shown = uses[:MOST_USES]
        here = [use for use in uses if (use.koid, use.at) == (self.koid, node.at)]
        if here and here[0] not in shown:
            shown[-1] = here[0]
        for number, use in enumerate(shown):
            self._use(scene, use, 252 + number * 17, left, wide / pages)
        if len(uses) > len(shown):
            scene.text(LEFT, 368, f"and {len(uses) - len(shown):,} mappings more", "faint", size=11)

    def _use(self, scene: Scene, use: Use, y: float, left: float, part: float) -> None:
        here = (use.koid, use.at) == (self.koid, self.selected)
        who = f"{use.koid} {use.process}" if use.koid else use.process
        scene.text(LEFT, y + 11, _fitting(f"{who} {use.perms}", 280) or f"{use.koid}", size=11)
        scene.rect(
            *(left + use.first_page * part, y, max(2.0, use.pages * part), 13, "surface"),
            tip=f"{who} maps pages {use.first_page:,} to {use.first_page + use.pages - 1:,} "
            f"{use.perms}\nclick or Enter: go there",
            act=f"go {use.koid} {use.at}",
            ring=here,
        )

    def _key(self, scene: Scene) -> None:
        for number, (tint, word) in enumerate(
            (
                ("surface", "R: a VMAR (region); click or Enter goes in"),
                ("none", "M: a mapping; click or Enter selects it"),
                ("private", "committed, its VMO mapped by one address space"),
                ("shared", "committed, its VMO mapped by several"),
            )
        ):
            y = 236 + number * 24
            scene.rect(LEFT, y, 15, 15, tint)
            scene.text(LEFT + 24, y + 12, word)


def _weight(node: Node) -> float:
    """Width on the log scale: 1 for a page, one more for every doubling."""
    return 1 + log2(max(1, node.pages))


def _fitting(text: str, wide: float) -> str:
    """The text if it fits, else nothing."""
    return text if len(text) * 6.6 + 4 <= wide else ""


def _visible(runs: list[tuple[int, int]], pages: int, wide: float) -> list[tuple[int, int]]:
    """Runs with those joined whose gap would be less than a point wide."""
    joined: list[tuple[int, int]] = []
    for a, b in runs:
        if joined and (a - joined[-1][1]) * wide < pages:
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
    return joined

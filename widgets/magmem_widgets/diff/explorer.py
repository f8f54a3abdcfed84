"""Diff view: two states of a machine, what grew, shrank, came and went between them.

At the left a treemap of the changes, at the right the largest as a table that ends in the change of
the totals; a click on a tile selects its row. The numbers are `magmem.diff`'s, to the byte; what
one state does not know is said and never drawn as 0.
"""

from __future__ import annotations

from typing import Any, ClassVar

import squarify
import traitlets
from ipywidgets import HBox, ToggleButtons, Widget

from magmem.accounting.diff import Diff, diff
from magmem.printable import one_line
from magmem.snapshot.source import Source
from magmem_widgets.diff.changes import KINDS, ORDERS, Change, Changes, Sum
from magmem_widgets.diff.table import Table, draw_head, draw_table, tip
from magmem_widgets.diff.words import SECTIONS, SIGNS, about, amount, exact_bytes, overall, size
from magmem_widgets.explorer import Explorer
from magmem_widgets.scene import Mark, Scene

__all__ = ["DiffExplorer"]

_TILES = 40
_WIDE, _HIGH = 760.0, 420.0
_STAGE = (8.0, 74.0, 356.0, 320.0)
_LEAST_AREA = 60.0
"""A tile smaller than this (square points) joins the others."""
_LETTER = 6.4
"""Width of a letter of 11 points, on the generous side."""
_EMPTY = Sum(0, 0, 0, 0)


class DiffExplorer(Explorer):
    """Two states side by side: a treemap and a table of what changed.

    Attributes
    ----------
    what : str
        ``processes``, ``vmos``, ``holders`` (of memory that no process maps) or ``memory``
        (physical memory by use).
    kinds : tuple of str
        Which changes are shown: ``grew``, ``shrank``, ``came``, ``went``.
    order : str
        What sorts rows and sizes tiles: ``change``, or ``after`` (the size after it; then things
        that stayed the same are drawn too).
    skip : int
        How many of the largest are left out; a click on *others* raises it.
    selected : str
        Title of the selected row, such as ``logger (1041)``; empty for none.
    """

    title: ClassVar[str] = "What grew, shrank, came and went"
    watched: ClassVar[tuple[str, ...]] = ("what", "kinds", "order", "skip", "selected")

    what = traitlets.Enum(tuple(SECTIONS), "processes")
    kinds = traitlets.Tuple(tuple(KINDS))
    order = traitlets.Enum(ORDERS, "change")
    skip = traitlets.Int(0, min=0)
    selected = traitlets.Unicode()

    def __init__(self, before: Source, after: Source, **traits: Any) -> None:
        self.diff: Diff = diff(before, after)
        self._made: dict[str, Changes] = {}
        self._held = False
        super().__init__(**traits)

    @traitlets.validate("kinds")
    def _valid_kinds(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        wrong = [kind for kind in proposal["value"] if kind not in KINDS]
        if wrong:
            raise traitlets.TraitError(
                f"expected kinds of {', '.join(KINDS)}, found {', '.join(map(repr, wrong))}"
            )
        return tuple(kind for kind in KINDS if kind in proposal["value"])

    def controls(self) -> list[Widget]:
        """What is compared, and what tiles and rows go by; the four kinds are in the view."""
        what = ToggleButtons(options=[(word, name) for name, word in SECTIONS.items()])
        order = ToggleButtons(options=[("by change", "change"), ("by size after", "after")])
        for name, control in (("what", what), ("order", order)):
            control.style.button_width = "auto"
            traitlets.link((self, name), (control, "value"))
        return [HBox([what, order])]

    def act(self, name: str) -> None:
        """``kind NAME`` shows or hides a kind, ``row NUMBER`` selects, ``skip NUMBER`` opens."""
        verb, _, what = name.partition(" ")
        if verb == "kind":
            kinds = set(self.kinds) ^ {what}
            self.kinds = tuple(kind for kind in KINDS if kind in kinds)
        elif verb == "skip":
            self.skip = int(what)
        elif verb == "row" and (changes := self.changes) is not None and int(what) < len(changes):
            # A click may come from a scene of before what was compared changed.
            title = changes[int(what)].title
            self.selected = "" if title == self.selected else title

    @property
    def changes(self) -> Changes | None:
        """The rows of what is compared; None where one state does not know them."""
        if self._missing():
            return None
        if self.what not in self._made:
            table = self.diff.df[self.diff.df["section"] == self.what]
            self._made[self.what] = Changes(table.reset_index(drop=True))
        return self._made[self.what]

    def scene(self) -> Scene:
        """Kinds above, tiles at the left, the table at the right, exact sums beneath."""
        scene = Scene(_WIDE, _HIGH, f"what changed: {SECTIONS[self.what]}")
        changes = self.changes
        scene.text(8, 20, self._headline(), bold=True)
        self._kinds(scene, changes)
        if changes is None:
            scene.rect(*_STAGE, "other", text=f"not known\n{SECTIONS[self.what]}: ?")
            draw_head(scene, SECTIONS[self.what])
            return scene
        chosen = self._selected(changes)
        self._tiles(scene, changes, chosen)
        draw_head(scene, SECTIONS[self.what])
        draw_table(scene, self._rows(changes, chosen), changes, chosen)
        total = changes.total
        said = " − ".join(exact_bytes(part) for part in (total.after_bytes, total.before_bytes))
        said = f"{said} = {exact_bytes(total.change_bytes, sign=True)} bytes, the sum of all rows"
        scene.text(748, _HIGH - 6, said, "faint", anchor="end", size=11)
        return scene

    def sentence(self) -> str:
        """What the selected row is about; else the change in all, and the largest."""
        changes = self.changes
        if changes is None:
            return self._why_not()
        chosen = self._selected(changes)
        if chosen is not None:
            return about(self.what, chosen, self.diff.measure)
        first = changes.rows(tuple(KINDS), "change")[:1].tolist()
        largest = changes[first[0]] if first else None
        return overall(self.what, changes, largest, self.diff.measure)

    def summary(self) -> str:
        """What is compared, each kind, the rows of the table and their sum, as text."""
        changes = self.changes
        lines = [self._headline()]
        if changes is None:
            return "\n".join([*lines, self._why_not()])
        for kind in KINDS:
            part = changes.sums[kind]
            shown = "" if kind in self.kinds else " (not shown)"
            by = exact_bytes(part.change_bytes, sign=True)
            lines.append(f"{kind:<7}{part.count:>7,}{by:>22}{shown}")
        lines += [
            f"{exact_bytes(by, sign=True) if by is not None else '?':>16}  {word}"
            for word, by in self._lines(changes, self._selected(changes))
        ]
        return "\n".join([*lines, self.wrapped()])

    def _changed(self, change: object) -> None:
        """Other rows begin with the largest; a selection stays where it still exists."""
        if self._held:
            return
        if isinstance(change, dict) and change["name"] in ("what", "kinds", "order"):
            self._held = True
            try:
                self.skip = 0
                if change["name"] == "what" and not self._has(self.selected):
                    self.selected = ""
            finally:
                self._held = False
        super()._changed(change)

    def _has(self, title: str) -> bool:
        try:
            return bool(title) and self.changes is not None and self.changes.find(title) >= 0
        except LookupError:
            return False

    def _headline(self) -> str:
        title = one_line(self.diff.title)
        return title[0].upper() + title[1:84] + "…" * (len(title) > 84)

    def _why_not(self) -> str:
        return f"Not known. {one_line('; '.join(self._missing()))}."

    def _missing(self) -> list[str]:
        """Why what is compared is not known; nothing where it is."""
        words = {"vmos": ("VMOs",), "holders": ("hidden memory", "holders")}
        first = words.get(self.what, (self.what,))
        return [line for line in self.diff.missing if line.startswith(first)]

    def _selected(self, changes: Changes) -> Change | None:
        return changes[changes.find(self.selected)] if self.selected else None

    def _shown_kinds(self) -> tuple[str, ...]:
        if self.order == "change":
            return tuple(self.kinds)
        return (*(kind for kind in self.kinds if kind != "went"), "same")

    def _kinds(self, scene: Scene, changes: Changes | None) -> None:
        wide = (_WIDE - 16 - 3 * 8) / 4
        for number, kind in enumerate(KINDS):
            place = (8 + number * (wide + 8), 32, wide, 26)
            if changes is None:
                scene.rect(*place, "none", text=f"{SIGNS[kind]} {kind}: ?")
                continue
            part, on = changes.sums[kind], kind in self.kinds
            scene.rect(
                *(*place, kind if on else "none"),
                text=f"{SIGNS[kind]} {kind} {part.count:,}: {amount(part.change_bytes)}",
                act=f"kind {kind}",
                tip=f"{'hide' if on else 'show'} what {kind} (click or Enter)\n"
                f"{part.count:,} of them, {exact_bytes(part.change_bytes, sign=True)} bytes",
            )

    def _tiles(self, scene: Scene, changes: Changes, chosen: Change | None) -> None:
        x, y, wide, high = _STAGE
        every = changes.rows(self._shown_kinds(), self.order)
        skip = min(self.skip, len(every))
        weights = changes.weights(every[skip:], self.order)
        if not len(weights):
            words = (
                "nothing changed" if not changes.rows(tuple(KINDS), "change").size else "nothing"
            )
            scene.rect(*_STAGE, "none", text=f"{words} to show" if words == "nothing" else words)
            return
        least = _LEAST_AREA * weights.sum() / (wide * high)
        shown = min(int((weights >= least).sum()), _TILES)
        shown = len(weights) if len(weights) - shown < 2 and shown < _TILES else max(shown, 1)
        sizes = [
            *weights[:shown].tolist(),
            *([float(weights[shown:].sum())] * (shown < len(weights))),
        ]
        places = squarify.squarify(squarify.normalize_sizes(sizes, wide, high), x, y, wide, high)
        last: list[Mark] = []
        for place, row in zip(places, every[skip : skip + shown].tolist(), strict=False):
            change = changes[row]
            box = (place["x"], place["y"], place["dx"], place["dy"])
            by = change.change_bytes if self.order == "change" else change.after_bytes
            words = amount(by) if self.order == "change" else size(by)
            tint = change.kind if change.kind in KINDS else "other"
            label = _label(one_line(change.name) or "-", words, box[2], box[3])
            ring = chosen is not None and row == chosen.row
            mark = Mark("rect", *box, tint, label, act=f"row {row}", tip=tip(change), ring=ring)
            # The selected one is drawn last, so that no neighbour covers its ring.
            (last if ring else scene.marks).append(mark)
        if shown < len(weights):
            left = len(weights) - shown
            place = places[-1]
            box = (place["x"], place["y"], place["dx"], place["dy"])
            scene.rect(
                *box,
                "other",
                text=_label(f"others ({left:,})", "", box[2], box[3]),
                act=f"skip {skip + shown}",
                tip=f"{left:,} smaller ones; click or Enter shows the largest of them",
            )
        scene.marks += last

    def _rows(self, changes: Changes, chosen: Change | None) -> Table:
        return Table.of(changes, self._shown_kinds(), self.order, self.skip, chosen)

    def _lines(self, changes: Changes, chosen: Change | None) -> list[tuple[str, Any]]:
        """Each line of the table as a word and the exact change; they add up to the last."""
        table = self._rows(changes, chosen)
        lines: list[tuple[str, Any]] = []
        if table.larger.count:
            lines.append((f"larger ({table.larger.count:,})", table.larger.change_bytes))
        lines += [
            (f"{change.title}, {change.kind}", change.change_bytes) for change in table.listed
        ]
        if table.others.count:
            lines.append((f"others ({table.others.count:,})", table.others.change_bytes))
        if table.rest.count:
            lines.append((f"{table.rest_word} ({table.rest.count:,})", table.rest.change_bytes))
        if changes.unknown:
            lines.append((f"not known ({changes.unknown:,})", None))
        return [*lines, ("all", changes.total.change_bytes)]


def _label(name: str, words: str, wide: float, high: float) -> str:
    """What of a tile's name and size has room in it."""
    letters = int((wide - 8) / _LETTER)
    short = name if len(name) <= letters else name[: max(letters - 1, 0)] + "…"
    fits_name = letters >= min(len(name), 5)
    fits_words = words and len(words) <= letters
    if high >= 34 and fits_name and fits_words:
        return f"{short}\n{words}"
    if high < 16:
        return ""
    if fits_words:
        return f"{name} {words}" if len(name) + 1 + len(words) <= letters else words
    return short if fits_name else ""

"""The treemap of a machine in the notebook: the view of ``mem.html``, its choice back in Python.

`TreemapView` is the bare widget, `TreemapExplorer` the screen with its controls. The machine's
tree, its sizes and its remarks are those of `magmem.treemap`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import anywidget
import traitlets
from ipywidgets import Dropdown, HBox, ToggleButtons, Widget

from magmem.errors import MagmemError
from magmem.listing import wrapped
from magmem.sizes import format_size
from magmem.snapshot.source import Source, snapshot_of
from magmem.still import Still
from magmem.treemap import bundle
from magmem.treemap.charges import RULES
from magmem.treemap.figure import draw
from magmem.treemap.payload import encode
from magmem.treemap.treemap import BY, Treemap, treemap
from magmem_widgets.explorer import Explorer
from magmem_widgets.theme import script, treemap_style

__all__ = ["TreemapExplorer", "TreemapView"]


class TreemapView(anywidget.AnyWidget):
    """The treemap itself.

    Attributes
    ----------
    payload : str
        The tree as `magmem.treemap.payload.encode` writes it; set by `show`.
    height : str
        CSS height of the tiles.
    error : str
        A message above the tiles, which stay as they were.
    bare : bool
        The tiles with their bar and legend alone, without controls; read when it is first shown.
    unit : str
        Unit of sizes, one of ``BkMGT``; empty for the tools' form.
    chosen : dict
        What to ring: ``{"koids": [task, VMO], "zoom": bool}``, koids as text (JavaScript cannot
        hold all of their 64 bits); empty to leave that to clicks.
    selected : tuple of int
        The koids of what was clicked last.
    label : str
        Its name on screen.
    """

    _esm = bundle.script() + script("treemap")
    _css = treemap_style()
    payload = traitlets.Unicode().tag(sync=True)
    height = traitlets.Unicode("420px").tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    bare = traitlets.Bool(default_value=False).tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    chosen = traitlets.Dict({}).tag(sync=True)
    selected = traitlets.Tuple()
    label = traitlets.Unicode()

    def __init__(self, shown: Treemap | None = None, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(self._message)
        if shown is not None:
            self.show(shown)

    def show(self, shown: Treemap) -> None:
        """Draw this treemap; the place in the tree is kept where it still exists."""
        with self.hold_sync():
            self.payload = encode(shown.payload())
            self.error = ""

    def _message(self, _view: object, content: dict[str, Any], _buffers: object) -> None:
        # Koids come as text: JavaScript cannot hold all of their 64 bits.
        koids = content.get("koids", [])
        if all(isinstance(koid, str) and koid.isdecimal() for koid in koids):
            self.label = str(content.get("label", ""))
            self.selected = tuple(int(koid) for koid in koids)


class TreemapExplorer(Explorer):
    """A machine or capture as a treemap, by process or by VMO, by each rule.

    Attributes
    ----------
    source : Snapshot or Machine
        What is shown. A machine is read anew by `read`.
    by : str
        ``process`` or ``vmo``.
    rule : str
        A name of `magmem.treemap.charges.RULES`, such as ``treemap-2017`` or ``exact``.
    selected : tuple of int
        The koids of what was clicked last; several if it was a tile of merged ones.
    """

    title: ClassVar[str] = "Where all the memory of the machine is"
    watched: ClassVar[tuple[str, ...]] = ("source", "by", "rule")

    source = traitlets.Any()
    by = traitlets.Enum(tuple(BY), "process")
    rule = traitlets.Enum(tuple(RULES), next(iter(RULES)))
    selected = traitlets.Tuple()

    view: TreemapView

    def __init__(self, source: Source, **traits: Any) -> None:
        self._made: dict[tuple[str, str], Treemap] = {}
        super().__init__(source=source, **traits)
        traitlets.dlink((self.view, "selected"), (self, "selected"))

    @traitlets.validate("source")
    def _valid_source(self, proposal: dict[str, Any]) -> Source:
        self._snap = snapshot_of(proposal["value"])
        self._made.clear()
        source: Source = proposal["value"]
        return source

    def make_view(self) -> TreemapView:
        """The treemap in the place of a scene."""
        return TreemapView()

    def controls(self) -> list[Widget]:
        """By process or by VMO, and the rule."""
        by = ToggleButtons(
            options=[(f"by {word}", name) for name, word in BY.items()], value=self.by
        )
        by.style.button_width = "auto"
        rule = Dropdown(options=tuple(RULES), value=self.rule, description="sizes by")
        traitlets.link((self, "by"), (by, "value"))
        traitlets.link((self, "rule"), (rule, "value"))
        return [HBox([by, rule])]

    def read(self) -> None:
        """Read a machine anew and show its state of this moment."""
        self._snap = snapshot_of(self.source)
        self._made.clear()
        self.refresh()

    @property
    def treemap(self) -> Treemap:
        """What is shown, as `magmem.treemap` makes it."""
        how = (self.by, self.rule)
        if how not in self._made:
            self._made[how] = treemap(self._snap, self.by, self.rule)
        return self._made[how]

    def refresh(self) -> None:
        """Make the treemap and show it; where it cannot be made, say why."""
        try:
            self.view.show(self.treemap)
        except (MagmemError, ValueError) as error:
            self.view.error = str(error)

    def sentence(self) -> str:
        """How much memory there is and in what, largest part first."""
        table = self.treemap.df
        parts = [(int(row.size_bytes), row.name) for row in table[table["depth"] == 1].itertuples()]
        said = ", ".join(f"{name} {format_size(size)}" for size, name in sorted(parts)[::-1])
        return f"{self.treemap.total_text} in all: {said}."

    def summary(self) -> str:
        """The title, the parts of the machine, the remarks, and what is selected."""
        shown = self.treemap
        chosen = ", ".join(map(str, self.selected)) or "nothing"
        lines = [shown.title, self.wrapped(), *map(wrapped, shown.remarks)]
        return "\n".join([*lines, f"{shown.tiles} tiles; selected: {chosen}"])

    def figure(self, *, dark: bool = False) -> Still:
        """The still form, 18 cm wide."""
        return draw(self.treemap, None, 18.0, dark=dark)

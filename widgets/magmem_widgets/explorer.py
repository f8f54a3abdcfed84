"""What every explorer is: controls, a view that draws a scene, and a sentence beneath.

An explorer's state is its traits. Each change of a trait computes the scene anew; errors in input
appear as the sentence and leave the picture as it was. ``summary()`` is the same in words, which a
notebook stores and compares, and ``figure()`` the still form that a saved notebook shows where no
kernel runs.
"""

from __future__ import annotations

import base64
from typing import Any, ClassVar

import anywidget
import traitlets
from ipywidgets import Layout, VBox, Widget

from magmem.errors import MagmemError
from magmem.listing import wrapped
from magmem.still import Still
from magmem_widgets.scene import Scene
from magmem_widgets.theme import script, style

__all__ = ["Explorer", "SceneView"]

_WRONG = (MagmemError, ValueError, LookupError)
"""What a state that cannot be shown raises; its message is shown instead."""


class SceneView(anywidget.AnyWidget):
    """The view of a scene; what is clicked comes back as a message ``{"act": name}``."""

    _esm = script("scene")
    _css = style()
    scene = traitlets.Dict(Scene(760, 372, "nothing to be seen").data()).tag(sync=True)
    sentence = traitlets.Unicode().tag(sync=True)
    is_error = traitlets.Bool(default_value=False).tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)


class Explorer(VBox):  # type: ignore[misc] # traitlets' base is untyped
    """Base of the explorers.

    A subclass has its state as traits, names in `watched` those that change the picture, and
    defines `controls`, `scene`, `sentence` and `summary`.
    """

    watched: ClassVar[tuple[str, ...]] = ()
    title: ClassVar[str] = ""

    def __init__(self, **traits: Any) -> None:
        self._in_words = False
        super().__init__(layout=Layout(width="100%"), **traits)
        self.add_class("mx-box")  # assets/keys.js: plain keys pressed inside are its own
        self.view = self.make_view()
        self.children = [*self.controls(), self.view]
        self.view.on_msg(self._message)
        self.observe(self._changed, names=list(self.watched))
        self.refresh()

    def make_view(self) -> Any:
        """The view below the controls."""
        return SceneView()

    def controls(self) -> list[Widget]:
        """The ipywidgets above the view, linked to traits; at most seven."""
        return []

    def scene(self) -> Scene:
        """What is to be seen now."""
        raise NotImplementedError

    def sentence(self) -> str:
        """What is seen, said in one or two sentences with its numbers."""
        raise NotImplementedError

    def wrapped(self) -> str:
        """The sentence in lines, as a listing has them."""
        return wrapped(self.sentence())

    def summary(self) -> str:
        """The state and its numbers as deterministic text."""
        raise NotImplementedError

    def act(self, name: str) -> None:
        """What a click on the mark with this ``act`` does."""

    def refresh(self) -> None:
        """Compute the scene and sentence from the traits and show them."""
        try:
            scene, sentence = self.scene(), self.sentence()
        except _WRONG as error:
            self.view.set_trait("sentence", str(error))
            self.view.set_trait("is_error", True)
            return
        with self.view.hold_sync():
            self.view.scene = scene.data()
            self.view.sentence = sentence
            if self._in_words:
                self.view.words = self.summary()
            self.view.is_error = False

    def figure(self, *, dark: bool = False) -> Still:
        """The still form: the same scene drawn by matplotlib."""
        return self.scene().figure(self.title, dark=dark)

    def close(self) -> None:
        """Take the explorer and everything in it off the page and close their comms."""
        for child in _descendants(self):
            child.close()
        super().close()

    def _changed(self, _change: object) -> None:
        self.refresh()

    def _message(self, _view: object, content: dict[str, Any], _buffers: object) -> None:
        act = content.get("act")
        if act in ("show words", "hide words"):
            # They cost as much as a scene, so they are made while they are on the page.
            self._in_words = act == "show words"
            self.refresh()
        elif isinstance(act, str):
            self.act(act)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        try:
            picture = self.figure()._repr_png_()
            still = {"image/png": base64.b64encode(picture).decode(), "text/plain": self.summary()}
        except _WRONG as error:
            still = {"text/plain": str(error)}
        return {**(data or {}), **still}, metadata


def _descendants(widget: Widget) -> list[Widget]:
    """Every widget it holds, innermost first: children, and each one's layout and style."""
    held = [getattr(widget, name, None) for name in ("layout", "style")]
    found: list[Widget] = []
    for child in (*getattr(widget, "children", ()), *held):
        if isinstance(child, Widget):
            found += [*_descendants(child), child]
    return found

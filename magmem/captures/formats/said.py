"""Remarks that a reader of JSON makes, as rows of the notes table."""

from __future__ import annotations

from magmem.captures.json_text import Note

__all__ = ["Said"]


class Said:
    """Remarks on one source, in the order they are made."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.notes: list[Note] = []

    def __call__(self, kind: str, place: str, message: str) -> None:
        """Keep a remark."""
        self.notes.append((kind, self.source, place, message))

    def columns(self) -> dict[str, list[str]]:
        """The columns of the notes table."""
        names = ("kind", "source", "place", "message")
        return {name: [note[at] for note in self.notes] for at, name in enumerate(names)}

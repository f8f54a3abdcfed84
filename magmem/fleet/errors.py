"""What can go wrong with a fleet, beside the captures in it."""

from __future__ import annotations

from magmem.errors import MagmemError

__all__ = ["FleetError", "NewerFleet", "needs"]


class FleetError(MagmemError):
    """A fleet cannot be opened, asked or changed; the message says what was expected."""


class NewerFleet(FleetError):
    """The fleet was written by a newer magmem, in a layout that this one does not know.

    Attributes
    ----------
    place : str
    layout, known : int
        The fleet's layout, and the newest that this magmem reads.
    theirs, ours : str
        Both versions of magmem.
    """

    def __init__(self, place: str, layout: int, theirs: str, known: int, ours: str) -> None:
        self.place, self.layout, self.theirs = place, layout, theirs
        self.known, self.ours = known, ours
        super().__init__(
            f"{place} was written by magmem {theirs} in layout {layout}; this is magmem {ours}, "
            f"which reads layouts up to {known}"
        )

    def __reduce__(self) -> tuple[type[NewerFleet], tuple[str, int, str, int, str]]:
        return type(self), (self.place, self.layout, self.theirs, self.known, self.ours)


def needs(extra: str, module: str) -> FleetError:
    """The error for an extra that is not installed."""
    return FleetError(f"this needs {module}: pip install 'magmem[{extra}]'")

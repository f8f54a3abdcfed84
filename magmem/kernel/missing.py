"""Saying that a capture does not know what a tool needs."""

from __future__ import annotations

from magmem.errors import MissingData
from magmem.kernel.mappings import view_of
from magmem.snapshot import Snapshot

__all__ = ["as_printed", "missing", "shares_guessed"]


def missing(snap: Snapshot, tool: str, facet: str, needs: str) -> MissingData:
    """The error for a facet (of `magmem.snapshot.FACETS`) that is absent or known in part only."""
    words = "VMOs" if facet == "vmos" else facet
    lacks = words if snap.coverage[facet] == "absent" else f"complete {words}"
    return MissingData(tool, lacks, needs)


def as_printed(snap: Snapshot, tool: str) -> str:
    """The warning of a tool that shows the source's own sums, with the reason for it."""
    absent = snap.coverage["mappings"] == "absent"
    why = "it has no mappings" if absent else "it does not know every mapping and page"
    return f"{tool}: sizes as the capture's source printed them ({why})"


def shares_guessed(snap: Snapshot) -> str:
    """What to say of numbers divided by #shr without the kernel's mappings; empty if all is known.

    The guess is spoken of only where it is made: the processes' mappings are all known, the
    kernel's are not, and the source did not report the share count itself.
    """
    if not view_of(snap).shares.guessed.any():
        return ""
    return (
        "this capture lacks the kernel's mappings: "
        "a VMO that the kernel maps too is counted as if it did not"
    )

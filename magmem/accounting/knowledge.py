"""What a snapshot must know before a rule may answer, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterable

from magmem.errors import MissingData
from magmem.snapshot import FACETS, Snapshot

__all__ = ["lacks", "require"]


def lacks(snap: Snapshot, needs: Iterable[str]) -> tuple[str, ...]:
    """What is missing of the facets a rule needs; empty if nothing.

    Each item completes the sentence "this capture has no …".
    """
    needs = tuple(needs)
    missing = [
        facet if snap.coverage[facet] == "absent" else f"complete {facet}"
        for facet in needs
        if snap.coverage[facet] != "complete"
    ]
    if "pages" in needs and "pages" not in " ".join(missing):
        paged = (snap.vmos["kind"] != "physical").fillna(True).to_numpy(dtype=bool)
        unknown = int((paged & ~snap.vmos["pages_known"].to_numpy()).sum())
        if unknown:
            missing.append(f"page runs of {unknown} VMOs")
    if "vmos" in needs and "vmos" not in " ".join(missing):
        clone = snap.vmos["is_clone"].fillna(False).to_numpy(dtype=bool)
        orphans = int((clone & snap.vmos["parent"].isna().to_numpy()).sum())
        if orphans:
            missing.append(f"parents of {orphans} clones")
    return tuple(missing)


def require(snap: Snapshot, tool: str, needs: Iterable[str]) -> None:
    """Refuse to answer from a capture that does not know enough.

    Raises
    ------
    MissingData
        Names what is missing, and what the tool needs.
    """
    needs = tuple(needs)
    missing = lacks(snap, needs)
    if missing:
        wanted = [FACETS[facet] for facet in needs if lacks(snap, (facet,))]
        raise MissingData(tool, ", ".join(missing), ", ".join(wanted))

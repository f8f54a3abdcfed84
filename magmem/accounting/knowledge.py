"""What a snapshot must know before a rule may answer, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from magmem.errors import MissingData
from magmem.kernel.missing import shares_guessed
from magmem.snapshot import FACETS, Snapshot
from magmem.snapshot.columns import is_choice, is_known

if TYPE_CHECKING:
    from magmem.accounting.rules.charges import Rule

__all__ = ["HIDDEN_NEEDS", "STAGES_NEED", "known_in_part", "lacks", "require"]

STAGES_NEED = ("processes", "mappings", "kernel mappings", "vmos", "pages")
"""Facets without which no page can be charged exactly."""

HIDDEN_NEEDS = (*STAGES_NEED, "handles")
"""Facets without which nobody can tell whose a hidden page is."""


def lacks(snap: Snapshot, needs: Iterable[str]) -> tuple[str, ...]:
    """What is missing of the facets a rule needs; empty if nothing.

    Each item completes the sentence "this capture has no …".
    """
    needs = tuple(needs)
    word = {facet: "VMOs" if facet == "vmos" else facet for facet in needs}
    missing = [
        word[facet] if snap.coverage[facet] == "absent" else f"complete {word[facet]}"
        for facet in needs
        if snap.coverage[facet] != "complete"
    ]
    if "pages" in needs and "pages" not in " ".join(missing):
        physical = is_choice(snap.vmos["kind"], "physical")
        unknown = int((~physical & ~snap.vmos["pages_known"].to_numpy()).sum())
        if unknown:
            missing.append(f"page runs of {unknown} VMOs")
    if "vmos" in needs and snap.coverage["vmos"] == "complete":
        clone = snap.vmos["is_clone"].array.to_numpy(dtype=bool, na_value=False)
        orphans = int((clone & ~is_known(snap.vmos["parent"])).sum())
        if orphans:
            missing.append(f"parents of {orphans} clones")
    return tuple(missing)


def require(
    snap: Snapshot, tool: str, needs: Iterable[str], needs_some: Iterable[str] = ()
) -> None:
    """Refuse to answer from a capture that does not know enough.

    Parameters
    ----------
    snap : Snapshot
    tool : str
        Who asks.
    needs, needs_some : iterable of str
        Facets that must be complete, and facets that must not be absent.

    Raises
    ------
    MissingData
        Names what is missing, and what the tool needs.
    """
    needs = tuple(needs)
    absent = tuple(facet for facet in needs_some if snap.coverage[facet] == "absent")
    missing = (*lacks(snap, needs), *absent)
    if missing:
        wanted = [FACETS[facet] for facet in needs if lacks(snap, (facet,))]
        wanted += [FACETS[facet] for facet in absent]
        raise MissingData(tool, ", ".join(missing), ", ".join(wanted))


def known_in_part(snap: Snapshot, rule: Rule) -> tuple[str, ...]:
    """A warning where a rule answers from a part of what there is."""
    parts = [facet for facet in rule.needs_some if snap.coverage[facet] == "partial"]
    warnings: tuple[str, ...] = ()
    if parts:
        what = ", ".join(parts)
        warnings = (f"this capture knows its {what} in part; what it lacks is not counted",)
    if rule.by_share_count and not lacks(snap, rule.needs) and (guess := shares_guessed(snap)):
        warnings += (guess,)
    return tuple(f"{rule.name}: {warning}" for warning in warnings)

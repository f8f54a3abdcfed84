"""The words of the diff view: sizes with their sign, and what a row means, in a sentence.

Sizes are given in bytes, exact (int or `Fraction`), None where a state does not tell.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from magmem.accounting.report import grouped
from magmem.listing import count
from magmem.sizes import format_size
from magmem_widgets.diff.changes import KINDS, Change, Changes

__all__ = ["SECTIONS", "SIGNS", "about", "amount", "exact_bytes", "overall", "size"]

SECTIONS: Final = {
    "processes": "processes",
    "vmos": "VMOs",
    "holders": "hidden by holder",
    "memory": "physical by use",
}
"""What can be compared, and its word on screen."""

SIGNS: Final = {"grew": "▲", "shrank": "▼", "came": "✚", "went": "✕"}
"""The sign beside each kind of change, so that colour is not the only cue."""

_WHOLES: Final = {
    "processes": "All processes together have",
    "vmos": "All VMOs together own",
    "holders": "Memory that no process maps is",
    "memory": "Physical memory is",
}
_BY_KERNEL: Final = {
    "kernel-mapped": "The kernel alone maps",
    "kernel-only": "The kernel alone, without any mapping or handle, keeps",
}

Bytes = int | Fraction


def size(size_bytes: Bytes | None) -> str:
    """As the guide prints a size; ``?`` where unknown."""
    return "?" if size_bytes is None else format_size(round(size_bytes))


def amount(size_bytes: Bytes | None) -> str:
    """A change with its sign, in the guide's form."""
    if size_bytes is None:
        return "?"
    whole = round(size_bytes)
    return ("+" if whole > 0 else "−" if whole < 0 else "") + format_size(abs(whole))


def exact_bytes(size_bytes: Bytes | None, *, sign: bool = False) -> str:
    """All digits, in groups of three; rounded only where pages are shared."""
    if size_bytes is None:
        return "?"
    whole = round(size_bytes)
    if not sign:
        return grouped(whole)
    return ("+" if whole > 0 else "−" if whole < 0 else "") + grouped(abs(whole))


def about(what: str, change: Change, measure: str) -> str:
    """The selected row in a sentence."""
    name, by = change.title, change.change_bytes
    before, after = size(change.before_bytes), size(change.after_bytes)
    if by is None:
        return f"{name}: one state does not tell its size, so its change is not known."
    if what == "holders":
        return _holder(change, before, after)
    article = "an" if measure.startswith("exact") else "a"
    owns = {"processes": f"has {article} {measure} of {{}}", "vmos": "owns {} in pages"}
    if change.kind == "came":
        return f"{name} is new: it {owns[what].format(after)}."
    if change.kind == "went":
        had = owns[what].format(before).replace("has", "had").replace("owns", "owned")
        return f"{name} is gone: it {had}."
    if change.kind == "same":
        return f"{name} is what it was: {after}."
    unit = {"processes": f" of {measure}", "vmos": " in pages"}.get(what, "")
    verb = "grew" if by > 0 else "shrank"
    return f"{name} {verb} by {size(_absolute(by))}, from {before} to {after}{unit}."


def overall(what: str, changes: Changes, largest: Change | None, measure: str) -> str:
    """The section in a sentence: the change of its total, how many of each kind, the largest."""
    total = changes.total
    unit = {"processes": f" of {measure}", "vmos": " in pages"}.get(what, "")
    by = total.change_bytes
    if largest is None:
        return f"{_WHOLES[what]} {size(total.after_bytes)}{unit}, and nothing changed."
    if by:
        more = f"{size(_absolute(by))} {'more' if by > 0 else 'less'}"
    else:
        more = f"as much as before, {size(total.after_bytes)}"
    kinds = ", ".join(f"{changes.sums[kind].count:,} {kind}" for kind in KINDS)
    unknown = ""
    if changes.unknown:
        unknown = f" Of {count(changes.unknown, 'more', 'more')} one state does not tell the size."
    return (
        f"{_WHOLES[what]} {more}{unit}: {kinds}. "
        f"The largest change is {largest.title}, {amount(largest.change_bytes)}.{unknown}"
    )


def _absolute(by: Bytes) -> Bytes:
    return by if by >= 0 else -by


def _holder(change: Change, before: str, after: str) -> str:
    by = change.change_bytes or 0
    more = f"{size(_absolute(by))} {'more' if by > 0 else 'less'}" if by else f"{after} as before"
    if change.koid is None:
        who = _BY_KERNEL.get(change.name, f"{change.name}:")
        return f"{who} {more} ({before} before, {after} after); no process maps it."
    if change.kind == "went":
        return f"{change.title} is gone; it held {before} by handles alone."
    sizes = f"{before} → {after}"
    return f"{change.title} holds {more} by handles alone ({sizes}); no mapping shows it."

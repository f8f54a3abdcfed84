"""What changed between two states: memory by use, processes and VMOs, to the byte.

Tasks and VMOs are matched by koid, and what has none or lost it (another boot) by name and place.
Each section adds up: uses of memory to the change of physical memory, processes and hidden memory
to the change of all pages that VMOs own, VMOs to the same. Bytes are exact. What one state does not
know is left out and said, never taken for 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pandas as pd

from magmem.accounting.account import exact_column
from magmem.accounting.attribution import attribution_of
from magmem.accounting.diff_text import diff_text
from magmem.accounting.knowledge import lacks
from magmem.accounting.ledger import ledger
from magmem.accounting.physical import Physical
from magmem.accounting.report import Report
from magmem.snapshot import Snapshot
from magmem.snapshot.source import Source, snapshot_of

if TYPE_CHECKING:
    from magmem.still import Still

__all__ = ["Diff", "diff"]

Key = tuple[object, ...]

_EXACT = ("mappings", "kernel mappings", "vmos", "pages")
_HIDDEN = ("kernel-mapped", "handle-only", "kernel-only", "hidden")
_USES = {
    "vmo_bytes": "VMOs",
    "heap_used_bytes": "heap in use",
    "heap_free_bytes": "heap free",
    "wired_bytes": "wired",
    "mmu_bytes": "mmu",
    "other_bytes": "other",
    "free_bytes": "free",
}


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing of one state: its koid (None: it has none), name and size."""

    koid: int | None
    name: str
    size_bytes: Fraction


class Diff(Report):
    """The difference of two states; a listing.

    Attributes
    ----------
    df : pandas.DataFrame
        One row per thing that either state has: section (memory, processes, hidden, vmos), change
        (appeared, gone, grown, shrunk, same), koid (Int64), name, before_bytes, after_bytes,
        change_bytes. Sizes are int, or `Fraction` where pages are shared.
    measure : str
        What the processes' sizes are: ``exact PSS``, ``reported PSS`` or ``unknown``.
    missing : tuple of str
        Sections left out, and why.
    """

    measure: str
    missing: tuple[str, ...]

    def __init__(self, before: Snapshot, after: Snapshot) -> None:
        names = (before.name or "the first", after.name or "the second")
        super().__init__(
            lambda: self._frame(before, after),
            lambda table: diff_text(names, table, self.measure, self.missing),
            title=f"difference of {names[0]} and {names[1]}",
        )
        missing: list[str] = []
        both = (before, after)
        exact = not any(lacks(snap, _EXACT) for snap in both)
        reported = all(snap.processes["reported_pss_bytes"].notna().any() for snap in both)
        measure = "exact PSS" if exact else "reported PSS" if reported else "unknown"
        if measure == "unknown":
            missing.append("processes: one state tells neither their mappings nor their PSS")
        if not exact and not all(snap.coverage["vmos"] == "complete" for snap in both):
            missing.append("VMOs: one state does not list them all")
        if any(not _uses(snap) for snap in both):
            missing.append("memory: one state has no kernel memory statistics")
        object.__setattr__(self, "measure", measure)
        object.__setattr__(self, "missing", tuple(missing))

    def figure(self, *, dark: bool = False) -> Still:
        """What grew and shrank most, as bars to the right and to the left."""
        from magmem.accounting.diff_figure import draw

        return draw(self.df, self.title, dark=dark)

    def _frame(self, before: Snapshot, after: Snapshot) -> pd.DataFrame:
        sections: list[tuple[str, dict[Key, _Item], dict[Key, _Item]]] = []
        if not any(line.startswith("memory") for line in self.missing):
            sections.append(("memory", _uses(before), _uses(after)))
        if self.measure == "exact PSS":
            sections += [
                ("processes", *_matched(_exact(before), _exact(after))),
                ("hidden", _hidden(before), _hidden(after)),
            ]
        elif self.measure == "reported PSS":
            sections.append(("processes", *_matched(_reported(before), _reported(after))))
        if not any(line.startswith("VMOs") for line in self.missing):
            sections.append(("vmos", *_matched(_vmos(before), _vmos(after))))
        return _table(sections)


def diff(before: Source, after: Source) -> Diff:
    """What changed from one state to another.

    Parameters
    ----------
    before, after : Snapshot or Machine

    Returns
    -------
    Diff
        A listing; the rows of each section add up to the change of its total.
    """
    return Diff(snapshot_of(before), snapshot_of(after))


def _uses(snap: Snapshot) -> dict[Key, _Item]:
    physical = Physical.of(snap)
    sizes = {use: getattr(physical, use, None) for use in _USES}
    if physical.heap_bytes is not None and physical.heap_free_bytes is not None:
        sizes["heap_used_bytes"] = physical.heap_bytes - physical.heap_free_bytes
    return {
        (use,): _Item(None, word, Fraction(size))
        for use, word in _USES.items()
        if (size := sizes[use]) is not None
    }


def _exact(snap: Snapshot) -> list[_Item]:
    attribution = attribution_of(snap)
    sizes = attribution.by_process(attribution.r5).fractions
    population = attribution.population
    return [
        _Item(koid, name, size)
        for koid, name, size in zip(population.koid.tolist(), population.name, sizes, strict=True)
    ]


def _reported(snap: Snapshot) -> list[_Item]:
    told = snap.processes[snap.processes["reported_pss_bytes"].notna()]
    return [
        _Item(int(koid), str(name), Fraction(int(size)))
        for koid, name, size in zip(
            told["koid"], told["name"].fillna(""), told["reported_pss_bytes"], strict=True
        )
    ]


def _hidden(snap: Snapshot) -> dict[Key, _Item]:
    statement = ledger(snap).statement
    sizes = {key: statement.of(key) for key in _HIDDEN}
    return {(key,): _Item(None, key, size) for key, size in sizes.items() if size is not None}


def _vmos(snap: Snapshot) -> list[_Item]:
    """Every VMO that is not physical; unknown amounts are left out."""
    vmos = snap.vmos
    own = snap.pages.groupby("vmo")["page_count"].sum().reindex(vmos.index, fill_value=0)
    size = (own * snap.page_bytes).where(vmos["pages_known"], vmos["reported_committed_bytes"])
    paged = (vmos["kind"] != "physical").fillna(True).to_numpy(dtype=bool)
    known = paged & size.notna().to_numpy()
    koids = vmos["koid"].astype(object).where(vmos["koid"].notna(), None)
    return [
        _Item(koid or None, name, Fraction(int(amount)))
        for koid, name, amount in zip(
            koids[known], vmos["name"].fillna("")[known], size[known], strict=True
        )
    ]


def _matched(
    before: Sequence[_Item], after: Sequence[_Item]
) -> tuple[dict[Key, _Item], dict[Key, _Item]]:
    """Both lists by a key that is the same for what is the same thing.

    A koid that both have, with the same name, is the same thing: koids are never reused within a
    boot. The rest is matched by name, first with first.
    """
    names = {item.koid: item.name for item in before if item.koid is not None}
    same = {
        item.koid for item in after if item.koid is not None and names.get(item.koid) == item.name
    }

    def keyed(items: Sequence[_Item]) -> dict[Key, _Item]:
        seen: Counter[str] = Counter()
        found: dict[Key, _Item] = {}
        for item in items:
            if item.koid in same:
                found["koid", item.koid] = item
                continue
            found["name", item.name, seen[item.name]] = item
            seen[item.name] += 1
        return found

    return keyed(before), keyed(after)


def _table(
    sections: Sequence[tuple[str, Mapping[Key, _Item], Mapping[Key, _Item]]],
) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    none = Fraction(0)
    for section, before, after in sections:
        for key in dict.fromkeys([*before, *after]):
            old, new = before.get(key), after.get(key)
            item = new or old
            assert item is not None  # noqa: S101 (the key is of one of the two)
            low = old.size_bytes if old else none
            high = new.size_bytes if new else none
            if section in ("memory", "hidden") or (old and new):
                change = "grown" if high > low else "shrunk" if high < low else "same"
            else:
                change = "appeared" if new else "gone"
            rows.append((section, change, item.koid, item.name, low, high, high - low))
    names = ("section", "change", "koid", "name", "before_bytes", "after_bytes", "change_bytes")
    columns: dict[str, Any] = {
        name: [row[place] for row in rows] for place, name in enumerate(names)
    }
    columns["koid"] = pd.array(columns["koid"], dtype="Int64")
    for name in ("before_bytes", "after_bytes", "change_bytes"):
        columns[name] = exact_column(columns[name])
    return pd.DataFrame(columns)

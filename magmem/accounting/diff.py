"""What changed between two states: memory by use, processes and VMOs, to the byte.

Tasks and VMOs are matched by koid, and what has none or lost it (another boot) by name and place.
Each section adds up: uses of memory to the change of physical memory, processes and hidden memory
to the change of all pages that VMOs own, VMOs to the same, holders to that of hidden memory. Bytes
are exact. What one state does not know is left out or missing, and said, never taken for 0.
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
from magmem.accounting.report import Report
from magmem.kernel.physical import Physical
from magmem.snapshot import Snapshot
from magmem.snapshot.columns import is_choice
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
    """One thing of one state: its koid (None: it has none), name and size (None: unknown)."""

    koid: int | None
    name: str
    size_bytes: Fraction | None


class Diff(Report):
    """The difference of two states; a listing.

    Attributes
    ----------
    df : pandas.DataFrame
        One row per thing that either state has: section (memory, processes, hidden, holders, vmos),
        change (appeared, gone, grown, shrunk, same, unknown), koid (Int64), name, before_bytes,
        after_bytes, change_bytes. Sizes are int, or `Fraction` where pages are shared; missing
        where a state has the thing and does not tell its size. Holders are processes by what their
        handles alone keep, and the kernel (no koid).
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
        if not exact:
            missing.append("hidden memory: one state does not know every mapping and page")
        elif not all(snap.knows("handles") for snap in both):
            missing.append("holders of hidden memory: one state does not know the handles")
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
                ("hidden", *_hidden_of_both(before, after)),
            ]
            if not any(line.startswith("holders") for line in self.missing):
                sections.append(("holders", *_holders(before, after)))
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
    return _each_process(snap, attribution.by_process(attribution.r5).fractions)


def _each_process(snap: Snapshot, sizes: Sequence[Fraction]) -> list[_Item]:
    population = attribution_of(snap).population
    return [
        _Item(koid, name, size)
        for koid, name, size in zip(population.koid.tolist(), population.name, sizes, strict=True)
    ]


def _reported(snap: Snapshot) -> list[_Item]:
    told = snap.processes
    return [
        _Item(int(koid), str(name), _known(size))
        for koid, name, size in zip(
            told["koid"], told["name"].fillna(""), told["reported_pss_bytes"], strict=True
        )
    ]


def _known(size: Any) -> Fraction | None:
    return None if pd.isna(size) else Fraction(int(size))


def _hidden(snap: Snapshot) -> dict[Key, _Item]:
    statement = ledger(snap).statement
    sizes = {key: statement.of(key) for key in _HIDDEN}
    return {(key,): _Item(None, key, size) for key, size in sizes.items() if size is not None}


def _hidden_of_both(before: Snapshot, after: Snapshot) -> tuple[dict[Key, _Item], dict[Key, _Item]]:
    """Hidden memory by reason; where one state knows no handles, what they tell apart is one."""
    sides = _hidden(before), _hidden(after)
    if ("hidden",) not in sides[0] and ("hidden",) not in sides[1]:
        return sides
    return _merged(sides[0]), _merged(sides[1])


def _merged(side: dict[Key, _Item]) -> dict[Key, _Item]:
    mapped: Key = ("kernel-mapped",)
    rest = [item.size_bytes or Fraction(0) for key, item in side.items() if key != mapped]
    return {mapped: side[mapped], ("hidden",): _Item(None, "hidden", sum(rest, Fraction(0)))}


def _holders(before: Snapshot, after: Snapshot) -> tuple[dict[Key, _Item], dict[Key, _Item]]:
    """Who keeps memory that no process maps: processes by handles alone, and the kernel."""
    sides = _matched(*(_each_process(snap, _by_handle(snap)) for snap in (before, after)))
    some = {key for side in sides for key, item in side.items() if item.size_bytes}
    told = [
        {key: item for key, item in side.items() if key in some}
        | {(key,): item for (key,), item in _hidden(snap).items() if key != "handle-only"}
        for side, snap in zip(sides, (before, after), strict=True)
    ]
    return told[0], told[1]


def _by_handle(snap: Snapshot) -> Sequence[Fraction]:
    return attribution_of(snap).hidden.by_process.fractions


def _vmos(snap: Snapshot) -> list[_Item]:
    """Every VMO that is not physical."""
    vmos = snap.vmos
    own = snap.pages.groupby("vmo")["page_count"].sum().reindex(vmos.index, fill_value=0)
    size = (own * snap.page_bytes).where(vmos["pages_known"], vmos["reported_committed_bytes"])
    paged = ~is_choice(vmos["kind"], "physical")
    koids = vmos["koid"].astype(object).where(vmos["koid"].notna(), None)
    return [
        _Item(koid or None, name, _known(amount))
        for koid, name, amount in zip(
            koids[paged], vmos["name"].fillna("")[paged], size[paged], strict=True
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
            # Uses of memory and what the kernel hides are there always: one left out is unknown.
            absent = none if len(key) > 1 else None
            low = old.size_bytes if old else absent
            high = new.size_bytes if new else absent
            if not (old and new) and len(key) > 1:
                change = "appeared" if new else "gone"
            elif low is None or high is None:
                change = "unknown"
            else:
                change = "grown" if high > low else "shrunk" if high < low else "same"
            by = None if low is None or high is None else high - low
            rows.append((section, change, item.koid, item.name, low, high, by))
    names = ("section", "change", "koid", "name", "before_bytes", "after_bytes", "change_bytes")
    columns: dict[str, Any] = {
        name: [row[place] for row in rows] for place, name in enumerate(names)
    }
    columns["koid"] = pd.array(columns["koid"], dtype="Int64")
    for name in ("before_bytes", "after_bytes", "change_bytes"):
        columns[name] = _column(columns[name])
    return pd.DataFrame(columns)


def _column(sizes: Sequence[Fraction | None]) -> Any:
    """Exact sizes, missing where unknown."""
    if all(size is not None for size in sizes):
        return exact_column(sizes)
    if all(size is None or size.denominator == 1 for size in sizes):
        return pd.array([None if size is None else int(size) for size in sizes], dtype="Int64")
    return pd.Series([pd.NA if size is None else size for size in sizes], dtype=object)

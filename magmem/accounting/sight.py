"""One page looked at closely: its owner, and every VMO and mapping through which it shows.

Rules: reference/accounting.md "exact", reference/kernel.md "Copy-on-write clones". Indices are
pages. For one page at a time; `magmem.accounting.attribution` answers for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from magmem.accounting.attribution import Attribution
from magmem.errors import NoSuchObject
from magmem.snapshot import Snapshot

__all__ = [
    "Path",
    "Sight",
    "chain_of",
    "find_vmo",
    "holders_of",
    "sharers_of",
    "sight_of",
    "vmo_label",
]


@dataclass(frozen=True, slots=True)
class Path:
    """One VMO through which a page shows: `index` there, and the clones from the owner to it."""

    vmo: int
    index: int
    clones: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """One committed page and where it shows.

    Attributes
    ----------
    owner, index : int
        Row of the VMO that owns it, and the page index there.
    paths : tuple of Path
        VMOs through which it shows, the owner first.
    shadowed : tuple of Path
        Clones that would show it, had they no copy of their own.
    mappings : tuple of (int, Path)
        Places in the view's mapping arrays that cover it, each with its path.
    """

    owner: int
    index: int
    paths: tuple[Path, ...]
    shadowed: tuple[Path, ...]
    mappings: tuple[tuple[int, Path], ...]


def find_vmo(snap: Snapshot, which: int | str) -> int:
    """Row of the VMO with a koid (int) or an id inside the snapshot (text).

    Raises
    ------
    NoSuchObject
        There is none.
    """
    column, word = ("id", "id") if isinstance(which, str) else ("koid", "koid")
    if which != 0:
        rows = np.flatnonzero((snap.vmos[column] == which).fillna(False).to_numpy(dtype=bool))
        if len(rows):
            return int(rows[0])
    known = snap.vmos[column].dropna()
    sample = ", ".join(str(value) for value in known[known != 0].head(5).tolist())
    raise NoSuchObject(f"expected the {word} of a VMO ({sample} …), found {which!r}")


def vmo_label(snap: Snapshot, row: int) -> str:
    """Such as ``VMO 2542 'mmap-anonymous'``; by its id where it has no koid."""
    koid, name = snap.vmos["koid"].iat[row], snap.vmos["name"].iat[row]
    who = snap.vmos["id"].iat[row] if koid is pd.NA or koid == 0 else koid
    return f"VMO {who}" + (f" {name!r}" if name is not pd.NA and name else "")


def owns(attribution: Attribution, row: int, index: int) -> bool:
    """Whether a VMO owns the page at an index."""
    one = np.array([row])
    begin, end = np.array([index]), np.array([index + 1])
    return bool(attribution.view.runs.count(one, begin, end)[0])


def chain_of(attribution: Attribution, row: int, index: int) -> tuple[int, int] | None:
    """Owner and index of the page that a read of the VMO finds; None for zeros."""
    chains, sizes = attribution.chains, attribution.view.size_pages
    while row >= 0 and index < sizes[row]:
        if owns(attribution, row, index):
            return row, index
        row, index = int(chains.parent[row]), index + int(chains.offset_pages[row])
    return None


def sight_of(attribution: Attribution, owner: int, index: int) -> Sight:
    """Everyone who can reach a page that `owner` owns."""
    view, chains = attribution.view, attribution.chains
    paths: list[Path] = []
    shadowed: list[Path] = []
    waiting = [Path(owner, index, ())] if index < view.size_pages[owner] else []
    while waiting:
        path = waiting.pop(0)
        paths.append(path)
        for clone in np.flatnonzero(chains.parent == path.vmo).tolist():
            at = path.index - int(chains.offset_pages[clone])
            if 0 <= at < view.size_pages[clone]:
                further = Path(clone, at, (*path.clones, clone))
                (shadowed if owns(attribution, clone, at) else waiting).append(further)
    mappings = [
        (place, path)
        for path in paths
        for place in np.flatnonzero(
            (view.vmo == path.vmo) & (view.begin_page <= path.index) & (view.end_page > path.index)
        ).tolist()
    ]
    return Sight(owner, index, tuple(paths), tuple(shadowed), tuple(mappings))


def sharers_of(attribution: Attribution, sight: Sight) -> list[int]:
    """Rows of the distinct address spaces that reach a page."""
    return sorted({int(attribution.view.aspace[place]) for place, _ in sight.mappings})


def holders_of(attribution: Attribution, sight: Sight) -> list[tuple[int, int]]:
    """Process (row of the population) and VMO of each handle that shows a page."""
    handles = attribution.view.snap.handles
    shown = {path.vmo for path in sight.paths}
    rows = np.flatnonzero(handles["vmo"].isin(list(shown)).to_numpy())
    holders = attribution.population.rows(handles["process_koid"].to_numpy()[rows])
    return sorted(set(zip(holders.tolist(), handles["vmo"].iloc[rows].tolist(), strict=True)))

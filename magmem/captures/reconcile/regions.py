"""Address spaces, VMARs and mappings from several dumps, merged by process and address.

A dump that shows an address space from end to end settles which regions there are. Mappings told
without an address (`vmos KOID` lists VMOs, not places) count as far as no dump shows the place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from magmem.captures.reconcile.loose import Ints, Loose, Values
from magmem.captures.reconcile.settle import Contradictions, Settler, group_rows
from magmem.snapshot.schema import TABLES

__all__ = ["Aspaces", "group_aspaces", "group_regions", "settle_aspaces", "settle_regions"]

MAPPING = TABLES["regions"].columns["kind"].choices.index("mapping")
KERNEL = TABLES["aspaces"].columns["kind"].choices.index("kernel")


@dataclass(frozen=True, slots=True)
class Aspaces:
    """Which loose rows are about the same address space, numbered as in the result.

    Attributes
    ----------
    group : int64 array
        Address space of each loose row.
    groups : int
    master : int64 array
        For each address space the loose row that shows it whole, −1 if none.
    """

    group: Ints
    groups: int
    master: Ints


def group_aspaces(rows: Loose, process_koids: Ints) -> Aspaces:
    """The kernel's first, then by process as in `process_koids`, then of unknown processes."""
    kind = rows.column("kind")[0]
    koid, owned = rows.column("process_koid")
    addr, placed = rows.column("addr")
    order = np.argsort(process_koids, kind="stable")
    rank = np.zeros(len(rows), np.int64)
    if len(order):
        at = np.minimum(np.searchsorted(process_koids[order], koid), len(order) - 1)
        rank = order[at]
    lost = (kind != KERNEL) & ~owned
    known = lost & placed
    sort = np.select([kind == KERNEL, owned, known], [0, 1, 2], 3)
    group, groups = group_rows(
        sort,
        np.where(sort == 1, rank, 0),
        np.where(sort == 2, addr, np.uint64(0)),
        np.where(sort == 3, np.arange(len(rows)), 0),
    )
    whole = np.flatnonzero(rows.column("whole")[0])
    whole = whole[np.lexsort((whole, rows.origin[whole], group[whole]))]
    first = whole[np.flatnonzero(np.diff(group[whole], prepend=-1))]
    master = np.full(groups, -1, np.int64)
    master[group[first]] = first
    return Aspaces(group, groups, master)


def settle_aspaces(
    rows: Loose, aspaces: Aspaces, contradictions: Contradictions
) -> dict[str, Values]:
    """The aspaces table's columns."""
    koid, owned = rows.column("process_koid")

    def label(aspace: int) -> str:
        at = np.flatnonzero((aspaces.group == aspace) & owned)
        return f"address space of process {koid[at[0]]}" if len(at) else "address space"

    settler = Settler("aspaces", rows, (aspaces.group, aspaces.groups), label, contradictions)
    return {name: settler.column(name) for name in rows.columns if name != "whole"}


def group_regions(rows: Loose, aspaces: Aspaces) -> tuple[Ints, int]:
    """Number regions with an address in tree order; −1 for those without one."""
    base, based = rows.column("base")
    at = np.flatnonzero(based)
    number = np.full(len(rows), -1, np.int64)
    if not len(at):
        return number, 0
    mapping = rows.column("kind")[0][at] == MAPPING
    depth = rows.column("depth")[0][at]
    # A VMAR may lie in another at the same address; of mappings there is one at an address.
    number[at], groups = group_rows(
        aspaces.group[rows.column("aspace")[0][at]],
        base[at],
        mapping.astype(np.int64),
        np.where(mapping, 0, depth),
    )
    return number, groups


def settle_regions(
    rows: Loose,
    vmo_number: Ints,
    numbered: tuple[Ints, int],
    aspaces: Aspaces,
    contradictions: Contradictions,
) -> tuple[dict[str, Values], Ints]:
    """The regions table's columns, and the row of the result for each loose row (−1: left out)."""
    numbered = _without_strangers(rows, numbered, aspaces, contradictions)
    number, groups = _with_placeless(rows, vmo_number, numbered, aspaces, contradictions)
    aspace, _ = rows.column("aspace")
    base, _ = rows.column("base")
    vmo, mapped = rows.column("vmo")
    columns = dict(rows.columns)
    every = np.ones(len(rows), bool)
    columns["aspace"] = aspaces.group[aspace] if len(aspace) else aspace, every
    columns["vmo"] = vmo_number[vmo] if len(vmo_number) else vmo, mapped
    rows = Loose(rows.origin, rows.line, columns, rows.slack)

    def label(region: int) -> str:
        at = int(np.flatnonzero(number == region)[0])
        return f"region at {int(base[at]):#x}"

    settler = Settler("regions", rows, (number, groups), label, contradictions)
    settled = {name: settler.column(name) for name in columns}
    # A region told without an address comes after the others of its address space.
    order = np.lexsort((np.arange(groups), settled["aspace"][0]))
    place = np.empty(groups, np.int64)
    place[order] = np.arange(groups)
    moved = np.where(number < 0, -1, place[number] if groups else number)
    return {name: (v[order], known[order]) for name, (v, known) in settled.items()}, moved


def _without_strangers(
    rows: Loose,
    numbered: tuple[Ints, int],
    aspaces: Aspaces,
    contradictions: Contradictions,
) -> tuple[Ints, int]:
    """Leave out regions that the dump of the whole address space does not have."""
    number, groups = numbered
    aspace = rows.column("aspace")[0]
    if not groups:
        return numbered
    own = aspaces.master[aspaces.group[aspace]]
    ruled = (number >= 0) & (own >= 0)
    confirmed = np.zeros(groups, bool)
    confirmed[number[ruled & (own == aspace)]] = True
    strange = np.flatnonzero(ruled & ~confirmed[number])
    if len(strange):
        for first in strange[np.unique(aspace[strange], return_index=True)[1]].tolist():
            here = contradictions.origins[rows.origin[first]]
            count = int((aspace[strange] == aspace[first]).sum())
            base = int(rows.column("base")[0][first])
            contradictions.add(
                here.source,
                here.place(int(rows.line[first]), first),
                f"{here.dump} shows {count} regions, the first at {base:#x}, that an earlier whole "
                "dump of the address space does not have; they are left out",
            )
        number = number.copy()
        number[strange] = -1
        left = np.zeros(groups, bool)
        left[number[number >= 0]] = True
        place = np.cumsum(left) - 1
        return np.where(number < 0, -1, place[number]), int(left.sum())
    return numbered


def _with_placeless(
    rows: Loose,
    vmo_number: Ints,
    numbered: tuple[Ints, int],
    aspaces: Aspaces,
    contradictions: Contradictions,
) -> tuple[Ints, int]:
    """Number the mappings without an address that no dump with addresses accounts for."""
    number, groups = numbered
    vmo, mapped = rows.column("vmo")
    aspace = rows.column("aspace")[0]
    based = rows.column("base")[1]
    bare = np.flatnonzero(~based & mapped)
    if not len(bare):
        return number, groups
    vmo = vmo_number[vmo]
    owner = aspaces.group[aspace]
    width = int(vmo.max()) + 1
    pair = owner * width + vmo
    shown = np.flatnonzero((number >= 0) & mapped)
    shown = shown[np.unique(number[shown], return_index=True)[1]]
    pairs, counts = np.unique(pair[shown], return_counts=True)
    at = np.searchsorted(pairs, pair[bare])
    at_most = np.minimum(at, max(0, len(pairs) - 1))
    accounted = np.zeros(len(bare), np.int64)
    if len(pairs):
        accounted = np.where(pairs[at_most] == pair[bare], counts[at_most], 0)
    nth = occurrence(aspace[bare], vmo[bare])
    extra = nth >= accounted
    against = extra & (aspaces.master[owner[bare]] >= 0)
    if against.any():
        first = int(bare[np.flatnonzero(against)[0]])
        here = contradictions.origins[rows.origin[first]]
        contradictions.add(
            here.source,
            here.place(int(rows.line[first]), first),
            f"{here.dump} tells of {int(against.sum())} mappings that the whole dump of the "
            "address space does not have; they are left out",
        )
    keep = np.flatnonzero(extra & ~against)
    number = number.copy()
    fresh, count = group_rows(pair[bare[keep]], nth[keep])
    number[bare[keep]] = groups + _as_told(fresh, count)
    return number, groups + count


def occurrence(*keys: Any) -> Ints:
    """How many rows of the same key came before each row."""
    group, _ = group_rows(*keys)
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    run = np.repeat(starts, np.diff(starts, append=len(ordered)))
    nth = np.empty(len(order), np.int64)
    nth[order] = np.arange(len(order)) - run
    return nth


def _as_told(group: Ints, groups: int) -> Ints:
    """Renumber groups by their first row."""
    _, first = np.unique(group, return_index=True)
    place = np.empty(groups, np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(groups)
    return place[group] if groups else group

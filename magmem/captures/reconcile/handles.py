"""Handles from several dumps: the nth of an object in a process is the nth in every dump."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from magmem.captures.reconcile.loose import Bools, Ints, Loose, Values
from magmem.captures.reconcile.regions import occurrence
from magmem.captures.reconcile.settle import Contradictions, Settler, group_rows

__all__ = ["VISIBLE_RIGHTS", "settle_handles"]

VISIBLE_RIGHTS = 0x3F
"""The rights that `vmos` prints: duplicate, transfer, read, write, execute, map."""


def settle_handles(
    rows: Loose,
    vmo_number: Ints,
    process_koids: Ints,
    contradictions: Contradictions,
) -> dict[str, Values]:
    """The handles table's columns, by process, in the kernel's order where a dump tells it."""
    process = rows.column("process_koid")[0]
    koid, named = rows.column("koid")
    sort = rows.column("type")[0]
    every = np.ones(len(rows), bool)
    target = np.where(named, koid, -1)
    kinds = _numbered(sort)
    nth = occurrence(rows.origin, process, target, kinds)
    group, groups = group_rows(process, target, kinds, nth)
    vmo, is_vmo = rows.column("vmo")
    columns = dict(rows.columns)
    if len(vmo_number):
        columns["vmo"] = vmo_number[vmo], is_vmo
    columns["process_koid"] = process, every
    rows = Loose(rows.origin, rows.line, columns, rows.slack)

    def label(handle: int) -> str:
        at = int(np.flatnonzero(group == handle)[0])
        return f"handle of process {process[at]} to {sort[at]} {koid[at]}"

    settler = Settler("handles", rows, (group, groups), label, contradictions)
    rights = rows.column("rights")[0]
    settled = {name: settler.column(name) for name in columns if name != "rights"}
    settled["rights"] = settler.column("rights", agree=_same_visible, weight=-rights)
    order = _order(rows, group, groups, process_koids)
    return {name: (v[order], known[order]) for name, (v, known) in settled.items()}


def _same_visible(some: npt.NDArray[Any], other: npt.NDArray[Any]) -> Bools:
    """A mask told by `vmos` lacks the rights it does not print."""
    return np.asarray(((some ^ other) & VISIBLE_RIGHTS) == 0, dtype=np.bool_)


def _numbered(texts: npt.NDArray[Any]) -> Ints:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)


def _order(rows: Loose, group: Ints, groups: int, process_koids: Ints) -> Ints:
    process = rows.column("process_koid")[0]
    by_koid = np.argsort(process_koids, kind="stable")
    rank = by_koid[np.searchsorted(process_koids[by_koid], process)] if len(process) else process
    # Whoever tells most handles of a process tells their order best (`k ht` all, `vmos` some).
    told, tellers = group_rows(rows.origin, process)
    place = np.lexsort(
        (np.arange(len(rows)), rows.origin, -np.bincount(told, minlength=tellers)[told])
    )
    first = np.zeros(groups, np.int64)
    first[group[place[::-1]]] = np.arange(len(place))[::-1]
    owner = np.zeros(groups, np.int64)
    owner[group] = rank
    return np.lexsort((first, owner))

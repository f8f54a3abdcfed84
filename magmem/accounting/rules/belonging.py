"""Which processes have a VMO: by a mapping, by a handle, or both. For rules that charge whole VMOs.

Committed bytes and share counts come from the objects where the snapshot knows them, else from
what the capture's source reported, so these rules also answer for captures without page runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from magmem.accounting.attribution import Attribution
from magmem.accounting.kernel import integers
from magmem.accounting.runs import Ints, starts_of
from magmem.errors import MissingData

__all__ = ["Pairs", "among", "committed_bytes", "distinct", "held", "mapped", "share_counts"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct (VMO, process) pairs, sorted: rows of vmos and of the `Population`."""

    vmo: Ints
    process: Ints


def distinct(vmo: Ints, process: Ints) -> Pairs:
    """The pairs without repeats."""
    width = int(process.max()) + 1 if len(process) else 1
    key = np.sort(vmo * width + process)
    key = key[starts_of(key)]
    vmo = key // width
    return Pairs(vmo, key - vmo * width)


def among(some: Pairs, others: Pairs) -> npt.NDArray[np.bool_]:
    """For each of some pairs, whether it is one of the others."""
    width = int(max(some.process.max(initial=0), others.process.max(initial=0))) + 1
    wanted, known = some.vmo * width + some.process, others.vmo * width + others.process
    if not len(known):
        return np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.asarray(known[at] == wanted, dtype=bool)


def mapped(attribution: Attribution) -> Pairs:
    """VMOs and the processes that map them."""
    vmo, aspace = attribution.view.pairs
    process = attribution.population.of_aspace[aspace]
    return distinct(vmo[process >= 0], process[process >= 0])


def held(attribution: Attribution) -> Pairs:
    """VMOs and the processes that have a handle to them."""
    handles = attribution.view.snap.handles
    rows = np.flatnonzero(handles["vmo"].notna().to_numpy())
    holder = attribution.population.rows(handles["process_koid"].to_numpy()[rows])
    return distinct(integers(handles["vmo"])[rows], holder)


def committed_bytes(attribution: Attribution, rule: str) -> Ints:
    """Per VMO: bytes of the pages it owns, counted or as the source reported.

    Raises
    ------
    MissingData
        Some VMO has neither.
    """
    vmos = attribution.view.snap.vmos
    counted = vmos["pages_known"].to_numpy() | (vmos["kind"].cat.codes.to_numpy() == 1)
    if counted.all():
        return attribution.view.committed_bytes
    reported = vmos["reported_committed_bytes"]
    known = counted | reported.notna().to_numpy()
    if not known.all():
        raise MissingData(rule, f"size of {(~known).sum()} VMOs", "committed bytes of every VMO")
    sizes: Ints = np.where(counted, attribution.view.committed_bytes, integers(reported))
    return sizes


def share_counts(attribution: Attribution, rule: str) -> Ints:
    """Per VMO: #shr, counted or as the source reported.

    Raises
    ------
    MissingData
        The mappings are not all known, nor what the source says of them.
    """
    snap = attribution.view.snap
    if snap.knows("mappings"):
        return attribution.view.share_count
    reported = snap.vmos["reported_share_count"]
    if reported.isna().any():
        raise MissingData(rule, "mappings", "the share count of every VMO")
    return np.maximum(integers(reported), 1)

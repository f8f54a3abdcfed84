"""Which processes have a VMO: by a mapping, by a handle, or both. For rules that charge whole VMOs.

Committed bytes and share counts come from the objects where the snapshot knows them, else from
what the capture's source reported, so these rules also answer for captures without page runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import Attribution
from magmem.accounting.kernel import integers, kept_with
from magmem.accounting.runs import Ints, blocks, starts_of
from magmem.errors import MissingData

__all__ = [
    "Pairs",
    "among",
    "committed_bytes",
    "distinct",
    "divided",
    "held",
    "mapped",
    "share_counts",
]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct (VMO, process) pairs, sorted: rows of vmos and of the `Population`."""

    vmo: Ints
    process: Ints


def distinct(vmo: Ints, process: Ints) -> Pairs:
    """The pairs without repeats."""
    bits = int(process.max(initial=0)).bit_length()
    key = vmo << bits
    key |= process
    key.sort()
    key = key[starts_of(key)]
    return Pairs(key >> bits, key & ((1 << bits) - 1))


def among(some: Pairs, others: Pairs) -> npt.NDArray[np.bool_]:
    """For each of some pairs, whether it is one of the others."""
    bits = int(max(some.process.max(initial=0), others.process.max(initial=0))).bit_length()
    wanted, known = (pairs.vmo << bits | pairs.process for pairs in (some, others))
    if not len(known):
        return np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.asarray(known[at] == wanted, dtype=bool)


def divided(
    size: Ints, payers: npt.NDArray[np.bool_], *groups: tuple[Pairs, Ints]
) -> tuple[Amounts, Ints]:
    """Bytes of each VMO charged to the processes it belongs to.

    Parameters
    ----------
    size : int64 array
        Bytes per VMO.
    payers : bool array
        The processes that are charged at all.
    *groups : tuple of Pairs and int64 array
        Pairs, and per VMO into how many parts they divide it.

    Returns
    -------
    Amounts and int64 array
        What each process is charged, and the same undivided.
    """
    whole = np.zeros(len(payers), np.int64)
    terms = []
    for pairs, parts in groups:
        for block in blocks(len(pairs.vmo)):
            vmo, process = pairs.vmo[block], pairs.process[block]
            mine = np.where(payers[process], size[vmo], 0)
            np.add.at(whole, process, mine)
            terms.append((process, parts[vmo], mine))
    return Amounts.of_terms(len(payers), terms), whole


def mapped(attribution: Attribution) -> Pairs:
    """VMOs and the processes that map them."""
    return kept_with(attribution, "_mapped_pairs", lambda: _mapped(attribution))


def _mapped(attribution: Attribution) -> Pairs:
    vmo, aspace = attribution.view.pairs
    process = attribution.population.of_aspace[aspace]
    return distinct(vmo[process >= 0], process[process >= 0])


def held(attribution: Attribution) -> Pairs:
    """VMOs and the processes that have a handle to them."""
    return kept_with(attribution, "_held_pairs", lambda: _held(attribution))


def _held(attribution: Attribution) -> Pairs:
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

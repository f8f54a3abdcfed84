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
from magmem.errors import MissingData
from magmem.kernel.mappings import kept_with
from magmem.kernel.runs import Ints, blocks, starts_of
from magmem.snapshot.columns import integers, is_choice, is_known

__all__ = [
    "Pairs",
    "committed_bytes",
    "distinct",
    "divided",
    "held_only",
    "mapped",
    "nothing_known",
    "share_counts",
]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct (VMO, process) pairs, sorted: rows of vmos and of the `Population`."""

    vmo: Ints
    process: Ints

    def but(self, others: Pairs) -> Pairs:
        """The pairs that are not among others."""
        if not len(self.vmo) or not len(others.vmo):
            return self
        bits = int(max(self.process.max(), others.process.max())).bit_length()
        wanted, known = (pairs.vmo << bits | pairs.process for pairs in (self, others))
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        kept = np.flatnonzero(known[at] != wanted)
        return Pairs(self.vmo[kept], self.process[kept])


def distinct(vmo: Ints, process: Ints) -> Pairs:
    """The pairs without repeats."""
    bits = int(process.max(initial=0)).bit_length()
    key = vmo << bits
    key |= process
    key.sort()
    key = key[starts_of(key)]
    return Pairs(key >> bits, key & ((1 << bits) - 1))


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
    known = np.flatnonzero(process >= 0)
    vmo, process = vmo[known], process[known]
    owners = attribution.population.of_aspace
    if (np.diff(owners[owners >= 0]) > 0).all():
        # Processes in the order of their address spaces keep the pairs sorted and distinct.
        return Pairs(vmo, process)
    return distinct(vmo, process)


def held_only(attribution: Attribution) -> Pairs:
    """VMOs and the processes that have a handle to them, but no mapping of them."""
    held = Pairs(*attribution.held_pairs)
    return kept_with(attribution, "_held_only", lambda: held.but(mapped(attribution)))


def nothing_known(attribution: Attribution) -> npt.NDArray[np.bool_] | None:
    """The running processes of which a snapshot that lacks mappings has no VMO; None if none.

    One without VMOs there is unknown, not empty, unless its source printed 0 for it.
    """
    snap = attribution.view.snap
    if snap.knows("mappings"):
        return None
    printed = snap.processes["reported_pss_bytes"]
    empty = is_known(printed) & (integers(printed) == 0)
    unknown = attribution.population.runs & ~empty
    unknown[mapped(attribution).process] = False
    unknown[held_only(attribution).process] = False
    return unknown if unknown.any() else None


def committed_bytes(attribution: Attribution, rule: str) -> Ints:
    """Per VMO: bytes of the pages it owns, counted or as the source reported.

    Raises
    ------
    MissingData
        Some VMO has neither.
    """
    vmos = attribution.view.snap.vmos
    counted = vmos["pages_known"].to_numpy() | is_choice(vmos["kind"], "physical")
    if counted.all():
        return attribution.view.committed_bytes
    reported = vmos["reported_committed_bytes"]
    known = counted | is_known(reported)
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
    shares = attribution.view.shares
    if not shares.known.all():
        raise MissingData(rule, "mappings", "the share count of every VMO")
    return shares.counts

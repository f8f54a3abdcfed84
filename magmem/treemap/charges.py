"""Who is charged how many bytes of which VMO: the sizes a treemap draws, by rule.

A rule turns `Facts` into `Charges`. The tree builder knows nothing else of a rule, so a further
rule is one function more in `RULES`. By the rules of 2017 only running processes are charged; the
others read as 0 everywhere (reference/kernel.md "Tasks").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from magmem.accounting.attribution import attribution_of
from magmem.accounting.knowledge import require
from magmem.accounting.rules import RULES as ACCOUNTING
from magmem.accounting.rules.belonging import committed_bytes
from magmem.accounting.rules.memory_monitor import owners
from magmem.snapshot import PAGE_BYTES
from magmem.snapshot.columns import integers
from magmem.treemap.facts import Facts
from magmem.treemap.numbers import Ints
from magmem.treemap.page_rules import exact, linux, rfc_0254
from magmem.treemap.rows import HANDLE, PRIVATE, SHARED, Charges, Rows

__all__ = ["RULES"]


def treemap_2017(facts: Facts) -> Charges:
    """The treemap of 2017 (reference/tools.md "The treemap of a memgraph").

    A VMO that a process maps counts committed / share_count for it; one it only has a handle to,
    committed / (share_count + 1).
    """
    rows, mapper = facts.mappings()
    mapped = _pairs(mapper, facts.view.vmo[rows])
    held = _pairs(*facts.handles())
    only_held = np.setdiff1d(held, mapped, assume_unique=True)
    pair = np.concatenate([mapped, only_held])
    process, vmo = pair >> 32, pair & 0xFFFFFFFF
    by_handle = np.arange(len(pair)) >= len(mapped)
    sharers = facts.share_count[vmo]
    committed = facts.committed_bytes[vmo]
    tint = np.where(by_handle, HANDLE, np.where(sharers > 1, SHARED, PRIVATE))
    known = facts.committed_known[vmo] & (facts.share_known[vmo] | (committed == 0))
    return Charges.known(Rows(process, vmo, committed, sharers + by_handle, tint), known)


def magenta_2017(facts: Facts) -> Charges:
    """What ``ps`` adds up as PSS (reference/accounting.md "magenta-2017").

    Each mapping for itself: its committed bytes, divided by the share count and rounded down. A VMO
    that is only held by handle counts nothing.
    """
    rows, mapper = facts.mappings()
    vmo = facts.view.vmo[rows]
    resident = facts.snap.regions["reported_resident_bytes"].iloc[facts.view.region[rows]]
    counted = facts.snap.vmos["pages_known"].to_numpy()[vmo]
    inside = facts.view.mapping_pages[rows] * PAGE_BYTES
    empty = facts.committed_known[vmo] & (facts.committed_bytes[vmo] == 0)
    committed = np.where(empty, 0, np.where(counted, inside, integers(resident)))
    sharers = facts.share_count[vmo]
    tint = np.where(sharers > 1, SHARED, PRIVATE)
    known = empty | (facts.share_known[vmo] & (counted | resident.notna().to_numpy()))
    return Charges.known(
        Rows(mapper, vmo, committed // sharers, np.ones(len(vmo), np.int64), tint), known
    )


def memory_monitor(facts: Facts) -> Charges:
    """Committed bytes of each VMO, in equal parts for all that have it, or a clone of it.

    Raises
    ------
    MissingData
        The snapshot does not know every process, or the size of every VMO.
    """
    rule = ACCOUNTING["memory_monitor"]
    require(facts.snap, "the memory_monitor treemap", rule.needs, rule.needs_some)
    attribution = attribution_of(facts.snap)
    belongs, sharers = owners(attribution)
    committed = committed_bytes(attribution, rule.name)
    processes = np.flatnonzero((facts.snap.tasks["kind"] == "process").to_numpy())
    process = np.concatenate([processes[pairs.process] for pairs in belongs])
    vmo = np.concatenate([pairs.vmo for pairs in belongs])
    # First come those that map it, then those that only hold it, then those that have a clone.
    held = np.repeat(np.arange(len(belongs)) == 1, [len(pairs.vmo) for pairs in belongs])
    tint = np.where(held, HANDLE, np.where(sharers[vmo] > 1, SHARED, PRIVATE))
    rows = Rows(process, vmo, committed[vmo], sharers[vmo], tint)
    return Charges.known(rows, np.ones(len(rows), dtype=bool))


RULES: Final[Mapping[str, Callable[[Facts], Charges]]] = MappingProxyType(
    {
        "treemap-2017": treemap_2017,
        "magenta-2017": magenta_2017,
        "exact": exact,
        "linux": linux,
        "memory_monitor": memory_monitor,
        "rfc-0254": rfc_0254,
    }
)
"""Every rule a treemap can be sized by."""


def _pairs(process: Any, vmo: Any) -> Ints:
    """Distinct (process, VMO) pairs as one sorted key each; row numbers stay below 2**31."""
    return np.unique((process << 32) | vmo)

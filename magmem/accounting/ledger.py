"""The ledger: every byte between what ``ps`` reports and physical memory, by name.

Rules: reference/accounting.md "The ledger". For each process the way from its reported PSS to the
exact one, for the machine from the sum of those to the total, with nothing left unexplained. Sizes
are bytes and exact. A capture that does not know its mappings or pages gets bounds and an unknown
line instead.
"""

from __future__ import annotations

from magmem.accounting.attribution import attribution_of
from magmem.accounting.book import Ledger
from magmem.accounting.complete_ledger import CompleteLedger
from magmem.accounting.knowledge import STAGES_NEED, lacks
from magmem.accounting.partial_ledger import PartialLedger
from magmem.snapshot.source import Source, snapshot_of

__all__ = ["CompleteLedger", "Ledger", "PartialLedger", "ledger"]


def ledger(source: Source) -> Ledger:
    """Every byte between what ``ps`` reports and physical memory, by name.

    Parameters
    ----------
    source : Snapshot or Machine

    Returns
    -------
    CompleteLedger or PartialLedger
        A listing; see its attributes. ``unexplained_bytes`` is 0 on every machine; where a source
        contradicts itself, that is a line of its own. A partial ledger says why it is one.
    """
    snap = snapshot_of(source)
    attribution = attribution_of(snap)
    if lacks(snap, STAGES_NEED):
        return PartialLedger(attribution)
    return CompleteLedger(attribution)

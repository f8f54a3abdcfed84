"""How far sizes of a snapshot may be from the true ones because their source printed them."""

from __future__ import annotations

import numpy as np

from magmem.kernel.runs import Ints
from magmem.snapshot import Snapshot

__all__ = ["printed_slack"]


def printed_slack(snap: Snapshot, table: str, size: Ints) -> Ints:
    """By how many bytes sizes of a table may be off; 0 unless a source of it printed decimals.

    A size that is a whole number of tenths of a unit may have been printed in it, and the decimal
    stands for remainders up to 75/1024 of the unit away (reference/tools.md "Sizes").
    """
    slack = np.zeros_like(size)
    sources = snap.sources
    rounded = sources["rounded"] & sources["tables"].str.contains(table, regex=False)
    if not rounded.any():
        return slack
    for power in range(1, 6):
        unit = 1024**power
        tenths = (size * 10 + unit // 2) // unit
        near = np.abs(tenths * unit - size * 10) <= 10
        slack = np.where((tenths > 0) & near, unit * 75 // 1024 + 1, slack)
    return slack

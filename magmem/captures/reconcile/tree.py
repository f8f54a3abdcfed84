"""Parents that end at a root: loops are found in linear time and named."""

from __future__ import annotations

import numpy as np

from magmem.captures.reconcile.loose import Ints

__all__ = ["loops"]


def loops(parent: Ints) -> list[Ints]:
    """The cycles among parent rows (−1: none), each as an int64 array of rows."""
    reach = parent.copy()
    for _ in range(max(1, len(parent)).bit_length() + 1):
        inner = reach >= 0
        if not inner.any():
            return []
        reach[inner] = reach[reach[inner]]
    # Every row that still reaches something hangs below a cycle; walk each once.
    seen = np.zeros(len(parent), bool)
    found: list[Ints] = []
    up = parent.tolist()
    for row in np.unique(reach[reach >= 0]).tolist():
        if seen[row]:
            continue
        cycle = [row]
        at = up[row]
        while at != row and not seen[at]:
            cycle.append(at)
            at = up[at]
        seen[cycle] = True
        found.append(np.array(cycle, np.int64))
    return found

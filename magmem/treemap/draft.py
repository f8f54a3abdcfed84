"""A tree in the making: nodes are added in any order, then summed, ordered and frozen.

Whole columns are added at a time, so a machine of a million VMOs costs array passes, not a Python
loop. Only the levels of the tree are walked one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pandas as pd

from magmem.palette import TINTS
from magmem.treemap.numbers import Ints, Numbers, scale_exactly, sum_exactly
from magmem.treemap.tree import KINDS, NO_KOID, Tree

__all__ = ["Draft"]

_TINTS: Final = {name: code for code, name in enumerate(TINTS)}


class Draft:
    """Nodes being collected in any order; `finish` sums and orders them into a `Tree`."""

    def __init__(self) -> None:
        self._blocks: list[tuple[Numbers, ...]] = []
        self._codes: dict[str, int] = {}
        self.count = 0

    def add(
        self,
        parent: Any,
        kind: Any,
        name: Any,
        *,
        tint: Any = "",
        koid: Any = NO_KOID,
        vmo: Any = -1,
        amount_bytes: Any = 0,
        divisor: Any = 1,
        marked: Any = False,
    ) -> Ints:
        """Add nodes, one per item of the longest argument; others are broadcast.

        Returns
        -------
        int64 array
            Numbers of the nodes, to be named as `parent` of others. `kind` and `tint` are names, or
            arrays of codes.
        """
        names = self._intern([name] if isinstance(name, str) else name)
        kinds = KINDS.index(kind) if isinstance(kind, str) else kind
        tints = _TINTS.get(tint, -1) if isinstance(tint, str) else tint
        columns = np.broadcast_arrays(
            parent, kinds, tints, names, koid, vmo, amount_bytes, divisor, marked
        )
        self._blocks.append(columns)
        count = columns[0].size
        self.count += count
        return np.arange(self.count - count, self.count)

    def total(self) -> Fraction:
        """Bytes of all leaves so far, exactly."""
        return sum(
            (sum_exactly(block[6].ravel(), block[7].ravel()) for block in self._blocks), Fraction(0)
        )

    def one(self, parent: int, kind: str, name: str, **columns: Any) -> int:
        """Add one node and give its number."""
        return int(self.add(parent, kind, name, **columns)[0])

    def _intern(self, names: Sequence[str] | Numbers) -> Ints:
        codes, uniques = pd.factorize(np.asarray(names, dtype=object))
        known = [self._codes.setdefault(name, len(self._codes)) for name in uniques]
        interned: Ints = np.array(known, dtype=np.int64)[codes]
        return interned

    def finish(self) -> Tree:
        """Sum every node, order the children, and freeze."""
        parent, kind, tint, name, koid, vmo, amount, divisor, marked = (
            np.concatenate(column) for column in zip(*self._blocks, strict=True)
        )
        scaled, scale = scale_exactly(amount, divisor)
        area = (amount / divisor).astype(np.float64)
        for level in reversed(_levels(parent, np.argsort(parent, kind="stable"))[1:]):
            np.add.at(scaled, parent[level], scaled[level])
            np.add.at(area, parent[level], area[level])
        by_parent = np.lexsort((np.arange(len(parent)), koid, -np.frexp(area)[1], parent))
        order = np.concatenate(_levels(parent, by_parent))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        above = parent[order]
        count = np.bincount(parent[parent >= 0], minlength=len(parent))[order]
        return Tree(
            parent=np.where(above >= 0, place[above], -1),
            first_child=1 + np.cumsum(count) - count,
            child_count=count,
            kind=kind[order],
            tint=tint[order],
            name=name[order],
            koid=koid[order],
            vmo=vmo[order],
            amount_bytes=amount[order],
            divisor=divisor[order],
            scaled=scaled[order],
            area=area[order],
            marked=marked[order],
            names=tuple(self._codes),
            scale=scale,
        )


def _levels(parent: Ints, by_parent: Ints) -> list[Ints]:
    """Node numbers level by level, each level's nodes grouped by parent in the order given."""
    start = np.searchsorted(parent[by_parent], np.arange(-1, len(parent) + 1))
    levels = [by_parent[start[0] : start[1]]]
    while len(levels[-1]):
        first = start[levels[-1] + 1]
        count = start[levels[-1] + 2] - first
        offsets = np.repeat(first - (np.cumsum(count) - count), count)
        levels.append(by_parent[offsets + np.arange(len(offsets))])
    return levels[:-1]

"""The address spaces of a snapshot as trees: VMARs and mappings in address order, by process.

Sizes are bytes, places in VMOs and mappings are pages. The rows are those of `vmaps` and `asd`; a
mapping's committed pages are those that its VMO itself owns in the mapped range.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from magmem.kernel.address_space import nodes
from magmem.kernel.mappings import view_of
from magmem.snapshot import PAGE_BYTES, Snapshot

__all__ = ["KERNEL", "Node", "Spaces", "Use"]

KERNEL = 0
"""Stands for the koid of the kernel's address space, which has none."""

Runs = list[tuple[int, int]]


@dataclass
class Node:
    """One VMAR or mapping; `vmo` is its row in vmos, -1 for a VMAR, which has 0 committed bytes."""

    at: int
    kind: str
    depth: int
    base: int
    size_bytes: int
    name: str
    perms: str
    vmo: int
    offset_pages: int
    committed_bytes: int
    parent: int = -1
    children: list[int] = field(default_factory=list)

    @property
    def pages(self) -> int:
        """Length in pages."""
        return -(-self.size_bytes // PAGE_BYTES)


@dataclass(frozen=True)
class Use:
    """One mapping of a VMO: whose it is, and which node there."""

    koid: int
    process: str
    at: int
    first_page: int
    pages: int
    perms: str


class Spaces:
    """Every address space of a snapshot.

    Attributes
    ----------
    names : dict of int to str
        Processes with an address space that is known, by koid; the kernel as `KERNEL`.

    Raises
    ------
    ValueError
        The snapshot knows no address space by address.
    """

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        table = nodes(snap, np.arange(len(snap.aspaces)))
        table = table[table["kind"] != "aspace"].reset_index(drop=True)
        space = snap.regions["aspace"].to_numpy()
        order = np.argsort(space, kind="stable")
        self._space = space[order]
        known = table["base"].notna() & table["size_bytes"].notna()
        if not len(table) or not known.all():
            raise ValueError("expected a snapshot with the address of every mapping, found none")
        self._table = table
        self._trees: dict[int, list[Node]] = {}
        owners = snap.aspaces["process_koid"].fillna(KERNEL).astype(int).tolist()
        self._rows = {
            koid: row for row, koid in enumerate(owners) if np.isin(row, self._space).item()
        }
        tasks = snap.tasks.set_index("koid")["name"].fillna("")
        self.names = {
            koid: "kernel" if koid == KERNEL else str(tasks.get(koid, "")) for koid in self._rows
        }
        vmo = table["vmo"].to_numpy()
        pairs = np.unique(np.stack((vmo, self._space))[:, vmo >= 0], axis=1)
        self.sharers = np.bincount(pairs[0], minlength=len(snap.vmos)).tolist()
        self._runs = view_of(snap).runs

    def tree(self, koid: int) -> list[Node]:
        """The nodes of one address space, in pre-order; the first is the root VMAR."""
        if koid not in self._trees:
            if koid not in self._rows:
                known = ", ".join(map(str, list(self._rows)[:5]))
                raise LookupError(
                    f"expected a process with a known address space ({known} …), found {koid}"
                )
            self._trees[koid] = self._build(self._rows[koid])
        return self._trees[koid]

    def _build(self, row: int) -> list[Node]:
        start, end = np.searchsorted(self._space, [row, row + 1])
        part = self._table.iloc[start:end]
        made: list[Node] = []
        above: list[Node] = []
        fields: list[list[Any]] = [
            part[name].tolist()
            for name in ("kind", "depth", "base", "size_bytes", "name", "perms", "vmo")
        ]
        vmo, size = (part[name].fillna(0).to_numpy(np.int64) for name in ("vmo", "size_bytes"))
        # Divided before it becomes int64: an offset may have 64 bits.
        begin = part["vmo_offset_bytes"].fillna(0).to_numpy(np.uint64)
        offset = (begin // np.uint64(PAGE_BYTES)).astype(np.int64)
        pages = self._runs.count(np.maximum(vmo, 0), offset, offset - (-size // PAGE_BYTES))
        owned = np.where(vmo < 0, 0, pages * PAGE_BYTES).tolist()
        for at, values in enumerate(zip(*fields, offset.tolist(), owned, strict=True)):
            kind, depth, base, size_bytes, name, perms, row_of_vmo, first, committed = values
            text, rights = ("" if not isinstance(word, str) else word for word in (name, perms))
            node = Node(
                at, kind, depth, base, size_bytes, text, rights, row_of_vmo, first, committed
            )
            while above and above[-1].depth >= depth:
                above.pop()
            if above:
                node.parent = above[-1].at
                above[-1].children.append(at)
            made.append(node)
            above.append(node)
        return made

    def owned(self, vmo: int) -> Runs:
        """Runs (first page, end) that a VMO owns."""
        own = slice(self._runs.start[vmo], self._runs.start[vmo + 1])
        return list(zip(self._runs.first[own].tolist(), self._runs.end[own].tolist(), strict=True))

    def committed(self, node: Node) -> Runs:
        """Runs (first page, end) of a mapping that its VMO owns."""
        low, high = node.offset_pages, node.offset_pages + node.pages
        return [
            (max(a, low) - low, min(b, high) - low)
            for a, b in (self.owned(node.vmo) if node.vmo >= 0 else [])
            if a < high and b > low
        ]

    def uses(self, vmo: int) -> list[Use]:
        """Every mapping of a VMO, by address space and address."""
        found = []
        koid_of = {row: koid for koid, row in self._rows.items()}
        for place in np.flatnonzero(self._table["vmo"].to_numpy() == vmo).tolist():
            row = int(self._space[place])
            at = place - int(np.searchsorted(self._space, row))
            koid = koid_of[row]
            node = self.tree(koid)[at]
            found.append(Use(koid, self.names[koid], at, node.offset_pages, node.pages, node.perms))
        return found

    def vmo(self, row: int) -> tuple[str, int]:
        """Such as ``VMO 2542 'mmap-anonymous'``, and its size in pages."""
        vmos = self.snap.vmos
        koid, name, size = (vmos[key].iat[row] for key in ("koid", "name", "size_bytes"))
        who = vmos["id"].iat[row] if koid is pd.NA or koid == 0 else koid
        label = f"VMO {who}" + (f" {name!r}" if isinstance(name, str) and name else "")
        return label, 1 if size is pd.NA else max(1, -(-int(size) // PAGE_BYTES))

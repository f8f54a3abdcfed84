"""The tree of a treemap: frozen columns, one item per node, parents before children.

Nodes are in level order: all children of a node stand together, and levels follow each other.
Sizes are exact: a leaf is ``amount_bytes / divisor``, and the size of every other node is the sum
of its children. Sums are kept as whole numbers of ``1/scale`` byte, so no rounding hides in them.

Children are ordered by size class (powers of two, large first), and by koid within a class. A size
that changes a little mostly stays in its class, so its tile stays where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from magmem.palette import TINTS
from magmem.treemap.numbers import Ints, Numbers, exact

__all__ = ["KINDS", "NO_KOID", "Node", "Tree"]

KINDS: Final = ("memory", "job", "process", "vmos", "vmo", "part", "unknown")
"""What a node is: a kind of memory, a task, several VMOs of one name, a VMO, a part of a VMO or
process, or memory the capture does not explain."""

NO_KOID: Final = -1


@dataclass(frozen=True, eq=False)
class Tree:
    """The nodes as columns of one length; node 0 is the root.

    Attributes
    ----------
    parent : int64 array
        Node of each node's parent; -1 for the root.
    first_child, child_count : int64 array
        Where a node's children stand.
    kind, tint : int64 array
        Codes into `KINDS` and the tints of `magmem.palette`; tint -1 takes the colours of
        what is inside.
    name : int64 array
        Codes into `names`.
    koid, vmo : int64 array
        Koid (-1 if it has none) and row in the snapshot's vmos (-1 if it is none).
    amount_bytes, divisor : int64 array
        Leaves: bytes before division, and by how many they are divided. 0 and 1 elsewhere.
    scaled : int64 or object array
        Exact sizes in units of ``1 / scale`` byte.
    area : float64 array
        The same sizes in bytes, rounded, for layout.
    marked : bool array
        The bytes are counted more often than they are there.
    names : tuple of str
    scale : int
    """

    parent: Ints
    first_child: Ints
    child_count: Ints
    kind: Ints
    tint: Ints
    name: Ints
    koid: Ints
    vmo: Ints
    amount_bytes: Ints
    divisor: Ints
    scaled: Numbers
    area: npt.NDArray[np.float64]
    marked: npt.NDArray[np.bool_]
    names: tuple[str, ...]
    scale: int

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def root(self) -> Node:
        """The node that holds all."""
        return Node(self, 0)

    def __iter__(self) -> Iterator[Node]:
        return (Node(self, at) for at in range(len(self)))

    def size_bytes(self, node: int) -> int | Fraction:
        """Exact size of a node; an int when it is whole."""
        return exact(self.scaled[node], self.scale)

    def find(self, at: str | int) -> Node:
        """The first node with a koid, or with a name.

        Raises
        ------
        LookupError
            There is none.
        """
        if isinstance(at, str):
            codes = [code for code, name in enumerate(self.names) if name == at]
            hits = np.flatnonzero(np.isin(self.name, codes))
        else:
            hits = np.flatnonzero(self.koid == at)
        if not len(hits):
            what = f"name {at!r}" if isinstance(at, str) else f"koid {at}"
            raise LookupError(f"expected a node of this treemap, found none with {what}")
        return Node(self, int(hits[0]))


@dataclass(frozen=True)
class Node:
    """One node of a tree, read from its columns."""

    tree: Tree
    index: int

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return KINDS[int(self.tree.kind[self.index])]

    @property
    def name(self) -> str:
        """As the capture has it; may be empty."""
        return self.tree.names[int(self.tree.name[self.index])]

    @property
    def label(self) -> str:
        """The name as it is shown: with a count for VMOs of one name."""
        name = self.name or "(no name)"
        return f"{name}[{self.tree.child_count[self.index]}]" if self.kind == "vmos" else name

    @property
    def tint(self) -> str:
        """The meaning of its colour; empty for a node that takes the colours of its children."""
        code = int(self.tree.tint[self.index])
        return str(list(TINTS)[code]) if code >= 0 else ""

    @property
    def koid(self) -> int | None:
        """Kernel object id; None where there is none."""
        koid = int(self.tree.koid[self.index])
        return None if koid == NO_KOID else koid

    @property
    def size_bytes(self) -> int | Fraction:
        """Exact size."""
        return self.tree.size_bytes(self.index)

    @property
    def parent(self) -> Node | None:
        """The node it is in; None for the root."""
        above = int(self.tree.parent[self.index])
        return None if above < 0 else Node(self.tree, above)

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes in it, in the order they are drawn."""
        first = int(self.tree.first_child[self.index])
        return tuple(
            Node(self.tree, at) for at in range(first, first + self.tree.child_count[self.index])
        )

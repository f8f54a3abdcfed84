"""Rows of the machine explorer that stand below one row, as columns; sizes are bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from magmem.kernel.runs import Ints
from magmem.snapshot import PAGE_BYTES
from magmem_widgets.machine.sums import Exact
from magmem_widgets.machine.tree import NONE

__all__ = ["HANDLE", "KINDS", "MAPPING", "NOTE", "RUN", "VMO", "Block"]

KINDS: Final = ("vmo", "mapping", "handle", "run", "note")
VMO, MAPPING, HANDLE, RUN, NOTE = range(len(KINDS))


@dataclass(frozen=True)
class Block:
    """Rows that stand below one row; columns of one length.

    Attributes
    ----------
    kind : int64 array
        Codes into `KINDS`.
    ref : int64 array
        Row in vmos, regions or handles; of a run its first page.
    pss, private, shared : int64 arrays
        Whole bytes, `UNKNOWN` or `NONE`.
    divisor : int64 array
        Of a run: by how many its pages are divided. 1 elsewhere.
    exact : sequence of int or Fraction, or None
        PSS in full; None where whole bytes are all of it, or `pages` and `divisor` tell.
    pages : int64 array
        Of a run: how many pages.
    texts : sequence of str
        Of a note: what it says; of a VMO: how the process has it. Empty if there are none.
    """

    kind: Ints
    ref: Ints
    pss: Ints
    private: Ints
    shared: Ints
    divisor: Ints
    pages: Ints
    exact: Sequence[Exact] | None = None
    texts: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.kind)

    def pss_of(self, at: int) -> Exact:
        """PSS of one row, exactly."""
        if self.exact is not None:
            return self.exact[at]
        if self.kind[at] == RUN and self.pss[at] > 0:
            size = Fraction(int(self.pages[at]) * PAGE_BYTES, int(self.divisor[at]))
            return size.numerator if size.denominator == 1 else size
        return int(self.pss[at])

    def text(self, at: int) -> str:
        """What is said of one row beside its numbers."""
        return self.texts[at] if self.texts else ""

    def plus(self, other: Block) -> Block:
        """These rows and others below them."""
        exact: list[Exact] | None = None
        if self.exact is not None or other.exact is not None:
            exact = [block.pss_of(at) for block in (self, other) for at in range(len(block))]
        return Block(
            np.concatenate((self.kind, other.kind)),
            np.concatenate((self.ref, other.ref)),
            np.concatenate((self.pss, other.pss)),
            np.concatenate((self.private, other.private)),
            np.concatenate((self.shared, other.shared)),
            np.concatenate((self.divisor, other.divisor)),
            np.concatenate((self.pages, other.pages)),
            exact,
            [block.text(at) for block in (self, other) for at in range(len(block))],
        )

    @classmethod
    def of(
        cls, kind: int, ref: Ints, sizes: Sequence[Ints | int], texts: Sequence[str] = ()
    ) -> Block:
        """Rows of one kind that are no runs, with their PSS, PRIVATE and SHARED."""
        ones = np.ones(len(ref), np.int64)
        pss, private, shared = (ones * size for size in sizes)
        return cls(ones * kind, ref, pss, private, shared, ones, 0 * ones, texts=texts)

    @classmethod
    def note(cls, words: str) -> Block:
        """One row that says what is missing."""
        return cls.of(NOTE, np.zeros(1, np.int64), (NONE, NONE, NONE), texts=[words])

"""Charges as columns: so many bytes of a VMO, divided by so many, for a process or for a group.

Amounts are bytes, exactly ``amount_bytes / divisor``. Groups are where bytes stand that no process
is charged for: hidden memory, and mapped memory that a rule leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from magmem.palette import TINTS
from magmem.treemap.numbers import Ints, Numbers

__all__ = [
    "BY_VMO",
    "GROUPS",
    "HANDLE",
    "NOBODY",
    "PRIVATE",
    "SHARED",
    "Bools",
    "Charges",
    "Rows",
    "tint_code",
]

Bools = npt.NDArray[np.bool_]

GROUPS: Final = (
    ("hidden: handle only", "hidden_handle"),
    ("hidden: kernel", "hidden_kernel"),
    ("hidden: holder not in the capture", "hidden_handle"),
    ("mapped by the kernel", "hidden_kernel"),
    ("mapped, charged to no process", "other"),
    ("mapped by processes not in the capture", "other"),
)
"""Name and tint of each group."""

BY_VMO: Final = -1
"""What is left of a VMO stands in the group that its mappings and handles tell."""

NOBODY: Final = -1


def tint_code(name: str) -> int:
    """The number of a tint in the columns of a tree."""
    return list(TINTS).index(name)


PRIVATE, SHARED, HANDLE = map(tint_code, ("private", "shared", "hidden_handle"))


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of one length.

    Attributes
    ----------
    process : int64 array
        Row of the snapshot's tasks, or `NOBODY`.
    vmo : int64 array
        Row of the snapshot's vmos.
    amount_bytes, divisor : integer arrays
        The charge is their quotient.
    tint : int64 array
        What kind of bytes they are.
    """

    process: Ints
    vmo: Ints
    amount_bytes: Numbers
    divisor: Numbers
    tint: Ints

    def __len__(self) -> int:
        return len(self.vmo)

    def only(self, rows: Bools | Ints) -> Rows:
        """Some of the rows, or all in another order."""
        return Rows(*(getattr(self, field.name)[rows] for field in fields(self)))

    def plus(self, other: Rows) -> Rows:
        """These rows and others."""
        return Rows(
            *(
                np.concatenate([getattr(self, field.name), getattr(other, field.name)])
                for field in fields(self)
            )
        )

    @classmethod
    def none(cls) -> Rows:
        """No rows."""
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, nothing, nothing, nothing)

    @classmethod
    def summed(cls, rows: Rows) -> Rows:
        """The rows by process and VMO, with amounts of one divisor and tint added together."""
        if not len(rows):
            return rows
        order = np.lexsort((rows.divisor, rows.tint, rows.vmo, rows.process))
        rows = rows.only(order)
        keys = np.stack([rows.process, rows.vmo, rows.divisor, rows.tint])
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
        total = np.add.reduceat(rows.amount_bytes, np.flatnonzero(new))
        first = rows.only(new)
        return cls(first.process, first.vmo, total, first.divisor, first.tint)


@dataclass(frozen=True, eq=False)
class Charges:
    """What one rule says.

    Attributes
    ----------
    rows : Rows
        Charges to processes, by process and VMO.
    unsized : int64 array
        Rows of tasks: processes with some VMO whose charge the capture does not tell.
    rest : Rows
        Bytes that the rule itself charges to something else than a process's PSS; `process` is
        the holder of a handle there.
    group : int64 array
        Place in `GROUPS` of each row of `rest`.
    left_group : int
        Place in `GROUPS` of what no row names; `BY_VMO` if that depends on the VMO.
    """

    rows: Rows
    unsized: Ints
    rest: Rows
    group: Ints
    left_group: int = BY_VMO

    def without(self, processes: Ints) -> Charges:
        """The same, but for the charges to some processes (rows of tasks)."""
        return replace(self, rows=self.rows.only(~np.isin(self.rows.process, processes)))

    @classmethod
    def known(cls, rows: Rows, known: Bools) -> Charges:
        """Charges of a rule that has one kind of rows, without those that are not known."""
        unsized = np.unique(rows.process[~known])
        nothing = np.zeros(0, np.int64)
        return cls(Rows.summed(rows.only(known)), unsized, Rows.none(), nothing)

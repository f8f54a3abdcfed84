"""The rows of one section of a difference, sorted and summed once, so that a look at them is quick.

Sizes are bytes, exact: int or `Fraction`; missing where one of the two states does not tell. Sums
are of the rows whose change is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.printable import one_line

__all__ = ["KINDS", "ORDERS", "Change", "Changes", "Sum"]

KINDS: Final = {"grew": "grown", "shrank": "shrunk", "came": "appeared", "went": "gone"}
"""Word on screen to the word of `magmem.diff`."""

ORDERS: Final = ("change", "after")
"""What rows are sorted and tiles are sized by: the amount of the change, or the size after it."""

Bytes = int | Fraction
_EVERY: Final = (*KINDS, "same", "unknown")


@dataclass(frozen=True, slots=True)
class Change:
    """One row: what it is, its kind (of `KINDS`, or same or unknown), and sizes in bytes."""

    row: int
    name: str
    koid: int | None
    kind: str
    before_bytes: Bytes | None
    after_bytes: Bytes | None
    change_bytes: Bytes | None

    @property
    def title(self) -> str:
        """Name and koid, in one line."""
        return _title(self.name, self.koid)


@dataclass(frozen=True, slots=True)
class Sum:
    """Several rows: how many, and their sizes in bytes."""

    count: int
    before_bytes: Bytes
    after_bytes: Bytes
    change_bytes: Bytes

    def __add__(self, other: Sum) -> Sum:
        return Sum(
            self.count + other.count,
            self.before_bytes + other.before_bytes,
            self.after_bytes + other.after_bytes,
            self.change_bytes + other.change_bytes,
        )

    def __sub__(self, other: Sum) -> Sum:
        return self + Sum(
            -other.count, -other.before_bytes, -other.after_bytes, -other.change_bytes
        )

    @classmethod
    def of(cls, changes: Sequence[Change]) -> Sum:
        """The sum of some rows whose change is known."""
        none = cls(0, 0, 0, 0)
        return sum(
            (cls(1, c.before_bytes, c.after_bytes, c.change_bytes) for c in changes),  # type: ignore[arg-type] # known
            none,
        )


class Changes:
    """One section of a difference.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of one section of `magmem.accounting.diff.Diff.df`.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        words = {there: here for here, there in KINDS.items()}
        known = table["change_bytes"].notna().to_numpy(dtype=bool)
        told = table["change"].map(words).fillna("same").to_numpy(dtype=str)
        self._kind = np.zeros(len(table), np.int8)
        for code, kind in enumerate(_EVERY):
            self._kind[(told == kind) & known] = code
        self._kind[~known] = _EVERY.index("unknown")
        self._columns: dict[str, list[Any]] = {
            name: table[name].tolist()
            for name in ("koid", "name", "before_bytes", "after_bytes", "change_bytes")
        }
        self._titles: dict[str, int] = {}
        for row, (name, koid) in enumerate(
            zip(self._columns["name"], self._columns["koid"], strict=True)
        ):
            self._titles.setdefault(_title(name, None if koid is pd.NA else koid), row)
        self._weight = {
            "change": np.abs(_floats(self._columns["change_bytes"])),
            "after": _floats(self._columns["after_bytes"]),
        }
        self._order = {
            name: np.argsort(-np.nan_to_num(self._weight[name]), kind="stable") for name in ORDERS
        }
        self.sums = {kind: self._sum_of(kind) for kind in (*KINDS, "same")}
        self.unknown = int((~known).sum())
        self._larger: dict[tuple[tuple[str, ...], str], dict[int, Sum]] = {}
        self._orders: dict[tuple[tuple[str, ...], str], npt.NDArray[np.int64]] = {}

    @property
    def total(self) -> Sum:
        """Every row whose change is known."""
        return sum(self.sums.values(), Sum(0, 0, 0, 0))

    def __len__(self) -> int:
        return len(self._kind)

    def __getitem__(self, row: int) -> Change:
        """One row."""
        koid, name, before, after, by = (column[row] for column in self._columns.values())
        kind = _EVERY[self._kind[row]]
        return Change(
            row, name, None if koid is pd.NA else int(koid), kind, *map(_known, (before, after, by))
        )

    def rows(self, kinds: tuple[str, ...], order: str) -> npt.NDArray[np.int64]:
        """Rows of these kinds, largest first; those of size 0 are left out."""
        if (kinds, order) not in self._orders:
            wanted = np.array([kind in kinds for kind in _EVERY])
            some = wanted[self._kind] & (self._weight[order] > 0)
            rows = self._order[order]
            self._orders[kinds, order] = rows[some[rows]]
        return self._orders[kinds, order]

    def weights(self, rows: npt.NDArray[np.int64], order: str) -> npt.NDArray[np.float64]:
        """What the tiles of these rows are sized by; bytes, float64."""
        return self._weight[order][rows]

    def larger(self, kinds: tuple[str, ...], order: str, skip: int) -> Sum:
        """The sum of the first `skip` of `rows`; adds on to the one of a smaller number."""
        known = self._larger.setdefault((kinds, order), {0: Sum(0, 0, 0, 0)})
        below = max(number for number in known if number <= skip)
        rows = self.rows(kinds, order)[below:skip].tolist()
        known[skip] = known[below] + Sum.of([self[row] for row in rows])
        return known[skip]

    def find(self, title: str) -> int:
        """The row of a title.

        Raises
        ------
        LookupError
            No row is called so.
        """
        if title in self._titles:
            return self._titles[title]
        some = ", ".join(self[row].title for row in self._order["change"][:3].tolist())
        raise LookupError(f"no {title!r} here; the largest changes are of {some or 'nothing'}")

    def _sum_of(self, kind: str) -> Sum:
        rows = np.flatnonzero(self._kind == _EVERY.index(kind)).tolist()
        sizes = (
            sum((self._columns[f"{side}_bytes"][row] for row in rows), 0)
            for side in ("before", "after", "change")
        )
        return Sum(len(rows), *sizes)


def _title(name: str, koid: int | None) -> str:
    shown = one_line(name) or "-"
    return shown if koid is None else f"{shown} ({koid})"


def _floats(sizes: list[Any]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if size is pd.NA else float(size) for size in sizes], dtype=np.float64)


def _known(size: Any) -> Bytes | None:
    return None if size is pd.NA else size

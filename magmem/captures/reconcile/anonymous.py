"""Which VMOs without koid, told of by different dumps, are the same.

`k vmos` prints neither address nor place of a VMO with koid 0, so such a row is matched to one that
another dump told of if kind, name, size, committed bytes and counts agree, each with at most one.
Rows that look alike are interchangeable: whichever is taken, the facts are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from magmem.captures.reconcile.identity import follow
from magmem.captures.reconcile.loose import Bools, Ints, Loose, Origin

__all__ = ["unify_by_looks"]

SCAN = 64
"""Candidates looked at for one VMO, so that hostile lists cost linear time."""


@dataclass(slots=True)
class Looks:
    """What is known of one VMO without koid; −1 and None are unknown.

    `told_by` holds the origins that tell its size: each of them tells a VMO once.
    """

    leader: int
    origin: int
    name: str | None
    kind: int
    size: tuple[int, int]
    alloc: tuple[int, int]
    mappings: int
    children: int
    seen_mappings: int
    user: bool
    told_by: set[int]

    @property
    def is_full(self) -> bool:
        """Whether every mapping it has is accounted for."""
        return 0 <= self.mappings <= self.seen_mappings

    def may_be(self, other: Looks, hidden: bool) -> bool:
        """Whether `other`, told by a dump without addresses, may be this VMO."""
        seen = self.seen_mappings + other.seen_mappings
        limit = min((n for n in (self.mappings, other.mappings) if n >= 0), default=seen)
        return (
            seen <= limit
            and not (hidden and self.user)
            and _equal(self.kind, other.kind)
            and _near(self.size, other.size)
            and _near(self.alloc, other.alloc)
            and _equal(self.mappings, other.mappings)
            and _equal(self.children, other.children)
        )

    def learn(self, other: Looks) -> None:
        """Take over what `other` knows better."""
        self.name = other.name if self.name is None else self.name
        self.kind = max(self.kind, other.kind)
        self.size = _finer(self.size, other.size)
        self.alloc = _finer(self.alloc, other.alloc)
        self.mappings = max(self.mappings, other.mappings)
        self.children = max(self.children, other.children)
        self.seen_mappings += other.seen_mappings
        self.user = self.user or other.user
        self.told_by |= other.told_by


def _finer(some: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The size that is known better, the first if they are equally so."""
    if some[0] < 0 or (other[0] >= 0 and other[1] < some[1]):
        return other
    return some


def _near(some: tuple[int, int], other: tuple[int, int]) -> bool:
    return some[0] < 0 or other[0] < 0 or abs(some[0] - other[0]) <= some[1] + other[1]


def _equal(some: int, other: int) -> bool:
    return some < 0 or other < 0 or some == other


def unify_by_looks(
    leader: Ints,
    anonymous: Bools,
    vmos: Loose,
    mapped: tuple[Ints, Bools],
    origins: list[Origin],
) -> int:
    """Lead anonymous koid-0 VMOs to those that look the same; `leader` is changed.

    Parameters
    ----------
    leader, anonymous
        From `magmem.captures.reconcile.identity`, followed to the end.
    mapped : (int64 array, bool array)
        For each mapping that has an address, the leading row of its VMO and whether a user
        address space maps it. Each mapping is told once.

    Returns
    -------
    int
        How many were matched.
    """
    koid, known = vmos.column("koid")
    rows = np.flatnonzero(known & (koid == 0))
    if not anonymous[rows].any():
        return 0
    told = _told(leader, anonymous, vmos, rows, mapped)
    alike: dict[str | None, list[Looks]] = {}
    start: dict[tuple[int, str | None], int] = {}
    matched = 0
    for looks in told:
        bucket = alike.setdefault(looks.name, [])
        found = None
        if anonymous[looks.leader]:
            hidden = origins[looks.origin].dump == "k vmos hidden"
            found = (
                _partner(bucket, looks, hidden, start)
                if looks.size[0] >= 0
                else _only(bucket, looks)
            )
        if found is None:
            bucket.append(looks)
        else:
            found.learn(looks)
            leader[looks.leader] = found.leader
            matched += 1
    leader[:] = follow(leader)
    return matched


def _told(
    leader: Ints, anonymous: Bools, vmos: Loose, rows: Ints, mapped: tuple[Ints, Bools]
) -> list[Looks]:
    """VMOs with an address first, then those with a size, then the rest; each as dumps tell it."""
    count = np.bincount(mapped[0], minlength=len(leader))
    user = np.bincount(mapped[0][mapped[1]], minlength=len(leader)) > 0
    sized = vmos.column("size_bytes")[1]
    last = 2 * anonymous[leader[rows]] + (anonymous[leader[rows]] & ~sized[leader[rows]])
    told: dict[int, Looks] = {}
    for row in rows[np.lexsort((rows, vmos.origin[rows], last))].tolist():
        at = int(leader[row])
        seen = int(count[at]) if at not in told else 0
        looks = _looks(vmos, row, at, seen, bool(user[at]))
        if at in told:
            told[at].learn(looks)
        else:
            told[at] = looks
    return list(told.values())


def _partner(
    bucket: list[Looks], looks: Looks, hidden: bool, start: dict[tuple[int, str | None], int]
) -> Looks | None:
    # A list tells each VMO once; the mappings of a process may tell one several times.
    once = looks.seen_mappings == 0
    place = (looks.origin if once else -1, looks.name)
    begin = start.get(place, 0)
    while begin < len(bucket) and (
        looks.origin in bucket[begin].told_by if once else bucket[begin].is_full
    ):
        begin += 1
    start[place] = begin
    for candidate in bucket[begin : begin + SCAN]:
        taken = once and looks.origin in candidate.told_by
        if not taken and candidate.may_be(looks, hidden):
            return candidate
    return None


def _only(bucket: list[Looks], looks: Looks) -> Looks | None:
    """Where no size is known: the one VMO of that name, if there is just one."""
    fits = [candidate for candidate in bucket[: SCAN + 1] if candidate.may_be(looks, False)]
    return fits[0] if len(fits) == 1 and len(bucket) <= SCAN else None


def _looks(vmos: Loose, row: int, leader: int, seen: int, user: bool) -> Looks:
    def number(name: str) -> int:
        values, known = vmos.column(name)
        return int(values[row]) if known[row] else -1

    def size(name: str) -> tuple[int, int]:
        slack = vmos.slack.get(name)
        return number(name), int(slack[row]) if slack is not None else 0

    names, known = vmos.column("name")
    name = str(names[row]) if known[row] else None
    origin = int(vmos.origin[row])
    size_bytes = size("size_bytes")
    return Looks(
        leader,
        origin,
        name,
        number("kind"),
        size_bytes,
        size("reported_committed_bytes"),
        number("reported_num_mappings"),
        number("reported_num_children"),
        seen,
        user,
        {origin} if size_bytes[0] >= 0 else set(),
    )

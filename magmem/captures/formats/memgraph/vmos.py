"""VMOs of a memgraph, met once per mapping and handle, as tables keyed by koid.

What the processes tell of one VMO is one row; where they differ the first counts and a note says
so. A reference by mapping has no address: it becomes a region of unknown range, so that the
regions table tells who maps what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from magmem.captures.columns import integers, texts
from magmem.captures.formats.memgraph.records import ABSENT, VmoEntry, VmoRef
from magmem.captures.json_text import MAX_NOTES, Note, shorten
from magmem.snapshot import TABLES, Table

__all__ = ["VmoColumns"]

Ints = npt.NDArray[np.int64]

RIGHTS = {
    "DUPLICATE": 1 << 0,
    "TRANSFER": 1 << 1,
    "READ": 1 << 2,
    "WRITE": 1 << 3,
    "EXECUTE": 1 << 4,
    "MAP": 1 << 5,
    "GET_PROPERTY": 1 << 6,
    "SET_PROPERTY": 1 << 7,
}
"""Bits of the rights mask by the names memgraph prints (reference/tools.md)."""

_COLUMNS = {
    "size_bytes": "size_bytes",
    "parent_koid": "parent_koid",
    "num_children": "reported_num_children",
    "num_mappings": "reported_num_mappings",
    "share_count": "reported_share_count",
    "committed_bytes": "reported_committed_bytes",
}
"""Field of a VMO's entry to column of the vmos table."""


class _Masks(dict[tuple[str, ...], int]):
    """Rights masks by the tuple of names, each computed once."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()

    def __missing__(self, names: tuple[str, ...]) -> int:
        self.unknown.update(name for name in names if name not in RIGHTS)
        mask = self[names] = sum({RIGHTS.get(name, 0) for name in names})
        return mask


class _Vias(dict[tuple[str, ...], int]):
    """Whether a reference is by handle (1), by mapping (2) or both (3), computed once each."""

    def __missing__(self, vias: tuple[str, ...]) -> int:
        code = self[vias] = ("HANDLE" in vias) + 2 * ("MAPPING" in vias)
        return code


class _Column:
    """Integers that come in parts, one part per process."""

    def __init__(self) -> None:
        self._parts: list[Ints] = []

    def extend(self, values: Iterable[int], count: int) -> None:
        """Add `count` values."""
        self._parts.append(np.fromiter(values, np.int64, count))

    @cached_property
    def all(self) -> Ints:
        """Every value, once nothing more is added."""
        return np.concatenate([np.zeros(0, np.int64), *self._parts])


@dataclass
class VmoColumns:
    """The VMO entries and references of all processes, collected column by column.

    Attributes
    ----------
    processes : list of int
        Koid of each process with VMO detail, in the order added.
    """

    source: str
    processes: list[int] = field(default_factory=list)
    _record: list[int] = field(default_factory=list)
    _koid: _Column = field(default_factory=_Column)
    _name: list[str | None] = field(default_factory=list)
    _fields: dict[str, _Column] = field(default_factory=lambda: {k: _Column() for k in _COLUMNS})
    _entry_counts: list[int] = field(default_factory=list)
    _ref_koid: _Column = field(default_factory=_Column)
    _ref_via: _Column = field(default_factory=_Column)
    _ref_rights: _Column = field(default_factory=_Column)
    _ref_counts: list[int] = field(default_factory=list)
    _masks: _Masks = field(default_factory=_Masks)
    _vias: _Vias = field(default_factory=_Vias)

    def add(self, at: int, process: int, vmos: list[VmoEntry], refs: list[VmoRef]) -> None:
        """Collect one process, told by record `at`."""
        self.processes.append(process)
        self._record.append(at)
        self._koid.extend(map(attrgetter("koid"), vmos), len(vmos))
        self._name.extend(map(attrgetter("name"), vmos))
        for name, column in self._fields.items():
            column.extend(map(attrgetter(name), vmos), len(vmos))
        self._entry_counts.append(len(vmos))
        self._ref_koid.extend(map(attrgetter("vmo_koid"), refs), len(refs))
        vias = map(attrgetter("via"), refs)
        self._ref_via.extend(map(self._vias.__getitem__, vias), len(refs))
        rights = map(attrgetter("handle_rights"), refs)
        self._ref_rights.extend(map(self._masks.__getitem__, rights), len(refs))
        self._ref_counts.append(len(refs))

    @cached_property
    def _keys(self) -> tuple[Ints, Ints]:
        """What identifies the VMO of each entry and reference.

        The koid; a VMO without one (koid 0) is told apart only by where it is listed: the nth of a
        process's entries is the nth of its references. Those keys are negative.
        """
        entry, ref = self._koid.all.copy(), self._ref_koid.all.copy()
        nameless, lost = entry == 0, ref == 0
        count = int(nameless.sum())
        entry[nameless] = np.arange(-count - int(lost.sum()), -int(lost.sum()))
        same = np.array_equal(
            _per_process(nameless, self._entry_counts), _per_process(lost, self._ref_counts)
        )
        ref[lost] = entry[nameless] if same else np.arange(-int(lost.sum()), 0)
        return entry, ref

    @cached_property
    def _unique(self) -> tuple[Ints, Ints, Ints]:
        """Keys of all VMOs in order, the entry that tells each (or -1), and each entry's row."""
        entry, ref = self._keys
        # np.unique hashes before it sorts, which costs ten times as much here.
        every = np.sort(np.concatenate((entry, ref)))
        keys = every[np.append(True, every[1:] != every[:-1])[: len(every)]]
        row = np.searchsorted(keys, entry)
        first = np.full(len(keys), ABSENT, np.int64)
        # Written from last to first, so that the first entry of each VMO stands.
        first[row[::-1]] = np.arange(len(row))[::-1]
        return keys, first, row

    def entry_of(self, row: int) -> tuple[int, int]:
        """Record, and item of its ``vmos``, that first told a row of the vmos table."""
        first = int(self._unique[1][row])
        ends = np.cumsum(self._entry_counts)
        process = int(np.searchsorted(ends, first, side="right"))
        return self._record[process], first - int(ends[process] - self._entry_counts[process])

    def vmos(self) -> Table:
        """The vmos table, in the order of koids, which is that of creation."""
        keys, first, _ = self._unique
        values: dict[str, Any] = {}
        for name, column in _COLUMNS.items():
            # A VMO that no entry tells has -1 for its entry, which fetches the item appended.
            numbers = np.append(self._fields[name].all, ABSENT)[first]
            unknown = numbers == ABSENT
            if name == "parent_koid":
                # 0 stands for no parent and for a parent without koid alike.
                unknown |= numbers == 0
            values[column] = np.where(unknown, 0, numbers), ~unknown
        names = np.array([*self._name, None], dtype=object)[first].tolist()
        parents, is_clone = values["parent_koid"]
        at = np.minimum(np.searchsorted(keys, parents), len(keys) - 1)
        listed = is_clone & (keys[at] == parents)
        return Table.of(
            TABLES["vmos"],
            {
                **values,
                "id": texts([*map(str, keys.tolist())]),
                "koid": integers(np.maximum(keys, 0)),
                "name": texts(names),
                "is_clone": (is_clone, is_clone),
                "parent": (at, listed),
                "pages_known": np.zeros(len(keys), bool),
            },
        )

    def tables(self) -> Mapping[str, Table]:
        """The aspaces, regions and handles tables of the processes collected."""
        vmo = np.searchsorted(self._unique[0], self._keys[1])
        owner = np.repeat(np.arange(len(self.processes)), self._ref_counts)
        koids = np.array(self.processes, dtype=np.int64)
        via = self._ref_via.all
        mapped, held = np.flatnonzero(via & 2), np.flatnonzero(via & 1)
        spaces = {
            "kind": ["user"] * len(koids),
            "process_koid": integers(koids),
            "name": texts([f"proc:{koid}" for koid in self.processes]),
        }
        regions = {
            "aspace": owner[mapped],
            "depth": np.ones(len(mapped), np.int64),
            "kind": np.ones(len(mapped), np.int8),
            "vmo": integers(vmo[mapped]),
        }
        handles = {
            "process_koid": koids[owner[held]],
            "type": texts(["vmo"] * len(held)),
            "koid": integers(np.maximum(self._keys[1][held], 0)),
            "rights": integers(self._ref_rights.all[held]),
            "vmo": integers(vmo[held]),
        }
        columns = {"aspaces": spaces, "regions": regions, "handles": handles}
        return {name: Table.of(TABLES[name], values) for name, values in columns.items()}

    def notes(self) -> list[Note]:
        """What the entries contradict each other in, and what none of them tells."""
        keys, first, row = self._unique
        notes = self._contradictions(keys, first, row)
        untold = int((first < 0).sum())
        if untold:
            message = f"{untold} VMOs are referred to but not described"
            notes.append(("elided", self.source, "vmo_refs", message))
        if self._masks.unknown:
            names = shorten(", ".join(sorted(self._masks.unknown)))
            notes.append(("skipped", self.source, "vmo_refs", f"unknown handle rights: {names}"))
        return notes

    def _contradictions(self, keys: Ints, first: Ints, row: Ints) -> list[Note]:
        notes: list[Note] = []
        columns: dict[str, npt.NDArray[Any]] = {
            name: column.all for name, column in self._fields.items()
        }
        columns["name"] = np.array(self._name, dtype=object)
        ends = np.cumsum(self._entry_counts)
        for name, values in columns.items():
            wrong = np.flatnonzero(values != values[first[row]])
            for at in wrong[:MAX_NOTES].tolist():
                kept, other = values[[first[row[at]], at]].tolist()
                message = f"VMO {keys[row[at]]}: {name} {shorten(kept)} and {shorten(other)}"
                process = int(np.searchsorted(ends, at, side="right"))
                place = f"p/{self.processes[process]}"
                notes.append(("contradiction", self.source, place, message))
            if len(wrong) > MAX_NOTES:
                message = f"{len(wrong) - MAX_NOTES} more entries differ in {name}"
                notes.append(("contradiction", self.source, "", message))
        return notes


def _per_process(chosen: npt.NDArray[np.bool_], counts: list[int]) -> Ints:
    """How many of the chosen items each process has."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(owner[chosen], minlength=len(counts)).astype(np.int64)

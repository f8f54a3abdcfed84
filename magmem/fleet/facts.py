"""The facts of one capture: what six rules charge, every line of the ledger, and what is hidden.

The one module of the fleet that looks inside accounting. Exact sizes become whole bytes the way
text forms show them (`whole_bytes`): a column still adds up to its rounded total, so the rows of a
capture have the sum that its ledger line says.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from magmem.accounting.account import charges_of
from magmem.accounting.amounts import whole_bytes
from magmem.accounting.attribution import STAGES, Attribution, attribution_of
from magmem.accounting.bounds import bounds_of
from magmem.accounting.hidden import hidden
from magmem.accounting.knowledge import HIDDEN_NEEDS, lacks
from magmem.accounting.ledger import CompleteLedger, Ledger, ledger
from magmem.accounting.rules import RULES
from magmem.errors import MissingData
from magmem.snapshot import Snapshot

__all__ = ["LINES", "RULE_COLUMNS", "STEP_COLUMNS", "Facts", "facts_of"]

Columns = dict[str, list[Any]]
"""One table's rows by column; every list has the same length."""


def _column(name: str) -> str:
    return f"{name.replace('-', '_').replace(' ', '_')}_bytes"


RULE_COLUMNS: Final = tuple(_column(rule) for rule in RULES)
"""The column of each rule, such as ``magenta_2017_bytes``."""

STEP_COLUMNS: Final = tuple(_column(step) for step in STAGES)
"""The column of each step from the reported PSS to the exact one."""

LINES: Final = tuple(
    _column(line)
    for line in (
        "reported",
        *STAGES,
        "exact",
        "kernel-mapped",
        "unknown processes",
        "handle-only",
        "kernel-only",
        "alloc",
        "unknown",
        "vmos",
        "contradiction",
        "wired",
        "heap in use",
        "heap free",
        "mmu",
        "other",
        "free",
        "printing",
        "not told",
        "total",
    )
)
"""The column of each line of a ledger; a ledger has some of them."""


@dataclass
class Facts:
    """What one capture adds to each table.

    Attributes
    ----------
    capture : mapping
        Its row of ``captures``, as far as the snapshot knows it.
    rows : mapping of table to columns
        Its rows of ``processes``, ``hidden``, ``ledger`` and ``vmos``.
    """

    capture: dict[str, Any]
    rows: Mapping[str, Columns] = field(default_factory=dict)


Rename = Callable[[str, str], str]
"""What a name is called in the fleet: from its kind (process, job, vmo, machine) and itself."""


def _unchanged(_kind: str, name: str) -> str:
    return name


def facts_of(snap: Snapshot, rename: Rename = _unchanged) -> Facts:
    """Derive the facts of one machine state.

    Parameters
    ----------
    snap : Snapshot
        Complete or not: what it does not know is None.
    rename : callable
        Gives a name its alias; names go into the facts through it alone.
    """
    attribution = attribution_of(snap)
    book = ledger(snap)
    lines = _ledger(book)
    hid = _hidden(snap, attribution, rename)
    capture = {
        "kind": _kind(snap),
        "machine": rename("machine", snap.name),
        "processes": len(attribution.population),
        "vmos": len(snap.vmos) if snap.coverage["vmos"] != "absent" else None,
        "complete": isinstance(book, CompleteLedger),
        "reason": book.reason or None,
        **_summed(lines),
        "hidden_bytes": None if hid is None else sum(hid["size_bytes"]),
        "unexplained_bytes": None
        if book.unexplained_bytes is None
        else math.trunc(book.unexplained_bytes),
    }
    return Facts(
        capture,
        {
            "processes": _processes(snap, attribution, book, rename),
            "hidden": hid or {name: [] for name in ("why", "name", "holder", "vmos", "size_bytes")},
            "ledger": lines,
            "vmos": _vmos(snap, attribution, rename),
        },
    )


def _ledger(book: Ledger) -> Columns:
    """Lines of the statement in order; whole bytes that add up to the rounded total."""
    lines = book.statement.lines
    parts = whole_bytes([line.size_bytes for line in lines if not line.is_sum])
    sizes, rest = [], iter(parts)
    for line in lines:
        if line.is_sum:
            # A sum may begin anew (VMOs by the kernel's statistics), so it is rounded by itself.
            exact = line.size_bytes
            whole = (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
            sizes.append(whole)
        else:
            sizes.append(next(rest))
    return {
        "position": list(range(len(lines))),
        "line": [line.key for line in lines],
        "is_sum": [line.is_sum for line in lines],
        "size_bytes": sizes,
    }


def _summed(lines: Columns) -> dict[str, int | None]:
    """The lines as columns; a line that comes twice (contradictions) is added up."""
    sums: dict[str, int | None] = dict.fromkeys(LINES)
    for line, size in zip(lines["line"], lines["size_bytes"], strict=True):
        name = _column(line)
        sums[name] = (sums.get(name) or 0) + size
    return {name: sums[name] for name in LINES}


def _processes(snap: Snapshot, attribution: Attribution, book: Ledger, rename: Rename) -> Columns:
    population = attribution.population
    count = len(population)
    nothing: list[Any] = [None] * count
    columns: Columns = {
        "koid": population.koid.tolist(),
        "name": [rename("process", name) for name in population.name],
        "job": _jobs(snap, rename),
        "running": population.runs.tolist(),
    }
    private: Sequence[Any] = nothing
    for rule, column in zip(RULES.values(), RULE_COLUMNS, strict=True):
        try:
            charges = charges_of(attribution, rule)
        except MissingData:
            columns[column] = nothing
            continue
        columns[column] = whole_bytes(charges.pss.fractions)
        if rule.name == "magenta-2017":
            private = charges.private_bytes.tolist()
    columns["private_bytes"] = list(private)
    if isinstance(book, CompleteLedger):
        exact = columns["exact_bytes"]
        columns["exact_low_bytes"] = columns["exact_high_bytes"] = exact
        columns["uss_bytes"] = book.stages[-1].alone_bytes.tolist()
        columns["handle_only_bytes"] = (
            whole_bytes(attribution.hidden.by_process.fractions)
            if snap.knows("handles")
            else nothing
        )
        columns["reported_pss_bytes"] = before = book.reported.tolist()
        for column, stage in zip(STEP_COLUMNS, book.stages, strict=True):
            after = whole_bytes(stage.fractions)
            columns[column] = [new - old for new, old in zip(after, before, strict=True)]
            before = after
        return columns
    columns["reported_pss_bytes"] = _whole(snap.processes["reported_pss_bytes"])
    bounds = bounds_of(attribution)
    columns["exact_low_bytes"] = [math.floor(size) for size in bounds.low]
    columns["exact_high_bytes"] = [None if s is None else math.ceil(s) for s in bounds.high]
    for column in ("uss_bytes", "handle_only_bytes", *STEP_COLUMNS):
        columns[column] = nothing
    return columns


def _kind(snap: Snapshot) -> str | None:
    """The dump that the capture is, or begins with."""
    dumps = snap.sources["dump"].tolist()
    if not dumps:
        return None
    return "simulated machine" if dumps[0].startswith("step ") else str(dumps[0])


def _jobs(snap: Snapshot, rename: Rename) -> list[str | None]:
    """Name of each process's job."""
    # Columns one by one: selecting rows of the whole frame costs 1 ms for each capture.
    tasks = snap.tasks
    kinds = tasks["kind"].tolist()
    names = {
        koid: None if name is None else rename("job", name)
        for koid, name, kind in zip(
            tasks["koid"].tolist(), _plain(tasks["name"]), kinds, strict=True
        )
        if kind == "job"
    }
    return [
        names.get(parent)
        for parent, kind in zip(_plain(tasks["parent_koid"]), kinds, strict=True)
        if kind == "process"
    ]


def _hidden(snap: Snapshot, attribution: Attribution, rename: Rename) -> Columns | None:
    """Hidden pages by reason, name of the VMO and names of its holders; None where unknown."""
    if lacks(snap, HIDDEN_NEEDS):
        return None
    found = hidden(snap).df
    people = attribution.population
    names = {
        koid: rename("process", name)
        for koid, name in zip(people.koid.tolist(), people.name, strict=True)
    }
    sums: dict[tuple[str, str, str | None], list[int]] = defaultdict(lambda: [0, 0])
    for why, name, held, size in zip(
        found["why"].tolist(),
        _plain(found["name"]),
        found["held_by"].tolist(),
        found["size_bytes"].tolist(),
        strict=True,
    ):
        holders = sorted({names.get(int(koid), "") for koid in held.split()})
        entry = sums[why, rename("vmo", name or ""), "+".join(holders) if holders else None]
        entry[0] += 1
        entry[1] += size
    keys = list(sums)
    return {
        "why": [why for why, _, _ in keys],
        "name": [name for _, name, _ in keys],
        "holder": [holder for _, _, holder in keys],
        "vmos": [count for count, _ in sums.values()],
        "size_bytes": [size for _, size in sums.values()],
    }


def _vmos(snap: Snapshot, attribution: Attribution, rename: Rename) -> Columns:
    """VMOs by name: how many, their size, and what they have committed."""
    if snap.coverage["vmos"] == "absent" or not len(snap.vmos):
        return {"name": [], "vmos": [], "size_bytes": [], "committed_bytes": []}
    size = _whole(snap.vmos["size_bytes"])
    told = _whole(snap.vmos["reported_committed_bytes"])
    known = np.asarray(snap.vmos["pages_known"], dtype=bool).tolist()
    counted = attribution.view.committed_bytes.tolist()
    committed = [
        own if knows else said for own, said, knows in zip(counted, told, known, strict=True)
    ]
    sums: dict[str, list[Any]] = {}
    for name, big, used in zip(_plain(snap.vmos["name"]), size, committed, strict=True):
        entry = sums.setdefault(rename("vmo", name or ""), [0, 0, 0])
        entry[0] += 1
        # Of a name with one unknown VMO the sum is unknown.
        entry[1] = None if big is None or entry[1] is None else entry[1] + big
        entry[2] = None if used is None or entry[2] is None else entry[2] + used
    return {
        "name": list(sums),
        "vmos": [entry[0] for entry in sums.values()],
        "size_bytes": [entry[1] for entry in sums.values()],
        "committed_bytes": [entry[2] for entry in sums.values()],
    }


def _whole(column: Any) -> list[int | None]:
    return [None if value is None else int(value) for value in _plain(column)]


def _plain(column: Any) -> list[Any]:
    """The values of a nullable column, None where missing."""
    values: list[Any] = column.array.to_numpy(dtype=object, na_value=None).tolist()
    return values

"""The labs: what each function is given, what it must return, and what the engine says is right.

The truth comes from magmem's own tools and rules over the same machine. An answer is a dict from a
key (a mapping, a process and a column, a line) to an exact number, so that the first difference
has a name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import magmem
from magmem.labs.numbers import Refused, fraction_of, table_of, whole_of
from magmem.labs.records import KERNEL, PAGE, Records
from magmem.labs.snapshots import vmo_id

if TYPE_CHECKING:
    from magmem.snapshot import Snapshot

__all__ = ["CAUSES", "LABS", "LINES", "Answer", "Lab", "Student"]

Answer = dict[Any, Fraction]
Student = Callable[..., Any]

CAUSES = ("kernel-mapped", "shadowed", "unmapped part", "handle-only", "kernel-only")
"""Why a page may be hidden, in the order in which lab 4 asks."""

STEPS = (
    *("not running", "rounding", "sharer estimate"),
    *("duplicate mappings", "partial sharing", "clones"),
)
LINES = (
    *("reported", *STEPS, "kernel"),
    *("shadowed", "unmapped part", "handle-only", "kernel-only"),
    *("wired", "heap in use", "heap free", "mmu", "other", "free"),
)
"""Lines of lab 5, which add up to all physical memory."""


@dataclass(frozen=True)
class Lab:
    """One function that a student writes.

    Attributes
    ----------
    name, chapters, call, gist : str
        `call` is how the function is called, `gist` what it returns.
    number : int
        Of the notebook that asks for it.
    ask : callable
        Calls a student's function on a machine; a dict of its exact answers. Raises `Refused`.
    truth : callable
        The same dict, by the engine.
    """

    name: str
    number: int
    chapters: str
    call: str
    gist: str
    ask: Callable[[Student, Records], Answer]
    truth: Callable[[Snapshot, Records], Answer]


def _ask_resident(function: Student, records: Records) -> Answer:
    return {
        ("mapping", place): whole_of(function(mapping, records.vmos[mapping.vmo]), "resident")
        for place, mapping in enumerate(records.mappings)
    }


def _resident(snap: Snapshot, records: Records) -> Answer:
    table = magmem.vmm_aspaces(snap).df
    pages = table.loc[table["kind"] == "mapping", "pages"].tolist()
    # The dump lists the kernel's address space first, then those of the processes in order.
    place = {process.koid: at for at, process in enumerate(records.processes, 1)}
    order = sorted(
        range(len(records.mappings)),
        key=lambda at: (
            place.get(records.mappings[at].process, 0),
            records.mappings[at].address,
        ),
    )
    found = {at: Fraction(int(count) * PAGE) for at, count in zip(order, pages, strict=True)}
    return {("mapping", at): found[at] for at in range(len(records.mappings))}


def _ask_share_count(function: Student, records: Records) -> Answer:
    return {
        ("vmo", vmo.number): whole_of(function(vmo.number, records), "share_count")
        for vmo in records.vmos
    }


def _share_count(snap: Snapshot, records: Records) -> Answer:
    counts = magmem.k_vmos(snap, "all").df["share_count"].tolist()
    return {
        ("vmo", vmo.number): Fraction(int(count))
        for vmo, count in zip(records.vmos, counts, strict=True)
    }


def _keys(table: Any, wanted: set[Any], what: str) -> None:
    """Refuse a dict with keys that nothing has, or without one that it needs."""
    missing = [key for key in wanted if key not in table]
    if missing:
        raise Refused(f"{what}: the dict has no {min(missing, key=str)!r}")
    more = [key for key in table if key not in wanted]
    if more:
        raise Refused(f"{what}: the dict has {more[0]!r}, which is not on this machine")


def _ask_ps(function: Student, records: Records) -> Answer:
    table = table_of(function(records), "ps")
    _keys(table, {process.koid for process in records.processes}, "ps")
    answer: Answer = {}
    for process in records.processes:
        row = table[process.koid]
        if not isinstance(row, (tuple, list)) or len(row) != 3:
            raise Refused(f"ps: of {process.koid} expected (PSS, PRIVATE, SHARED), found {row!r}")
        for column, value in zip(("PRIVATE", "SHARED", "PSS"), (*row[1:], row[0]), strict=True):
            answer["process", process.koid, column] = whole_of(value, f"ps, {column}")
    return answer


def _ps(snap: Snapshot, records: Records) -> Answer:
    table = magmem.ps(snap).df
    table = table[table["kind"] == "process"].set_index("koid")
    return {
        ("process", process.koid, column): Fraction(int(table[name][process.koid]))
        for process in records.processes
        for column, name in (
            *(("PRIVATE", "private_bytes"), ("SHARED", "shared_bytes")),
            ("PSS", "pss_bytes"),
        )
    }


def _ask_exact(function: Student, records: Records) -> Answer:
    table = table_of(function(records), "exact")
    koids = [KERNEL, *(process.koid for process in records.processes)]
    _keys(table, set(koids), "exact")
    return {("process", koid, "PSS"): fraction_of(table[koid], "exact") for koid in koids}


def _exact(snap: Snapshot, _records: Records) -> Answer:
    table = magmem.account(snap, "exact").df
    kernel = magmem.ledger(snap).statement["kernel-mapped"]
    answer: Answer = {("process", KERNEL, "PSS"): Fraction(kernel)}
    for koid, pss in zip(table["koid"].tolist(), table["pss_bytes"].tolist(), strict=True):
        answer["process", koid, "PSS"] = Fraction(pss)
    return answer


def _ask_hidden(function: Student, records: Records) -> Answer:
    table = table_of(function(records), "hidden")
    answer: Answer = {}
    for key, value in table.items():
        if not isinstance(key, tuple) or len(key) != 2:
            raise Refused(f"hidden: expected keys (VMO number, cause), found {key!r}")
        number, cause = key
        if cause not in CAUSES:
            raise Refused(f"hidden: expected a cause of {', '.join(CAUSES)}; found {cause!r}")
        if number not in range(len(records.vmos)):
            raise Refused(f"hidden: no VMO has the number {number!r}")
        answer["hidden", int(number), cause] = whole_of(value, "hidden")
    return answer


def _hidden(snap: Snapshot, records: Records) -> Answer:
    table = magmem.hidden(snap).df
    numbers = {vmo_id(vmo.number): vmo.number for vmo in records.vmos}
    rows = zip(table["id"], table["why"].astype(str), table["size_bytes"], strict=True)
    return {("hidden", numbers[one], why): Fraction(int(size)) for one, why, size in rows}


def _ask_ledger(function: Student, records: Records) -> Answer:
    table = table_of(function(records), "ledger")
    _keys(table, set(LINES), "ledger")
    return {("line", line): fraction_of(table[line], f"ledger, {line}") for line in LINES}


def _ledger(snap: Snapshot, records: Records) -> Answer:
    statement = magmem.ledger(snap).statement
    answer: Answer = {("line", line): Fraction(0) for line in LINES}
    for (_, _, why), size in _hidden(snap, records).items():
        if why != "kernel-mapped":  # what only the kernel maps is in the kernel's own part
            answer["line", why] += size
    names = {"kernel": "kernel-mapped"}
    for line in LINES:
        if line not in CAUSES:
            answer["line", line] = Fraction(statement[names.get(line, line)])
    return answer


def _ask_linux(function: Student, records: Records) -> Answer:
    table = table_of(function(records), "linux")
    koids = [process.koid for process in records.processes]
    _keys(table, set(koids), "linux")
    return {("process", koid, "PSS"): fraction_of(table[koid], "linux") for koid in koids}


def _linux(snap: Snapshot, _records: Records) -> Answer:
    table = magmem.account(snap, "linux").df
    pairs = zip(table["koid"].tolist(), table["pss_bytes"].tolist(), strict=True)
    return {("process", koid, "PSS"): Fraction(pss) for koid, pss in pairs}


LABS = {
    lab.name: lab
    for lab in (
        Lab(
            "resident",
            1,
            "02",
            "resident(mapping, vmo)",
            "bytes of the VMO's own pages that the mapping shows",
            _ask_resident,
            _resident,
        ),
        Lab(
            "share_count",
            2,
            "03",
            "share_count(vmo_number, machine)",
            "#shr of the VMO as the kernel counts it",
            _ask_share_count,
            _share_count,
        ),
        Lab(
            "ps",
            2,
            "03 and 04",
            "ps(machine)",
            "{koid: (PSS, PRIVATE, SHARED)} by the rule of 2017",
            _ask_ps,
            _ps,
        ),
        Lab(
            "exact",
            3,
            "04 and 07",
            "exact(machine)",
            "{koid: exact PSS}, with the kernel's part under 0",
            _ask_exact,
            _exact,
        ),
        Lab(
            "hidden",
            4,
            "05",
            "hidden(machine)",
            "{(VMO number, cause): bytes} of every hidden page",
            _ask_hidden,
            _hidden,
        ),
        Lab(
            "ledger",
            5,
            "06 and 07",
            "ledger(machine)",
            "{line: bytes} from what ps reports to all physical memory",
            _ask_ledger,
            _ledger,
        ),
        Lab(
            "linux",
            6,
            "07",
            "linux(machine)",
            "{koid: PSS} by page-table entries, as Linux reports it",
            _ask_linux,
            _linux,
        ),
    )
}
"""Every lab by the name of its function, in the order of the course."""

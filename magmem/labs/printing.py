"""The guide's `ps`, printed from a student's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magmem.labs.checking import lab_of, try_on
from magmem.labs.lab import Student
from magmem.labs.limits import called
from magmem.labs.report import Report
from magmem.labs.snapshots import records_of

if TYPE_CHECKING:
    from magmem.listing import Listing
    from magmem.snapshot.source import Source

__all__ = ["ps"]


def ps(function: Student, source: Source | str, units: str = "") -> Listing | Report:
    """`ps` of a machine, with the sizes that a student's function `ps` gives.

    Parameters
    ----------
    function : callable
        ``ps(machine)``, as the lab asks for it.
    source : Snapshot, Machine or str
        Or the name of a dataset or file that knows its pages, such as ``guide-ps-machine``.
    units : str
        Fix the unit of sizes to one of ``BkMGTPE``.

    Returns
    -------
    Listing
        As `magmem.ps` prints it. A `Report` if the function fails on this machine.

    Raises
    ------
    MissingData
        The capture does not know its mappings or pages.
    """
    import magmem
    from magmem.snapshot import Snapshot
    from magmem.snapshot.source import snapshot_of

    snap = magmem.read_capture(source) if isinstance(source, str) else snapshot_of(source)
    records = records_of(snap)
    lab = lab_of("ps")
    outcome = called(lambda: lab.ask(function, records))
    if outcome.raised is not None:
        fault = try_on(lab, function, records)
        return Report(lab.name, False, fault.says if fault else "ps failed once")
    answer: dict[tuple[str, int, str], int] = outcome.value  # type: ignore[assignment]
    tasks = snap.tasks[snap.tasks["kind"] != "thread"].reset_index(drop=True)
    columns = {name: tasks[name] for name in ("koid", "kind", "parent_koid", "name", "state")}
    for column in ("PSS", "PRIVATE", "SHARED"):
        columns[f"reported_{column.lower()}_bytes"] = [
            int(answer["process", koid, column]) if kind == "process" else None
            for koid, kind in zip(tasks["koid"].tolist(), tasks["kind"].tolist(), strict=True)
        ]
    whole: dict[str, str] = {"jobs": "complete", "processes": "complete"}
    told = Snapshot.of(
        {"tasks": columns}, name=snap.name, root_job_koid=snap.root_job_koid, coverage=whole
    )
    listing: Listing = magmem.ps(told, units=units)
    return listing

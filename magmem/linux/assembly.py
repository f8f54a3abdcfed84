"""Everything read of a Linux system as the tables of a snapshot.

The correspondence is documented in `magmem.linux.capture`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from magmem.linux.jobs import JobTree, cgroup_jobs, parent_jobs
from magmem.linux.kmem import arena_columns, kernel_memory
from magmem.linux.notes import notes_of
from magmem.linux.records import Reading
from magmem.linux.space import Memory, memory_of
from magmem.snapshot import Coverage, Snapshot

__all__ = ["THREAD_KOID", "assemble"]

Columns = dict[str, Any]

THREAD_KOID = 100_000_000
"""A thread's koid is this plus its tid."""


def assemble(reading: Reading, jobs: str, began_ns: int) -> Snapshot:
    """The snapshot of what was read.

    Parameters
    ----------
    reading : Reading
    jobs : str
        ``cgroup`` or ``parent``.
    began_ns : int
        When reading began, nanoseconds of UTC.
    """
    reading.records.sort(key=lambda record: (record.stat.start, record.pid))
    tree = _job_tree(reading, jobs)
    tables: dict[str, Columns] = {"tasks": _tasks(reading, tree)}
    memory = memory_of(reading) if reading.with_mappings else None
    if memory is not None:
        tables |= memory.tables
    else:
        tables["kmem"] = dict(kernel_memory(reading.machine, None).columns)
    seconds, nanoseconds = divmod(began_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    iso = f"{moment}.{nanoseconds // 10**6:03d}Z"
    if tables["kmem"]:
        tables["kmem"]["timestamp"] = [iso]
    tables["arenas"] = arena_columns(reading.machine)
    tables["notes"] = notes_of(reading, memory, reading.source)
    tables["sources"] = {
        "source": [reading.source],
        "dump": ["linux proc"],
        "tables": [" ".join(sorted(tables))],
        "rounded": [False],
    }
    return Snapshot.of(
        tables,
        name=reading.source,
        root_job_koid=tree.jobs[0].koid,
        timestamp=(seconds, nanoseconds),
        timestamp_iso=iso,
        coverage=_coverage(reading, memory),
    )


def _job_tree(reading: Reading, jobs: str) -> JobTree:
    records = reading.records
    if jobs == "parent":
        return parent_jobs(
            {record.pid: record.stat.parent_pid for record in records},
            {record.pid: record.stat.name for record in records},
        )
    kernel = {record.pid for record in records if record.stat.is_kernel}
    return cgroup_jobs({record.pid: record.cgroup for record in records}, kernel)


def _tasks(reading: Reading, tree: JobTree) -> Columns:
    records = reading.records
    threads = [(record.pid, *thread) for record in records for thread in record.threads]
    blank: list[Any] = [None] * len(tree.jobs)
    rest: list[Any] = [None] * len(threads)
    page = reading.page_bytes

    def figure(name: str) -> list[int | None]:
        known = [
            0 if not record.has_memory else getattr(record.sums, name, None) for record in records
        ]
        return blank + known + rest

    resident = [
        record.sums.rss_bytes
        if record.sums and record.sums.rss_bytes is not None
        else record.stat.resident_pages * page
        for record in records
    ]
    handles = [
        None if record.descriptors is None else len(record.descriptors) for record in records
    ]
    return {
        "koid": [job.koid for job in tree.jobs]
        + [record.pid for record in records]
        + [THREAD_KOID + tid for _, tid, _ in threads],
        "kind": ["job"] * len(blank) + ["process"] * len(records) + ["thread"] * len(rest),
        "parent_koid": [job.parent_koid for job in tree.jobs]
        + [tree.job_of[record.pid] for record in records]
        + [pid for pid, _, _ in threads],
        "name": [job.name for job in tree.jobs]
        + [record.stat.name for record in records]
        + [stat.name for *_, stat in threads],
        "state": blank
        + ["dead" if record.stat.state == "dead" else "running" for record in records]
        + [stat.state for *_, stat in threads],
        "exception_port": blank + [None] * len(records) + ["none"] * len(threads),
        "reported_pss_bytes": figure("pss_bytes"),
        "reported_private_bytes": figure("private_bytes"),
        "reported_shared_bytes": figure("shared_bytes"),
        "reported_virtual_bytes": blank + [record.stat.virtual_bytes for record in records] + rest,
        "reported_resident_bytes": blank + resident + rest,
        "reported_swap_bytes": figure("swap_bytes"),
        "reported_swap_pss_bytes": figure("swap_pss_bytes"),
        "reported_handles": blank + handles + rest,
    }


def _coverage(reading: Reading, memory: Memory | None) -> dict[str, Coverage]:
    whole: Coverage = "partial" if reading.is_subset or reading.odd else "complete"
    open_: Coverage = "partial" if reading.closed else whole
    known: dict[str, Coverage] = {
        "jobs": whole,
        "processes": whole,
        "arenas": "partial" if reading.machine.zones else "absent",
        "kmem": "complete" if reading.machine.slabs and memory else "partial",
    }
    if not reading.machine.meminfo:
        known["kmem"] = "absent"
    if memory is None:
        return known
    known |= {"threads": whole, "mappings": open_, "vmos": open_}
    known["handles"] = "partial" if reading.no_descriptors else open_
    # Linux's kernel reaches all memory by one mapping of its own, which is nobody's use of it.
    known["kernel mappings"] = "complete"
    if reading.entries is not None:
        known["entries"] = open_
        known["pages"] = open_ if memory.pages_known else "partial"
    return known

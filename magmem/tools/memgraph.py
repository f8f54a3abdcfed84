"""``memgraph [-t] [-v]``: the machine as JSON, for the treemap and other programs.

Layout: reference/tools.md "memgraph". Byte for byte what the original tool writes for names without
quotes, backslashes and control characters; those are escaped here, so that the text is always valid
JSON. What a capture does not know is left out of its record.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from magmem.errors import BadState
from magmem.kernel.missing import as_printed, missing
from magmem.kernel.task_sums import task_sums
from magmem.kernel.tasks import runs
from magmem.kernel.tasktree import JOB, PROCESS, THREAD, TaskTree
from magmem.listing import Listing
from magmem.snapshot import Snapshot
from magmem.snapshot.frames import TEXT
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns
from magmem.tools.json_members import members, quoted
from magmem.tools.kstats import timestamp_text
from magmem.tools.memgraph_vmos import vmo_members
from magmem.tools.process import Era, status_words

__all__ = ["memgraph"]

STATES = ("new", "running", "suspended", "blocked", "dying", "dead")

TYPES = ("j", "p", "t")


def memgraph(snap: Source, threads: bool = False, vmos: bool = False, era: Era = "zx") -> Listing:
    """Tasks and memory of the whole machine as JSON, as ``memgraph [-t] [-v]`` prints it.

    Parameters
    ----------
    snap : Snapshot or Machine
    threads : bool
        Include threads (``-t``).
    vmos : bool
        Include the VMOs of each process (``-v``), but for the process memgraph runs as. A process
        that does not run is left without and makes the exit status 1.
    era : {"zx", "mx"}
        How statuses in warnings are spelled.

    Returns
    -------
    Listing
        `df` has one row per record but the last: id, type, koid, parent, name, size_bytes,
        private_bytes, shared_bytes, pss_bytes, state (threads) and num_vmo_refs.

    Raises
    ------
    MissingData
        The capture knows neither the sizes of processes nor, for `vmos`, who refers to VMOs.
    """
    state = snapshot_of(snap)
    if not len(state.tasks):
        raise missing(state, "memgraph", "processes", "the job tree and the processes")
    kernel = _kernel_records(state)
    tasks, sums = _task_records(state, threads)
    warnings = [] if len(kernel) else ["memgraph: this capture has no kernel memory statistics"]
    if sums == "reported":
        warnings.append(as_printed(state, "memgraph"))
    blocks: dict[int, str] = {}
    failures: list[str] = []
    if vmos:
        blocks, counts = vmo_members(state)
        tasks["num_vmo_refs"] = tasks["koid"].map(counts).astype("Int64")
        failures = _failures(state, tasks, era)
    lines = _kernel_lines(kernel) + _task_lines(tasks, blocks)
    stamp = timestamp_text(state)
    meta = f', "timestamp": {quoted(stamp)}' if stamp else ""
    text = "[\n" + "".join(lines) + f'  {{"type": "__META"{meta}}}\n]\n'
    frame = pd.concat([kernel, tasks.drop(columns="kind")], ignore_index=True)
    return Listing(
        text,
        frame[[name for name in COLUMNS if name in frame]],
        title="memgraph",
        warnings=(*warnings, *failures),
        exit_status=1 if failures else 0,
        is_json=True,
    )


COLUMNS = (
    "id",
    "type",
    "koid",
    "parent",
    "name",
    "size_bytes",
    "private_bytes",
    "shared_bytes",
    "pss_bytes",
    "state",
    "num_vmo_refs",
)


def _kernel_records(snap: Snapshot) -> pd.DataFrame:
    """The records that divide physical memory; those the capture does not know are left out."""
    kmem = snap.kmem.tail(1)
    allocated = kmem["total_heap_bytes"] - kmem["free_heap_bytes"]
    sizes = {
        ("physmem", ""): kmem["total_bytes"],
        ("free", "kernel/physmem"): kmem["free_bytes"],
        ("vmo", "kernel/physmem"): kmem["vmo_bytes"],
        ("heap", "kernel/physmem"): kmem["total_heap_bytes"],
        ("heap/allocated", "kernel/heap"): allocated,
        ("heap/free", "kernel/heap"): kmem["free_heap_bytes"],
        ("wired", "kernel/physmem"): kmem["wired_bytes"],
        ("mmu", "kernel/physmem"): kmem["mmu_overhead_bytes"],
        ("other", "kernel/physmem"): kmem["other_bytes"],
    }
    known = {key: int(column.iloc[0]) for key, column in sizes.items() if column.notna().any()}
    return pd.DataFrame(
        {
            "id": pd.Series([f"kernel/{name}" for name, _ in known], dtype=TEXT),
            "type": pd.Series(["kernel"] * len(known), dtype=TEXT),
            "koid": pd.Series([None] * len(known), dtype="Int64"),
            "parent": pd.Series([parent for _, parent in known], dtype=TEXT),
            "name": pd.Series([name for name, _ in known], dtype=TEXT),
            "size_bytes": pd.Series(list(known.values()), dtype="Int64"),
        }
    )


def _kernel_lines(kernel: pd.DataFrame) -> list[str]:
    return [
        f'  {{"id": "{record.id}", "type": "kernel", "parent": "{record.parent}", '
        f'"name": "{record.name}", "size_bytes": {record.size_bytes}}},\n'
        for record in kernel.itertuples(index=False, name="Record")
    ]


def _task_records(snap: Snapshot, threads: bool) -> tuple[pd.DataFrame, str]:
    """The tasks below the root job in `ps` order, and where their sizes come from."""
    tree = TaskTree(snap, snap.root_job_koid)
    rows = tree.rows if threads else tree.rows[tree.kind[tree.rows] != THREAD]
    kind = tree.kind[rows]
    tasks = snap.tasks.iloc[rows].reset_index(drop=True)
    sums = task_sums(snap, "memgraph")
    process = kind == PROCESS
    sizes = [column.iloc[rows].reset_index(drop=True).where(process) for column in sums.columns]
    letters = np.array(TYPES, dtype=object)[kind]
    koid = np.array(columns.integers(tasks["koid"]), dtype=object)
    parent = tasks["parent_koid"]
    prefix = np.where(kind == THREAD, "p/", "j/").astype(object)
    above = prefix + np.array(columns.integers(parent), dtype=object)
    top = parent.isna() | (tasks["koid"] == snap.root_job_koid)
    frame = pd.DataFrame(
        {
            "id": pd.Series(letters + "/" + koid, dtype=TEXT),
            "type": pd.Series(letters, dtype=TEXT),
            "koid": tasks["koid"].astype("Int64"),
            "parent": pd.Series(np.where(top, "kernel/vmo", above), dtype=TEXT),
            "name": tasks["name"],
            "private_bytes": sizes[1],
            "shared_bytes": sizes[2],
            "pss_bytes": sizes[0],
            "state": _thread_states(tasks).where(kind == THREAD),
            "kind": kind,
        }
    )
    return frame, sums.source


def _thread_states(tasks: pd.DataFrame) -> pd.Series[str]:
    words = tasks["state"].astype(object).map({name: name.upper() for name in STATES})
    port = tasks["exception_port"]
    waits = port.notna() & (port != "none")
    words = words.fillna("<UNKNOWN>").mask(waits, "EXCEPTION")
    return words.mask(tasks["state"].isna() & ~waits, None).astype(TEXT)


def _task_lines(tasks: pd.DataFrame, blocks: dict[int, str]) -> list[str]:
    heads = map(
        '  {"id": "%s", "type": "%s", "koid": %s, "parent": "%s", "name": %s'.__mod__,
        zip(
            tasks["id"].tolist(),
            tasks["type"].tolist(),
            tasks["koid"].tolist(),
            tasks["parent"].tolist(),
            map(quoted, tasks["name"].fillna("").tolist()),
            strict=True,
        ),
    )
    fields = {
        name: columns.integers(tasks[name])
        for name in ("private_bytes", "shared_bytes", "pss_bytes")
    }
    sizes = members(fields)
    states = tasks["state"].fillna("").tolist()
    kinds, koids = tasks["kind"].tolist(), tasks["koid"].tolist()
    lines = []
    for head, kind, koid, size, word in zip(heads, kinds, koids, sizes, states, strict=True):
        tail = ""
        if kind == PROCESS:
            tail = (f", {size}" if size else "") + blocks.get(koid, "")
        elif kind != JOB and word:
            tail = f', "state": "{word}"'
        lines.append(f"{head}{tail}}},\n")
    return lines


def _failures(snap: Snapshot, tasks: pd.DataFrame, era: Era) -> list[str]:
    """What the tool says of processes it cannot read."""
    words = status_words(BadState, era)
    stopped = set(snap.tasks["koid"][(snap.tasks["kind"] == "process") & ~runs(snap)])
    stopped.discard(snap.memgraph_self_koid)
    failed = [koid for koid in tasks["koid"].tolist() if koid in stopped]
    lines = [f"WARNING: failed to read VMOs for process {koid}: {words}" for koid in failed]
    return [*lines, f"ERROR: delayed exit after partial failure: {words}"] if lines else []

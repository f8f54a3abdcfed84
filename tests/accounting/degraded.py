"""The same machine as less knowing captures tell it: tables and columns taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from magmem.kernel.mappings import view_of
from magmem.snapshot import TABLES, Snapshot

PAGE = 4096


def without_pages(snap: Snapshot, committed: bool = True, resident: bool = False) -> Snapshot:
    """No page runs: only what `vmos` prints, and `vmaps` of every process if `resident`."""
    frames, coverage = _copy(snap)
    _counts(snap, frames, committed)
    frames["pages"] = TABLES["pages"].frame()
    frames["vmos"]["pages_known"] = np.zeros(len(snap.vmos), bool)
    coverage["pages"] = "absent"
    if resident:
        view = view_of(snap)
        sizes = np.full(len(snap.regions), -1, np.int64)
        sizes[view.region] = view.mapping_pages * PAGE
        frames["regions"]["reported_resident_bytes"] = _known(sizes)
    return _made(snap, frames, coverage)


def as_memgraph(snap: Snapshot) -> Snapshot:
    """Which process has and maps what, without ranges, pages and the kernel."""
    frames, coverage = _copy(without_pages(snap))
    _reported(snap, frames)
    regions = frames["regions"]
    user = (regions["aspace"] > 0) & (regions["kind"] == "mapping")
    regions = regions[user].reset_index(drop=True)
    for column in ("size_bytes", "vmo_offset_bytes", "map_seq"):
        regions[column] = pd.array([pd.NA] * len(regions), dtype=regions[column].dtype)
    frames["regions"] = regions
    frames["entries"] = TABLES["entries"].frame()
    frames["vmos"]["pages_are_wired"] = pd.array([pd.NA] * len(snap.vmos), dtype="boolean")
    frames["vmos"]["parent_offset_bytes"] = pd.array([pd.NA] * len(snap.vmos), dtype="Int64")
    frames["sources"] = _source("memgraph", "tasks regions vmos")
    coverage |= {"mappings": "partial", "kernel mappings": "absent", "entries": "absent"}
    return _made(snap, frames, coverage | {"vmos": "partial", "handles": "partial"})


def as_ps(snap: Snapshot) -> Snapshot:
    """Only the processes and their sums."""
    frames, coverage = _copy(snap)
    _reported(snap, frames)
    for name in ("aspaces", "regions", "vmos", "pages", "entries", "handles", "kmem"):
        frames[name] = TABLES[name].frame()
    frames["sources"] = _source("ps", "tasks")
    kept = {"jobs", "processes"}
    return _made(
        snap, frames, {facet: c if facet in kept else "absent" for facet, c in coverage.items()}
    )


def without_kernel(snap: Snapshot) -> Snapshot:
    """Everything but the kernel's address space."""
    frames, coverage = _copy(snap)
    kept = (frames["regions"]["aspace"] > 0).to_numpy()
    place = np.cumsum(kept) - 1
    frames["regions"] = frames["regions"][kept].reset_index(drop=True)
    entries = frames["entries"]
    entries = entries[kept[entries["region"].to_numpy()]].reset_index(drop=True)
    entries["region"] = place[entries["region"].to_numpy()]
    frames["entries"] = entries
    return _made(snap, frames, coverage | {"kernel mappings": "absent"})


def _copy(snap: Snapshot) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    return {name: table.copy() for name, table in snap.tables().items()}, dict(snap.coverage)


def _made(snap: Snapshot, frames: dict[str, pd.DataFrame], coverage: dict[str, Any]) -> Snapshot:
    return Snapshot.of(frames, name=snap.name, coverage=coverage)


def _known(sizes: Any) -> Any:
    return pd.arrays.IntegerArray(np.maximum(sizes, 0), np.asarray(sizes) < 0)


def _counts(snap: Snapshot, frames: dict[str, pd.DataFrame], committed: bool) -> None:
    view, vmos = view_of(snap), frames["vmos"]
    if committed:
        vmos["reported_committed_bytes"] = _known(view.committed_bytes)
    vmos["reported_num_children"] = _known(view.num_children)
    vmos["reported_num_mappings"] = _known(view.num_mappings)
    vmos["reported_share_count"] = _known(view.share_count)


def _reported(snap: Snapshot, frames: dict[str, pd.DataFrame]) -> None:
    from magmem.accounting.account import account

    tasks, table = frames["tasks"], account(snap, "magenta-2017").df.set_index("koid")
    process = (tasks["kind"] == "process").to_numpy()
    for name in ("pss", "private", "shared"):
        sizes = np.full(len(tasks), -1, np.int64)
        sizes[process] = table.loc[tasks["koid"][process], f"{name}_bytes"].to_numpy()
        tasks[f"reported_{name}_bytes"] = _known(sizes)
    tasks["state"] = pd.Categorical.from_codes([-1] * len(tasks), dtype=tasks["state"].dtype)


def _source(dump: str, tables: str) -> pd.DataFrame:
    return TABLES["sources"].frame(
        {"source": ["made"], "dump": [dump], "tables": [tables], "rounded": [False]}
    )

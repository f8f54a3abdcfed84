"""Several captures of one boot into one snapshot.

Rows about the same object become one: tasks by koid, VMOs by koid or address, regions by address
space and address, handles by process and object. What one capture does not know is filled from
another. Where two contradict each other, the first one's value is kept and the notes say what both
say, and where; nothing is averaged. Values printed with a decimal give way to exact ones that they
may stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from magmem.captures.reconcile.assemble import assemble, notes_frame
from magmem.captures.reconcile.loose import Origin, bundle_of
from magmem.captures.reconcile.settle import Notes
from magmem.errors import CaptureError, SnapshotError
from magmem.snapshot import Snapshot
from magmem.snapshot.schema import TABLES

__all__ = ["merge"]

SHOWN_KOIDS = 5

_BESIDE = {
    "root_job_koid": None,
    "memgraph_self_koid": 0,
    "timestamp": None,
    "timestamp_iso": "",
}
"""What a snapshot holds beside its tables, and the value that means unknown."""


def merge(snapshots: Sequence[Snapshot], name: str = "") -> Snapshot:
    """One snapshot that knows what any of these knows.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        States of one boot at one moment, as far as anyone can tell; earlier ones win.
    name : str
        What to call the result; the first name given among them if empty.

    Raises
    ------
    ValueError
        No snapshots.
    CaptureError
        They cannot be of one boot: a koid is a job here and a process there, clones descend from
        each other, or pages differ in size.
    """
    if not snapshots:
        raise ValueError("expected at least one snapshot to merge, found none")
    origins = [_origin(snap) for snap in snapshots]
    page_bytes = snapshots[0].page_bytes
    for snap, origin in zip(snapshots, origins, strict=True):
        if snap.page_bytes != page_bytes:
            expected = f"pages of {page_bytes} bytes, as in {origins[0].source}"
            raise CaptureError(origin.source, "", expected, f"{snap.page_bytes}")
    notes = Notes()
    meta = _meta(snapshots, origins, notes)
    frames, coverage = assemble(
        [bundle_of(snap, at) for at, snap in enumerate(snapshots)], origins, notes
    )
    if _other_moments(snapshots, origins, notes):
        coverage["processes"] = "partial"
    frames["sources"] = _stacked("sources", [snap.sources for snap in snapshots])
    frames["notes"] = _stacked("notes", [*(snap.notes for snap in snapshots), notes_frame(notes)])
    meta["name"] = name or next((snap.name for snap in snapshots if snap.name), "")
    try:
        return Snapshot.of(frames, coverage=coverage, page_bytes=page_bytes, **meta)
    except SnapshotError as error:
        source = ", ".join(dict.fromkeys(origin.source for origin in origins))
        raise CaptureError(source, error.place, error.expected, error.found) from error


def _other_moments(snapshots: Sequence[Snapshot], origins: Sequence[Origin], notes: Notes) -> bool:
    """Whether a capture tells of processes that another one's complete list does not have."""
    listed = [set(snap.processes["koid"]) for snap in snapshots]
    found = False
    for whole, koids in enumerate(listed):
        if snapshots[whole].coverage["processes"] != "complete":
            continue
        for at, told in enumerate(listed):
            if beyond := sorted(told - koids):
                shown = ", ".join(map(str, beyond[:SHOWN_KOIDS]))
                more = f" and {len(beyond) - SHOWN_KOIDS} more" if beyond[SHOWN_KOIDS:] else ""
                which = (
                    f"process {shown} is" if len(beyond) == 1 else f"processes {shown}{more} are"
                )
                message = (
                    f"{which} not among the {len(koids)} that {origins[whole].source} lists: "
                    "another moment"
                )
                notes.add("contradiction", origins[at].source, "", message)
                found = True
    return found


def _origin(snap: Snapshot) -> Origin:
    source = ", ".join(dict.fromkeys(snap.sources["source"])) or snap.name or "a snapshot"
    dump = ", ".join(dict.fromkeys(snap.sources["dump"])) or "a machine state"
    return Origin(source, dump, coverage=dict(snap.coverage))


def _stacked(table: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return TABLES[table].frame()
    return pd.concat(filled).drop_duplicates().reset_index(drop=True)


def _meta(snapshots: Sequence[Snapshot], origins: Sequence[Origin], notes: Notes) -> dict[str, Any]:
    """What stands beside the tables: the first that is known."""
    meta: dict[str, Any] = {}
    for key, unknown in _BESIDE.items():
        told = [(snap, at) for at, snap in enumerate(snapshots) if getattr(snap, key) != unknown]
        meta[key] = getattr(told[0][0], key) if told else unknown
        for snap, at in told[1:] if key.endswith("koid") else ():
            if getattr(snap, key) != meta[key]:
                kept = f"{meta[key]} in {origins[told[0][1]].source}, which is kept"
                message = f"{key} is {getattr(snap, key)}, but {kept}"
                notes.add("contradiction", origins[at].source, "", message)
    return meta

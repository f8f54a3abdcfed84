"""``vmos KOID``: every VMO a process has a handle to or maps.

Layout: reference/tools.md "vmos KOID". One row per handle, then one per mapping; the same VMO may
appear many times.
"""

from __future__ import annotations

import pandas as pd

from magmem.errors import MissingData
from magmem.kernel.vmos import references, vmo_facts
from magmem.listing import Listing
from magmem.snapshot import Snapshot
from magmem.snapshot.frames import TEXT
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns
from magmem.tools.process import Era, readable_process
from magmem.tools.vmo_rows import rights_words, vmo_lines

__all__ = ["USAGE", "process_vmos", "vmos"]

HEADER = "rights  koid parent #chld #map #shr    size   alloc name\n"

USAGE = """\
Usage: vmos <process-koid>

Dumps the VMOs of a process to stdout: first one row per handle to a VMO, then
one row per mapping. A VMO with several handles or mappings has several rows.

Columns:
  rights: What the handle allows: r read, w write, x execute, m map,
          d duplicate, t transfer. A mapping has a single '-'.
  koid:   The koid of the VMO; 0 if userspace never had a handle to it.
  parent: The koid of the VMO it is a clone of; '-' if it is not a clone.
  #chld:  How many clones of it are alive.
  #map:   How many mappings of it there are, in all address spaces.
  #shr:   How many address spaces map it.
  size:   Its size.
  alloc:  The physical memory of the pages it owns; 'phys' for a raw physical
          range, which uses none.
  name:   Its name; '-' if that is empty.
"""
"""What ``vmos help`` prints."""


def vmos(snap: Source, koid: int, era: Era = "zx") -> Listing:
    """Every VMO of a process, as ``vmos KOID`` prints it.

    Parameters
    ----------
    snap : Snapshot or Machine
    koid : int
        A process below the root job.
    era : {"zx", "mx"}
        How statuses in messages are spelled.

    Returns
    -------
    Listing
        `df` has one row per line: via (handle, mapping), handle, rights (text), koid, is_clone,
        parent_koid (missing unless a clone), num_children, num_mappings, share_count, size_bytes,
        committed_bytes, kind (paged, physical), name.

    Raises
    ------
    NotFound, WrongType, BadState
        No such process; a job or thread; a process that does not run.
    MissingData
        The capture knows neither the handles nor the mappings of the process.
    """
    state = snapshot_of(snap)
    readable_process(state, koid, "vmos", era)
    frame, warnings = process_vmos(state, koid, "vmos")
    text = columns.rows("%6s %s", frame["rights"].tolist(), vmo_lines(frame).tolist())
    return Listing(HEADER + text + HEADER, frame, title=f"vmos {koid}", warnings=warnings)


def process_vmos(snap: Snapshot, koid: int, tool: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows of one process's VMOs, and remarks on what the capture does not tell of them.

    Raises
    ------
    MissingData
        The capture knows neither the handles nor the mappings of the process.
    """
    refs = references(snap, koid)
    knows_handles = snap.knows("handles") or bool((snap.handles["process_koid"] == koid).any())
    mapper = snap.aspaces["process_koid"].iloc[snap.regions["aspace"].unique()]
    knows_mappings = snap.knows("mappings") or bool((mapper == koid).any())
    if not knows_handles and not knows_mappings:
        raise MissingData(tool, "VMOs of that process", f"handles and mappings of process {koid}")
    lacking = [
        f"{tool}: this capture does not tell the {what} of process {koid}"
        for what, known in (("handles", knows_handles), ("mappings", knows_mappings))
        if not known
    ]
    facts = vmo_facts(snap).reindex(refs["vmo"]).reset_index(drop=True)
    facts["koid"] = refs["koid"]
    words = pd.Series(rights_words(refs["rights"]), dtype="object")
    unknown = refs["rights"].isna() & (refs["via"] == "handle")
    facts.insert(0, "via", refs["via"])
    facts.insert(1, "handle", refs["handle"])
    facts.insert(2, "rights", words.mask(unknown, columns.UNKNOWN).astype(TEXT))
    return facts, tuple(lacking)

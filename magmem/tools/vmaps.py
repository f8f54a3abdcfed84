"""``vmaps KOID``: the address space of a process, node by node.

Layout: reference/tools.md "vmaps KOID". Resident is what the mapped VMO itself owns in the mapped
range, whoever else maps it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from magmem.kernel.address_space import MAPPING, ends, nodes
from magmem.kernel.missing import missing
from magmem.listing import Listing
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns
from magmem.tools.process import Era, readable_process

__all__ = ["USAGE", "vmaps"]

USAGE = """\
Usage: vmaps <process-koid>

Dumps a process's memory maps to stdout.

First column:
  "/A" -- Process address space
  "/R" -- Root VMAR
  "R"  -- VMAR (R for Region)
  "M"  -- Mapping

  Indentation indicates parent/child relationship.
"""
"""What ``vmaps help`` prints."""

COLUMNS = [
    "kind",
    "depth",
    "base",
    "size_bytes",
    "perms",
    "resident_bytes",
    "vmo_koid",
    "name",
]


def vmaps(snap: Source, koid: int, era: Era = "zx") -> Listing:
    """The address space of a process, as ``vmaps KOID`` prints it.

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
        `df` has one row per line: kind (aspace, vmar, mapping), depth, base (UInt64), size_bytes,
        name, and for mappings perms, resident_bytes and vmo_koid.

    Raises
    ------
    NotFound, WrongType, BadState
        No such process; a job or thread; a process that does not run.
    MissingData
        The capture does not know the address space of the process.
    """
    state = snapshot_of(snap)
    readable_process(state, koid, "maps", era)
    mine = (state.aspaces["process_koid"] == koid).fillna(False)
    frame = nodes(state, np.flatnonzero(mine.to_numpy(dtype=bool)))
    if not frame["base"].notna().any():
        raise missing(state, "vmaps", "mappings", f"the address space of process {koid}")
    return Listing(_text(frame), frame[COLUMNS], title=f"vmaps {koid}")


def _text(frame: pd.DataFrame) -> str:
    kind = frame["kind"].cat.codes.to_numpy()
    both = zip(_pointers(frame["base"]), _pointers(ends(frame)), strict=True)
    ranges = map("%s-%s".__mod__, both)
    sizes = columns.sizes(frame["size_bytes"])
    mapped = map(
        "%s %5s:sz %4s:res %5s:vmo".__mod__,
        zip(
            columns.names(frame["perms"].fillna(columns.UNKNOWN * 3)),
            sizes,
            columns.sizes(frame["resident_bytes"]),
            columns.integers(frame["vmo_koid"]),
            strict=True,
        ),
    )
    others = [f"{text:>9}:sz{'':19}" for text in sizes]
    middle = np.where(kind == MAPPING, np.array([*mapped], dtype=object), others)
    marks = _marks(frame["depth"].tolist(), kind.tolist())
    return columns.rows("%s %s %s '%s'\n", marks, ranges, middle, columns.names(frame["name"]))


def _marks(depths: list[int], kinds: list[int]) -> list[str]:
    """The first column: the node's type, indented by its depth and padded to the deepest."""
    deepest = max(2, *depths, 0)
    # C's `%*s` takes the negative width of a deepest level 2 as left-justified in 1 blank.
    top = [f"/{letter}{' ' * abs(deepest - 3)}" for letter in "ARM"]
    made: dict[tuple[int, int], str] = {}
    for depth, kind in set(zip(depths, kinds, strict=True)):
        inner = f"{' ' * (depth - 2)}{'ARM'[kind]}{' ' * (deepest - depth)}"
        made[depth, kind] = top[kind] if depth < 2 else inner
    return [made[place] for place in zip(depths, kinds, strict=True)]


def _pointers(addresses: pd.Series[int]) -> list[str]:
    """16 digits each; the upper eight as ``_`` where they are all zero."""
    low, high = "________%08x", "%016x"
    values = addresses.fillna(0).to_numpy(dtype=np.uint64).tolist()
    texts = [(high if value > 0xFFFFFFFF else low) % value for value in values]
    if not addresses.hasnans:
        return texts
    known = addresses.notna().tolist()
    return [text if told else columns.UNKNOWN * 16 for text, told in zip(texts, known, strict=True)]

"""``kstats -m``: where the machine's physical memory is, in a few numbers.

Layout: reference/tools.md "kstats -m": seven columns and a timestamp always (mid-2017, ``mx``), or
eight columns and a timestamp on request (September 2017, ``zx``). Sizes are in M. The sums of the
columns are the physical memory (reference/kernel.md).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pandas as pd

from magmem.errors import MissingData
from magmem.listing import Listing
from magmem.snapshot import Snapshot
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns
from magmem.tools.process import Era

__all__ = ["kstats", "timestamp_text"]

HEADS = {
    "total": "total_bytes",
    "free": "free_bytes",
    "VMOs": "vmo_bytes",
    "kheap": "kheap_bytes",
    "kfree": "kfree_bytes",
    "wired": "wired_bytes",
    "mmu": "mmu_bytes",
    "other": "other_bytes",
}


def kstats(
    snap: Source,
    *,
    memory: bool = True,
    timestamps: bool = False,
    times: int | None = None,
    delay: float = 0.0,
    era: Era = "mx",
) -> Listing:
    """Physical memory by use, as ``kstats -m`` prints it.

    Parameters
    ----------
    snap : Snapshot or Machine
    memory : bool
        Print memory statistics (``-m``). Without, the original prints CPU statistics, which no
        capture of memory has.
    timestamps : bool
        Head each report by its time (``-t``); the ``mx`` era always does.
    times : int, optional
        Number of reports (``-n``). By default those the capture has, or one. A capture with fewer
        repeats its last; a machine is looked at anew for each.
    delay : float
        Seconds to wait between the reports of a machine (``-d``).
    era : {"mx", "zx"}
        Whose columns to print.

    Returns
    -------
    Listing
        `df` has one row per report: timestamp, total_bytes, free_bytes, vmo_bytes, kheap_bytes
        (heap in use), kfree_bytes (free inside the heap), wired_bytes, mmu_bytes, other_bytes.

    Raises
    ------
    ValueError
        `times` below 1, a negative `delay`, or another era.
    MissingData
        The capture has no kernel memory statistics; or `memory` is False.
    """
    if not memory:
        raise MissingData("kstats without -m", "CPU statistics", "them; kstats -m shows memory")
    if times is not None and times < 1:
        raise ValueError(f"expected 1 report or more, found {times}")
    if delay < 0:
        raise ValueError(f"expected a delay of 0 seconds or more, found {delay}")
    if era not in ("mx", "zx"):
        raise ValueError(f"expected era 'mx' or 'zx', found {era!r}")
    frame = _reports(snapshot_of(snap))
    if isinstance(snap, Snapshot):
        wanted = range(times or len(frame))
        frame = frame.iloc[[min(row, len(frame) - 1) for row in wanted]]
    else:
        parts = [frame.tail(1)]
        for _ in range((times or 1) - 1):
            time.sleep(delay)
            parts.append(_reports(snapshot_of(snap)).tail(1))
        frame = pd.concat(parts)
    frame = frame.reset_index(drop=True)
    text = _text_mx(frame) if era == "mx" else _text_zx(frame, timestamps)
    return Listing(text, frame, title="kstats -m")


def timestamp_text(snap: Snapshot) -> str:
    """When the state was, as ISO 8601 with milliseconds cut off; empty if the source is silent."""
    if snap.timestamp is None:
        return snap.timestamp_iso
    seconds, nanoseconds = snap.timestamp
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return snap.timestamp_iso
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 1_000_000:03d}Z"


def _reports(snap: Snapshot) -> pd.DataFrame:
    kmem = snap.kmem
    if not len(kmem):
        raise MissingData("kstats", "kernel memory statistics", "a report of kstats -m")
    stamp = timestamp_text(snap)
    return pd.DataFrame(
        {
            "timestamp": kmem["timestamp"].fillna(stamp) if stamp else kmem["timestamp"],
            "total_bytes": kmem["total_bytes"],
            "free_bytes": kmem["free_bytes"],
            "vmo_bytes": kmem["vmo_bytes"],
            "kheap_bytes": kmem["total_heap_bytes"] - kmem["free_heap_bytes"],
            "kfree_bytes": kmem["free_heap_bytes"],
            "wired_bytes": kmem["wired_bytes"],
            "mmu_bytes": kmem["mmu_overhead_bytes"],
            "other_bytes": kmem["other_bytes"],
        }
    )


def _cells(frame: pd.DataFrame, heads: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(columns.sizes(frame[HEADS[head]], "M") for head in heads), strict=True))


def _text_mx(frame: pd.DataFrame) -> str:
    heads = [head for head in HEADS if head != "other"]
    template = " ".join(["%10s"] * len(heads)) + "\n"
    reports = [
        f"--- {stamp} ---\n" + template % tuple(heads) + template % cells
        for stamp, cells in zip(
            columns.names(frame["timestamp"]), _cells(frame, heads), strict=True
        )
    ]
    return "\n".join(reports)


def _text_zx(frame: pd.DataFrame, timestamps: bool) -> str:
    heads = list(HEADS)
    header = " ".join(f"{head:>9}" for head in ["mem total", *heads[1:]]) + "\n"
    stamps = columns.names(frame["timestamp"])
    return "".join(
        (f"\n--- {stamp} ---\n" if timestamps else "")
        + header
        + "".join(f"{cell:>9} " for cell in cells)
        + "\n"
        for stamp, cells in zip(stamps, _cells(frame, heads), strict=True)
    )

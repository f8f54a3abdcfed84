"""``top``: the processes of this machine by PSS, and what changed since the last look."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pandas as pd

from magmem.linux.capture import capture_linux
from magmem.listing import Listing
from magmem.sizes import format_size
from magmem.snapshot import Snapshot

__all__ = ["OTHER_LINES", "top", "top_listing"]

HEADER = f"{'PID':>8} {'PSS':>8} {'CHANGE':>9} {'PRIVATE':>8} {'RSS':>8} NAME"

OTHER_LINES = 6
"""Lines a look may have beside its processes, the one the cursor is left on among them."""


def top(
    times: int | None = None, delay: float = 2.0, lines: int = 20, *, proc: Path = Path("/proc")
) -> Iterator[Listing]:
    """Look at the processes again and again.

    Parameters
    ----------
    times : int, optional
        How often; None: for ever.
    delay : float
        Seconds between two looks.
    lines : int
        Processes shown; 0 shows all.
    proc : Path
        Where the proc file system is mounted.

    Yields
    ------
    Listing
        See `top_listing`.
    """
    before: Snapshot | None = None
    for turn in count():
        if turn == times:
            return
        if turn:
            time.sleep(delay)
        now = capture_linux("processes", proc=proc)
        yield top_listing(now, before, lines)
        before = now


def top_listing(now: Snapshot, before: Snapshot | None = None, lines: int = 20) -> Listing:
    """The processes by PSS, those first that use most.

    Parameters
    ----------
    now, before : Snapshot
        Captures of this machine; without `before` nothing has changed yet.
    lines : int
        Processes shown; 0 shows all.

    Returns
    -------
    Listing
        `df` has one row per process that may be read and has memory: koid, name, pss_bytes,
        change_bytes (missing for those seen for the first time), private_bytes, rss_bytes
        (Int64). Under the rows stands what the text does not show, and which processes ended.
    """
    table = _processes(now)
    table.insert(3, "change_bytes", pd.Series(pd.NA, index=table.index, dtype="Int64"))
    ended = 0
    if before is not None:
        past = _processes(before).set_index(["koid", "name"])["pss_bytes"]
        key = pd.MultiIndex.from_frame(table[["koid", "name"]])
        table["change_bytes"] = table["pss_bytes"] - past.reindex(key).array
        ended = int((~past.index.isin(key)).sum())
    shown = table if lines == 0 else table.head(lines)
    rest = table.iloc[len(shown) :]
    closed = int(now.processes["reported_pss_bytes"].isna().sum())
    many = "1 process" if len(table) == 1 else f"{len(table)} processes"
    text = [f"{now.timestamp_iso}  {many}, PSS {_size(table['pss_bytes'].sum())}"]
    text += [HEADER, *(_line(row, before is None) for row in shown.itertuples(index=False))]
    if len(rest):
        text.append(f"{'':8} {_size(rest['pss_bytes'].sum()):>8} others ({len(rest)})")
    if ended:
        text.append(f"{ended} ended")
    if closed:
        text.append(f"{closed} may not be read (that takes the same user, or CAP_SYS_PTRACE)")
    return Listing("\n".join(text) + "\n", table, title="top")


def _processes(snap: Snapshot) -> pd.DataFrame:
    rows = snap.processes
    table = pd.DataFrame(
        {
            "koid": rows["koid"],
            "name": rows["name"],
            "pss_bytes": rows["reported_pss_bytes"],
            "private_bytes": rows["reported_private_bytes"],
            "rss_bytes": rows["reported_resident_bytes"],
        }
    )
    table = table[(table["pss_bytes"] > 0).fillna(False)]
    return table.sort_values(["pss_bytes", "koid"], ascending=[False, True], ignore_index=True)


def _line(row: tuple[object, ...], is_first: bool) -> str:
    koid, name, pss, change, private, rss = row
    sizes = _size(pss), "" if is_first else _change(change), _size(private), _size(rss)
    return "{:>8} {:>8} {:>9} {:>8} {:>8} {}".format(koid, *sizes, name)


def _size(size_bytes: object) -> str:
    return "" if size_bytes is pd.NA else format_size(int(str(size_bytes)))


def _change(change_bytes: object) -> str:
    if change_bytes is pd.NA:
        return "new"
    change = int(str(change_bytes))
    return "" if change == 0 else f"{'+' if change > 0 else '-'}{format_size(abs(change))}"

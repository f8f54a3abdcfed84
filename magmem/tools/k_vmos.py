"""``k mx vmos all | hidden | KOID``: the kernel console's listing of VMOs.

Layout: reference/tools.md "k mx vmos". The kernel sees every process, also one that does not run.
"""

from __future__ import annotations

import pandas as pd

from magmem.kernel.mappings import view_of
from magmem.kernel.missing import missing
from magmem.kernel.vmos import vmo_facts
from magmem.listing import Listing
from magmem.sizes import format_size
from magmem.snapshot import Snapshot
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns
from magmem.tools.process import kernel_process
from magmem.tools.vmo_rows import vmo_lines
from magmem.tools.vmos import process_vmos

__all__ = ["k_vmos"]

COLUMNS = " koid parent #chld #map #shr    size   alloc name\n"
HEADER = "           -      - " + COLUMNS
HANDLE_HEADER = "      handle rights " + COLUMNS
ROW = "           -      - %s"


def k_vmos(snap: Source, which: int | str, unit: str = "") -> Listing:
    """VMOs as ``k mx vmos all``, ``hidden`` or ``KOID`` prints them.

    Parameters
    ----------
    snap : Snapshot or Machine
    which : int or {"all", "hidden"}
        A process, every VMO, or those that no process maps.
    unit : str
        Fix the unit of sizes to one of ``BkMGTPE`` (``-u?``).

    Returns
    -------
    Listing
        `df` has one row per VMO (oldest first), or for a process one per handle and mapping as
        `vmos` has. An unknown process gives the kernel's message and no rows.

    Raises
    ------
    ValueError
        A word other than ``all`` and ``hidden``.
    MissingData
        The capture does not know the VMOs, or for ``hidden`` who maps them.
    """
    state = snapshot_of(snap)
    if isinstance(which, str):
        if which not in ("all", "hidden"):
            raise ValueError(f"expected 'all', 'hidden' or a koid, found {which!r}")
        return _all(state, which, unit)
    return _process(state, which, unit)


def _all(snap: Snapshot, which: str, unit: str) -> Listing:
    tool = f"k vmos {which}"
    if not snap.knows("vmos") and not len(snap.vmos):
        raise missing(snap, tool, "vmos", "every VMO of the machine")
    warnings: tuple[str, ...] = ()
    if not snap.knows("vmos"):
        warnings = (f"{tool}: this capture knows only some of the machine's VMOs",)
    facts = vmo_facts(snap)
    title = "All VMOs, oldest to newest:\n"
    if which == "hidden":
        title = '"Hidden" VMOs, oldest to newest:\n'
        if snap.knows("mappings"):
            facts = facts[~view_of(snap).mapped_by_user]
        elif facts["num_mappings"].notna().any():
            facts = facts[(facts["num_mappings"] == 0).fillna(False).to_numpy(dtype=bool)]
            warnings += (f"{tool}: this capture does not tell who maps a VMO: only unmapped ones",)
        else:
            raise missing(snap, tool, "mappings", "to know which VMOs no process maps")
        facts = facts.reset_index(drop=True)
    text = title + HEADER + columns.rows(ROW, vmo_lines(facts, unit)) + HEADER
    return Listing(text, facts, title=tool, warnings=warnings)


def _process(snap: Snapshot, koid: int, unit: str) -> Listing:
    tool = f"k vmos {koid}"
    if not kernel_process(snap, koid):
        return Listing("process not found!\n", pd.DataFrame(), title=tool)
    frame, warnings = process_vmos(snap, koid, "k vmos")
    lines = vmo_lines(frame, unit)
    held = (frame["via"] == "handle").to_numpy()
    handles = frame[held]
    # The kernel prints rights it finds to be 0 as it prints no handle; a mask without any of the
    # six VMO rights prints six dashes (reference/tools.md "KOID").
    bare = (_rights(snap, koid) == 0).fillna(False).to_numpy(dtype=bool)
    words = handles["rights"].mask(bare, "-").tolist()
    text = (
        f"process [{koid}]:\nHandles to VMOs:\n{HANDLE_HEADER}"
        + columns.rows("  %10s %6s %s", columns.integers(handles["handle"]), words, lines[held])
        + f"  total: {len(handles)} VMOs, size {_total(handles['size_bytes'], unit)}, "
        f"alloc {_total(handles['committed_bytes'], unit)}\n"
        f"Mapped VMOs:\n{HEADER}" + columns.rows(ROW, lines[~held]) + HEADER
    )
    return Listing(text, frame, title=tool, warnings=warnings)


def _rights(snap: Snapshot, koid: int) -> pd.Series[int]:
    handles = snap.handles
    mine = (handles["process_koid"] == koid) & (handles["type"] == "vmo")
    return handles["rights"][mine.to_numpy()]


def _total(sizes: pd.Series[int], unit: str) -> str:
    if sizes.isna().any():
        return columns.UNKNOWN
    return format_size(sum(sizes.tolist()), unit)

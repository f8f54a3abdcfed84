"""``k mx asd kernel | KOID`` and ``vmm aspaces``: address spaces as the kernel dumps them.

Layout: reference/tools.md "k mx asd". Ranges are inclusive; a map line counts the pages its VMO
owns in the mapped range, the vmo line below it all pages the VMO owns.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from magmem.kernel.address_space import ASPACE, VMAR, ends, nodes
from magmem.kernel.mappings import view_of
from magmem.kernel.missing import missing
from magmem.kernel.runs import Ints
from magmem.listing import Listing
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns
from magmem.tools.process import kernel_process

__all__ = ["asd", "vmm_aspaces"]

COLUMNS = [
    "kind",
    "depth",
    "addr",
    "base",
    "size_bytes",
    "ref",
    "flags",
    "vmo_koid",
    "vmo_addr",
    "vmo_offset_bytes",
    "pages",
    "name",
]


def asd(snap: Source, which: int | str) -> Listing:
    """One address space, as ``k mx asd kernel`` or ``k mx asd KOID`` prints it.

    Parameters
    ----------
    snap : Snapshot or Machine
    which : int or str
        A process, or any beginning of the word ``kernel``.

    Returns
    -------
    Listing
        `df` has one row per address space, VMAR and mapping: kind, depth, addr, base (UInt64),
        size_bytes, ref, flags (address spaces: flags, mappings: raw mmu flags), for mappings
        vmo_koid, vmo_addr, vmo_offset_bytes and pages, and name. An unknown process gives the
        kernel's message and no rows.

    Raises
    ------
    ValueError
        A word that ``kernel`` does not begin with.
    MissingData
        The capture does not know that address space.
    """
    state = snapshot_of(snap)
    spaces = state.aspaces
    if isinstance(which, str):
        if not which or not "kernel".startswith(which):
            raise ValueError(f"expected 'kernel' or a koid, found {which!r}")
        chosen = np.flatnonzero((spaces["kind"] == "kernel").to_numpy())
        what, facet = "the kernel's address space", "kernel mappings"
    else:
        if not kernel_process(state, which):
            text = f"process {which} not found!\n"
            return Listing(text, pd.DataFrame(), title=f"k asd {which}")
        mine = (spaces["process_koid"] == which).fillna(False)
        chosen = np.flatnonzero(mine.to_numpy(dtype=bool))
        what, facet = f"the address space of process {which}", "mappings"
    return _listing(state, chosen, f"k asd {which}", facet, what)


def vmm_aspaces(snap: Source) -> Listing:
    """Every address space, the kernel's first, as ``vmm aspaces`` prints them.

    Parameters
    ----------
    snap : Snapshot or Machine

    Returns
    -------
    Listing
        `df` as that of `asd`.

    Raises
    ------
    MissingData
        The capture knows no address space.
    """
    state = snapshot_of(snap)
    everything = np.arange(len(state.aspaces))
    return _listing(state, everything, "vmm aspaces", "mappings", "the address spaces")


def _listing(snap: Snapshot, spaces: Ints, title: str, facet: str, what: str) -> Listing:
    frame = nodes(snap, spaces)
    if not frame["base"].notna().any():
        raise missing(snap, title, facet, what)
    frame["pages"] = frame["resident_bytes"] // PAGE_BYTES
    text = "".join(_lines(frame, _vmo_lines(snap, frame["vmo"].to_numpy())))
    return Listing(text, frame[COLUMNS], title=title)


def _lines(frame: pd.DataFrame, below: list[str]) -> list[str]:
    kind = frame["kind"].cat.codes.to_numpy()
    indent = [" " * (2 * depth) for depth in frame["depth"].tolist()]
    addr, size = columns.addresses(frame["addr"]), columns.addresses(frame["size_bytes"])
    base, last = columns.addresses(frame["base"]), columns.addresses(ends(frame) - np.uint64(1))
    flags, ref = columns.addresses(frame["flags"]), columns.integers(frame["ref"])
    owner, koid = columns.addresses(frame["vmo_addr"]), columns.integers(frame["vmo_koid"])
    offset = columns.addresses(frame["vmo_offset_bytes"])
    pages, name = columns.integers(frame["pages"]), columns.names(frame["name"])
    lines = []
    for i, code in enumerate(kind.tolist()):
        where = f"{addr[i]} [{base[i]} {last[i]}] sz {size[i]}"
        tail = f"ref {ref[i]} '{name[i]}'\n"
        if code == ASPACE:
            lines.append(f"{indent[i]}as {where} fl {flags[i]} {tail}")
        elif code == VMAR:
            lines.append(f"{indent[i]}vmar {where} {tail}")
        else:
            vmo = f"vmo {owner[i]}/k{koid[i]} off {offset[i]} pages {pages[i]}"
            lines.append(f"{indent[i]}map {where} mmufl {flags[i]} {vmo} {tail}")
            lines.append(f"{indent[i]}  {below[i]}")
    return lines


def _vmo_lines(snap: Snapshot, rows: Ints) -> list[str]:
    """The line below each mapping; made once per VMO."""
    needed, place = np.unique(rows, return_inverse=True)
    vmos = snap.vmos.reindex(needed)
    pages = vmos["reported_committed_bytes"] // PAGE_BYTES
    known = vmos["pages_known"].fillna(False).to_numpy(dtype=bool)
    owned = view_of(snap).committed_bytes // PAGE_BYTES
    pages = pages.mask(known, pd.Series(owned, dtype="Int64").reindex(needed))
    # The dump says k0 for no parent and for one without koid; who read it does not know which.
    silent = vmos["parent_koid"].isna() & vmos["addr"].notna()
    parent = vmos["parent_koid"].where(vmos["is_clone"].fillna(True), 0).mask(silent, 0)
    fields = zip(
        columns.addresses(vmos["addr"]),
        columns.integers(vmos["koid"]),
        columns.addresses(vmos["size_bytes"]),
        columns.integers(pages),
        columns.integers(vmos["ref"]),
        columns.integers(parent),
        columns.addresses(vmos["phys_base"]),
        (vmos["kind"] == "physical").tolist(),
        strict=True,
    )
    lines = [
        f"object {addr} base {base} size {size} ref {ref}\n"
        if physical
        else f"vmo {addr}/k{koid} size {size} pages {count} ref {ref} parent k{above}\n"
        for addr, koid, size, count, ref, above, base, physical in fields
    ]
    return [lines[at] for at in place.tolist()]

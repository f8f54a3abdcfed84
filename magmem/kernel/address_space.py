"""Address spaces as rows, node by node: what `vmaps` and `asd` print.

An address space comes first, then its VMARs and mappings in address order. A mapping's name is its
VMO's; its resident bytes are what that VMO itself owns in the mapped range, whoever else maps it
(reference/tools.md "vmaps KOID").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.kernel.mappings import view_of
from magmem.kernel.runs import Ints
from magmem.snapshot import PAGE_BYTES, Snapshot

__all__ = ["ASPACE", "KINDS", "MAPPING", "VMAR", "ends", "nodes", "resident_bytes"]

KINDS = ["aspace", "vmar", "mapping"]
ASPACE, VMAR, MAPPING = range(3)

REGION_COLUMNS = [
    "addr",
    "base",
    "size_bytes",
    "ref",
    "flags",
    "name",
    "perms",
    "resident_bytes",
    "vmo",
    "vmo_offset_bytes",
]

ABSENT = -1
"""A row number no table has: reindexing to it gives missing values of the column's own type."""


def nodes(snap: Snapshot, spaces: Ints) -> pd.DataFrame:
    """Every node of some address spaces.

    Parameters
    ----------
    snap : Snapshot
    spaces : int64 array
        Rows of the aspaces table, ascending.

    Returns
    -------
    DataFrame
        kind (category `KINDS`), depth (int64, 0 for the address space), addr and base (UInt64),
        size_bytes, ref, flags (of the space, or a mapping's raw mmu flags), perms, resident_bytes,
        vmo (int64 row in vmos, -1 if none), vmo_koid, vmo_addr, vmo_offset_bytes, name.
    """
    owner = snap.regions["aspace"].to_numpy()
    found = np.flatnonzero(np.isin(owner, spaces))
    order = np.argsort(np.concatenate([spaces, owner[found]]), kind="stable")
    space = np.concatenate([spaces, np.full(len(found), ABSENT)])[order]
    region = np.concatenate([np.full(len(spaces), ABSENT), found])[order]
    is_space = space != ABSENT
    aspaces = _rows(snap.aspaces, ["addr", "base", "size_bytes", "ref", "flags", "name"], space)
    told = snap.regions.assign(
        resident_bytes=resident_bytes(snap),
        perms=_perms(snap.regions),
        flags=snap.regions["arch_mmu_flags"],
    )
    regions = _rows(told, REGION_COLUMNS, region)
    vmo = regions.pop("vmo").fillna(ABSENT).to_numpy(dtype=np.int64)
    vmos = _rows(snap.vmos, ["koid", "addr", "name"], vmo)
    for name in aspaces.columns:
        regions[name] = aspaces[name].where(is_space, regions[name])
    mapping = (snap.regions["kind"] == "mapping").to_numpy()[region] & ~is_space
    regions["name"] = regions["name"].mask(mapping, vmos["name"])
    kinds = np.where(is_space, ASPACE, np.where(mapping, MAPPING, VMAR))
    regions.insert(0, "kind", pd.Categorical.from_codes(kinds, KINDS))
    depth = snap.regions["depth"].to_numpy()[region] if len(owner) else space
    regions.insert(1, "depth", np.where(is_space, 0, depth + 1))
    regions["vmo"] = vmo
    regions["vmo_koid"], regions["vmo_addr"] = vmos["koid"], vmos["addr"]
    return regions


def ends(frame: pd.DataFrame) -> pd.Series[int]:
    """Where each node's range ends (UInt64, exclusive), wrapping as 64-bit arithmetic does."""
    base = frame["base"].fillna(0).to_numpy(dtype=np.uint64)
    size = frame["size_bytes"].fillna(0).to_numpy(dtype=np.uint64)
    known = frame["base"].notna() & frame["size_bytes"].notna()
    return pd.Series(base + size, dtype="UInt64").where(known)


def _rows(table: pd.DataFrame, names: list[str], rows: npt.NDArray[np.int64]) -> pd.DataFrame:
    return table[names].reindex(rows).reset_index(drop=True)


def resident_bytes(snap: Snapshot) -> pd.Series[int]:
    """Resident in each row of regions (Int64); missing for VMARs and where nothing tells."""
    view = view_of(snap)
    known = snap.vmos["pages_known"].to_numpy() | (snap.vmos["kind"] == "physical").to_numpy()
    result = snap.regions["reported_resident_bytes"].copy()
    counted = known[view.vmo]
    result.iloc[view.region[counted]] = view.mapping_pages[counted] * PAGE_BYTES
    return result


def _perms(regions: pd.DataFrame) -> pd.Series[str]:
    """``rwx`` of each region; from the raw flags where the capture tells nothing else."""
    told = regions["perms"]
    raw = regions["arch_mmu_flags"]
    if told.notna().to_numpy()[raw.notna().to_numpy()].all():
        return told
    flags = raw.fillna(0).to_numpy(dtype=np.int64)
    bits = np.where(flags & 0x80, 0, flags >> 3 & 7)
    words = ["".join(p if b >> i & 1 else "-" for i, p in enumerate("rwx")) for b in range(8)]
    decoded = pd.Series(np.array(words, dtype=object)[bits], dtype=told.dtype)
    return told.fillna(decoded.where(raw.notna()))

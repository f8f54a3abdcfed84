"""VMOs: one row of facts each, and which handles and mappings refer to them.

A number is computed from the tables where the capture knows them whole, else taken as its source
printed it, else missing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from magmem.kernel.mappings import view_of
from magmem.kernel.runs import Ints
from magmem.snapshot import Snapshot
from magmem.snapshot.columns import integers

__all__ = ["VMO_FIELDS", "references", "vmo_facts"]

VMO_FIELDS = (
    "koid",
    "is_clone",
    "parent_koid",
    "num_children",
    "num_mappings",
    "share_count",
    "size_bytes",
    "committed_bytes",
    "kind",
    "name",
)
"""Columns of `vmo_facts`."""


def vmo_facts(snap: Snapshot) -> pd.DataFrame:
    """The facts of every VMO, in the order of the vmos table.

    Returns
    -------
    DataFrame
        Columns `VMO_FIELDS`: Int64 but for is_clone (boolean), kind (category) and name (text).
        parent_koid is missing where the VMO is not a clone, and 0 for a clone of a VMO without
        koid.
    """
    vmos = snap.vmos
    view = view_of(snap)
    children, mappings = vmos["reported_num_children"], vmos["reported_num_mappings"]
    shares = vmos["reported_share_count"]
    if snap.knows("vmos"):
        children = _int64(view.num_children)
    if snap.knows("mappings", "kernel mappings"):
        mappings, shares = _int64(view.num_mappings), _int64(view.share_count)
    physical = (vmos["kind"] == "physical").to_numpy()
    committed = vmos["reported_committed_bytes"].where(
        ~vmos["pages_known"], _int64(view.committed_bytes)
    )
    return pd.DataFrame(
        {
            "koid": vmos["koid"],
            "is_clone": vmos["is_clone"].mask((vmos["parent_koid"] > 0).fillna(False), True),
            "parent_koid": vmos["parent_koid"].mask(vmos["is_clone"].eq(False).fillna(False)),
            "num_children": children,
            "num_mappings": mappings,
            "share_count": shares,
            "size_bytes": vmos["size_bytes"],
            "committed_bytes": committed.mask(physical, 0),
            "kind": vmos["kind"],
            "name": vmos["name"],
        }
    )


def references(snap: Snapshot, process_koid: int | None = None) -> pd.DataFrame:
    """How processes point to VMOs: by process, first its handles, then its mappings.

    Parameters
    ----------
    process_koid : int or None
        One process, or all of them.

    Returns
    -------
    DataFrame
        process_koid (int64), via (``handle`` or ``mapping``), handle (Int64), rights (Int64 mask,
        missing for mappings), vmo (row in vmos, -1 if the capture has no such row) and koid
        (Int64). Handles in the kernel's order, mappings in address order; nothing de-duplicated.
    """
    handles = snap.handles[(snap.handles["type"] == "vmo").to_numpy()]
    regions, aspaces = snap.regions, snap.aspaces
    mapping = (regions["kind"] == "mapping").to_numpy()
    if process_koid is None:
        mapping = mapping & aspaces["process_koid"].notna().to_numpy()[regions["aspace"].to_numpy()]
    else:
        handles = handles[(handles["process_koid"] == process_koid).to_numpy()]
        mine = (aspaces["process_koid"] == process_koid).fillna(False).to_numpy(dtype=bool)
        mapping = mapping & mine[regions["aspace"].to_numpy()]
    mappings = regions[mapping]
    holder = handles["process_koid"].to_numpy()
    mapper = integers(aspaces["process_koid"])[mappings["aspace"].to_numpy()]
    vmo = np.concatenate([_rows(handles["vmo"]), _rows(mappings["vmo"])])
    koid = snap.vmos["koid"].reindex(vmo).reset_index(drop=True)
    koid = koid.fillna(pd.concat([handles["koid"], _nothing(len(mappings))], ignore_index=True))
    frame = pd.DataFrame(
        {
            "process_koid": np.concatenate([holder, mapper]),
            "via": pd.Categorical.from_codes(
                np.repeat([0, 1], [len(handles), len(mappings)]), ["handle", "mapping"]
            ),
            "handle": pd.concat([handles["value"], _nothing(len(mappings))], ignore_index=True),
            "rights": pd.concat([handles["rights"], _nothing(len(mappings))], ignore_index=True),
            "vmo": vmo,
            "koid": koid,
        }
    )
    order = np.argsort(frame["process_koid"].to_numpy(), kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def _rows(column: pd.Series[int]) -> Ints:
    return np.asarray(column.fillna(-1).to_numpy(dtype=np.int64))


def _int64(values: Ints) -> pd.Series[int]:
    return pd.Series(values, dtype="Int64")


def _nothing(rows: int) -> pd.Series[int]:
    return pd.Series(pd.NA, index=range(rows), dtype="Int64")

"""Hidden memory: every committed page that no mapping of a process shows, by why.

The guide's `k mx vmos hidden` lists VMOs that no process maps. Pages can hide inside mapped VMOs
too: beyond what is mapped, or behind the copies of a clone. Rules: reference/accounting.md
"exact". Bytes; all whole pages.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from magmem.accounting.attribution import Attribution, attribution_of
from magmem.accounting.clones import see_through
from magmem.accounting.knowledge import HIDDEN_NEEDS, require
from magmem.accounting.report import Report, columns_text, grouped, plain_records
from magmem.accounting.sharing import cover, union
from magmem.accounting.unread import unread_of
from magmem.kernel.runs import Ints
from magmem.listing import Listing
from magmem.printable import one_line
from magmem.snapshot import PAGE_BYTES
from magmem.snapshot.columns import integers
from magmem.snapshot.source import Source, snapshot_of

__all__ = ["WHY", "hidden"]

WHY = {
    "handle-only": "no mapping of the VMO; processes have handles to it",
    "kernel-only": "no mapping and no handle: only the kernel knows the VMO",
    "kernel-mapped": "mapped by the kernel's address space alone",
    "shadowed": "seen by clones only, and they have copies of their own in front",
    "unmapped part": "the VMO is mapped, but not where these pages are",
    "somewhere": "in memory, and mapped by nobody that was read; where in the VMO is not told",
}
"""Each reason for which a page may be hidden."""


def hidden(source: Source) -> Listing:
    """Every page that no process's mapping reaches, by VMO and reason.

    Parameters
    ----------
    source : Snapshot or Machine

    Returns
    -------
    Listing
        `df` has one row per VMO and reason: why (a key of `WHY`), id, koid, name, pages,
        size_bytes, handle_only_bytes (of pages that some process has a handle to),
        kernel_only_bytes (of pages that the kernel neither maps nor a process holds), held_by
        (koids of the holders, as text).

    Raises
    ------
    MissingData
        The capture does not know the mappings or pages. Where single processes of a Linux machine
        could not be read, the answer is for all others, and a warning says how much may be theirs.
    """
    snap = snapshot_of(source)
    unread = unread_of(snap, HIDDEN_NEEDS)
    if unread is None:
        require(snap, "hidden", HIDDEN_NEEDS)
    require(snap, "hidden", (), HIDDEN_NEEDS)
    attribution = attribution_of(snap)
    return Report(
        lambda: _frame(attribution),
        lambda table: _text(table, attribution),
        lambda table: _json(table, attribution),
        title=f"hidden memory of {snap.name or 'this machine'}",
        warnings=() if unread is None else (f"hidden: {unread.says}",),
    )


def _frame(attribution: Attribution) -> pd.DataFrame:
    snap = attribution.view.snap
    owner, why, pages, held = _pieces(attribution)
    reasons = list(WHY)
    key = owner * len(reasons) + why
    cells = np.flatnonzero(np.bincount(key, pages, len(snap.vmos) * len(reasons)))
    sums = np.zeros(len(snap.vmos) * len(reasons), np.int64)
    handle = np.zeros_like(sums)
    np.add.at(sums, key, pages)
    np.add.at(handle, key, np.where(held, pages, 0))
    vmo, reason = cells // len(reasons), cells % len(reasons)
    unreached = reason != reasons.index("kernel-mapped")
    handle_only = np.where(unreached, handle[cells], 0) * PAGE_BYTES
    kernel_only = np.where(unreached, sums[cells] - handle[cells], 0) * PAGE_BYTES
    holders = _holders(attribution)
    rows = snap.vmos.iloc[vmo]
    table = pd.DataFrame(
        {
            "why": pd.Categorical.from_codes(reason, categories=reasons),
            "id": rows["id"].to_numpy(),
            "koid": rows["koid"].to_numpy(),
            "name": rows["name"].to_numpy(),
            "pages": sums[cells],
            "size_bytes": sums[cells] * PAGE_BYTES,
            "handle_only_bytes": handle_only,
            "kernel_only_bytes": kernel_only,
            "held_by": [
                " ".join(map(str, holders.get(row, ()))) if size else ""
                for row, size in zip(vmo.tolist(), handle_only.tolist(), strict=True)
            ],
        }
    )
    order = np.lexsort((vmo, -table["size_bytes"].to_numpy(), reason))
    table = table.iloc[order].reset_index(drop=True)
    more = _somewhere(attribution)
    return pd.concat([table, more], ignore_index=True) if len(more) else table


def _somewhere(attribution: Attribution) -> pd.DataFrame:
    """VMOs of which the source tells how much is in memory, but not which pages."""
    snap = attribution.view.snap
    vmos = snap.vmos
    pages = np.bincount(
        integers(snap.pages["vmo"]), integers(snap.pages["page_count"]), len(vmos)
    ).astype(np.int64)
    told = integers(vmos["reported_committed_bytes"]) // PAGE_BYTES
    at = np.flatnonzero(~vmos["pages_known"].to_numpy() & (told > pages))
    if not len(at):
        return pd.DataFrame()  # as of every machine that is known whole; the rest takes 2 ms
    size = (told - pages)[at] * PAGE_BYTES
    handles = snap.handles[snap.handles["vmo"].isin(at)]
    held = handles.groupby(handles["vmo"])["process_koid"].unique().to_dict()
    return pd.DataFrame(
        {
            "why": pd.Categorical(["somewhere"] * len(at), categories=list(WHY)),
            "id": vmos["id"].to_numpy()[at],
            "koid": vmos["koid"].to_numpy()[at],
            "name": vmos["name"].to_numpy()[at],
            "pages": (told - pages)[at],
            "size_bytes": size,
            "handle_only_bytes": np.zeros(len(at), np.int64),
            "kernel_only_bytes": np.zeros(len(at), np.int64),
            "held_by": [" ".join(map(str, sorted(held.get(row, ())))) for row in at.tolist()],
        }
    )


def _pieces(attribution: Attribution) -> tuple[Ints, Ints, Ints, Any]:
    """Hidden ranges cut where anything changes: owner, reason, pages, whether a handle shows it."""
    view = attribution.view
    by_user = union(*attribution.reached_ranges(kernel=False))
    by_kernel = union(*attribution.reached_ranges(kernel=True))
    begin, end = view.begin_page, view.end_page
    chains, total = attribution.chains, view.runs.total_pages
    past_copies = see_through(view, chains, view.vmo, begin, end, copies=False)
    behind = union(past_copies.begin, past_copies.end)
    by_handle = union(*attribution.held_ranges())
    starts, ends = view.runs.owner_begin, view.runs.owner_begin + view.runs.owner_pages
    layers = (by_user, by_kernel, behind, by_handle)
    cuts = np.unique(np.concatenate([starts, ends, *(side for layer in layers for side in layer)]))
    low, pages = cuts[:-1], np.diff(cuts)
    seen, kernel, shadow, held = (cover(*layer, low + 1) > cover(*layer, low) for layer in layers)
    owner = np.searchsorted(starts, low, side="right") - 1
    mapped = view.num_mappings[owner] > 0
    why = np.select(
        [kernel, shadow, mapped, held],
        [list(WHY).index(w) for w in ("kernel-mapped", "shadowed", "unmapped part", "handle-only")],
        list(WHY).index("kernel-only"),
    )
    keep = ~seen & (low < total)
    return owner[keep], why[keep], pages[keep], held[keep]


def _holders(attribution: Attribution) -> dict[int, list[int]]:
    """Koids of the processes whose handles show hidden pages of each VMO."""
    row, owner, begin, end = attribution.held_hidden
    some = begin < end
    koids = attribution.population.koid[row[some]]
    found: dict[int, set[int]] = {}
    for vmo, koid in zip(owner[some].tolist(), koids.tolist(), strict=True):
        found.setdefault(vmo, set()).add(koid)
    return {vmo: sorted(koids) for vmo, koids in found.items()}


def _json(table: pd.DataFrame, attribution: Attribution) -> dict[str, Any]:
    totals = table.groupby("why", observed=False)["size_bytes"].sum()
    holders = attribution.hidden.by_process.fractions
    koids = attribution.population.koid.tolist()
    return {
        "hidden": plain_records(table.astype({"why": str})),
        "by_why": {str(why): int(size) for why, size in totals.items()},
        "by_holder": [
            {"koid": koid, "handle_only": str(size)}
            for koid, size in zip(koids, holders, strict=True)
            if size
        ],
        "total_bytes": int(table["size_bytes"].sum()),
    }


def _text(table: pd.DataFrame, attribution: Attribution) -> str:
    name = one_line(attribution.view.snap.name or "this machine")
    lines = [
        f"Hidden memory of {name}: pages that no process's mapping reaches. Sizes are bytes.",
        "",
    ]
    for why, says in WHY.items():
        rows = table[table["why"] == why]
        if not len(rows):
            continue
        lines.append(f"{grouped(int(rows['size_bytes'].sum()))} {why}: {says}")
        cells = [
            [
                grouped(size),
                "?" if koid is pd.NA else str(koid),
                one_line("" if label is pd.NA else label) or "-",
                held or "-",
            ]
            for size, koid, label, held in zip(
                rows["size_bytes"].tolist(),
                rows["koid"].tolist(),
                rows["name"].tolist(),
                rows["held_by"].tolist(),
                strict=True,
            )
        ]
        heads = ["BYTES", "KOID", "NAME", "HELD BY"]
        lines += [f"  {line}" for line in columns_text(heads, cells, left=2)] + [""]
    lines.append(f"{grouped(int(table['size_bytes'].sum()))} hidden in all")
    return "\n".join([*lines, ""])

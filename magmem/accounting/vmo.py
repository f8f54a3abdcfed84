"""Who sees this VMO's pages: everyone who has, maps or reaches them, and which tools count them.

Rules: reference/accounting.md and reference/tools.md. Sizes are bytes, exact.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from magmem.accounting.account import exact_column
from magmem.accounting.amounts import whole_bytes
from magmem.accounting.attribution import Attribution, attribution_of
from magmem.accounting.clones import see_through
from magmem.accounting.knowledge import HIDDEN_NEEDS, require
from magmem.accounting.report import Report, columns_text, grouped, plain_records
from magmem.accounting.sharing import disjoint, share
from magmem.accounting.sight import find_vmo, vmo_label
from magmem.listing import count, wrapped
from magmem.printable import one_line
from magmem.snapshot import PAGE_BYTES
from magmem.snapshot.columns import integers
from magmem.snapshot.source import Source, snapshot_of

__all__ = ["VmoReport", "vmo"]


class VmoReport(Report):
    """The answer about one VMO.

    Attributes
    ----------
    sentence : str
        The answer in plain words.
    df : pandas.DataFrame
        One row per process (and the kernel) that maps it, holds it or reaches its pages: koid,
        name, mappings and handles of this VMO, clones (how many of its clones the process maps),
        reached_bytes (its pages, each whole), exact_bytes (charged for them), ps_bytes (what ps
        counts for its mappings of this VMO).
    tools : pandas.DataFrame
        One row per tool: tool, size_bytes (as how much it counts the VMO, over all that it
        prints), says.
    hidden_bytes : int
        Its pages that no mapping reaches.
    """

    def __init__(self, attribution: Attribution, row: int) -> None:
        super().__init__(
            lambda: self._rows,
            lambda table: _text(self, table),
            lambda table: {
                "sentence": self.sentence,
                "processes": plain_records(table),
                "tools": plain_records(self.tools),
                "hidden_bytes": self.hidden_bytes,
            },
            title=vmo_label(attribution.view.snap, row),
        )
        rows, reached = _rows(attribution, row)
        alloc = int(attribution.view.committed_bytes[row])
        for name, value in (
            ("_rows", rows),
            ("hidden_bytes", alloc - reached),
            ("tools", _tools(attribution, row, rows)),
            ("sentence", _sentence(attribution, row, rows, alloc - reached)),
        ):
            object.__setattr__(self, name, value)

    sentence: str
    tools: pd.DataFrame
    hidden_bytes: int
    _rows: pd.DataFrame


def vmo(source: Source, koid: int | str) -> VmoReport:
    """Who sees the pages of one VMO, and which tools count them as how much.

    Parameters
    ----------
    source : Snapshot or Machine
    koid : int or str
        Koid of a VMO; for one without a koid its id in the snapshot.

    Raises
    ------
    NoSuchObject
        No such VMO.
    MissingData
        The capture does not know the mappings or pages.
    """
    snap = snapshot_of(source)
    require(snap, "vmo", HIDDEN_NEEDS)
    return VmoReport(attribution_of(snap), find_vmo(snap, koid))


def _rows(attribution: Attribution, row: int) -> tuple[pd.DataFrame, int]:
    """The table, and how many bytes of the VMO some mapping reaches."""
    view, population = attribution.view, attribution.population
    aspace, begin, end = attribution.ranges_of(row)
    begin = disjoint(aspace, begin, end)
    shares = share(begin, end, np.zeros_like(begin), aspace)
    exact = shares.amounts(attribution.aspaces).fractions
    reached = np.zeros(attribution.aspaces, np.int64)
    np.add.at(reached, aspace, (end - begin) * PAGE_BYTES)
    mine = np.flatnonzero(view.vmo == row)
    mappings = np.bincount(view.aspace[mine], minlength=attribution.aspaces)
    below = _descendants(attribution, row)
    cloned = np.flatnonzero(np.isin(view.vmo, below))
    clone_pairs = np.unique(np.stack((view.aspace[cloned], view.vmo[cloned])), axis=1)
    clones = np.bincount(clone_pairs[0], minlength=attribution.aspaces)
    counted = np.zeros(attribution.aspaces, np.int64)
    size = view.mapping_pages[mine] * PAGE_BYTES
    np.add.at(counted, view.aspace[mine], size // view.share_count[row])
    handles = view.snap.handles
    holders = population.rows(
        handles["process_koid"].to_numpy()[
            (integers(handles["vmo"]) == row) & handles["vmo"].notna()
        ]
    )
    held = np.bincount(holders, minlength=len(population))
    space_of = {int(process): at for at, process in enumerate(population.of_aspace) if process >= 0}
    everyone = [
        at for at in range(attribution.aspaces) if mappings[at] or clones[at] or reached[at]
    ]
    rows: list[dict[str, Any]] = []
    for at in everyone:
        process = int(population.of_aspace[at])
        runs = process >= 0 and bool(population.runs[process])
        rows.append(
            {
                "koid": int(population.koid[process]) if process >= 0 else pd.NA,
                "name": population.name[process] if process >= 0 else "kernel",
                "mappings": int(mappings[at]),
                "handles": int(held[process]) if process >= 0 else 0,
                "clones": int(clones[at]),
                "reached_bytes": int(reached[at]),
                "exact_bytes": exact[at],
                "ps_bytes": int(counted[at]) if runs else 0,
            }
        )
    nothing = dict.fromkeys(("mappings", "clones", "reached_bytes", "exact_bytes", "ps_bytes"), 0)
    rows += [
        nothing
        | {
            "koid": int(population.koid[process]),
            "name": population.name[process],
            "handles": int(held[process]),
        }
        for process in np.flatnonzero(held).tolist()
        if space_of.get(process) not in everyone
    ]
    names = ["koid", "name", "mappings", "handles", "clones"]
    table = pd.DataFrame(rows, columns=[*names, "reached_bytes", "exact_bytes", "ps_bytes"])
    table["koid"] = table["koid"].astype("Int64")
    table["exact_bytes"] = exact_column(table["exact_bytes"].tolist())
    return table, shares.covered_pages * PAGE_BYTES


def _descendants(attribution: Attribution, row: int) -> list[int]:
    """Every clone below a VMO."""
    found: list[int] = []
    level = np.array([row])
    while len(level):
        level = np.flatnonzero(np.isin(attribution.chains.parent, level))
        found += level.tolist()
    return found


def _tools(attribution: Attribution, row: int, table: pd.DataFrame) -> pd.DataFrame:
    view, population = attribution.view, attribution.population
    alloc, share_of = int(view.committed_bytes[row]), int(view.share_count[row])
    running = table["koid"].isin(population.koid[population.runs]).to_numpy(dtype=bool)
    mapped = running & (table["mappings"] > 0).to_numpy()
    held = running & (table["handles"] > 0).to_numpy() & ~mapped
    mine = np.flatnonzero(view.vmo == row)
    owner = population.of_aspace[view.aspace[mine]]
    told = (owner >= 0) & population.runs[np.maximum(owner, 0)] if len(population) else owner >= 0
    resident = int(view.mapping_pages[mine[told]].sum()) * PAGE_BYTES
    hidden = not view.mapped_by_user[row]
    area = Fraction(alloc, share_of) * int(mapped.sum())
    area += Fraction(alloc, share_of + 1) * int(held.sum())
    flag = view.snap.vmos["pages_are_wired"].iat[row]
    wired = flag is not pd.NA and bool(flag)
    listed = int((mapped | held).sum())
    rows = [
        ("ps", int(table["ps_bytes"].sum()), f"#shr is {share_of}"),
        ("vmaps", resident, f":res of {count(int(told.sum()), 'mapping')}"),
        ("vmos", alloc * listed, f"alloc, listed by {count(listed, 'process', 'processes')}"),
        ("k mx vmos hidden", alloc if hidden else 0, "not mapped" if hidden else "mapped"),
        ("treemap", area, "areas over all processes"),
        ("kstats -m", alloc, "in wired" if wired else "in VMOs"),
        ("ledger", alloc, "once"),
    ]
    tools = pd.DataFrame(rows, columns=["tool", "size_bytes", "says"])
    tools["size_bytes"] = exact_column([Fraction(size) for size in tools["size_bytes"].tolist()])
    return tools


def _sentence(attribution: Attribution, row: int, table: pd.DataFrame, hidden: int) -> str:
    view, snap = attribution.view, attribution.view.snap
    alloc = int(view.committed_bytes[row])
    label = vmo_label(snap, row)
    parent = int(attribution.chains.parent[row])
    clone = f", a clone of {vmo_label(snap, parent)}," if parent >= 0 else ""
    one, whole = np.array([row]), view.size_pages[row : row + 1]
    seen = see_through(view, attribution.chains, one, np.zeros_like(whole), whole)
    shown = int((seen.end - seen.begin).sum()) * PAGE_BYTES
    if snap.vmos["kind"].iat[row] == "physical":
        return f"{label} is a physical range and uses no RAM."
    reach = int((table["reached_bytes"] > 0).sum())
    words = [f"{label}{clone} owns {alloc:,} bytes of pages"]
    if shown:
        words.append(f" and shows {shown:,} of the VMOs above it")
    if reach:
        spaces = "1 address space reaches" if reach == 1 else f"{reach:,} address spaces reach"
        words.append(f"; {spaces} {alloc - hidden:,} of its own")
    if hidden:
        words.append(f"; no mapping reaches {hidden:,} of them")
    return "".join(words) + "."


def _text(report: VmoReport, table: pd.DataFrame) -> str:
    lines = [wrapped(one_line(report.sentence)), ""]
    exact = whole_bytes([Fraction(size) for size in table["exact_bytes"].tolist()])
    rows = [
        [
            "-" if row.koid is pd.NA else str(row.koid),
            str(row.mappings),
            str(row.handles),
            str(row.clones),
            grouped(row.reached_bytes),
            grouped(size),
            grouped(row.ps_bytes),
            one_line(row.name),
        ]
        for row, size in zip(table.itertuples(index=False), exact, strict=True)
    ]
    if rows:
        heads = ["KOID", "#MAP", "#HANDLE", "#CLONE", "REACHED", "EXACT", "IN PS", "NAME"]
        lines += [*columns_text(heads, rows), ""]
    shown = whole_bytes([Fraction(size) for size in report.tools["size_bytes"].tolist()])
    tools = [
        [grouped(size), f"{tool}: {says}"]
        for size, tool, says in zip(
            shown, report.tools["tool"].tolist(), report.tools["says"].tolist(), strict=True
        )
    ]
    lines += ["As how many bytes each tool counts it:", *columns_text(["BYTES", "TOOL"], tools)]
    return "\n".join([*lines, ""])

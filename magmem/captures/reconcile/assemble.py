"""Many loose rows into the tables of one snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from magmem.captures.reconcile.anonymous import unify_by_looks
from magmem.captures.reconcile.handles import settle_handles
from magmem.captures.reconcile.identity import follow, named_vmos, unify_by_place
from magmem.captures.reconcile.loose import Bundle, Ints, Loose, Origin, Values, concat
from magmem.captures.reconcile.regions import (
    KERNEL,
    Aspaces,
    group_aspaces,
    group_regions,
    settle_aspaces,
    settle_regions,
)
from magmem.captures.reconcile.reports import settle_reports
from magmem.captures.reconcile.settle import Contradictions, Notes, Settler, group_rows
from magmem.captures.reconcile.tasks import named_processes, settle_tasks
from magmem.captures.reconcile.vmos import settle_vmos
from magmem.snapshot import Coverage
from magmem.snapshot.frames import TEXT
from magmem.snapshot.schema import FACETS, TABLES, Column

__all__ = ["assemble", "notes_frame"]


def assemble(
    bundles: Sequence[Bundle], origins: Sequence[Origin], notes: Notes
) -> tuple[dict[str, pd.DataFrame], dict[str, Coverage]]:
    """One row an object, from rows of any origins.

    Parameters
    ----------
    bundles : sequence of Bundle
    origins : sequence of Origin
        What the rows' `origin` numbers mean; earlier ones win.
    notes : Notes
        Takes up what contradicts what.

    Returns
    -------
    tables : mapping of table name to DataFrame
        All but sources and notes.
    coverage : mapping of facet to coverage

    Raises
    ------
    CaptureError
        The rows cannot be of one machine state (a koid of two kinds, a loop of clones).
    """
    contradictions = Contradictions(origins, notes)
    tables = concat(bundles)
    tables = concat([tables, named_processes(tables)])
    frames: dict[str, pd.DataFrame] = {}
    tasks, task_koids = settle_tasks(tables["tasks"], contradictions)
    frames["tasks"] = _frame("tasks", tasks)
    aspaces = group_aspaces(tables["aspaces"], task_koids)
    frames["aspaces"] = _frame(
        "aspaces", settle_aspaces(tables["aspaces"], aspaces, contradictions)
    )
    regions = tables["regions"]
    numbered = group_regions(regions, aspaces)
    leader = _unify_vmos(tables, aspaces, numbered[0], origins, notes)
    vmos, vmo_number, holder = settle_vmos(tables["vmos"], leader, tables["pages"], contradictions)
    frames["vmos"] = _frame("vmos", vmos)
    frames["pages"] = _frame(
        "pages", _runs(tables["pages"], "vmo", _places(holder, tables["vmos"]))
    )
    settled, region_number = settle_regions(regions, vmo_number, numbered, aspaces, contradictions)
    frames["regions"] = _frame("regions", settled)
    frames["entries"] = _frame(
        "entries", _runs(tables["entries"], "region", _entry_places(tables, region_number, origins))
    )
    frames["handles"] = _frame(
        "handles",
        settle_handles(tables["handles"], vmo_number, task_koids, contradictions),
    )
    frames["arenas"] = _frame("arenas", _arenas(tables["arenas"], contradictions))
    frames["kmem"] = _frame("kmem", settle_reports(tables["kmem"], contradictions))
    contradictions.finish()
    return frames, _coverage(frames, origins, tables["aspaces"], aspaces)


def _unify_vmos(
    tables: Mapping[str, Loose],
    aspaces: Aspaces,
    region_number: Ints,
    origins: Sequence[Origin],
    notes: Notes,
) -> Ints:
    vmos, regions = tables["vmos"], tables["regions"]
    leader, anonymous = named_vmos(vmos)
    if not anonymous.any():
        return follow(leader)
    aspace = regions.column("aspace")[0]
    unify_by_place(leader, anonymous, vmos, regions, aspaces.group[aspace])
    leader = follow(leader)
    user = tables["aspaces"].column("kind")[0] != KERNEL
    vmo, mapped = regions.column("vmo")
    shown = np.flatnonzero((region_number >= 0) & mapped)
    shown = shown[np.unique(region_number[shown], return_index=True)[1]]
    # Of dumps that list mappings without addresses, one counts for each address space.
    bare = np.flatnonzero((region_number < 0) & mapped)
    _, first = np.unique(aspaces.group[aspace[bare]], return_index=True)
    chosen = aspace[bare[first]]
    bare = bare[np.isin(aspace[bare], chosen)]
    bare = bare[~np.isin(leader[vmo[bare]], leader[vmo[shown]])]
    rows = np.concatenate([shown, bare])
    mappings = leader[vmo[rows]], user[aspace[rows]]
    count = unify_by_looks(leader, anonymous, vmos, mappings, list(origins))
    if count:
        message = f"{count} VMOs without koid were told apart by name, size and counts"
        notes.add("remark", origins[0].source, "", message)
    return leader


def _frame(table: str, columns: Mapping[str, Values]) -> pd.DataFrame:
    made = {name: _array(values, TABLES[table].columns[name]) for name, values in columns.items()}
    return TABLES[table].frame(made)


def _array(given: Values, column: Column) -> Any:
    values, known = given
    if column.sort == "choice":
        codes = np.where(known, values, -1).astype(np.int64)
        return pd.Categorical.from_codes(codes, dtype=column.dtype)
    if column.sort == "text":
        texts = values.astype(object)
        texts[~known] = None
        return pd.array(texts, dtype=TEXT)
    if column.required:
        return values.astype(column.dtype)
    if column.sort == "bool":
        return pd.arrays.BooleanArray(values.astype(bool), ~known)
    kind = np.uint64 if column.sort == "uint" else np.int64
    return pd.arrays.IntegerArray(np.where(known, values, kind(0)).astype(kind), ~known)


def _places(holder: Ints, rows: Loose) -> Ints:
    """For each loose row the row of the result whose runs it holds, −1 if none."""
    place = np.full(len(rows), -1, np.int64)
    held = np.flatnonzero(holder >= 0)
    place[holder[held]] = held
    return place


def _entry_places(
    tables: Mapping[str, Loose], region_number: Ints, origins: Sequence[Origin]
) -> Ints:
    """The same for regions: the first origin that knows page-table entries tells them."""
    place = np.full(len(region_number), -1, np.int64)
    knows = np.array([o.coverage.get("entries", "absent") != "absent" for o in origins], dtype=bool)
    origin = tables["regions"].origin
    rows = np.flatnonzero((region_number >= 0) & knows[origin])
    rows = rows[np.lexsort((origin[rows], region_number[rows]))]
    first = rows[np.flatnonzero(np.diff(region_number[rows], prepend=-1))]
    place[first] = region_number[first]
    return place


def _runs(rows: Loose, key: str, place: Ints) -> dict[str, Values]:
    if not len(rows):
        return {}
    owner = place[rows.column(key)[0]]
    kept = np.flatnonzero(owner >= 0)
    first = rows.column("first_page")[0]
    kept = kept[np.lexsort((first[kept], owner[kept]))]
    count = rows.column("page_count")[0]
    every = np.ones(len(kept), bool)
    return {
        key: (owner[kept], every),
        "first_page": (first[kept], every),
        "page_count": (count[kept], every),
    }


def _arenas(rows: Loose, contradictions: Contradictions) -> dict[str, Values]:
    base = rows.column("base")[0]
    settler = Settler(
        "arenas", rows, group_rows(base), lambda arena: f"arena {arena}", contradictions
    )
    return {name: settler.column(name) for name in rows.columns}


def _coverage(
    frames: Mapping[str, pd.DataFrame], origins: Sequence[Origin], rows: Loose, aspaces: Aspaces
) -> dict[str, Coverage]:
    """The best any origin knows; whole if the parts add up to the whole."""
    coverage: dict[str, Coverage] = {}
    for facet in FACETS:
        told = {origin.coverage.get(facet, "absent") for origin in origins}
        coverage[facet] = next(c for c in ("complete", "partial", "absent") if c in told)
    tasks = frames["tasks"]
    processes = set(tasks["koid"][tasks["kind"] == "process"])
    owner, owned = rows.column("process_koid")
    shown = aspaces.master[aspaces.master >= 0]
    if (rows.column("kind")[0][shown] == KERNEL).any():
        coverage["kernel mappings"] = "complete"
    if coverage["processes"] == "complete":
        if processes and processes <= set(owner[shown[owned[shown]]].tolist()):
            coverage["mappings"] = "complete"
        whole = set().union(*(origin.whole_handles for origin in origins))
        told = frames["handles"]["process_koid"].value_counts()
        counted = tasks[(tasks["reported_handles"] == tasks["koid"].map(told).fillna(0))]
        whole |= set(counted["koid"])
        if processes and processes <= whole:
            coverage["handles"] = "complete"
    known = frames["vmos"]["pages_known"]
    if coverage["vmos"] == "complete" and known.all():
        coverage["pages"] = "complete"
    elif known.any() and coverage["pages"] == "absent":
        coverage["pages"] = "partial"
    return coverage


def notes_frame(notes: Notes) -> pd.DataFrame:
    """The notes table."""
    kinds = TABLES["notes"].columns["kind"].choices
    rows = notes.rows
    return TABLES["notes"].frame(
        {
            "kind": np.array([kinds.index(row[0]) for row in rows], dtype=np.int64),
            "source": [row[1] for row in rows],
            "place": [row[2] for row in rows],
            "message": [row[3] for row in rows],
        }
    )

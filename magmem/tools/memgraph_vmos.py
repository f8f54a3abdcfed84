"""The VMOs of each process in `memgraph -v`: ``vmos`` and ``vmo_refs``.

Layout: reference/tools.md "memgraph". One entry per handle and per mapping, repeats included.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from magmem.errors import MissingData
from magmem.kernel.tasks import runs
from magmem.kernel.vmos import references, vmo_facts
from magmem.snapshot import Snapshot
from magmem.snapshot.columns import integers
from magmem.tools import columns
from magmem.tools.json_members import members, quoted
from magmem.tools.vmo_rows import RIGHTS

__all__ = ["vmo_members"]

FACTS = (
    "size_bytes",
    "parent_koid",
    "num_children",
    "num_mappings",
    "share_count",
    "committed_bytes",
)


def vmo_members(snap: Snapshot) -> tuple[dict[int, str], dict[int, int]]:
    """By koid of each readable process: its VMOs as JSON members, and how many references.

    Raises
    ------
    MissingData
        The capture knows neither handles nor mappings.
    """
    refs = references(snap)
    if not len(refs) and not snap.knows("handles", "mappings"):
        raise MissingData("memgraph -v", "VMOs", "the handles and mappings of every process")
    readable = snap.tasks["koid"][runs(snap) & (snap.tasks["koid"] != snap.memgraph_self_koid)]
    refs = refs[refs["process_koid"].isin(readable)].reset_index(drop=True)
    entries = _entries(snap, refs)
    vias = _vias(refs)
    holder = refs["process_koid"].to_numpy()
    bounds = [*np.flatnonzero(np.diff(holder, prepend=-1)).tolist(), len(refs)]
    blocks, counts = {}, {}
    for start, end in pairwise(bounds):
        vmo_text, ref_text = ",\n".join(entries[start:end]), ",\n".join(vias[start:end])
        koid = int(holder[start])
        blocks[koid] = f',\n   "vmos": [\n{vmo_text} \n   ],\n   "vmo_refs": [\n{ref_text} \n   ]'
        counts[koid] = end - start
    return blocks, counts


def _entries(snap: Snapshot, refs: pd.DataFrame) -> list[str]:
    """The VMO of each reference; the text is made once per VMO."""
    distinct, place = np.unique(refs["vmo"].to_numpy(), return_inverse=True)
    facts = vmo_facts(snap).reindex(distinct).reset_index(drop=True)
    # memgraph says 0 for no parent and for one without koid; a reader of it cannot know which.
    either = facts["is_clone"].isna() & facts["parent_koid"].isna() & facts["share_count"].notna()
    no_clone = facts["is_clone"].eq(False).fillna(False) | either
    names = [f'"name": {quoted(name)}' for name in facts["name"].fillna("").tolist()]
    facts["parent_koid"] = facts["parent_koid"].mask(no_clone, 0)
    fields = {name: columns.integers(facts[name]) for name in FACTS}
    rest = [
        f"{name}, {members}" if members else name
        for name, members in zip(names, members(fields), strict=True)
    ]
    koids = members({"koid": columns.integers(refs["koid"])})
    return [
        f"      {{{koid}, {rest[at]}}}" if koid else f"      {{{rest[at]}}}"
        for koid, at in zip(koids, place.tolist(), strict=True)
    ]


def _vias(refs: pd.DataFrame) -> list[str]:
    rights = [", ".join(f'"{name}"' for _, name, bit in RIGHTS if mask & bit) for mask in range(64)]
    told = refs["rights"].notna().tolist()
    masks = (integers(refs["rights"]) & 63).tolist()
    held = (refs["via"] == "handle").tolist()
    koids = members({"vmo_koid": columns.integers(refs["koid"])})
    lines = []
    for koid, by_handle, tells, mask in zip(koids, held, told, masks, strict=True):
        via = '"via": ["HANDLE"]' if by_handle else '"via": ["MAPPING"]'
        if tells:
            via += f', "handle_rights": [{rights[mask]}]'
        lines.append(f"      {{{koid}, {via}}}" if koid else f"      {{{via}}}")
    return lines

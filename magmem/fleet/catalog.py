"""Which batches a fleet has at this moment, and the files of each.

A batch is there if its ``captures`` file is. One whose name begins with ``c-`` was made of others
(by compaction, forgetting or a refresh) and names them in its footer: they are left out from the
moment it is there, and deleted afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from magmem.fleet.parquet import connect
from magmem.fleet.place import Place
from magmem.fleet.tables import LAYOUT, TABLES

__all__ = ["Catalog", "catalog_of", "facts_path", "replaced_by"]

_FACTS = re.compile(r"facts-(\d+)")


@dataclass(frozen=True)
class Catalog:
    """The batches of one moment.

    Attributes
    ----------
    batches : mapping of str to int
        Each batch that counts, and its layout.
    sizes : mapping of str to int
        Bytes of its ``captures`` file.
    files : mapping of str to list of str
        For each table the paths of the batches' files.
    replaced : mapping of str to int
        Batches that another stands for, and their layouts: still there, left out.
    orphans : tuple of str
        Fact files of batches without ``captures``: of writers that are at work, or were killed.
    """

    batches: Mapping[str, int]
    sizes: Mapping[str, int]
    files: Mapping[str, list[str]]
    replaced: Mapping[str, int]
    orphans: tuple[str, ...]


def facts_path(layout: int, table: str, batch: str) -> str:
    """Where a table of a batch lies."""
    return f"facts-{layout}/{table}/{batch}.parquet"


def catalog_of(place: Place) -> Catalog:
    """Look at what is there."""
    layouts = [int(m[1]) for name in place.folders() if (m := _FACTS.fullmatch(name))]
    layouts = sorted((layout for layout in layouts if layout <= LAYOUT), reverse=True)
    # The tables first: a batch that is written meanwhile is seen whole in the second look.
    captures = {layout: place.names(f"facts-{layout}/captures", ".parquet") for layout in layouts}
    stems = {
        (layout, table): set(place.names(f"facts-{layout}/{table}", ".parquet"))
        for layout in layouts
        for table in TABLES
        if table != "captures"
    }
    found: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for layout in layouts:
        for batch, size in captures[layout].items():
            if batch not in found:
                found[batch], sizes[batch] = layout, size
    replaced: dict[str, int] = {}
    made = [name for name in found if name.startswith("c-")]
    for layout, batch, olds in replaced_by(place, {name: found[name] for name in made}):
        for old in olds:
            if old in found and (old != batch or layout != found[old]):
                replaced[old] = found[old]
    batches = {name: layout for name, layout in sorted(found.items()) if name not in replaced}
    files = {
        table: [
            place.url(facts_path(layout, table, batch))
            for batch, layout in batches.items()
            if table == "captures" or batch in stems[layout, table]
        ]
        for table in TABLES
    }
    orphans = tuple(
        facts_path(layout, table, batch)
        for (layout, table), names in stems.items()
        for batch in sorted(names)
        if batch not in captures[layout]
    )
    return Catalog(batches, sizes, files, replaced, orphans)


def replaced_by(place: Place, batches: Mapping[str, int]) -> list[tuple[int, str, list[str]]]:
    """For each batch its layout, name, and the batches it stands for, from its footer."""
    if not batches:
        return []
    reader = connect(threads=1)
    if not place.is_local:
        reader.register_filesystem(place.fs)
    result = []
    for batch, layout in batches.items():
        path = place.url(facts_path(layout, "captures", batch))
        rows = reader.execute("SELECT key, value FROM parquet_kv_metadata(?)", [path]).fetchall()
        footer = {bytes(key).decode(): bytes(value).decode() for key, value in rows}
        result.append((layout, batch, footer.get("replaces", "").split()))
    return result

"""Facts derived anew from originals, when a newer magmem derives more or other ones."""

from __future__ import annotations

from collections.abc import Callable

from magmem import __version__
from magmem.fleet.batch import Item, Job, batch_name, work
from magmem.fleet.catalog import facts_path
from magmem.fleet.engine import Engine
from magmem.fleet.parquet import text
from magmem.fleet.place import Place
from magmem.fleet.policy import Policy
from magmem.fleet.tables import LAYOUT
from magmem.fleet.upkeep import delete

__all__ = ["refresh"]


def refresh(
    place: Place,
    policy: Policy,
    engine: Engine,
    every: bool,
    progress: Callable[[int, int], object] | None,
) -> int:
    """Write new batches for those whose facts another version of magmem, or of the layout, made.

    Returns
    -------
    int
        Captures that were derived anew; those without an original keep their facts.
    """
    condition = "true" if every else f"magmem IS DISTINCT FROM {text(__version__)}"
    found = engine.query(
        "SELECT DISTINCT parse_filename(_file, true) AS batch FROM _captures "
        f"WHERE {condition} OR _file NOT LIKE '%/facts-{LAYOUT}/%' ORDER BY 1"
    )
    done = 0
    for number, (batch,) in enumerate(found):
        items, whole = _items(place, engine, batch)
        if not whole:
            continue
        name = "c-" + batch_name([item.capture_id for item in items], f"{batch} {__version__}")
        old = (batch, engine.catalog.batches[batch])
        work(Job(place, policy, None, items, place.options, (batch,), name))
        delete(place, [old])
        done += len(items)
        if progress:
            progress(number + 1, len(found))
    return done


def _items(place: Place, engine: Engine, batch: str) -> tuple[list[Item], bool]:
    """The captures of a batch with their bytes, and whether every one has them."""
    path = facts_path(engine.catalog.batches[batch], "captures", batch)
    # Its own file: the view names batches that are deleted by now.
    scan = f"read_parquet({text(place.url(path))})"
    there = {row[0] for row in engine.query(f"DESCRIBE SELECT * FROM {scan}")}
    labels = [name for name in ("device", "build", "captured_at", *engine.further) if name in there]
    names = ", ".join(f'"{label}"' for label in labels)
    rows = engine.query(
        f"SELECT capture_id, source, sha256, source_bytes, original, {names} FROM {scan}"
    )
    packs = {row[4] for row in rows}
    if None in packs:
        return [], False
    data: dict[str, bytes] = {}
    for pack in packs:
        url = text(place.url(f"originals/{pack}.parquet"))
        data |= dict(engine.query(f"SELECT capture_id, bytes FROM read_parquet({url})"))
    items = []
    for capture_id, source, sha256, size, original, *values in rows:
        known = {
            name: value.isoformat() if name == "captured_at" else value
            for name, value in zip(labels, values, strict=True)
            if value is not None
        }
        item = Item(source, known, capture_id, sha256, size, data[capture_id])
        item.original = original
        items.append(item)
    return items, True

"""What may be added to a fleet: files, folders, patterns, URLs, snapshots, machines, generators."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from magmem.errors import CaptureError
from magmem.fleet.batch import Item, read_bytes
from magmem.fleet.errors import FleetError
from magmem.fleet.labels import Labels, cleaned
from magmem.fleet.policy import Aliases
from magmem.snapshot.source import snapshot_of

__all__ = ["hashed", "items_of"]


def items_of(
    sources: Any, label: Callable[[str], Labels], options: Mapping[str, Any]
) -> Iterator[Item | tuple[Item, Exception]]:
    """Every capture that `sources` means, with its labels; not read yet.

    Parameters
    ----------
    sources
        A path or pattern (``**`` for folders below), a folder, a URL or pattern of fsspec, a
        Snapshot or Machine, something with a `snapshot` method and `labels`, a pair of one of
        these and its labels, or an iterable of such.
    label : callable
        Gives a path its labels.
    options : mapping
        For fsspec.

    Yields
    ------
    Item, or an item and why it has no labels.
    """
    for source, own in _flat(sources):
        if isinstance(source, (str, PathLike)):
            for path in _paths(fspath(source), options):
                try:
                    labels = cleaned(own) if own is not None else label(path)
                except (ValueError, KeyError) as error:
                    wrong = CaptureError(path, "its labels", *_said(error))
                    yield Item(path, {}), wrong
                else:
                    yield Item(path, labels)
        else:
            yield _from_memory(source, own)


def _said(error: Exception) -> tuple[str, str]:
    message = str(error.args[0] if error.args else error)
    expected, _, found = message.partition(", found ")
    return expected.removeprefix("expected "), found or "none"


def _flat(sources: Any) -> Iterator[tuple[Any, Mapping[str, Any] | None]]:
    if isinstance(sources, tuple) and len(sources) == 2 and isinstance(sources[1], Mapping):
        yield sources
    elif (
        isinstance(sources, (str, PathLike))
        or callable(getattr(sources, "snapshot", None))
        or hasattr(sources, "coverage")
    ):
        yield sources, None
    elif isinstance(sources, Iterable):
        for source in sources:
            yield from _flat(source)
    else:
        raise FleetError(
            "expected captures as paths, folders, URLs, snapshots or machines, "
            f"found {type(sources).__name__}"
        )


def _paths(source: str, options: Mapping[str, Any]) -> Iterator[str]:
    if "://" in source:
        import fsspec

        fs, path = fsspec.core.url_to_fs(source, **options)
        found = sorted(fs.glob(path)) if glob.has_magic(path) else [path]
        if fs.isdir(path):
            found = sorted(fs.find(path))
        protocol = source.split("://", 1)[0]
        yield from (f"{protocol}://{one.lstrip('/')}" for one in found)
        return
    path = Path(source)
    if path.is_dir():
        yield from (
            str(one)
            for one in sorted(path.rglob("*"))
            if one.is_file() and not one.name.startswith(".")
        )
    elif glob.has_magic(source) and not path.exists():
        found = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 (Path.glob has no roots)
        yield from (one for one in found if Path(one).is_file())
    else:
        yield source


def _from_memory(source: Any, own: Mapping[str, Any] | None) -> Item:
    from magmem.captures import dump_machine

    labels = cleaned(own if own is not None else getattr(source, "labels", None) or {})
    snap = snapshot_of(source)
    name = getattr(source, "path", None) or snap.name or "snapshot"
    return Item(str(name), labels, data=dump_machine(snap).encode(), snap=snap)


def hashed(item: Item, aliases: Aliases, options: Mapping[str, Any]) -> Exception | None:
    """Fill in an item's hashes and size; returns why it cannot be read, if so.

    The id is 128 bits of SHA-256 over the labels as canonical JSON, NUL, and the bytes: the same
    capture of the same device is one capture, wherever it lies.
    """
    try:
        data = item.data if item.data is not None else read_bytes(item.source, options)
    except OSError as error:
        return CaptureError(item.source, "", "a readable file", error.strerror or str(error))
    head = json.dumps(item.labels, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    item.capture_id = aliases.digest(head.encode("utf-8", "surrogatepass") + b"\0" + data)[:32]
    item.sha256 = aliases.digest(data)
    item.size_bytes = len(data)
    return None

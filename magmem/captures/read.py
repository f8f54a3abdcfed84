"""`read_capture`: any capture, its kind detected from the content, several of them merged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import pandas as pd

from magmem.captures.detect import KINDS, documents, json_kind
from magmem.captures.json_text import Note
from magmem.captures.source import Source, load_source, readable_text
from magmem.errors import CaptureError
from magmem.snapshot import TABLES, Snapshot

__all__ = ["LIVE", "read_capture"]

LIVE = "live"
"""The source that is this Linux machine itself."""


def read_capture(
    *sources: str | PathLike[str],
    name: str = "",
    progress: Callable[[int, int], object] | None = None,
) -> Snapshot:
    """Read captures of one machine state into a snapshot.

    Parameters
    ----------
    *sources : str or path
        Each a file, ``-`` for standard input, or the name of a dataset that ships; a file that
        exists wins over a dataset. Files may be packed by gzip. Several sources are merged by
        koid and address; where they contradict each other the notes table says so. The word
        ``live`` is this Linux machine, as `magmem.capture_linux` sees it now; a file of that name
        is ``./live``. A folder or tar ball is a proc file system that was saved.
    name : str
        What to call the state; empty for what the capture calls itself, else its file's name.
    progress : callable, optional
        While ``live`` is read, called with how many processes are read and how many there are.

    Returns
    -------
    Snapshot
        Its `coverage`, `sources` and `notes` say what is known, whence, and what was repaired.

    Raises
    ------
    CaptureError
        A source is missing, damaged or of no known kind; names the file and line or record.
    TypeError
        No source is given.

    Examples
    --------
    >>> import magmem
    >>> magmem.read_capture("small-machine").root_job_koid
    1028
    """
    if not sources:
        raise TypeError("read_capture needs a file, a dataset name or -")
    snapshots = [_read_one(source, progress) for source in sources]
    names = [
        snap.name or Path(source).name for snap, source in zip(snapshots, sources, strict=True)
    ]
    label = name or " + ".join(dict.fromkeys(names))
    if len(snapshots) > 1:
        from magmem.captures.merge import merge

        return merge(snapshots, label)
    return snapshots[0] if snapshots[0].name == label else snapshots[0].renamed(label)


def _read_one(
    source: str | PathLike[str], progress: Callable[[int, int], object] | None
) -> Snapshot:
    if source == LIVE:
        from magmem.linux.capture import capture_linux

        return capture_linux(progress=progress)
    if source not in ("", "-"):
        from magmem.linux.saved import is_saved_tree, read_saved_tree

        if is_saved_tree(Path(source)):
            return read_saved_tree(Path(source), progress)
    return _read(load_source(source))


def _read(source: Source) -> Snapshot:
    series = documents(source)
    if len(series) > 1:
        return _with_notes(
            _read(Source(source.name, series[-1])), [_series_note(source, len(series))]
        )
    kind = json_kind(source)
    if kind is not None:
        return kind.parse(source.data, source.name)
    from magmem.captures.transcript import read_transcript

    text, notes = readable_text(source)
    try:
        snap: Snapshot = read_transcript(text, source.name)
    except CaptureError as error:
        if error.place:
            raise
        expected = f"{KINDS}, or {error.expected}"
        raise CaptureError(source.name, "", expected, error.found) from None
    return _with_notes(snap, notes)


def _series_note(source: Source, count: int) -> Note:
    message = (
        f"this file holds {count} captures, one after the other; the last is read. "
        f"For the first: jq -s '.[0]' {source.name} > first.json"
    )
    return "remark", source.name, f"capture {count} of {count}", message


def _with_notes(snap: Snapshot, notes: Sequence[Note]) -> Snapshot:
    if not notes:
        return snap
    columns = zip(("kind", "source", "place", "message"), zip(*notes, strict=True), strict=True)
    frame = TABLES["notes"].frame({key: list(values) for key, values in columns})
    return dataclasses.replace(snap, notes=pd.concat([snap.notes, frame], ignore_index=True))

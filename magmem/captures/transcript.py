"""Text transcripts: whatever memory tools printed to a console, one dump or many.

Lines are cleaned of what the console adds, then offered to the open dump. A line it refuses may be
a command line or begin another dump; everything else is console noise, counted and noted. All dumps
of a text are taken to be of one machine state and are merged as `magmem.captures.merge` says.
Cost: linear in the text, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from magmem.captures.formats import FORMATS
from magmem.captures.formats.trust import trusted
from magmem.captures.reading.lines import split_lines
from magmem.captures.reading.loop import Noise, read_lines
from magmem.captures.reading.session import Session
from magmem.captures.reconcile.assemble import assemble, notes_frame
from magmem.captures.reconcile.loose import Bundle, concat
from magmem.captures.reconcile.tasks import named_processes
from magmem.errors import CaptureError, SnapshotError
from magmem.snapshot import Snapshot
from magmem.snapshot.schema import TABLES

__all__ = ["read_batches", "read_transcript"]

_STAMP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z")


def read_transcript(text: str, source: str) -> Snapshot:
    """A snapshot of what a console session tells.

    Parameters
    ----------
    text : str
        The session: any number of dumps of any kind, in any order, with anything between them.
    source : str
        What to call it in errors and notes.

    Raises
    ------
    CaptureError
        No dump is found, or a line of one cannot be read, or the dumps cannot be of one machine.
    """
    return read_batches([split_lines(text)], source)


def read_batches(batches: Iterable[Sequence[str]], source: str) -> Snapshot:
    """The same from a text that comes some lines at a time, none of which is kept."""
    session = Session(source)
    noise = read_lines(batches, session, FORMATS)
    if not session.origins:
        raise _nothing(source, noise)
    session.finish()
    if noise.count:
        lines = "1 line is" if noise.count == 1 else f"{noise.count} lines are"
        session.note("skipped", noise.first, f"{lines} part of no dump")
    bundles = [session.tables.bundle(), *(one.bundle() for one in session.readers.values())]
    _not_empty(session)
    return _snapshot(session, trusted(bundles, session))


def _nothing(source: str, noise: Noise) -> CaptureError:
    """No dump was found: what the text looks like, else all that it might have been."""
    if noise.best is not None:
        one = noise.best
        expected = f"a header of {one.name} (it looks like one, but {one.why})"
        return CaptureError(source, f"line {one.line}", expected, one.text.strip())
    kinds = ", ".join(one.name for one in FORMATS)
    return CaptureError(source, "", f"the output of one of {kinds}", noise.text or "nothing")


def _not_empty(session: Session) -> None:
    if len(session.empty) == len(session.origins):
        first = session.origins[0]
        expected = f"what {first.dump} lists, below the line it begins with"
        raise session.error(first.last_line, expected, "nothing that belongs to it")


def _snapshot(session: Session, bundles: list[Bundle]) -> Snapshot:
    frames, coverage = assemble(bundles, session.origins, session.notes)
    frames["sources"] = _sources(session, bundles)
    frames["notes"] = notes_frame(session.notes)
    try:
        return Snapshot.of(
            frames,
            coverage=coverage,
            root_job_koid=session.root_job_koid,
            timestamp=_seconds(session.timestamp_iso),
            timestamp_iso=session.timestamp_iso,
        )
    except SnapshotError as error:
        raise CaptureError(session.source, error.place, error.expected, error.found) from error


def _sources(session: Session, bundles: list[Bundle]) -> pd.DataFrame:
    """A row for each dump, with the tables that have rows of it."""
    filled: list[list[str]] = [[] for _ in session.origins]
    empty = np.zeros(0, np.int64)
    # Address spaces and handles tell that their process exists.
    bundles = [*bundles, *(named_processes(concat([bundle])) for bundle in bundles)]
    for name in TABLES:
        told = [bundle[name].origin for bundle in bundles if name in bundle]
        for at in np.unique(np.concatenate([empty, *told])).tolist():
            filled[at].append(name)
    origins = session.origins
    return TABLES["sources"].frame(
        {
            "source": [origin.source for origin in origins],
            "dump": [origin.dump for origin in origins],
            "first_line": [origin.first_line for origin in origins],
            "last_line": [origin.last_line for origin in origins],
            "tables": [" ".join(tables) for tables in filled],
            "rounded": [origin.rounded for origin in origins],
        }
    )


def _seconds(iso: str) -> tuple[int, int] | None:
    """Seconds and nanoseconds of a printed UTC time."""
    match = _STAMP.fullmatch(iso)
    if match is None:
        return None
    try:
        whole = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(whole.timestamp()), int((match[2] or "").ljust(9, "0"))

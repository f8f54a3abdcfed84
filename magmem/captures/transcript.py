"""Text transcripts: whatever memory tools printed to a console, one dump or many.

Lines are cleaned of what the console adds, then offered to the open dump. A line it refuses may be
a command line or begin another dump; everything else is console noise, counted and noted. All dumps
of a text are taken to be of one machine state and are merged as `magmem.captures.merge` says.
Cost: linear in the text, whatever it holds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from magmem.captures.facts.assemble import assemble, notes_frame
from magmem.captures.facts.loose import Bundle, concat
from magmem.captures.facts.tasks import named_processes
from magmem.captures.transcripts import READERS, Reader, Session
from magmem.captures.transcripts.commands import command_of
from magmem.captures.transcripts.lines import (
    is_elision,
    is_silent,
    split_lines,
    unprefixed,
    without_noise,
)
from magmem.errors import CaptureError, SnapshotError
from magmem.snapshot import Snapshot
from magmem.snapshot.schema import TABLES

__all__ = ["read_transcript"]

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
    session = Session(source)
    readers = [kind(session) for kind in READERS]
    noise = _read_lines(split_lines(text), session, readers)
    for reader in readers:
        reader.close()
    if not session.origins:
        kinds = ", ".join(kind.names for kind in READERS)
        found = next((line for line in text[:2000].split("\n") if line.strip()), "nothing")
        raise CaptureError(source, "", f"the output of one of {kinds}", found)
    session.finish_repairs()
    if noise:
        lines = "1 line is" if len(noise) == 1 else f"{len(noise)} lines are"
        session.note("skipped", noise[0], f"{lines} part of no dump")
    return _snapshot(session, [reader.bundle() for reader in readers])


def _read_lines(lines: list[str], session: Session, readers: list[Reader]) -> list[int]:
    """Give each line to the dump it is of; returns the numbers of the rest.

    Dumps may be open side by side, the last used first: a kernel log interrupts other output.
    """
    open_dumps: list[Reader] = []
    noise: list[int] = []
    for number, raw in enumerate(lines, 1):
        line = unprefixed(raw) if raw[:1] in ("[", "]") else raw
        taker = _taker(open_dumps, line, number)
        if taker is not None:
            if open_dumps[0] is not taker:
                open_dumps.remove(taker)
                open_dumps.insert(0, taker)
            if taker.origin is None:
                open_dumps.remove(taker)
            continue
        if is_silent(line):
            continue
        if is_elision(line):
            if open_dumps:
                open_dumps[0].elide(number)
            continue
        command = command_of(line)
        if command is not None:
            for reader in open_dumps:
                reader.close()
            open_dumps.clear()
            session.command = command
            continue
        opener = _opener(readers, line, number)
        if opener is None:
            noise.append(number)
        else:
            if opener in open_dumps:
                open_dumps.remove(opener)
            open_dumps.insert(0, opener)
    return noise


def _taker(open_dumps: list[Reader], line: str, number: int) -> Reader | None:
    """The open dump that the line is of."""
    for reader in open_dumps:
        if _takes(reader, line, number):
            return reader
    return None


def _takes(reader: Reader, line: str, number: int) -> bool:
    """Whether the open dump reads the line, if need be without some ``] `` of the console in it."""
    try:
        return reader.take(line, number) or ("] " in line and _takes_cleaned(reader, line, number))
    except CaptureError:
        if not _takes_cleaned(reader, line, number):
            raise
        return True


def _takes_cleaned(reader: Reader, line: str, number: int) -> bool:
    for cleaner in without_noise(line):
        try:
            if reader.take(cleaner, number):
                reader.session.repair(number, "console noise inside the line is taken out")
                return True
        except CaptureError:
            continue
    return False


def _opener(readers: list[Reader], line: str, number: int) -> Reader | None:
    """The reader for which the line begins a dump."""
    for reader in readers:
        try:
            if reader.opens(line, number):
                return reader
        except CaptureError:
            if reader.origin is None or not _takes_cleaned(reader, line, number):
                raise
            return reader
    return None


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

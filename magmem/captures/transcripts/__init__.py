"""Readers of the text that memory tools print, one kind of dump a module."""

from __future__ import annotations

from magmem.captures.transcripts.arenas import ArenasReader
from magmem.captures.transcripts.asd import AsdReader
from magmem.captures.transcripts.kernel_tasks import HandlesReader, JobsReader, ProcessesReader
from magmem.captures.transcripts.kstats import KstatsReader
from magmem.captures.transcripts.oom import OomReader
from magmem.captures.transcripts.ps import PsReader
from magmem.captures.transcripts.session import Reader, Session
from magmem.captures.transcripts.threads import ThreadsReader
from magmem.captures.transcripts.vmaps import VmapsReader
from magmem.captures.transcripts.vmos import VmosReader

__all__ = ["READERS", "Reader", "Session"]

READERS: tuple[type[Reader], ...] = (
    PsReader,
    VmapsReader,
    VmosReader,
    ProcessesReader,
    JobsReader,
    HandlesReader,
    KstatsReader,
    AsdReader,
    ArenasReader,
    OomReader,
    ThreadsReader,
)
"""Every kind of dump, in the order they are tried."""

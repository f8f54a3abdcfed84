"""Every kind of capture that magmem reads, one module a format.

`FORMATS` is the one list of them: detection scores them, error messages name them, and the tests
that hurt input take each of them up. The order is the order in which they are tried.
"""

from __future__ import annotations

from magmem.captures.formats.arenas import ArenasReader
from magmem.captures.formats.asd import AsdReader
from magmem.captures.formats.k_ps import K_PS
from magmem.captures.formats.kernel_tasks import HandlesReader, JobsReader
from magmem.captures.formats.kstats import KSTATS
from magmem.captures.formats.oom import OomReader
from magmem.captures.formats.procrank import PROCRANK
from magmem.captures.formats.ps import PS
from magmem.captures.formats.threads import ThreadsReader
from magmem.captures.formats.vmaps import VmapsReader
from magmem.captures.formats.vmos import VmosReader
from magmem.captures.reading.dump import TextFormat
from magmem.captures.reading.reader import ReaderFormat

__all__ = ["FORMATS"]

FORMATS: tuple[TextFormat, ...] = (
    PS,
    ReaderFormat(VmapsReader),
    ReaderFormat(VmosReader),
    K_PS,
    ReaderFormat(JobsReader),
    ReaderFormat(HandlesReader),
    KSTATS,
    ReaderFormat(AsdReader),
    ReaderFormat(ArenasReader),
    ReaderFormat(OomReader),
    ReaderFormat(ThreadsReader),
    PROCRANK,
)
"""Every kind of dump in a text, in the order they are tried."""

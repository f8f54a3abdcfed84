"""Every kind of capture that magmem reads, one module a format.

`FORMATS` is the one list of them: detection scores them, error messages name them, and the tests
that hurt input take each of them up. The order is the order in which they are tried.
"""

from __future__ import annotations

from magmem.captures.formats.arenas import ArenasReader
from magmem.captures.formats.asd import AsdReader
from magmem.captures.formats.bugreport import BUGREPORT
from magmem.captures.formats.dumpsys import DUMPSYS, DUMPSYS_APP, DUMPSYS_COMPACT
from magmem.captures.formats.ffx_text import FFX_TEXT
from magmem.captures.formats.k_ps import K_PS
from magmem.captures.formats.kernel_lines import BOOT_ARENAS, KERNEL_HEAP, MEMORY_PRESSURE
from magmem.captures.formats.kernel_tasks import HandlesReader, JobsReader
from magmem.captures.formats.kstats import KSTATS
from magmem.captures.formats.linux_cgroup import CGROUP
from magmem.captures.formats.linux_files import LINUX_FILES
from magmem.captures.formats.linux_oom import LINUX_OOM
from magmem.captures.formats.linux_tables import FREE, LINUX_PS, PS_MEM, SMEM
from magmem.captures.formats.mem_text import MEM_CSV, MEM_SUMMARY
from magmem.captures.formats.oom import OomReader
from magmem.captures.formats.procrank import PROCRANK
from magmem.captures.formats.ps import PS
from magmem.captures.formats.showmap import LIBRANK, SHOWMAP
from magmem.captures.formats.smaps import SMAPS
from magmem.captures.formats.threads import ThreadsReader
from magmem.captures.formats.vmaps import VmapsReader
from magmem.captures.formats.vmos import VmosReader
from magmem.captures.formats.zxdb import ZXDB_ASPACE
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
    BUGREPORT,
    *LINUX_FILES,
    SMAPS,
    SMEM,
    LINUX_PS,
    PS_MEM,
    FREE,
    SHOWMAP,
    LIBRANK,
    DUMPSYS,
    DUMPSYS_APP,
    DUMPSYS_COMPACT,
    CGROUP,
    LINUX_OOM,
    FFX_TEXT,
    MEM_SUMMARY,
    ZXDB_ASPACE,
    KERNEL_HEAP,
    BOOT_ARENAS,
    MEMORY_PRESSURE,
    MEM_CSV,  # bare numbers between commas: whatever else takes such a line goes first
)
"""Every kind of dump in a text, in the order they are tried."""

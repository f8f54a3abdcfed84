"""`kstats -m`: reports of the kernel's memory statistics, one after the other.

The header tells the columns: mid-2017 prints seven, September 2017 eight. kheap is the heap less
its free bytes; the table holds the whole heap.
"""

from __future__ import annotations

import re
from typing import Any

from magmem.captures.reading.cells import size
from magmem.captures.reading.dump import MOST
from magmem.captures.reading.layout import Header
from magmem.captures.reading.rows import Rounded
from magmem.captures.reading.text_table import TableDump, TextTable

__all__ = ["KSTATS"]

COLUMNS = {
    "total": "total_bytes",
    "free": "free_bytes",
    "VMOs": "vmo_bytes",
    "kheap": "total_heap_bytes",
    "kfree": "free_heap_bytes",
    "wired": "wired_bytes",
    "mmu": "mmu_overhead_bytes",
    "other": "other_bytes",
}


def _whole_heap(
    dump: TableDump, values: dict[str, Any], _cells: dict[str, str], number: int
) -> None:
    dump.session.timestamp_iso = dump.lead.get("timestamp") or dump.session.timestamp_iso
    used, unused = values.pop("total_heap_bytes", None), values.get("free_heap_bytes")
    if used is not None and unused is not None:
        if used + unused > MOST:
            raise dump.error(number, "a heap below 8E", f"{used + unused} bytes")
        slack = getattr(used, "slack", 0) + getattr(unused, "slack", 0)
        values["total_heap_bytes"] = Rounded(used + unused, slack)


def _expected(dump: TableDump, _line: str) -> str:
    headings = [one.heading for one in dump.layout.fields] if dump.layout is not None else []
    return f"{len(headings)} sizes: {', '.join(headings)}"


def _at_end(dump: TableDump) -> None:
    """Whole if the last report has every column."""
    if dump.rows:
        whole = dump.told.keys() >= set(COLUMNS.values())
        dump.origin.coverage["kmem"] = "complete" if whole else "partial"


KSTATS = TextTable(
    "kstats -m",
    table="kmem",
    header=Header(("total", "free"), some=tuple(COLUMNS)[2:], spelt={"mem total": "total"}),
    columns={heading: size(column) for heading, column in COLUMNS.items()},
    before={"timestamp": re.compile(r" *+--- ([0-9TZ:.+-]{8,40}) --- *+")},
    one_row=True,
    finish=_whole_heap,
    expected=_expected,
    at_end=_at_end,
    dump="kstats",
)

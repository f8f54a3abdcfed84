"""`procrank` of Android: VSS, RSS, PSS and USS of every process, in KiB cut down."""

from __future__ import annotations

from magmem.captures.reading.cells import Cell, amount, koid, name
from magmem.captures.reading.layout import Header
from magmem.captures.reading.text_table import WHEN_ENDED, Line, TextTable, Totals

__all__ = ["PROCRANK"]

KIB = 1024


def kib(column: str) -> Cell:
    """Whole KiB, cut down."""
    return amount(column, KIB, within=KIB - 1, suffix="K")


PROCRANK = TextTable(
    "procrank",
    table="tasks",
    header=Header(("PID", "Vss", "Rss", "Pss", "Uss"), last="cmdline"),
    columns={
        "PID": koid(),
        "Vss": kib("reported_virtual_bytes"),
        "Rss": kib("reported_resident_bytes"),
        "Pss": kib("reported_pss_bytes"),
        "Uss": kib("reported_private_bytes"),
        "cmdline": name(longest=4096),
    },
    every={"kind": "process"},
    unique="PID",
    ends=Totals("TOTAL", sums=("Pss", "Uss"), within=KIB),
    lines=(
        Line(
            r" *RAM: (?P<total>[0-9]+)K total, (?P<free>[0-9]+)K free, .*",
            table="kmem",
            cells={"total": kib("total_bytes"), "free": kib("free_bytes")},
            facet="kmem",
        ),
        Line(r" *ZRAM: .*"),
    ),
    covers={"processes": WHEN_ENDED},
)

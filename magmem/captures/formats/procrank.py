"""`procrank` of Android: VSS, RSS, PSS and USS of every process, in KiB cut down."""

from __future__ import annotations

from typing import Any

from magmem.captures.reading.cells import Cell, amount, koid, left_out, name
from magmem.captures.reading.layout import Header
from magmem.captures.reading.rows import Rounded
from magmem.captures.reading.text_table import WHEN_ENDED, Line, TextTable, Totals

__all__ = ["PROCRANK"]

KIB = 1024


def kib(column: str) -> Cell:
    """Whole KiB, cut down."""
    return amount(column, KIB, within=KIB - 1, suffix="K")


def _free_swap(values: dict[str, Any]) -> None:
    """What is not in use of the room for swapped pages."""
    free = values["swap_total_bytes"] - values["swap_free_bytes"]
    values["swap_free_bytes"] = Rounded(free, KIB) if free >= 0 else None


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
        "Swap": kib("reported_swap_bytes"),
        "PSwap": kib("reported_swap_pss_bytes"),
        "USwap": left_out(),
        "ZSwap": left_out(),
        "WRss": left_out(),
        "WPss": left_out(),
        "WUss": left_out(),
        "oom": left_out(),
        "cmdline": name(longest=4096),
    },
    every={"kind": "process"},
    unique="PID",
    ends=Totals("TOTAL", sums=("Pss", "Uss", "Swap", "PSwap"), within=KIB),
    lines=(
        Line(
            r" *RAM: (?P<total>[0-9]+)K total, (?P<free>[0-9]+)K free, .*",
            table="kmem",
            cells={"total": kib("total_bytes"), "free": kib("free_bytes")},
            facet="kmem",
            joins=True,
        ),
        Line(
            r" *ZRAM: (?P<memory>[0-9]+)K physical used for (?P<used>[0-9]+)K in swap "
            r"\((?P<total>[0-9]+)K total swap\)",
            table="kmem",
            cells={
                "memory": kib("swap_memory_bytes"),
                "used": kib("swap_free_bytes"),
                "total": kib("swap_total_bytes"),
            },
            facet="kmem",
            joins=True,
            finish=_free_swap,
        ),
    ),
    covers={"processes": WHEN_ENDED},
)

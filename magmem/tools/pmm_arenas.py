"""``pmm arenas``: the arenas of physical memory and the states of their pages.

Layout: reference/tools.md "pmm arenas".
"""

from __future__ import annotations

import pandas as pd

from magmem.errors import MissingData
from magmem.listing import Listing
from magmem.snapshot import PAGE_BYTES
from magmem.snapshot.source import Source, snapshot_of
from magmem.tools import columns

__all__ = ["pmm_arenas"]

STATES = ("free", "alloc", "wired", "heap", "object", "mmu")
"""Page states in the order the kernel prints them (reference/kernel.md)."""


def pmm_arenas(snap: Source) -> Listing:
    """Every arena with its pages by state, as ``pmm arenas`` prints them.

    Parameters
    ----------
    snap : Snapshot or Machine

    Returns
    -------
    Listing
        `df` is the snapshot's arenas table: name, base, size_bytes, priority, flags, addr,
        page_array_addr, free_count and ``free_pages`` … ``mmu_pages``.

    Raises
    ------
    MissingData
        The capture knows no arenas.
    """
    arenas = snapshot_of(snap).arenas
    if not len(arenas):
        raise MissingData("pmm arenas", "arenas", "the arenas of physical memory")
    text = columns.rows(
        "arena %s: name '%s' base %s size %s (%s) priority %s flags %s\n"
        "\tpage_array %s, free_count %s\n\tpage states:\n"
        + "".join(f"\t\t{state:<12} %-16s (%s bytes)\n" for state in STATES),
        columns.addresses(arenas["addr"]),
        columns.names(arenas["name"]),
        columns.addresses(arenas["base"]),
        columns.sizes(arenas["size_bytes"]),
        _hex(arenas["size_bytes"]),
        columns.integers(arenas["priority"]),
        _hex(arenas["flags"]),
        columns.addresses(arenas["page_array_addr"]),
        columns.integers(arenas["free_count"]),
        *(
            columns.integers(arenas[f"{state}_pages"] * unit)
            for state in STATES
            for unit in (1, PAGE_BYTES)
        ),
    )
    return Listing(text, arenas, title="pmm arenas")


def _hex(column: pd.Series[int]) -> list[str]:
    """Each integer as C's ``0x%x``, which keeps the prefix for zero."""
    return ["0x0" if text == "0" else text for text in columns.addresses(column)]

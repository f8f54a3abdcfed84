"""The kernel's memory statistics as members of a JSON object, into a row of the kmem table."""

from __future__ import annotations

from collections.abc import Mapping

from magmem.captures.json_text import INT63_MAX, shorten

__all__ = ["KMEM_COLUMNS", "kernel_row"]

KMEM_COLUMNS = {
    "total": "total_bytes",
    "free": "free_bytes",
    "wired": "wired_bytes",
    "total_heap": "total_heap_bytes",
    "free_heap": "free_heap_bytes",
    "vmo": "vmo_bytes",
    "mmu": "mmu_overhead_bytes",
    "other": "other_bytes",
}
"""Member to column of the kmem table."""

APART = ("cache", "slab", "zram")
"""Page states that later kernels count beside ``other``, and earlier ones inside it."""

_USES = ("free", "wired", "total_heap", "vmo", "mmu", "other")


def kernel_row(
    members: Mapping[str, int | None], all_vmo_bytes: int | None
) -> tuple[dict[str, int | None], list[str]]:
    """A row of the kmem table, and remarks on what it leaves out.

    Parameters
    ----------
    members : mapping of str to int or None
        Named as memory_monitor names them.
    all_vmo_bytes : int or None
        The bytes of all VMOs, whatever the member ``vmo`` means in this format.

    Notes
    -----
    ``ipc`` is a state of pages without a column, so it is part of ``other``.
    """
    told = {**{name: members.get(name) for name in KMEM_COLUMNS}, "vmo": all_vmo_bytes}
    remarks: list[str] = []
    ipc, other = members.get("ipc"), told["other"]
    if ipc is not None and other is not None and ipc + other <= INT63_MAX:
        told["other"] = other + ipc
        remarks.append(f"other holds the {ipc} bytes of ipc")
    uses = [told[name] for name in _USES]
    total, known = told["total"], [size for size in uses if size is not None]
    if total is not None and len(known) == len(uses):
        apart = sum(members.get(name) or 0 for name in APART)
        if apart and sum(known) + apart == total:
            told["other"] = (told["other"] or 0) + apart
            remarks.append(f"other holds the {apart} bytes of {', '.join(APART)}")
        elif sum(known) > total + total // 100:
            remarks.append(f"the uses of memory are {sum(known)} bytes, more than all of {total}")
    left = {
        name: size
        for name, size in members.items()
        if size and name not in KMEM_COLUMNS and name != "ipc"
    }
    if left:
        named = ", ".join(f"{name} {size}" for name, size in list(left.items())[:20])
        remarks.append(f"bytes that are counted apart and have no column: {shorten(named, 400)}")
    return {KMEM_COLUMNS[name]: size for name, size in told.items()}, remarks

"""The ledger of a Linux machine: from the sum of PSS to physical memory, in Linux's own words.

It reads a snapshot that `magmem.capture_linux` made: the kernel's PSS of every process, the VMOs
of the kernel (ids ``kernel/…``: the page cache that nobody maps, tmpfs, kernel stacks …) and the
kernel statistics. Every part is measured on its own; what no counter tells is a line with its
size. The rules' own ledger (`magmem.ledger`) explains the same machine by who can reach each page.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from magmem.accounting.attribution import attribution_of
from magmem.accounting.report import grouped
from magmem.accounting.rules import linux
from magmem.errors import MissingData
from magmem.listing import Listing
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem.snapshot.columns import integers
from magmem.snapshot.source import Source, snapshot_of

__all__ = ["linux_ledger"]

KERNEL_ID = "kernel/"
"""How the ids of VMOs begin that stand for memory the Linux kernel keeps."""


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    size_bytes: int
    says: str


def linux_ledger(source: Source) -> Listing:
    """Where the memory of a Linux machine is: every byte has a line, also the unexplained ones.

    Parameters
    ----------
    source : Snapshot
        From `magmem.capture_linux`.

    Returns
    -------
    Listing
        `df` has one row per line: line, size_bytes (Int64, missing if unknown), says. The sizes
        add up to the last row, physical memory.

    Raises
    ------
    MissingData
        The snapshot is not of Linux, or was taken without its mappings.
    """
    snap = snapshot_of(source)
    own = snap.vmos["id"].str.startswith(KERNEL_ID).to_numpy(dtype=bool)
    if not own.any() or not len(snap.kmem):
        needs = "a capture of Linux with its mappings (magmem.capture_linux)"
        raise MissingData("linux_ledger", "memory kept by the Linux kernel", needs)
    statistics = snap.kmem.iloc[-1]
    kernel = snap.vmos[own]
    wired = kernel["pages_are_wired"].fillna(False).to_numpy(dtype=bool)
    unmapped_bytes = int(kernel["reported_committed_bytes"][~wired].sum())
    lines = [*_processes(snap, own, int(statistics["vmo_bytes"]) - unmapped_bytes)]
    lines += _lines_of(kernel[~wired])
    total = int(statistics["total_bytes"])
    lines += _heap(statistics)
    lines.append(_Line("page tables", int(statistics["mmu_overhead_bytes"]), "of all processes"))
    lines += _lines_of(kernel[wired])
    free = int(statistics["free_bytes"])
    lines.append(_Line("free", free, "nobody uses it"))
    left = total - sum(line.size_bytes for line in lines)
    lines.append(_Line("unexplained", left, "allocated by the kernel, told by no counter"))
    return _listing(snap, lines, total)


def _processes(snap: Snapshot, own: object, mapped_bytes: int) -> list[_Line]:
    """The PSS of all processes, and what else is known of memory that processes have."""
    reported = int(integers(snap.processes["reported_pss_bytes"]).sum())
    lines = [_Line("processes", reported, "sum of PSS as the kernel reports it")]
    if snap.coverage["entries"] == "absent":
        rest = mapped_bytes - reported
        says = "mapped, but by processes that were not read or may not be; and rounding"
        return [*lines, _Line("other processes", rest, says)]
    charged = int(linux.charge(attribution_of(snap)).pss.total)
    pages = snap.pages[~pd.Series(own)[snap.pages["vmo"]].to_numpy()]
    found = int(pages["page_count"].sum()) * PAGE_BYTES
    is_wired = snap.vmos["pages_are_wired"].fillna(False)[pages["vmo"]].to_numpy(dtype=bool)
    wired = int(pages["page_count"][is_wired].sum()) * PAGE_BYTES
    changed = mapped_bytes - (found - wired)
    return [
        *lines,
        _Line(
            "beyond PSS",
            charged - reported,
            "their pages too: charged elsewhere, rounded off, or changed",
        ),
        _Line("held, not mapped", found - charged, "memfds and shared memory in no page table"),
        *([_Line("changed since", changed, "the kernel counted later")] if changed else []),
    ]


def _heap(statistics: pd.Series[int]) -> list[_Line]:
    heap, free = int(statistics["total_heap_bytes"]), statistics["free_heap_bytes"]
    if free is pd.NA:
        return [_Line("slab", heap, "the kernel's heap")]
    return [
        _Line("slab in use", heap - int(free), "the kernel's objects"),
        _Line("slab, free", int(free), "free places inside the kernel's heap"),
    ]


SAYS = {
    "kernel/page-cache": "pages of files, kept in case they are read again",
    "kernel/unevictable": "ramfs and the like: no disk behind it, or locked",
    "kernel/tmpfs": "files that live in memory",
    "kernel/tmpfs/": "files that live in memory, by mount",
    "kernel/sysv/": "a segment nobody is attached to, by who made it",
    "kernel/others": "written by processes that are not in this capture",
    "kernel/reserved": "kernel image, page frame table and the like",
    "kernel/stacks": "one per thread",
    "kernel/vmalloc": "large allocations of the kernel, stacks apart",
    "kernel/percpu": "the kernel's data of each processor",
    "kernel/free-lists": "free pages that each processor has at hand",
    "kernel/huge": "huge pages set aside",
    "kernel/huge-used": "huge pages that files hold and nobody captured maps",
    "kernel/zspages": "what was swapped to memory, compressed",
    "kernel/misc": "what drivers would give back",
    "kernel/balloon": "given back to the machine outside",
    "kernel/bounce": "copies for devices that reach little memory",
    "kernel/sockets": "what lies in them unread: TCP, UDP, Unix",
    "kernel/pipes": "what lies in them unread",
    "kernel/dmabuf": "buffers shared with devices",
}


REMARKS = ("slabinfo", "sockets")
"""Places of the notes that say more of a line."""


def _lines_of(vmos: pd.DataFrame) -> list[_Line]:
    rows = zip(vmos["id"], vmos["name"], vmos["reported_committed_bytes"], strict=True)
    return [_Line(name, int(size), _says(vmo_id)) for vmo_id, name, size in rows]


def _says(vmo_id: str) -> str:
    """What a line is; of those that are one of many, by the beginning of their id."""
    return SAYS.get(vmo_id) or SAYS.get(vmo_id[: vmo_id.rfind("/") + 1], "")


def _listing(snap: Snapshot, lines: list[_Line], total_bytes: int) -> Listing:
    shown = [*lines, _Line("physical memory", total_bytes, "")]
    table = pd.DataFrame(
        {
            "line": [line.name for line in shown],
            "size_bytes": pd.array([line.size_bytes for line in shown], dtype="Int64"),
            "says": [line.says for line in shown],
        }
    )
    sizes = [grouped(line.size_bytes) for line in shown]
    width = max(map(len, sizes))
    names = max(len(line.name) for line in shown)
    text = [f"Memory of {snap.name or 'this machine'}, bytes:", ""]
    for size, line in zip(sizes, shown, strict=True):
        mark = "=" if line is shown[-1] else " "
        text.append(f"{size:>{width}} {mark} {line.name:{names}}  {line.says}".rstrip())
    told = [note for note in snap.notes["message"] if "may not be read" in note]
    told += snap.notes["message"][snap.notes["place"].isin(REMARKS)].tolist()
    text += ["", *told] if told else []
    return Listing("\n".join(text) + "\n", table, title="linux ledger")

"""An out-of-memory report of the Linux kernel, as dmesg and the journal keep it.

Figures of the task table are pages; a page is what the report's own kB and pages agree on, else
4 kB. PSS is unknown, and the sum of resident memory may exceed the memory there is. A report of a
control group lists the tasks of the group and says nothing of the machine.
"""

from __future__ import annotations

import re
from typing import Any

from magmem.captures.reading.blocks import Block, BlockDump, Blocks

__all__ = ["LINUX_OOM"]

_BEGIN = re.compile(r".{0,64} invoked oom-killer: .*")
_TABLE = re.compile(r"\[ *pid *\] +uid +tgid +total_vm +rss .*name\s*")
_ROW = re.compile(r"\[ *(\d{1,9})\]((?: +-?\d{1,18})+) (\S.*)")
_TOTAL = re.compile(r" *(\d{1,15}) pages RAM")
_RESERVED = re.compile(r" *(\d{1,15}) pages reserved")
_SWAP = re.compile(r" *(Free|Total) swap += *(\d{1,15})kB")
_SUM = re.compile(r"([a-z_]+):(\d{1,15})(?=\s|$)")
_NODE = re.compile(r"Node \d+ active_anon:(\d+)kB")
_ZONE = re.compile(r"(?:Node \d+ )?[A-Z]\w* free:(\d{1,15})kB.* managed:(\d{1,15})kB.*")
_GROUP = re.compile(r"memory: usage (\d{1,15})kB, limit (\d{1,15})kB, failcnt \d+")
_KILL = re.compile(r".*Killed process (\d{1,9}) \((.*?)\)(?:,? (?:total-vm|UID).*|.*)")
_MOST = 1 << 50


def _page(lines: list[str], sums: dict[str, int]) -> int:
    """Bytes of a page: what a node prints in kB over what the sums count in pages."""
    node = sum(int(match[1]) for line in lines if (match := _NODE.match(line)))
    pages = sums.get("active_anon", 0)
    size = node * 1024 // pages if pages else 0
    return size if size in (4096, 16384, 65536) else 4096


def _oom(dump: BlockDump, block: Block) -> None:
    lines = list(block.lines)
    sums: dict[str, int] = {}
    for line in lines:
        if line[:1] in (" ", "a") and not line.startswith("active_anon:0kB"):
            for key, value in _SUM.findall(line):
                sums.setdefault(key, int(value))
    page = _page(lines, sums)
    names: list[str] = []
    group = None
    kmem: dict[str, Any] = {}
    reserved = free_kb = managed_kb = 0
    for at, line in enumerate(lines, block.number):
        if _TABLE.fullmatch(line):
            names = line.replace("[", " ").replace("]", " ").split()
        elif (match := _ROW.fullmatch(line)) and names:
            _task(dump, at, names, match, page)
        elif match := _TOTAL.fullmatch(line):
            kmem["total_bytes"] = int(match[1]) * page
        elif match := _RESERVED.fullmatch(line):
            reserved = int(match[1]) * page
        elif match := _SWAP.fullmatch(line):
            kmem[f"swap_{match[1].lower()}_bytes"] = int(match[2]) * 1024
        elif match := _ZONE.fullmatch(line):
            free_kb, managed_kb = free_kb + int(match[1]), managed_kb + int(match[2])
        elif match := _GROUP.fullmatch(line):
            group = match
        elif match := _KILL.fullmatch(line):
            dump.note("remark", at, f"the kernel killed process {match[1]}, {match[2]}")
    if dump.rows:
        dump.covers("processes", whole=False)
        dump.note("remark", block.number, "threads of the kernel are not in the task table")
    if group is not None:
        message = f"a control group at {int(group[1]):,} of {int(group[2]):,} kB ran out of memory"
        dump.note("remark", block.number, f"{message}: the tasks are the group's alone")
    if "total_bytes" in kmem:
        _machine(dump, block, sums, page, kmem, (reserved, free_kb, managed_kb))


def _task(dump: BlockDump, at: int, names: list[str], match: re.Match[str], page: int) -> None:
    figures = [int(match[1]), *map(int, match[2].split())]
    if len(figures) != len(names) - 1:
        expected = f"[pid] and {len(names) - 2} figures: {', '.join(names[1:-1])}"
        dump.note("skipped", at, f"a task without its figures ({expected}) is left out")
        return
    cells = dict(zip(names, figures, strict=False))
    if max(figures) > _MOST or not figures[0]:
        dump.note("skipped", at, "a task with impossible figures is left out")
        return
    parts = [cells.get(key) for key in ("rss_anon", "rss_file", "rss_shmem")]
    known = [part for part in parts if part is not None]
    if len(known) == len(parts) and sum(known) != cells["rss"]:
        dump.note("contradiction", at, f"rss is {cells['rss']}, its parts are {sum(known)} pages")
    swap = cells.get("swapents")
    dump.add(
        "tasks",
        at,
        koid=figures[0],
        kind="process",
        name=match[3].strip(),
        reported_virtual_bytes=cells["total_vm"] * page,
        reported_resident_bytes=cells["rss"] * page,
        reported_swap_bytes=None if swap is None else swap * page,
    )


def _machine(
    dump: BlockDump,
    block: Block,
    sums: dict[str, int],
    page: int,
    kmem: dict[str, Any],
    zones: tuple[int, int, int],
) -> None:
    reserved, free_kb, managed_kb = zones
    total = kmem["total_bytes"]
    if managed_kb and abs(total - reserved - managed_kb * 1024) > page:
        message = f"RAM less reserved is {total - reserved}, the zones have {managed_kb * 1024}"
        dump.note("contradiction", block.number, f"{message} bytes")

    def bytes_of(*keys: str) -> int | None:
        found = [sums[key] for key in keys if key in sums]
        return sum(found) * page if len(found) == len(keys) else None

    free = bytes_of("free")
    if free is not None and free_kb and abs(free - free_kb * 1024) > 1 << 22:
        message = f"free pages are {free}, the zones have {free_kb * 1024} bytes"
        dump.note("contradiction", block.number, message)
    lists = ("active_anon", "inactive_anon", "active_file", "inactive_file", "unevictable")
    stacks = sum(int(size) for line in block.lines for size in _STACK.findall(line)) * 1024
    values = {
        **kmem,
        "free_bytes": free,
        "vmo_bytes": bytes_of(*lists),
        "total_heap_bytes": bytes_of("slab_reclaimable", "slab_unreclaimable"),
        "mmu_overhead_bytes": bytes_of("pagetables"),
        "wired_bytes": reserved + stacks + (bytes_of("free_pcp") or 0),
    }
    parts = ("free_bytes", "vmo_bytes", "total_heap_bytes", "mmu_overhead_bytes", "wired_bytes")
    told = [values[key] for key in parts if values[key] is not None]
    if len(told) == len(parts) and sum(told) <= total:
        values["other_bytes"] = total - sum(told)
    dump.add("kmem", block.number, **values)
    dump.covers("kmem", whole=False)


_STACK = re.compile(r"Node \d+ active_anon:.* kernel_stack:(\d{1,15})kB")

LINUX_OOM = Blocks(
    "out-of-memory report of Linux",
    head=_BEGIN,
    row=re.compile(
        r"CPU: .*|Hardware name: .*|Workqueue: .*|Call Trace:|Mem-Info:|active_anon:.*"
        r"| +[a-z_]+:\d+.*|Node \d+ .*|(?:DMA|Normal|HighMem|Movable)\w*[: ].*|lowmem_reserve.*"
        r"| *\d+ (?:total )?pages? .*|\d+ pages .*|(?:Free|Total) swap.*|Swap cache stats:.*"
        r"|Tasks state.*|\[ *pid *\].*|\[ *\d+\] .*|oom-kill:.*|oom_reaper:.*"
        r"|.*(?:Out of memory|out of memory|Killed process|Kill process).*"
        r"|(?:memory|swap|memory\+swap|kmem): usage .*|Memory cgroup stats.*"
        r"|[a-z_]+ \d+|Unreclaimable slab info:|Name +Used +Total|\S+ +\d+KB +\d+KB| +\S.*"
    ),
    keep=_oom,
)

"""`dumpsys meminfo` of Android: of the device, of a package, and in lines for programs (-c).

The PSS of a process in the device's listing holds its SwapPss; how much that is, only -c and the
package's listing say. The second listing of the same processes, by importance, is passed over.
"""

from __future__ import annotations

import re
from typing import Any

from magmem.captures.reading.blocks import Block, BlockDump, Blocks
from magmem.captures.reading.dump import MOST

__all__ = ["DUMPSYS", "DUMPSYS_APP", "DUMPSYS_COMPACT"]

KIB = 1024

_PROCESS = re.compile(
    r"\s*([\d,.']{1,20}) ?(?:K|kB): (.*?) \(pid (\d{1,9})(?: / [^)]*)?\)"
    r"(?:\s+\(\s*([\d,.']{1,20})K in swap\))?\s*"
)
_SECTION = re.compile(r"Total (PSS|RSS|Swap) by (process|OOM adjustment|category):\s*")
_RAM = re.compile(r"\s*(Total|Free|Used|Lost|ZRAM)(?: RAM)?: +(-?[\d,.']{1,20}) ?(?:K|kB)\b(.*)")
_PART = re.compile(r"([\d,.']{1,20}) ?(?:K|kB)?\s+([a-z][a-z ]*)")
_CATEGORY = re.compile(r"\s{2,}([\d,.']{1,20}) ?(?:K|kB): (\S.*)")


def number(text: str) -> int:
    """KiB as bytes; thousands may be parted by anything."""
    digits = re.sub(r"[^\d]", "", text)
    return min(int(digits or 0) * KIB, MOST)


def _device(dump: BlockDump, block: Block) -> None:
    section = ("", "")
    tasks: dict[int, dict[str, Any]] = {}
    ram: dict[str, int] = {}
    parts: dict[str, int] = {}
    categories = 0
    for at, line in enumerate(block.lines, block.number):
        if match := _SECTION.fullmatch(line):
            section = match[1], match[2]
        elif (match := _PROCESS.fullmatch(line)) and section[1] == "process":
            pid = dump.koid(match[3], at)
            row = tasks.setdefault(pid, {"line": at, "name": match[2]})
            column = {"PSS": "pss", "RSS": "resident", "Swap": "swap_pss"}[section[0]]
            row[f"reported_{column}_bytes"] = number(match[1])
            if match[4]:
                row["reported_swap_pss_bytes"] = number(match[4])
        elif match := _RAM.match(line):
            section = "", ""
            ram.setdefault(match[1], number(match[2]) * (-1 if match[2][:1] == "-" else 1))
            for size, label in _PART.findall(match[3]):
                parts.setdefault(label.strip(), number(size))
        elif section == ("PSS", "category") and (match := _CATEGORY.fullmatch(line)):
            categories += number(match[1])
    for pid, row in tasks.items():
        at, name = row.pop("line"), row.pop("name")
        dump.add("tasks", at, koid=pid, kind="process", name=name, **row)
    if tasks:
        message = "PSS as dumpsys prints it holds the process's SwapPss"
        total = sum(row.get("reported_pss_bytes", 0) for row in tasks.values())
        if categories and total >= categories:
            swapped = (total - categories) // KIB
            message += f"; together {swapped:,}K of {total // KIB:,}K are SwapPss"
        dump.note("remark", block.number, message)
        dump.covers("processes", whole="Total" in ram)
    if "Total" in ram:
        _machine(dump, block, ram, parts)


def _machine(dump: BlockDump, block: Block, ram: dict[str, int], parts: dict[str, int]) -> None:
    swapped, room = parts.get("in swap"), parts.get("total swap")
    free = None if swapped is None or room is None else max(0, room - swapped)
    dump.add(
        "kmem",
        block.number,
        total_bytes=ram["Total"],
        free_bytes=parts.get("free"),
        swap_total_bytes=room,
        swap_free_bytes=free,
        swap_memory_bytes=ram.get("ZRAM"),
    )
    told = [f"{key.lower()} {ram[key] // KIB:,}K" for key in ("Free", "Used", "Lost") if key in ram]
    told += [f"{key} {size // KIB:,}K" for key, size in parts.items() if "swap" not in key]
    message = "by Android's own sums, which overlap the kernel's: " + ", ".join(told)
    dump.note("remark", block.number, message)
    dump.covers("kmem", whole=False)


DUMPSYS = Blocks(
    "dumpsys meminfo",
    head=re.compile(r"Total (?:PSS|RSS) by process:\s*"),
    row=re.compile(
        rf"Total (?:PSS|Swap) by (?!process).*|{_PROCESS.pattern}|{_CATEGORY.pattern}"
        r"|\s*(?:Total|Free|Used|Lost) RAM: .*|\s*ZRAM: .*|\s*(?:Tuning|DMA-BUF|ION|GPU|KSM): .*"
        r"|Total RSS by (?:OOM|cat).*"
    ),
    keep=_device,
)

_APP = re.compile(r"\*\* MEMINFO in pid (\d{1,9}) \[(.*)\] \*\*\s*")
_APP_ROW = re.compile(r"\s*([A-Za-z.][\w .-]*?)\s+(-?\d{1,12}(?:\s+-?\d{1,12})*)\s*")
_SUMMARY = re.compile(r"\s*TOTAL(?: PSS)?:\s+(\d{1,12})\s.*")


def _headings(upper: str, lower: str) -> list[str]:
    """Headings of two lines, a word above each below, both right-aligned."""
    above = [(match.end(), match[0]) for match in re.finditer(r"\S+", upper)]
    found = []
    for match in re.finditer(r"\S+", lower):
        over = [word for end, word in above if abs(end - match.end()) <= 3]
        found.append(f"{over[0] if over else ''} {match[0]}".strip())
    return found


def _app(dump: BlockDump, block: Block) -> None:
    head = _APP.fullmatch(block.lines[0])
    assert head is not None  # noqa: S101 (it began the block)
    total: dict[str, int] = {}
    rows: dict[str, int] = {}
    headings: list[str] = []
    for at, line in enumerate(block.lines[1:], 1):
        if "Total" in line.split() and not headings and at >= 1:
            headings = _headings(block.lines[at - 1] if at > 1 else "", line)
        match = _APP_ROW.fullmatch(line)
        if match is None or not headings:
            continue
        cells = dict(zip(headings, [int(text) * KIB for text in match[2].split()], strict=False))
        if match[1] == "TOTAL":
            total = cells
            break
        for heading, size in cells.items():
            rows[heading] = rows.get(heading, 0) + size
    swap_pss, swap = total.get("SwapPss Dirty"), total.get("Swap Dirty", total.get("Swapped Dirty"))
    held = total.get("Pss Total")
    if held is None:
        return
    private = [total.get(key) for key in ("Private Dirty", "Private Clean")]
    swapped = swap_pss or 0
    in_memory = max(0, held - swapped)
    if rows.get("Pss Total") is not None and rows["Pss Total"] not in (in_memory, held):
        message = f"the rows add up to {rows['Pss Total'] // KIB:,}K PSS, the total is "
        dump.note("contradiction", block.number, f"{message}{held // KIB:,}K with SwapPss")
    elif rows.get("Pss Total") == held and swapped:
        in_memory = held
    dump.add(
        "tasks",
        block.number,
        koid=dump.koid(head[1], block.number),
        kind="process",
        name=head[2],
        reported_pss_bytes=in_memory,
        reported_private_bytes=None if None in private else sum(one or 0 for one in private),
        reported_resident_bytes=total.get("Rss Total"),
        reported_swap_bytes=swap,
        reported_swap_pss_bytes=swap_pss,
    )
    dump.note(
        "remark",
        block.number,
        f"PSS in memory is {in_memory // KIB:,}K; dumpsys prints {held // KIB:,}K, with SwapPss. "
        "Graphics the driver tells of (mtrack) is in PSS here and in no mapping",
    )
    dump.covers("processes", whole=False)


DUMPSYS_APP = Blocks(
    "dumpsys meminfo PACKAGE",
    head=_APP,
    row=re.compile(
        r"\s+Pss\s.*|\s+Total\s.*|\s*-[- ]{10,}|(?:\s*[A-Za-z.][\w .-]*?\s+-?\d[-\d\s]*)"
        r"|\s*App Summary|\s*Pss\(KB\).*|\s*[A-Z][\w ]*:\s+\d.*|\s*(?:Objects|SQL|DATABASES)\s*"
    ),
    keep=_app,
)

_COMPACT = re.compile(r"(?:proc|oom|cat|ram|lostram|zram|ksm|tuning|time|version|native|swaps),.*")


def _compact(dump: BlockDump, block: Block) -> None:
    kmem: dict[str, int] = {}
    whole = False
    for at, line in enumerate(block.lines, block.number):
        kind, *cells = line.strip().split(",")
        if kind == "proc":
            # The name may hold commas: figures are what follows the last pid that fits.
            match = re.fullmatch(
                r"([a-z]+),(.*?),(\d{1,9}),(\d{1,12})((?:,(?:\d{1,12}|N/A))*)(?:,[ae])?",
                ",".join(cells),
            )
            if match is None:
                raise dump.error(at, "proc,GROUP,NAME,PID,PSS,SWAPPSS,a or e", line)
            rest = [text for text in match[5].split(",") if text]
            swap = int(rest[0]) * KIB if rest and rest[0].isdigit() else None
            rss = int(rest[1]) * KIB if len(rest) > 1 and rest[1].isdigit() else None
            dump.add(
                "tasks",
                at,
                koid=dump.koid(match[3], at),
                kind="process",
                name=match[2],
                reported_pss_bytes=int(match[4]) * KIB,
                reported_swap_pss_bytes=swap,
                reported_resident_bytes=rss,
            )
        elif kind == "ram" and cells and cells[0].isdigit():
            kmem["total_bytes"], whole = number(cells[0]), True
        elif kind == "zram" and len(cells) >= 3 and all(cell.isdigit() for cell in cells[:3]):
            kmem["swap_memory_bytes"] = number(cells[0])
            kmem["swap_total_bytes"], kmem["swap_free_bytes"] = map(number, cells[1:3])
    if kmem:
        dump.add("kmem", block.number, **kmem)
        dump.covers("kmem", whole=False)
    if dump.rows:
        dump.note("remark", block.number, "PSS as dumpsys prints it holds the process's SwapPss")
        dump.covers("processes", whole=whole)


DUMPSYS_COMPACT = Blocks(
    "dumpsys meminfo -c",
    head=re.compile(r"(?:time|proc),.*,.*"),
    row=_COMPACT,
    keep=_compact,
)

"""`showmap` and `librank` of Android: files and heaps by name, with what processes hold of them.

A row is a name with all mappings of it added; where they are is not told, so address spaces here
hold one nameless place a row. `showmap` does not print its pid; a command line or a bugreport's
section does.
"""

from __future__ import annotations

import re

from magmem.captures.formats.linux_memory import LinuxMemory
from magmem.captures.reading.blocks import Block, BlockDump, Blocks

__all__ = ["LIBRANK", "SHOWMAP"]

KIB = 1024

FIGURES = ("size", "RSS", "PSS", "shared clean", "shared dirty", "private clean", "private dirty")
_ROW = re.compile(r"\s*(?:[0-9a-f]{8,16}\s+[0-9a-f]{8,16}\s+)?((?:\d{1,15}\s+){7,15})(\S.*)")
_HEAD = r"\s*(?:start\s+end\s+)?(?:addr\s+addr\s+)?size\s+RSS\s+PSS\s+clean\s+dirty.*"
_ABOVE = r"\s*virtual\s+shared\s+shared\s+private\s+private.*"


def _showmap(dump: BlockDump, block: Block) -> None:
    heads = [line for line in block.lines if re.fullmatch(_HEAD, line)]
    words = heads[0].split() if heads else []
    swaps = [word for word in words if word.lower() in ("swap", "swappss")]
    sums = [0] * 9
    rows: list[tuple[int, str, list[int]]] = []
    names = mappings = 0
    told: list[int] | None = None
    for at, line in enumerate(block.lines, block.number):
        match = _ROW.fullmatch(line)
        if match is None:
            continue
        cells, name = [int(text) for text in match[1].split()], match[2].strip()
        figures = cells[: 7 + len(swaps)] if "#" in words or "flags" in words else cells
        figures = [*figures, *[0] * 9][:9]
        if name == "TOTAL":
            told = figures
            continue
        names += 1
        mappings += cells[-1] if "#" in words and len(cells) > 7 + len(swaps) else 0
        sums = [sum(pair) for pair in zip(sums, figures, strict=True)]
        if figures[1] != sum(figures[3:7]):
            message = f"RSS of {name[:60]} is {figures[1]}K, its four parts {sum(figures[3:7])}K"
            dump.note("contradiction", at, message)
        rows.append((at, name, figures))
    if not rows:
        return
    if told is not None and told != sums and not dump.elided:
        message = f"the rows add up to {sums[2]}K PSS, the total says {told[2]}K"
        dump.note("contradiction", block.number, f"{message}: rows are left out (-t) or lost")
        sums = told
    koid = LinuxMemory.of(dump.session).koid(dump.pid, block.number)
    dump.pid = None
    swap = swaps and len(swaps) > 0
    dump.add(
        "tasks",
        block.number,
        koid=koid,
        kind="process",
        reported_virtual_bytes=sums[0] * KIB,
        reported_resident_bytes=sums[1] * KIB,
        reported_pss_bytes=sums[2] * KIB,
        reported_private_bytes=(sums[5] + sums[6]) * KIB,
        reported_shared_bytes=(sums[3] + sums[4]) * KIB,
        reported_swap_bytes=sums[7] * KIB if swap else None,
        reported_swap_pss_bytes=sums[8] * KIB if len(swaps) > 1 else None,
    )
    space = dump.add("aspaces", block.number, kind="user", process_koid=koid, whole=False)
    for at, name, figures in rows:
        vmo = dump.add("vmos", at, koid=_koid(dump, koid, name), name=name, pages_known=False)
        dump.add(
            "regions",
            at,
            aspace=space,
            depth=1,
            kind="mapping",
            size_bytes=figures[0] * KIB,
            vmo=vmo,
            reported_resident_bytes=figures[1] * KIB,
            reported_pss_bytes=figures[2] * KIB,
            reported_swap_bytes=figures[7] * KIB if swap else None,
        )
    several = f" of {mappings} mappings" if mappings else ""
    message = f"{names} names{several}; addresses, permissions and devices are not told"
    dump.note("remark", block.number, message)
    if told is None:
        dump.note("truncated", dump.origin.last_line, "no TOTAL ends this showmap: it may be cut")
    dump.covers("processes", "mappings", "vmos", whole=False)


def _koid(dump: BlockDump, process: int, name: str) -> int:
    """A number for what a name stands for: a file is one for all, the rest each process's own."""
    owner = 0 if name.startswith("/") else process
    known: dict[tuple[int, str], int] = dump.session.readers.setdefault("names", _Names()).koids
    return known.setdefault((owner, name), FIRST_NAME + len(known))


FIRST_NAME = 40_000_001
"""Numbers of what is known by name, above those of files known by device and inode."""


class _Names:
    """What has a name in one session."""

    def __init__(self) -> None:
        self.koids: dict[tuple[int, str], int] = {}

    def bundle(self) -> dict[str, object]:
        """Nothing of its own: the rows are with the dumps."""
        return {}


SHOWMAP = Blocks(
    "showmap",
    head=re.compile(_ABOVE),
    row=re.compile(rf"{_HEAD}|\s*-[- ]{{20,}}|(?:{_ROW.pattern})"),
    keep=_showmap,
    ends=re.compile(r"\s*(?:\d+\s+)+TOTAL\s*"),
)

_FILE = re.compile(r"\s*(\d{1,15})K\s{2,}(\S.*)")
_PROCESS = re.compile(r"\s+((?:\d{1,15}K\s+){4,5})(?:-?\d+\s+)?(\S.*?)\s+\[(\d{1,9})\]\s*")


def _librank(dump: BlockDump, block: Block) -> None:
    swap = "Swap" in block.lines[0].split()
    spaces: dict[int, int] = {}
    file = ""
    for at, line in enumerate(block.lines[1:], block.number + 1):
        match = _PROCESS.fullmatch(line)
        if match is None:
            head = _FILE.fullmatch(line)
            file = head[2] if head else file
            continue
        figures = [int(text[:-1]) * KIB for text in match[1].split()]
        pid = dump.koid(match[3], at)
        if pid not in spaces:
            dump.add("tasks", at, koid=pid, kind="process", name=match[2])
            spaces[pid] = dump.add("aspaces", at, kind="user", process_koid=pid, whole=False)
        vmo = dump.add("vmos", at, koid=_koid(dump, pid, file), name=file, pages_known=False)
        dump.add(
            "regions",
            at,
            aspace=spaces[pid],
            depth=1,
            kind="mapping",
            size_bytes=figures[0],
            vmo=vmo,
            reported_resident_bytes=figures[1],
            reported_pss_bytes=figures[2],
            reported_swap_bytes=figures[4] if swap and len(figures) > 4 else None,
        )
    if dump.rows:
        message = "librank leaves heaps and stacks out, so a process has more than its files here"
        dump.note("remark", block.number, message)
        dump.covers("processes", "mappings", "vmos", whole=False)


LIBRANK = Blocks(
    "librank",
    head=re.compile(r"\s*RSStot\s+VSS\s+RSS\s+PSS\s+USS\s+.*"),
    row=re.compile(rf"{_PROCESS.pattern}|{_FILE.pattern}"),
    keep=_librank,
)

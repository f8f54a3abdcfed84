"""Tables of Linux tools: ps and top, smem, ps_mem, free.

None of them says that it lists every process (`head`, a screen and missing rights cut them), so
none is complete. Sizes are KiB unless a unit stands behind them.
"""

from __future__ import annotations

import re
from typing import Any

from magmem.captures.formats.linux_memory import LinuxMemory
from magmem.captures.reading.blocks import Block, BlockDump, Blocks
from magmem.captures.reading.cells import koid, left_out, name, scaled, word
from magmem.captures.reading.dump import MOST
from magmem.captures.reading.layout import Header
from magmem.captures.reading.rows import Rounded
from magmem.captures.reading.text_table import NEVER, Line, TableDump, TextTable, Totals

__all__ = ["FREE", "LINUX_PS", "PS_MEM", "SMEM"]

AGAIN = "rows that repeat a process (a thread, a later round) are passed over"

_SPELT = dict.fromkeys(("CMD", "ARGS", "COMM", "NAME", "Name", "Args"), "COMMAND")
_SPELT |= {"VIRT": "VSZ", "VSIZE": "VSZ", "RES": "RSS", "VSS": "VSZ", "SWAP": "SWAP"}

_REST = re.findall(
    r"\S+",
    "USER UID GID EUSER RUSER EUID RUID GROUP PPID PGID SID TGID TPGID %CPU C CPU "
    "PCPU %MEM PMEM TTY TT STAT S ST START STIME STARTED ELAPSED TIME TIME+ PR PRI NI "
    "NICE PSR CLS SZ SIZE DRS TRS F WCHAN ADDR PC SHR SHR/M LABEL LWP TID NLWP THCNT "
    "P MAJFL MINFL CODE DATA nMaj nMin nDRT CGROUP UNIT S[%CPU] [%CPU] PCY RTPRIO ",
)


def _unread(_dump: TableDump, values: dict[str, Any], _cells: dict[str, str], _number: int) -> None:
    """PSS and USS of 0 beside resident memory: it could not be read (procps 4)."""
    if values.get("reported_resident_bytes"):
        for column in ("reported_pss_bytes", "reported_private_bytes"):
            if values.get(column) == 0:
                values[column] = None


LINUX_PS = TextTable(
    "ps or top of Linux",
    table="tasks",
    header=Header(
        ("PID",),
        some=("RSS", "PSS", "USS", "VSZ"),
        last="COMMAND",
        spelt=_SPELT,
        glued={"S[%CPU]": "S %CPU "},
    ),
    columns={
        "PID": koid(),
        "VSZ": scaled("reported_virtual_bytes"),
        "RSS": scaled("reported_resident_bytes"),
        "PSS": scaled("reported_pss_bytes"),
        "USS": scaled("reported_private_bytes"),
        "SWAP": scaled("reported_swap_bytes"),
        # None of these is ever empty, so a row out of place is still read in order.
        **dict.fromkeys(_REST, word()),
        "COMMAND": name(longest=1 << 16),
    },
    every={"kind": "process"},
    unique="PID",
    again=AGAIN,
    placed=False,
    finish=_unread,
    lines=(
        Line(
            r" *(?:KiB )?Mem ?: *(?P<total>[0-9]+)[kK]? total, .*?(?P<free>[0-9]+)[kK]? free,.*",
            table="kmem",
            cells={"total": scaled("total_bytes"), "free": scaled("free_bytes")},
            facet="kmem",
        ),
        Line(r"(?:Tasks|Threads|%Cpu|Cpu).*: .*"),
    ),
    covers={"processes": NEVER},
    dump="linux ps",
)

SMEM = TextTable(
    "smem",
    table="tasks",
    header=Header(("PID", "Command"), some=("USS", "PSS", "RSS")),
    columns={
        "PID": koid(),
        "User": left_out(),
        "Command": name(longest=1 << 16),
        "Name": left_out(),
        "Maps": left_out(),
        "Swap": scaled("reported_swap_bytes"),
        "USS": scaled("reported_private_bytes"),
        "PSS": scaled("reported_pss_bytes"),
        "RSS": scaled("reported_resident_bytes"),
        "VSS": scaled("reported_virtual_bytes"),
    },
    every={"kind": "process"},
    unique="PID",
    ends=Totals("", sums=("Swap", "USS", "PSS", "RSS"), within=0),
    covers={"processes": NEVER},
)

_PROGRAM = re.compile(
    r" *(?P<uss>[0-9.]+ [KMGT]?i?B) \+ +(?P<shared>[0-9.]+ [KMGT]?i?B) = +"
    r"(?P<used>[0-9.]+ [KMGT]?i?B)(?: +(?P<swap>[0-9.]+ [KMGT]?i?B))?\s+(?P<name>\S.*)"
)
_SUM = re.compile(r" +(?P<used>[0-9.]+ [KMGT]i?B)(?: +[0-9.]+ [KMGT]i?B)? *")


def _rounded(text: str) -> int:
    figure, unit = text.split()
    scale = 1024 ** (" KMGT".index(unit[0]) if unit[0] in "KMGT" else 0)
    size = min(round(float(figure) * scale), MOST)
    return Rounded(size, scale // 10 + 1)


def _ps_mem(dump: BlockDump, block: Block) -> None:
    memory = LinuxMemory.of(dump.session)
    dump.origin.rounded = True
    total = slack = 0
    for at, line in enumerate(block.lines[1:], block.number + 1):
        match = _PROGRAM.fullmatch(line)
        if match is None:
            end = _SUM.fullmatch(line)
            if end is not None and dump.rows:
                told = _rounded(end["used"])
                if abs(told - total) > slack + getattr(told, "slack", 0):
                    message = f"the programs use {total} bytes, but the total says {told}"
                    dump.note("contradiction", at, message)
            continue
        try:
            used, uss = _rounded(match["used"]), _rounded(match["uss"])
            swap = _rounded(match["swap"]) if match["swap"] else None
        except ValueError:
            raise dump.error(at, "PRIVATE + SHARED = RAM used, PROGRAM", line) from None
        total, slack = total + used, slack + getattr(used, "slack", 0)
        dump.add(
            "tasks",
            at,
            koid=memory.number(),
            kind="process",
            name=match["name"],
            reported_pss_bytes=used,
            reported_private_bytes=uss,
            reported_swap_bytes=swap,
        )
    if dump.rows:
        message = "a row is a program, of (N) processes; they are numbered above every pid"
        dump.note("remark", block.number, message)
        dump.covers("processes", whole=False)


PS_MEM = Blocks(
    "ps_mem",
    head=re.compile(r" *Private +\+ +Shared += +RAM used.*"),
    row=re.compile(r" *[0-9.]+ [KMGT]?i?B.*|[-=]{8,}"),
    keep=_ps_mem,
)

_UNITS = {"-b": 1, "-k": 1 << 10, "-m": 1 << 20, "-g": 1 << 30, "--mega": 10**6, "--giga": 10**9}
_HUMAN = re.compile(r"([0-9]+)(?:[.,]([0-9]))?([BKMGTP])i?")


def _free(dump: BlockDump, block: Block) -> None:
    head = block.lines[0].split()
    unit, told = 1024, False
    for option in (dump.command or "").split():
        if option in _UNITS:
            unit, told = _UNITS[option], True
        elif option in ("-h", "-hw", "-wh", "--human"):
            told = True
    kmem: dict[str, int | None] = {}
    for line in block.lines[1:]:
        label, _, rest = line.strip().partition(":")
        cells = dict(zip(head, rest.split(), strict=False))
        if label == "Mem":
            kmem["total_bytes"] = _amount(cells.get("total"), unit)
            kmem["free_bytes"] = _amount(cells.get("free"), unit)
        elif label == "Swap":
            kmem["swap_total_bytes"] = _amount(cells.get("total"), unit)
            kmem["swap_free_bytes"] = _amount(cells.get("free"), unit)
        if any(cell[-1:].isalpha() for cell in cells.values()):
            told = True
    if not any(value is not None for value in kmem.values()):
        return
    if not told:
        dump.note("remark", block.number, "no option of free is shown: its figures are taken as kB")
    dump.origin.rounded = unit > 1024
    dump.add("kmem", block.number, **kmem)
    dump.covers("kmem", whole=False)


def _amount(text: str | None, unit: int) -> int | None:
    if text is None:
        return None
    if text.isdigit() and len(text) < 16:
        size = int(text) * unit
        return None if size > MOST else Rounded(size, unit) if unit > 1024 else size
    match = _HUMAN.fullmatch(text)
    if match is None or len(match[1]) > 6:
        return None
    scale: int = 1024 ** "BKMGTP".index(match[3])
    return Rounded(int(match[1]) * scale + int(match[2] or 0) * scale // 10, scale)


FREE = Blocks(
    "free",
    head=re.compile(r" +total +used +free\b.*"),
    row=re.compile(r"(?:Mem|Swap|Total|Low|High|-/\+ buffers/cache): .*"),
    keep=_free,
)

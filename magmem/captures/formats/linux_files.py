"""Files of ``/proc`` saved as text: meminfo, vmstat, zoneinfo, slabinfo, status, smaps_rollup.

What the machine's files tell is put together when the text is over
(`magmem.captures.formats.linux_memory`). Keys that are not known are kept by no one and added to
nothing: most are inside others.
"""

from __future__ import annotations

import re

from magmem.captures.formats.linux_memory import LinuxMemory
from magmem.captures.reading.blocks import Block, BlockDump, Blocks, kilobytes
from magmem.captures.reading.dump import MOST
from magmem.linux.machine import parse_slabinfo, parse_zoneinfo
from magmem.linux.process import STATES

__all__ = ["LINUX_FILES", "MEMINFO", "ROLLUP", "SLABINFO", "STATUS", "VMSTAT", "ZONEINFO"]

_STATES = {"running", "suspended", "blocked", "dead"}


def _meminfo(dump: BlockDump, block: Block) -> None:
    memory = LinuxMemory.of(dump.session)
    info = dict(kilobytes(block.lines))
    if "FilePages" in info:
        info.setdefault("Cached", info["FilePages"])  # of a NUMA node
        info.setdefault("Buffers", 0)
    memory.reports.append((dump.at, block.number, info))
    dump.rows += 1
    dump.covers("kmem", whole=False)


MEMINFO = Blocks(
    "meminfo",
    head=re.compile(r"\s*(?:Node\s+0\s+)?MemTotal\s*:\s*\d{1,15}\s*[kK]i?[bB]\s*"),
    row=re.compile(
        r"\s*(?:Node\s+\d+\s+)?[A-Z][\w()]*\s*:\s*\d{1,15}\s*(?:[kK]i?[bB])?\s*|CMA regions.*"
    ),
    keep=_meminfo,
)


def _vmstat(dump: BlockDump, block: Block) -> None:
    memory = LinuxMemory.of(dump.session)
    memory.vmstat.update(kilobytes(block.lines))
    memory.vmstat_at = dump.at, block.number
    dump.rows += 1
    dump.covers("kmem", whole=False)


VMSTAT = Blocks(
    "vmstat",
    head=re.compile(r"nr_\w+ \d{1,15}"),
    row=re.compile(r"[a-z]\w+ \d{1,19}"),
    keep=_vmstat,
)


def _zoneinfo(dump: BlockDump, block: Block) -> None:
    memory = LinuxMemory.of(dump.session)
    text = "\n".join(block.lines).encode("utf-8", "replace")
    memory.zones = (*memory.zones, *parse_zoneinfo(text, dump.session.source))
    memory.zones_at = dump.at
    dump.rows += 1
    dump.covers("arenas", whole=False)


ZONEINFO = Blocks(
    "zoneinfo",
    head=re.compile(r"Node +\d{1,9}, +zone +[A-Za-z]\w*"),
    row=re.compile(r" +\S.*"),
    keep=_zoneinfo,
)


def _slabinfo(dump: BlockDump, block: Block) -> None:
    rows = [line for line in block.lines[1:] if " : " in line and not line.startswith("#")]
    if not rows:
        return
    memory = LinuxMemory.of(dump.session)
    odd: list[str] = []
    text = "\n".join(["slabinfo - version: 2.1", "# name", *rows]).encode("utf-8", "replace")
    memory.slabs = parse_slabinfo(text, dump.session.source, odd)
    memory.slabs_at = dump.at, block.number
    for message in odd:
        dump.note("skipped", block.number, message)
    dump.rows += 1
    dump.covers("kmem", whole=False)


SLABINFO = Blocks(
    "slabinfo",
    head=re.compile(r"slabinfo - version: \d.*"),
    row=re.compile(r"# ?name .*|\S.* : tunables .*|\S.* : slabdata .*"),
    keep=_slabinfo,
)

_SPLIT = re.compile(r"(\w+):[ \t]*(.*)")


def _status(dump: BlockDump, block: Block) -> None:
    told = {match[1]: match[2] for line in block.lines if (match := _SPLIT.fullmatch(line))}
    sizes = kilobytes(block.lines)
    pid = told.get("Tgid", told.get("Pid", "")).strip()
    koid = int(pid) if pid.isdigit() and 0 < len(pid) < 16 and int(pid) else dump.pid
    dead = told.get("State", "").startswith(("Z", "X"))
    kernel = told.get("Kthread", "").strip() == "1" or told.get("PPid", "").strip() == "2"
    resident = sizes.get("VmRSS", 0 if kernel else None)
    parts = [sizes.get(key) for key in ("RssAnon", "RssFile", "RssShmem")]
    known = [part for part in parts if part is not None]
    if resident is not None and len(known) == len(parts) and sum(known) != resident:
        message = f"VmRSS is {resident}, but its three parts are {sum(known)} bytes"
        dump.note("contradiction", block.number, message)
    dump.add(
        "tasks",
        block.number,
        koid=LinuxMemory.of(dump.session).koid(koid, block.number),
        kind="process",
        name=told["Name"].strip() or None,
        state="dead" if dead else _running(told.get("State", "")),
        reported_virtual_bytes=sizes.get("VmSize"),
        reported_resident_bytes=resident,
        reported_swap_bytes=sizes.get("VmSwap", 0 if kernel else None),
    )
    dump.covers("processes", whole=False)


def _running(state: str) -> str | None:
    word = STATES.get(state[:1], "") if state else ""
    return "running" if word in _STATES else None


STATUS = Blocks(
    "proc status",
    head=re.compile(r"Name:\t.*|Name: +(?!.*\[anon).*"),
    row=re.compile(
        r"(?:Umask|State|T?gid|[NP]?S?[Pp]id|TracerPid|[UG]id|FDSize|Groups|NS\w+|Vm\w+|Rss\w+"
        r"|Tgid|Ngid|Kthread|HugetlbPages|CoreDumping|THP_enabled|untag_mask|Threads|Sig\w+|Shd\w+"
        r"|Cap\w+|NoNewPrivs|Seccomp\w*|Speculation\w+|Cpus_\w+|Mems_\w+|\w+_ctxt_switches"
        r"|x86_\w+):.*"
    ),
    keep=_status,
)


def _rollup(dump: BlockDump, block: Block) -> None:
    sizes = kilobytes(block.lines[1:])

    def total(*keys: str) -> int | None:
        found = [sizes[key] for key in keys if key in sizes]
        return min(sum(found), MOST) if len(found) == len(keys) else None

    pss = total("Pss")
    parts = total("Pss_Anon", "Pss_File", "Pss_Shmem")
    if pss is not None and parts is not None and abs(pss - parts) > 2048:
        message = f"Pss is {pss}, but its parts are {parts} bytes"
        dump.note("contradiction", block.number, message)
    dump.add(
        "tasks",
        block.number,
        koid=LinuxMemory.of(dump.session).koid(dump.session.pid() or dump.pid, block.number),
        kind="process",
        reported_resident_bytes=total("Rss"),
        reported_pss_bytes=pss,
        reported_private_bytes=total("Private_Clean", "Private_Dirty"),
        reported_shared_bytes=total("Shared_Clean", "Shared_Dirty"),
        reported_swap_bytes=total("Swap"),
        reported_swap_pss_bytes=total("SwapPss"),
    )
    dump.pid = None
    dump.covers("processes", whole=False)


ROLLUP = Blocks(
    "smaps_rollup",
    head=re.compile(r"[0-9a-f]+-[0-9a-f]+ [-rwxsp]{4} \S+ \S+ \d+ +\[rollup\]"),
    row=re.compile(r"\w+: +\d{1,15} kB"),
    keep=_rollup,
)

LINUX_FILES = (ROLLUP, MEMINFO, VMSTAT, ZONEINFO, SLABINFO, STATUS)
"""In the order they are tried."""

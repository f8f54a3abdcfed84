"""Files of a control group, version 1 or 2: what it is charged for, its limit, its parts.

A group is a job. Its charge is a figure of its own and no sum of its processes, none of which is
told here. ``grep . memory.*`` names each file; a bare ``cat`` of one number needs its command line.
"""

from __future__ import annotations

import re

from magmem.captures.reading.blocks import Block, BlockDump, Blocks
from magmem.captures.reading.dump import MOST
from magmem.captures.reading.rows import Tables
from magmem.captures.reading.session import Session
from magmem.captures.reconcile.loose import Bundle
from magmem.linux.jobs import ROOT_KOID, cgroup_jobs

__all__ = ["CGROUP"]

NO_LIMIT = 1 << 62
"""Limits of version 1 above this mean none."""

_NAMED = re.compile(
    r"(?P<path>\S*?/)?(?P<file>memory\.[\w.]+?):(?:(?P<key>[a-z_]+)[ :])?(?P<value>\d{1,20}|max)"
)
_STAT = re.compile(r"(?P<key>[a-z_0-9]+) (?P<value>\d{1,20})")
_PATH = re.compile(r"/sys/fs/cgroup(?:/memory)?/([\w./@:\\-]*?)/?(?:memory\.\S*)?(?:\s|$)")

USAGE = ("memory.current", "memory.usage_in_bytes")
LIMIT = ("memory.max", "memory.limit_in_bytes")
SWAP = ("memory.swap.current",)
V1 = ("total_cache", "total_rss")


class _Groups:
    """The groups of one session; files shown by several commands are of one group."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.groups: list[tuple[int, int, str, dict[str, int | None], dict[str, int]]] = []

    def take(self, dump: BlockDump, block: Block) -> bool:
        """Take up the lines of a block; False if they say nothing of a group."""
        files: dict[str, int | None] = {}
        stat: dict[str, int] = {}
        path = match[1] if (match := _PATH.search(dump.command)) else ""
        for line in block.lines:
            if named := _NAMED.fullmatch(line):
                value = None if named["value"] == "max" else min(int(named["value"]), MOST)
                if named["key"]:
                    if named["file"] == "memory.stat" and value is not None:
                        stat.setdefault(named["key"], value)
                else:
                    files.setdefault(named["file"], value)
                path = path or (named["path"] or "").strip("/").removeprefix("sys/fs/cgroup/")
            elif told := _STAT.fullmatch(line):
                stat.setdefault(told["key"], min(int(told["value"]), MOST))
        if not files.keys() & {*USAGE} and not stat.keys() & {"anon", "rss", "total_rss"}:
            return False
        for _, _, other, their_files, their_stat in self.groups[-1:]:
            if path in ("", other) and not (files.keys() & their_files or stat.keys() & their_stat):
                their_files.update(files)
                their_stat.update(stat)
                return True
        self.groups.append((dump.at, block.number, path, files, stat))
        return True

    def bundle(self) -> Bundle:
        """A job for each group, below the root."""
        tables = Tables()
        tasks = tables["tasks"]
        seen: set[int] = set()
        if self.groups:
            self.session.root_job_koid = ROOT_KOID
        for nth, (at, line, path, files, stat) in enumerate(self.groups):
            usage = next((files[name] for name in USAGE if files.get(name) is not None), None)
            swap = next((files[name] for name in SWAP if files.get(name) is not None), None)
            swap = swap if swap is not None else stat.get("total_swap", stat.get("swap"))
            if not seen:
                tasks.add(at, line, koid=ROOT_KOID, kind="job", name="root")
            group = path.strip("/.") or f"group {nth + 1}"
            job = cgroup_jobs({1: group.replace("/", "\u2215")}, set()).jobs[-1]
            koid = next(koid for koid in range(job.koid, MOST) if koid not in seen)
            seen.add(koid)
            tasks.add(
                at,
                line,
                koid=koid,
                kind="job",
                parent_koid=ROOT_KOID,
                name=job.name,
                reported_resident_bytes=usage,
                reported_swap_bytes=swap,
            )
            self.session.note("remark", line, _said(usage, swap, files, stat))
        return tables.bundle()


def _group(dump: BlockDump, block: Block) -> None:
    groups: _Groups = dump.session.readers.setdefault(_Groups, _Groups(dump.session))
    if groups.take(dump, block):
        dump.rows += 1
        dump.covers("jobs", whole=False)


def _said(
    usage: int | None, swap: int | None, files: dict[str, int | None], stat: dict[str, int]
) -> str:
    words = []
    if usage is not None:
        words.append(f"the group is charged for {usage:,} bytes")
    parts: list[tuple[str, int]] = [
        (key, stat[key]) for key in ("anon", "file", "kernel", "sock") if key in stat
    ]
    if not parts:
        parts = [(key, stat[key]) for key in V1 if key in stat]
        parts = parts or [(key, stat[key]) for key in ("cache", "rss") if key in stat]
        kernel = files.get("memory.kmem.usage_in_bytes")
        parts += [("kmem", kernel)] if kernel is not None and parts else []
    if parts:
        words.append(" + ".join(f"{key} {size:,}" for key, size in parts))
        rest = None if usage is None else usage - sum(size for _, size in parts)
        if rest:
            words.append(f"{rest:,} bytes are in no part")
    idle = stat.get("total_inactive_file", stat.get("inactive_file"))
    if usage is not None and idle is not None:
        words.append(f"working set (less inactive_file) {max(0, usage - idle):,}")
    if swap is not None:
        words.append(f"swapped out {swap:,}")
    for name in LIMIT:
        if name in files:
            limit = files[name]
            none = limit is None or limit > NO_LIMIT
            words.append("no limit" if none else f"limit {limit:,}")
    return "; ".join(words)


CGROUP = Blocks(
    "cgroup memory files",
    head=re.compile(
        r"(?:\S*/)?memory\.(?:current|usage_in_bytes|stat):.*|anon \d{1,20}|cache \d{1,20}"
    ),
    row=re.compile(r"(?:\S*/)?memory\.[\w.]+:\S.*|[a-z_0-9]+ \d{1,20}"),
    joins=True,
    keep=_group,
)

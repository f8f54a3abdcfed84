"""What the whole machine says of its memory: ``meminfo``, ``zoneinfo``, ``slabinfo``.

Kernels add fields and zones as they like: what is not known here is passed over, and what is
missing stays missing. Sizes are bytes, except where a name says pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from magmem.errors import CaptureError
from magmem.linux.procfs import shown

__all__ = [
    "Segment",
    "Slab",
    "Slabs",
    "Zone",
    "parse_counters",
    "parse_meminfo",
    "parse_slabinfo",
    "parse_sysvipc",
    "parse_zoneinfo",
]

_KB = re.compile(rb"\s*([^\s:]+)\s*:\s*(\d{1,15})(?:\s*([kK]i?[bB]?))?\s*")
_ZONE = re.compile(rb"Node +(\d{1,9}), +zone +(\S+)")
_COUNT = re.compile(rb" +(?:pages )?(\w+):? +(\d{1,15})")
_SLAB = re.compile(rb".+? +(\d{1,15}) +(\d{1,15}) +(\d{1,15}) +(\d{1,9}) +(\d{1,9}) : .*")
_SLABS = re.compile(rb": slabdata +\d+ +(\d{1,15})")

LRU = ("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable")


def parse_meminfo(data: bytes, source: str, odd: list[str] | None = None) -> Mapping[str, int]:
    """Read ``/proc/meminfo``; what vendors add in forms of their own is passed over.

    Parameters
    ----------
    odd : list of str, optional
        Gets one sentence for all lines that are no NAME: NUMBER; without it the first is refused.

    Returns
    -------
    mapping of str to int
        Bytes by name; counts (``HugePages_Total``) as they are.

    Raises
    ------
    CaptureError
        No MemTotal and MemFree; a line that is no NAME: NUMBER, where `odd` is not given.
    """
    fields: dict[str, int] = {}
    strange: list[CaptureError] = []
    for number, line in enumerate(data.splitlines(), 1):
        match = _KB.fullmatch(line)
        if match:
            fields.setdefault(shown(match[1]), int(match[2]) * (1024 if match[3] else 1))
        elif line.strip():
            place = f"line {number}"
            strange.append(CaptureError(source, place, "NAME: NUMBER kB", shown(line, 80)))
    _pass_over(strange, odd)
    for name in ("MemTotal", "MemFree"):
        if name not in fields:
            raise CaptureError(source, "", f"a line {name}:", f"{len(fields)} other fields")
    return fields


def _pass_over(strange: list[CaptureError], odd: list[str] | None) -> None:
    if strange and odd is None:
        raise strange[0]
    if strange and odd is not None:
        more = f", and {len(strange) - 1} lines more" if len(strange) > 1 else ""
        odd.append(f"{strange[0]}{more}: passed over")


def parse_counters(data: bytes) -> Mapping[str, int]:
    """Read ``/proc/vmstat``, ``memory.stat`` and the like: NAME NUMBER a line.

    Other lines are passed over. Units are the file's.
    """
    return {shown(name): int(number) for name, number in _COUNTER.findall(data)}


_COUNTER = re.compile(rb"^(\w+) (\d{1,19})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of System V shared memory.

    Attributes
    ----------
    shmid : what `ipcs -m` calls it; its inode number.
    size_bytes : as it was asked for.
    creator_pid, last_pid : who made it, and who attached or detached last.
    attached : how many mappings there are.
    resident_bytes, swapped_bytes : None before Linux 2.6.37.
    """

    shmid: int
    size_bytes: int
    creator_pid: int
    last_pid: int
    attached: int
    resident_bytes: int | None
    swapped_bytes: int | None


def parse_sysvipc(data: bytes, source: str) -> tuple[Segment, ...]:
    """Read ``/proc/sysvipc/shm``; columns are found by the head line.

    Raises
    ------
    CaptureError
        A row without its numbers.
    """
    head, *rows = data.splitlines() or [b""]
    place = {name: at for at, name in enumerate(head.split())}
    found = []
    for number, row in enumerate(rows, 2):
        cells = row.split()
        wanted = (b"shmid", b"size", b"cpid", b"lpid", b"nattch", b"rss", b"swap")
        values = [
            int(cells[place[name]])
            if name in place and place[name] < len(cells) and cells[place[name]].isdigit()
            else None
            for name in wanted
        ]
        shmid, size, creator, last, attached, resident, swapped = values
        if shmid is None or size is None:
            expected = "numbers under shmid and size"
            raise CaptureError(source, f"line {number}", expected, shown(row, 80))
        found.append(
            Segment(shmid, size, creator or 0, last or 0, attached or 0, resident, swapped)
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of physical memory; None for what the kernel does not tell.

    Attributes
    ----------
    node : number of its node.
    name : such as ``DMA32`` or ``Normal``.
    start_page : first page frame.
    present_pages : pages of memory there are.
    free_pages : those that are free.
    object_pages : those that hold files or what processes wrote (the kernel's LRU lists).
    cached_pages : free ones that processors keep at hand (per-CPU lists).
    """

    node: int
    name: str
    start_page: int | None
    present_pages: int | None
    free_pages: int | None
    object_pages: int | None
    cached_pages: int


def parse_zoneinfo(data: bytes, source: str) -> tuple[Zone, ...]:
    """Read ``/proc/zoneinfo``.

    Raises
    ------
    CaptureError
        It does not begin with ``Node NUMBER, zone NAME``.
    """
    zones: list[Zone] = []
    fields: dict[str, int] = {}
    head: tuple[int, str] | None = None
    for number, line in enumerate([*data.splitlines(), b"Node 0, zone end"], 1):
        if match := _ZONE.fullmatch(line):
            if head is not None:
                zones.append(_zone(*head, fields))
            head, fields = (int(match[1]), shown(match[2])), {}
        elif head is None:
            raise CaptureError(source, f"line {number}", "Node N, zone NAME", shown(line, 80))
        elif match := _COUNT.fullmatch(line):
            name = shown(match[1])
            # `count` is repeated: one per processor.
            fields[name] = int(match[2]) + (fields.get(name, 0) if name == "count" else 0)
    return tuple(zones)


def _zone(node: int, name: str, fields: Mapping[str, int]) -> Zone:
    lru = [fields.get(f"nr_zone_{kind}") for kind in LRU]
    known = [pages for pages in lru if pages is not None]
    return Zone(
        node,
        name,
        fields.get("start_pfn"),
        fields.get("present"),
        fields.get("free"),
        sum(known) if len(known) == len(LRU) else None,
        fields.get("count", 0),
    )


@dataclass(frozen=True, slots=True)
class Slab:
    """A cache of the kernel's heap.

    Attributes
    ----------
    name : such as ``dentry``; caches the kernel merged show one of their names.
    pages : what it holds.
    used_bytes : of them in objects.
    """

    name: str
    pages: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class Slabs:
    """The kernel's heap.

    Attributes
    ----------
    caches : tuple of Slab
    """

    caches: tuple[Slab, ...]

    @property
    def total_pages(self) -> int:
        """Pages of all caches."""
        return sum(cache.pages for cache in self.caches)

    @property
    def used_bytes(self) -> int:
        """Bytes of the objects in use."""
        return sum(cache.used_bytes for cache in self.caches)


def parse_slabinfo(data: bytes, source: str, odd: list[str] | None = None) -> Slabs:
    """Read ``/proc/slabinfo`` (root alone may).

    Parameters
    ----------
    odd : list of str, optional
        Gets one sentence for all lines that are no cache; without it the first is refused.

    Raises
    ------
    CaptureError
        A line that is no cache, where `odd` is not given.
    """
    caches: list[Slab] = []
    strange: list[CaptureError] = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.startswith((b"slabinfo", b"#")):
            continue
        cache, slabs = _SLAB.fullmatch(line), _SLABS.search(line)
        if cache and slabs:
            name = shown(line[: cache.start(1)].strip(), 31)
            used = int(cache[1]) * int(cache[3])
            caches.append(Slab(name, int(slabs[1]) * int(cache[5]), used))
        else:
            expected = "NAME ACTIVE NUMBER SIZE PER-SLAB PAGES : … : slabdata …"
            strange.append(CaptureError(source, f"line {number}", expected, shown(line, 80)))
    _pass_over(strange, odd)
    return Slabs(tuple(caches))

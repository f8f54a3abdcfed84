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

__all__ = ["Slabs", "Zone", "parse_meminfo", "parse_slabinfo", "parse_zoneinfo"]

_KB = re.compile(rb"([^\s:]+): +(\d{1,15})(?: kB)?")
_ZONE = re.compile(rb"Node +(\d{1,9}), +zone +(\S+)")
_COUNT = re.compile(rb" +(?:pages )?(\w+):? +(\d{1,15})")
_SLAB = re.compile(rb".+? +(\d{1,15}) +(\d{1,15}) +(\d{1,15}) +(\d{1,9}) +(\d{1,9}) : .*")
_SLABS = re.compile(rb": slabdata +\d+ +(\d{1,15})")

LRU = ("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable")


def parse_meminfo(data: bytes, source: str) -> Mapping[str, int]:
    """Read ``/proc/meminfo``.

    Returns
    -------
    mapping of str to int
        Bytes by name; counts (``HugePages_Total``) as they are.

    Raises
    ------
    CaptureError
        A line that is no NAME: NUMBER, or no MemTotal and MemFree.
    """
    fields: dict[str, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        match = _KB.fullmatch(line)
        if not match:
            raise CaptureError(source, f"line {number}", "NAME: NUMBER kB", shown(line, 80))
        unit = 1024 if line.endswith(b"kB") else 1
        fields[shown(match[1])] = int(match[2]) * unit
    for name in ("MemTotal", "MemFree"):
        if name not in fields:
            raise CaptureError(source, "", f"a line {name}:", f"{len(fields)} other fields")
    return fields


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
class Slabs:
    """The kernel's heap.

    Attributes
    ----------
    total_pages : pages of all caches.
    used_bytes : bytes of the objects in use.
    """

    total_pages: int
    used_bytes: int


def parse_slabinfo(data: bytes, source: str) -> Slabs:
    """Read ``/proc/slabinfo`` (root alone may).

    Raises
    ------
    CaptureError
        A line that is no cache.
    """
    pages = used = 0
    for number, line in enumerate(data.splitlines(), 1):
        if line.startswith((b"slabinfo", b"#")):
            continue
        cache, slabs = _SLAB.fullmatch(line), _SLABS.search(line)
        if not (cache and slabs):
            expected = "NAME ACTIVE NUMBER SIZE PER-SLAB PAGES : … : slabdata …"
            raise CaptureError(source, f"line {number}", expected, shown(line, 80))
        pages += int(slabs[1]) * int(cache[5])
        used += int(cache[1]) * int(cache[3])
    return Slabs(pages, used)

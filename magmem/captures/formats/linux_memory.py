"""What texts of Linux tell of mappings and of the machine, made into tables as `live` makes them.

Dumps hand over what they read; when the text is over, `magmem.linux` decides which VMO is behind a
mapping and what the kernel keeps, so that a saved text and a running system look alike. A process
whose pid no line tells gets a number above every pid, and a note says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from magmem.captures.reading.session import Session
from magmem.captures.reconcile.loose import Bundle, bundle_of
from magmem.linux.kmem import Machine, arena_columns
from magmem.linux.machine import Slabs, Zone
from magmem.linux.process import PssSums, Stat
from magmem.linux.records import ProcessRecord, Reading
from magmem.linux.smaps import Mappings
from magmem.linux.space import memory_of
from magmem.snapshot import Snapshot

__all__ = ["FIRST_UNKNOWN", "LinuxMemory"]

FIRST_UNKNOWN = 5_000_000
"""Processes without a pid are numbered above this, higher than any pid."""

PAGE = 4096

PARTS = ("AnonPages", "Cached", "Buffers", "Slab", "PageTables")
"""Without these counters ``meminfo`` does not say where the memory is."""

LISTS = ("Active", "Inactive", "Unevictable")


class LinuxMemory:
    """Gathers for one session.

    Attributes
    ----------
    vmstat : counters by name.
    zones, slabs : as read last.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.records: dict[int, ProcessRecord] = {}
        self.origin_of: dict[int, int] = {}
        self.reports: list[tuple[int, int, Mapping[str, int]]] = []
        self.vmstat: dict[str, int] = {}
        self.vmstat_at = (-1, 0)
        self.zones: tuple[Zone, ...] = ()
        self.zones_at = -1
        self.slabs: Slabs | None = None
        self.slabs_at = (-1, 0)
        self._unknown = 0
        self._mappings = 0

    @classmethod
    def of(cls, session: Session) -> LinuxMemory:
        """The session's own."""
        found: LinuxMemory = session.readers.setdefault(cls, cls(session))
        return found

    def koid(self, pid: int | None, line: int) -> int:
        """The koid of a process; one of its own where the text does not tell the pid."""
        if pid is not None:
            return pid
        koid = self.number()
        message = f"no line tells the pid; the process is numbered {koid}, above every pid"
        self.session.note("remark", line, message)
        return koid

    def number(self) -> int:
        """A koid above every pid, for what is told without one."""
        self._unknown += 1
        return FIRST_UNKNOWN + self._unknown

    def process(self, at: int, koid: int, mappings: Mappings, name: str | None = None) -> None:
        """Take up the mappings of a process, if it has none yet."""
        if koid in self.records:
            self.session.note("remark", 0, f"the mappings of process {koid} are told again")
            return
        record = ProcessRecord(koid, Stat(name or "", "unknown", 0, False, 0, 0, 0))
        record.sums, record.mappings = mappings.sums, mappings
        record.first_mapping = self._mappings
        self._mappings += len(mappings)
        self.records[koid] = record
        self.origin_of[koid] = at

    def bundle(self) -> Bundle:
        """All of it as loose rows."""
        bundle: Bundle = {}
        if self.records:
            bundle |= self._processes()
        if self.reports:
            at, line, info = self.reports[-1]
            bundle |= self._machine(at, line, info)
        elif self.vmstat or self.slabs:
            bundle |= self._pieces()
        if self.zones:
            arenas = arena_columns(Machine(zones=self.zones))
            bundle |= bundle_of(Snapshot.of({"arenas": arenas}), self.zones_at)
        return bundle

    def _reading(self, machine: Machine, records: list[ProcessRecord]) -> Reading:
        return Reading(PAGE, True, True, machine, records)

    def _processes(self) -> Bundle:
        records = list(self.records.values())
        memory = memory_of(self._reading(Machine(), records))
        tables: dict[str, Any] = dict(memory.tables)
        tables.pop("kmem")
        sums: list[PssSums] = [record.sums or PssSums(None, None, None, None) for record in records]
        tables["tasks"] = {
            "koid": [record.pid for record in records],
            "kind": ["process"] * len(records),
            "name": [record.stat.name or None for record in records],
            "reported_pss_bytes": [one.pss_bytes for one in sums],
            "reported_private_bytes": [one.private_bytes for one in sums],
            "reported_shared_bytes": [one.shared_bytes for one in sums],
            "reported_resident_bytes": [one.rss_bytes for one in sums],
            "reported_swap_bytes": [one.swap_bytes for one in sums],
            "reported_swap_pss_bytes": [one.swap_pss_bytes for one in sums],
            "reported_virtual_bytes": [_size(record.mappings) for record in records],
        }
        bundle = bundle_of(Snapshot.of(tables), 0)
        origins = np.array([self.origin_of[record.pid] for record in records], np.int64)
        own = {"tasks": origins, "aspaces": origins}
        for name, rows in bundle.items():
            origin = own.get(name, np.full(len(rows), origins[0]))
            bundle[name] = dataclasses.replace(rows, origin=origin)
        return bundle

    def _machine(self, at: int, line: int, info: Mapping[str, int]) -> Bundle:
        if len(self.reports) > 1:
            message = f"{len(self.reports)} reports of the machine; the last is its state"
            self.session.note("remark", line, message)
        if not {"MemTotal", "MemFree", *PARTS} <= info.keys():
            told = {"total_bytes": "MemTotal", "free_bytes": "MemFree", "total_heap_bytes": "Slab"}
            told |= {"swap_total_bytes": "SwapTotal", "swap_free_bytes": "SwapFree"}
            kmem = {column: [info.get(key)] for column, key in told.items()}
            return bundle_of(Snapshot.of({"kmem": kmem}), at)
        vmstat = dict(self.vmstat)
        misc = info.get("KReclaimable", 0) - info.get("SReclaimable", 0)
        if misc > 0 and "SReclaimable" in info:
            vmstat.setdefault("nr_kernel_misc_reclaimable", misc // PAGE)
        machine = Machine(info, self.zones, self.slabs, PAGE, vmstat)
        memory = memory_of(self._reading(machine, []))
        columns = dict(memory.tables["kmem"])
        if info.keys() >= set(LISTS):
            # The lists hold the swap cache as well, which is in no other of these counters.
            lists = sum(info[key] for key in LISTS)
            more = lists - columns["vmo_bytes"][0]
            other = columns["other_bytes"][0]
            if other is not None and 0 < more <= other:
                columns |= {"vmo_bytes": [lists], "other_bytes": [other - more]}
        columns["swap_memory_bytes"] = [_zram(self.vmstat)]
        if memory.excess_bytes:
            message = f"the counters exceed the memory there is by {memory.excess_bytes} bytes"
            self.session.note("contradiction", line, f"{message}: something is counted twice")
        tables = {"kmem": columns, "vmos": memory.tables["vmos"]}
        return bundle_of(Snapshot.of(tables), at)

    def _pieces(self) -> Bundle:
        """Without ``meminfo``: what the other files say of the machine."""
        kmem: dict[str, list[int | None]] = {}
        counters = self.vmstat
        free = counters.get("nr_free_pages")
        kmem["free_bytes"] = [None if free is None else free * PAGE]
        kmem["swap_memory_bytes"] = [_zram(counters)]
        if {"nr_anon_pages", "nr_file_pages"} <= counters.keys():
            kmem["vmo_bytes"] = [(counters["nr_anon_pages"] + counters["nr_file_pages"]) * PAGE]
        at, line = self.vmstat_at if counters else self.slabs_at
        if self.slabs is not None:
            kmem["total_heap_bytes"] = [self.slabs.total_pages * PAGE]
            unused = self.slabs.total_pages * PAGE - self.slabs.used_bytes
            kmem["free_heap_bytes"] = [max(0, unused)]
        self.session.note("remark", line, "pages are taken to be of 4096 bytes, as no line tells")
        return bundle_of(Snapshot.of({"kmem": kmem}), at)


def _zram(vmstat: Mapping[str, int]) -> int | None:
    pages = vmstat.get("nr_zspages")
    return None if pages is None else pages * PAGE


def _size(mappings: Mappings | None) -> int | None:
    return None if mappings is None else int((mappings.end - mappings.start).sum())

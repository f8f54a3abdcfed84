"""Lines of the kernel's log that tell of memory: its heap, arenas at boot, memory pressure.

None of them tells more than a few figures, so each covers its facet partly.
"""

from __future__ import annotations

import re

from magmem.captures.reading.dump import Dump, TextFormat
from magmem.captures.reading.rows import Rounded
from magmem.captures.reading.session import Session
from magmem.captures.reconcile.rounding import UNITS

__all__ = ["BOOT_ARENAS", "KERNEL_HEAP", "MEMORY_PRESSURE"]

_HEAP = re.compile(r"\s*+Heap dump \(using [\w ]{1,40}\):\s*+").fullmatch
_HEAP_SIZE = re.compile(
    r"\s*+size ([0-9]{1,19}), remaining ([0-9]{1,19})(?:,.{0,200})?\s*+"
).fullmatch
_LIKE_HEAP_SIZE = re.compile(r"\s*+size -?[0-9]").match
_ARENA = re.compile(
    r"\s*+PMM: adding arena (?:0x)?[0-9a-f]{1,40} name '(.*)' base (0x[0-9a-f]{1,40}) "
    r"size (0x[0-9a-f]{1,40})(?:[ ,].{0,200})?"
).fullmatch
_LIKE_ARENA = re.compile(r"\s*+PMM: adding arena ").match
_PMM = re.compile(r"\s*+PMM: (?:boot reserve|boot_reserve|reserv)").match
_PRESSURE = re.compile(r"\s*+(?:memory-pressure: |\[EVICT\]: )").match
_FREE = re.compile(r"(?:free memory is|after eviction is) ([0-9]{1,12})MB").search
_STATE = re.compile(r"memory availability state - ([A-Za-z]{1,40})").search
_WATERMARKS = re.compile(r"memory watermarks - (.{1,300})").search


class _Heap(Dump):
    def take(self, line: str, number: int) -> bool:
        """The line with the sizes; the free list after it is not needed."""
        if _HEAP(line):
            return not self.rows
        size = _HEAP_SIZE(line)
        if size is None:
            if not self.rows and _LIKE_HEAP_SIZE(line):
                raise self.error(number, "size N, remaining N in bytes", line)
            return False
        if self.rows:
            return False
        total = self.count(size[1], number, "a size")
        free = self.count(size[2], number, "a size")
        if free > total:
            raise self.error(number, f"at most {total} bytes remaining", size[2])
        self.add("kmem", number, total_heap_bytes=total, free_heap_bytes=free)
        self.covers("kmem", whole=False)
        return True


class _BootArenas(Dump):
    def take(self, line: str, number: int) -> bool:
        """An arena. Its address may stand twice, so the base tells it."""
        arena = _ARENA(line)
        if arena is None:
            if _LIKE_ARENA(line):
                raise self.error(number, "an arena with name, base and size", line)
            return bool(_PMM(line))
        name = self.name(arena[1], number)
        base, size = (self.address(arena[at], number, "a range") for at in (2, 3))
        if not size or base + size > 1 << 64 or size >= 1 << 63:
            raise self.error(number, "a range of physical memory", line)
        self.add("arenas", number, name=name, base=base, size_bytes=size)
        self.covers("arenas", whole=False)
        return True


class _Pressure(Dump):
    told = ""
    marks = ""

    def take(self, line: str, number: int) -> bool:
        """Free memory in whole MB, cut down; the state is a range between watermarks."""
        if not _PRESSURE(line):
            return False
        free, state, marks = _FREE(line), _STATE(line), _WATERMARKS(line)
        if free is not None:
            size = self.count(free[1], number, "a size") * UNITS["M"]
            # Cut down: from that on to one MB more.
            self.add("kmem", number, free_bytes=Rounded(size, UNITS["M"]))
            self.origin.rounded = True
        self.covers("kmem", whole=False)
        self.origin.last_line = number
        self.told = state[1] if state is not None else self.told
        self.marks = marks[1] if marks is not None else self.marks
        return True

    def end(self) -> None:
        """Say what has no column."""
        parts = [f"the last state is {self.told}"] if self.told else []
        parts += [f"watermarks: {self.marks}"] if self.marks else []
        says = "; ".join(parts) or "it names no state"
        message = f"a log of memory pressure tells no more than free memory: {says}"
        self.note("remark", self.origin.first_line, message)


class _Lines(TextFormat):
    def __init__(self, name: str, begins: re.Pattern[str], dump: type[Dump]) -> None:
        self.name, self.begins, self.dump = name, begins, dump

    def opens(self, line: str, number: int, session: Session) -> Dump | None:
        """A line of its own kind."""
        return self.dump(session, self.name, number) if self.begins.match(line) else None


KERNEL_HEAP = _Lines("kernel heap", re.compile(r"\s*+Heap dump \(using "), _Heap)
BOOT_ARENAS = _Lines("boot arenas", re.compile(r"\s*+PMM: adding arena "), _BootArenas)
MEMORY_PRESSURE = _Lines(
    "memory pressure log", re.compile(r"\s*+(?:memory-pressure: |\[EVICT\]: )"), _Pressure
)

"""`k mx asd` and `vmm aspaces`: address spaces as the kernel dumps them, with every address.

Two blanks a level. Ranges name their last byte. A map line counts the pages inside the mapped
range, the vmo line under it all pages the VMO owns; that line is repeated under every mapping.
``parent k0`` may mean no parent, or one without koid. An ``object`` line is a physical VMO.
"""

from __future__ import annotations

import re
from array import array
from typing import Any

from magmem.captures.formats.asd_lines import (
    ASPACE_LINE,
    BARE_MAP_LINE,
    BESIDE_LINE,
    LATER_VMO_LINE,
    LIKE_LINE,
    MAP_LINE,
    MAPPED_LINE,
    OBJECT_LINE,
    PROTECTED_LINE,
    VMAR_LINE,
    VMO_LINE,
    permissions,
)
from magmem.captures.reading.reader import MOST, Reader, Session
from magmem.captures.reconcile.loose import Bundle, loose
from magmem.snapshot import PAGE_BYTES
from magmem.snapshot.schema import TABLES

__all__ = ["AsdReader"]

VMAR, MAPPING = (TABLES["regions"].columns["kind"].choices.index(k) for k in ("vmar", "mapping"))
KERNEL, USER = (TABLES["aspaces"].columns["kind"].choices.index(k) for k in ("kernel", "user"))
PAGED, PHYSICAL = (TABLES["vmos"].columns["kind"].choices.index(k) for k in ("paged", "physical"))

_PROCESS = re.compile(r"proc:([0-9]{1,19})")


class AsdReader(Reader):
    """Every dump of address spaces in a session; those that follow each other are one dump."""

    names = "asd, vmm aspaces"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.aspace_dumps, self.aspace_lines = array("q"), array("q")
        self.aspace_kinds, self.process_koids = array("b"), array("q")
        self.aspace_names: list[str | None] = []
        self.aspace_addrs, self.aspace_bases = array("Q"), array("Q")
        self.aspace_sizes, self.aspace_flags = array("q"), array("q")
        self.aspace_refs = array("q")
        self.whole: list[bool] = []
        self.dumps, self.lines, self.aspaces = array("q"), array("q"), array("q")
        self.depths, self.kinds = array("q"), array("b")
        self.addrs, self.bases, self.sizes = array("Q"), array("Q"), array("q")
        self.region_names: list[str | None] = []
        self.refs, self.vmos = array("q"), array("q")
        self.offsets: list[int | None] = []
        self.mmu_flags, self.resident = array("q"), array("q")
        self.perms: list[str | None] = []
        self.vmo_dumps, self.vmo_lines = array("q"), array("q")
        self.vmo_addrs, self.vmo_koids = array("Q"), array("q")
        self.vmo_names: list[str | None] = []
        self.vmo_kinds, self.vmo_sizes = array("b"), array("q")
        self.vmo_pages, self.vmo_refs = array("q"), array("q")
        self.vmo_parents = array("q")
        self.phys_bases: list[int | None] = []

    def opens(self, line: str, number: int) -> bool:
        """An address space."""
        if not LIKE_LINE.match(line):
            return False
        command = self.session.command
        everything = command is not None and command.tool == "aspaces"
        if not line.lstrip(" ").startswith("as "):
            raise self.session.error(number, "an address space (as …) before its regions", line)
        self.session.command = None
        self.begin("vmm aspaces" if everything else "asd", number)
        self.everything = everything
        self.first_aspace = len(self.aspace_dumps)
        self.above: list[tuple[int, int, int]] = []
        self.rooted = self.under_map = False
        self.bare: tuple[re.Match[str], int] | None = None
        self.protections: set[int] = set()
        self.skipped = 0
        return self.take(line, number)

    def take(self, line: str, number: int) -> bool:
        """A line of the tree."""
        word = line.lstrip(" ")[:3]
        origin = self.origin
        assert origin is not None  # noqa: S101
        if word == "map" and (row := MAP_LINE(line)) is not None:
            self._take_map(row, number)
        elif word == "map" and (row := BARE_MAP_LINE(line)) is not None:
            self.bare, self.protections = (row, number), set()
            if row[6] is not None:
                self.protections.add(self._number(row[6], number, "flags"))
        elif self.bare is not None and (row := PROTECTED_LINE(line)) is not None:
            self.protections.add(self._number(row[1], number, "flags"))
        elif word == "vmo" and self.bare is not None and (row := MAPPED_LINE(line)) is not None:
            self._take_mapped(self.bare[0], row, number)
            self.bare = None
        elif word == "vmo" and (row := VMO_LINE(line)) is not None:
            self._take_vmo(row, number)
        elif word == "vmo" and (row := LATER_VMO_LINE(line)) is not None:
            self._take_later_vmo(row, number)
        elif BESIDE_LINE(line):
            self.skipped += 1
        elif word == "vma" and (row := VMAR_LINE(line)) is not None:
            self._take_vmar(row, number)
        elif word == "obj" and (row := OBJECT_LINE(line)) is not None:
            self._take_object(row, number)
        elif word == "as " and (row := ASPACE_LINE(line)) is not None:
            self._take_aspace(row, number)
        elif LIKE_LINE.match(line):
            raise self.session.error(number, "a line of asd: as, vmar, map, vmo or object", line)
        else:
            return False
        origin.last_line = number
        return True

    def _range(self, texts: tuple[str | Any, ...], number: int) -> tuple[int, int, int]:
        addr, first, last, size = texts
        base, end = int(first, 16), int(last, 16)
        length = int(size, 16)
        if end - base + 1 != length or not 0 < length <= MOST or end >= 1 << 64:
            expected = f"a range of {size} bytes, with its last byte"
            raise self.session.error(number, expected, f"[{first} {last}]")
        return self.address(addr, number, "an address"), base, length

    def _number(self, text: str, number: int, what: str) -> int:
        value = int(text, 16)
        if value > MOST:
            raise self.session.error(number, f"{what} of 63 bits at most", text)
        return value

    def _take_aspace(self, row: re.Match[str], number: int) -> None:
        addr, base, size = self._range(row.group(1, 2, 3, 4), number)
        name = self.name(row[7], number)
        flags = self._number(row[5], number, "flags")
        ref = self.count(row[6], number, "a count")
        process = _PROCESS.fullmatch(name)
        koid = self.count(process[1], number, "a koid") if process and flags & 3 != 1 else -1
        if len(self.aspace_dumps) > self.first_aspace:
            self._end_aspace()
        self.aspace_dumps.append(self.at)
        self.aspace_lines.append(number)
        self.aspace_kinds.append(KERNEL if flags & 3 == 1 else USER)
        self.process_koids.append(koid or -1)
        self.aspace_names.append(name)
        self.aspace_addrs.append(addr)
        self.aspace_bases.append(base)
        self.aspace_sizes.append(size)
        self.aspace_flags.append(flags)
        self.aspace_refs.append(ref)
        self.whole.append(False)
        self.above = [(-1, base, base + size)]
        self.rooted = self.under_map = False

    def _region(self, kind: int, row: re.Match[str], number: int) -> None:
        addr, base, size = self._range(row.group(2, 3, 4, 5), number)
        # The address space stands at 0, its root VMAR two blanks deeper at depth 0.
        indent = len(row[1])
        above = self.above
        if not above:
            raise self.session.error(number, "an address space before its regions", row[0])
        while len(above) > 1 and above[-1][0] >= indent:
            above.pop()
        if not above[-1][1] <= base <= base + size <= above[-1][2]:
            inside = f"[{above[-1][1]:#x} {above[-1][2] - 1:#x}]"
            expected = f"a range inside the one above it, {inside}"
            raise self.session.error(number, expected, f"[{row[3]} {row[4]}]")
        depth = indent // 2 - 1
        if depth < 1 or kind == MAPPING:
            depth = max(depth, 0)
            if kind == VMAR and self.rooted:
                raise self.session.error(number, "one root VMAR in an address space", row[0])
            self.rooted = self.rooted or kind == VMAR
        if kind == VMAR:
            above.append((indent, base, base + size))
        self.dumps.append(self.at)
        self.lines.append(number)
        self.aspaces.append(len(self.aspace_dumps) - 1)
        self.depths.append(depth)
        self.kinds.append(kind)
        self.addrs.append(addr)
        self.bases.append(base)
        self.sizes.append(size)

    def _take_vmar(self, row: re.Match[str], number: int) -> None:
        name = self.name(row[7], number)
        ref = self.count(row[6], number, "a count")
        self._region(VMAR, row, number)
        self.region_names.append(name)
        self.refs.append(ref)
        self.vmos.append(-1)
        self.offsets.append(None)
        self.mmu_flags.append(-1)
        self.perms.append(None)
        self.resident.append(-1)
        self.under_map = False

    def _take_map(self, row: re.Match[str], number: int) -> None:
        flags = self._number(row[6], number, "flags")
        addr = self.address(row[7], number, "an address")
        koid = self.count(row[8], number, "a koid")
        offset = self.address(row[9], number, "an offset")
        pages = self.count(row[10], number, "a count of pages")
        ref = self.count(row[11], number, "a count")
        name = self.name(row[12], number)
        if pages > -(-int(row[5], 16) // PAGE_BYTES):
            raise self.session.error(number, f"pages that fit {row[5]} bytes", row[10])
        self._region(MAPPING, row, number)
        self.region_names.append(None)
        self.refs.append(ref)
        self.vmos.append(len(self.vmo_dumps))
        self.offsets.append(offset)
        self.mmu_flags.append(flags)
        self.perms.append(permissions(flags))
        self.resident.append(pages * PAGE_BYTES)
        self._vmo(addr, koid, name, number)
        self.under_map = True

    def _take_mapped(self, bare: re.Match[str], row: re.Match[str], number: int) -> None:
        """A mapping whose VMO stands on a line of its own, with pages or bytes inside its range."""
        addr = self.address(row[1], number, "an address")
        koid = self.count(row[2], number, "a koid")
        offset = self.address(row[3], number, "an offset")
        held = self.count(row[5] or row[6], number, "a count")
        resident = held if row[4] == "bytes" else held * PAGE_BYTES
        ref = self.count(row[8], number, "a count")
        name = self.name(row[9], number)
        if resident > -(-int(bare[5], 16) // PAGE_BYTES) * PAGE_BYTES:
            raise self.session.error(number, f"{row[4]} that fit {bare[5]} bytes", str(held))
        # Ranges of one mapping may be protected each in its own way: then none is told for all.
        flags = next(iter(self.protections)) if len(self.protections) == 1 else -1
        self._region(MAPPING, bare, number)
        self.region_names.append(None)
        self.refs.append(ref)
        self.vmos.append(len(self.vmo_dumps))
        self.offsets.append(offset)
        self.mmu_flags.append(flags)
        self.perms.append(permissions(flags) if flags >= 0 else None)
        self.resident.append(resident)
        self._vmo(addr, koid, name, number)
        self.under_map = True

    def _take_later_vmo(self, row: re.Match[str], number: int) -> None:
        """A VMO whose pages may stand with its page lists, and whose parent has an address."""
        addr = self.address(row[1], number, "an address")
        koid = self.count(row[2], number, "a koid")
        size = -1 if row[3] is None else self._number(row[3], number, "a size")
        pages = -1 if row[4] is None else self.count(row[4], number, "a count of pages")
        if pages > MOST // PAGE_BYTES:
            raise self.session.error(number, "pages of 63 bits of bytes at most", row[4])
        ref = self.count(row[5], number, "a count")
        parent = 0 if row[7] is None else self.count(row[7], number, "a parent's koid")
        self._belongs(addr, koid, number)
        self.vmo_kinds[-1] = PAGED
        self.vmo_sizes[-1] = size
        self.vmo_pages[-1] = -1 if pages < 0 else pages * PAGE_BYTES
        self.vmo_refs[-1] = ref
        self.vmo_parents[-1] = parent or -1
        self.under_map = False

    def _vmo(self, addr: int, koid: int, name: str | None, number: int) -> None:
        self.vmo_dumps.append(self.at)
        self.vmo_lines.append(number)
        self.vmo_addrs.append(addr)
        self.vmo_koids.append(koid)
        self.vmo_names.append(name)
        self.vmo_kinds.append(-1)
        self.vmo_sizes.append(-1)
        self.vmo_pages.append(-1)
        self.vmo_refs.append(-1)
        self.vmo_parents.append(-1)
        self.phys_bases.append(None)

    def _take_vmo(self, row: re.Match[str], number: int) -> None:
        addr = self.address(row[1], number, "an address")
        koid = self.count(row[2], number, "a koid")
        size = self._number(row[3], number, "a size")
        pages = self.count(row[4], number, "a count of pages")
        ref = self.count(row[5], number, "a count")
        parent = self.count(row[6], number, "a parent's koid")
        if pages > MOST // PAGE_BYTES:
            raise self.session.error(number, "pages of 63 bits of bytes at most", row[4])
        self._belongs(addr, koid, number)
        self.vmo_kinds[-1] = PAGED
        self.vmo_sizes[-1] = size
        self.vmo_pages[-1] = pages * PAGE_BYTES
        self.vmo_refs[-1] = ref
        self.vmo_parents[-1] = parent or -1
        self.under_map = False

    def _take_object(self, row: re.Match[str], number: int) -> None:
        addr = self.address(row[1], number, "an address")
        base = self.address(row[2], number, "an address")
        size = self._number(row[3], number, "a size")
        ref = self.count(row[4], number, "a count")
        self._belongs(addr, None, number)
        self.vmo_kinds[-1] = PHYSICAL
        self.phys_bases[-1] = base
        self.vmo_sizes[-1] = size
        self.vmo_refs[-1] = ref
        self.under_map = False

    def _belongs(self, addr: int, koid: int | None, number: int) -> None:
        """A vmo line follows the map line that names it; where that is lost, it stands alone."""
        named = self.under_map and self.vmo_addrs[-1] == addr
        if self.under_map and (not named or koid not in (None, self.vmo_koids[-1])):
            expected = (
                f"the VMO of the mapping above, {self.vmo_addrs[-1]:#x}/k{self.vmo_koids[-1]}"
            )
            raise self.session.error(number, expected, f"{addr:#x}/k{koid}")
        if not named:
            self._vmo(addr, -1 if koid is None else koid, None, number)

    def _end_aspace(self) -> None:
        self.whole[-1] = self.rooted and not self.elided

    def end(self) -> None:
        """Every address space, if the command asked for all; else those shown."""
        rows = range(self.first_aspace, len(self.aspace_dumps))
        if self.skipped and self.origin is not None:
            message = f"{self.skipped} lines of page lists are left out: they belong to no koid"
            self.session.note("skipped", self.origin.first_line, message)
        if rows:
            self._end_aspace()
        if any(self.aspace_kinds[row] == KERNEL for row in rows):
            self.covers("kernel mappings")
        if self.everything:
            self.covers("mappings")
            self.covers("processes", whole=False)
        elif any(self.process_koids[row] > 0 for row in rows):
            self.covers("mappings", "processes", whole=False)
        self.covers("vmos", whole=False)

    def bundle(self) -> Bundle:
        """Address spaces, regions, and a VMO for every mapping."""
        aspaces = {
            "kind": self.aspace_kinds,
            "process_koid": self.process_koids,
            "name": self.aspace_names,
            "addr": self.aspace_addrs,
            "base": self.aspace_bases,
            "size_bytes": self.aspace_sizes,
            "flags": self.aspace_flags,
            "ref": self.aspace_refs,
            "whole": self.whole,
        }
        regions = {
            "aspace": self.aspaces,
            "depth": self.depths,
            "kind": self.kinds,
            "base": self.bases,
            "size_bytes": self.sizes,
            "name": self.region_names,
            "addr": self.addrs,
            "ref": self.refs,
            "vmo": self.vmos,
            "vmo_offset_bytes": self.offsets,
            "perms": self.perms,
            "arch_mmu_flags": self.mmu_flags,
            "reported_resident_bytes": self.resident,
        }
        physical = [kind == PHYSICAL for kind in self.vmo_kinds]
        clone = [1 if koid > 0 else -1 for koid in self.vmo_parents]
        vmos = {
            "koid": self.vmo_koids,
            "kind": self.vmo_kinds,
            "name": self.vmo_names,
            "size_bytes": self.vmo_sizes,
            "is_clone": [0 if bare else told for bare, told in zip(physical, clone, strict=True)],
            "parent_koid": self.vmo_parents,
            "addr": self.vmo_addrs,
            "ref": self.vmo_refs,
            "phys_base": self.phys_bases,
            "pages_known": [
                int(bare or pages == 0)
                for bare, pages in zip(physical, self.vmo_pages, strict=True)
            ],
            "reported_committed_bytes": self.vmo_pages,
        }
        return {
            "aspaces": loose("aspaces", self.aspace_dumps, self.aspace_lines, aspaces),
            "regions": loose("regions", self.dumps, self.lines, regions),
            "vmos": loose("vmos", self.vmo_dumps, self.vmo_lines, vmos),
        }

"""`vmaps KOID`: one process's address space, VMARs and mappings.

Older forms have no ``:vmo`` column and print names without quotes. Which process it is follows from
the name ``proc:KOID`` of the address space, else from the command line before it. Offsets in the
VMO are not printed, so they stay unknown.
"""

from __future__ import annotations

import re
from array import array

from magmem.captures.reading.reader import MOST, Reader, Session
from magmem.captures.reconcile.loose import Bundle, loose
from magmem.captures.reconcile.rounding import SIZE
from magmem.snapshot.schema import TABLES

__all__ = ["VmapsReader"]

VMAR, MAPPING = (TABLES["regions"].columns["kind"].choices.index(k) for k in ("vmar", "mapping"))
USER = TABLES["aspaces"].columns["kind"].choices.index("user")

_ROW = re.compile(
    r"( *+)(/A|/R|R|M) ++([0-9a-f_]{16})-([0-9a-f_]{16})"
    rf" ++(?:([r-][w-][x-]) ++)?+({SIZE}):sz"
    rf"(?: ++({SIZE}):res)?+(?: ++([0-9]{{1,19}}):vmo)?+ *+(.*)"
).fullmatch
_LIKE_ROW = re.compile(r" *+(?:/A|/R|R|M) ++[0-9a-f_]{4}")
_CUT = re.compile(r"\s*\[([0-9]{1,19}) entries truncated\]\s*")
_PROCESS = re.compile(r"proc:([0-9]{1,19})")


class VmapsReader(Reader):
    """Every `vmaps` of a session."""

    names = "vmaps"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.aspace_dumps = array("q")
        self.aspace_lines = array("q")
        self.process_koids = array("q")
        self.aspace_names: list[str | None] = []
        self.aspace_bases: list[int | None] = []
        self.aspace_sizes = array("q")
        self.whole: list[bool] = []
        self.dumps = array("q")
        self.lines = array("q")
        self.aspaces = array("q")
        self.depths = array("q")
        self.kinds = array("b")
        self.bases = array("Q")
        self.sizes = array("q")
        self.region_names: list[str | None] = []
        self.perms: list[str | None] = []
        self.vmos = array("q")
        self.resident = array("q")
        self.slack = array("q")
        self.vmo_dumps = array("q")
        self.vmo_lines = array("q")
        self.vmo_koids = array("q")
        self.vmo_names: list[str | None] = []

    def opens(self, line: str, number: int) -> bool:
        """The address space's line, or any row where that one is lost."""
        if not _LIKE_ROW.match(line):
            return False
        self._open(number)
        return self.take(line, number)

    def _open(self, number: int) -> None:
        self.begin("vmaps", number)
        command = self.asked("vmaps")
        self.aspace_dumps.append(self.at)
        self.aspace_lines.append(number)
        self.process_koids.append(command.koid if command is not None else -1)
        self.aspace_names.append(None)
        self.aspace_bases.append(None)
        self.aspace_sizes.append(-1)
        self.whole.append(False)
        self.rooted = self.cut = False
        self.first_row = len(self.dumps)
        self.above: list[tuple[int, int, int]] = []

    def take(self, line: str, number: int) -> bool:
        """A row of the tree."""
        row = _ROW(line)
        if row is None:
            return self._take_other(line, number)
        indent, mark, first, last, perms, size_text, resident_text, koid_text, name = row.groups()
        base, end = _bound(first), _bound(last)
        size, slack = self.size(size_text, number)
        if not base <= end or abs(end - base - size) > slack or end - base > MOST:
            expected = f"a range that ends {size_text} after its start"
            raise self.session.error(number, expected, f"{first}-{last}")
        name = self.name(_unquoted(name), number)
        if mark == "/A":
            self._take_aspace(base, end, name, number)
            return True
        assert self.origin is not None  # noqa: S101
        self.origin.last_line = number
        koid = -1 if koid_text is None else self.count(koid_text, number, "a koid")
        resident, rounding = -1, 0
        if resident_text is not None:
            resident, rounding = self.size(resident_text, number)
            if resident - rounding > end - base:
                expected = f"at most {size_text} of resident memory"
                raise self.session.error(number, expected, resident_text)
        depth = 0 if mark == "/R" else len(indent) + 1
        self._check_place(depth, base, end, number, line)
        vmo = -1
        if koid >= 0:
            vmo = len(self.vmo_koids)
            self.vmo_dumps.append(self.at)
            self.vmo_lines.append(number)
            self.vmo_koids.append(koid)
            self.vmo_names.append(name)
        self.dumps.append(self.at)
        self.lines.append(number)
        self.aspaces.append(len(self.aspace_dumps) - 1)
        self.depths.append(depth)
        self.kinds.append(MAPPING if mark == "M" else VMAR)
        self.bases.append(base)
        self.sizes.append(end - base)
        self.region_names.append(None if mark == "M" else name)
        self.perms.append(perms if mark == "M" else None)
        self.vmos.append(vmo)
        self.resident.append(resident)
        self.slack.append(rounding)
        return True

    def _check_place(self, depth: int, base: int, end: int, number: int, line: str) -> None:
        """A region lies inside the VMAR above it; `above` holds one region a level."""
        above = self.above
        while above and above[-1][0] >= depth:
            above.pop()
        if above and not above[-1][1] <= base <= end <= above[-1][2]:
            inside = f"{above[-1][1]:016x}-{above[-1][2]:016x}"
            raise self.session.error(number, f"a range inside the VMAR above it, {inside}", line)
        if depth == 0:
            if self.rooted:
                raise self.session.error(number, "one root VMAR in an address space", line)
            self.rooted = True
        above.append((depth, base, end))

    def _take_aspace(self, base: int, end: int, name: str, number: int) -> None:
        if self.aspace_bases[-1] is not None or len(self.dumps) > self.first_row:
            self._open(number)
        assert self.origin is not None  # noqa: S101
        self.origin.last_line = number
        self.aspace_bases[-1] = base
        self.aspace_sizes[-1] = end - base
        self.aspace_names[-1] = name
        named = _PROCESS.fullmatch(name)
        if named is None:
            return
        koid = self.count(named[1], number, "a koid")
        asked = self.process_koids[-1]
        if asked not in (-1, koid):
            message = f"the command asked for process {asked}, the address space is of {koid}"
            self.session.note("contradiction", number, message)
        self.process_koids[-1] = koid

    def _take_other(self, line: str, number: int) -> bool:
        cut = _CUT.fullmatch(line) if len(line) < 100 else None
        if cut is not None:
            self.session.note("truncated", number, f"{cut[1]} entries of vmaps are cut off")
            self.cut = True
            return True
        if _LIKE_ROW.match(line):
            expected = "a row of vmaps: mark, START-END, permissions, sizes, :vmo, name"
            raise self.session.error(number, expected, line)
        return False

    def end(self) -> None:
        """A tree with its root and without gaps is whole."""
        assert self.origin is not None  # noqa: S101
        self.whole[-1] = self.rooted and not self.elided and not self.cut
        self.covers("mappings", whole=False)
        self.covers("processes", whole=False)
        if self.process_koids[-1] < 0:
            message = "no command line and no name tells which process this vmaps is of"
            self.session.note("remark", self.origin.first_line, message)
        if len(self.vmo_koids):
            self.covers("vmos", whole=False)

    def bundle(self) -> Bundle:
        """Address spaces, regions, and a VMO for every mapping."""
        aspaces = {
            "kind": [USER] * len(self.aspace_dumps),
            "process_koid": self.process_koids,
            "name": self.aspace_names,
            "base": self.aspace_bases,
            "size_bytes": self.aspace_sizes,
            "whole": self.whole,
        }
        regions = {
            "aspace": self.aspaces,
            "depth": self.depths,
            "kind": self.kinds,
            "base": self.bases,
            "size_bytes": self.sizes,
            "name": self.region_names,
            "vmo": self.vmos,
            "perms": self.perms,
            "reported_resident_bytes": self.resident,
        }
        vmos = {
            "koid": self.vmo_koids,
            "name": self.vmo_names,
            "pages_known": [0] * len(self.vmo_koids),
        }
        slack = {"reported_resident_bytes": self.slack}
        return {
            "aspaces": loose("aspaces", self.aspace_dumps, self.aspace_lines, aspaces),
            "regions": loose("regions", self.dumps, self.lines, regions, slack),
            "vmos": loose("vmos", self.vmo_dumps, self.vmo_lines, vmos),
        }


def _bound(text: str) -> int:
    return int(text.replace("_", "0"), 16)


def _unquoted(name: str) -> str:
    """The name between single quotes, or as it stands in the form without them."""
    if name.startswith("'") and len(name) > 1 and name.endswith("'"):
        return name[1:-1]
    return name

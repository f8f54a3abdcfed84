"""`vmos KOID` and `k mx vmos KOID | all | hidden`: VMOs by handle and by mapping.

The header tells the columns and their order. Handle rows come first (with rights), then one row per
mapping. The kernel's form prints handle values and totals, which are checked. A mapping row tells
which VMO is mapped, not where.
"""

from __future__ import annotations

import re
from array import array

from magmem.captures.reading.reader import Reader, Session
from magmem.captures.reconcile.loose import Bundle, loose
from magmem.captures.reconcile.rounding import SIZE
from magmem.snapshot.schema import TABLES

__all__ = ["VmosReader"]

PAGED, PHYSICAL = (TABLES["vmos"].columns["kind"].choices.index(k) for k in ("paged", "physical"))
USER = TABLES["aspaces"].columns["kind"].choices.index("user")
MAPPING = TABLES["regions"].columns["kind"].choices.index("mapping")
RIGHTS = {"r": 4, "w": 8, "x": 16, "m": 32, "d": 1, "t": 2}

COUNTS = {
    "#chld": "reported_num_children",
    "#map": "reported_num_mappings",
    "#shr": "reported_share_count",
}
_RIGHTS = "[r-][w-][x-][m-][d-][t-]"
_PATTERNS = {
    "handle": "[0-9]{1,19}|-",
    "rights": f"{_RIGHTS}|-",
    "koid": "[0-9]{1,19}",
    "parent": "[0-9]{1,19}|-",
    "size": SIZE,
    "alloc": f"{SIZE}|phys|\\?0x[0-9a-f]{{1,8}}\\?",
    "comp": f"{SIZE}|phys|-",
    # Where the kernel keeps it, and how many ancestors a look-up may walk: no column takes them.
    "obj": "[^ ]++",
    "#depth": "[0-9]{1,19}|-",
} | dict.fromkeys(COUNTS, "[0-9]{1,19}")

_HEADER = re.compile(
    r" *+(?:handle ++rights|- ++-|rights) ++koid(?: ++[#a-z_]{1,12}){1,12} ++name *+"
)
_PROCESS = re.compile(r" *+process \[([0-9]{1,19})\]: *+")
_LIST = re.compile(r' *+(?:(All)|("Hidden")) VMOs, oldest to newest: *+')
_HANDLES = re.compile(r" *+Handles to VMOs: *+")
_MAPPED = re.compile(r" *+Mapped VMOs: *+")
_TOTAL = re.compile(
    r" *+total: ([0-9]{1,19}) VMOs?, size (\??[0-9.]{1,21}[BkKMGTPE]), "
    r"alloc (\??[0-9.]{1,21}[BkKMGTPE])(?: compressed \??[0-9.]{1,21}[BkKMGTPE])? *+"
)
_CUT = re.compile(r"\s*+\[([0-9]{1,19}) entries truncated\]\s*+")
_SPELT = {"uncomp": "alloc"}
"""Later headings of the same: bytes in memory, uncompressed."""
_LIKE_USER_ROW = re.compile(rf" *+(?:{_RIGHTS}|-) ++-?[0-9]")
_LIKE_KERNEL_ROW = re.compile(rf" *+(?:[0-9]{{1,20}}|-) ++(?:{_RIGHTS}|-) ++-?[0-9]")
_SHORT = 200


class VmosReader(Reader):
    """Every `vmos` and `k mx vmos` of a session."""

    names = "vmos, k vmos"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.dumps = array("q")
        self.lines = array("q")
        self.koids = array("q")
        self.kinds = array("b")
        self.vmo_names: list[str | None] = []
        self.clones = array("b")
        self.parents = array("q")
        self.numbers = {name: array("q") for name in COUNTS}
        self.sizes = array("q")
        self.size_slack = array("q")
        self.allocs = array("q")
        self.alloc_slack = array("q")
        self.handle_rows = array("q")
        self.handle_values = array("q")
        self.handle_rights = array("q")
        self.mapping_rows = array("q")
        self.processes: dict[int, tuple[int, int]] = {}

    def opens(self, line: str, number: int) -> bool:
        """A header, or the kernel's title."""
        if len(line) > _SHORT:
            return False
        title = _LIST.fullmatch(line)
        process = _PROCESS.fullmatch(line)
        if title is not None:
            self._open(f"k vmos {'all' if title[1] else 'hidden'}", number, "list", -1)
        elif process is not None:
            self.asked("vmos")
            koid = self.count(process[1], number, "a koid")
            self._open("k vmos", number, "handles", koid)
        elif _HANDLES.fullmatch(line):
            command = self.asked("vmos")
            self._open("k vmos", number, "handles", -1 if command is None else command.koid)
        elif _HEADER.fullmatch(line):
            self._open_at_header(line, number)
        else:
            return False
        return True

    def _open_at_header(self, line: str, number: int) -> None:
        command = self.asked("vmos")
        koid = -1 if command is None else command.koid
        if line.lstrip(" ").startswith("rights"):
            self._open("vmos", number, "user", koid)
        elif command is not None and koid < 0:
            self._open(f"k vmos {command.argument}", number, "list", -1)
        else:
            section = "handles" if line.lstrip(" ").startswith("handle") else "mapped"
            self._open("k vmos", number, section, koid)
        self._head(line)
        self._note_unknown(number)

    def _note_unknown(self, number: int) -> None:
        for word in self.columns:
            if word not in _PATTERNS:
                self.session.unknown(self.origin.dump if self.origin else "vmos", word, number)

    def _open(self, dump: str, number: int, section: str, koid: int) -> None:
        self.begin(dump, number)
        self.section = section
        self.koid = koid
        self.row: re.Pattern[str] | None = None
        self.columns: list[str] = []
        self.first_row = len(self.koids)
        self.closed = self.in_mapped = self.cut = False
        self.compressed: dict[str, int] = {}
        if koid > 0:
            self.processes[self.at] = (koid, number)
        elif section != "list":
            message = f"no command line tells which process this {dump} is of"
            self.session.note("remark", number, message)

    def _head(self, line: str) -> None:
        """Make the pattern of a row from the header's words; the last column is the name."""
        words = line.split()
        words = ["handle", "rights", *words[2:]] if words[1] != "koid" else words
        self.columns = [_SPELT.get(word, word) for word in words[:-1]]
        columns = " ++".join(f"({_PATTERNS.get(word, r'[^ ]++')})" for word in self.columns)
        self.row = re.compile(rf" *+{columns}(?: (.*)| *)")

    def take(self, line: str, number: int) -> bool:
        """A row, a header, a section's title or the totals."""
        row = self.row.fullmatch(line) if self.row is not None else None
        if row is None:
            return self._take_other(line, number)
        assert self.origin is not None  # noqa: S101
        self.origin.last_line = number
        told = dict(zip(self.columns, row.groups(), strict=False))
        size, size_slack = self.size(told["size"], number) if "size" in told else (-1, 0)
        alloc_text = told.get("alloc")
        physical = alloc_text == "phys"
        # ?0x…? is a type that the tool itself did not know.
        known = alloc_text is not None and not physical and "x" not in alloc_text
        alloc, alloc_slack = self.size(alloc_text, number) if known and alloc_text else (-1, 0)
        packed = told.get("comp", "-")
        if packed not in ("-", "phys"):
            self.compressed[told["koid"]] = self.size(packed, number)[0]
        parent_text = told.get("parent")
        parent = -1 if parent_text is None else self.count(parent_text, number, "a parent's koid")
        koid = self.count(told["koid"], number, "a koid")
        handle = self.count(told.get("handle", "-"), number, "a handle")
        name = self._printed_name(row[len(self.columns) + 1], number)
        counts = [self.count(told.get(column, "-"), number, column) for column in COUNTS]
        at = len(self.koids)
        self.dumps.append(self.at)
        self.lines.append(number)
        self.koids.append(koid)
        self.kinds.append(PHYSICAL if physical else PAGED if known else -1)
        self.vmo_names.append(name)
        self.clones.append(-1 if parent_text is None else int(parent_text != "-"))
        self.parents.append(parent)
        for numbers, count in zip(self.numbers.values(), counts, strict=True):
            numbers.append(count)
        self.sizes.append(size)
        self.size_slack.append(size_slack)
        self.allocs.append(alloc)
        self.alloc_slack.append(alloc_slack)
        if self.section != "list" and self.koid > 0:
            self._refer(at, told, handle)
        return True

    def _printed_name(self, name: str | None, number: int) -> str | None:
        """`-` is printed for an empty name; no name at all was lost in copying."""
        if name is None or not name.strip(" "):
            return None
        return "" if name == "-" else self.name(name, number)

    def _refer(self, at: int, told: dict[str, str], handle: int) -> None:
        if self.section == "handles" or (self.section == "user" and told["rights"] != "-"):
            self.handle_rows.append(at)
            self.handle_values.append(handle)
            self.handle_rights.append(
                sum(bit for right, bit in RIGHTS.items() if right in told["rights"])
            )
        else:
            self.mapping_rows.append(at)

    def _take_other(self, line: str, number: int) -> bool:
        assert self.origin is not None  # noqa: S101
        if len(line) > _SHORT:
            return self._refuse(line, number)
        if _HEADER.fullmatch(line):
            return self._take_header(line, number)
        total = _TOTAL.fullmatch(line)
        if total is not None:
            self._check_total(total, number)
        elif (cut := _CUT.fullmatch(line)) is not None:
            self.cut = True
            message = f"{cut[1]} entries of {self.origin.dump} are cut off"
            self.session.note("truncated", number, message)
        elif _MAPPED.fullmatch(line):
            self.section = "mapped" if self.section != "list" else "list"
            self.row = None
        elif not (_HANDLES.fullmatch(line) and self.section == "handles" and self.row is None):
            return self._refuse(line, number)
        self.origin.last_line = number
        return True

    def _take_header(self, line: str, number: int) -> bool:
        first = line.lstrip(" ").split(" ", 1)[0]
        if first == "rights" and self.section != "user":
            return False
        assert self.origin is not None  # noqa: S101
        self.origin.last_line = number
        if first == "-" and self.section == "handles":
            self.section, self.row = "mapped", None
        if self.row is None or first == "handle":
            self._head(line)
            self._note_unknown(number)
        else:
            self.closed = True
            self.close()
        return True

    def _refuse(self, line: str, number: int) -> bool:
        if self.row is None:
            return False
        like = _LIKE_USER_ROW if self.columns[0] == "rights" else _LIKE_KERNEL_ROW
        if like.match(line):
            expected = f"a row of {', '.join(self.columns)}, name"
            raise self.session.error(number, expected, line)
        return False

    def _check_total(self, total: re.Match[str], number: int) -> None:
        rows = range(self.first_row, len(self.koids))
        size, size_slack = self.size(total[2], number)
        alloc, alloc_slack = self.size(total[3], number)
        held = (
            len(rows),
            sum(self.sizes[row] for row in rows),
            sum(max(0, self.allocs[row]) for row in rows),
        )
        size_slack += sum(self.size_slack[row] for row in rows)
        alloc_slack += sum(self.alloc_slack[row] for row in rows)
        wrong = (
            held[0] != self.count(total[1], number, "a count"),
            abs(held[1] - size) > size_slack,
            abs(held[2] - alloc) > alloc_slack,
        )
        if any(wrong) and not self.elided and not self.cut:
            message = (
                f"the totals say {total[1]} VMOs, size {total[2]}, alloc {total[3]}, but the rows "
                f"hold {held[0]} VMOs, {held[1]} bytes, {held[2]} bytes allocated"
            )
            self.session.note("contradiction", number, message)

    def end(self) -> None:
        """The list of all VMOs is complete if its closing header is there."""
        assert self.origin is not None  # noqa: S101
        if not self.closed:
            message = f"no header closes this {self.origin.dump}, so it may be cut short"
            self.session.note("truncated", self.origin.last_line, message)
        if packed := sum(self.compressed.values()):
            message = (
                f"the VMOs of {self.origin.dump} hold {packed} bytes of compressed "
                "content, which is not in committed bytes"
            )
            self.session.note("remark", self.origin.first_line, message)
        whole = self.closed and not self.cut and self.origin.dump == "k vmos all"
        self.covers("vmos", whole=whole)
        if self.koid > 0:
            self.covers("processes", "handles", "mappings", whole=False)

    def bundle(self) -> Bundle:
        """VMOs; for known processes also their handles, and mappings without an address."""
        physical = [kind == PHYSICAL for kind in self.kinds]
        vmos = {
            "koid": self.koids,
            "kind": self.kinds,
            "name": self.vmo_names,
            "size_bytes": self.sizes,
            "is_clone": self.clones,
            "parent_koid": self.parents,
            # 0.0M is not nothing, but less than could be printed.
            "pages_known": [
                int(bare or (alloc == 0 and not slack))
                for bare, alloc, slack in zip(physical, self.allocs, self.alloc_slack, strict=True)
            ],
            "reported_committed_bytes": self.allocs,
        } | {COUNTS[column]: numbers for column, numbers in self.numbers.items()}
        slack = {"size_bytes": self.size_slack, "reported_committed_bytes": self.alloc_slack}
        rows = self.handle_rows
        handles = {
            "process_koid": [self.processes[self.dumps[row]][0] for row in rows],
            "value": self.handle_values,
            "type": ["vmo"] * len(rows),
            "koid": [self.koids[row] for row in rows],
            "rights": self.handle_rights,
            "vmo": rows,
        }
        places = {dump: at for at, dump in enumerate(self.processes)}
        owners = list(self.processes.values())
        aspaces = {
            "kind": [USER] * len(owners),
            "process_koid": [koid for koid, _ in owners],
            "whole": [False] * len(owners),
        }
        mapped = self.mapping_rows
        regions = {
            "aspace": [places[self.dumps[row]] for row in mapped],
            "depth": [1] * len(mapped),
            "kind": [MAPPING] * len(mapped),
            "vmo": mapped,
        }
        return {
            "vmos": loose("vmos", self.dumps, self.lines, vmos, slack),
            "handles": loose(
                "handles",
                [self.dumps[row] for row in rows],
                [self.lines[row] for row in rows],
                handles,
            ),
            "aspaces": loose(
                "aspaces", list(self.processes), [line for _, line in owners], aspaces
            ),
            "regions": loose(
                "regions",
                [self.dumps[row] for row in mapped],
                [self.lines[row] for row in mapped],
                regions,
            ),
        }

"""`pmm arenas`: arenas of physical memory and their pages by state."""

from __future__ import annotations

import re
from array import array

from magmem.captures.reading.reader import MOST, Reader, Session
from magmem.captures.reconcile.loose import Bundle, loose
from magmem.snapshot import PAGE_BYTES

__all__ = ["ArenasReader"]

STATES = ("free", "alloc", "wired", "heap", "object", "mmu")

_HEX = "0x[0-9a-f]{1,40}|0"
_ARENA = re.compile(
    rf"\s*+arena ({_HEX}): name '(.*)' base ({_HEX}) size [0-9.]{{1,21}}[BkKMGTPE] \(({_HEX})\) "
    rf"(?:priority ([0-9]{{1,19}}) )?flags ({_HEX})\s*+"
)
_ARRAY = re.compile(rf"\s*+page_array ({_HEX})(?:, free_count ([0-9]{{1,19}}))?\s*+")
_NODE = re.compile(r"\s*+pmm node (?:0x)?[0-9a-f]{1,40}: free_count .{0,200}")
_HINT = re.compile(r"\s*+search_hint .{0,60}")
_OTHER = re.compile(r"\s*+([a-z_]{1,30}) ++([0-9]{1,19}) ++\(([0-9]{1,25}) bytes\)\s*+")
_STATES = re.compile(r"\s*+page states:\s*+")
_STATE = re.compile(rf"\s*+({'|'.join(STATES)}) ++([0-9]{{1,19}}) ++\(([0-9]{{1,25}}) bytes\)\s*+")
_LIKE_ARENA = re.compile(rf"\s*+arena (?:{_HEX}):")
_LIKE_STATE = re.compile(rf"\s*+(?:{'|'.join(STATES)}) ++-?[0-9]")
_LIKE_ARRAY = re.compile(r"\s*+page_array 0")


class ArenasReader(Reader):
    """Every `pmm arenas` of a session."""

    names = "pmm arenas"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.dumps, self.lines = array("q"), array("q")
        self.arena_names: list[str] = []
        self.addrs, self.bases = array("Q"), array("Q")
        self.array_addrs: list[int | None] = []
        self.sizes, self.priorities, self.flags = array("q"), array("q"), array("q")
        self.free_counts = array("q")
        self.pages = {state: array("q") for state in STATES}
        self.others: dict[str, int] = {}
        """Pages of the open arena in states that have no column."""

    def opens(self, line: str, number: int) -> bool:
        """The first arena."""
        if not _LIKE_ARENA.match(line):
            return False
        self.begin("pmm arenas", number)
        self.first_row = len(self.addrs)
        return self.take(line, number)

    def take(self, line: str, number: int) -> bool:
        """A line of an arena."""
        if len(line) > 400:
            return False
        assert self.origin is not None  # noqa: S101
        if (arena := _ARENA.fullmatch(line)) is not None:
            self._begin_arena(arena, number)
        elif len(self.addrs) == self.first_row:
            raise self.session.error(number, "an arena with name, base, size and flags", line)
        elif (pages := _ARRAY.fullmatch(line)) is not None:
            addr = self.address(pages[1], number, "an address")
            if pages[2] is not None:
                self.free_counts[-1] = self.count(pages[2], number, "a count of pages")
            self.array_addrs[-1] = addr
        elif (state := _STATE.fullmatch(line)) is not None:
            self._take_state(state, number)
        elif (other := _OTHER.fullmatch(line)) is not None:
            count = self._pages(other, number)
            # Two states have no name in the printer: "unknown" may stand twice.
            self.others[other[1]] = self.others.get(other[1], 0) + count
        elif _LIKE_ARENA.match(line) or _LIKE_STATE.match(line) or _LIKE_ARRAY.match(line):
            expected = "an arena, its page_array, or a page state with pages and bytes"
            raise self.session.error(number, expected, line)
        elif not (_STATES.fullmatch(line) or _NODE.fullmatch(line) or _HINT.fullmatch(line)):
            return False
        self.origin.last_line = number
        return True

    def _begin_arena(self, arena: re.Match[str], number: int) -> None:
        addr, name = self.address(arena[1], number, "an address"), self.name(arena[2], number)
        priority = -1 if arena[5] is None else self.count(arena[5], number, "a priority")
        size, flags = (self.address(arena[at], number, "a size") for at in (4, 6))
        base = self.address(arena[3], number, "an address")
        if not 0 < size <= MOST or flags > MOST or base + size > 1 << 64:
            raise self.session.error(number, "a range of physical memory", arena[0])
        if len(self.addrs) > self.first_row:
            self._check_sum()
        self.dumps.append(self.at)
        self.lines.append(number)
        self.addrs.append(addr)
        self.arena_names.append(name)
        self.bases.append(base)
        self.sizes.append(size)
        self.priorities.append(priority)
        self.flags.append(flags)
        self.array_addrs.append(None)
        self.free_counts.append(-1)
        for pages in self.pages.values():
            pages.append(-1)

    def _pages(self, state: re.Match[str], number: int) -> int:
        count = self.count(state[2], number, "a count of pages")
        if count * PAGE_BYTES != int(state[3]):
            expected = f"{count} pages of {PAGE_BYTES} bytes, {count * PAGE_BYTES} bytes"
            raise self.session.error(number, expected, state[3])
        return count

    def _take_state(self, state: re.Match[str], number: int) -> None:
        count = self._pages(state, number)
        if self.pages[state[1]][-1] >= 0:
            raise self.session.error(number, "each page state once in an arena", state[1])
        self.pages[state[1]][-1] = count

    def _check_sum(self) -> None:
        held = [pages[-1] for pages in self.pages.values()]
        others, self.others = self.others, {}
        if others:
            told = ", ".join(f"{state} {count}" for state, count in list(others.items())[:20])
            message = f"pages of arena '{self.arena_names[-1]}' in states without a column: {told}"
            self.session.note("remark", self.lines[-1], message)
        held.append(sum(others.values()))
        if min(held) >= 0 and sum(held) * PAGE_BYTES != self.sizes[-1]:
            message = (
                f"the pages of arena '{self.arena_names[-1]}' are {sum(held) * PAGE_BYTES} bytes, "
                f"its size is {self.sizes[-1]}"
            )
            self.session.note("contradiction", self.lines[-1], message)

    def end(self) -> None:
        """Complete if every arena has all its page states."""
        rows = range(self.first_row, len(self.addrs))
        if rows:
            self._check_sum()
        self.covers("arenas", whole=all(p[row] >= 0 for p in self.pages.values() for row in rows))

    def bundle(self) -> Bundle:
        """The arenas table."""
        columns = {
            "name": self.arena_names,
            "base": self.bases,
            "size_bytes": self.sizes,
            "priority": self.priorities,
            "flags": self.flags,
            "addr": self.addrs,
            "page_array_addr": self.array_addrs,
            "free_count": self.free_counts,
        } | {f"{state}_pages": pages for state, pages in self.pages.items()}
        return {"arenas": loose("arenas", self.dumps, self.lines, columns)}

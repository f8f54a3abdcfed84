"""The rows of the machine explorer: what stands in which line, and what each line says.

Tasks are known from the start; what is inside a process is made when it is opened, and kept. A row
is a number: tasks by their place in the `MachineTree`, then the rows of each block in the order in
which blocks were made. Only rows that are looked at are put into words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from magmem.kernel.runs import Ints
from magmem.snapshot import Snapshot
from magmem_widgets.machine.block import VMO, Block
from magmem_widgets.machine.facts import MachineFacts
from magmem_widgets.machine.inside import Inside
from magmem_widgets.machine.sums import Exact, Sums, sums_of
from magmem_widgets.machine.tree import (
    UNKNOWN,
    Bools,
    MachineTree,
    order_of_siblings,
    plain,
)

__all__ = ["COLUMNS", "MachineRows", "Made", "Order"]

COLUMNS = ("name", "pss", "private", "shared")


@dataclass(frozen=True)
class Order:
    """How rows are sorted: by a column or, if that is empty, as `ps` prints them.

    Where no PSS is known at all, tasks are sorted by their resident sizes instead.
    """

    column: str = "pss"
    descending: bool = True


@dataclass
class Made:
    """A block with where its rows begin, and the row they stand below."""

    first: int
    parent: int
    block: Block
    level: int
    opens: Bools


class MachineRows:
    """Every row of one snapshot by one rule, opened as far as one has looked.

    Parameters
    ----------
    snap : Snapshot
    rule : str
        A name of `magmem_widgets.machine.sums.RULES`.
    facts, tree : MachineFacts and MachineTree, optional
        Of the same snapshot, if they are there already.

    Raises
    ------
    MissingData
        The capture does not know what the rule needs.
    """

    def __init__(
        self,
        snap: Snapshot,
        rule: str,
        facts: MachineFacts | None = None,
        tree: MachineTree | None = None,
    ) -> None:
        self.facts = facts or MachineFacts(snap)
        self.tree = tree or MachineTree(snap)
        self.sums: Sums = sums_of(snap, self.tree, rule)
        self.inside = Inside(self.facts, rule)
        self._made: list[Made] = []
        self._firsts: list[int] = []
        self._of: dict[int, int] = {}
        self._rows = len(self.tree)
        self._keys_found: dict[str, int] = {}
        self._sorted: dict[Order, Ints] = {}
        self._blocks: dict[tuple[int, Order], Ints] = {}
        self.hits_of: Ints = np.zeros(len(self.tree), np.int64)

    # ---- what is where

    def block_of(self, row: int) -> tuple[Made, int] | None:
        """The block of a row and its place in it; None for a task."""
        if row < len(self.tree):
            return None
        made = self._made[bisect_right(self._firsts, row) - 1]
        return made, row - made.first

    def parent(self, row: int) -> int:
        """The row above; -1 for the outermost."""
        found = self.block_of(row)
        return found[0].parent if found else int(self.tree.parent[row])

    def lineage(self, row: int) -> list[int]:
        """The rows from the outermost to this one."""
        line = []
        while row >= 0:
            line.append(row)
            row = self.parent(row)
        return line[::-1]

    def task_of(self, row: int) -> int:
        """The task a row belongs to, or is."""
        return next(each for each in reversed(self.lineage(row)) if each < len(self.tree))

    def opens(self, row: int) -> bool:
        """Whether something stands below a row."""
        found = self.block_of(row)
        if found:
            return bool(found[0].opens[found[1]])
        return bool(self.tree.end[row] > row + 1 if self.tree.is_job[row] else True)

    def is_job(self, row: int) -> bool:
        """Whether it is a job."""
        return row < len(self.tree) and bool(self.tree.is_job[row])

    def vmo_of(self, row: int) -> int:
        """Row in vmos of the VMO that a row is, or stands below; -1 for a task."""
        for each in reversed(self.lineage(row)):
            found = self.block_of(each)
            if found and found[0].block.kind[found[1]] == VMO:
                return int(found[0].block.ref[found[1]])
        return UNKNOWN

    def below(self, row: int) -> Ints:
        """The rows below a process, VMO or mapping, made now if they are not there yet."""
        if row not in self._of:
            self._of[row] = len(self._made)
            block, level = self._make(row)
            opens = np.zeros(len(block), bool)
            opens[self.inside.opens(block)] = True
            self._made.append(Made(self._rows, row, block, level, opens))
            self._firsts.append(self._rows)
            self._rows += len(block)
        made = self._made[self._of[row]]
        return made.first + np.arange(len(made.block))

    def _make(self, row: int) -> tuple[Block, int]:
        found = self.block_of(row)
        if found is None:
            koid, task = int(self.tree.koid[row]), int(self.tree.rows[row])
            return self.inside.process(koid, task), int(self.tree.depth[row]) + 2
        made, at = found
        koid = int(self.tree.koid[self.task_of(row)])
        if made.block.kind[at] == VMO:
            return self.inside.vmo(koid, int(made.block.ref[at])), made.level + 1
        return self.inside.mapping(int(made.block.ref[at])), made.level + 1

    def key(self, row: int) -> str:
        """What names a row, such as ``1080/1036``."""
        keys: list[str] = []
        for each in reversed(self.lineage(row)):
            found = self.block_of(each)
            if found is None:
                return "/".join([str(self.tree.koid[each]), *reversed(keys)])
            keys.append(self.inside.key(found[0].block, found[1]))
        return ""

    def find(self, key: str) -> int:
        """The row with a key; -1 if there is none. What it stands in is made on the way."""
        if key not in self._keys_found:
            self._keys_found[key] = self._find(key)
        return self._keys_found[key]

    def _find(self, key: str) -> int:
        head, _, last = key.rpartition("/")
        if not head:
            return self.tree.place(int(last)) if last.isdecimal() and len(last) < 19 else -1
        above = self.find(head)
        if above < 0 or self.is_job(above) or not self.opens(above):
            return -1
        rows = self.below(above)
        at = self.inside.find(self._made[self._of[above]].block, last)
        return int(rows[at]) if at >= 0 else -1

    @cached_property
    def resident(self) -> Ints:
        """Resident bytes of each task, as reported; `UNKNOWN` where they are not."""
        return plain(self.facts.snap.tasks["reported_resident_bytes"])[self.tree.rows]

    # ---- which are to be seen

    def visible(
        self, opened: Iterable[int], closed: Iterable[int], order: Order, text: str
    ) -> Ints:
        """Rows in the order of the lines.

        Parameters
        ----------
        opened : iterable of int
            Processes, VMOs and mappings that are open. Jobs are open unless they are in `closed`.
        closed : iterable of int
        order : Order
        text : str
            A filter: what has it in its name or is that koid stays, with all above and below it.
            A process that only holds such VMOs shows just these.
        """
        tasks = self._task_order(order)
        shown = self.tree.open_below(closed)
        hits: Bools | None = None
        whole = np.ones(len(self.tree), bool)
        if text:
            found, hits = self._found(text)
            shown &= self.tree.kept(found | (self.hits_of > 0))[0]
            whole = self.tree.kept(found)[1]
        lines = tasks[shown[tasks]]
        above: dict[int, list[int]] = {}
        for row in sorted(set(opened)):
            above.setdefault(self.parent(row) if row >= len(self.tree) else -1, []).append(row)
        roots = [row for row in above.get(-1, ()) if shown[row] and not self.tree.is_job[row]]
        if not roots:
            return lines
        place = np.full(len(self.tree), -1, np.int64)
        place[lines] = np.arange(len(lines))
        blocks = [self._opened(row, above, order, None if whole[row] else hits) for row in roots]
        at = np.repeat(place[roots] + 1, [len(block) for block in blocks])
        return np.insert(lines, at, np.concatenate(blocks))

    def _opened(
        self, row: int, above: dict[int, list[int]], order: Order, hits: Bools | None
    ) -> Ints:
        """The rows below an open one, and below what is open there."""
        rows = self._ordered_below(row, order)
        if hits is not None:
            made = self._made[self._of[row]]
            ref = made.block.ref[rows - made.first]
            is_vmo = made.block.kind[rows - made.first] == VMO
            rows = rows[is_vmo & hits[np.where(is_vmo, ref, 0)]]
        pieces, before = [], 0
        for at in np.flatnonzero(np.isin(rows, above.get(row, ()))).tolist():
            pieces += [rows[before : at + 1], self._opened(int(rows[at]), above, order, None)]
            before = at + 1
        return np.concatenate([*pieces, rows[before:]])

    def _ordered_below(self, row: int, order: Order) -> Ints:
        known = self._blocks.get((row, order))
        if known is None:
            rows = self.below(row)
            keys = self._keys(self._made[self._of[row]].block, order.column)
            known = rows[order_of_siblings(keys, order.descending)]
            self._blocks[row, order] = known
        return known

    def _keys(self, block: Block, column: str) -> Ints:
        if column == "name":
            # Pages and addresses stay in their own order.
            vmo = block.kind == VMO
            keys = np.full(len(block), UNKNOWN, np.int64)
            keys[vmo] = self.facts.vmo_names.rank[block.ref[vmo]]
            return keys
        sizes: Ints = getattr(block, column) if column else np.zeros(len(block), np.int64)
        return sizes

    def _task_order(self, order: Order) -> Ints:
        if order not in self._sorted:
            if not order.column:
                keys = np.zeros(len(self.tree), np.int64)
            elif order.column == "name":
                keys = self.tree.names.rank
            elif self.sums.lacks and order.column == "pss":
                keys = self.resident
            else:
                keys = getattr(self.sums, order.column)
            self._sorted[order] = self.tree.ordered(keys, order.descending)
        return self._sorted[order]

    def _found(self, text: str) -> tuple[Bools, Bools]:
        """Which tasks and which VMOs have a text in their name, or are that koid."""
        number = int(text) if text.isdecimal() and len(text) < 19 else -1
        tasks = self.tree.names.having(text) | (self.tree.koid == number)
        vmos = self.facts.vmo_names.having(text) | (self.facts.vmo_koid == number)
        place, vmo = self._pairs
        self.hits_of = np.bincount(place[vmos[vmo]], minlength=len(self.tree))
        return tasks, vmos

    @cached_property
    def _pairs(self) -> tuple[Ints, Ints]:
        """Each place of a process with each VMO it maps or holds."""
        koid, vmo = self.facts.koids_of_pairs
        place = self.tree.places(koid)
        mine = place >= 0
        width = max(len(self.facts.vmo_koid), 1)
        pairs = np.unique(place[mine] * width + vmo[mine])
        return pairs // width, pairs % width

    def pss_of(self, row: int) -> Exact:
        """PSS of a row, exactly; negative where it is unknown or there is none."""
        found = self.block_of(row)
        return found[0].block.pss_of(found[1]) if found else self.sums.pss_of(row)

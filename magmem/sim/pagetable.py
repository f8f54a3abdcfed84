"""Page tables of one address space: which table pages exist.

x86-64 has 4 levels of 512 entries. A table page exists while it has an entry, the top table
always (reference/kernel.md "VMARs and mappings"). Entries are counted per table, so installing or
removing a run costs one step per 512 pages, not per page.
"""

from __future__ import annotations

from magmem.sim.physical import FREE, MMU, Frames, PhysicalMemory
from magmem.sim.runs import Run

__all__ = ["PageTables"]


class PageTables:
    """Entries per table page, for the three levels below the top.

    Attributes
    ----------
    leaf, middle, upper : dict of int to int
        Entries in each table, by virtual page number shifted right by 9, 18 and 27 bits.
    frames : list of Frames
        Page frames of the tables, the top table's first.
    """

    __slots__ = ("frames", "leaf", "middle", "physical", "upper")

    def __init__(self, physical: PhysicalMemory) -> None:
        """Take the top table; the caller has required one page."""
        self.physical = physical
        self.leaf: dict[int, int] = {}
        self.middle: dict[int, int] = {}
        self.upper: dict[int, int] = {}
        self.frames: list[Frames] = physical.take(1, MMU)

    @property
    def pages(self) -> int:
        """Table pages, the top one included."""
        return 1 + len(self.leaf) + len(self.middle) + len(self.upper)

    def lacking(self, runs: list[Run]) -> int:
        """Table pages that must be made before entries for these runs can be installed."""
        leaf, middle, upper = self.leaf, self.middle, self.upper
        if runs:
            # More than there is memory for need not be counted out, table by table.
            least = (runs[-1][1] - 1 >> 9) - (runs[0][0] >> 9) - len(leaf) - 2
            if least > self.physical.counts[FREE] and len(runs) == 1:
                return least
        lack = 0
        last = last_middle = last_upper = -1
        for start, end in runs:
            for table in range(start >> 9, ((end - 1) >> 9) + 1):
                if table == last or table in leaf:
                    continue
                last = table
                lack += 1
                above = table >> 9
                if above != last_middle and above not in middle:
                    last_middle = above
                    lack += 1
                    top = above >> 9
                    if top != last_upper and top not in upper:
                        last_upper = top
                        lack += 1
        return lack

    def install(self, start: int, end: int) -> None:
        """Add entries for virtual pages ``[start, end)``, none of which has one."""
        leaf = self.leaf
        made = 0
        for table in range(start >> 9, ((end - 1) >> 9) + 1):
            low = table << 9
            entries = min(end, low + 512) - max(start, low)
            if table in leaf:
                leaf[table] += entries
                continue
            leaf[table] = entries
            made += 1
            above = table >> 9
            middle = self.middle
            if above in middle:
                middle[above] += 1
                continue
            middle[above] = 1
            made += 1
            top = above >> 9
            upper = self.upper
            if top in upper:
                upper[top] += 1
                continue
            upper[top] = 1
            made += 1
        if made:
            self.frames += self.physical.take(made, MMU)

    def install_page(self, page: int) -> None:
        """Add the entry of one virtual page that has none; the quick case of `install`.

        Raises
        ------
        NoMemory
            A table page does not fit; nothing has changed.
        """
        leaf = self.leaf
        table = page >> 9
        if table in leaf:
            leaf[table] += 1
            return
        middle, upper = self.middle, self.upper
        above = table >> 9
        top = above >> 9
        lack = 1 if above in middle else 2 if top in upper else 3
        if lack > self.physical.counts[FREE]:
            self.physical.require(lack, "the page table")
        leaf[table] = 1
        if lack == 1:
            middle[above] += 1
        else:
            middle[above] = 1
            upper[top] = upper[top] + 1 if lack == 2 else 1
        self.frames += self.physical.take(lack, MMU)

    def remove(self, start: int, end: int) -> None:
        """Remove the entries of virtual pages ``[start, end)``, each of which has one."""
        leaf = self.leaf
        gone = 0
        for table in range(start >> 9, ((end - 1) >> 9) + 1):
            low = table << 9
            entries = leaf[table] - min(end, low + 512) + max(start, low)
            if entries:
                leaf[table] = entries
                continue
            del leaf[table]
            gone += 1
            above = table >> 9
            middle = self.middle
            entries = middle[above] - 1
            if entries:
                middle[above] = entries
                continue
            del middle[above]
            gone += 1
            top = above >> 9
            upper = self.upper
            entries = upper[top] - 1
            if entries:
                upper[top] = entries
                continue
            del upper[top]
            gone += 1
        if gone:
            self._give(gone)

    def remove_page(self, page: int) -> None:
        """Remove the entry of one virtual page; the quick case of `remove`."""
        leaf = self.leaf
        table = page >> 9
        entries = leaf[table]
        if entries > 1:
            leaf[table] = entries - 1
            return
        del leaf[table]
        gone = 1
        middle = self.middle
        above = table >> 9
        entries = middle[above]
        if entries > 1:
            middle[above] = entries - 1
        else:
            del middle[above]
            gone = 2
            upper = self.upper
            top = above >> 9
            entries = upper[top]
            if entries > 1:
                upper[top] = entries - 1
            else:
                del upper[top]
                gone = 3
        self._give(gone)

    def destroy(self) -> None:
        """Free every table page, the top one too; nothing may be installed any more."""
        self.physical.give_all(self.frames[::-1], MMU)
        self.frames = []

    def _give(self, pages: int) -> None:
        frames = self.frames
        while pages:
            first, count = frames.pop()
            if count > pages:
                frames.append((first, count - pages))
                first, count = first + count - pages, pages
            self.physical.give(first, count, MMU)
            pages -= count

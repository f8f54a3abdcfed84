"""The list of pages a VMO owns: runs of page numbers, each with its page frames and contents.

A run says that pages ``start … end - 1`` of the VMO lie in the adjacent page frames from `frame`
on. Contents are kept only for pages that were written with bytes; every other owned page reads as
zeros. Costs grow with runs and written pages, never with owned pages.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from magmem.sim.physical import Frames
from magmem.sim.runs import Run, gaps, overlap
from magmem.units import PAGE_BYTES

__all__ = ["PageList"]


class PageList:
    """The pages one VMO owns.

    Attributes
    ----------
    count : int
        Pages owned.
    contents : dict of int to bytearray
        Bytes of the pages that were written with bytes, by page number.
    """

    __slots__ = ("contents", "count", "ends", "frames", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.frames: list[int] = []
        self.count = 0
        self.contents: dict[int, bytearray] = {}

    def __contains__(self, page: int) -> bool:
        at = bisect_right(self.starts, page) - 1
        return at >= 0 and page < self.ends[at]

    def gaps(self, start: int, end: int) -> list[Run]:
        """The parts of ``[start, end)`` that the VMO does not own."""
        return gaps(self.starts, self.ends, start, end)

    def overlap(self, start: int, end: int) -> list[Run]:
        """The parts of ``[start, end)`` that the VMO owns."""
        return overlap(self.starts, self.ends, start, end)

    def physical(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Owned parts of ``[start, end)`` as (start, end, first page frame)."""
        low = bisect_right(self.ends, start)
        high = bisect_left(self.starts, end)
        parts = []
        for at in range(low, high):
            begin = max(self.starts[at], start)
            frame = self.frames[at] + begin - self.starts[at]
            parts.append((begin, min(self.ends[at], end), frame))
        return parts

    def merged(self) -> list[tuple[int, int]]:
        """Owned runs as (first page, count), whatever frames they lie in."""
        found: list[tuple[int, int]] = []
        for start, end in zip(self.starts, self.ends, strict=True):
            if found and sum(found[-1]) == start:
                found[-1] = (found[-1][0], found[-1][1] + end - start)
            else:
                found.append((start, end - start))
        return found

    def add(self, start: int, end: int, frame: int) -> None:
        """Own ``[start, end)``, none of which is owned yet."""
        starts, ends, frames = self.starts, self.ends, self.frames
        self.count += end - start
        at = bisect_left(starts, start)
        if at and ends[at - 1] == start and frames[at - 1] + start - starts[at - 1] == frame:
            at -= 1
            ends[at] = end
            start, frame = starts[at], frames[at]
        else:
            starts.insert(at, start)
            ends.insert(at, end)
            frames.insert(at, frame)
        after = at + 1
        if after < len(starts) and starts[after] == end and frames[after] == frame + end - start:
            ends[at] = ends[after]
            del starts[after], ends[after], frames[after]

    def remove(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Give up what is owned of ``[start, end)``; returns it as `physical` does."""
        gone = self.physical(start, end)
        if not gone:
            return gone
        starts, ends, frames = self.starts, self.ends, self.frames
        low = bisect_right(ends, start)
        high = bisect_left(starts, end)
        kept: list[tuple[int, int, int]] = []
        if starts[low] < start:
            kept.append((starts[low], start, frames[low]))
        if end < ends[high - 1]:
            kept.append((end, ends[high - 1], frames[high - 1] + end - starts[high - 1]))
        starts[low:high] = [part[0] for part in kept]
        ends[low:high] = [part[1] for part in kept]
        frames[low:high] = [part[2] for part in kept]
        self.count -= sum(stop - begin for begin, stop, _ in gone)
        for page in self.written(start, end):
            del self.contents[page]
        return gone

    def all_frames(self) -> list[Frames]:
        """Every owned run as page frames."""
        return [
            (frame, end - start)
            for start, end, frame in zip(self.starts, self.ends, self.frames, strict=True)
        ]

    def written(self, start: int, end: int) -> list[int]:
        """Pages of ``[start, end)`` whose bytes are kept, in order."""
        contents = self.contents
        if not contents:
            return []
        if end - start < len(contents):
            return [page for page in range(start, end) if page in contents]
        return sorted(page for page in contents if start <= page < end)

    def store(self, page: int, offset: int, data: bytes | memoryview) -> None:
        """Put bytes into an owned page at an offset inside it."""
        kept = self.contents.get(page)
        if kept is None:
            if not any(data):
                return
            kept = self.contents[page] = bytearray(PAGE_BYTES)
        kept[offset : offset + len(data)] = data

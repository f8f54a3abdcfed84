"""Which files are one: the same pages under several names, and one name over several files.

A file seen through an overlay or a container's mount has another device (and sometimes inode) than
the file below, yet both show the same page frames at the same places. A snapshot of a btrfs
subvolume has the device and inode of its origin, yet frames of its own. Device and inode say one
thing, frames what is so. Counted in pages of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from magmem.linux.pagemap import FrameCounts

__all__ = ["Identity", "SameFiles", "SeenFiles"]

Ints = npt.NDArray[np.int64]

Identity = tuple[str, int]
"""Device (``MAJOR:MINOR`` in hex, as in ``maps``) and inode."""

Named = tuple[str, int, str]
"""Device, inode and path of a mapped file."""

KEPT_ROWS = 1 << 21
"""Frames that are kept before those met twice are thrown out."""

NAMELESS_DEVICE = "00:"
"""How devices begin that are no disk: tmpfs, overlays, network mounts."""


@dataclass(frozen=True, slots=True)
class SameFiles:
    """What the frames told.

    Attributes
    ----------
    identity_of : mapping
        Of the files that are not what device and inode say: under which they count.
    in_memory : set of Identity
        Files whose pages have no disk behind them (tmpfs, shared memory), by their page flags.
    """

    identity_of: Mapping[Named, Identity] = field(default_factory=dict)
    in_memory: frozenset[Identity] = frozenset()

    def identity(self, device: str, inode: int, name: str) -> Identity:
        """Under which device and inode a file counts."""
        return self.identity_of.get((device, inode, name), (device, inode))


class SeenFiles:
    """Frames of mapped files, each kept once however many processes map it."""

    def __init__(self) -> None:
        self._number: dict[Named, int] = {}
        self._parts: list[tuple[Ints, Ints, Ints]] = []
        self._rows = 0

    def numbers(self, device: list[str], inode: list[int], name: list[str]) -> Ints:
        """A number for the file of each mapping; -1 where none is mapped."""
        known = self._number
        return np.array(
            [
                known.setdefault(key, len(known)) if key[1] else -1
                for key in zip(device, inode, name, strict=True)
            ],
            np.int64,
        )

    def add(self, file: Ints, page: Ints, frame: Ints) -> None:
        """Take entries: number of the file, page of it, frame."""
        keep = file >= 0
        self._parts.append((file[keep], page[keep], frame[keep]))
        self._rows += int(keep.sum())
        if self._rows > KEPT_ROWS:
            whole = self._distinct()
            self._parts, self._rows = [whole], len(whole[0]) // 2

    def _distinct(self) -> tuple[Ints, Ints, Ints]:
        """Every file, page and frame once, by frame, page and file."""
        nothing = np.zeros(0, np.int64)
        file, page, frame = (
            np.concatenate([nothing, *(part[at] for part in self._parts)]) for at in range(3)
        )
        order = np.lexsort((file, page, frame))
        file, page, frame = file[order], page[order], frame[order]
        new = np.append(True, (np.diff(frame) != 0) | (np.diff(page) != 0) | (np.diff(file) != 0))
        new = new[: len(file)]
        return file[new], page[new], frame[new]

    def settle(self, counts: FrameCounts) -> SameFiles:
        """Which of the files met are one, and which are several."""
        if not self._parts:
            return SameFiles()
        file, page, frame = self._distinct()
        self._parts = []
        names = list(self._number)
        one = _OneOf(len(names))
        by_file = np.argsort(file, kind="stable")
        start = np.searchsorted(file[by_file], np.arange(len(names) + 1))

        def rows(number: int) -> Ints:
            return by_file[start[number] : start[number + 1]]

        def alike(first: int, second: int) -> tuple[int, int]:
            """Pages that both show, and those of them with the same frame."""
            a, b = rows(first), rows(second)
            at = np.intersect1d(page[a], page[b], return_indices=True)
            return len(at[0]), int((frame[a[at[1]]] == frame[b[at[2]]]).sum())

        met = np.flatnonzero((np.diff(frame) == 0) & (np.diff(page) == 0))
        pairs = np.unique(np.stack((file[met], file[met + 1])), axis=1).T.tolist()
        for first, second in pairs:
            here, there = names[first], names[second]
            if here[:2] == there[:2] or one.find(first) == one.find(second):
                continue
            if _last(here[2]) != _last(there[2]):
                # A frame given back and out again at the same place looks alike by chance.
                common, same = alike(first, second)
                if same < 2 or same * 2 < common:
                    continue
            one.join(first, second)
        for several in self._by_identity():
            for number in several[1:]:
                common, same = alike(several[0], number)
                if not common or same:
                    one.join(several[0], number)
        sample = np.full(len(names), -1, np.int64)
        sample[file] = frame
        return self._told(names, one, sample, counts)

    def _by_identity(self) -> Iterator[list[int]]:
        """Numbers of the files that share device and inode."""
        found: dict[Identity, list[int]] = {}
        for (device, inode, _), number in self._number.items():
            found.setdefault((device, inode), []).append(number)
        return (several for several in found.values() if len(several) > 1)

    def _told(
        self, names: list[Named], one: _OneOf, sample: Ints, counts: FrameCounts
    ) -> SameFiles:
        groups: dict[int, list[int]] = {}
        for number in range(len(names)):
            groups.setdefault(one.find(number), []).append(number)
        taken: dict[Identity, int] = {}
        identity_of: dict[Named, Identity] = {}
        in_memory: set[Identity] = set()
        shown = np.flatnonzero(sample >= 0)
        flags = counts.swap_backed(sample[shown])
        is_memory = np.zeros(len(names), bool)
        if flags is not None:
            is_memory[shown] = flags
        for root, members in groups.items():
            device, inode = min(
                (names[at][:2] for at in members),
                key=lambda pair: (pair[0].startswith(NAMELESS_DEVICE), pair),
            )
            while taken.setdefault((device, inode), root) != root:
                device += "'"
            for at in members:
                if names[at][:2] != (device, inode):
                    identity_of[names[at]] = device, inode
                if is_memory[at]:
                    in_memory.add((device, inode))
        return SameFiles(identity_of, frozenset(in_memory))


class _OneOf:
    """Sets of numbers that were found to be one."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def find(self, number: int) -> int:
        """The lowest number of its set."""
        above = self._above
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    def join(self, first: int, second: int) -> None:
        """Make their sets one."""
        low, high = sorted((self.find(first), self.find(second)))
        self._above[high] = low


def _last(path: str) -> str:
    return path.removesuffix(" (deleted)").rpartition("/")[2]

"""The page-table entries of all processes, kept as small as they can be.

A page that no other entry holds needs no frame number, nor does a page of a file (only which files
are one is told by frames: `magmem.linux.same_files`): they are kept as runs of pages of each
mapping. What is left are pages shared since a fork. Counted in pages of the machine; mappings are
numbered through all processes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from magmem.linux.forks import Shared
from magmem.linux.pagemap import FrameCounts, Installed
from magmem.linux.runs import Runs, joined, runs_of
from magmem.linux.same_files import SameFiles, SeenFiles

__all__ = ["Entries"]

Ints = npt.NDArray[np.int64]


class Entries:
    """The entries taken so far.

    Attributes
    ----------
    file : Runs
        Pages of files, by mapping.
    exclusive : Runs
        Pages that are no file's and that one entry alone holds, by mapping.
    shared : Shared
        Pages that are no file's and that several entries hold; `page` is of the mapping. Until
        `settle` was called also entries of the zero page.
    merged : int
        Shared frames that the kernel merged because they were equal (KSM); after `settle`.
    files : SeenFiles
        Frames of files, by which `same_files` is told.
    same_files : SameFiles
        Which mapped files are one; after `settle`.
    """

    def __init__(self) -> None:
        nothing = np.zeros(0, np.int64)
        self._file: list[Runs] = []
        self._exclusive: list[Runs] = []
        self._shared: list[Shared] = []
        self._process_of: dict[tuple[int, int], int] = {}
        self.shared = Shared(nothing, nothing, nothing)
        self.merged = 0
        self.files = SeenFiles()
        self.same_files = SameFiles()

    def add(self, installed: Installed, process: int, first_page: int) -> int | None:
        """Take the entries of a process.

        Parameters
        ----------
        installed : Installed
        process : int
            Its pid.
        first_page : int
            Where in its address space its first mapping begins.

        Returns
        -------
        int or None
            Another process that holds the same unshared page: both run in one address space
            (`vfork`), and the entries were not taken again.
        """
        is_own = installed.is_exclusive & ~installed.is_file
        own = np.flatnonzero(is_own)
        if len(own):
            # A frame may have been given back and out again meanwhile, but not to one alike.
            key = int(installed.frame[own[0]]), first_page
            other = self._process_of.setdefault(key, process)
            if other != process:
                return other
        file = np.flatnonzero(installed.is_file)
        self._file.append(runs_of(installed.mapping[file], installed.page[file]))
        self._exclusive.append(runs_of(installed.mapping[own], installed.page[own]))
        at = np.flatnonzero(~installed.is_file & ~is_own)
        self._shared.append(Shared(installed.mapping[at], installed.page[at], installed.frame[at]))
        return None

    @property
    def file(self) -> Runs:
        """Pages of files, by mapping."""
        return joined(*self._file)

    @property
    def exclusive(self) -> Runs:
        """Pages that one entry alone holds, by mapping."""
        return joined(*self._exclusive)

    def settle(self, counts: FrameCounts, zero_frames: Ints) -> None:
        """Leave out what is no memory, soon after reading: entries of the zero page.

        Parameters
        ----------
        counts : FrameCounts
            Of this moment; a frame that is mapped nowhere is the zero page, or was given back.
        zero_frames : int64 array
            Frames of the zero page as far as known otherwise.
        """
        self.same_files = self.files.settle(counts)
        parts, self._shared = self._shared, []
        if not parts:
            return
        frame = np.concatenate([part.frame for part in parts])
        frames, place = np.unique(frame, return_inverse=True)
        is_memory = ~np.isin(frames, zero_frames)
        mapped = counts.mapped(frames)
        if mapped is not None:
            is_memory &= mapped > 0
        merged = counts.merged(frames[is_memory])
        self.merged = 0 if merged is None else int(merged.sum())
        keep = is_memory[place]
        self.shared = Shared(
            np.concatenate([part.mapping for part in parts])[keep],
            np.concatenate([part.page for part in parts])[keep],
            frame[keep],
        )

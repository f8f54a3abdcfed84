"""Huge pages of the reserved pool (hugetlb): who is charged for them.

The kernel keeps them out of every sum (Rss, Pss, Private …) and tells only, for each mapping, how
much of it no other maps (``Private_Hugetlb``) and how much others map too (``Shared_Hugetlb``). A
shared page is divided here by the mappings of its file that have shared pages. Sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from magmem.linux.process import PssSums
from magmem.linux.smaps import HUGETLB, Mappings

__all__ = ["HugeMapping", "huge_mappings", "with_huge"]


@dataclass(frozen=True, slots=True)
class HugeMapping:
    """A mapping with huge pages in it.

    Attributes
    ----------
    file : device and inode; of private memory the inode is 0.
    private_bytes, shared_bytes : as the kernel tells.
    """

    file: tuple[str, int]
    private_bytes: int
    shared_bytes: int


def huge_mappings(maps: Mappings) -> tuple[HugeMapping, ...]:
    """Those of a process."""
    shared, private = (np.maximum(maps.figure(name), 0) for name in HUGETLB)
    return tuple(
        HugeMapping((maps.device[at], maps.inode[at]), int(private[at]), int(shared[at]))
        for at in np.flatnonzero(shared + private).tolist()
    )


def with_huge(
    sums: Iterable[tuple[PssSums, tuple[HugeMapping, ...]]],
) -> list[PssSums]:
    """The kernel's sums of processes with their part of the huge pages in them.

    Parameters
    ----------
    sums : iterable of (PssSums, tuple of HugeMapping)
        Of all processes that have such mappings, in any order; the result is in the same.
    """
    listed = list(sums)
    sharers: dict[tuple[str, int], int] = {}
    for _, mappings in listed:
        for mapping in mappings:
            if mapping.shared_bytes:
                sharers[mapping.file] = sharers.get(mapping.file, 0) + 1
    result = []
    for told, mappings in listed:
        private = sum(mapping.private_bytes for mapping in mappings)
        shared = sum(mapping.shared_bytes for mapping in mappings)
        # What the kernel calls shared has two sharers at least, read or not.
        part = sum(
            mapping.shared_bytes // max(2, sharers[mapping.file])
            for mapping in mappings
            if mapping.shared_bytes
        )
        result.append(
            replace(
                told,
                rss_bytes=_more(told.rss_bytes, private + shared),
                pss_bytes=_more(told.pss_bytes, private + part),
                private_bytes=_more(told.private_bytes, private),
                shared_bytes=_more(told.shared_bytes, shared),
            )
        )
    return result


def _more(size_bytes: int | None, more_bytes: int) -> int | None:
    return None if size_bytes is None else size_bytes + more_bytes

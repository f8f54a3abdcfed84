"""What processes are charged when a capture only says which VMOs each of them reaches.

The rule of memory_monitor and ``ffx profile memory``: a process is charged every VMO that it lists
and all listed ancestors of it; what n processes are charged is shared n ways, cut to whole bytes
for each VMO.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Charged", "charge"]


@dataclass(frozen=True, slots=True)
class Charged:
    """Bytes of one process; missing where a VMO it reaches has no committed bytes.

    Attributes
    ----------
    private_bytes, scaled_bytes, shared_bytes : int or None
    """

    private_bytes: int | None
    scaled_bytes: int | None
    shared_bytes: int | None


def charge(
    reaches: Sequence[Sequence[int]],
    committed_bytes: Mapping[int, int | None],
    parents: Mapping[int, int],
) -> list[Charged]:
    """What each process is charged.

    Parameters
    ----------
    reaches : sequence of sequences of int
        Koids of the VMOs of each process. Those that the capture does not describe count nothing.
    committed_bytes : mapping of koid to int or None
        The VMOs that the capture describes.
    parents : mapping of koid to koid

    Returns
    -------
    list of Charged
        In the order of `reaches`.
    """
    held = [_with_ancestors(koids, committed_bytes, parents) for koids in reaches]
    sharers = Counter(koid for koids in held for koid in koids)
    return [_sums(koids, committed_bytes, sharers) for koids in held]


def _with_ancestors(
    koids: Sequence[int], listed: Mapping[int, int | None], parents: Mapping[int, int]
) -> set[int]:
    held: set[int] = set()
    for koid in koids:
        at = koid
        while at in listed and at not in held:
            held.add(at)
            at = parents.get(at, 0)
    return held


def _sums(
    koids: set[int], committed_bytes: Mapping[int, int | None], sharers: Mapping[int, int]
) -> Charged:
    private = scaled = shared = 0
    for koid in koids:
        own = committed_bytes[koid]
        if own is None:
            return Charged(None, None, None)
        if sharers[koid] == 1:
            private += own
        else:
            shared += own
        scaled += own // sharers[koid]
    return Charged(private, scaled, shared)

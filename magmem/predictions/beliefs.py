"""The misconceptions that the course is made against, each as one sentence.

A mistake in a prediction names its belief. The belief is met again in a later chapter, with other
numbers, until the answer is right.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BELIEFS", "Belief"]


@dataclass(frozen=True)
class Belief:
    """What is believed, and what is said to whoever believes it."""

    name: str
    believed: str
    says: str


_ALL = (
    Belief(
        "mapped-is-memory",
        "what is mapped is memory",
        "You counted what is mapped: a mapping is a promise, and pages come when they are written.",
    ),
    Belief(
        "handle-keeps-all",
        "closing the handle frees the memory",
        "You let the memory go with the handle, but a mapping keeps its VMO alive too.",
    ),
    Belief(
        "rows-are-vmos",
        "every row of a listing is another piece of memory",
        "You counted a row for each way to reach the VMO; its memory is there once.",
    ),
    Belief(
        "sizes-add-up",
        "sizes of processes can be added up",
        "You added up what each process maps, so shared pages count once for every process.",
    ),
    Belief(
        "others-do-not-matter",
        "a process's PSS depends on that process alone",
        "You left the others out: when one of them goes, the rest pay its part.",
    ),
    Belief(
        "pss-comes-back",
        "PSS is what a process gives back when it exits",
        "You took what it is charged for what it gives back: a page is free when nobody is left.",
    ),
    Belief(
        "unmapped-is-nothing",
        "what no process maps uses no memory",
        "You looked for a mapping, but a VMO has its pages with or without one.",
    ),
    Belief(
        "kfree-is-free",
        "free space inside the kernel's heap is free memory",
        "You added kfree, but that is space inside the heap: the heap's pages are taken.",
    ),
    Belief(
        "copy-doubles",
        "a copy-on-write copy doubles the memory",
        "You copied every page, but a page is copied only when it is written.",
    ),
    Belief(
        "mapped-twice-is-twice",
        "a page mapped twice is there twice",
        "You counted windows: two mappings of one page show the same page.",
    ),
    Belief(
        "biggest-leaks",
        "the biggest process is the one that leaks",
        "You looked at the largest; a leak is a change, so look at what grew.",
    ),
)
BELIEFS: dict[str, Belief] = {belief.name: belief for belief in _ALL}
"""By name, in the order in which the chapters meet them."""

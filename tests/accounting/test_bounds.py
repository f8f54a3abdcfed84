"""Partial captures: bounds that hold the truth, told by the machine they were taken from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from degraded import as_memgraph, as_ps, without_kernel, without_pages
from support.random_snapshots import random_machine
from tiny import Map, Vmo, machine

from magmem.accounting.attribution import attribution_of
from magmem.accounting.bounds import Bounds, bounds_of
from magmem.snapshot import Snapshot

PAGE = 4096

LESS: dict[str, Callable[[Snapshot], Snapshot]] = {
    "no page runs": without_pages,
    "no page runs, resident bytes": lambda snap: without_pages(snap, resident=True),
    "nothing of pages": lambda snap: without_pages(snap, committed=False),
    "memgraph": as_memgraph,
    "ps": as_ps,
    "no kernel": without_kernel,
}


def checked(snap: Snapshot, less: str) -> Bounds:
    """The bounds of a less knowing capture, asserted to hold the truth."""
    attribution = attribution_of(snap)
    truth = attribution.by_process(attribution.r5).fractions
    bounds = bounds_of(attribution_of(LESS[less](snap)))
    for low, exact, high in zip(bounds.low, truth, bounds.high, strict=True):
        assert low <= exact
        assert high is None or exact <= high
    assert bounds.reason.startswith("this capture has no ")
    return bounds


@pytest.mark.parametrize("less", LESS)
@pytest.mark.parametrize("seed", range(6))
def test_bounds_hold_the_truth(seed: int, less: str) -> None:
    """On random machines the exact PSS lies in the bounds of each less knowing capture."""
    checked(random_machine(300 + seed, 40), less)


@pytest.mark.parametrize("less", LESS)
def test_bounds_hold_the_truth_above_64_address_spaces(less: str) -> None:
    """The same where share counts are estimates."""
    checked(random_machine(320, 3, crowded=True), less)


@pytest.mark.parametrize("less", ["no page runs", "memgraph"])
def test_bounds_meet_where_nothing_is_shared(less: str) -> None:
    """Private VMOs mapped whole, once: committed bytes alone tell the exact PSS."""
    snap = machine(
        {"heap": Vmo(8, owned=range(8)), "stack": Vmo(4, owned=range(4))},
        {"A": ["heap"], "B": ["stack"]},
    )
    bounds = checked(snap, less)
    assert list(bounds.low) == list(bounds.high) == [8 * PAGE, 4 * PAGE]


def test_memgraph_bounds_a_vmo_mapped_twice() -> None:
    """PRIVATE of 2n pages in a VMO that is mapped twice is at least n pages, at most its alloc."""
    bounds = checked(machine({"v": Vmo(10)}, {"A": ["v", "v"]}), "memgraph")
    assert bounds.low[0] == bounds.high[0] == 10 * PAGE


def test_halves_of_a_vmo_stay_open_without_pages() -> None:
    """Half of a VMO with 4 of 8 pages committed: between none and all 4 of them."""
    snap = machine({"v": Vmo(8, owned=range(4))}, {"A": [Map("v", 0, 4)], "B": [Map("v", 4, 4)]})
    bounds = checked(snap, "no page runs")
    assert list(bounds.low) == [0, 0]
    assert list(bounds.high) == [4 * PAGE, 4 * PAGE]


def test_clone_may_show_its_parent() -> None:
    """The mapped clone's copies are sure; up to all of the parent's pages may be seen."""
    snap = machine({"P": Vmo(6), "C": Vmo(6, owned=[0, 1], parent="P")}, {"A": ["C"]})
    bounds = checked(snap, "no page runs")
    assert list(bounds.low) == [2 * PAGE]
    assert list(bounds.high) == [(2 + 6) * PAGE]


def test_ps_alone_bounds_nothing() -> None:
    """Of sums alone the exact PSS can be anything."""
    bounds = checked(machine({"v": Vmo(3)}, {"A": ["v"]}), "ps")
    assert (list(bounds.low), list(bounds.high)) == ([0], [None])


def test_complete_snapshot_is_exact() -> None:
    """Where everything is known both bounds are the exact PSS."""
    attribution = attribution_of(random_machine(7, 10))
    exact = list(attribution.by_process(attribution.r5).fractions)
    bounds = bounds_of(attribution)
    assert (list(bounds.low), list(bounds.high), bounds.reason) == (exact, exact, "")

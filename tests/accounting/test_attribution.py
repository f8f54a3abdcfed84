"""The fast attribution against the slow page-by-page model, on thousands of random machines."""

from __future__ import annotations

from fractions import Fraction

import pytest
from slow_model import SlowModel
from support.random_snapshots import random_machine

from magmem.accounting import sharing
from magmem.accounting.attribution import Attribution, attribution_of
from magmem.snapshot import Snapshot

ISLANDS = 80


def agrees(snap: Snapshot) -> Attribution:
    """Assert that every number of the fast attribution is the slow model's."""
    fast, slow = attribution_of(snap), SlowModel(snap)
    rows = range(fast.aspaces)
    for number, (stage, expected) in enumerate(zip(fast.stages, slow.stages(), strict=True)):
        assert list(stage.fractions) == [expected.get(row, 0) for row in rows], f"R{number}"
        assert stage.total == sum(expected.values(), Fraction(0)), f"R{number}"
    uss, reached = slow.uss(), slow.reached()
    assert fast.r5.alone_bytes.tolist() == [uss.get(row, 0) for row in rows]
    assert fast.reached_bytes.tolist() == [reached.get(row, 0) for row in rows]
    by_process, held, kernel_only = slow.hidden()
    koids = fast.population.koid.tolist()
    assert list(fast.hidden.by_process.fractions) == [by_process.get(koid, 0) for koid in koids]
    assert fast.hidden.handle_only_bytes == held
    assert fast.hidden.kernel_only_bytes == kernel_only
    return fast


@pytest.mark.parametrize("seed", range(40))
def test_fast_attribution_equals_the_slow_model(seed: int) -> None:
    """On 80 random machines a seed: every stage, USS, whole bytes and hidden pages agree."""
    agrees(random_machine(seed, ISLANDS))


@pytest.mark.parametrize("seed", range(4))
def test_estimates_above_64_address_spaces_equal_the_slow_model(seed: int) -> None:
    """The kernel's share count stops looking at 64 address spaces, newest mapping first."""
    fast = agrees(random_machine(1000 + seed, 6, crowded=True))
    assert fast.r1.fractions != fast.r2.fractions


@pytest.mark.parametrize("crowded", [False, True])
def test_sweep_equals_listing_every_part(crowded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges too fragmented to list part by part are summed to the same exact bytes."""
    monkeypatch.setattr(sharing, "WIDE", 1)
    monkeypatch.setattr(sharing, "PARTS_PER_RANGE", 0)
    monkeypatch.setattr(sharing, "PARTS_AT_LEAST", 0)
    fast = agrees(random_machine(77, 4 if crowded else ISLANDS, crowded))
    assert fast.r5.wide


@pytest.mark.parametrize("seed", range(40))
def test_identities_hold(seed: int) -> None:
    """Σ alloc = Σ PSS(exact) + kernel-mapped + handle-only + kernel-only, to the byte."""
    fast = attribution_of(random_machine(seed, ISLANDS))
    hidden = fast.hidden
    mapped = fast.by_process(fast.r5).total + fast.elsewhere(fast.r5).total
    assert mapped + hidden.handle_only_bytes + hidden.kernel_only_bytes == fast.alloc_bytes
    assert hidden.by_process.total == hidden.handle_only_bytes

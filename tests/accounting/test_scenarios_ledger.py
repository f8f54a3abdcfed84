"""Every scenario's machine: nothing unexplained, and the slow model agrees page by page."""

from __future__ import annotations

from fractions import Fraction

import pytest
from slow_model import SlowModel

import magmem
from magmem import scenarios
from magmem.accounting.attribution import attribution_of

LIMIT = 60_000
"""Committed pages and page-table entries up to which the slow model is asked."""


@pytest.mark.parametrize("name", scenarios.names())
def test_scenario_adds_up(name: str) -> None:
    """The ledger ends in unexplained 0 without contradictions; rules equal the slow model."""
    snap = scenarios.make(name).snapshot()
    book = magmem.ledger(snap)
    assert book.unexplained_bytes == 0
    assert book.statement.contradictions == ()
    attribution = attribution_of(snap)
    pages = int(snap.pages["page_count"].sum()) + int(snap.entries["page_count"].sum())
    if pages > LIMIT:
        return
    slow = SlowModel(snap)
    for stage, expected in zip(attribution.stages, slow.stages(), strict=True):
        assert list(stage.fractions) == [expected.get(row, 0) for row in range(attribution.aspaces)]
    linux, installed = magmem.account(snap, "linux").df, slow.linux()
    space_of = {koid: aspace for aspace, koid in slow.process_of.items()}
    for koid, size in zip(linux["koid"], linux["pss_bytes"], strict=True):
        assert installed.get(space_of.get(koid, -1), Fraction(0)) == size

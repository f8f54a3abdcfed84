"""Hidden memory: every page without a process's mapping, by why and by whom."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from slow_model import SlowModel
from support.random_snapshots import random_machine
from tiny import KERNEL, Map, Vmo, machine

import magmem
from magmem.accounting.attribution import attribution_of

PAGE = 4096


@pytest.mark.parametrize("seed", range(10))
def test_reasons_equal_the_slow_model(seed: int) -> None:
    """On random machines every hidden page has the reason that the slow model finds."""
    snap = random_machine(400 + seed, 50)
    table = magmem.hidden(snap).df
    row = {name: place for place, name in enumerate(snap.vmos["id"])}
    found = {
        (row[vmo], why): pages
        for vmo, why, pages in zip(table["id"], table["why"], table["pages"], strict=True)
    }
    assert found == SlowModel(snap).hidden_why()


@pytest.mark.parametrize("seed", range(10))
def test_hidden_sums_to_the_ledgers_lines(seed: int) -> None:
    """Handle-only and kernel-only bytes are those of the ledger, to the byte."""
    snap = random_machine(420 + seed, 50)
    listing = magmem.hidden(snap)
    hidden = attribution_of(snap).hidden
    assert listing.df["handle_only_bytes"].sum() == hidden.handle_only_bytes
    assert listing.df["kernel_only_bytes"].sum() == hidden.kernel_only_bytes
    data = json.loads(listing.to_json())
    shares = [Fraction(holder["handle_only"]) for holder in data["by_holder"]]
    assert sum(shares, Fraction(0)) == hidden.handle_only_bytes
    assert sum(data["by_why"].values()) == data["total_bytes"] == listing.df["size_bytes"].sum()


def test_every_reason_once() -> None:
    """One VMO for each reason, with its holders."""
    snap = machine(
        {
            "held": Vmo(5, name="secret"),
            "lost": Vmo(3),
            "stack": Vmo(2),
            "parent": Vmo(4),
            "clone": Vmo(4, owned=[1], parent="parent"),
            "half": Vmo(6),
        },
        {"A": ["clone", Map("half", 0, 2)], KERNEL: ["stack"]},
        handles={"A": ["held"], "B": ["held", "half"]},
    )
    listing = magmem.hidden(snap)
    rows = listing.df[["why", "id", "pages", "held_by"]].astype(str).to_numpy().tolist()
    assert rows == [
        ["handle-only", "held", "5", "101 102"],
        ["kernel-only", "lost", "3", ""],
        ["kernel-mapped", "stack", "2", ""],
        ["shadowed", "parent", "1", ""],
        ["unmapped part", "half", "4", "102"],
    ]
    assert f"{(5 + 3 + 2 + 1 + 4) * PAGE:,} hidden in all" in listing.text
    assert "20,480 handle-only: no mapping of the VMO; processes have handles to it" in listing.text


def test_nothing_hidden() -> None:
    """A machine in which every page is mapped has an empty listing."""
    listing = magmem.hidden(machine({"v": Vmo(2)}, {"A": ["v"]}))
    assert len(listing.df) == 0
    assert listing.text.endswith("0 hidden in all\n")

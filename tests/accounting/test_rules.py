"""Every rule against the slow model on random machines, and against the goldens' facts."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from slow_model import SlowModel
from support.random_snapshots import random_machine
from support.shared import goldens

from magmem.accounting.account import account, charges_of
from magmem.accounting.attribution import attribution_of
from magmem.accounting.rules import RULES, Charges
from magmem.captures import load_machine
from magmem.snapshot import Snapshot

SYSTEMS = ["system-1", "system-2", "system-doc-ps", "system-doc-vmaps", "system-doc-vmos"]
SYSTEMS = [*SYSTEMS, "system-doc-asd"]


def charged(snap: Snapshot, rule: str) -> dict[int, Fraction]:
    """PSS by koid."""
    table = account(snap, rule).df
    return dict(zip(table["koid"].tolist(), table["pss_bytes"].tolist(), strict=True))


def by_koid(slow: SlowModel, by_aspace: Mapping[int, Any]) -> dict[int, Any]:
    """Numbers of address spaces as numbers of their processes."""
    return {koid: by_aspace.get(aspace, 0) for aspace, koid in slow.process_of.items()}


def check(snap: Snapshot) -> None:
    """Assert that every rule gives the slow model's bytes."""
    slow = SlowModel(snap)
    magenta = by_koid(slow, slow.magenta())
    table = account(snap, "magenta-2017").df.set_index("koid")
    for koid, row in magenta.items():
        told = row if row and slow.state[koid] == "running" else {}
        assert table.loc[koid, "private_bytes"] == told.get("private", 0)
        assert table.loc[koid, "shared_bytes"] == told.get("shared", 0)
        assert table.loc[koid, "scaled_bytes"] == told.get("scaled", 0)
    assert charged(snap, "exact") == by_koid(slow, slow.stages()[5])
    assert charged(snap, "linux") == by_koid(slow, slow.linux())
    everyone = by_koid(slow, {})
    assert charged(snap, "memory_monitor") == everyone | slow.memory_monitor()
    assert charged(snap, "treemap-2017") == everyone | slow.treemap()
    rfc, unmapped = slow.rfc_0254()
    assert charged(snap, "rfc-0254") == by_koid(slow, rfc)
    elsewhere = charges_of(attribution_of(snap), RULES["rfc-0254"]).elsewhere
    assert elsewhere["VMOs that nobody maps"] == unmapped


@pytest.mark.parametrize("seed", range(15))
def test_rules_equal_the_slow_model(seed: int) -> None:
    """On 60 random machines a seed, each rule charges each process what the slow model does."""
    check(random_machine(5000 + seed, 60))


def test_rules_equal_the_slow_model_above_64_address_spaces() -> None:
    """The same where share counts are estimates."""
    check(random_machine(6000, 4, crowded=True))


def parts(charges: Charges) -> Fraction:
    """All that a rule charges, to processes and elsewhere."""
    return charges.pss.total + sum(charges.elsewhere.values(), Fraction(0))


@pytest.mark.parametrize("seed", range(15))
def test_rules_that_charge_everything_sum_to_physical_memory(seed: int) -> None:
    """exact, memory_monitor and rfc-0254 charge every committed byte once, to the byte."""
    attribution = attribution_of(random_machine(7000 + seed, 60))
    for rule in ("exact", "memory_monitor", "rfc-0254"):
        assert parts(charges_of(attribution, RULES[rule])) == attribution.alloc_bytes, rule


def facts(system: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of a golden's derived facts, by kind."""
    found: dict[str, list[dict[str, str]]] = {}
    heads: list[str] = []
    with (system / "derived-facts.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.reader(lines, delimiter="\t"):
            if row[0].startswith("#"):
                heads = row[1:]
            else:
                found.setdefault(row[0], []).append(dict(zip(heads, row[1:], strict=True)))
    return found


@pytest.mark.parametrize("system", SYSTEMS)
def test_goldens_derived_facts(system: str) -> None:
    """Counts per VMO and sums per process are those the kernel derived."""
    snap = load_machine(goldens() / f"{system}.json")
    view = attribution_of(snap).view
    known = facts(goldens() / system)
    rows = known["vmo"]
    assert view.num_children.tolist() == [int(row["num_children"]) for row in rows]
    assert view.num_mappings.tolist() == [int(row["num_mappings"]) for row in rows]
    assert view.share_count.tolist() == [int(row["share_count"]) for row in rows]
    assert (view.runs.owner_pages).tolist() == [int(row["committed_pages"]) for row in rows]
    assert view.mapped_by_user.tolist() == [row["mapped_by_user"] == "1" for row in rows]
    table = account(snap, "magenta-2017").df.set_index("koid")
    mapped = attribution_of(snap).sum_by_process(view.sums.mapped_bytes)
    table["mapped_bytes"] = mapped
    for row in known.get("process", []):
        for fact, name in (
            ("mapped_bytes", "mapped_bytes"),
            ("private_bytes", "private_bytes"),
            ("shared_bytes", "shared_bytes"),
            ("scaled_shared_bytes", "scaled_bytes"),
            ("pss_bytes", "pss_bytes"),
        ):
            assert table.loc[int(row["koid"]), name] == int(row[fact]), (row["koid"], fact)


@pytest.mark.parametrize("system", SYSTEMS)
def test_goldens_rules_equal_the_slow_model(system: str) -> None:
    """Exact, rfc-0254 and memory_monitor on the goldens, page by page."""
    snap = load_machine(goldens() / f"{system}.json")
    slow = SlowModel(snap)
    assert charged(snap, "exact") == by_koid(slow, slow.stages()[5])
    assert charged(snap, "rfc-0254") == by_koid(slow, slow.rfc_0254()[0])
    assert charged(snap, "memory_monitor") == by_koid(slow, {}) | slow.memory_monitor()

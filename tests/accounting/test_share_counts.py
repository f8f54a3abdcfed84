"""#shr counts the kernel's address space: what is said where the kernel's mappings are unknown."""

from __future__ import annotations

import pytest
from degraded import as_memgraph
from tiny import KERNEL, Vmo, machine

import magmem
from magmem.accounting.account import account, compare
from magmem.kernel.mappings import view_of
from magmem.snapshot import Snapshot

PAGE = 4096
WHOLE = machine({"own": Vmo(2), "both": Vmo(8)}, {"A": ["own", "both"], KERNEL: ["both"]})
GUESS = "lacks the kernel's mappings"


@pytest.fixture
def without_kernel() -> Snapshot:
    """The same machine from a capture that leaves the kernel's address space out."""
    tables = dict(WHOLE.tables())
    regions = tables["regions"]
    kernel = (WHOLE.aspaces["kind"] == "kernel").to_numpy()[regions["aspace"].to_numpy()]
    users = regions[~kernel].reset_index(drop=True)
    return Snapshot.of(
        tables | {"regions": users}, coverage=dict(WHOLE.coverage) | {"kernel mappings": "absent"}
    )


def reporting(snap: Snapshot) -> Snapshot:
    """The same with the kernel's own share counts, as `vmos` prints them."""
    vmos = snap.vmos.copy()
    vmos["reported_share_count"] = view_of(WHOLE).share_count
    vmos["reported_share_count"] = vmos["reported_share_count"].astype("Int64")
    return snap.with_tables({"vmos": vmos})


def private_of_a(snap: Snapshot) -> int:
    """What `ps` prints as PRIVATE of A."""
    table = magmem.ps(snap).df
    return int(table.loc[table["name"] == "A", "private_bytes"].iloc[0])


def test_guess_is_said_by_everyone(without_kernel: Snapshot) -> None:
    """Without the kernel's mappings a share count is a guess; ps, rules and treemap say so."""
    assert private_of_a(without_kernel) == (2 + 8) * PAGE
    for told in (
        magmem.ps(without_kernel).warnings,
        account(without_kernel, "magenta-2017").warnings,
        account(without_kernel, "treemap-2017").warnings,
        compare(without_kernel).warnings,
        magmem.treemap(without_kernel).remarks,
        magmem.treemap(without_kernel, rule="magenta-2017").remarks,
    ):
        assert GUESS in " ".join(told)
    assert GUESS not in " ".join(account(without_kernel, "memory_monitor").warnings)


def test_whole_machine_needs_no_guess() -> None:
    """Where all mappings are known #shr is counted, and nothing is said."""
    assert private_of_a(WHOLE) == 2 * PAGE
    assert not magmem.ps(WHOLE).warnings
    assert GUESS not in " ".join(magmem.treemap(WHOLE).remarks)


@pytest.mark.parametrize("rule", ["magenta-2017", "treemap-2017"])
def test_reported_count_is_taken(rule: str, without_kernel: Snapshot) -> None:
    """A share count that the source reported includes the kernel, so sizes are right again."""
    snap = reporting(without_kernel)
    assert private_of_a(snap) == 2 * PAGE
    assert not magmem.ps(snap).warnings
    charged = account(snap, rule)
    assert charged.df["pss_bytes"].tolist() == [2 * PAGE + 8 * PAGE // 2]
    assert GUESS not in " ".join(charged.warnings)
    tree = magmem.treemap(snap, rule=rule).df
    assert tree.loc[tree["name"] == "A", "size_bytes"].tolist() == [2 * PAGE + 8 * PAGE // 2]


def as_memgraph_of_two() -> Snapshot:
    """A memgraph in which one running process has no VMO and nobody printed a size of it."""
    two = machine({"heap": Vmo(4)}, {"A": ["heap"], "B": []})
    snap = as_memgraph(two)
    tasks = snap.tasks.copy()
    for name in ("pss", "private", "shared"):
        tasks[f"reported_{name}_bytes"] = tasks[f"reported_{name}_bytes"].mask(tasks["koid"] > 0)
    return snap.with_tables({"tasks": tasks})


@pytest.mark.parametrize("rule", ["treemap-2017", "memory_monitor"])
def test_nothing_known_is_not_zero(rule: str) -> None:
    """A running process of which the capture has no VMO is missing in the table, ``?`` in text."""
    listing = account(as_memgraph_of_two(), rule)
    assert listing.df["pss_bytes"].isna().tolist() == [False, True]
    assert listing.df["pss_bytes"].iloc[0] == 4 * PAGE
    line = next(line for line in listing.text.splitlines() if line.endswith("  B"))
    assert line.count("?") == 4
    assert listing.data["processes"][1]["pss_bytes"] is None
    assert compare(as_memgraph_of_two()).df[rule].isna().tolist() == [False, True]


def test_a_shipped_memgraph_does_not_claim_zero() -> None:
    """Process 1337 of the memgraph that ships has no VMO in it: its size is missing."""
    table = account(magmem.datasets.load("two-arena-memgraph"), "treemap-2017").df
    assert table.loc[table["koid"] == 1337, "pss_bytes"].isna().all()


def test_a_new_name_is_used_by_what_was_asked_before() -> None:
    """`renamed` keeps nothing that was computed under the old name."""
    magmem.ledger(WHOLE)
    assert "new" in magmem.ledger(WHOLE.renamed("new")).title
    assert view_of(WHOLE.renamed("new")).snap.name == "new"

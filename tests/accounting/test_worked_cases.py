"""The worked cases of reference/accounting.md, literally, with their sums as derivations."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from support.shared import goldens
from tiny import KERNEL, Map, Vmo, machine

from magmem.accounting.account import account, compare
from magmem.accounting.attribution import attribution_of
from magmem.captures import load_machine
from magmem.sim import Machine
from magmem.snapshot import Snapshot

PAGE = 4096


def column(snap: Snapshot, rule: str, name: str) -> dict[str, Any]:
    """One column of a rule, by process name."""
    table = account(snap, rule).df
    return dict(zip(table["name"], table[name], strict=True))


def pss(snap: Snapshot, rule: str = "exact") -> dict[str, Any]:
    """PSS by process name."""
    return column(snap, rule, "pss_bytes")


def test_case_1_four_processes_share_a_page_and_two_a_second() -> None:
    """Each of n sharers pays 1/n of a page; SHARED is the whole page, PRIVATE nothing."""
    one = machine({"v": Vmo(1)}, {name: ["v"] for name in "ABCD"})
    two = machine(
        {"v": Vmo(1), "w": Vmo(1)}, {"A": ["v", "w"], "B": ["v", "w"], "C": ["v"], "D": ["v"]}
    )
    for rule in ("magenta-2017", "exact"):
        assert pss(one, rule) == dict.fromkeys("ABCD", PAGE // 4)
        assert column(one, rule, "shared_bytes") == dict.fromkeys("ABCD", PAGE)
        assert column(one, rule, "private_bytes") == dict.fromkeys("ABCD", 0)
        assert pss(two, rule) == {
            "A": PAGE // 4 + PAGE // 2,
            "B": PAGE // 4 + PAGE // 2,
            "C": PAGE // 4,
            "D": PAGE // 4,
        }


def test_case_2_one_process_maps_a_vmo_twice() -> None:
    """A page mapped twice by one process is charged twice by ps, once by the exact rule."""
    snap = machine({"v": Vmo(10)}, {"A": ["v", "v"]})
    assert column(snap, "magenta-2017", "private_bytes") == {"A": 2 * 10 * PAGE}
    assert column(snap, "magenta-2017", "pss_bytes") == {"A": 81920}
    assert pss(snap) == column(snap, "exact", "uss_bytes") == {"A": 10 * PAGE}


def test_case_3_disjoint_halves_of_one_vmo() -> None:
    """Ps halves pages that nobody shares, because it counts sharers per VMO and not per page."""
    snap = machine({"v": Vmo(8)}, {"A": [Map("v", 0, 4)], "B": [Map("v", 4, 4)]})
    assert column(snap, "magenta-2017", "shared_bytes") == {"A": 4 * PAGE, "B": 4 * PAGE}
    assert pss(snap, "magenta-2017") == {"A": 4 * PAGE // 2, "B": 4 * PAGE // 2}
    assert pss(snap) == {"A": 16384, "B": 16384}
    assert sum(pss(snap).values()) == 32768


def test_case_4_clone_with_one_copy() -> None:
    """A clone's process reaches its copy and three pages of the parent; the fourth is hidden."""
    snap = machine(
        {"parent": Vmo(4), "clone": Vmo(4, owned=[1], parent="parent")}, {"A": ["clone"]}
    )
    assert pss(snap, "magenta-2017") == {"A": 1 * PAGE}
    assert pss(snap) == {"A": (1 + 3) * PAGE}
    assert attribution_of(snap).hidden.pages == 1


def test_case_5_written_but_never_mapped() -> None:
    """1 GiB in an unmapped VMO: nothing to ps, handle-only to the exact rule."""
    snap = machine({"v": Vmo(1 << 18)}, {}, handles={"A": ["v"]})
    assert pss(snap, "magenta-2017") == pss(snap) == {"A": 0}
    assert column(snap, "exact", "handle_only_bytes") == {"A": 1 << 30}


def test_case_6_hundred_processes_map_a_page_once() -> None:
    """The estimate above 64 happens to be right: 64 + ((100 - 64) * 64) // 64 = 100."""
    names = [f"p{number}" for number in range(100)]
    snap = machine({"v": Vmo(1)}, {name: ["v"] for name in names})
    assert attribution_of(snap).view.share_count.tolist() == [64 + ((100 - 64) * 64) // 64]
    assert set(pss(snap).values()) == {Fraction(PAGE, 100)}
    assert set(pss(snap, "magenta-2017").values()) == {PAGE // 100}


@pytest.mark.parametrize(
    ("newest_first", "share"),
    [
        # Newest first: 36 processes of 3 mappings, then 29 of 1: 36 * 3 + 28 visited at the 65th.
        (False, 64 + ((64 + 36 * 3) - (36 * 3 + 28)) * 64 // (36 * 3 + 28)),
        # Oldest first: 64 of 1 mapping, then the next: 64 visited, 36 * 3 left.
        (True, 64 + (36 * 3) * 64 // 64),
    ],
)
def test_case_6_estimate_depends_on_the_order_of_mappings(newest_first: bool, share: int) -> None:
    """With several mappings per process the estimate is wrong, by the order they were made in."""
    single = {f"p{number}": ["v"] for number in range(64)}
    triple = {f"q{number}": ["v"] * 3 for number in range(36)}
    snap = machine({"v": Vmo(1)}, single | triple, newest_first=newest_first)
    assert attribution_of(snap).view.share_count.tolist() == [share]
    assert share != 100
    assert set(pss(snap).values()) == {Fraction(PAGE, 100)}


def test_case_7_the_guides_machine() -> None:
    """12 processes share a 28k vDSO: each PSS has 28k / 12 on top of its PRIVATE."""
    snap = load_machine(goldens() / "system-doc-ps.json")
    table = account(snap, "magenta-2017").df
    assert (table["pss_bytes"] - table["private_bytes"] == 28 * 1024 // 12).all()
    exact = account(snap).df
    part = [p - q for p, q in zip(exact["pss_bytes"], exact["private_bytes"], strict=True)]
    assert part == [Fraction(28 * 1024, 12)] * 12
    assert exact["private_bytes"].tolist() == table["private_bytes"].tolist()
    assert 1384 * 1024 in table["private_bytes"].tolist()


def test_rfc_0254_cases() -> None:
    """Parent mapped by p1, clone by p2 and p3: 1/2, 1/4, 1/4; clone by p1 and p2: 3/4, 1/4."""
    family = {"P": Vmo(8), "C": Vmo(8, parent="P")}
    apart = machine(family, {"p1": ["P"], "p2": ["C"], "p3": ["C"]})
    assert pss(apart, "rfc-0254") == {
        "p1": 8 * PAGE // 2,
        "p2": 8 * PAGE // 2 // 2,
        "p3": 8 * PAGE // 2 // 2,
    }
    both = machine(family, {"p1": ["P", "C"], "p2": ["C"]})
    assert pss(both, "rfc-0254") == {"p1": (4 + 2) * PAGE, "p2": 2 * PAGE}
    assert pss(both) == {"p1": 8 * PAGE // 2, "p2": 8 * PAGE // 2}


def test_memory_monitor_gives_a_vmo_to_holders_of_its_clones() -> None:
    """Who maps a VMO, holds it, or maps or holds any clone below it pays an equal part of it."""
    snap = machine(
        {"P": Vmo(6), "C": Vmo(6, owned=[0, 1], parent="P"), "D": Vmo(6, parent="C")},
        {"A": ["P"], "B": ["D"]},
        handles={"H": ["C"]},
    )
    assert pss(snap, "memory_monitor") == {
        "A": 6 * PAGE // 3,
        "B": 6 * PAGE // 3 + 2 * PAGE // 2,
        "H": 6 * PAGE // 3 + 2 * PAGE // 2,
    }


def test_treemap_counts_a_handle_as_one_sharer_more() -> None:
    """Mapped: alloc / #shr; by handle only: alloc / (#shr + 1); each VMO once per process."""
    snap = machine(
        {"v": Vmo(6), "w": Vmo(4)}, {"A": ["v", "v"], "B": ["v"]}, handles={"C": ["v", "w", "w"]}
    )
    assert pss(snap, "treemap-2017") == {
        "A": 6 * PAGE // 2,
        "B": 6 * PAGE // 2,
        "C": 6 * PAGE // 3 + 4 * PAGE // 2,
    }


def test_kernel_mapping_is_a_sharer() -> None:
    """A page that the kernel maps too is halved, and the other half is nobody's PSS."""
    snap = machine({"v": Vmo(2)}, {KERNEL: ["v"], "A": ["v"]})
    assert pss(snap) == {"A": 2 * PAGE // 2}
    assert attribution_of(snap).elsewhere(attribution_of(snap).r5)[0] == 2 * PAGE // 2


def test_process_that_does_not_run_is_a_sharer_but_reports_nothing() -> None:
    """A dying process still halves the others' PSS; ps prints 0 for it, the exact rule does not."""
    snap = machine({"v": Vmo(2)}, {"A": ["v"], "B": ["v"]}, states={"B": "dying"})
    assert pss(snap, "magenta-2017") == {"A": 2 * PAGE // 2, "B": 0}
    assert pss(snap) == {"A": 2 * PAGE // 2, "B": 2 * PAGE // 2}


def test_mapping_and_clone_of_one_page_in_one_process_is_one_sharer() -> None:
    """A process that reaches a page by its VMO and by a clone of it is charged once."""
    snap = machine(
        {"P": Vmo(2), "C": Vmo(2, parent="P"), "D": Vmo(2, parent="C")},
        {"A": ["P", "C", "D"], "B": ["D"]},
    )
    assert pss(snap) == {"A": 2 * PAGE // 2, "B": 2 * PAGE // 2}


def test_clone_sees_no_further_than_its_parents_size() -> None:
    """Pages past the current end of a VMO on the way are seen by nobody through it."""
    snap = machine(
        {"P": Vmo(8), "C": Vmo(2, parent="P", offset=1), "D": Vmo(8, parent="C")}, {"A": ["D"]}
    )
    assert pss(snap) == {"A": 2 * PAGE}
    assert attribution_of(snap).hidden.pages == 8 - 2


def test_compare_says_what_a_rule_lacks() -> None:
    """A rule that asks for what the snapshot does not know is an empty column and a warning."""
    known = dict.fromkeys(("processes", "mappings", "kernel mappings", "vmos", "pages"), "complete")
    snap = machine({"v": Vmo(1)}, {"A": ["v"]}, coverage=known | {"handles": "complete"})
    listing = compare(snap)
    assert listing.df["linux"].isna().all()
    assert listing.df["exact"].tolist() == [PAGE]
    assert any("no column linux" in warning for warning in listing.warnings)


def test_unknown_rule_names_the_known_ones() -> None:
    """Asking for a rule that does not exist says which there are."""
    with pytest.raises(ValueError, match="expected one of the rules magenta-2017, exact, linux"):
        account(machine({"v": Vmo(1)}, {"A": ["v"]}), "pss")


def test_compare_may_be_of_some_rules() -> None:
    """In the order that was asked for; a rule that does not exist is named with those that do."""
    machine = Machine(memory="64M", seed=1)
    machine.root_job.spawn("sh")
    columns = list(compare(machine, ["exact", "magenta-2017"]).df.columns)
    assert columns == ["koid", "name", "running", "exact", "magenta-2017"]
    with pytest.raises(ValueError, match="expected one of the rules magenta-2017, exact"):
        compare(machine, ["exakt"])

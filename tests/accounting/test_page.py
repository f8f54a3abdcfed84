"""Who sees one page: owner, ways, what each pays, and as how much each tool counts it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from slow_model import SlowModel
from support.random_snapshots import random_machine
from tiny import KERNEL, Map, Vmo, machine

import magmem
from magmem.errors import MagmemError, NoSuchObject

PAGE = 4096
FAMILY = machine(
    {
        "lib": Vmo(4, name="libc.so"),
        "copy": Vmo(4, owned=[1], parent="lib"),
        "view": Vmo(4, parent="lib"),
    },
    {"A": ["lib"], "B": ["copy", Map("lib", 0, 2)], "C": ["view"]},
    handles={"H": ["lib"]},
)


@pytest.mark.parametrize("seed", range(6))
def test_every_page_equals_the_slow_model(seed: int) -> None:
    """Sharers, ways and ps's count of every page of random machines are the slow model's."""
    snap = random_machine(500 + seed, 2)
    slow = SlowModel(snap)
    shares, sharers = slow.share_counts(), slow.sharers()
    for (vmo, index), aspaces in sharers.items():
        if index >= slow.size[vmo]:
            continue
        report = magmem.page(snap, snap.vmos["id"].iloc[vmo], index)
        ways = [
            mapping
            for mapping in slow.mappings.values()
            for at in slow.range_of(mapping)
            if slow.visible(mapping.vmo, at) == (vmo, index)
        ]
        assert len(report.df) == len(ways)
        paid = sum(map(Fraction, report.df["pays_bytes"]), Fraction(0))
        assert paid == (PAGE if aspaces else 0)
        told = [
            way
            for way in ways
            if way.vmo == vmo and slow.state.get(slow.process_of.get(way.aspace)) == "running"
        ]
        counted = sum((Fraction(PAGE, shares[vmo]) for _ in told), Fraction(0))
        assert report.tools.set_index("tool").loc["ps", "size_bytes"] == counted


def test_page_shared_through_a_clone() -> None:
    """Three processes reach page 0 by four mappings; each pays a third, once."""
    report = magmem.page(FAMILY, 1001, 0)
    assert report.df["name"].tolist() == ["A", "B", "B", "C"]
    assert report.df["clones"].tolist() == [0, 0, 1, 1]
    assert report.df["pays_bytes"].tolist() == [Fraction(PAGE, 3)] * 2 + [0, Fraction(PAGE, 3)]
    assert report.df["ps_bytes"].tolist() == [PAGE // 2, PAGE // 2, 0, 0]
    assert report.sentence == (
        "Page 0 of VMO 1001 'libc.so' is committed. A (101), B (102) and C (103) reach it; "
        "each pays 4096/3 of its 4,096 bytes."
    )
    sizes = dict(zip(report.tools["tool"], report.tools["size_bytes"], strict=True))
    assert sizes == {
        "ps": 2 * PAGE // 2,
        "vmaps": 2 * PAGE,
        "vmos": 3 * PAGE,
        "k mx vmos hidden": 0,
        "treemap": 2 * PAGE // 2 + Fraction(PAGE, 2 + 1),
        "kstats -m": PAGE,
        "ledger": PAGE,
    }


def test_page_behind_a_copy() -> None:
    """The copy is another page; the original says who has a copy in front of it."""
    copy = magmem.page(FAMILY, 1002, 1)
    assert copy.df["name"].tolist() == ["B"]
    original = magmem.page(FAMILY, 1001, 1)
    assert original.df["name"].tolist() == ["A", "B", "C"]
    assert original.sentence.endswith("VMO 1002 has a copy of its own in front of it.")


def test_index_of_a_clone_without_a_copy_leads_to_its_parents_page() -> None:
    """Asking for a clone's index answers for the page that it shows."""
    report = magmem.page(FAMILY, 1003, 2)
    assert report.sight is not None
    assert (report.sight.owner, report.sight.index) == (0, 2)
    assert "it shows page 2 of VMO 1001 'libc.so'" in report.sentence


def test_hidden_pages_name_their_holders() -> None:
    """No mapping: a holder of a handle, or only the kernel."""
    snap = machine({"v": Vmo(1), "w": Vmo(1)}, {"A": []}, handles={"A": ["v"]})
    assert magmem.page(snap, 1001, 0).sentence.endswith(
        "No mapping reaches it; A (101) can by a handle."
    )
    assert magmem.page(snap, 1002, 0).sentence.endswith("only the kernel knows it.")
    tools = magmem.page(snap, 1001, 0).tools.set_index("tool")["size_bytes"]
    assert (tools["ps"], tools["k mx vmos hidden"], tools["treemap"]) == (0, PAGE, PAGE // 2)


def test_uncommitted_page_reads_zeros() -> None:
    """A page that nobody owns is nothing to any tool."""
    report = magmem.page(machine({"v": Vmo(3, owned=[0])}, {"A": ["v"]}), 1001, 2)
    assert report.sentence == "Page 2 of VMO 1001 is not committed: whoever reads it sees zeros."
    assert len(report.df) == len(report.tools) == 0
    assert report.text == report.sentence + "\n"


def test_kernel_is_a_sharer() -> None:
    """The kernel's address space is named as one of those that reach a page."""
    snap = machine({"v": Vmo(1, wired=True)}, {KERNEL: ["v"], "A": ["v"]})
    report = magmem.page(snap, 1001, 0)
    assert "the kernel and A (101) reach it; each pays 2,048" in report.sentence
    assert report.df["koid"].isna().tolist() == [True, False]
    assert report.tools.set_index("tool").loc["kstats -m", "says"] == "in wired"


@pytest.mark.parametrize(("vmo", "index"), [(1001, 4), (1001, -1), (77, 0), ("nonsense", 0)])
def test_what_is_not_there_is_refused(vmo: int | str, index: int) -> None:
    """An unknown VMO or an index past its end says what was expected."""
    with pytest.raises(NoSuchObject, match="expected"):
        magmem.page(FAMILY, vmo, index)
    assert issubclass(NoSuchObject, MagmemError)


def test_vmo_report() -> None:
    """One VMO: who maps, holds and reaches it, what each pays, what every tool counts."""
    report = magmem.vmo(FAMILY, 1001)
    table = report.df.set_index("name")
    assert table["mappings"].to_dict() == {"A": 1, "B": 1, "C": 0, "H": 0}
    assert table["handles"].to_dict() == {"A": 0, "B": 0, "C": 0, "H": 1}
    assert table["clones"].to_dict() == {"A": 0, "B": 1, "C": 1, "H": 0}
    assert table["reached_bytes"].to_dict() == {"A": 4 * PAGE, "B": 4 * PAGE, "C": 4 * PAGE, "H": 0}
    assert table["exact_bytes"].sum() == 4 * PAGE
    assert table["exact_bytes"]["A"] == 4 * Fraction(PAGE, 3)
    assert table["ps_bytes"].to_dict() == {"A": 4 * PAGE // 2, "B": 2 * PAGE // 2, "C": 0, "H": 0}
    assert report.hidden_bytes == 0
    assert "owns 16,384 bytes of pages; 3 address spaces reach 16,384 of its own." in report.text
    clone = magmem.vmo(FAMILY, 1002)
    assert "a clone of VMO 1001 'libc.so', owns 4,096 bytes of pages and shows 12,288" in clone.text


@pytest.mark.parametrize("seed", range(5))
def test_vmo_reports_sum_to_the_exact_rule(seed: int) -> None:
    """What processes pay for each VMO adds up to their exact PSS."""
    snap = random_machine(520 + seed, 4)
    paid: dict[int, Fraction] = {}
    for vmo in snap.vmos["id"]:
        table = magmem.vmo(snap, vmo).df
        for koid, size in zip(table["koid"], table["exact_bytes"], strict=True):
            paid[koid] = paid.get(koid, Fraction(0)) + Fraction(size)
    exact = magmem.account(snap).df
    for koid, size in zip(exact["koid"], exact["pss_bytes"], strict=True):
        assert paid.get(koid, 0) == size

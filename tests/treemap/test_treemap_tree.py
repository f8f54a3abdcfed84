"""The tree of a treemap: exact sizes, every byte once, nothing negative."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from accounting.tiny import KERNEL, Map, Vmo, machine
from support.random_snapshots import random_machine
from support.shared import captures, goldens

import magmem
from magmem import MissingData, Snapshot, Treemap
from magmem.accounting.account import account
from magmem.accounting.attribution import attribution_of
from magmem.captures import load_machine
from magmem.treemap.charges import RULES as TREEMAP_RULES
from magmem.treemap.tree import Node

PAGE = 4096
RULES = list(TREEMAP_RULES)
SYSTEMS = ["system-1", "system-2", "system-doc-asd", "system-doc-ps", "system-doc-vmos"]


def sizes(node: Node) -> dict[str, Any]:
    """Exact sizes of a node's children by label."""
    return {child.label: child.size_bytes for child in node.children}


def process_sizes(treemap: Treemap) -> dict[int, Any]:
    """Exact size of each process of the job tree by koid."""
    found = (node for node in treemap.tree if node.kind == "process" and not node.tint)
    return {node.koid: node.size_bytes for node in found}


def check(treemap: Treemap, snap: Snapshot) -> None:
    """Assert what holds of every treemap."""
    tree = treemap.tree
    for node in tree:
        assert node.size_bytes >= 0
        if node.children:
            assert node.size_bytes == sum(child.size_bytes for child in node.children)
            assert all(child.parent == node for child in node.children)
    total = snap.kmem["total_bytes"].iloc[-1]
    assert tree.root.size_bytes - treemap.over_bytes == total
    assert bool(treemap.over_bytes) == any("more than there is" in r for r in treemap.remarks)


@pytest.mark.parametrize("by", ["process", "vmo"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(8))
def test_every_node_is_the_sum_of_its_children(seed: int, rule: str, by: str) -> None:
    """On random machines the tree adds up at every node, and the root is physical memory."""
    snap = random_machine(seed, islands=4, crowded=seed == 0)
    check(magmem.treemap(snap, by=by, rule=rule), snap)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("rule", RULES)
def test_described_machines_add_up(system: str, rule: str) -> None:
    """The same of the described machines, by process and by VMO; they have no page tables."""
    snap = load_machine(goldens() / f"{system}.json")
    if rule == "linux":
        with pytest.raises(MissingData, match="no entries: the linux treemap needs"):
            magmem.treemap(snap, rule=rule)
        return
    for by in ("process", "vmo"):
        check(magmem.treemap(snap, by=by, rule=rule), snap)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(6))
def test_a_process_is_as_large_as_the_rule_says(seed: int, rule: str) -> None:
    """The tile of a process has its PSS by the rule, to the fraction of a byte."""
    snap = random_machine(seed, islands=5)
    charged = account(snap, rule).df.set_index("koid")["pss_bytes"]
    assert process_sizes(magmem.treemap(snap, rule=rule)) == charged.to_dict()


@pytest.mark.parametrize("seed", range(6))
def test_exact_counts_nothing_twice_and_shows_all_hidden_memory(seed: int) -> None:
    """By the exact rule the tiles are physical memory, and hidden tiles are the hidden pages."""
    snap = random_machine(seed, islands=5)
    treemap = magmem.treemap(snap, rule="exact")
    assert treemap.over_bytes == 0
    hidden = attribution_of(snap).hidden
    shown = sizes(treemap.tree.find("VMOs/processes"))
    assert shown.get("hidden: handle only", 0) == hidden.handle_only_bytes
    assert shown.get("hidden: kernel", 0) == hidden.kernel_only_bytes


@pytest.mark.parametrize("seed", range(3))
def test_very_fragmented_sharing_is_exact_too(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges in too many parts to list give the same sizes as listed ones."""
    listed = process_sizes(magmem.treemap(random_machine(seed, islands=5), rule="exact"))
    for name in ("WIDE", "PARTS_PER_RANGE", "PARTS_AT_LEAST"):
        monkeypatch.setattr(f"magmem.accounting.sharing.{name}", 0)
    snap = random_machine(seed, islands=5)
    treemap = magmem.treemap(snap, rule="exact")
    check(treemap, snap)
    assert process_sizes(treemap) == listed


def test_a_mapped_vmo_counts_its_share_and_a_held_one_less() -> None:
    """treemap-2017: mapped, committed / share count; by handle only, committed / (count + 1)."""
    snap = machine(
        {"heap": Vmo(4, name="heap"), "shared": Vmo(3, name="vdso"), "held": Vmo(2, name="log")},
        {"a": ["heap", "shared"], "b": ["shared"], "c": ["shared"]},
        {"a": ["held"], "b": ["heap"]},
    )
    tree = magmem.treemap(snap).tree
    assert sizes(tree.find(101)) == {"heap": 4 * PAGE, "vdso": PAGE, "log": PAGE}
    assert sizes(tree.find(102)) == {"vdso": PAGE, "heap": 2 * PAGE}
    assert sizes(tree.find(103)) == {"vdso": PAGE}
    assert tree.find("hidden: handle only").size_bytes == PAGE  # the other half of the log


def test_each_part_has_the_colour_of_its_meaning() -> None:
    """Private, shared and handle-only tiles are told apart, and so is each use of the kernel."""
    snap = machine(
        {"mine": Vmo(1, name="mine"), "ours": Vmo(1, name="ours"), "held": Vmo(1, name="held")},
        {"a": ["mine", "ours"], "b": ["ours"]},
        {"a": ["held"]},
    )
    tree = magmem.treemap(snap).tree
    tints = {child.name: child.tint for child in tree.find(101).children}
    assert tints == {"mine": "private", "ours": "shared", "held": "hidden_handle"}
    kernel = {child.name: child.tint for child in tree.root.children if child.tint}
    assert kernel == {"free": "free", "wired": "wired", "mmu": "mmu", "other": "other"}
    heap = {child.name: child.tint for child in tree.find("heap").children}
    assert heap == {"allocated": "heap_used", "free": "heap_free"}


def test_vmos_of_one_name_are_one_node() -> None:
    """VMOs of a process with the same non-empty name are one node name[count]; unnamed are not."""
    vmos = {f"v{n}": Vmo(n, name="heap") for n in (1, 2, 3)} | {"x": Vmo(1), "y": Vmo(1)}
    tree = magmem.treemap(machine(vmos, {"a": list(vmos)})).tree
    labels = sorted(child.label for child in tree.find(101).children)
    assert labels == ["(no name)", "(no name)", "heap[3]"]
    group = next(child for child in tree.find(101).children if child.kind == "vmos")
    assert group.size_bytes == (1 + 2 + 3) * PAGE
    assert [child.koid for child in group.children] == [1002, 1003, 1001]


def test_what_is_counted_twice_is_told_and_never_negative() -> None:
    """A VMO that one process maps twice: magenta-2017 counts it twice, and the excess is told."""
    snap = machine({"v": Vmo(10, name="buffer")}, {"a": [Map("v"), Map("v")]})
    treemap = magmem.treemap(snap, rule="magenta-2017")
    check(treemap, snap)
    assert treemap.tree.find(101).size_bytes == 20 * PAGE
    assert treemap.over_bytes == 10 * PAGE
    assert treemap.remarks[0].startswith("VMOs are counted more than there is: +40k.")
    assert treemap.tree.marked[treemap.tree.find("buffer").index]


def test_wired_pages_are_drawn_where_they_are_used() -> None:
    """Pages of a wired VMO are in its process and taken off wired, so each byte is drawn once."""
    snap = machine({"vdso": Vmo(7, name="vdso/full", wired=True)}, {"a": ["vdso"]})
    tree = magmem.treemap(snap).tree
    assert tree.find(101).size_bytes == 7 * PAGE
    assert tree.find("wired").size_bytes == 20 * PAGE
    assert tree.root.size_bytes == (7 + 100) * PAGE


def test_kernel_mapped_memory_is_a_tile_of_its_own() -> None:
    """By the exact rule the kernel's part of a page it shares with a process stands apart."""
    snap = machine({"ring": Vmo(4, name="ring")}, {KERNEL: ["ring"], "a": ["ring"]})
    tree = magmem.treemap(snap, rule="exact").tree
    assert tree.find(101).size_bytes == 2 * PAGE
    assert tree.find("mapped by the kernel").size_bytes == 2 * PAGE


def test_hidden_memory_names_its_holders() -> None:
    """By the exact rule a hidden VMO is divided among the processes that hold a handle to it."""
    snap = machine(
        {"log": Vmo(6, name="log"), "k": Vmo(5, name="arena")}, {}, {"a": ["log"], "b": ["log"]}
    )
    tree = magmem.treemap(snap, rule="exact").tree
    held = {part.name: part.size_bytes for part in tree.find("log").children}
    assert held == {"a": 3 * PAGE, "b": 3 * PAGE}
    assert sizes(tree.find("hidden: kernel")) == {"arena": 5 * PAGE}
    assert process_sizes(magmem.treemap(snap, rule="exact")) == {101: 0, 102: 0}


def test_a_page_seen_through_a_clone_counts_in_its_owner() -> None:
    """Worked case 4: the copy in the clone, three pages of the parent seen through, one hidden."""
    snap = machine(
        {"parent": Vmo(4, name="data"), "clone": Vmo(4, [0], parent="parent", name="copy")},
        {"a": ["clone"]},
        {"a": ["parent"]},
    )
    tree = magmem.treemap(snap, rule="exact").tree
    assert sizes(tree.find(101)) == {"data": 3 * PAGE, "copy": PAGE}
    assert tree.find("hidden: handle only").size_bytes == PAGE


def test_pages_shared_by_different_numbers_are_parts_of_the_vmo() -> None:
    """By the exact rule a VMO mapped in part by others has one part for each number of sharers."""
    snap = machine({"v": Vmo(4, name="v")}, {"a": ["v"], "b": [Map("v", 0, 1)]})
    parts = {
        part.name: part.size_bytes
        for part in magmem.treemap(snap, rule="exact").tree.find("v").children
    }
    assert parts == {"private": 3 * PAGE, "shared by 2": PAGE // 2}


def test_thirds_of_a_byte_are_exact() -> None:
    """Sizes that are no whole bytes are fractions, not floats."""
    snap = machine({"v": Vmo(7)}, {"a": ["v"], "b": ["v"], "c": ["v"]})
    size = magmem.treemap(snap).tree.find(102).size_bytes
    assert size == Fraction(7 * PAGE, 3)
    assert isinstance(size, Fraction)


def test_sizes_beyond_64_bits_stay_exact() -> None:
    """Many large VMOs with many share counts need more than 64 bits, and are still exact."""
    vmos = {f"v{n}": Vmo(n) for n in range(1, 30)}
    maps = {f"p{n}": [f"v{m}" for m in range(n, 30)] for n in range(1, 30)}
    snap = machine(vmos, maps)
    treemap = magmem.treemap(snap)
    check(treemap, snap)
    assert treemap.tree.scaled.dtype == object
    last = treemap.tree.find(129).size_bytes
    assert last == Fraction(29 * PAGE, 29)


def test_by_vmo_shows_every_process_of_a_vmo() -> None:
    """By VMO: each VMO holds the processes it is charged to; hidden ones stand apart."""
    snap = machine(
        {"s": Vmo(4, name="shared"), "h": Vmo(2, name="held")},
        {"a": ["s"], "b": ["s"]},
        {"b": ["h"]},
    )
    tree = magmem.treemap(snap, by="vmo").tree
    assert sizes(tree.find("shared")) == {"a": 2 * PAGE, "b": 2 * PAGE}
    assert tree.find("shared").koid == 1001
    held = tree.find("hidden: handle only")
    assert sizes(held) == {"held": 2 * PAGE}
    assert sizes(held.children[0]) == {"b": PAGE, "the rest": PAGE}


def test_riscv_session_shows_its_six_hidden_pages() -> None:
    """The real boot: 6 of its 8205 object pages are in no address space, and are one tile."""
    snap = magmem.read_capture(captures() / "kernel-console-riscv-2017-06.txt")
    treemap = magmem.treemap(snap)
    tree = treemap.tree
    assert tree.root.size_bytes == 520192 * PAGE
    assert tree.find("unknown (kernel & unmapped)").size_bytes == 6 * PAGE
    assert tree.find("userboot").size_bytes == (23 + 7 + 1) * PAGE
    assert treemap.remarks == ("Taken as wired, or the sums would not fit: userboot, vdso/full.",)


def test_a_machine_has_a_snapshot() -> None:
    """Anything with a `snapshot()` method is accepted; anything else is told so."""

    class Live:
        def snapshot(self) -> Snapshot:
            return machine({"v": Vmo(1)}, {"a": ["v"]})

    assert magmem.treemap(Live()).tree.find(101).size_bytes == PAGE
    with pytest.raises(TypeError, match="expected a Snapshot or a Machine, found int"):
        magmem.treemap(7)


def test_the_package_can_be_called_too() -> None:
    """`magmem.treemap` is the function, also after a module of the package was imported."""
    import magmem.palette

    assert isinstance(magmem.treemap(machine({"v": Vmo(1)}, {"a": ["v"]})), Treemap)
    from magmem.treemap import treemap

    assert callable(treemap)


def test_unknown_rule_and_order_are_refused() -> None:
    """What cannot be drawn is named, with what can."""
    snap = machine({"v": Vmo(1)}, {"a": ["v"]})
    with pytest.raises(ValueError, match="expected a rule of treemap-2017, magenta-2017, exact"):
        magmem.treemap(snap, rule="best")
    with pytest.raises(ValueError, match="expected by to be process or vmo, found 'job'"):
        magmem.treemap(snap, by="job")
    with pytest.raises(LookupError, match="found none with koid 999"):
        magmem.treemap(snap).tree.find(999)


def test_nothing_known_is_missing_data() -> None:
    """A capture without any size is refused with what would do."""
    with pytest.raises(MissingData, match=r"needs VMOs, what ps printed, or kstats -m"):
        magmem.treemap(Snapshot.of({}))
    with pytest.raises(MissingData, match="no VMOs"):
        magmem.treemap(Snapshot.of({}), by="vmo")
    with pytest.raises(MissingData, match="the exact treemap needs"):
        magmem.treemap(Snapshot.of({}), rule="exact")


def test_deep_jobs_and_processes_without_memory_are_fine() -> None:
    """A chain of 3,000 jobs is drawn without recursion; empty jobs and processes have size 0."""
    count = 3000
    snap = Snapshot.of(
        {
            "tasks": {
                "koid": range(1, count + 2),
                "kind": ["job"] * count + ["process"],
                "parent_koid": [None, *range(1, count + 1)],
                "name": [""] * (count + 1),
                "reported_pss_bytes": [None] * count + [12345],
            }
        }
    )
    treemap = magmem.treemap(snap)
    assert treemap.tree.root.size_bytes == 12345
    assert len(str(treemap).splitlines()) <= 31


@pytest.mark.parametrize("rule", ["exact", "linux", "rfc-0254"])
@pytest.mark.parametrize("seed", range(4))
def test_ranges_of_many_parts_are_drawn_to_the_byte(
    seed: int, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where parts of ranges are too many to list, sums stay exact and shared is not private."""
    plain = magmem.treemap(random_machine(seed, islands=3), rule=rule)
    monkeypatch.setattr("magmem.accounting.sharing.WIDE", 0)
    monkeypatch.setattr("magmem.accounting.sharing.PARTS_AT_LEAST", 0)
    monkeypatch.setattr("magmem.accounting.sharing.PARTS_PER_RANGE", 0)
    snap = random_machine(seed, islands=3)
    treemap = magmem.treemap(snap, rule=rule)
    assert attribution_of(snap).r5.wide
    assert process_sizes(treemap) == process_sizes(plain)
    check(treemap, snap)

    def by_tint(shown: Treemap) -> dict[str, Any]:
        sums: dict[str, Any] = {}
        for node in shown.tree:
            if not node.children:
                sums[node.tint] = sums.get(node.tint, 0) + node.size_bytes
        return sums

    assert by_tint(treemap) == by_tint(plain)


@pytest.mark.parametrize("rule", ["treemap-2017", "exact", "linux"])
def test_memory_of_processes_that_were_not_captured_is_not_the_kernels(rule: str) -> None:
    """On Linux the kernel counts what others have written; it stands in a group of its own."""
    tree = magmem.treemap(magmem.datasets.load("linux-build"), rule=rule)
    table = tree.df.set_index("node")
    row = table[table["name"] == "anonymous, not captured"].iloc[0]
    assert table.loc[row["parent"], "name"] == "mapped by processes not in the capture"
    assert int(row["size_bytes"]) == 1_584_390_144

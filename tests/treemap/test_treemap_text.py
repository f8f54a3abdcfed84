"""The text form of a treemap: exact, short, the same every time."""

from __future__ import annotations

import pytest
from accounting.tiny import Map, Vmo, machine
from support.random_snapshots import random_machine
from support.shared import goldens

import magmem
from magmem.captures import load_machine


def test_text_is_the_biggest_nodes_as_an_indented_tree() -> None:
    """One line a node: size in the tools' form, share of the whole, label; notes after them."""
    snap = machine(
        {"heap": Vmo(30, name="heap"), "vdso": Vmo(7, name="vdso"), "log": Vmo(2, name="log")},
        {"sh": ["heap", "vdso"], "ps": ["vdso", Map("vdso")]},
        {"ps": ["log"]},
    )
    assert str(magmem.treemap(snap, rule="magenta-2017")) == (
        "machine: 556k by process, rule magenta-2017\n"
        "    570k 100.0%  physmem\n"
        "    200k  35.1%    free\n"
        "    170k  29.8%    VMOs/processes\n"
        "    162k  28.4%      j:1 root\n"
        "    134k  23.5%        p:101 sh\n"
        "    120k  21.1%          heap\n"
        "     14k   2.5%          vdso\n"
        "     28k   4.9%        p:102 ps\n"
        "     28k   4.9%          vdso\n"
        "      8k   1.4%      hidden: handle only\n"
        "      8k   1.4%        log\n"
        "     80k  14.0%    wired\n"
        "     60k  10.5%    heap\n"
        "   55.1k   9.7%      allocated\n"
        "   5000B   0.9%      free\n"
        "     40k   7.0%    mmu\n"
        "     20k   3.5%    other\n"
        "# VMOs are counted more than there is: +14k. The rule charges some pages several times.\n"
    )


@pytest.mark.parametrize("seed", range(5))
def test_text_stays_short_and_every_level_adds_up(seed: int) -> None:
    """At most 28 lines of nodes; what is not shown is summed as others, never dropped."""
    snap = random_machine(seed, islands=60)
    lines = str(magmem.treemap(snap)).splitlines()[1:]
    nodes = [line for line in lines if not line.startswith("#")]
    assert 20 <= len(nodes) <= 28
    assert any("others (" in line for line in nodes)
    assert not any("others (1)" in line for line in nodes)


def test_text_repeats() -> None:
    """The same machine gives the same text."""
    path = goldens() / "system-2.json"
    assert str(magmem.treemap(load_machine(path))) == str(magmem.treemap(load_machine(path)))


def test_repr_is_the_text() -> None:
    """A notebook and the prompt show the text, without a last empty line."""
    treemap = magmem.treemap(machine({"v": Vmo(1)}, {"a": ["v"]}))
    assert repr(treemap) == str(treemap).removesuffix("\n")


def test_a_name_cannot_break_its_line() -> None:
    """Control characters and lone surrogates stand as their codes."""
    snap = machine({"v": Vmo(9, name="a\nb\x1b[31m\ud800")}, {"p": ["v"]})
    assert "a\\nb\\u001b[31m\\ud800\n" in str(magmem.treemap(snap))


def test_table_has_every_node_with_its_exact_size() -> None:
    """`df` lists all nodes, parents first, sizes as ints or Fractions."""
    treemap = magmem.treemap(random_machine(3, islands=3))
    table = treemap.df
    assert len(table) == len(treemap.tree)
    assert list(table.columns) == [
        "node", "parent", "depth", "kind", "name", "koid", "tint", "size_bytes", "children",
    ]  # fmt: skip
    assert (table["parent"].iloc[1:] < table["node"].iloc[1:]).all()
    leaves = table["size_bytes"][table["children"] == 0]
    assert sum(leaves) == treemap.tree.root.size_bytes
    assert table["depth"].iloc[0] == 0

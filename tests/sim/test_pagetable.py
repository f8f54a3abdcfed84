"""Page tables: a table page exists while it has an entry."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from magmem.sim.pagetable import PageTables
from magmem.sim.physical import FREE, MMU, Arena, PhysicalMemory

TOTAL = 4000


def tables() -> PageTables:
    """Tables of an empty address space."""
    return PageTables(PhysicalMemory([Arena("a", 0, TOTAL)]))


def counted(pages: set[int]) -> int:
    """Tables by the definition: one top table, and one of each level per group of entries."""
    return 1 + sum(len({page >> shift for page in pages}) for shift in (9, 18, 27))


RANGE = st.tuples(
    st.sampled_from([0, 500, 511, 512, 1 << 18, (1 << 18) - 3, (1 << 27) - 2, 1 << 30]),
    st.integers(1, 1500),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), RANGE), max_size=12))
def test_tables_follow_from_the_entries(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    """However entries come and go, tables are those of the definition, and pages are charged."""
    table, installed = tables(), set[int]()
    for add, (start, count) in steps:
        some = set(range(start, start + count))
        new = some - installed if add else some & installed
        runs = [(page, page + 1) for page in sorted(new)]
        if add:
            lack = table.lacking(runs)
            before = table.pages
            for s, e in runs:
                table.install_page(s) if s % 2 else table.install(s, e)
            assert table.pages - before == lack
            installed |= some
        else:
            for s, e in runs:
                table.remove_page(s) if s % 2 else table.remove(s, e)
            installed -= some
        assert table.pages == counted(installed)
        assert table.physical.counts[MMU] == table.pages == sum(n for _, n in table.frames)


def test_a_run_costs_as_its_pages() -> None:
    """A run installed at once makes the tables that its pages make one by one."""
    table = tables()
    table.install(510, 512 * 512 + 2)
    assert table.pages == counted(set(range(510, 512 * 512 + 2)))
    table.remove(510, 512 * 512 + 2)
    assert table.pages == 1
    table.destroy()
    assert table.physical.counts[FREE] == TOTAL

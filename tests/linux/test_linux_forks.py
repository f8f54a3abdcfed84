"""Pages shared since a fork: every frame owned once, and seen by exactly those who hold it.

The slow model forks address spaces page by page; what `place_shared` makes of their page tables is
then looked at through the clones as the exact rule does.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magmem.linux.forks import Families, Shared, place_shared
from magmem.linux.runs import Runs, joined, runs_of, union

PAGES = 5
Table = dict[int, int]
"""Page to frame: one process's copy of one mapping."""


def placed(tables: list[Table], axis: list[int] | None = None) -> Families:
    """The families of mappings that all cover pages 0 … PAGES of their axis."""
    holders: dict[int, int] = defaultdict(int)
    for table in tables:
        for frame in table.values():
            holders[frame] += 1
    rows = [(at, page, frame) for at, table in enumerate(tables) for page, frame in table.items()]
    shared = [row for row in rows if holders[row[2]] > 1]
    private = sorted(row for row in rows if holders[row[2]] == 1)
    columns = np.array(shared, np.int64).reshape(-1, 3).T
    own = np.array(private, np.int64).reshape(-1, 3).T
    count = len(tables)
    return place_shared(
        Shared(*columns),
        runs_of(own[0], own[1]),
        np.array(axis or [0] * count, np.int64),
        np.zeros(count, np.int64),
        np.full(count, PAGES, np.int64),
    )


def owned(tables: list[Table], families: Families) -> tuple[list[set[int]], list[set[int]]]:
    """Pages that each mapping's own VMO owns, and those of each node."""
    count: dict[int, int] = defaultdict(int)
    for table in tables:
        for frame in table.values():
            count[frame] += 1
    own = [{page for page, frame in table.items() if count[frame] == 1} for table in tables]
    for mapping, page in zip(
        families.own.mapping.tolist(), families.own.page.tolist(), strict=True
    ):
        own[mapping].add(page)
    return own, [set(node.page.tolist()) for node in families.nodes]


def seen(tables: list[Table], families: Families) -> dict[tuple[str, int, int], set[int]]:
    """For each page of each VMO: the mappings that see it."""
    own, nodes = owned(tables, families)
    sight: dict[tuple[str, int, int], set[int]] = defaultdict(set)
    for mapping in range(len(tables)):
        for page in range(PAGES):
            kind, at, pages = "own", mapping, own[mapping]
            while page not in pages:
                at = int(families.node_of[mapping]) if kind == "own" else families.nodes[at].parent
                kind = "node"
                if at < 0:
                    break
                pages = nodes[at]
            else:
                sight[kind, at, page].add(mapping)
    return sight


def held(tables: list[Table]) -> list[set[int]]:
    """For each frame: the mappings that hold it."""
    holders: dict[int, set[int]] = defaultdict(set)
    for at, table in enumerate(tables):
        for frame in table.values():
            holders[frame].add(at)
    return list(holders.values())


def check(tables: list[Table]) -> Families:
    """Every frame is owned once; if all could be placed, those see it who hold it."""
    families = placed(tables)
    own, nodes = owned(tables, families)
    frames = {frame for table in tables for frame in table.values()}
    assert sum(map(len, own)) + sum(map(len, nodes)) == len(frames)
    if not families.unplaced:
        groups = sorted(map(sorted, seen(tables, families).values()))
        assert groups == sorted(map(sorted, held(tables)))
    return families


@st.composite
def histories(draw: st.DrawFn, drops: bool) -> list[Table]:
    """Tables after a history of writes, forks, exits and, by choice, dropped pages."""
    frames = iter(range(100, 10_000))
    tables: list[Table] = [{page: next(frames) for page in range(PAGES)}]
    for _ in range(draw(st.integers(0, 25))):
        who = draw(st.integers(0, len(tables) - 1))
        page = draw(st.integers(0, PAGES - 1))
        match draw(st.sampled_from(["write", "write", "fork", "fork", "exit", "drop"])):
            case "write":
                tables[who][page] = next(frames)
            case "fork" if len(tables) < 7:
                tables.append(dict(tables[who]))
            case "exit" if len(tables) > 1:
                del tables[who]
            case "drop" if drops:
                tables[who].pop(page, None)
    return tables


@given(tables=histories(drops=False))
@settings(max_examples=120)
def test_forks_and_writes_are_always_placed(tables: list[Table]) -> None:
    """Whatever was forked and written, the tree of clones tells it exactly."""
    assert check(tables).unplaced == 0


@given(tables=histories(drops=True))
@settings(max_examples=120)
def test_dropped_pages_never_lose_or_double_a_frame(tables: list[Table]) -> None:
    """Pages given back after a fork may be untellable; still every frame is owned once."""
    check(tables)


def test_one_fork_is_one_node() -> None:
    """Parent and child share all but what one of them wrote."""
    families = check([{0: 1, 1: 2, 2: 3}, {0: 1, 1: 9, 2: 3}, {}])
    assert len(families.nodes) == 1
    assert families.nodes[0].mappings.tolist() == [0, 1]
    assert families.nodes[0].page.tolist() == [0, 2]
    assert families.node_of.tolist() == [0, 0, -1]


def test_a_child_that_forks_is_a_node_below() -> None:
    """What the child wrote before it forked is shared by child and grandchild alone."""
    families = check([{0: 1, 1: 2}, {0: 1, 1: 2}, {0: 1, 1: 3}, {0: 1, 1: 3}])
    assert [node.mappings.tolist() for node in families.nodes] == [[0, 1, 2, 3], [2, 3]]
    assert [node.parent for node in families.nodes] == [-1, 0]
    assert [node.page.tolist() for node in families.nodes] == [[0, 1], [1]]


def test_a_page_dropped_by_one_of_three_is_still_exact() -> None:
    """The others' page goes to a node that the third is not below."""
    families = check([{0: 1, 1: 2}, {0: 1, 1: 2}, {0: 1}])
    assert families.unplaced == 0
    assert [node.mappings.tolist() for node in families.nodes] == [[0, 1, 2], [0, 1]]


def test_merged_pages_are_given_to_one_sharer() -> None:
    """A frame at two places (merged by KSM) fits no tree: one sharer owns it, and it is counted."""
    families = placed([{0: 1, 1: 5}, {2: 1, 3: 6}])
    assert families.unplaced == 1
    assert families.own.mapping.tolist() == [0]
    assert not families.nodes


def test_different_files_are_no_family() -> None:
    """A frame on two axes fits no tree either."""
    assert placed([{0: 1}, {0: 1}], axis=[3, 4]).unplaced == 1


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(1, 6)), max_size=12)
)
def test_union_counts_each_page_once(rows: list[tuple[int, int, int]]) -> None:
    """Sorted, disjoint, joined runs of exactly the same pages."""
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    whole = union(joined(Runs(*columns)))
    pages = sorted({(own, page) for own, low, count in rows for page in range(low, low + count)})
    expected = np.array(pages, np.int64).reshape(-1, 2).T
    assert whole.owner.tolist() == runs_of(*expected).owner.tolist()
    assert whole.first.tolist() == runs_of(*expected).first.tolist()
    assert whole.count.tolist() == runs_of(*expected).count.tolist()
    assert whole.pages == len(pages)


@pytest.mark.parametrize("members", [2, 40])
def test_a_large_family_stays_one_node(members: int) -> None:
    """A server with many children, each with its own writes, is one node."""
    tables = [{page: page for page in range(PAGES)} for _ in range(members)]
    for at, table in enumerate(tables):
        table[at % PAGES] = 1000 + at
    families = check(tables)
    assert len(families.nodes) == 1

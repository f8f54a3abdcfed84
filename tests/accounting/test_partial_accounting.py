"""Captures that lack something: reported figures, bounds, an unknown line, and clear refusals."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from degraded import as_memgraph, as_ps, without_pages
from support.random_snapshots import random_machine
from support.shared import goldens
from tiny import KERNEL, Vmo, machine

import magmem
from magmem.accounting.account import account, compare
from magmem.accounting.ledger import CompleteLedger, PartialLedger, ledger
from magmem.captures import load_machine, read_capture
from magmem.captures.merge import merge
from magmem.captures.transcript import read_transcript
from magmem.errors import MissingData
from magmem.snapshot import Snapshot

PAGE = 4096
SMALL = machine(
    {"heap": Vmo(8), "lib": Vmo(3), "held": Vmo(2), "stack": Vmo(1)},
    {"A": ["heap", "lib"], "B": ["lib"], KERNEL: ["stack"]},
    handles={"B": ["held"]},
)


def without_handles(snap: Snapshot) -> Snapshot:
    """The same without its handles."""
    tables = {name: table for name, table in snap.tables().items() if name != "handles"}
    return Snapshot.of(tables, coverage=dict(snap.coverage) | {"handles": "absent"})


@pytest.mark.parametrize("less", [without_pages, as_memgraph])
def test_unknown_line_has_its_size(less: object) -> None:
    """What VMOs hold beyond the reported PSS is one line, and the rest still adds up."""
    assert callable(less)
    snap = less(SMALL)
    book = ledger(snap)
    assert isinstance(book, PartialLedger)
    reported = book.statement.of("reported") or 0
    assert book.statement["vmos"] == (8 + 3 + 2 + 1) * PAGE
    assert book.statement["unknown"] == (8 + 3 + 2 + 1) * PAGE - reported
    assert book.statement.unknown_bytes == book.statement["unknown"]
    assert book.unexplained_bytes == 0
    assert "unknown: what VMOs hold beyond that" in book.text
    assert book.reason in book.text


def test_reported_pss_is_shown_as_the_source_printed_it() -> None:
    """The guide's ps: 12 processes, no total, nothing claimed of exact sizes."""
    book = ledger(read_capture("guide-ps"))
    assert isinstance(book, PartialLedger)
    assert book.df["reported_bytes"].iloc[0] == 1419571
    assert book.df["exact_low_bytes"].tolist() == [0] * 12
    assert book.df["exact_high_bytes"].isna().all()
    assert book.unexplained_bytes is None
    assert book.statement.unknown_bytes is None


def test_partial_json_has_the_same_keys() -> None:
    """What is unknown is null, bounds are exact fractions in text."""
    full = json.loads(ledger(SMALL).to_json())
    part = json.loads(ledger(as_memgraph(SMALL)).to_json())
    assert full["machine"].keys() == part["machine"].keys()
    assert full["processes"][0].keys() <= part["processes"][0].keys()
    assert part["machine"]["alloc_bytes"] is None
    assert part["machine"]["unexplained_bytes"] == 0
    assert part["machine"]["unknown_bytes"] == (14 - 8 - 3) * PAGE
    row = part["processes"][0]
    assert row["stages"] is None
    assert (
        Fraction(row["exact_low"]) <= Fraction((8 * 2 + 3) * PAGE, 2) <= Fraction(row["exact_high"])
    )


def test_a_capture_without_handles_is_exact_but_for_whose_hidden_pages_are() -> None:
    """Hidden memory is one sum then; nobody's handle-only bytes are guessed."""
    book = ledger(without_handles(SMALL))
    assert isinstance(book, CompleteLedger)
    assert book.unexplained_bytes == 0
    assert book.statement["hidden"] == 2 * PAGE
    assert book.statement.of("handle-only") is None
    assert book.df["handle_only_bytes"].isna().all()
    data = json.loads(book.to_json())
    assert data["processes"][0]["handle_only"] is None
    assert data["machine"]["handle_only_bytes"] is None
    assert data["machine"]["hidden_bytes"] == 2 * PAGE
    assert "handle_only_bytes" not in account(without_handles(SMALL)).df
    with pytest.raises(MissingData, match="no handles: hidden needs the handles of every process"):
        magmem.hidden(without_handles(SMALL))


def test_exact_rule_answers_with_bounds() -> None:
    """account(…, "exact") of a partial capture has low, high and the reason."""
    table = account(as_memgraph(SMALL), "exact").df
    exact = account(SMALL).df["pss_bytes"]
    for low, truth, high in zip(
        table["pss_low_bytes"], exact, table["pss_high_bytes"], strict=True
    ):
        assert low <= truth <= high
    assert table["reason"].str.startswith("this capture has no").all()


def test_magenta_rule_is_what_the_source_printed() -> None:
    """Where ps was printed but nothing else, its own rule is its own numbers."""
    snap = random_machine(11, 5)
    told = account(snap, "magenta-2017").df
    printed = account(as_ps(snap), "magenta-2017").df
    for column in ("pss_bytes", "private_bytes", "shared_bytes", "scaled_bytes"):
        assert printed[column].tolist() == told[column].tolist()


@pytest.mark.parametrize("rule", ["linux", "rfc-0254"])
def test_other_rules_refuse(rule: str) -> None:
    """A rule that needs pages says what is missing."""
    with pytest.raises(MissingData, match=f"pages.*: {rule} needs .*the page runs each VMO owns"):
        account(as_memgraph(SMALL), rule)


@pytest.mark.parametrize("rule", ["treemap-2017", "memory_monitor"])
def test_rules_on_whole_vmos_answer_for_a_memgraph(rule: str) -> None:
    """Committed bytes and who has what are enough for rules that charge whole VMOs."""
    snap = random_machine(12, 30)
    truth = account(snap, rule).df.set_index("koid")["pss_bytes"]
    listing = account(as_memgraph(snap), rule)
    running = snap.processes["koid"][(snap.processes["state"] == "running").to_numpy()]
    table = listing.df.set_index("koid")["pss_bytes"]
    known = table[running].notna()
    assert known.sum() > 1
    assert table[running][known].tolist() == truth[running][known].tolist()
    assert not truth[running][~known].any()  # has no VMO, which this capture cannot know
    assert any("in part" in warning for warning in listing.warnings)


def test_golden_memgraph_gives_the_machines_treemap() -> None:
    """The memgraph of a golden machine charges as the machine itself, but for memgraph's own."""
    whole = load_machine(goldens() / "system-1.json")
    part = read_capture(goldens() / "system-1" / "memgraph-v.json")
    columns = [compare(snap).df.set_index("koid")["treemap-2017"] for snap in (whole, part)]
    assert columns[0].to_dict() == columns[1].to_dict()


def test_figure_of_a_partial_ledger_names_the_unknown() -> None:
    """The waterfall has an unknown bar and says so."""
    figure = ledger(as_memgraph(SMALL)).figure()
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "unknown (?)" in texts
    assert figure.texts[0].get_text() == "this machine: 12k cannot be told apart"


def test_a_capture_without_processes_says_so() -> None:
    """No bounds of nobody: the reason, then the machine's own figures."""
    text = str(ledger(read_capture("guide-kstats")))
    assert "this capture has no processes, mappings, kernel mappings, VMOs, pages,\n" in text
    assert "so nothing can be said of processes.\n\nThe machine, from" in text
    assert "between these bounds" not in text


def test_more_pss_than_vmos_is_a_contradiction() -> None:
    """The guide's `ps` and `kstats` are of different moments, and the ledger says by how much."""
    statement = ledger(read_capture("guide-ps", "guide-kstats")).statement
    (one,) = statement.contradictions
    assert one.difference_bytes == one.counted_bytes - one.stated_bytes == 12_765_284
    assert "processes report a PSS of 34,470,807 bytes" in one.what
    assert statement["unknown"] == -one.difference_bytes


def test_printed_sizes_are_no_contradiction() -> None:
    """Sums of sizes printed with one decimal may exceed the kernel's by what printing hides."""
    ps = read_transcript("TASK PSS PRIVATE SHARED NAME\np:5 20.7M 20.7M 0B a\n", "ps")
    kstats = "total free VMOs kheap kfree wired mmu\n" + "{:>9} " * 7
    for vmos, count in (("20.7M", 0), ("20.6M", 0), ("20.5M", 1)):
        row = kstats.format("2046.9M", "1943.8M", vmos, "1.1M", "0.9M", "72.6M", "7.8M")
        both = merge([ps, read_transcript("--- 2017-06-07T05:51:08.021Z ---\n" + row, "kstats")])
        assert len(ledger(both).statement.contradictions) == count


def test_what_a_source_does_not_tell_is_a_line_of_its_own() -> None:
    """A total with some of its uses: the rest has its size and the names of what is not told."""
    book = ledger(read_capture("low-memory"))
    total, free = 2_146_330_214, 16_148_070
    assert book.unexplained_bytes == 0
    assert book.statement["not told"] == total - free
    assert "not told: VMOs, wired, heap, mmu, other: the source says nothing of them" in book.text
    assert "(the source does not tell)" not in book.text


def test_a_rest_that_printing_explains_is_no_use() -> None:
    """`kstats -m` prints every use but one; what rounding leaves is not taken for that one."""
    statement = ledger(read_capture("guide-kstats")).statement
    assert statement.of("not told") is None
    assert abs(statement["printing"]) <= 1024 * 1024 // 10
    assert statement.unexplained_bytes == 0


@pytest.mark.parametrize(("pss_bytes", "contradictions"), [(5000, 0), (5001, 1)])
def test_pss_may_fill_the_vmos_exactly(pss_bytes: int, contradictions: int) -> None:
    """No source printed these sizes with a decimal, so they are exact: 5001 is 1 too many."""
    snap = Snapshot.of(
        {
            "tasks": {"koid": [1], "kind": ["process"], "reported_pss_bytes": [pss_bytes]},
            "kmem": {"total_bytes": [100_000], "vmo_bytes": [5000]},
        }
    )
    assert len(ledger(snap).statement.contradictions) == contradictions


@pytest.mark.parametrize(("rest_bytes", "key"), [(76, "printing"), (77, "not told")])
def test_printing_explains_as_much_as_it_hides(rest_bytes: int, key: str) -> None:
    """A printed `28k` may be off by 75 bytes and what was lost in turning it into whole bytes: 76.

    The totals add nothing: 28,748 and 28,749 lie between 28.0k (28,672) and 28.1k (28,774).
    """
    tables = {
        "kmem": {"total_bytes": [28 * 1024 + rest_bytes], "free_bytes": [28 * 1024]},
        "sources": {"source": ["k"], "dump": ["kstats"], "tables": ["kmem"], "rounded": [True]},
    }
    assert ledger(Snapshot.of(tables)).statement[key] == rest_bytes

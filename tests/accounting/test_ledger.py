"""The ledger: named steps that add up, and a machine with nothing left unexplained."""

from __future__ import annotations

import json
from fractions import Fraction

import pandas as pd
import pytest
from slow_model import SlowModel
from support.random_snapshots import random_machine
from support.shared import goldens
from tiny import KERNEL, Map, Vmo, machine

from magmem.accounting.attribution import STAGES
from magmem.accounting.ledger import Ledger, ledger
from magmem.captures import load_machine

PAGE = 4096
SYSTEMS = ["system-1", "system-2", "system-doc-vmaps", "system-doc-vmos", "system-doc-asd"]
STEP_COLUMNS = [f"{step.replace(' ', '_')}_bytes" for step in STAGES]


def adds_up(book: Ledger) -> None:
    """Assert that steps lead from reported to exact, and lines to the total, leaving 0."""
    for row in book.df.to_dict("records"):
        steps = sum(Fraction(row[name]) for name in STEP_COLUMNS)
        assert row["reported_bytes"] + steps == row["exact_bytes"]
    running = Fraction(0)
    for line in book.statement.lines:
        if line.is_sum:
            assert line.size_bytes == running, line.key
        else:
            running += line.size_bytes
    assert running == book.statement.total_bytes
    assert book.unexplained_bytes == 0


@pytest.mark.parametrize("seed", range(12))
def test_random_machines_leave_nothing_unexplained(seed: int) -> None:
    """On any machine the lines add up to physical memory: unexplained 0, no contradiction."""
    book = ledger(random_machine(9000 + seed, 30))
    adds_up(book)
    assert book.statement.contradiction_bytes == 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_goldens_leave_nothing_unexplained(system: str) -> None:
    """Every described machine ends in unexplained 0, without contradictions."""
    book = ledger(load_machine(goldens() / f"{system}.json"))
    adds_up(book)
    assert book.statement.contradictions == ()


def test_the_guides_ps_and_kstats_are_of_different_moments() -> None:
    """The guide's ps machine owns 12,746,752 bytes more than its kstats say; shown apart."""
    book = ledger(load_machine(goldens() / "system-doc-ps.json"))
    adds_up(book)
    (gap,) = book.statement.contradictions
    assert gap.difference_bytes == book.statement.contradiction_bytes == 12_746_752
    assert "the kernel statistics say 21,688,320" in gap.what
    assert "12,746,752   VMOs own 34,435,072 bytes" in book.text
    assert book.statement["contradiction"] == -12_746_752


def test_each_step_has_its_cause() -> None:
    """One machine in which every step but the estimate moves a process, by known bytes."""
    book = ledger(
        machine(
            {
                "twice": Vmo(10),
                "halves": Vmo(8),
                "third": Vmo(1),
                "parent": Vmo(4),
                "clone": Vmo(4, owned=[0], parent="parent"),
            },
            {
                "A": ["twice", "twice", Map("halves", 0, 4), "third", "clone"],
                "B": [Map("halves", 4, 4), "third"],
                "C": ["third"],
            },
            states={"C": "dead"},
        )
    )
    adds_up(book)
    table = book.df.set_index("name")
    assert table["reported_bytes"].tolist() == [
        (2 * 10 + 4 // 2 + 1) * PAGE + PAGE // 3,
        4 // 2 * PAGE + PAGE // 3,
        0,
    ]
    assert table["not_running_bytes"].tolist() == [0, 0, PAGE // 3]
    assert table["rounding_bytes"].tolist() == [Fraction(PAGE, 3) - PAGE // 3] * 3
    assert table["duplicate_mappings_bytes"].tolist() == [-10 * PAGE, 0, 0]
    assert table["partial_sharing_bytes"].tolist() == [2 * PAGE, 2 * PAGE, 0]
    assert table["clones_bytes"].tolist() == [3 * PAGE, 0, 0]
    assert table["exact_bytes"].tolist() == [
        (10 + 4 + 4) * PAGE + Fraction(PAGE, 3),
        4 * PAGE + Fraction(PAGE, 3),
        Fraction(PAGE, 3),
    ]
    assert table["uss_bytes"].tolist() == [(10 + 4 + 4) * PAGE, 4 * PAGE, 0]


def test_sharer_estimate_is_a_step_of_its_own() -> None:
    """Above 64 address spaces the wrong #shr is undone in one step."""
    names = {f"p{number}": ["v"] * (1 + number % 3) for number in range(90)}
    book = ledger(machine({"v": Vmo(100)}, names))
    adds_up(book)
    share = 64 + (180 - 129) * 64 // 129
    sizes = {1: 0, 2: 0, 3: 0}
    for number, row in enumerate(book.df["sharer_estimate_bytes"].tolist()):
        times = 1 + number % 3
        sizes[times] = row
        assert row == times * (Fraction(100 * PAGE, 90) - Fraction(100 * PAGE, share))
    assert all(sizes.values())


def test_machine_lines_of_a_small_machine() -> None:
    """Hidden by handle, kernel only, kernel-mapped, wired and the rest, literally."""
    book = ledger(
        machine(
            {
                "shared": Vmo(2),
                "held": Vmo(5),
                "lost": Vmo(3),
                "stack": Vmo(1),
                "vdso": Vmo(7, wired=True),
            },
            {"A": ["shared", "vdso"], KERNEL: ["shared", "stack"]},
            handles={"A": ["held"], "B": ["held"]},
        )
    )
    adds_up(book)
    lines = {line.key: line.size_bytes for line in book.statement.lines}
    assert lines["exact"] == (2 // 2 + 7) * PAGE
    assert lines["kernel-mapped"] == (2 // 2 + 1) * PAGE
    assert lines["handle-only"] == 5 * PAGE
    assert lines["kernel-only"] == 3 * PAGE
    assert lines["alloc"] == (2 + 5 + 3 + 1 + 7) * PAGE
    assert lines["wired"] == 20 * PAGE
    assert lines["heap in use"] + lines["heap free"] == 15 * PAGE
    assert lines["heap free"] == 5000
    assert book.df["handle_only_bytes"].tolist() == [Fraction(5 * PAGE, 2)] * 2


def test_json_has_the_documented_shape() -> None:
    """Stages are exact fractions as text; the machine's parts are whole bytes."""
    snap = random_machine(31, 8)
    data = json.loads(ledger(snap).to_json())
    slow = SlowModel(snap)
    stages, uss = slow.stages(), slow.uss()
    held, handle_only, kernel_only = slow.hidden()
    aspace = {koid: row for row, koid in slow.process_of.items()}
    for row in data["processes"]:
        at = aspace[row["koid"]]
        assert [Fraction(text) for text in row["stages"]] == [s.get(at, 0) for s in stages]
        assert row["reported_bytes"] == (stages[0].get(at, 0) if row["running"] else 0)
        assert row["running"] == (slow.state[row["koid"]] == "running")
        assert row["uss_bytes"] == uss.get(at, 0)
        assert Fraction(row["handle_only"]) == held.get(row["koid"], 0)
        assert isinstance(row["name"], str)
    about = data["machine"]
    assert about["alloc_bytes"] == len(slow.all_pages()) * PAGE
    wired = sum(
        len(owned) for owned, is_wired in zip(slow.owned, slow.wired, strict=True) if is_wired
    )
    assert about["wired_owned_bytes"] == wired * PAGE
    assert Fraction(about["kernel_mapped"]) == sum(stages[5].get(row, 0) for row in slow.kernel)
    assert about["handle_only_bytes"] == handle_only
    assert about["kernel_only_bytes"] == kernel_only
    assert about["contradiction_bytes"] == 0
    assert about["unexplained_bytes"] == 0


def test_statistics_that_do_not_add_up_are_told() -> None:
    """Parts that exceed the stated total are a contradiction with both numbers."""
    good = machine({"v": Vmo(3)}, {"A": ["v"]})
    kmem = good.kmem.copy()
    kmem["total_bytes"] += PAGE
    bad = type(good).of(good.tables() | {"kmem": kmem}, coverage=dict(good.coverage))
    book = ledger(bad)
    adds_up(book)
    assert book.statement.contradiction_bytes == -PAGE
    assert "their total says" in book.statement.contradictions[0].what


def test_without_a_physical_total_nothing_is_claimed() -> None:
    """A source without kernel statistics gets the steps, and no word on what is unexplained."""
    good = machine({"v": Vmo(3)}, {"A": ["v"]})
    bare = type(good).of(
        {name: table for name, table in good.tables().items() if name != "kmem"},
        coverage=dict(good.coverage) | {"kmem": "absent", "arenas": "absent"},
    )
    book = ledger(bare)
    assert book.unexplained_bytes is None
    assert json.loads(book.to_json())["machine"]["unexplained_bytes"] is None
    assert "the source does not tell" in book.text


def test_text_adds_up_both_ways() -> None:
    """The rounded bytes of the text add up along every row and every column."""
    book = ledger(random_machine(5, 20))
    lines = book.text.splitlines()
    head = next(at for at, line in enumerate(lines) if line.startswith("KOID"))
    names = lines[head].split()
    steps = names[2 : names.index("EXACT")]
    rows = []
    for line in lines[head + 1 :]:
        if not line:
            break
        numbers = [
            int(word.replace(",", ""))
            for word in line.split()[: len(names) - 1]
            if word.replace(",", "").lstrip("+-").isdigit()
        ]
        rows.append(numbers)
    *processes, total = rows
    for row in processes:
        _, reported, *rest = row
        assert reported + sum(rest[: len(steps)]) == rest[len(steps)]
    for column, bottom in zip(
        zip(*(row[1:] for row in processes), strict=True), total, strict=True
    ):
        assert sum(column) == bottom


def test_names_cannot_break_the_text() -> None:
    """A name with a line end or a control character is escaped."""
    snap = machine({"v": Vmo(1)}, {"evil\nname\t\x1b[31m": ["v"]})
    assert "evil\\nname\\t\\u001b[31m" in ledger(snap).text


def test_empty_snapshot_has_an_empty_ledger() -> None:
    """A machine without processes or pages adds up to its kernel memory."""
    book = ledger(machine({}, {}))
    adds_up(book)
    assert isinstance(book.df, pd.DataFrame)
    assert len(book.df) == 0
    assert "= physical memory" in book.text

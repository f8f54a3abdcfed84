"""A difference adds up to the byte, matches what is the same, and never takes unknown for 0."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pandas as pd
import pytest
from support.random_snapshots import random_machine

import magmem
from magmem.accounting.attribution import attribution_of
from magmem.cli.main import run
from magmem.snapshot import Snapshot


def changes(difference: magmem.Listing, section: str) -> Fraction:
    """Sum of a section's changes."""
    df = difference.df
    return sum(df.loc[df["section"] == section, "change_bytes"], Fraction(0))


@pytest.mark.parametrize("seed", range(40))
def test_sections_add_up(seed: int) -> None:
    """Processes and hidden memory, and VMOs, each sum to the change of all owned pages."""
    before, after = random_machine(seed), random_machine(seed + 1000)
    difference = magmem.diff(before, after)
    grown = attribution_of(after).alloc_bytes - attribution_of(before).alloc_bytes
    assert changes(difference, "processes") + changes(difference, "hidden") == grown
    assert changes(difference, "vmos") == grown
    assert changes(difference, "holders") == changes(difference, "hidden")


@pytest.mark.parametrize("seed", range(5))
def test_nothing_changes_against_itself(seed: int) -> None:
    """A state has no difference to itself."""
    snap = random_machine(seed)
    assert set(magmem.diff(snap, snap).df["change"]) <= {"same"}


def machines() -> tuple[Snapshot, Snapshot]:
    """Before: a maps 64k of a heap, b runs. After: a uses 512k and leaks 4M; c instead of b."""
    m = magmem.Machine(memory="256M", seed=1)
    a, b = m.root_job.spawn("a"), m.root_job.spawn("b")
    heap = a.map(a.create_vmo("1M", name="heap"))
    heap.touch("64k", write=True)
    before = m.snapshot(name="before")
    heap.touch("512k", write=True)
    a.create_vmo("4M", name="leak").commit()
    b.kill()
    m.root_job.spawn("c")
    return before, m.snapshot(name="after")


def test_what_grew_came_and_went() -> None:
    """Each change is told apart, by process and by VMO; physical memory stays what it is."""
    difference = magmem.diff(*machines())
    df = difference.df.set_index(["section", "name"])
    assert df.loc[("processes", "a"), "change"] == "grown"
    assert df.loc[("processes", "a"), "change_bytes"] == (512 - 64) * 1024
    assert df.loc[("processes", "b"), "change"] == "gone"
    assert df.loc[("processes", "c"), "change"] == "appeared"
    assert df.loc[("vmos", "leak"), "change_bytes"] == 4 << 20
    assert df.loc[("hidden", "handle-only"), "change_bytes"] == 4 << 20
    assert changes(difference, "memory") == 0


def test_listing_is_largest_first_with_sums() -> None:
    """The text lists changes by size, each section ending in its sum."""
    lines = str(magmem.diff(*machines())).splitlines()
    assert lines[0] == "From before to after. Sizes are bytes."
    vmos = lines[lines.index("VMOs by the pages they own:") + 2 :]
    assert vmos[0].split()[0] == "+4,194,304"
    assert vmos[0].split()[-1] == "leak"
    assert vmos[-1].split()[:1] == ["+4,653,056"]  # (4096 + 512 - 64) × 1024
    assert (4096 + 512 - 64) * 1024 == 4653056


def test_another_boot_is_matched_by_name() -> None:
    """Koids differ from boot to boot; a process of the same name is the same row."""
    first = Snapshot.of(
        {
            "tasks": {
                "koid": [5],
                "kind": ["process"],
                "name": ["netsvc"],
                "reported_pss_bytes": [4096],
            }
        },
        coverage={"processes": "complete"},
    )
    second = Snapshot.of(
        {
            "tasks": {
                "koid": [9],
                "kind": ["process"],
                "name": ["netsvc"],
                "reported_pss_bytes": [8192],
            }
        },
        coverage={"processes": "complete"},
    )
    difference = magmem.diff(first, second)
    assert difference.df[["koid", "change", "change_bytes"]].values.tolist() == [[9, "grown", 4096]]
    assert "Processes by reported PSS" in str(difference)


def test_unknown_is_left_out_and_said() -> None:
    """A capture without processes does not make them all gone."""
    difference = magmem.diff(magmem.read_capture("guide-ps"), magmem.read_capture("guide-kstats"))
    assert difference.df.empty
    text = str(difference)
    assert "# Left out: hidden memory: one state does not know every mapping and page." in text
    assert "# Left out: processes: one state tells neither their mappings nor their PSS." in text
    assert "# Left out: memory: one state has no kernel memory statistics." in text


def reported(*sizes: int | None) -> Snapshot:
    """A capture with a process per size, which may be unknown, of koids 5, 6, …."""
    koids = list(range(5, 5 + len(sizes)))
    tasks = {
        "koid": koids,
        "kind": ["process"] * len(sizes),
        "name": [f"p{koid}" for koid in koids],
        "reported_pss_bytes": list(sizes),
    }
    return Snapshot.of({"tasks": tasks}, coverage={"processes": "complete"})


def test_a_size_that_one_state_does_not_tell_is_unknown() -> None:
    """It is neither gone nor grown from 0: its row has no change, and the sum is of the others."""
    difference = magmem.diff(reported(4096, 8192), reported(None, 12288))
    first, second = difference.df.itertuples()
    assert (first.change, first.before_bytes) == ("unknown", 4096)
    assert pd.isna(first.after_bytes)
    assert pd.isna(first.change_bytes)
    assert (second.change, second.change_bytes) == ("grown", 4096)
    text = str(difference)
    assert "1 more, a size of which is not known" in text
    assert text.splitlines()[-4].split() == [
        "+4,096",
        "8,192",
        "12,288",
        "all",
        "processes",
        "known",
    ]


def test_holders_tell_who_keeps_hidden_memory() -> None:
    """The process whose handles alone keep a VMO is in the list; the kernel's own part too."""
    df = magmem.diff(*machines()).df
    holders = df[df["section"] == "holders"].set_index("name")
    assert holders.loc["a", "change_bytes"] == 4 << 20
    assert holders.loc["a", "change"] == "grown"
    assert {"kernel-mapped", "kernel-only"} < set(holders.index)


def test_without_handles_hidden_memory_is_one_thing() -> None:
    """If one state knows no handles, hidden memory is compared as a whole, not reason by reason."""
    before, after = machines()
    blind = dataclasses.replace(after, coverage=dict(after.coverage) | {"handles": "absent"})
    df = magmem.diff(before, blind).df
    hidden = df[df["section"] == "hidden"].set_index("name")["change_bytes"]
    assert set(hidden.index) == {"kernel-mapped", "hidden"}
    assert hidden["hidden"] == 4 << 20
    assert not (df["section"] == "holders").any()


@pytest.mark.parametrize("dark", [False, True])
def test_figure_has_a_bar_per_change(dark: bool) -> None:
    """The figure draws what changed, with its amount and name."""
    figure = magmem.diff(*machines()).figure(dark=dark)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"+448k", "a (grown)", "b (gone)", "c (appeared)"} <= set(texts)


def test_command(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    """`magmem diff A B` prints the listing; --json and --python work."""
    pair = ["guide-vmaps-machine", "guide-ps-machine"]
    expected = magmem.diff(*map(magmem.read_capture, pair))
    assert run(["diff", *pair]) == 0
    assert capsys.readouterr().out == str(expected)
    assert run(["diff", "--json", *pair]) == 0
    assert '"section": "memory"' in capsys.readouterr().out
    assert run(["diff", "--python", *pair]) == 0
    exec(compile(capsys.readouterr().out, "program", "exec"), {})  # noqa: S102 (our own output)
    assert capsys.readouterr().out == str(expected)

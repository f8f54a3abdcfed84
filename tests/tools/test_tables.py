"""Behind the text of every tool stands a typed table, which JSON and CSV carry without loss."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest
from support.nasty_machines import nasty_machine
from support.shared import goldens

import magmem
from magmem.captures import parse_machine
from magmem.listing import Listing
from magmem.snapshot import Snapshot
from magmem.snapshot.frames import TEXT

NUMBERS = {"Int64", "UInt64", "int64"}


def listings(snap: Snapshot) -> dict[str, Listing]:
    """One listing of every tool."""
    koid = int(snap.processes["koid"].iloc[0])
    return {
        "ps": magmem.ps(snap, threads=True),
        "k ps": magmem.k_ps(snap),
        "k jobs": magmem.k_jobs(snap),
        "k vmos all": magmem.k_vmos(snap, "all"),
        "k vmos": magmem.k_vmos(snap, koid),
        "k ht": magmem.k_ht(snap, koid),
        "k asd": magmem.asd(snap, koid),
        "vmm aspaces": magmem.vmm_aspaces(snap),
        "pmm arenas": magmem.pmm_arenas(snap),
        "kstats": magmem.kstats(snap),
        "memgraph": magmem.memgraph(snap, threads=True, vmos=True),
    }


def nasty(seed: int) -> Snapshot:
    """A described machine with odd names."""
    return parse_machine(json.dumps(nasty_machine(seed)).encode(), "nasty.json")


@pytest.mark.parametrize("seed", [0, 3, 7, 11])
def test_json_and_csv_carry_the_table(seed: int) -> None:
    """Numbers to the last of 64 bits, names with every character, missing as null and empty."""
    for title, listing in listings(nasty(seed)).items():
        frame = listing.df
        back = pd.read_csv(io.StringIO(listing.to_csv()), dtype=str, keep_default_na=False)
        assert list(back.columns) == list(frame.columns), title
        records = json.loads(listing.to_json())
        for name in frame.columns:
            values = [None if pd.isna(value) else value for value in frame[name].tolist()]
            if not listing.is_json:
                assert [record[name] for record in records] == values, (title, name)
            texts = ["" if value is None else str(value) for value in values]
            assert back[name].tolist() == texts, (title, name)


@pytest.mark.parametrize("name", ["system-1", "system-2", "system-doc-ps"])
def test_numbers_are_integers_and_text_is_text(name: str) -> None:
    """Sizes are bytes in integer columns called *_bytes; names are strings; nothing is a float."""
    snap = Snapshot.load(goldens() / f"{name}.json")
    for title, listing in listings(snap).items():
        for column, dtype in listing.df.dtypes.items():
            assert str(dtype) in NUMBERS | {"category", "boolean"} or dtype == TEXT, (title, column)
            if str(column).endswith(("_bytes", "koid", "pages")):
                assert str(dtype) in NUMBERS, (title, column)


def test_html_escapes_names() -> None:
    """A name never becomes markup."""
    frame = pd.DataFrame({"name": ["<script>alert(1)</script>", "a&b"]})
    html = Listing("", frame, title="<i>").html
    assert "<script>" not in html
    assert "<i>" not in html
    assert "&lt;script&gt;" in html
    for seed in range(4):
        for listing in listings(nasty(seed)).values():
            assert "<script>" not in listing.html


def test_tables_hold_the_guide() -> None:
    """The table has the bytes whose rounded form the text shows."""
    snap = Snapshot.load(goldens() / "system-doc-ps.json")
    row = magmem.ps(snap).df.set_index("koid").loc[1043]
    assert (row["private_bytes"], row["shared_bytes"]) == (1384 * 1024, 28 * 1024)
    assert row["pss_bytes"] == 1384 * 1024 + sum(
        run * 4096 // 12 for run in (6, 1)
    )  # the vDSO is mapped twice: 24k and 4k, each divided by its 12 sharers
    assert row["source"] == "computed"


def test_machine_is_asked_anew() -> None:
    """A tool accepts whatever has a snapshot() method, and looks at it at each call."""
    states = [Snapshot.load(goldens() / f"system-{number}.json") for number in (1, 2)]

    class Machine:
        def snapshot(self) -> Snapshot:
            return states.pop(0)

    machine = Machine()
    texts = [str(magmem.ps(machine)) for _ in range(2)]
    assert texts == [(goldens() / f"system-{number}" / "ps.txt").read_text() for number in (1, 2)]
    with pytest.raises(TypeError, match="expected a Snapshot or a Machine, found str"):
        magmem.ps("system-1.json")  # type: ignore[arg-type]

"""The facts are the engine's own numbers, and the questions find what was planted."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import magmem
from magmem.accounting.amounts import whole_bytes
from magmem.fleet import Fleet, FleetError
from magmem.scenarios.fleet import LEAK_BYTES

from .conftest import LABELS


def test_rows_add_up_to_the_lines_of_the_ledger(lab: Fleet) -> None:
    """Per capture the exact rows have the sum of its exact line, and nothing is unexplained."""
    wrong = lab.engine.query(
        "SELECT capture_id FROM captures JOIN (SELECT capture_id, sum(exact_bytes) AS s FROM "
        "processes GROUP BY 1) USING (capture_id) WHERE s <> exact_bytes OR unexplained_bytes <> 0"
    )
    assert wrong == []
    (off,) = lab.engine.query(
        "SELECT count(*) FROM (SELECT capture_id, sum(size_bytes) FILTER (NOT is_sum) AS parts, "
        "max(size_bytes) FILTER (line = 'total') AS total FROM ledger GROUP BY 1) "
        "WHERE parts <> total"
    )
    assert off == (0,)


def test_facts_are_those_of_the_library(lab: Fleet, captures: Path) -> None:
    """Every rule's column is what `magmem.compare` says, in the integers that text forms show."""
    path = captures / "lab-02" / "2026.06.2026-06-01T020000Z.json"
    snap = magmem.read_capture(path)
    table = magmem.compare(snap).df
    order = table["koid"].tolist()  # whole bytes are apportioned in this order
    rows = (
        lab.sql(
            "SELECT processes.* FROM processes JOIN captures USING (capture_id) WHERE "
            f"source = '{path}' ORDER BY koid"
        )
        .df.set_index("koid")
        .loc[order]
    )
    for rule in ("magenta-2017", "exact", "linux", "memory_monitor", "rfc-0254", "treemap-2017"):
        mine = rows[rule.replace("-", "_") + "_bytes"].tolist()
        assert mine == whole_bytes([Fraction(v) for v in table[rule].tolist()]), rule


def test_planted_causes_come_out_first(lab: Fleet) -> None:
    """A third more of netstack, a quarter less of fontsvc, leaking devices, two caches."""
    grew = lab.grew("2026.06").df
    assert grew["name"].iloc[0] == "netstack"
    assert 32 < grew["growth_percent"].iloc[0] < 34
    assert grew["name"].iloc[-1] == "fontsvc"
    first = lab.regressions().df.iloc[0]
    assert (first["name"], first["from_build"], first["build"]) == (
        "netstack",
        "2026.05",
        "2026.06",
    )
    leaks = lab.leaks(limit=100).df
    assert set(leaks["device"][leaks["bytes_per_hour"] > 0]) == {"lab-02"}
    assert set(leaks["bytes_per_hour"][leaks["device"] == "lab-02"]) == {LEAK_BYTES}
    assert lab.leaks(by="holder").df["holder"].iloc[0] == "audiosvc"
    outliers = lab.outliers().df
    assert len(set(outliers["device"].iloc[:2])) == 2
    assert abs(outliers["z"].iloc[1]) > 10 * abs(outliers["z"].iloc[2])
    like = lab.like(outliers["capture_id"].iloc[0]).df
    assert like["device"].iloc[0] == outliers["device"].iloc[0]
    assert set(lab.hidden().df["why"]) >= {"handle-only", "kernel-only"}


@pytest.mark.parametrize(
    "question",
    ["grew", "percentiles", "regressions", "leaks", "hidden", "outliers", "info"],
)
def test_every_question_has_text_table_and_figure(lab: Fleet, question: str) -> None:
    """A question gives a listing; what it cannot draw is a table with a title at least."""
    answer = getattr(lab, question)()
    assert len(answer.df)
    assert str(answer).endswith("\n")
    if question != "info":
        assert answer.figure()._repr_png_().startswith(b"\x89PNG")
        assert answer.figure(dark=True).get_facecolor() != answer.figure().get_facecolor()


def test_partial_captures_are_in_with_bounds(tmp_path: Path) -> None:
    """What a transcript does not know is NULL; bounds are there, and questions say who is out."""
    fleet = magmem.fleet(tmp_path / "mixed")
    fleet.add([("guide-ps", {"device": "real", "build": "1"})])
    assert str(fleet.refused).startswith("1 capture refused")  # names of datasets are no files
    ps = str(magmem.datasets.path("guide-ps"))
    fleet.add([(ps, {"device": "real", "build": "1"})])
    fleet.add(magmem.scenarios.fleet(devices=2, builds=2, hours=1))
    (row,) = fleet.engine.query(
        "SELECT complete, exact_bytes, reported_bytes > 0, reason FROM captures "
        "WHERE device = 'real'"
    )
    assert row[:3] == (False, None, True)
    assert "no mappings" in row[3]
    (bounds,) = fleet.engine.query(
        "SELECT count(exact_bytes), count(exact_low_bytes), bool_and(exact_low_bytes >= 0), "
        "count(reported_pss_bytes) = count(*) FROM processes WHERE device = 'real'"
    )
    assert bounds[0] == 0
    assert bounds[1] > 0
    assert bounds[2:] == (True, True)
    answer = fleet.percentiles()
    assert answer.left_out == 1
    assert "1 left out" in str(answer)
    assert fleet.percentiles("reported").left_out == 0
    fleet.close()


def test_steps_lead_from_reported_to_exact(lab: Fleet) -> None:
    """The six steps of a process add up to the difference, to the byte."""
    steps = " + ".join(
        f"{name}_bytes"
        for name in (
            "not_running",
            "rounding",
            "sharer_estimate",
            "duplicate_mappings",
            "partial_sharing",
            "clones",
        )
    )
    assert lab.engine.query(
        f"SELECT count(*) FROM processes WHERE reported_pss_bytes + {steps} <> exact_bytes"
    ) == [(0,)]


def test_way_back_to_the_machine(lab: Fleet, captures: Path) -> None:
    """A capture comes back from its original as it was; `map` asks every one."""
    ((one, source),) = lab.engine.query("SELECT capture_id, source FROM captures LIMIT 1")
    assert lab.snapshot(one).equals(magmem.read_capture(source))
    sizes = lab.map(lambda snap: len(snap.vmos), "device = 'lab-01'")
    assert len(sizes) == 9
    assert lab.engine.query("SELECT sum(vmos) FROM captures WHERE device = 'lab-01'") == [
        (sum(sizes.values()),)
    ]
    with pytest.raises(FleetError, match="expected the id of a capture"):
        lab.snapshot("nonsense")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("COPY captures TO 'x.csv'", "expected one SELECT"),
        ("SELECT 1; SELECT 2", "expected one SELECT"),
        ("DROP VIEW captures", "expected one SELECT"),
        ("SET memory_limit = '9GB'", "expected one SELECT"),
        ("INSTALL httpfs", "expected one SELECT"),
        ("SELECT * FROM read_text('/etc/hostname')", "disabled by configuration"),
        ("SELECT * FROM glob('/*')", "disabled by configuration"),
        ("SELECT nothing FROM captures", "nothing"),
        ("", "expected one SELECT"),
    ],
)
def test_sql_is_for_reading(lab: Fleet, query: str, why: str) -> None:
    """Only one SELECT, only the fleet's own files; DuckDB's words say why."""
    with pytest.raises(FleetError, match=why):
        lab.sql(query)


def test_sql_keeps_whole_numbers_beside_missing_ones(lab: Fleet) -> None:
    """A missing value does not turn integers into floats; sums of many are whole."""
    frame = lab.sql("SELECT sum(exact_bytes) AS s, NULL::BIGINT AS n FROM captures").df
    assert str(frame["s"].dtype) == "Int64"
    assert frame["n"].isna().all()


def test_wrong_questions_name_what_there_is(lab: Fleet) -> None:
    """Unknown builds, rules, measures and tables are answered with the known ones."""
    with pytest.raises(FleetError, match=r"2026\.04, 2026\.05, 2026\.06"):
        lab.grew("2027.01")
    with pytest.raises(FleetError, match="the first"):
        lab.grew("2026.04")
    with pytest.raises(ValueError, match="exact, magenta-2017"):
        lab.percentiles("nice")
    with pytest.raises(ValueError, match="captures, processes"):
        lab.files("pages")


def test_labels_of_paths() -> None:
    """Builds may have dots; times come in ISO, compact and epoch form, and go in as UTC."""
    from magmem.fleet.labels import labeller, time_text

    of = labeller("captures/{device}/{build}.{captured_at}.json")
    assert of("x/captures/lab-1/2026.06.2026-06-01T05.json.gz") == {
        "device": "lab-1",
        "build": "2026.06",
        "captured_at": "2026-06-01T05:00:00",
    }
    assert time_text("2026-06-01T05:00+02:00") == "2026-06-01T03:00:00"
    assert time_text("20260601T0500Z") == "2026-06-01T05:00:00"
    assert time_text("1780290000") == "2026-06-01T05:00:00"
    with pytest.raises(ValueError, match="expected a path like"):
        of("elsewhere.json")
    with pytest.raises(FleetError, match="expected a pattern"):
        labeller("no fields.json")
    assert LABELS  # the lab of these tests is labelled by one

"""What goes in: once, whole or not at all, by whoever is there, and with a reason if not."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import magmem
from magmem.fleet import FleetError, NewerFleet, batch
from magmem.fleet.place import Place

from .conftest import LABELS, rows, same


def some(captures: Path, count: int) -> list[Path]:
    """The first captures of the lab."""
    return sorted(captures.rglob("*.json"))[:count]


def test_again_adds_nothing(captures: Path, tmp_path: Path) -> None:
    """A second run skips by hash; the same bytes under another name of the file as well."""
    fleet = magmem.fleet(tmp_path / "fleet")
    paths = some(captures, 6)
    assert str(fleet.add(paths, LABELS)) == "6 added, 0 skipped, 0 refused\n"
    before = sorted(p.name for p in (tmp_path / "fleet").rglob("*.parquet"))
    assert str(fleet.add(paths * 2, LABELS)) == "0 added, 12 skipped, 0 refused\n"
    copy = tmp_path / "elsewhere" / paths[0].parent.name / paths[0].name
    copy.parent.mkdir(parents=True)
    shutil.copy(paths[0], copy)
    assert fleet.add(copy, LABELS).df["skipped"][0] == 1
    assert before == sorted(p.name for p in (tmp_path / "fleet").rglob("*.parquet"))


def test_damaged_captures_are_refused_with_place_and_reason(captures: Path, tmp_path: Path) -> None:
    """The others go in; a refusal has what was expected and found, and is not met again."""
    folder = tmp_path / "lab-01"
    folder.mkdir()
    good = some(captures, 1)[0]
    shutil.copy(good, folder / good.name)
    text = good.read_text()
    (folder / "2026.09.2026-09-01.json").write_text(text[: len(text) // 2])
    (folder / "2026.09.2026-09-02.json").write_bytes(b"\x00\x01\x02" * 100)
    (folder / "2026.09.2026-09-03.json").write_bytes(b"")
    (folder / "2026.09.2026-09-04.json").write_text('{"format": "nonsense"}')
    (folder / "unlabelled.json").write_text(text)
    fleet = magmem.fleet(tmp_path / "fleet")
    done = fleet.add(tmp_path / "lab-01", LABELS)
    assert done.df.iloc[0].tolist() == [1, 0, 5]
    table = fleet.refused.df
    assert len(table) == 5
    assert table["expected"].notna().all()
    assert table["found"].notna().all()
    again = fleet.add(folder, LABELS)
    assert again.df.iloc[0].tolist() == [0, 5, 1]  # the label is asked for again
    assert fleet.add(tmp_path / "missing.json").df["refused"][0] == 1


@settings(max_examples=4)
@given(seed=st.integers(0, 1000), most=st.integers(1, 9))
def test_order_and_batches_do_not_matter(
    captures: Path, tmp_path_factory: pytest.TempPathFactory, seed: int, most: int
) -> None:
    """Shuffled sources in batches of any size give the rows of the plain run."""
    paths = some(captures, 9)
    plain = magmem.fleet(tmp_path_factory.mktemp("plain"))
    plain.add(paths, LABELS)
    random.Random(seed).shuffle(paths)
    other = magmem.fleet(tmp_path_factory.mktemp("other"))
    other.add(paths, LABELS, batch=most)
    assert same(plain, other)
    for fleet in (plain, other):
        fleet.close()


def test_two_ingests_at_once_count_once(captures: Path, tmp_path: Path) -> None:
    """Both plan before either writes: readers leave the doubles out, compaction removes them."""
    paths = some(captures, 8)
    plain, one = magmem.fleet(tmp_path / "plain"), magmem.fleet(tmp_path / "fleet")
    plain.add(paths, LABELS)
    one.add(paths[:1], LABELS)
    two = magmem.fleet(tmp_path / "fleet")

    class Late:
        """Sources of which the second ingest has taken some before the first writes."""

        def __iter__(self) -> Any:
            yield from map(str, paths[:5])

    plan = one._plan

    def overtaken(chunk: Any) -> Any:
        planned = plan(chunk)
        two.add(paths[3:], LABELS, batch=3)
        return planned

    one._plan = overtaken  # type: ignore[method-assign]
    one.add(Late(), LABELS, batch=4)
    assert one.info().df["captures"][0] == 8
    assert same(plain, one)
    one.compact()
    assert same(plain, one)
    assert len(one.files("captures")) == 1


@pytest.mark.parametrize("workers", [2])
def test_processes_give_the_same_rows(captures: Path, tmp_path: Path, workers: int) -> None:
    """Two processes derive what one does."""
    paths = some(captures, 20)
    plain, pool = magmem.fleet(tmp_path / "plain"), magmem.fleet(tmp_path / "pool")
    plain.add(paths, LABELS)
    pool.add(paths, LABELS, workers=workers)
    assert same(plain, pool)


def test_killed_at_every_write(captures: Path, tmp_path: Path) -> None:
    """Stopped before any write, a batch is seen whole or not at all, and a second run completes."""
    paths = some(captures, 6)
    plain = magmem.fleet(tmp_path / "plain")
    plain.add(paths, LABELS, batch=3)

    class Killed(BaseException):
        pass

    for stop in range(14):
        fleet = magmem.fleet(tmp_path / f"fleet-{stop}")
        writes = 0
        whole = Place.write

        def write(self: Place, path: str, data: bytes) -> None:
            nonlocal writes
            writes += 1
            if writes > stop:
                raise Killed
            whole(self, path, data)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Place, "write", write)
            try:
                fleet.add(paths, LABELS, batch=3)
                assert stop >= 13  # fleet.json and twice six files
            except Killed:
                pass
        fleet = magmem.fleet(tmp_path / f"fleet-{stop}")
        seen = {row[0] for row in fleet.engine.query("SELECT capture_id FROM captures")}
        assert len(seen) in (0, 3, 6)
        for table in ("processes", "ledger", "vmos"):
            found = fleet.engine.query(f"SELECT DISTINCT capture_id FROM {table}")
            assert {row[0] for row in found} == seen
        fleet.add(paths, LABELS, batch=3)
        assert same(plain, fleet)
        fleet.close()


def test_a_file_that_changes_while_it_is_read_is_refused(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id stands for the bytes that were planned; others are not taken under it."""
    (path,) = some(captures, 1)
    read = batch.read_bytes
    monkeypatch.setattr(batch, "read_bytes", lambda *a: read(*a) + b" ")
    fleet = magmem.fleet(tmp_path / "fleet")
    assert fleet.add(path, LABELS).df["refused"][0] == 1
    assert "changed" in str(fleet.refused)


def test_newer_fleet_is_refused_with_both_versions(captures: Path, tmp_path: Path) -> None:
    """A layout of the future is not guessed at."""
    fleet = magmem.fleet(tmp_path / "fleet")
    fleet.add(some(captures, 1), LABELS)
    path = tmp_path / "fleet" / "fleet.json"
    told = json.loads(path.read_text()) | {"layout": 7, "magmem": "9.9"}
    path.write_text(json.dumps(told))
    with pytest.raises(NewerFleet, match=rf"magmem 9\.9 in layout 7.*magmem {magmem.__version__}"):
        magmem.fleet(tmp_path / "fleet")
    path.write_text("{}")
    with pytest.raises(FleetError, match="expected the file of a magmem fleet"):
        magmem.fleet(tmp_path / "fleet")


def test_older_facts_are_read_and_refreshed(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of layout 1, without a column of today, are read beside those of layout 2."""
    from magmem.fleet import batch as batches
    from magmem.fleet import catalog, refresh, tables, upkeep
    from magmem.fleet.parquet import connect

    fleet = magmem.fleet(tmp_path / "fleet")
    fleet.add(some(captures, 4), LABELS, batch=2)
    before = rows(fleet, "processes")
    first = Path(fleet.files("captures")[0])
    old = first.read_bytes()
    duck = connect()
    scratch = tmp_path / "old.parquet"
    duck.execute(f"COPY (SELECT * EXCLUDE (mmu_bytes) FROM '{first}') TO '{scratch}'")
    first.write_bytes(scratch.read_bytes())
    assert old != first.read_bytes()
    fleet.reload()
    assert fleet.engine.query("SELECT count(mmu_bytes), count(*) FROM captures") == [(2, 4)]
    for module in (tables, batches, catalog, refresh, upkeep):
        monkeypatch.setattr(module, "LAYOUT", 2)
    fleet.add(some(captures, 6), LABELS, batch=2)
    assert fleet.engine.query("SELECT count(*) FROM captures") == [(6,)]
    assert str(fleet.refresh()) == "4 captures derived anew\n"
    assert not list((tmp_path / "fleet" / "facts-1").rglob("*.parquet"))
    assert fleet.engine.query("SELECT count(mmu_bytes), count(*) FROM captures") == [(6, 6)]
    assert set(before) <= set(rows(fleet, "processes"))


def test_memory_file_system(captures: Path) -> None:
    """The same code keeps a fleet in memory://; the SQL stays shut in there too."""
    fleet = magmem.fleet("memory://lab-of-tests")
    fleet.add(some(captures, 6), LABELS, batch=2)
    assert fleet.add(some(captures, 6), LABELS).df["skipped"][0] == 6
    assert fleet.sql("SELECT count(*) AS n FROM captures").df["n"][0] == 6
    assert fleet.snapshot(fleet.sql("SELECT capture_id FROM captures").df["capture_id"][0])
    fleet.compact()
    assert len(fleet.files("processes")) == 1
    assert fleet.forget(device="lab-01").df["captures"][0] == 6
    with pytest.raises(FleetError, match="disabled"):
        fleet.sql("SELECT * FROM read_text('/etc/hostname')")
    with pytest.raises(FleetError, match="belongs to this process"):
        fleet.add(some(captures, 1), LABELS, workers=2)


def test_further_labels_are_columns(captures: Path, tmp_path: Path) -> None:
    """A label beside device, build and time is a column of every table, NULL where unknown."""
    fleet = magmem.fleet(tmp_path / "fleet")
    one, two = some(captures, 2)
    fleet.add([(one, {"device": "a", "build": "1", "room": "4"}), (two, {"device": "b"})], batch=1)
    assert fleet.engine.query("SELECT device, room FROM captures ORDER BY 1") == [
        ("a", "4"),
        ("b", None),
    ]
    assert fleet.engine.query("SELECT count(DISTINCT room) FROM processes") == [(1,)]
    assert fleet.add([(one, {"exact_bytes": "x"})]).df["refused"][0] == 1

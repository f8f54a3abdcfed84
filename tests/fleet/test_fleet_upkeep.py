"""Names, erasure and compaction: nobody's name in any byte, nothing left of what is forgotten."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

import magmem
from magmem.fleet import FleetError, upkeep
from magmem.fleet.place import Place

from .conftest import LABELS, rows, same

KEY = b"a key that is not in the fleet"


def every_byte(folder: Path) -> bytes:
    """All files of a fleet, their Parquet columns unpacked, and their names."""
    from magmem.fleet.parquet import connect

    duck = connect()
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            parts.append(path.read_bytes())
        if path.suffix == ".parquet" and path.read_bytes().startswith(b"PAR1"):
            parts.append(repr(duck.execute(f"SELECT * FROM '{path}'").fetchall()).encode())
            parts.append(
                repr(duck.execute(f"SELECT * FROM parquet_metadata('{path}')").fetchall()).encode()
            )
    return b"\n".join(parts)


def test_keyed_names_leave_no_original_name(captures: Path, tmp_path: Path) -> None:
    """No process, VMO, device or file name is in any byte; the same name has one alias."""
    damaged = tmp_path / "lab-99" / "2026.09.2026-09-01.json"
    damaged.parent.mkdir()
    text = next(iter(sorted(captures.rglob("*.json")))).read_text()
    damaged.write_text(text.replace('"netstack"', "netstack", 1))
    fleet = magmem.fleet(tmp_path / "fleet", key=KEY, keep=["sh"])
    fleet.add([captures, damaged], LABELS)
    assert fleet.info().df["refused"][0] == 1
    data = every_byte(tmp_path / "fleet")
    for name in (b"netstack", b"audiosvc", b"lab-0", b"lab-99", b"message", b"libc.so", KEY):
        assert name not in data, name
    assert fleet.engine.query(
        "SELECT count(DISTINCT name), bool_or(name = 'sh') FROM processes"
    ) == [(12, True)]
    plain = magmem.fleet(tmp_path / "plain")
    plain.add(captures, LABELS)
    assert fleet.grew("2026.06").df["growth_bytes"].tolist() == (
        plain.grew("2026.06").df["growth_bytes"].tolist()
    )
    holder = fleet.leaks(by="holder").df["holder"][0]
    top = fleet.engine.query("SELECT DISTINCT name FROM processes WHERE handle_only_bytes > 600000")
    assert (holder,) in top
    with pytest.raises(FleetError, match="keeps no originals"):
        fleet.snapshot(fleet.sql("SELECT capture_id FROM captures").df["capture_id"][0])


def test_a_keyed_fleet_knows_its_key(captures: Path, tmp_path: Path) -> None:
    """Another key, or none, cannot add; asking needs none; a plain fleet wants none."""
    some = sorted(captures.rglob("*.json"))[:2]
    magmem.fleet(tmp_path / "fleet", key=KEY).add(some, LABELS)
    with pytest.raises(FleetError, match="its own key"):
        magmem.fleet(tmp_path / "fleet", key="other")
    asking = magmem.fleet(tmp_path / "fleet")
    assert len(asking.percentiles().df)
    with pytest.raises(FleetError, match="found none"):
        asking.add(some, LABELS)
    again = magmem.fleet(tmp_path / "fleet", key=KEY)
    assert again.add(some, LABELS).df["skipped"][0] == 2
    assert again.forget(device="lab-01").df["captures"][0] == 2
    magmem.fleet(tmp_path / "plain").add(some, LABELS)
    with pytest.raises(FleetError, match="names are plain"):
        magmem.fleet(tmp_path / "plain", key=KEY)


def test_forget_leaves_no_byte(captures: Path, tmp_path: Path) -> None:
    """Facts, originals, refusals, leftovers of killed writers: nothing of the device remains."""
    fleet = magmem.fleet(tmp_path / "fleet")
    bad = tmp_path / "bad" / "lab-02" / "2026.09.2026-09-01.json"
    bad.parent.mkdir(parents=True)
    bad.write_text('{"format": "lab-02 nonsense"}')
    fleet.add(captures, LABELS, batch=7)
    fleet.add(bad, LABELS)
    orphan = tmp_path / "fleet" / "facts-1" / "processes" / ("0" * 32 + ".parquet")
    orphan.write_bytes(b"lab-02, of a writer that was killed")
    (tmp_path / "fleet" / "facts-1" / ".writing-0123").write_bytes(b"lab-02")
    assert b"lab-02" in every_byte(tmp_path / "fleet")
    expected = [row for row in rows(fleet, "processes") if row[1] != "lab-02"]
    assert str(fleet.forget(device="lab-02")) == "9 captures forgotten\n"
    assert b"lab-02" not in every_byte(tmp_path / "fleet")
    assert rows(fleet, "processes") == expected
    (one,) = fleet.engine.query("SELECT capture_id FROM captures LIMIT 1")
    assert fleet.snapshot(one[0]).name.startswith("lab-")
    assert fleet.forget(before="2026-05").df["captures"][0] == 15
    assert fleet.info().df["first"][0].month == 5
    with pytest.raises(FleetError, match="expected a device, a build or a time"):
        fleet.forget()


def test_retention_is_the_choice_without_a_choice(captures: Path, tmp_path: Path) -> None:
    """`forget()` deletes what is older than the fleet was told to keep."""
    fleet = magmem.fleet(tmp_path / "fleet", retention_days=1)
    old = sorted(captures.rglob("*.json"))[0]
    fleet.add(
        [
            (old, {"device": "old", "captured_at": "2001-01-01"}),
            (old, {"device": "new", "captured_at": "2999-01-01"}),
        ]
    )
    magmem.fleet(tmp_path / "fleet").forget()
    fleet.reload()
    assert fleet.engine.query("SELECT device FROM captures") == [("new",)]


def test_compaction_changes_no_row(captures: Path, tmp_path: Path) -> None:
    """Fewer files, the same rows; stopped at any deletion, nothing is counted twice."""
    plain, fleet = magmem.fleet(tmp_path / "plain"), magmem.fleet(tmp_path / "fleet")
    some = sorted(captures.rglob("*.json"))[:12]
    plain.add(some, LABELS)
    fleet.add(some, LABELS, batch=3)

    class Killed(BaseException):
        pass

    for stop in (0, 3, 9):
        left = stop
        remove = Place.remove

        def dying(self: Place, path: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            remove(self, path)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Place, "remove", dying)
            with pytest.raises(Killed):
                upkeep.compact(fleet.place, 1000)
        assert same(plain, fleet)
    fleet.compact()
    assert same(plain, fleet)
    assert len(list((tmp_path / "fleet" / "facts-1" / "captures").iterdir())) == 1
    assert fleet.add(some, LABELS).df["skipped"][0] == 12


def test_packed_captures_go_in(captures: Path, tmp_path: Path) -> None:
    """A capture packed by gzip is read; its original comes back as the same machine."""
    one = sorted(captures.rglob("*.json"))[0]
    packed = tmp_path / one.parent.name / f"{one.name}.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(one.read_bytes()))
    fleet = magmem.fleet(tmp_path / "fleet")
    fleet.add(packed, LABELS)
    ((capture,),) = fleet.engine.query("SELECT capture_id FROM captures")
    assert fleet.snapshot(capture).equals(magmem.read_capture(one).renamed("lab-01"))

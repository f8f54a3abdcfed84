"""Memgraph JSON becomes tables; broken records are named, unescaped names mended."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.damage import NASTY_TEXT, damaged_bytes, damaged_tree, reads_or_refuses
from support.shared import goldens

from magmem.captures import dump_machine, load_machine, parse_machine
from magmem.captures.formats.memgraph import parse_memgraph
from magmem.errors import CaptureError
from magmem.snapshot import Snapshot

OPTIONS = ("", "-t", "-v", "-vt")
SIX_RIGHTS = 0x3F  # the rights memgraph names: read, write, execute, map, duplicate, transfer


def golden(options: str = "-vt", machine: str = "system-2") -> Path:
    """A golden memgraph."""
    return goldens() / machine / f"memgraph{options}.json"


def records() -> list[dict[str, Any]]:
    """The records of a golden as parsed JSON."""
    tree: list[dict[str, Any]] = json.loads(golden().read_text())
    return tree


def read(tree: Any) -> Snapshot:
    """The snapshot of records given as parsed JSON."""
    return parse_memgraph(json.dumps(tree), "g.json")


def refusal(data: bytes | str) -> CaptureError:
    """The error that reading ends in."""
    with pytest.raises(CaptureError) as caught:
        parse_memgraph(data, "g.json")
    return caught.value


@pytest.mark.parametrize("machine", ["system-1", "system-2", "system-doc-ps", "system-doc-vmos"])
@pytest.mark.parametrize("options", OPTIONS)
def test_tasks_and_statistics_are_the_machines(machine: str, options: str) -> None:
    """Tasks below the root job, and the kernel's amounts, equal the machine's own."""
    snap = parse_memgraph(golden(options, machine).read_bytes(), "g.json")
    whole = load_machine(goldens() / f"{machine}.json")
    assert snap.root_job_koid == whole.root_job_koid
    assert snap.timestamp is not None
    assert whole.timestamp is not None
    # The text has milliseconds.
    assert snap.timestamp == (whole.timestamp[0], whole.timestamp[1] // 10**6 * 10**6)
    assert snap.timestamp_iso == whole.timestamp_iso
    assert snap.kmem.equals(whole.kmem)
    mine = snap.tasks.set_index("koid")
    theirs = whole.tasks.set_index("koid").loc[mine.index]
    assert mine["kind"].equals(theirs["kind"])
    assert mine["name"].equals(theirs["name"])
    below = mine.index != snap.root_job_koid
    assert mine["parent_koid"][below].equals(theirs["parent_koid"][below])
    assert len(snap.processes) == len(whole.processes)
    assert len(snap.threads) == (len(whole.threads) if "t" in options else 0)
    waits = theirs["exception_port"].notna() & (theirs["exception_port"] != "none")
    said = (mine["kind"] == "thread") & ~waits
    assert mine["state"][said].equals(theirs["state"][said])
    assert (mine["exception_port"][waits & (mine["kind"] == "thread")] == "unknown").all()


@pytest.mark.parametrize("machine", ["system-1", "system-2", "system-doc-vmos"])
def test_vmos_are_told_once(machine: str) -> None:
    """Each VMO that a process reaches is one row with the source's figures."""
    snap = parse_memgraph(golden("-v", machine).read_bytes(), "g.json")
    whole = load_machine(goldens() / f"{machine}.json").vmos.set_index("koid")
    vmos = snap.vmos[snap.vmos["koid"] > 0].set_index("koid")
    assert vmos.index.is_monotonic_increasing
    assert vmos.index.is_unique
    same = whole.loc[vmos.index]
    assert vmos["name"].equals(same["name"])
    assert vmos["size_bytes"].equals(same["size_bytes"])
    clones = same["is_clone"].astype(bool) & (same["parent_koid"] > 0)
    assert vmos["parent_koid"][clones].equals(same["parent_koid"][clones])
    assert vmos["is_clone"][clones].all()
    assert vmos["is_clone"][~clones].isna().all()
    assert not vmos["pages_known"].any()
    facts = pd.read_csv(goldens() / machine / "derived-facts.tsv", sep="\t", nrows=len(whole))
    facts = facts.set_index("koid").loc[vmos.index.tolist()]
    told = facts["committed_pages"] * 4096
    assert vmos["reported_committed_bytes"].tolist() == told.tolist()
    for field in ("share_count", "num_mappings", "num_children"):
        assert vmos[f"reported_{field}"].tolist() == facts[field].tolist()
    listed = snap.vmos["parent"].dropna()
    assert (
        snap.vmos["koid"].iloc[listed].to_numpy() == snap.vmos["parent_koid"].loc[listed.index]
    ).all()


@pytest.mark.parametrize("machine", ["system-1", "system-2", "system-doc-vmos"])
def test_mappings_and_handles_tell_who_has_what(machine: str) -> None:
    """Each reference by mapping is a region in address order, each by handle a handle."""
    snap = parse_memgraph(golden("-v", machine).read_bytes(), "g.json")
    whole = load_machine(goldens() / f"{machine}.json")
    assert snap.mappings["base"].isna().all()
    assert snap.mappings["size_bytes"].isna().all()
    shown = snap.aspaces["process_koid"].tolist()
    for koid in shown:
        assert mapped(snap, koid) == mapped(whole, koid)
        mine, theirs = (held(state, koid) for state in (snap, whole))
        assert mine["koid"].tolist() == theirs["koid"].tolist()
        assert mine["rights"].tolist() == (theirs["rights"] & SIX_RIGHTS).tolist()
    assert {snap.coverage[facet] for facet in ("vmos", "mappings", "handles")} == {"partial"}


def mapped(snap: Snapshot, process: int) -> list[int]:
    """Koids of the VMOs a process maps, in address order."""
    space = snap.aspaces.index[snap.aspaces["process_koid"] == process][0]
    rows = snap.mappings[snap.mappings["aspace"] == space]["vmo"]
    koids: list[int] = snap.vmos["koid"].iloc[rows].tolist()
    return koids


def held(snap: Snapshot, process: int) -> pd.DataFrame:
    """The VMO handles of a process."""
    handles = snap.handles
    return handles[(handles["process_koid"] == process) & (handles["type"] == "vmo")]


@pytest.mark.parametrize("options", OPTIONS)
def test_coverage_follows_the_options(options: str) -> None:
    """Threads are known with -t, VMOs with -v, page runs never."""
    coverage = parse_memgraph(golden(options).read_bytes(), "g.json").coverage
    assert coverage["threads"] == ("complete" if "t" in options else "absent")
    assert coverage["vmos"] == ("partial" if "v" in options else "absent")
    assert coverage["pages"] == "absent"
    assert coverage["jobs"] == coverage["processes"] == coverage["kmem"] == "complete"


def test_a_memgraph_saves_and_loads_equal() -> None:
    """A snapshot of a memgraph survives the machine description."""
    snap = parse_memgraph(golden().read_bytes(), "g.json")
    assert parse_machine(dump_machine(snap), "x").equals(snap)


def test_reported_sizes_are_kept() -> None:
    """PSS, private and shared bytes are the source's own figures, to the byte."""
    tree = records()
    process = next(record for record in tree if record["type"] == "p")
    row = read(tree).processes.iloc[0]
    assert row["reported_pss_bytes"] == process["pss_bytes"]
    assert row["reported_private_bytes"] == process["private_bytes"]
    assert row["reported_shared_bytes"] == process["shared_bytes"]


def test_vmos_without_koid_stay_apart() -> None:
    """Koid 0 names no VMO: the nth such entry of a process belongs to its nth reference."""
    vmo = {"name": "", "size_bytes": 4096, "koid": 0}
    process = {"type": "p", "koid": 5, "parent": "j/1", "name": "p"}
    process |= {"vmos": [vmo | {"committed_bytes": 0}, vmo | {"committed_bytes": 4096}]}
    process |= {"vmo_refs": [{"vmo_koid": 0, "via": ["HANDLE"]}]}
    process["vmo_refs"] += [{"vmo_koid": 0, "via": ["MAPPING"]}]  # type: ignore[operator]
    job = {"type": "j", "koid": 1, "parent": "kernel/vmo", "name": "root"}
    snap = read([job, process])
    assert snap.vmos["koid"].tolist() == [0, 0]
    assert snap.vmos["reported_committed_bytes"].iloc[snap.handles["vmo"]].tolist() == [0]
    assert snap.vmos["reported_committed_bytes"].iloc[snap.mappings["vmo"]].tolist() == [4096]


def test_absent_figures_are_missing() -> None:
    """A revision without some field leaves the column missing, not 0."""
    job = {"type": "j", "koid": 1, "parent": "kernel/vmo", "name": "root"}
    process = {"type": "p", "koid": 5, "parent": "j/1", "vmos": [{"koid": 9}]}
    snap = read([job, process | {"vmo_refs": [{"vmo_koid": 8, "via": ["MAPPING"]}]}])
    assert snap.vmos["koid"].tolist() == [8, 9]
    assert snap.vmos["reported_committed_bytes"].isna().all()
    assert snap.vmos["name"].isna().all()
    assert snap.processes["reported_pss_bytes"].isna().all()
    assert snap.kmem.empty
    assert snap.notes["message"].tolist() == ["1 VMOs are referred to but not described"]


def test_contradictions_are_noted() -> None:
    """Where two processes tell one VMO differently, the first counts and a note names both."""
    tree = records()
    first, second = [record for record in tree if record.get("vmos")][:2]
    shared = {vmo["koid"] for vmo in first["vmos"]} & {vmo["koid"] for vmo in second["vmos"]}
    koid = min(shared)
    told = next(vmo for vmo in first["vmos"] if vmo["koid"] == koid)["share_count"]
    for vmo in second["vmos"]:
        if vmo["koid"] == koid:
            vmo["share_count"] = 77
    snap = read(tree)
    row = snap.vmos[snap.vmos["koid"] == koid].iloc[0]
    assert row["reported_share_count"] == told
    assert set(snap.notes["kind"]) == {"contradiction"}
    assert snap.notes["place"].iloc[0] == second["id"]
    assert snap.notes["message"].iloc[0] == f"VMO {koid}: share_count {told} and 77"


def test_unknown_records_are_counted() -> None:
    """Types that nobody knows are skipped, whatever they hold, with one note."""
    tree = records()
    plain = read(tree)
    tree[3:3] = [{"type": "elf", "koid": "x"}, {"id": "?"}, {"type": 5}]
    snap = read(tree)
    assert snap.vmos.equals(plain.vmos)
    assert snap.notes["message"].tolist() == ["3 records of unknown type are skipped"]


def test_unknown_rights_are_noted() -> None:
    """A right of a later revision does not stop the reader."""
    tree = records()
    refs = next(record["vmo_refs"] for record in tree if record.get("vmo_refs"))
    handle = next(ref for ref in refs if ref["via"] == ["HANDLE"])
    handle["handle_rights"] = ["READ", "SIGNAL", "READ"]
    snap = read(tree)
    assert 4 in snap.handles["rights"].tolist()
    assert snap.notes["message"].tolist() == ["unknown handle rights: 'SIGNAL'"]


def test_an_unreadable_time_is_noted() -> None:
    """A timestamp of another form is kept as text, without seconds."""
    tree = records()
    tree[-1]["timestamp"] = "noon"
    snap = read(tree)
    assert (snap.timestamp, snap.timestamp_iso) == (None, "noon")
    assert snap.notes["place"].tolist() == ["__META"]
    tree[-1]["timestamp"] = "2017-13-45T99:99:99Z"
    assert read(tree).timestamp is None


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        ({"koid": -1}, "record 11 (p/1058).koid", "an integer of 0 or more"),
        ({"koid": 0}, "record 11 (p/1058)", "a koid above 0"),
        ({"koid": 2**63}, "record 11 (p/1058).koid", "an integer below 2^63"),
        ({"koid": 1026}, "record 11 (p/1058)", "a koid of its own"),
        ({"parent": "j/5"}, "record 11 (p/1058)", "a parent in the table"),
        ({"parent": "p/1058"}, "record 11 (p/1058)", "the id of a job such as j/1028"),
        ({"parent": "j/" + "9" * 30}, "record 11 (p/1058)", "the id of a job"),
        ({"pss_bytes": "many"}, "record 11 (p/1058).pss_bytes", "an integer"),
        ({"vmos": [{"koid": 1, "size_bytes": -5}]}, None, "an integer of 0 or more"),
        ({"vmos": [{"name": "x"}]}, "record 11 (p/1058).vmos[0]", "field 'koid'"),
        ({"vmos": [{"koid": 7, "parent_koid": 7}]}, "record 11 (p/1058).vmos[0]", "parents that"),
        ({"vmo_refs": [{}]}, "record 11 (p/1058).vmo_refs[0]", "field 'vmo_koid'"),
    ],
)
def test_a_broken_record_is_named(change: dict[str, Any], place: str | None, expected: str) -> None:
    """One change, one error with the record's number and id."""
    tree = records()
    assert tree[10]["id"] == "p/1058"
    tree[10].update(change)
    error = refusal(json.dumps(tree))
    assert error.place == (place or "record 11 (p/1058).vmos[0].size_bytes")
    assert expected in error.expected


def test_a_heap_smaller_than_its_free_part_is_refused() -> None:
    """Kernel records that cannot be true of any machine are no snapshot."""
    tree = records()
    heap = next(record for record in tree if record["id"] == "kernel/heap")
    heap["size_bytes"] = 5
    error = refusal(json.dumps(tree))
    assert error.place == "kernel/heap"
    assert error.expected == "free_heap_bytes of at most total_heap_bytes, 5"


def test_half_a_file_is_refused() -> None:
    """A file that ends in the middle says on which line."""
    data = golden().read_bytes()[:9000]
    error = refusal(data)
    assert error.place == f"line {data.count(chr(10).encode()) + 1}"
    assert error.expected == "the rest of the JSON"


def old_tool(names: dict[str, str]) -> str:
    """What the old tool would have printed for a machine with these names: nothing escaped."""
    text = golden("-vt", "system-1").read_text()
    for was, name in names.items():
        assert f'"name": "{was}"' in text
        text = text.replace(f'"name": "{was}"', f'"name": "{name}"')
    return text


@pytest.mark.parametrize(
    "name",
    [
        'say "hi"',
        '"',
        "back\\slash",
        "\\",
        "C:\\u12",
        "tab\there",
        "bell\x07",
        "two\nlines",
        '"},',
        'x", "size_bytes": 5',
        'x", "state": "DEAD',
        "</script><script>",
    ],
)
def test_unescaped_names_are_mended(name: str) -> None:
    """Quotes, backslashes and control characters in names come back as they were."""
    was = ("root", "bin/devmgr", "initial-thread", "lib/libc.so")
    snap = parse_memgraph(old_tool({**dict.fromkeys(was, name), "shmem": '"'}), "g.json")
    whole = parse_memgraph(golden("-vt", "system-1").read_bytes(), "g.json")
    assert snap.tasks["name"].tolist() == whole.tasks["name"].replace(list(was), name).tolist()
    expected = whole.vmos["name"].replace(list(was), name).replace("shmem", '"')
    assert snap.vmos["name"].tolist() == expected.tolist()
    assert set(snap.notes["kind"]) == {"repaired"}
    assert snap.notes["place"].str.startswith("line ").all()


def test_what_was_mended_is_told() -> None:
    """Each repair names line, record and name; many are summed up."""
    snap = parse_memgraph(old_tool({"root": 'a"b'}), "g.json")
    assert snap.notes["message"].tolist() == ["name 'a\"b' was not escaped"]
    assert snap.notes["place"].tolist() == ["line 11 (j/1028)"]
    many = parse_memgraph(old_tool({"": '"', "lib/libc.so": '"', "vdso/full": '"'}), "g.json")
    assert len(many.notes) == 21
    assert many.notes["message"].iloc[-1].endswith("more names were not escaped")


def test_valid_escapes_are_not_touched() -> None:
    """A file that is valid JSON is taken at its word."""
    tree = records()
    tree[9]["name"] = 'quote " back \\n \u0007'
    snap = read(tree)
    assert snap.jobs["name"].iloc[0] == 'quote " back \\n \u0007'
    assert snap.notes.empty


def test_names_cut_inside_a_character_are_mended() -> None:
    """The kernel cuts names at 31 bytes, also inside a character: it reads as U+FFFD."""
    data = golden("-vt", "system-1").read_bytes().replace(b'"bin/devmgr"', b'"caf\xc3"')
    snap = parse_memgraph(data, "g.json")
    assert snap.processes["name"].iloc[0] == "caf\ufffd"
    assert snap.notes["kind"].tolist() == ["repaired"]
    assert snap.notes["place"].tolist() == ["line 12"]


def test_what_cannot_be_mended_names_its_line() -> None:
    """A quote outside a name is refused with line and byte."""
    text = golden("-vt", "system-1").read_text().replace('"p/1056"', '"p/10"56"', 1)
    assert refusal(text).place.startswith("line 12, byte ")


def test_the_collector_is_left_as_it_was() -> None:
    """Reading switches the cyclic collector off only while it lasts, also when it fails."""
    assert gc.isenabled()
    parse_memgraph(golden().read_bytes(), "g.json")
    assert gc.isenabled()
    refusal("[")
    assert gc.isenabled()
    gc.disable()
    try:
        parse_memgraph(golden().read_bytes(), "g.json")
        assert not gc.isenabled()
    finally:
        gc.enable()


SMALL = golden("-vt", "system-doc-vmos").read_bytes()


@settings(max_examples=120)
@given(data=damaged_bytes(SMALL))
def test_damaged_bytes_are_read_or_refused(data: bytes) -> None:
    """Injured bytes give a snapshot or one `CaptureError`."""
    reads_or_refuses(lambda: parse_memgraph(data, "g.json"))


@settings(max_examples=70)
@given(tree=damaged_tree(json.loads(SMALL)))
def test_damaged_records_are_read_or_refused(tree: Any) -> None:
    """Injured records give a `CaptureError`, or a snapshot that saves and loads equal."""
    answer = reads_or_refuses(lambda: read(tree))
    if isinstance(answer, Snapshot):
        assert parse_machine(dump_machine(answer), "again").equals(answer)


@settings(max_examples=60)
@given(name=st.one_of(st.text(max_size=40), st.sampled_from(NASTY_TEXT)))
def test_any_unescaped_name_is_mended_or_refused(name: str) -> None:
    """Whatever a name holds, the old form is read or refused, and never read as another task."""
    text = golden("-vt", "system-1").read_text()
    raw = text.replace('"name": "root"', f'"name": "{name}"').replace('"bin/devmgr"', '"""')
    answer = reads_or_refuses(lambda: parse_memgraph(raw.encode("utf-8", "replace"), "g.json"))
    if isinstance(answer, Snapshot):
        assert len(answer.tasks) == 11
        assert answer.processes["name"].iloc[0] == '"'

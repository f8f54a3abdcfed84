"""Several captures of one boot become one: known fills unknown, and the first one wins."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sessions import dumps_of, session
from support.shared import goldens

from magmem.captures import load_machine
from magmem.captures.merge import merge
from magmem.captures.reconcile.settle import LIMIT
from magmem.captures.transcript import read_transcript
from magmem.errors import CaptureError
from magmem.snapshot import Snapshot

SYSTEMS = ["system-1", "system-2", "system-doc-ps", "system-doc-vmaps", "system-doc-vmos"]
SYSTEMS += ["system-doc-asd"]
TABLES = ["tasks", "aspaces", "regions", "vmos", "pages", "handles", "arenas", "kmem"]


def machine(system: str) -> Snapshot:
    """The described machine of that name."""
    return load_machine(goldens() / f"{system}.json")


def console(system: str) -> Snapshot:
    """The same machine as its tools print it."""
    dumps = dumps_of(goldens() / system)
    return read_transcript(session(dumps, sorted(dumps), seed=0, noise=0), f"{system}.txt")


def tiny(**tables: dict[str, list[object]]) -> Snapshot:
    """A snapshot of a few rows, told by a source named after its tables."""
    source = {
        "source": [" ".join(tables)],
        "dump": ["by hand"],
        "tables": [" ".join(tables)],
        "rounded": [False],
    }
    return Snapshot.of({**tables, "sources": source})


def contradictions(snap: Snapshot) -> list[str]:
    """What the notes say of contradictions."""
    return list(snap.notes["message"][snap.notes["kind"] == "contradiction"])


def task(koid: int, kind: str = "process", **values: object) -> dict[str, list[object]]:
    """A tasks table of one row."""
    return {"koid": [koid], "kind": [kind]} | {name: [value] for name, value in values.items()}


def vmo(**values: object) -> dict[str, list[object]]:
    """A vmos table of one row."""
    return {"id": ["x"], "pages_known": [False]} | {name: [v] for name, v in values.items()}


def test_nothing_cannot_be_merged() -> None:
    """Merging needs at least one snapshot."""
    with pytest.raises(ValueError, match="expected at least one snapshot to merge, found none"):
        merge([])


@pytest.mark.parametrize("system", SYSTEMS)
def test_merging_with_itself_changes_nothing(system: str) -> None:
    """A state told twice is the state: same tables, no contradictions."""
    for snap in (machine(system), console(system)):
        for merged in (merge([snap]), merge([snap, snap])):
            for name in [*TABLES, "sources"]:
                pd.testing.assert_frame_equal(getattr(merged, name), getattr(snap, name), obj=name)
            assert dict(merged.coverage) == dict(snap.coverage)
            assert not contradictions(merged)
            assert merged.root_job_koid == snap.root_job_koid
            assert merged.timestamp == snap.timestamp


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_description_and_what_its_tools_print_agree(system: str) -> None:
    """In either order nothing contradicts, and every value of the description is kept."""
    described, printed = machine(system), console(system)
    for snapshots in ([described, printed], [printed, described]):
        merged = merge(snapshots)
        assert not contradictions(merged)
        for name in TABLES:
            mine, theirs = getattr(merged, name), getattr(described, name)
            assert len(mine) == len(theirs), name
            if name in ("tasks", "aspaces", "regions", "handles") and snapshots[0] is printed:
                continue  # `ps` prints processes in the order of the tree, not of creation
            for column in theirs.columns.drop("id", errors="ignore"):
                known = theirs[column].notna()
                assert (mine[column][known] == theirs[column][known]).all(), (name, column)
        assert merged.vmos["pages_known"].all()
        assert merged.vmos["reported_share_count"].notna().any()
        assert merged.knows("jobs", "processes", "mappings", "vmos", "pages", "handles")


@settings(max_examples=15)
@given(data=st.data())
def test_any_split_of_a_session_merges_to_the_same(data: st.DataObject) -> None:
    """Dumps in one file or in several are the same machine."""
    dumps = dumps_of(goldens() / "system-1")
    order = data.draw(st.permutations(sorted(dumps)))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(order) - 1), min_size=1, max_size=3)))
    parts = [order[i:j] for i, j in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    files = [
        read_transcript(session(dumps, part, seed=0, noise=0), f"{at}.txt")
        for at, part in enumerate(parts)
    ]
    merged = merge(files)
    whole = read_transcript(session(dumps, order, seed=0, noise=0), "all.txt")
    assert not contradictions(merged)
    for name in ("tasks", "aspaces", "regions", "handles", "arenas", "kmem"):
        pd.testing.assert_frame_equal(getattr(merged, name), getattr(whole, name), obj=name)
    pd.testing.assert_frame_equal(merged.vmos.drop(columns="id"), whole.vmos.drop(columns="id"))
    assert dict(merged.coverage) == dict(whole.coverage)


def test_known_fills_unknown() -> None:
    """What one capture does not know another may."""
    merged = merge(
        [tiny(tasks=task(5, name="sh")), tiny(tasks=task(5, reported_handles=3, state="running"))]
    )
    row = merged.tasks.iloc[0]
    assert (row["name"], row["reported_handles"], row["state"]) == ("sh", 3, "running")
    assert not contradictions(merged)


def test_contradictions_tell_both_values_and_places() -> None:
    """The first value is kept; the note has both, and where each stands."""
    merged = merge([tiny(tasks=task(5, name="sh")), tiny(tasks=task(5, name="bash"))])
    assert merged.tasks["name"][0] == "sh"
    (message,) = contradictions(merged)
    assert message.startswith(
        "task 5: name is 'bash' in by hand, but 'sh' in by hand (tasks, row 0)"
    )
    assert message.endswith("which is kept")


def test_many_contradictions_are_counted() -> None:
    """Only the first hundred are told one by one."""
    count = LIMIT + 23
    koids = list(range(1, count + 1))
    first, second = (
        tiny(tasks={"koid": koids, "kind": ["process"] * count, "name": [name] * count})
        for name in "ab"
    )
    told = contradictions(merge([first, second]))
    assert len(told) == LIMIT + 1
    assert told[-1] == "23 more contradictions like these"


def test_vmos_without_koid_meet_by_address() -> None:
    """Koid 0 names nothing; the address does, and a koid given later replaces it."""
    merged = merge(
        [
            tiny(vmos=vmo(koid=0, addr=0xFF00, size_bytes=4096)),
            tiny(vmos=vmo(koid=0, addr=0xFF00, name="heap")),
            tiny(vmos=vmo(koid=0, addr=0xFE00)),
            tiny(vmos=vmo(koid=9, addr=0xFE00)),
            tiny(vmos=vmo(koid=9, name="log")),
        ]
    )
    rows = merged.vmos[["koid", "addr", "name"]].astype(object).values.tolist()
    assert rows == [[0, 0xFF00, "heap"], [9, 0xFE00, "log"]]
    assert not contradictions(merged)


def test_a_koid_of_two_kinds_is_refused() -> None:
    """A job here and a process there cannot be one boot."""
    snapshots = [tiny(tasks=task(5, "job")), tiny(tasks=task(5, "process"))]
    with pytest.raises(CaptureError, match="expected koid 5 to be a job, as in by hand"):
        merge(snapshots)


def test_parents_that_form_a_loop_are_left_out() -> None:
    """Where two captures together put a job below itself, the later link goes, with a note."""
    jobs = {"koid": [5, 6], "kind": ["job"] * 2}
    merged = merge(
        [
            tiny(tasks=jobs | {"parent_koid": [6, None]}),
            tiny(tasks=jobs | {"parent_koid": [None, 5]}),
        ]
    )
    parents = merged.tasks["parent_koid"].astype(object).tolist()
    assert parents[0] == 6
    assert parents[1] is pd.NA
    (message,) = contradictions(merged)
    assert "task 6 is below itself if 5 is its parent" in message


def test_pages_come_from_the_first_that_knows_them() -> None:
    """Runs are taken from one capture; one that only says how many must not disagree."""
    pages = {"vmo": [0], "first_page": [3], "page_count": [2]}
    knows = tiny(vmos=vmo(koid=9) | {"pages_known": [True]}, pages=pages)
    says = tiny(vmos=vmo(koid=9, reported_committed_bytes=8192))
    for snapshots in ([knows, says], [says, knows]):
        merged = merge(snapshots)
        assert merged.pages.values.tolist() == [[0, 3, 2]]
        assert merged.vmos["pages_known"].all()
    other = merge([tiny(vmos=vmo(koid=9, reported_committed_bytes=4096)), knows])
    assert not other.vmos["pages_known"].any()
    assert not len(other.pages)


def test_one_report_told_twice_is_one() -> None:
    """A report printed in tenths of MiB and an exact one that agrees are one; others stay apart."""
    exact = {"total_bytes": [268435456], "free_bytes": [232550400]}
    printed = read_transcript("total free VMOs\n 256M 221.8M 3.8M\n", "kstats.txt")
    for snapshots in ([tiny(kmem=exact), printed], [printed, tiny(kmem=exact)]):
        assert merge(snapshots).kmem["free_bytes"].tolist() == [232550400]
    later = tiny(kmem=exact | {"free_bytes": [1 << 20]})
    assert merge([tiny(kmem=exact), later]).kmem["free_bytes"].tolist() == [232550400, 1 << 20]
    stamps = ("2017-09-19T18:32:14.007Z", "2017-09-19T18:32:14.007123456Z", "2017-09-19T18:32:15Z")
    timed = merge([tiny(kmem=exact | {"timestamp": [stamp]}) for stamp in stamps])
    assert timed.kmem["timestamp"].tolist() == list(stamps[1:])


def test_entries_follow_their_region() -> None:
    """Page-table entries of one capture stay with the mapping that others tell of too."""
    space = {"kind": ["user"], "process_koid": [5]}
    mapping = {"aspace": [0], "depth": [1], "kind": ["mapping"], "base": [0x2000], "vmo": [0]}
    parts = {"tasks": task(5), "aspaces": space, "regions": mapping, "vmos": vmo(koid=9)}
    entries = {"region": [0], "first_page": [1], "page_count": [4]}
    low = {**mapping, "base": [0x1000]}
    rich = Snapshot.of({**parts, "entries": entries}, coverage={"entries": "complete"})
    merged = merge([Snapshot.of({**parts, "regions": low}), rich])
    assert merged.regions["base"].tolist() == [0x1000, 0x2000]
    assert merged.entries.values.tolist() == [[1, 1, 4]]
    assert len(merged.vmos) == 1


def test_a_whole_dump_settles_which_regions_there_are() -> None:
    """Regions that a whole dump of the address space lacks are left out, and noted once."""
    root = "/R ________01000000-00007ffffffff000    128.0T:sz                    'root'\n"
    head = root.replace("/R", "/A").replace("'root'", "'proc:7'") + root
    row = "M  000000000{0}000000-000000000{0}001000 rw-    4k:sz   0B:res     5:vmo ''\n"
    first, second = (
        read_transcript(head + row.format(digit), f"{digit}.txt") for digit in ("2", "3")
    )
    merged = merge([first, second])
    assert merged.mappings["base"].tolist() == [0x2000000]
    (message,) = contradictions(merged)
    assert "vmaps shows 1 regions, the first at 0x3000000, that an earlier whole dump" in message


def test_names_are_taken_from_the_first_that_has_one() -> None:
    """The result is called as asked, else as the first named snapshot."""
    one, two = tiny(tasks=task(5)), Snapshot.of({}, name="second")
    assert merge([one, two]).name == "second"
    assert merge([one, two], name="both").name == "both"


def test_root_jobs_that_differ_are_a_contradiction() -> None:
    """The root job of the first capture is kept."""
    one, two = (Snapshot.of({}, name=str(koid), root_job_koid=koid) for koid in (5, 6))
    merged = merge([one, two])
    assert merged.root_job_koid == 5
    assert contradictions(merged) == ["root_job_koid is 6, but 5 in 5, which is kept"]


def test_a_process_that_a_whole_list_lacks_is_of_another_moment() -> None:
    """`ps` lists every process, so a dump of one it does not have was made before or after."""
    listed = read_transcript("TASK PSS PRIVATE SHARED NAME\np:5 4k 4k 0B a\n" * 2, "ps.txt")
    other = tiny(tasks=task(6))
    merged = merge([listed, other])
    assert contradictions(merged) == [
        "process 6 is not among the 1 that ps.txt lists: another moment"
    ]
    assert merged.coverage["processes"] == "partial"
    assert contradictions(merge([listed, tiny(tasks=task(5))])) == []
    many = {"koid": list(range(5, 13)), "kind": ["process"] * 8}
    assert contradictions(merge([tiny(tasks=many), listed])) == [
        "processes 6, 7, 8, 9, 10 and 2 more are not among the 1 that ps.txt lists: another moment"
    ]

"""Machine descriptions become exact snapshots; broken ones name the record."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from support.shared import goldens

from magmem.captures import load_machine, parse_machine
from magmem.errors import CaptureError
from magmem.kernel.mappings import KernelView
from magmem.snapshot import PAGE_BYTES, Snapshot

MACHINES = ("system-1", "system-2", "system-doc-asd", "system-doc-ps", "system-doc-vmaps")
MACHINES += ("system-doc-vmos",)


def described(name: str = "system-1") -> dict[str, Any]:
    """A golden description as parsed JSON."""
    tree: dict[str, Any] = json.loads((goldens() / f"{name}.json").read_text())
    return tree


def read(tree: Any) -> Snapshot:
    """The snapshot of a description given as parsed JSON."""
    return parse_machine(json.dumps(tree), "m.json")


def refusal(tree: Any) -> CaptureError:
    """The error that reading a description ends in."""
    with pytest.raises(CaptureError) as caught:
        read(tree)
    return caught.value


def facts(name: str, kind: str) -> pd.DataFrame:
    """What the kernel derives from a golden machine: the lines of one kind."""
    lines = (goldens() / name / "derived-facts.tsv").read_text().splitlines()
    header = next(line for line in lines if line.startswith(f"#{kind}\t")).split("\t")[1:]
    rows = [line.split("\t")[1:] for line in lines if line.startswith(f"{kind}\t")]
    return pd.DataFrame(rows, columns=header)


@pytest.mark.parametrize("name", MACHINES)
def test_vmo_facts_follow_from_the_tables(name: str) -> None:
    """Children, mappings, share counts and committed pages of every VMO are the kernel's."""
    snap = load_machine(goldens() / f"{name}.json")
    expected, view = facts(name, "vmo"), KernelView(snap)
    assert snap.vmos["id"].tolist() == expected["id"].tolist()
    found = {
        "koid": snap.vmos["koid"],
        "parent_koid": snap.vmos["parent_koid"].fillna(0),
        "num_children": view.num_children,
        "num_mappings": view.num_mappings,
        "share_count": view.share_count,
        "committed_pages": view.committed_bytes // PAGE_BYTES,
        "mapped_by_user": view.mapped_by_user.astype(int),
    }
    for column, values in found.items():
        assert [str(value) for value in values] == expected[column].tolist(), column


@pytest.mark.parametrize("name", MACHINES)
def test_process_facts_follow_from_the_tables(name: str) -> None:
    """Mapped, private, shared, scaled and PSS bytes of every process are the kernel's."""
    snap = load_machine(goldens() / f"{name}.json")
    expected, sums = facts(name, "process").astype(int), KernelView(snap).sums
    owner = snap.aspaces["process_koid"]
    found = pd.DataFrame(
        {
            "mapped_bytes": sums.mapped_bytes,
            "private_bytes": sums.private_bytes,
            "shared_bytes": sums.shared_bytes,
            "scaled_shared_bytes": sums.scaled_bytes,
            "pss_bytes": sums.pss_bytes,
        }
    )[owner.notna()]
    found.index = pd.Index(owner.dropna().astype(int))
    # A process that does not run prints zeros, though its mappings stand in the tables.
    state = snap.processes.set_index("koid")["state"]
    for row in expected.itertuples(index=False):
        if state[row.koid] == "running":
            assert found.loc[row.koid].tolist() == list(row)[1:], row.koid


@pytest.mark.parametrize("name", MACHINES)
def test_a_golden_description_is_complete(name: str) -> None:
    """A description with every field knows every facet but the page tables, and says whence."""
    snap = load_machine(goldens() / f"{name}.json")
    assert {facet for facet, state in snap.coverage.items() if state != "complete"} == {"entries"}
    assert snap.coverage["entries"] == "absent"
    assert snap.sources["source"].tolist() == [name]
    assert snap.sources["dump"].tolist() == ["machine description"]
    assert snap.notes.empty


def test_values_land_in_their_columns() -> None:
    """Addresses are 64-bit, sizes bytes, references rows; what has no value is missing."""
    snap = load_machine(goldens() / "system-1.json")
    assert snap.root_job_koid == 1028
    assert snap.timestamp == (1505845934, 7_000_000)
    assert snap.timestamp_iso == "2017-09-19T18:32:14.007Z"
    kernel = snap.aspaces.iloc[0]
    assert (kernel["kind"], kernel["base"]) == ("kernel", 0xFFFFFF8000000000)
    assert int(kernel["base"]) + int(kernel["size_bytes"]) == 2**64
    clone = snap.vmos.iloc[8]
    assert snap.vmos["koid"][clone["parent"]] == clone["parent_koid"] == 1030
    assert clone["parent_offset_bytes"] == 0
    assert clone["is_clone"]
    assert snap.vmos.iloc[1]["phys_base"] == 0xFE000000
    assert snap.vmos.iloc[0]["parent_offset_bytes"] is pd.NA
    handles = snap.handles[snap.handles["type"] == "vmo"]
    assert (snap.vmos["koid"].iloc[handles["vmo"]].to_numpy() == handles["koid"]).all()
    assert snap.handles[snap.handles["type"] != "vmo"]["vmo"].isna().all()


def test_rows_come_in_tree_order() -> None:
    """Regions are in depth-first pre-order, each below a VMAR one level up."""
    snap = load_machine(goldens() / "system-1.json")
    first = snap.regions[snap.regions["aspace"] == 0]
    assert first["depth"].tolist() == [0, 1, 1, 1, 1, 1, 2, 1, 2, 1]
    assert first["kind"].tolist()[4:7] == ["mapping", "vmar", "mapping"]


def test_optional_fields_default_or_stay_unknown() -> None:
    """`parent_offset` is 0 when absent; addresses, references and facets are unknown."""
    tree = described()
    for key in ("arenas", "kmem", "kernel_aspace", "timestamp", "jobs_by_importance"):
        del tree[key]
    for vmo in tree["vmos"]:
        vmo.pop("addr")
        vmo.pop("ref")
    tree["vmos"][10].pop("committed")
    for process in tree["processes"]:
        del process["handles"]
    del tree["processes"][0]["threads"]
    snap = read(tree)
    assert snap.vmos["addr"].isna().all()
    assert snap.kmem.empty
    assert not snap.vmos["pages_known"].iloc[10]
    absent = ["kernel mappings", "entries", "handles", "arenas", "kmem"]
    assert [facet for facet, state in snap.coverage.items() if state == "absent"] == absent
    assert snap.coverage["pages"] == "partial"
    assert snap.coverage["threads"] == "partial"


def test_a_clone_may_begin_inside_its_parent() -> None:
    """`parent_offset` is read in bytes."""
    tree = described()
    tree["vmos"][8]["parent_offset"] = 8192
    assert read(tree).vmos["parent_offset_bytes"].iloc[8] == 8192


def test_installed_pages_of_a_mapping_are_read() -> None:
    """`entries` of mappings fill the entries table."""
    tree = described()
    mapping = tree["processes"][0]["aspace"]["root_vmar"]["children"][0]["children"][0]
    mapping["entries"] = [[0, 2], [4, 1]]
    snap = read(tree)
    assert snap.coverage["entries"] == "partial"
    row = snap.entries["region"].iloc[0]
    assert snap.regions["base"].iloc[row] == int(mapping["base"], 16)
    assert snap.entries["page_count"].tolist() == [2, 1]


def test_unknown_fields_are_skipped_and_noted() -> None:
    """A field that magmem does not know costs a note naming record and field, nothing else."""
    tree = described()
    plain = read(tree)
    tree["weather"] = {"rain": [1, {"deep": True}]}
    tree["processes"][1]["threads"][0]["colour"] = "red"
    tree["vmos"][3]["<script>"] = 1
    snap = read(tree)
    assert snap.regions.equals(plain.regions)
    assert snap.tasks.equals(plain.tasks)
    assert snap.notes["kind"].tolist() == ["skipped"] * 3
    assert snap.notes["place"].tolist() == ["", "vmos[3]", "processes[1].threads[0]"]
    assert "'colour'" in snap.notes["message"].iloc[2]


def test_many_unknown_fields_cost_few_notes() -> None:
    """Notes are bounded: after twenty, one tells how many more there are."""
    tree = described()
    tree.update({f"x{number}": 0 for number in range(500)})
    notes = read(tree).notes
    assert len(notes) == 21
    assert notes["message"].iloc[-1].startswith("480 more fields")


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one field; the path as in an error's place."""

    def apply(tree: dict[str, Any]) -> None:
        *steps, last = path.replace("]", "").replace("[", ".").split(".")
        holder: Any = tree
        for step in steps:
            holder = holder[int(step) if step.isdigit() else step]
        holder[int(last) if last.isdigit() else last] = value

    return apply


KERNEL = "kernel_aspace.root_vmar.children"


@pytest.mark.parametrize(
    ("path", "value", "place", "expected"),
    [
        ("format", "magmem-machine/2", "format", "'magmem-machine/1'"),
        ("format", None, "format", "'magmem-machine/1'"),
        ("page_size", 8192, "page_size", "4096"),
        ("root_job_koid", 5, "root_job_koid", "the koid of a job"),
        ("memgraph_self_koid", 5, "memgraph_self_koid", "the koid of a process"),
        ("jobs[2].parent_koid", 77, "jobs[2].parent_koid", "the koid of a job"),
        ("jobs[1].parent_koid", 1079, "jobs[1]", "parents that end at a root"),
        ("jobs[1].koid", 1079, "jobs[2]", "a koid of its own"),
        ("jobs[1].koid", 0, "jobs[1].koid", "a koid above 0"),
        ("jobs_by_importance[0]", 7, "jobs_by_importance[0]", "the koid of a job"),
        ("jobs_by_importance[0]", 1028, "jobs_by_importance[1]", "a job of its own"),
        ("kmem.free_bytes", -1, "kmem.free_bytes", "an integer of 0 or more"),
        ("kmem.free_bytes", 2**63, "kmem.free_bytes", "an integer below 2^63"),
        ("kmem.free_bytes", 10**400, "kmem.free_bytes", "an integer below 2^63"),
        ("kmem.free_bytes", 1.5, "kmem.free_bytes", "an integer"),
        ("kmem.free_heap_bytes", 2**40, "kmem", "free_heap_bytes of at most total_heap_bytes"),
        ("arenas[0].base", "4096", "arenas[0].base", '"0x1f"'),
        ("arenas[0].name", "sixteen bytes...", "arenas[0].name", "at most 15 bytes"),
        ("arenas[0].page_states.mmu", 2**62, "arenas[0].page_states", "less than 2^63 bytes"),
        ("vmos[4].size", "12", "vmos[4].size", "an integer"),
        ("vmos[4].kind", "elastic", "vmos[4].kind", "one of paged, physical"),
        ("vmos[8].parent", "v99", "vmos[8].parent", "the id of a VMO"),
        ("vmos[7].parent", "v8", "vmos[7]", "parents that end at a root"),
        ("vmos[8].parent_offset", 100, "vmos[8].parent_offset", "a multiple of 4096"),
        ("vmos[8].parent_offset", 2**63 - 4096, "vmos[8].parent_offset", "ends below 2^63"),
        ("vmos[8].koid", 1030, "vmos[8]", "a koid of its own"),
        ("vmos[8].koid", 1056, "vmos[8]", "a koid of its own"),
        ("vmos[8].id", "v7", "vmos[8]", "an id of its own"),
        ("vmos[8].name", "x" * 32, "vmos[8].name", "a name of at most 31 bytes"),
        ("vmos[8].name", "é" * 16, "vmos[8].name", "a name of at most 31 bytes"),
        ("vmos[8].name", "a\0b", "vmos[8].name", "without NUL"),
        ("vmos[12].committed", [[5, 2], [0, 1]], "vmos[12].committed[1]", "sorted and disjoint"),
        ("vmos[12].committed", [[0, 2], [1, 1]], "vmos[12].committed[1]", "sorted and disjoint"),
        ("vmos[12].committed", [[0, 0]], "vmos[12].committed[0]", "1 page or more"),
        ("vmos[12].committed", [[2**51, 1]], "vmos[12].committed[0]", "below 2^63 bytes"),
        ("vmos[12].committed", [[0, 2**51 - 5]], "vmos[12].committed[0]", "2^63 bytes of pages"),
        ("vmos[12].committed", [[0]], "vmos[12].committed[0]", "array"),
        ("vmos[1].committed", [[0, 1]], "vmos[1].committed", "no committed pages"),
        ("vmos[1].phys_base", "0x" + "f" * 17, "vmos[1].phys_base", "at most 64 bits"),
        ("processes[1].job_koid", 3, "processes[1].job_koid", "the koid of a job"),
        ("processes[1].state", "asleep", "processes[1].state", "one of initial, running"),
        ("processes[2].handles[0].value", "0x100000000", None, "at most 0xffffffff"),
        ("processes[2].handles[1].koid", 9, "processes[2].handles[1].koid", "the koid of a VMO"),
        ("processes[2].threads[0].state", "idle", "processes[2].threads[0].state", "one of new"),
        ("processes[2].threads[0].koid", 1107, "processes[2].threads[0]", "a koid of its own"),
        (f"{KERNEL}[0].vmo", "v99", f"{KERNEL}[0].vmo", "the id of a VMO"),
        (f"{KERNEL}[0].perms", "rwxrwx", f"{KERNEL}[0].perms", "one of rwx"),
        (f"{KERNEL}[0].vmo_offset", 5, f"{KERNEL}[0].vmo_offset", "a multiple of 4096"),
        (f"{KERNEL}[0].map_seq", 5, f"{KERNEL}[4].children[0].map_seq", "a number of its own"),
        (f"{KERNEL}[0].type", "hole", f"{KERNEL}[0].type", "a value of this format"),
        (f"{KERNEL}[0].base", "0x1000", f"{KERNEL}[0]", "a range inside"),
        (f"{KERNEL}[0].size", 2**62, f"{KERNEL}[0]", "a range inside"),
        (f"{KERNEL}[1].base", "0xffffff8000001000", f"{KERNEL}[1]", "a range after its sibling"),
        (f"{KERNEL}[2].base", "0xffffff9000001000", f"{KERNEL}[2]", "children sorted by base"),
        ("kernel_aspace.size", 2**62, "kernel_aspace", "a range that ends by 2^64"),
        ("vmos", 3, "vmos", "an array"),
        ("vmos[0]", None, "vmos[0]", "an object"),
        ("coverage", {"colour": "partial"}, "coverage", "one of the facets"),
        ("coverage", {"vmos": "perhaps"}, "coverage.vmos.state", "one of complete"),
        ("tables", {"tasks": [{"koid": 1}]}, "tables.tasks[0]", "field 'kind'"),
        ("tables", {"kmem": [{"free_bytes": -2}]}, "tables.kmem[0]", "free_bytes of 0 or more"),
    ],
)
def test_a_broken_record_is_named(path: str, value: Any, place: str | None, expected: str) -> None:
    """One change, one error: where it is, what the format wants there, what was found."""
    tree = described()
    change(path, value)(tree)
    error = refusal(tree)
    assert error.source == "m.json"
    assert error.place == (path if place is None else place)
    assert expected in error.expected


def test_a_missing_field_is_named() -> None:
    """A required field that is absent is told with its record."""
    tree = described()
    del tree["processes"][1]["threads"][0]["koid"]
    assert str(refusal(tree)) == (
        "m.json, processes[1].threads[0]: expected field 'koid', found none"
    )
    del tree["processes"]
    assert refusal(tree).expected == "field 'processes'"


@pytest.mark.parametrize("depth", [300, 2000, 100_000])
def test_nested_vmars_have_a_clear_end(depth: int) -> None:
    """VMARs nested too deep are one error, however deep."""
    vmar = '{"type": "vmar", "name": "", "base": "0x0", "size": 4096, "children": ['
    tree = described()
    tree["kernel_aspace"]["root_vmar"] = "here"
    bomb = json.dumps(tree).replace('"here"', vmar * depth + "]}" * depth)
    with pytest.raises(CaptureError, match="deep"):
        parse_machine(bomb, "bomb.json")


def test_vmars_as_deep_as_allowed_are_read() -> None:
    """256 levels are read, in a tenth of the frames that a recursive reader would need."""
    tree = described()
    root = tree["processes"][0]["aspace"]["root_vmar"]
    inner: dict[str, Any] = {**root, "children": []}
    for _ in range(255):
        inner = {**root, "children": [inner]}
    tree["processes"][0]["aspace"]["root_vmar"] = inner
    assert sys.getrecursionlimit() <= 3000
    assert read(tree).regions["depth"].max() == 255


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("", "line 1", "the end of the data"),
        ('{"format": "magmem-machine/1",\n "jobs": [', "line 2", "the end of the data"),
        ('{"format": "magmem-machine/1",\n "kmem": NaN}', "line 2, byte 10", "NaN"),
        ('{"format": "magmem-machine/1"} trailing', "line 1, byte 33", "trailing"),
        ('{"format": "magmem-machine/1", "x": ' + "[" * 100_000, "", "nesting too deep"),
        ("[]", "", "an array of 0 items"),
    ],
)
def test_broken_json_is_located(text: str, place: str, found: str) -> None:
    """What is not JSON names line and byte; NaN is not JSON."""
    with pytest.raises(CaptureError) as caught:
        parse_machine(text, "m.json")
    assert caught.value.place == place
    assert found in caught.value.found


def test_broken_utf8_is_located() -> None:
    """Bytes that are not UTF-8 name their line."""
    text = json.dumps(described(), indent=1).encode()
    at = text.index(b"bin/devmgr")
    with pytest.raises(CaptureError, match=r"line \d+, byte \d+: expected UTF-8 text"):
        parse_machine(text[:at] + b"\xff" + text[at:], "m.json")


def test_a_field_given_twice_counts_once() -> None:
    """Of a field that stands twice in a record the last one counts."""
    text = json.dumps(described()).replace('"free_bytes":', '"free_bytes": 1, "free_bytes":', 1)
    assert read(described()).equals(parse_machine(text, "m.json"))

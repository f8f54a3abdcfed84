"""JSON of later Fuchsia: memory_monitor's capture, and the digests of ffx profile memory."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import magmem
from magmem.captures.formats.charged import charge
from magmem.captures.read import _read
from magmem.captures.source import Source
from magmem.errors import CaptureError
from magmem.snapshot import Snapshot

SAMPLES = Path(__file__).parent.parent / "samples" / "fuchsia"
CAPTURE: dict[str, Any] = json.loads((SAMPLES / "19-mem-capture.json").read_text())
COMPONENTS: dict[str, Any] = json.loads((SAMPLES / "21-ffx-component-digest.json").read_text())
KB = 1024


def read(value: Any) -> Snapshot:
    """A snapshot of a value, or of JSON as it stands."""
    text = value if isinstance(value, str) else json.dumps(value)
    return _read(Source("later.json", text.encode()))


def refusal(value: Any) -> CaptureError:
    """The error that reading ends in."""
    with pytest.raises(CaptureError) as caught:
        read(value)
    return caught.value


def figures(snap: Snapshot, koid: int) -> tuple[Any, Any, Any]:
    """PSS, private and shared bytes of a process."""
    task = snap.tasks[snap.tasks.koid == koid].iloc[0]
    names = ("pss", "private", "shared")
    one, two, three = (task[f"reported_{name}_bytes"] for name in names)
    return one, two, three


def remarks(snap: Snapshot) -> str:
    """All notes."""
    return "\n".join(snap.notes.message)


def check_capture(snap: Snapshot) -> None:
    """The right answers of the sample: 64k of its own, 128k that two processes reach."""
    assert figures(snap, 9001) == ((64 + 128 // 2) * KB, 64 * KB, 128 * KB)
    assert figures(snap, 9002) == (128 // 2 * KB, 0, 128 * KB)
    vmos = snap.vmos.set_index("koid")
    assert vmos.reported_committed_bytes.to_dict() == {9101: 64 * KB, 9102: 128 * KB}
    assert vmos.size_bytes.to_dict() == {9101: 256 * KB, 9102: 128 * KB}
    assert vmos.name.to_dict() == {9101: "scudo:primary", 9102: "blob-1"}
    assert vmos.parent_koid[9101] == 9100
    assert snap.coverage["kmem"] == "complete"


def test_a_capture_of_memory_monitor() -> None:
    """Its VMOs are charged to whoever reaches them; its kernel statistics close to the byte."""
    snap = read(CAPTURE)
    check_capture(snap)
    kmem = snap.kmem.iloc[-1]
    uses = ("free", "wired", "total_heap", "vmo", "mmu_overhead", "other")
    assert sum(kmem[f"{use}_bytes"] for use in uses) == kmem.total_bytes == 1 << 30
    assert kmem.other_bytes == 16_580_608 + 196_608
    assert "no date" in remarks(snap)


def test_header_rows_lead() -> None:
    """Columns in any order, and one nobody knows, which is noted."""
    turned = copy.deepcopy(CAPTURE)
    turned["Vmos"] = [[*reversed(row), at] for at, row in enumerate(turned["Vmos"])]
    turned["Vmos"][0][-1] = "colour"
    turned["Processes"] = [list(reversed(row)) for row in turned["Processes"]]
    snap = read(turned)
    check_capture(snap)
    assert "'colour' is not one magmem reads" in remarks(snap)


def test_unknown_members_are_noted() -> None:
    """A member of a later version costs nothing else."""
    snap = read({**CAPTURE, "Weather": [1]})
    check_capture(snap)
    assert "'Weather'" in remarks(snap)


def test_a_capture_beside_its_buckets() -> None:
    """Buckets are rules: they are counted, and make no sizes."""
    snap = read({"Buckets": [{"name": "Blobs", "process": "", "vmo": "blob"}], "Capture": CAPTURE})
    check_capture(snap)
    assert "1 buckets are rules" in remarks(snap)


@pytest.mark.parametrize("between", ["\n", "", "\r\n  \n"])
def test_of_a_series_the_last_is_read(between: str) -> None:
    """With a note that counts them and tells how to read the first."""
    early = copy.deepcopy(CAPTURE)
    early["Vmos"][1][3] = 4096
    snap = read(between.join(map(json.dumps, (early, early, CAPTURE))))
    check_capture(snap)
    assert "3 captures" in remarks(snap)
    assert "jq -s '.[0]' later.json" in remarks(snap)


def test_a_series_that_is_cut_is_read_to_the_last_whole_one() -> None:
    """The end of a watch is often cut."""
    text = json.dumps(CAPTURE)
    check_capture(read(text + "\n" + text + "\n" + text[:50]))


def test_a_column_that_is_absent_is_unknown() -> None:
    """Without committed bytes nobody is charged 0; without parents nothing is a child."""
    bare = copy.deepcopy(CAPTURE)
    bare["Vmos"] = [row[:2] for row in bare["Vmos"]]
    snap = read(bare)
    assert all(value is pd.NA for value in figures(snap, 9001))
    assert snap.vmos.reported_committed_bytes.isna().all()


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        (lambda it: it["Vmos"].__setitem__(0, [1, 2, 3, 4, 5]), "Vmos[0]", "a header row"),
        (lambda it: it["Vmos"][0].__setitem__(0, "id"), "Vmos[0]", "the column 'koid'"),
        (lambda it: it["Vmos"][2].pop(), "Vmos[2]", "5 values"),
        (lambda it: it["Vmos"][1].__setitem__(3, -1), "Vmos[1].committed_bytes", "an integer"),
        (lambda it: it["Vmos"][1].__setitem__(0, 2**70), "Vmos[1].koid", "an integer"),
        (lambda it: it["Vmos"][1].__setitem__(1, 7), "Vmos[1].name", "a number of VmoNames"),
        (lambda it: it["Processes"][1].__setitem__(2, "x"), "Processes[1].vmos", "array of koids"),
        (lambda it: it["Processes"].append(it["Processes"][1]), "Processes[3]", "of its own"),
    ],
)
def test_a_broken_row_is_named(change: Any, place: str, expected: str) -> None:
    """With its place, what was expected and what was found."""
    broken = copy.deepcopy(CAPTURE)
    change(broken)
    error = refusal(broken)
    assert error.place == place
    assert expected in error.expected


def test_what_json_looks_like_is_told() -> None:
    """A capture without its VMOs is called one, and the member it lacks is named."""
    error = refusal({key: value for key, value in CAPTURE.items() if key != "Vmos"})
    assert "memory_monitor (it looks like one; the member Vmos is missing)" in error.expected


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_json_is_an_answer_or_one_error(data: st.DataObject) -> None:
    """Whatever is put in the place of any value."""
    value = copy.deepcopy(data.draw(st.sampled_from([CAPTURE, COMPONENTS])))
    at: Any = value
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    odd = [None, -1, 2**63, 1.5, "x", [], {}, [[]], [{}], True, "a (0)", {"a": None}]
    at[key] = data.draw(st.sampled_from(odd))
    try:
        snap = read(value)
    except CaptureError as error:
        told = (error.source, bool(error.expected))
    else:
        magmem.info(snap)
        told = ("later.json", True)
    assert told == ("later.json", True)


def test_a_digest_of_components() -> None:
    """Of a component with one process the figures are the process's; the kernel closes."""
    snap = read(COMPONENTS)
    assert figures(snap, 9001) == (128 * KB, 64 * KB, (192 - 64) * KB)
    assert snap.coverage["kmem"] == "complete"
    assert "'core/one'" in remarks(snap)
    assert "[blobs] 131072" in remarks(snap)


def test_figures_of_a_component_of_two_processes_are_nobodys() -> None:
    """Both processes are known, and the memory of neither."""
    two = copy.deepcopy(COMPONENTS)
    two["ComponentDigest"]["principals"][0]["processes"].append("two.cm (9002)")
    snap = read(two)
    assert snap.tasks.koid.to_list() == [9001, 9002]
    assert snap.tasks.reported_pss_bytes.isna().all()
    assert "pss 131072" in remarks(snap)


def test_zram_beside_other_is_told_from_zram_inside_it() -> None:
    """It is added to other only where the total asks for it."""
    beside = copy.deepcopy(COMPONENTS)
    memory = beside["ComponentDigest"]["kernel"]["memory_statistics"]
    memory["zram_bytes"], memory["free_bytes"] = 4096, memory["free_bytes"] - 4096
    assert read(beside).kmem.other_bytes.item() == 16_580_608 + 196_608 + 4096
    memory["free_bytes"] += 4096
    assert read(beside).kmem.other_bytes.item() == 16_580_608 + 196_608


def test_both_meanings_of_vmo() -> None:
    """A digest's kernel.vmo is what the listed VMOs leave; a rest of 0 tells only a bound."""
    kernel = {**CAPTURE["Kernel"], "vmo": 4096}
    digest = {"kernel": kernel, "total_committed_bytes_in_vmos": 402_653_184 - 4096}
    assert read({"CompleteDigest": digest}).kmem.vmo_bytes.item() == 402_653_184
    kernel["vmo"] = 8192
    snap = read({"CompleteDigest": digest})
    assert snap.kmem.vmo_bytes.isna().all()
    assert "4096 more than the total leaves" in remarks(snap)
    kernel["vmo"] = 0
    assert read({"CompleteDigest": digest}).kmem.vmo_bytes.isna().all()


def test_a_digest_of_processes() -> None:
    """The same records without a kernel."""
    process = {"koid": 7, "name": "a", "memory": {"private": 1, "scaled": 2, "total": 4}}
    snap = read({"ProcessDigest": {"process_data": [process], "capture_time": 5}})
    assert figures(snap, 7) == (2, 1, 3)
    assert snap.coverage["kmem"] == "absent"


@given(
    st.lists(st.lists(st.integers(1, 9), max_size=5), max_size=5),
    st.dictionaries(st.integers(1, 8), st.integers(0, 100)),
    st.dictionaries(st.integers(1, 9), st.integers(0, 9)),
)
def test_nothing_is_charged_twice(
    reaches: list[list[int]], committed: dict[int, int], parents: dict[int, int]
) -> None:
    """All shares of a VMO are at most its bytes, and miss less than a byte a sharer."""
    held = charge(reaches, committed, parents)
    total = sum(one.scaled_bytes or 0 for one in held)
    reached: set[int] = set()
    for koids in reaches:
        for koid in koids:
            at = koid
            while at in committed and at not in reached:
                reached.add(at)
                at = parents.get(at, 0)
    most = sum(committed[koid] for koid in reached)
    assert most - len(reached) * len(reaches) <= total <= most

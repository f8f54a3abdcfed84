"""Texts of later Fuchsia tools: their right answers, and what they never say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import magmem
from magmem.captures.transcript import read_transcript
from magmem.errors import CaptureError
from magmem.snapshot import Snapshot

SAMPLES = Path(__file__).parent.parent / "samples" / "fuchsia"
TEXTS = {path.name[:2]: path.read_text() for path in sorted(SAMPLES.glob("*.[tc][xs][tv]"))}
LATER = ("10", "11", "15", "17", "22", "24", "26", "28", "31", "34", "35")
KB, MB = 1024, 1 << 20


def read(text: str) -> Snapshot:
    """The text as the transcript `t`."""
    return read_transcript(text, "t")


def facts(snap: Snapshot) -> dict[str, str]:
    """Every table but the remarks, as text that can be compared."""
    tables = snap.tables().items()
    return {name: one.to_csv() for name, one in tables if name not in ("notes", "sources")}


def process(snap: Snapshot, koid: int) -> tuple[Any, Any, Any]:
    """PSS, private and shared bytes."""
    task = snap.tasks[snap.tasks.koid == koid].iloc[0]
    one, two, three = (task[f"reported_{name}_bytes"] for name in ("pss", "private", "shared"))
    return one, two, three


def notes(snap: Snapshot) -> str:
    """All remarks."""
    return "\n".join(snap.notes.message)


def test_vmos_that_is_cut() -> None:
    """The tool says that entries are cut off; so does a note, and nothing else is lost."""
    snap = read(TEXTS["10"])
    assert snap.vmos.reported_committed_bytes.to_list() == [640 * KB]
    assert snap.notes.kind.to_list() == ["truncated"]
    assert "12 entries of vmos" in notes(snap)


def test_vmos_with_compressed_bytes() -> None:
    """Uncompressed bytes are committed; compressed ones are told once a VMO; phys is physical."""
    snap = read(TEXTS["11"])
    vmos = snap.vmos.set_index("koid")
    assert vmos.reported_committed_bytes.dropna().to_dict() == {8100: 4 * KB, 8101: 28 * KB}
    assert vmos.kind[8110] == "physical"
    assert f"{8 * KB} bytes of compressed" in notes(snap)
    assert "contradiction" not in set(snap.notes.kind)


def test_a_mapping_on_two_lines() -> None:
    """Its VMO stands on a line of its own."""
    snap = read(TEXTS["15"])
    mapping = snap.regions[snap.regions.kind == "mapping"].iloc[0]
    assert (mapping.size_bytes, mapping.vmo_offset_bytes) == (8 * KB, 0)
    assert mapping.reported_resident_bytes == 4 * KB
    assert (mapping.perms, snap.vmos.name.item()) == ("rw-", "stack")


def test_a_mapping_of_later_years() -> None:
    """A line for each protection, and bytes in memory beside compressed ones."""
    lines = TEXTS["15"].split("\n")
    lines[0] = lines[0].replace("fl 0x1", "typ 1") + " destroyed 0"
    lines[2] = lines[2].replace("mmufl 0x1a", "state 2 mergeable true")
    protections = (
        "       [0xffffff9000000000 0xffffff9000000fff] mmufl 0x1a",
        "       [0xffffff9000001000 0xffffff9000001fff] mmufl 0xa",
    )
    lines[3] = lines[3].replace("pages 1", "bytes (4096/8192)")
    lines[4:5] = [
        "      vmo 0xffffff80015f8a40/k7 ref 1 parent 0x0/k0",
        "       cow_pages 0xffffff80015f8b40 size 0x2000 offset 0 limit 0x2000 content pages 1",
    ]
    lines[3] = lines[3].replace("/k0", "/k7")
    whole = read("\n".join([*lines[:3], protections[0], *lines[3:]]))
    mapping = whole.regions[whole.regions.kind == "mapping"].iloc[0]
    assert (mapping.perms, mapping.reported_resident_bytes) == ("rw-", 4 * KB)
    both = read("\n".join([*lines[:3], *protections, *lines[3:]]))
    assert both.regions[both.regions.kind == "mapping"].perms.isna().all()
    assert whole.vmos.koid.to_list() == [7]
    assert whole.vmos.reported_committed_bytes.isna().all()


def test_arenas_with_states_without_a_column() -> None:
    """They are named with their pages, also one that stands twice, and count in the sum."""
    snap = read(TEXTS["17"])
    assert (snap.arenas.free_pages.item(), snap.arenas.size_bytes.item()) == (700, 4 * MB)
    assert "ipc 5" in notes(snap)
    assert "contradiction" not in set(snap.notes.kind)
    row = "\t\tunknown      2                (8192 bytes)\n\t\tunknown      3     (12288 bytes)\n"
    text = TEXTS["17"].partition("\t\tipc")[0] + row
    hint = "\tsearch_hint 7\n\tpage states"
    later = read(text.replace(" priority 1", "").replace("\tpage states", hint))
    assert "unknown 5" in notes(later)
    assert "contradiction" not in set(later.notes.kind)
    assert later.arenas.priority.isna().all()


def test_ffx_text() -> None:
    """Sizes of two decimals; the groups of VMOs are kept in a note."""
    snap = read(TEXTS["22"])
    private, total = 60 * KB, 3 * MB // 2
    assert process(snap, 9001) == (90 * KB + KB // 2, private, total - private)
    assert "2 groups of VMOs of process 9001" in notes(snap)
    assert "[blobs] 0 B, 30.5 KiB, 1.44 MiB" in notes(snap)


def test_ffx_text_of_2025() -> None:
    """The process's figures are the first row of its table, committed before populated."""
    text = """Process name:         one.cm
Process koid:         9001
                   Private            Scaled             Total
            Committed Populated Committed Populated Committed Populated
    Total      4 KiB     8 KiB     6 KiB    10 KiB    12 KiB    16 KiB     (shared)

    Total      4 KiB     8 KiB     6 KiB    10 KiB    12 KiB    16 KiB     (shared)
"""
    snap = read(text)
    assert process(snap, 9001) == (6 * KB, 4 * KB, (12 - 4) * KB)
    assert "1 groups of VMOs" in notes(snap)


def test_the_summary_of_mem() -> None:
    """A process, and the kernel's lines; what is not printed stays unknown."""
    snap = read(TEXTS["24"])
    assert process(snap, 9001) == (128 * KB, 64 * KB, 128 * KB)
    assert snap.tasks.koid.to_list() == [9001]
    kmem = snap.kmem.iloc[0]
    assert (kmem.free_bytes, kmem.wired_bytes) == (512 * MB, 64 * MB)
    assert kmem[["total_bytes", "vmo_bytes", "other_bytes"]].isna().all()
    whole = read(TEXTS["24"] + " vmo 2M\n ipc 1M\n other 3M\n")
    assert whole.kmem.vmo_bytes.item() == (384 + 2) * MB
    assert whole.kmem.other_bytes.item() == (3 + 1) * MB


def test_one_figure_is_private_and_total() -> None:
    """Nothing is shared by a process of which one figure is printed, whatever its name holds."""
    snap = read("Time: 1 VMO: 1M Free: 1M\na b<c>: #1<7> 64K\n x 64K\n")
    assert process(snap, 7) == (64 * KB, 64 * KB, 0)
    assert snap.tasks.name.item() == "a b<c>: #1"


def test_csv_of_a_digest() -> None:
    """Buckets are no processes; free memory is a figure of the kernel."""
    snap = read(TEXTS["26"])
    assert snap.kmem.free_bytes.item() == 512 * MB
    assert not len(snap.tasks)
    assert "a digest, with no processes in it" in notes(snap)


def test_csv_of_processes_is_a_series() -> None:
    """Names may hold commas; the last time counts; koid 1 of the name kernel is no process."""
    row = "{},9001,a, b,{},20,30\n{},1,kernel,5,5,5\n"
    snap = read(row.format(7, 9, 7) + row.format(8, 10, 8))
    assert process(snap, 9001) == (20, 10, 20)
    assert (snap.tasks.name.item(), len(snap.tasks)) == ("a, b", 1)
    assert "2 times" in notes(snap)


def test_the_debuggers_address_space() -> None:
    """Ranges tell the sizes and what lies below what; the pages are the mapping's."""
    snap = read(TEXTS["28"])
    assert snap.aspaces.process_koid.to_list() == [9001]
    assert snap.regions.kind.to_list() == ["vmar", "mapping"]
    mapping = snap.regions.iloc[1]
    assert (mapping.size_bytes, mapping.reported_resident_bytes) == (64 * KB, 5 * 4 * KB)
    assert snap.vmos.koid.to_list() == [9101]
    assert snap.vmos.size_bytes.isna().all()
    wrong = read(TEXTS["28"].replace("pages: 5", "pages: 6"))
    assert "contradiction" in set(wrong.notes.kind)


def test_a_log_of_memory_pressure() -> None:
    """Free memory is cut to whole megabytes; the state is a word, not a figure."""
    snap = read(TEXTS["31"])
    assert snap.kmem.free_bytes.item() == 48 * MB
    assert snap.kmem.total_bytes.isna().all()
    assert "the last state is OutOfMemory" in notes(snap)


def test_the_kernels_heap() -> None:
    """All of it, and what is free in it; cached free is inside."""
    snap = read(TEXTS["34"])
    assert snap.kmem.total_heap_bytes.item() == 1_048_576
    assert snap.kmem.free_heap_bytes.item() == 409_600


def test_arenas_at_boot() -> None:
    """Two of one address are two; their pages are unknown."""
    snap = read(TEXTS["35"])
    assert snap.arenas.base.to_list() == [0x100000, 0x100000000]
    assert snap.arenas.size_bytes.to_list() == [0x7F00000, 0x8000000]
    assert snap.arenas.free_pages.isna().all()


@pytest.mark.parametrize("name", LATER)
def test_line_ends_and_logs_change_nothing(name: str) -> None:
    """CRLF, and the prefix of ffx log where the text has none."""
    want = facts(read(TEXTS[name]))
    assert facts(read(TEXTS[name].replace("\n", "\r\n"))) == want
    if not TEXTS[name].startswith("["):
        lines = TEXTS[name].rstrip("\n").split("\n")
        assert facts(read("\n".join("[41.380][klog][klog][I] " + line for line in lines))) == want


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_hurt_texts_are_read_or_refused(data: st.DataObject) -> None:
    """Characters and lines lost, doubled or replaced end in a snapshot or in one error."""
    text = TEXTS[data.draw(st.sampled_from(LATER))]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(text) - 1)))
        end = at + data.draw(st.integers(0, 30))
        text = (
            text[:at]
            + data.draw(st.sampled_from(["", "9", " ", "\n", "x", "...", "-"]))
            + text[end:]
        )
    place = "line"
    try:
        magmem.info(read(text))
    except CaptureError as error:
        place = error.place or "line"
    assert place.startswith("line")

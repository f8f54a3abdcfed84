"""Saved texts of Linux and Android: right answers, damage, and that nothing is made up."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.damage import reads_or_refuses
from support.hurt_text import hurt_text

import magmem
from magmem.captures.read import read_capture
from magmem.captures.reading.lines import batches, split_lines
from magmem.captures.transcript import read_batches, read_transcript
from magmem.errors import CaptureError
from magmem.snapshot import Snapshot

SAMPLES = Path(__file__).parent.parent / "samples" / "linux"
REPORT = (SAMPLES / "sections" / "bugreport.txt").read_text(encoding="utf-8")
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(SAMPLES.glob("*.txt"))}
KIB = 1024
PAGE = 4096


def read(text: str) -> Snapshot:
    """The text as the transcript `t`."""
    return read_transcript(text, "t")


def facts(snap: Snapshot) -> dict[str, str]:
    """Every table but the remarks, as text that can be compared."""
    tables = snap.tables().items()
    return {name: frame.to_csv() for name, frame in tables if name not in ("notes", "sources")}


def total(snap: Snapshot, column: str) -> int:
    """The sum of a reported figure over all processes, KiB; every process has to have it."""
    values = snap.processes[f"reported_{column}_bytes"]
    assert values.notna().all()
    return int(values.sum()) // KIB


def said(snap: Snapshot) -> str:
    """All notes as one text."""
    return "\n".join(snap.notes["message"])


def test_smaps_of_android() -> None:
    """One process of unknown pid; its figures are the sums of its mappings', pools stand apart."""
    snap = read(TEXTS["smaps-android"])
    assert len(snap.processes) == 1
    assert "no line tells the pid" in said(snap)
    assert snap.processes["name"].isna().all()
    mappings = snap.regions[snap.regions["kind"] == "mapping"]
    assert len(mappings) == 5
    assert mappings["size_bytes"].sum() == (32768 + 2048 + 4096 + 192 + 132) * KIB
    assert total(snap, "resident") == 12288 + 1536 + 0 + 160 + 44
    assert total(snap, "pss") == 11264 + 853 + 64 + 44
    assert total(snap, "private") == (32) + (10240 + 512 + 44)
    assert total(snap, "swap") == 4096
    assert total(snap, "swap_pss") == 3072
    assert mappings["reported_swap_bytes"].sum() == 4096 * KIB
    assert any(name.startswith("[anon:dalvik-main space (reg") for name in snap.vmos["name"])
    # The file with 32 kB of private dirty pages, none anonymous, has no clone.
    assert not snap.vmos["is_clone"].fillna(False).any()


def test_meminfo_with_pool_and_zram() -> None:
    """Every part by its counter; what no counter tells is other; swap is a figure of its own."""
    kmem = read(TEXTS["meminfo-hugetlb-zram"]).kmem.iloc[-1]
    assert kmem["total_bytes"] == 7_500_000 * KIB
    assert kmem["free_bytes"] == 1_200_000 * KIB
    assert kmem["vmo_bytes"] == (1_475_000 + 3_270_000 + 60_000) * KIB
    assert kmem["total_heap_bytes"] == 480_000 * KIB
    assert kmem["mmu_overhead_bytes"] == 60_000 * KIB
    wired = 90_000 + 16_000 + 512_000 + 45_000 * 4 + (310_000 - 300_000)
    assert kmem["wired_bytes"] == wired * KIB
    assert kmem["other_bytes"] == 147_000 * KIB
    assert kmem["swap_total_bytes"] - kmem["swap_free_bytes"] == 600_000 * KIB
    assert kmem["swap_memory_bytes"] == 45_000 * PAGE


def test_procrank_with_zram() -> None:
    """Totals as printed, swap shared and in full, and what it takes of RAM."""
    snap = read(TEXTS["procrank-zram"])
    assert total(snap, "pss") == 268_000
    assert total(snap, "private") == 230_400
    assert total(snap, "swap") == 29_640
    assert total(snap, "swap_pss") == 28_740
    assert snap.kmem["swap_memory_bytes"].tolist() == [8_700 * KIB]
    assert snap.coverage["processes"] == "complete"


def test_showmap() -> None:
    """A row is a name; the process has the sums, and no mapping has an address."""
    snap = read(TEXTS["showmap"])
    assert len(snap.processes) == 1
    assert total(snap, "virtual") == 219_136
    assert total(snap, "resident") == 37_880
    assert total(snap, "pss") == 30_596
    assert total(snap, "private") == 200 + 27_232
    assert total(snap, "swap") == 10_752
    assert total(snap, "swap_pss") == 8_704
    assert len(snap.vmos) == 5
    assert snap.regions["base"].isna().all()
    assert "5 names of 28 mappings" in said(snap)


def test_dumpsys_of_the_device() -> None:
    """Each process once, with SwapPss in its PSS; USS and RSS are unknown."""
    snap = read(TEXTS["dumpsys-meminfo-device"])
    assert snap.processes["koid"].tolist() == [1201, 1433, 1760, 402, 1899]
    assert total(snap, "pss") == 370_000
    for column in ("private", "resident", "swap", "swap_pss"):
        assert snap.processes[f"reported_{column}_bytes"].isna().all()
    assert f"{370_000 - 345_000:,}K of 370,000K are SwapPss" in said(snap)
    assert "lost 83,000K" in said(snap)
    assert snap.kmem["free_bytes"].tolist() == [250_000 * KIB]
    assert snap.kmem["swap_memory_bytes"].tolist() == [12_000 * KIB]


def test_dumpsys_of_a_package() -> None:
    """TOTAL holds SwapPss; the process is shown with what is in memory."""
    snap = read(TEXTS["dumpsys-meminfo-app"])
    assert snap.processes["koid"].tolist() == [1433]
    assert total(snap, "pss") == 47_500 - 4_000
    assert total(snap, "private") == 34_940 + 3_000
    assert total(snap, "resident") == 92_000
    assert total(snap, "swap_pss") == 4_000


def test_kernel_out_of_memory_report() -> None:
    """Pages of the task table; what is left of RAM after all counters is other."""
    snap = read(TEXTS["oom-global-6.8"])
    tasks = snap.processes.set_index("koid")
    assert len(tasks) == 5
    assert tasks.loc[780, "name"] == "web render"
    assert tasks.loc[780, "reported_resident_bytes"] == 440_520 * PAGE
    assert tasks["reported_swap_bytes"].sum() == 199_800 * PAGE
    kmem = snap.kmem.iloc[-1]
    assert kmem["total_bytes"] == 2_097_152 * KIB
    assert kmem["free_bytes"] == 12_000 * PAGE
    assert kmem["vmo_bytes"] == 447_500 * PAGE
    assert kmem["wired_bytes"] == 49_152 * KIB + (600 + 200) * PAGE
    assert kmem["other_bytes"] == 32_200 * PAGE
    assert tasks["reported_pss_bytes"].isna().all()


def test_control_group() -> None:
    """The charge is the group's own figure, shown by parts; no process is told."""
    snap = read(TEXTS["cgroup-v2"])
    assert len(snap.processes) == 0
    jobs = snap.jobs.dropna(subset=["reported_resident_bytes"])
    assert jobs["reported_resident_bytes"].tolist() == [268_435_456]
    assert jobs["reported_swap_bytes"].tolist() == [16_777_216]
    assert f"working set (less inactive_file) {268_435_456 - 41_943_040:,}" in said(snap)
    assert "are in no part" not in said(snap)


def test_ps_aux_and_free() -> None:
    """Commands keep blanks and brackets; the list may be cut; free is in the unit asked for."""
    snap = read(TEXTS["ps-aux-and-free"])
    assert total(snap, "resident") == 512_000 + 204_800 + 8_192 + 0 + 4_096
    names = snap.processes["name"].tolist()
    assert names[1] == "postgres: writer: lab 10.0.0.7(5123) idle"
    assert names[3] == "[kworker/0:1H-kblockd]"
    assert snap.coverage["processes"] == "partial"
    assert snap.kmem["free_bytes"].tolist() == [650 * KIB**2]


def test_smem_with_totals() -> None:
    """The row below the rule is the total, and no process."""
    snap = read(TEXTS["smem-t"])
    assert snap.processes["koid"].tolist() == [4100, 3001, 4108, 4107]
    assert total(snap, "private") == 48_092
    assert total(snap, "pss") == 62_504
    assert total(snap, "resident") == 94_172
    assert total(snap, "swap") == 2_060
    wrong = read(TEXTS["smem-t"].replace("62504", "92504"))
    assert "contradiction" in set(wrong.notes["kind"])


@pytest.mark.parametrize("name", TEXTS)
def test_chunks_and_line_ends_change_nothing(name: str) -> None:
    """Wherever a chunk ends, and with the line ends of Windows, the rows are the same."""
    text = TEXTS[name].replace("\n", "\r\n")
    for size in (7, 512):
        chunks = (text[at : at + size] for at in range(0, len(text), size))
        assert facts(read_batches(batches(chunks), "t")) == facts(read(TEXTS[name]))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    "prefix",
    ["[00041.380] ", "<6>[   41.380000] ", "Mar 27 01:15:36 host kernel: ", "I/lab     ( 1234): "],
)
def test_prefixes_of_logs_are_taken_off(name: str, prefix: str) -> None:
    """Behind a prefix stands the line as it was printed."""
    text = "\n".join(prefix + line for line in split_lines(TEXTS[name]))
    assert facts(read(text)) == facts(read(TEXTS[name]))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_hurt_texts_are_read_or_refused(data: st.DataObject) -> None:
    """Whatever happened to a text, it is a valid snapshot or one error that names the file."""
    text = data.draw(hurt_text(data.draw(st.sampled_from(sorted(TEXTS.values())))))
    reads_or_refuses(lambda: read(text))


def test_two_processes_of_smaps_are_not_one() -> None:
    """A mapping where another lies begins the next process."""
    text = TEXTS["smaps-android"]
    snap = read(text + text)
    assert len(snap.processes) == 2
    assert total(snap, "pss") == 2 * 12_225


def test_smaps_knows_its_process_from_the_command() -> None:
    """A prompt with the path tells the pid."""
    snap = read("user@lab:~$ cat /proc/321/smaps\n" + TEXTS["smaps-android"])
    assert snap.processes["koid"].tolist() == [321]
    assert "no line tells the pid" not in said(snap)


def test_a_missing_figure_is_unknown() -> None:
    """A kernel without SwapPss makes it missing, not 0; a broken line costs its figure."""
    text = "\n".join(line for line in TEXTS["smaps-android"].split("\n") if "SwapPss" not in line)
    snap = read(text)
    assert snap.processes["reported_swap_pss_bytes"].isna().all()
    assert total(snap, "swap") == 4096


def test_a_mapping_without_its_fields_is_refused_by_line() -> None:
    """A line that is nearly a mapping is an error that names it."""
    with pytest.raises(CaptureError, match="START-END PERMS"):
        read(TEXTS["smaps-android"].replace("6f200000 rw-s 00000000", "6f200000 rw-s 0000000z"))


def test_bugreport_is_one_snapshot_of_its_sections() -> None:
    """Each process is told by the best section, the machine by meminfo, logs by none."""
    snap = read(REPORT)
    tasks = snap.processes.set_index("koid")
    pss = tasks["reported_pss_bytes"] // KIB
    assert pss[402] == 30_596  # showmap
    assert pss[1201] == 151_000  # procrank, not the 150,000 of dumpsys
    assert pss[1899] == 30_000  # dumpsys alone has it
    assert tasks.loc[77, "name"] == "init_helper"  # top alone, out of place
    assert tasks.loc[77, "reported_resident_bytes"] == 2 * KIB**2
    assert tasks["reported_pss_bytes"].isna().sum() == 1
    assert tasks.loc[402, "name"] == "/system/bin/surfaced"
    assert snap.kmem["total_bytes"].tolist() == [7_500_000 * KIB]
    assert "a better source" in said(snap)
    assert "contradiction" not in set(snap.notes["kind"])


def test_a_broken_line_of_a_section_costs_itself() -> None:
    """The report is read all the same, with a note."""
    snap = read(REPORT.replace(" 1433  3100000K  141000K", " 1433  3100000X  141000K"))
    assert len(snap.processes) == 6
    assert "passed over" in said(snap)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_hurt_bugreports_are_read_or_refused(data: st.DataObject) -> None:
    """Whatever happened to it."""
    text = data.draw(hurt_text(REPORT))
    reads_or_refuses(lambda: read(text))


def test_bugreport_in_a_zip(tmp_path: Path) -> None:
    """Its main_entry.txt names the text; a zip without one text says what was found."""
    path = tmp_path / "bugreport.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("bugreport-lab.txt", REPORT)
        packed.writestr("version.txt", "2.0")
        packed.writestr("main_entry.txt", "bugreport-lab.txt\n")
    assert len(read_capture(path).processes) == 6
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("one.txt", "1")
        packed.writestr("two.txt", "2")
    with pytest.raises(CaptureError, match="found 2 of them"):
        read_capture(path)
    path.write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(CaptureError, match="zip that can be unpacked"):
        read_capture(path)


@pytest.mark.parametrize("text", [*TEXTS.values(), REPORT], ids=[*TEXTS, "bugreport"])
@pytest.mark.parametrize("tool", ["info", "ps", "treemap", "ledger", "diff"])
def test_every_tool_answers_or_says_what_is_missing(tool: str, text: str) -> None:
    """Whatever a text lacks is told by one error of magmem's own."""
    snap = read(text)
    try:
        answer = magmem.diff(snap, snap) if tool == "diff" else getattr(magmem, tool)(snap)
    except magmem.MissingData:
        assert tool in ("ps", "treemap")
    else:
        assert answer.text if hasattr(answer, "text") else answer is not None

"""Facts that real captures must read back as; the files stand beside the project, not in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.shared import captures

from magmem.captures.transcript import read_transcript
from magmem.snapshot import Snapshot

KIB = 1024
MIB = 1024 * 1024


def read(name: str) -> Snapshot:
    """The capture of that name, without its `.txt`."""
    path = captures() / f"{name}.txt"
    return read_transcript(path.read_text(encoding="utf-8"), path.name)


def tasks(snap: Snapshot) -> dict[int, Any]:
    """Rows of the tasks table by koid."""
    return {row.koid: row for row in snap.tasks.itertuples()}


def notes(snap: Snapshot, kind: str) -> pd.DataFrame:
    """The notes of one kind."""
    return snap.notes[snap.notes["kind"] == kind]


def test_every_capture_has_facts_here() -> None:
    """Each text capture is read by a test of this file."""
    tested = Path(__file__).read_text(encoding="utf-8")
    for path in captures().glob("*.txt"):
        assert f'"{path.stem}"' in tested


@pytest.mark.parametrize(
    "name",
    [
        "k-asd-kernel-2017-06",
        "k-vmos-2017-05-handles",
        "k-vmos-2017-05-klog",
        "kernel-console-riscv-2017-06",
        "kstats-m-2017-06",
        "oom-lowmem-2017-07",
        "pmm-arenas-riscv-2017-06",
        "ps-2017-04-virt-res",
        "ps-2017-09",
        "ps-2022-state-column",
        "ps-J-2018-07",
        "vmaps-2017-04-no-vmo-column",
        "vmaps-2017-06",
        "vmm-aspaces-riscv-2017-06",
        "vmos-2017-06",
    ],
)
def test_captures_contradict_nothing_and_give_their_place(name: str) -> None:
    """A genuine capture has no contradiction, and its sources row names the file and its lines."""
    snap = read(name)
    assert not len(notes(snap, "contradiction"))
    assert set(snap.sources["source"]) == {f"{name}.txt"}
    assert (snap.sources["first_line"] >= 1).all()
    assert (snap.sources["last_line"] >= snap.sources["first_line"]).all()


def test_ps_of_2017_09() -> None:
    """Twelve processes share 28k: each PSS is 28k / 12 above PRIVATE, as far as it is printed."""
    snap = read("ps-2017-09")
    processes = snap.processes
    assert len(processes) == 12
    assert (processes["reported_shared_bytes"] == 28 * KIB).all()
    above = processes["reported_pss_bytes"] - processes["reported_private_bytes"]
    fine = (processes["reported_pss_bytes"] < 10000 * KIB).to_numpy()
    assert ((above[fine] - 28 * KIB / 12).abs() <= 75).all()
    assert fine.sum() == 11
    assert tasks(snap)[1916].reported_pss_bytes == round(24.4 * MIB)
    assert tasks(snap)[1082].parent_koid == 1028
    assert snap.root_job_koid == 1028
    assert snap.knows("jobs", "processes")
    assert snap.coverage["threads"] == "absent"


def test_ps_of_virt_and_res() -> None:
    """An older ps has VIRT and RES and jobs without sums; the root job is not shown."""
    snap = read("ps-2017-04-virt-res")
    assert (len(snap.jobs), len(snap.processes)) == (2, 14)
    rows = tasks(snap)
    assert rows[1041].reported_virtual_bytes == round(16.2 * MIB)
    assert rows[1041].reported_resident_bytes == 1716 * KIB
    assert rows[1068].name == "magenta-drivers"
    assert rows[3183].parent_koid == 1082
    assert pd.isna(rows[1041].parent_koid)
    assert snap.tasks["reported_pss_bytes"].isna().all()
    assert snap.jobs["reported_virtual_bytes"].isna().all()
    assert snap.root_job_koid is None


def test_ps_of_jobs_alone() -> None:
    """`ps -J` nests jobs deeply, some without a name, and tells nothing of processes."""
    snap = read("ps-J-2018-07")
    rows = tasks(snap)
    assert len(snap.jobs) == len(snap.tasks) == 28
    assert rows[5973].name == "tcp:22"
    assert [rows[5973].parent_koid, rows[5705].parent_koid, rows[3609].parent_koid] == [
        5705,
        3609,
        3347,
    ]
    assert rows[5973].reported_pss_bytes == 0
    assert rows[7193].name == ""
    assert rows[1029].reported_pss_bytes == round(134.8 * MIB)
    assert snap.coverage["jobs"] == "complete"
    assert snap.coverage["processes"] == "absent"


def test_ps_with_state_and_blank_after_colon() -> None:
    """The later form reads the same; without its closing header it is not complete."""
    snap = read("ps-2022-state-column")
    rows = tasks(snap)
    assert (len(snap.jobs), len(snap.processes)) == (10, 14)
    assert rows[1061].name == "bin/bootsvc"
    assert rows[1061].reported_shared_bytes == 36 * KIB
    assert (rows[1479].name, rows[1027].name) == ("", "root")
    assert rows[10475].parent_koid == 2364
    assert rows[6544].reported_private_bytes == round(252.1 * MIB)
    assert snap.coverage["processes"] == "partial"
    assert len(notes(snap, "truncated")) == 1


def test_vmaps_without_vmo_column() -> None:
    """Mappings without a VMO column map a VMO that is not known, of the process asked for."""
    snap = read("vmaps-2017-04-no-vmo-column")
    assert list(snap.aspaces["process_koid"]) == [3020]
    assert snap.aspaces["name"][0] == "unnamed"
    assert len(snap.regions) == 18
    assert len(snap.vmos) == 0
    assert snap.mappings["vmo"].isna().all()
    assert (
        snap.mappings["reported_resident_bytes"].sum()
        == (132 + 8 + 4 + 4 + 28 + 4 + 4 + 16 + 32 + 4 + 20 + 4) * KIB
    )
    assert list(snap.regions["depth"][:4]) == [0, 1, 2, 2]
    assert len(notes(snap, "elided")) == 1
    assert snap.coverage["mappings"] == "partial"


def test_vmaps_of_2017_06() -> None:
    """With the VMO column, two mappings of one VMO meet in one row."""
    snap = read("vmaps-2017-06")
    koids = snap.vmos.set_index("koid")["name"].to_dict()
    assert koids == {
        2535: "libmxio.so",
        2537: "libmxio.so",
        2542: "mmap-anonymous",
        2538: "",
        2513: "initial-stack",
        1031: "vdso/full",
        2476: "/boot/bin/sh",
        2517: "/boot/bin/sh",
    }
    assert len(snap.mappings) == 11
    assert snap.aspaces["base"][0] == 0x1000000
    assert snap.aspaces["size_bytes"][0] == 0x7FFFFEFFF000
    assert snap.mappings["size_bytes"].sum() == (88 + 4 + 8 + 2048 + 256 * 2 + 28 + 144) * KIB
    assert snap.vmos["size_bytes"].isna().all()


def test_vmos_of_2017_06() -> None:
    """Handles come with rights, mappings without a place; what was left out is noted."""
    snap = read("vmos-2017-06")
    assert list(snap.vmos["koid"]) == [1170, 1031, 1298, 1381, 1233, 1237, 1153, 1158, 1159]
    assert list(snap.handles["koid"]) == [1170, 1031]
    assert list(snap.handles["rights"]) == [0x3F, 0x37]
    assert len(snap.regions) == 7
    assert snap.regions["base"].isna().all()
    clone = snap.vmos[snap.vmos["koid"] == 1237].iloc[0]
    assert clone["parent_koid"] == 1233
    assert snap.vmos["koid"][clone["parent"]] == 1233
    assert list(snap.vmos["is_clone"]) == [False] * 4 + [True] * 4 + [False]
    assert snap.vmos["size_bytes"][4] == round(33.6 * KIB)
    assert not snap.vmos["pages_known"].any()


def test_kernel_vmos_with_handle_values() -> None:
    """`k vmos KOID` gives handle values; its totals agree with its rows."""
    snap = read("k-vmos-2017-05-handles")
    assert list(snap.handles["value"]) == [158288097, 151472261]
    assert set(snap.handles["process_koid"]) == {1102}
    assert len(snap.vmos) == 9
    assert len(snap.regions) == 8
    twice = snap.vmos.index[snap.vmos["koid"] == 1146][0]
    assert (snap.regions["vmo"] == twice).sum() == 2
    assert (snap.vmos["name"] == "").all()


def test_kernel_vmos_behind_log_prefixes() -> None:
    """The header tells another order of columns, and that there is no #shr."""
    snap = read("k-vmos-2017-05-klog")
    vdso = snap.vmos[snap.vmos["koid"] == 1031].iloc[0]
    assert vdso["reported_num_mappings"] == 22
    assert vdso["reported_num_children"] == 0
    assert vdso["size_bytes"] == 32 * KIB
    assert snap.vmos["reported_share_count"].isna().all()
    clone = snap.vmos[snap.vmos["koid"] == 1133].iloc[0]
    assert clone["parent_koid"] == 1129
    assert list(snap.handles["value"]) == [1686510157, 1692801539]


def test_kstats_of_2017_06() -> None:
    """The seven columns add up; a second report that is elided gives no row."""
    snap = read("kstats-m-2017-06")
    assert len(snap.kmem) == 1
    row = snap.kmem.iloc[0]
    assert row["timestamp"] == snap.timestamp_iso == "2017-06-07T05:51:08.021Z"
    parts = ["free_bytes", "vmo_bytes", "total_heap_bytes", "wired_bytes", "mmu_overhead_bytes"]
    tenths = 19438 + 207 + (11 + 9) + 726 + 78
    assert tenths == 20469
    assert abs(row["total_bytes"] - sum(row[part] for part in parts)) <= 5
    assert row["total_bytes"] == round(2046.9 * MIB)
    assert pd.isna(row["other_bytes"])
    assert snap.coverage["kmem"] == "partial"
    assert snap.sources["rounded"][0]


def test_asd_of_the_kernel() -> None:
    """VMOs without koid are told apart by address; objects are physical; a broken word is read."""
    snap = read("k-asd-kernel-2017-06")
    assert list(snap.vmos["addr"]) == [0xFFFFFF80015F8890, 0xFFFFFF80015F8A40, 0xFFFFFF80015F8BD0]
    assert list(snap.vmos["kind"]) == ["paged", "physical", "physical"]
    assert list(snap.vmos["phys_base"][1:]) == [0x7FFE2000, 0xFED00000]
    assert (snap.vmos["koid"] == 0).all()
    assert list(snap.mappings["arch_mmu_flags"]) == [0x18, 0x18, 0x1A]
    assert list(snap.mappings["size_bytes"]) == [0x1000000000, 0x1000, 0x1000]
    assert snap.aspaces["ref"][0] == 71
    assert snap.coverage["kernel mappings"] == "partial"


def test_vmm_aspaces_of_riscv() -> None:
    """Distinct VMOs hold 8229 pages, 8199 without userboot and the vDSO, whose pages are wired."""
    snap = read("vmm-aspaces-riscv-2017-06")
    pages = snap.vmos["reported_committed_bytes"] // 4096
    assert pages.sum() == 8229
    wired = snap.vmos["name"].isin(["userboot", "vdso/full"])
    assert sorted(pages[wired]) == [7, 23]
    assert pages[~wired].sum() == 8199
    assert list(snap.aspaces["name"]) == ["kernel", "proc:1029"]
    assert (len(snap.mappings), len(snap.vmos)) == (17, 14)
    assert snap.knows("mappings", "kernel mappings")
    userboot = snap.vmos.index[snap.vmos["koid"] == 1034][0]
    told = snap.regions[snap.regions["vmo"] == userboot]
    assert list(told["vmo_offset_bytes"]) == [0, 0x2000]
    assert list(told["perms"]) == ["r--", "r-x"]
    assert notes(snap, "repaired")["place"].tolist() == ["line 20"]


def test_pmm_arenas_of_riscv() -> None:
    """The page states of the one arena add up to its 520192 pages."""
    snap = read("pmm-arenas-riscv-2017-06")
    arena = snap.arenas.iloc[0]
    states = [507279, 25, 4427, 256, 8205, 0]
    names = ["free", "alloc", "wired", "heap", "object", "mmu"]
    assert [arena[f"{name}_pages"] for name in names] == states
    assert sum(states) == 520192 == arena["size_bytes"] // 4096 == 0x7F000000 // 4096
    assert (arena["name"], arena["base"], arena["free_count"]) == ("SDRAM", 0x80800000, 507279)
    assert snap.knows("arenas")


def test_kernel_console_of_riscv() -> None:
    """One console session is one snapshot: 6 of 8205 object pages are mapped nowhere."""
    snap = read("kernel-console-riscv-2017-06")
    pages = snap.vmos["reported_committed_bytes"] // 4096
    wired = snap.vmos["name"].isin(["userboot", "vdso/full"])
    assert snap.arenas["object_pages"][0] - pages[~wired].sum() == 6
    assert list(snap.sources["dump"]) == ["vmm aspaces", "thread list", "pmm arenas"]
    assert snap.knows("mappings", "kernel mappings", "arenas")
    rows = tasks(snap)
    assert (rows[1029].kind, rows[1029].name) == ("process", "userboot")
    assert (rows[1036].kind, rows[1036].parent_koid) == ("thread", 1029)
    skipped = notes(snap, "skipped")
    assert list(skipped["place"]) == ["line 2"]


def test_oom_report() -> None:
    """Free and total memory, mapped bytes per process, jobs, and who is in the one killed."""
    snap = read("oom-lowmem-2017-07")
    assert snap.kmem["free_bytes"][0] == round(5915.8 * MIB)
    assert snap.kmem["total_bytes"][0] == round(8072.4 * MIB)
    rows = tasks(snap)
    assert (len(snap.processes), len(snap.jobs)) == (8, 6)
    assert rows[1043].reported_resident_bytes == 397 * MIB
    assert rows[28708].name == "flutter:armadillo_user_... (+3)"
    assert (rows[32093].parent_koid, rows[32093].state) == (29254, "running")
    assert pd.isna(rows[1043].parent_koid)
    assert rows[57930].name == "story-8cf82cb9f742d9ecc77f1d449"
    assert snap.processes["reported_resident_bytes"].sum() == 1060 * MIB
    assert snap.coverage["processes"] == snap.coverage["kmem"] == "partial"


def test_the_guide_itself() -> None:
    """The guide's prose is a capture too, though its ps lost its header and a word is broken."""
    path = captures().parent / "seed" / "memory-and-resource-usage.txt"
    if not path.is_file():
        pytest.skip("the guide is not beside this checkout")
    snap = read_transcript(path.read_text(encoding="utf-8"), path.name)
    assert list(snap.sources["dump"]) == ["ps", "vmaps", "vmos", "kstats", "asd"]
    rows = tasks(snap)
    assert rows[1209].reported_pss_bytes == round(774.3 * KIB)
    assert rows[2441].name == "/boot/bin/ps"
    assert rows[1028].name == "root"
    assert pd.isna(rows[2470].name)
    assert pd.isna(rows[2470].parent_koid)
    assert sorted(snap.aspaces["process_koid"].dropna()) == [1118, 2470]
    assert len(snap.vmos) == 3 + 8 + 9 - 1  # asd, vmaps, vmos; 1031 is in two of them
    vdso = snap.vmos[snap.vmos["koid"] == 1031].iloc[0]
    assert (vdso["name"], vdso["reported_share_count"]) == ("vdso/full", 14)
    lost = snap.vmos[snap.vmos["koid"].isin([1233, 1237, 1153, 1158, 1159])]
    assert lost["name"].isna().all()
    assert snap.kmem["total_bytes"][0] == round(2046.9 * MIB)
    assert snap.coverage["jobs"] == snap.coverage["processes"] == "complete"
    assert snap.root_job_koid == 1028
    assert not len(notes(snap, "contradiction"))

"""Where a capture does not tell what a tool needs, the tool says so instead of guessing."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from support.shared import captures, goldens

import magmem
from magmem.captures.transcript import read_transcript
from magmem.errors import MissingData
from magmem.snapshot import Snapshot

TASKS: dict[str, Any] = {
    "koid": [1, 5, 9],
    "kind": ["job", "process", "thread"],
    "parent_koid": [None, 1, 5],
    "name": ["root", "sh", None],
    "state": [None, "running", None],
    "exception_port": [None, None, None],
}


def snapshot(coverage: dict[str, Any] | None = None, **tables: Any) -> Snapshot:
    """One job, process and thread, and what else is given."""
    known: dict[str, Any] = {"jobs": "complete", "processes": "complete", "threads": "complete"}
    return Snapshot.of(
        {"tasks": TASKS, **tables}, root_job_koid=1, coverage=known | (coverage or {})
    )


@pytest.mark.parametrize(
    ("message", "ask"),
    [
        ("no mappings: ps needs the mappings of every process, or what ps", magmem.ps),
        ("no mappings: memgraph needs the mappings of every process", magmem.memgraph),
        ("no mappings: vmaps needs the address space of process 5", lambda s: magmem.vmaps(s, 5)),
        (
            "no VMOs of that process: vmos needs handles and mappings of process 5",
            lambda s: magmem.vmos(s, 5),
        ),
        (
            "no VMOs of that process: k vmos needs handles and mappings of process 5",
            lambda s: magmem.k_vmos(s, 5),
        ),
        (
            "no VMOs: k vmos all needs every VMO of the machine",
            lambda s: magmem.k_vmos(s, "all"),
        ),
        ("no handles: k ps needs the handles of every process", magmem.k_ps),
        ("no handles: k ht needs the handles of process 5", lambda s: magmem.k_ht(s, 5)),
        ("no job importance: k jobs needs the order of the jobs", magmem.k_jobs),
        (
            "no mappings: k asd 5 needs the address space of process 5",
            lambda s: magmem.asd(s, 5),
        ),
        (
            "no kernel mappings: k asd kernel needs the kernel's address space",
            lambda s: magmem.asd(s, "kernel"),
        ),
        ("no mappings: vmm aspaces needs the address spaces", magmem.vmm_aspaces),
        ("no arenas: pmm arenas needs the arenas of physical memory", magmem.pmm_arenas),
        ("no kernel memory statistics: kstats needs a report", magmem.kstats),
        (
            "no CPU statistics: kstats without -m needs them; kstats -m shows memory",
            lambda s: magmem.kstats(s, memory=False),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_missing_data_is_named(message: str, ask: Any) -> None:
    """The message names what the capture lacks, the tool, and what it needs."""
    with pytest.raises(MissingData, match=f"^this capture has {message}"):
        ask(snapshot())


def test_no_tasks_at_all() -> None:
    """A capture of arenas alone has no tree to print."""
    empty = Snapshot.of({})
    for tool in (magmem.ps, magmem.memgraph):
        with pytest.raises(MissingData, match=r"no processes: \w+ needs the job tree"):
            tool(empty)


def test_reported_sizes_are_marked() -> None:
    """Without mappings ps shows what its source printed, says so, and adds up what it can."""
    tasks = TASKS | {
        "reported_pss_bytes": [None, 3000, None],
        "reported_private_bytes": [8192, 2000, None],
        "reported_shared_bytes": [None, None, None],
    }
    listing = magmem.ps(snapshot(tasks=tasks), threads=True)
    assert listing.text == (
        "TASK        PSS PRIVATE  SHARED   STATE NAME\n"
        "j:1       3000B      8k                 root\n"
        "  p:5     3000B   2000B       ?         sh\n"
        "    t:9                               ? ?\n"
        "TASK        PSS PRIVATE  SHARED   STATE NAME\n"
    )
    assert listing.df["source"].tolist()[:2] == ["reported", "reported"]
    assert pd.isna(listing.df["state"][2])
    assert listing.warnings == (
        "ps: sizes as the capture's source printed them (it has no mappings)",
    )


OLD_PS = """\
TASK        VIRT     RES NAME
j:10                     drivers
  p:1041   16.5M   1720k bin/devmgr
  p:1208    131M   1684k devhost:root
TASK        VIRT     RES NAME
"""

LOW_MEMORY = """\
OOM: 12.5M free (-88M) / 1024M total
OOM: oom_lowmem(shortfall_bytes=524288) called
OOM: Process mapped committed bytes:
OOM:   proc  1043  397M 'bin/devmgr'
OOM:   proc  2107   88M 'netstack'
"""


def test_ps_before_pss_is_shown_as_it_was() -> None:
    """A listing with VIRT and RES comes back to the byte, and a warning tells what RES is."""
    snap = read_transcript(OLD_PS, "ps.txt")
    listing = magmem.ps(snap)
    assert listing.text == OLD_PS
    (warning,) = listing.warnings
    assert "resident sizes only; they count a shared page in full for every process" in warning
    table = listing.df.set_index("koid")
    assert table["resident_bytes"][1041] == 1720 * 1024
    assert table["virtual_bytes"][1208] == 131 << 20
    assert table["pss_bytes"].isna().all()
    assert table["resident_bytes"].isna()[10]
    assert magmem.ps(snap, jobs=True).text == "TASK NAME\nj:10 drivers\nTASK NAME\n"


def test_ps_of_a_low_memory_report() -> None:
    """What the kernel told before it ran out is a listing too; VIRT it did not tell."""
    assert magmem.ps(read_transcript(LOW_MEMORY, "log")).text == (
        "TASK       RES NAME\n"
        "p:1043    397M bin/devmgr\n"
        "p:2107     88M netstack\n"
        "TASK       RES NAME\n"
    )


def test_memgraph_leaves_out_what_is_unknown() -> None:
    """An unknown size or state is no member of its record; nothing becomes 0."""
    tasks = TASKS | {"reported_private_bytes": [None, 4096, None]}
    listing = magmem.memgraph(snapshot(tasks=tasks), threads=True)
    records = json.loads(str(listing))
    assert records[1] == {
        "id": "p/5",
        "type": "p",
        "koid": 5,
        "parent": "j/1",
        "name": "sh",
        "private_bytes": 4096,
    }
    assert "state" not in records[2]
    assert records[-1] == {"type": "__META"}
    assert listing.warnings[0] == "memgraph: this capture has no kernel memory statistics"
    with pytest.raises(MissingData, match="no VMOs: memgraph -v needs the handles and mappings"):
        magmem.memgraph(snapshot(tasks=tasks), vmos=True)


def test_unknown_numbers_print_a_question_mark() -> None:
    """A VMO known only by koid has no invented size, parent, count or handle value."""
    known = snapshot(
        {"handles": "partial", "vmos": "partial"},
        vmos={"id": ["a"], "koid": [77], "name": [None], "pages_known": [False]},
        handles={
            "process_koid": [5, 5],
            "type": ["vmo", "vmo"],
            "koid": [77, 88],
            "vmo": [0, None],
        },
    )
    row = "     ?    77      ?     ?    ?    ?       ?       ? ?\n"
    listing = magmem.vmos(known, 5)
    assert listing.text.splitlines(keepends=True)[1:3] == [row, row.replace("77", "88")]
    assert listing.warnings == ("vmos: this capture does not tell the mappings of process 5",)
    assert "  total: 2 VMOs, size ?, alloc ?\n" in str(magmem.k_vmos(known, 5))
    assert magmem.k_vmos(known, "all").warnings == (
        "k vmos all: this capture knows only some of the machine's VMOs",
    )


def test_handles_of_one_kind_are_no_handle_count() -> None:
    """A dump of VMO handles does not say how many handles there are; one that counts them does."""
    handles = {"process_koid": [5], "type": ["vmo"], "koid": [77]}
    partial = snapshot({"handles": "partial"}, handles=handles)
    with pytest.raises(MissingData, match="no complete handles: k ps needs"):
        magmem.k_ps(partial)
    assert magmem.k_ht(partial, 5).warnings == (
        "k ht: this capture may know only some handles of process 5",
    )
    tasks = TASKS | {"reported_handles": [None, 1, None]}
    counted = snapshot({"handles": "partial"}, handles=handles, tasks=tasks)
    assert magmem.k_ht(counted, 5).warnings == ()
    assert "      5   1:   0   0   0   1   0" in str(magmem.k_ps(counted))
    tasks["reported_handles"] = [None, 40, None]
    more = snapshot({"handles": "partial"}, handles=handles, tasks=tasks)
    assert "      5  40:   ?   ?   ?   ?   ?" in str(magmem.k_ps(more))


def test_hidden_without_mappings() -> None:
    """Without mappings only a VMO mapped nowhere is known to be hidden."""
    columns = {"id": ["a", "b"], "koid": [7, 8], "name": ["no", "yes"], "pages_known": [False] * 2}
    counted = columns | {"reported_num_mappings": [2, 0]}
    listing = magmem.k_vmos(snapshot({"vmos": "complete"}, vmos=counted), "hidden")
    assert listing.df["koid"].tolist() == [8]
    assert listing.warnings == (
        "k vmos hidden: this capture does not tell who maps a VMO: only unmapped ones",
    )
    with pytest.raises(MissingData, match="no mappings: k vmos hidden needs to know which VMOs no"):
        magmem.k_vmos(snapshot({"vmos": "complete"}, vmos=columns), "hidden")


def test_wrong_words() -> None:
    """A word that names nothing is refused, not looked up."""
    with pytest.raises(ValueError, match="expected 'all', 'hidden' or a koid, found 'some'"):
        magmem.k_vmos(snapshot(), "some")
    for word in ("", "kernels", "x"):
        with pytest.raises(ValueError, match=f"expected 'kernel' or a koid, found '{word}'"):
            magmem.asd(snapshot(), word)
    with pytest.raises(ValueError, match="expected 1 report or more, found 0"):
        magmem.kstats(snapshot(), times=0)
    with pytest.raises(ValueError, match="expected a delay of 0 seconds or more, found -1"):
        magmem.kstats(snapshot(), delay=-1)


def test_a_koid_beyond_64_bits_is_not_found() -> None:
    """A number no koid can be is simply not there."""
    snap = Snapshot.load(goldens() / "system-1.json")
    assert str(magmem.asd(snap, 1 << 70)) == f"process {1 << 70} not found!\n"
    assert str(magmem.k_vmos(snap, 1 << 64)) == "process not found!\n"


def test_ps_of_a_kernel_dump() -> None:
    """A dump of every address space tells what is resident in each mapping: ps can be computed."""
    snap = magmem.read_capture(captures() / "kernel-console-riscv-2017-06.txt")
    listing = magmem.ps(snap)
    assert not listing.warnings
    row = listing.df.iloc[0]
    assert row["pss_bytes"] == (1 + 2 + 21 + 5 + 2) * 4096
    assert row["source"] == "computed"

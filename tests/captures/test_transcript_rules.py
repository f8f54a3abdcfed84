"""Rules of reading transcripts, one by one, on texts small enough to see through."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest

from magmem.captures.transcript import read_transcript
from magmem.errors import CaptureError
from magmem.snapshot import Snapshot

PS = "TASK           PSS PRIVATE  SHARED NAME\n"
VMOS = "rights  koid parent #chld #map #shr    size   alloc name\n"
LIST = "           -      -  koid parent #chld #map #shr    size   alloc name\n"
ROOT = "/R ________01000000-00007ffffffff000    128.0T:sz                    'root'\n"
SPACE = ROOT.replace("/R", "/A").replace("'root'", "'proc:7'")
AS = "as 0xffff0000 [0x1000000 0x1ffffff] sz 0x1000000 fl 0 ref 3 'proc:7'\n"
VMAR = "  vmar 0xffff1000 [0x1000000 0x1ffffff] sz 0x1000000 ref 2 'root'\n"
MAP = (
    "    map 0xffff2000 [0x1002000 0x1003fff] sz 0x2000 mmufl 0x1c "
    "vmo 0xffff3000/k9 off 0 pages 1 ref 1 'heap'\n"
)
VMO = "      vmo 0xffff3000/k9 size 0x3000 pages 2 ref 1 parent k0\n"


def read(text: str) -> Snapshot:
    """The text as the transcript `t`."""
    return read_transcript(text, "t")


def kinds(snap: Snapshot) -> list[str]:
    """The kinds of notes, in order."""
    return list(snap.notes["kind"])


def task(snap: Snapshot, koid: int) -> Any:
    """The row of a task."""
    return snap.tasks[snap.tasks["koid"] == koid].iloc[0]


@pytest.mark.parametrize(
    ("text", "line", "expected", "found"),
    [
        (PS + "p:5 1k 2k\n", 2, "a row of ps with a koid, PSS, PRIVATE, SHARED", "p:5 1k 2k"),
        (PS + "p:-5 1k 1k 1k x\n", 2, "a row of ps", "p:-5 1k 1k 1k x"),
        (PS + "p:5 1k 1k 99E x\n", 2, "a size below 8E", "99E"),
        (PS + f"p:{2**63} 1k 1k 1k x\n", 2, "a koid of 63 bits at most", str(2**63)),
        (PS + "p:0 1k 1k 1k x\n", 2, "a koid above 0", "p:0 1k"),
        (PS + f"p:5 1k 1k 1k {'x' * 32}\n", 2, "a name of at most 31 bytes", "x" * 32),
        (PS + "p:5 1k 1k 1k a\np:5 1k 1k 1k b\n", 3, "koid 5 once, as on line 2", "'b'"),
        (PS + "p:5 1k 1k 1k a\n  p:6 1k 1k 1k b\n", 3, "a process below a job", "process 5"),
        (SPACE + ROOT + ROOT, 3, "one root VMAR", "root"),
        (SPACE + ROOT + "M  00000000000000", 3, "a row of vmaps", "M  0000"),
        (
            SPACE + ROOT + "M  0000000002000000-0000000001000000 rw- 4k:sz 0B:res 5:vmo 'x'\n",
            3,
            "a range that ends 4k after its start",
            "0000000002000000-0000000001000000",
        ),
        (
            SPACE + ROOT + "M  0000000000001000-0000000000002000 rw- 4k:sz 0B:res 5:vmo 'x'\n",
            3,
            "a range inside the VMAR above it",
            "0000000000001000-0000000000002000",
        ),
        (
            SPACE + ROOT + "M  0000000002000000-0000000002001000 rw- 4k:sz 8k:res 5:vmo 'x'\n",
            3,
            "at most 4k of resident memory",
            "8k",
        ),
        (VMOS + "rwxmdt  1170      -     0    1\n", 2, "a row of rights, koid, parent", "1170"),
        (VMOS + "     -  -5      -     0 1 1 4k 4k x\n", 2, "a row of rights", "-5"),
        (VMOS + "     -  5   6  0 1 1 4k 4k a\n     -  6  5  0 1 1 4k 4k b\n", 2, "end at", "5, 6"),
        (VMOS + "     -  5   5  0 1 1 4k 4k a\n", 2, "VMO parents that end", "a loop of VMOs 5"),
        (
            VMOS + "     -  5   -  0 1 1 4k 4k a\n     -  5   -  0 1 1 4k 4k b\n",
            3,
            "one name for a koid",
            "'b', but 'a' on line 2",
        ),
        (AS + VMAR.replace("0x1ffffff", "0x1fffffe"), 2, "a range of 0x1000000 bytes", "0x1fffffe"),
        (AS + VMAR + VMAR, 3, "one root VMAR", "vmar"),
        (VMAR, 1, "an address space (as …) before its regions", "vmar 0xffff1000"),
        (AS + VMAR + MAP + VMO.replace("0xffff3000", "0xffff4000"), 4, "the VMO of the", "0xffff4"),
        (AS + VMAR + MAP.replace("pages 1", "pages 3"), 3, "pages that fit 0x2000 bytes", "3"),
        (AS + VMAR + MAP.replace("pages 1 ref", "pages -1 ref"), 3, "a line of asd", "pages -1"),
        (AS.replace("0x1000000 0x", "0x100000000000000000 0x"), 1, "a range of", "0x1000000000"),
        ("     id  #h:  #jb #pr [name]\n   5   1:   1   1 [x]\n", 2, "at least 2 handles", "1"),
        ("     id  #h:  #jb #pr [name]\n   5   1:   1 [x]\n", 2, "a koid, the handles, 2", "[x]"),
        ("mem total  free  VMOs\n  1M 2M\n", 2, "3 sizes: total, free, VMOs", "1M 2M"),
    ],
)
def test_lines_of_a_dump_that_cannot_be_read(
    text: str, line: int, expected: str, found: str
) -> None:
    """A line that clearly belongs to a dump is read or refused, with line, need and find."""
    with pytest.raises(CaptureError) as caught:
        read(text)
    assert caught.value.place == f"line {line}"
    assert expected in caught.value.expected
    assert found in caught.value.found


@pytest.mark.parametrize("text", ["", "\n\n", "hello\n", "$ ps\nps: command not found\n", "…\n"])
def test_text_without_a_dump_names_the_kinds(text: str) -> None:
    """Text that holds no dump is refused with every kind that is understood."""
    wanted = r"^t: expected the output of one of ps, vmaps, vmos.*kstats -m.*pmm arenas.*, found"
    with pytest.raises(CaptureError, match=wanted):
        read(text)


def test_a_koid_is_of_one_kind() -> None:
    """One koid cannot be a job in ps and a process in vmaps."""
    text = PS + "j:7 1k 1k         root\n" + PS + SPACE + ROOT
    with pytest.raises(CaptureError, match=r"line 4: expected koid 7 to be a job, as in ps \(line"):
        read(text)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("  p:5      1k      1k      1k x", "x"),
        ("  p:5      1k      1k      1k ", ""),
        ("  p:5      1k      1k      1k", ""),
        ("  p:5      1k      1k      1k  28k", " 28k"),
        ("  p: 5      1k      1k      1k 1k 1k", "1k 1k"),
        ("  p:5  ?1.5k  ?1k  ?1K 'q' \"<b>\"", "'q' \"<b>\""),
    ],
)
def test_names_in_ps_are_what_is_left(row: str, name: str) -> None:
    """Blanks, quotes and things like sizes in a name do not move the columns."""
    snap = read(PS + "j:1      1k      1k         root\n" + row + "\n" + PS)
    assert task(snap, 5)["name"] == name
    assert task(snap, 5)["reported_shared_bytes"] == 1024


def test_a_job_called_like_a_size_has_no_shared() -> None:
    """SHARED of a job is blank, so what stands behind it is the name."""
    snap = read(PS + "j:1      1k      1k         28k\n" + PS)
    assert task(snap, 1)["name"] == "28k"
    assert pd.isna(task(snap, 1)["reported_shared_bytes"])


def test_ps_without_closing_header_is_complete_if_its_sums_agree() -> None:
    """The jobs at the top hold the sum of PRIVATE; where it is all there, nothing was cut."""
    rows = "j:1 12k 12k         root\n  p:2 8k 8k 0B a\n  p:3 4k 4k 0B b\n"
    assert read(PS + rows).knows("jobs", "processes")
    cut = read(PS + rows.rsplit("  p:", 1)[0])
    assert cut.coverage["processes"] == "partial"
    assert kinds(cut) == ["truncated"]
    # Sizes without a decimal are exact: 12k is not 13k, so a process of 1k may have been cut.
    more = read(PS + rows.replace("12k 12k", "13k 13k"))
    assert more.coverage["processes"] == "partial"


def test_sums_of_ps_that_disagree_are_a_contradiction() -> None:
    """A complete ps whose jobs do not hold their processes' PRIVATE is noted, not corrected."""
    snap = read(PS + "j:1 12k 16k         root\n  p:2 8k 8k 0B a\n" + PS)
    assert kinds(snap) == ["contradiction"]
    assert "hold 16384 private bytes, but its processes 8192" in snap.notes["message"][0]
    assert task(snap, 1)["reported_private_bytes"] == 16384


def test_elisions_make_a_dump_partial() -> None:
    """`...` means that rows are missing: nothing of the dump is complete."""
    snap = read(PS + "j:1 1k 1k         root\n...\n  p:2 1k 1k 0B a\n" + PS)
    assert snap.coverage["jobs"] == snap.coverage["processes"] == "partial"
    assert kinds(snap) == ["elided"]
    assert snap.notes["place"][0] == "line 3"


def test_remarks_and_blank_lines_are_silent() -> None:
    """`#` remarks, prompts and blank lines are no noise."""
    snap = read("$ \n# look\n\n" + PS + "# here\nj:1 1k 1k         root\n\n" + PS + "$ ")
    assert kinds(snap) == []


def test_noise_is_counted_and_its_first_line_told() -> None:
    """Lines of no dump give one note with how many and where."""
    snap = read("booting\n" + PS + "j:1 1k 1k         root\ndriver: hi\n" + PS)
    assert kinds(snap) == ["skipped"]
    assert list(snap.notes["place"]) == ["line 1"]
    assert snap.notes["message"][0].startswith("2 lines are part of no dump")


@pytest.mark.parametrize("place", [8, 25, 60])
def test_console_noise_inside_a_line_is_taken_out(place: int) -> None:
    """A `] ` inside a line of a dump is the serial console's, and the line is read without it."""
    noisy = MAP[:place] + "] " + MAP[place:]
    snap = read(AS + VMAR + noisy + VMO)
    assert snap.mappings["base"].iloc[0] == 0x1002000
    assert "repaired" in kinds(snap)


@pytest.mark.parametrize(
    "prefix", ["[00635.839] 00000.00000> ", "] [00635.839] 01041.01044> ", "] "]
)
def test_log_prefixes_keep_the_indentation(prefix: str) -> None:
    """Behind the kernel log's prefix a line stands as it was printed."""
    snap = read("".join(prefix + line + "\n" for line in (AS + VMAR + MAP + VMO).splitlines()))
    assert list(snap.regions["depth"]) == [0, 1]
    assert "skipped" not in kinds(snap)


@pytest.mark.parametrize("name", ["", "'", "it's", " x ", "a' 5:vmo 'b", "'quoted'", "28k:sz"])
def test_names_in_vmaps_may_hold_anything(name: str) -> None:
    """Between the first and the last quote everything is the name."""
    row = f"M  0000000002000000-0000000002001000 rw-    4k:sz   0B:res     5:vmo '{name}'\n"
    snap = read(SPACE + ROOT + row)
    assert snap.vmos["name"][0] == name


def test_the_process_of_vmaps() -> None:
    """The address space's name tells the process, else the command; else it is unknown."""
    assert list(read("$ vmaps 7\n" + SPACE + ROOT).aspaces["process_koid"]) == [7]
    old = SPACE.replace("proc:7", "unnamed") + ROOT
    assert list(read("magenta$ vmaps 9\n" + old).aspaces["process_koid"]) == [9]
    unknown = read(old)
    assert unknown.aspaces["process_koid"].isna().all()
    assert kinds(unknown) == ["remark"]
    torn = read("$ vmaps 9\n" + SPACE + ROOT)
    assert list(torn.aspaces["process_koid"]) == [7]
    assert kinds(torn) == ["contradiction"]


def test_a_process_known_by_its_koid_alone() -> None:
    """A dump of a process that no list shows makes a process without name and job."""
    snap = read(SPACE + ROOT)
    assert list(snap.tasks["kind"]) == ["process"]
    assert snap.tasks["name"].isna().all()
    assert snap.tasks["parent_koid"].isna().all()


def test_vmos_of_an_unknown_process_fill_the_vmos_table() -> None:
    """Without a command line the VMOs are known, but not who holds and maps them."""
    rows = "rwxmdt  5      -     0    1    1      4k      4k a\n     -  6 - 0 1 1 4k 0B -\n"
    snap = read(VMOS + rows + VMOS)
    assert list(snap.vmos["koid"]) == [5, 6]
    assert list(snap.vmos["pages_known"]) == [False, True]
    assert len(snap.handles) == len(snap.regions) == len(snap.tasks) == 0
    assert kinds(snap) == ["remark"]


def test_truncated_vmaps_are_partial() -> None:
    """A listing that says how many entries it cut off is noted."""
    snap = read(SPACE + ROOT + "[12 entries truncated]\n")
    assert kinds(snap) == ["truncated"]
    assert snap.coverage["mappings"] == "partial"


def test_mappings_are_complete_when_every_process_is_shown() -> None:
    """A ps lists all processes; with the address space of each of them, all mappings are known."""
    ps = PS + "j:1 1k 1k         root\n  p:7 1k 1k 0B a\n" + PS
    assert read(ps + SPACE + ROOT).knows("processes", "mappings")
    two = ps.replace("  p:7", "  p:8 0B 0B 0B b\n  p:7")
    assert read(two + SPACE + ROOT).coverage["mappings"] == "partial"


def test_totals_of_kernel_vmos_are_checked() -> None:
    """Totals that do not fit the rows are a contradiction; so are those of `k ht`."""
    head = (
        "process [7]:\nHandles to VMOs:\n      handle rights  koid parent #chld #map #shr    size"
    )
    row = "   alloc name\n   158288097 rwxmdt  9      -     0    1    1    256k      4k -\n"
    snap = read(head + row + "  total: 2 VMOs, size 256k, alloc 4k\nMapped VMOs:\n" + LIST + LIST)
    assert kinds(snap) == ["contradiction"]
    assert "hold 1 VMOs, 262144 bytes, 4096 bytes allocated" in snap.notes["message"][0]
    table = (
        "process [7] handles :\nhandle       koid : type\n 6d195571    9 : vmo\ntotal: 3 handles\n"
    )
    assert "the total says 3 handles, the rows are 1" in read(table).notes["message"][0]


def test_asd_keeps_the_last_byte_of_ranges() -> None:
    """LAST is inclusive; pages of a map line are resident, those of a vmo line committed."""
    snap = read(AS + VMAR + MAP + VMO)
    assert snap.mappings["size_bytes"].iloc[0] == 0x2000
    assert snap.mappings["reported_resident_bytes"].iloc[0] == 4096
    assert snap.vmos["reported_committed_bytes"][0] == 2 * 4096
    assert snap.mappings["perms"].iloc[0] == "rw-"
    assert pd.isna(snap.vmos["is_clone"][0])
    assert pd.isna(snap.vmos["parent_koid"][0])


def test_several_reports_of_kstats_are_rows() -> None:
    """Each report is a row; the last one's time is the machine's."""
    head = "mem total      free      VMOs     kheap     kfree     wired       mmu     other\n"
    stamp = "--- 2017-09-19T18:32:1{}.007Z ---\n"
    row = "     256M    221.8M      3.8M      0.5M      2.6M     26.4M      0.5M      0.4M \n"
    snap = read("".join("\n" + stamp.format(second) + head + row for second in (4, 5)))
    assert list(snap.kmem["timestamp"]) == [stamp[4:-5].format(second) for second in (4, 5)]
    assert snap.timestamp == (1505845935, 7000000)
    assert snap.knows("kmem")
    assert len(snap.sources) == 1


def test_terminal_colours_and_carriage_returns_are_no_text() -> None:
    """A console's colours and line ends do not reach names."""
    text = PS + "j:1 1k 1k         \x1b[1mroot\x1b[0m\n" + PS
    assert task(read(text.replace("\n", "\r\n")), 1)["name"] == "root"


def test_two_dumps_of_one_kind_contradict_each_other() -> None:
    """Of two ps that differ the first is kept, and the note tells both places and values."""
    first = PS + "j:1 1k 1k         root\n  p:2 1k 1k 0B a\n" + PS
    snap = read(first + first.replace("p:2 1k", "p:2 2k"))
    assert task(snap, 2)["reported_pss_bytes"] == 1024
    (message,) = snap.notes["message"]
    assert re.search(
        r"task 2: reported_pss_bytes is 2048 in ps, but 1024 in ps \(t, line 3\)", message
    )
    assert list(snap.notes["place"]) == ["line 7"]
    assert len(snap.sources) == 2


def test_exact_sizes_replace_rounded_ones_that_agree() -> None:
    """`33.6k` in vmos may be 34423 bytes in asd; the exact size is kept, whichever comes first."""
    asd = AS + VMAR + MAP + VMO.replace("size 0x3000", "size 0x8677")
    vmos = VMOS + "     -     9      -     0    1    1   33.6k      8k heap\n" + VMOS
    for text in (asd + vmos, vmos + asd):
        snap = read(text)
        assert list(snap.vmos["size_bytes"]) == [0x8677]
        assert "contradiction" not in kinds(snap)
    other = read(vmos + asd.replace("0x8677", "0x9000"))
    assert kinds(other).count("contradiction") == 1
    assert list(other.vmos["size_bytes"]) == [round(33.6 * 1024)]

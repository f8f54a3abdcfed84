"""Rules that every declared text format keeps, whatever it reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.damage import reads_or_refuses
from support.hurt_text import hurt_text

from magmem.captures.formats import FORMATS
from magmem.captures.reading.lines import batches, split_lines
from magmem.captures.reading.prefixes import unprefixed
from magmem.captures.reading.rows import Rounded, Rows
from magmem.captures.transcript import read_batches, read_transcript
from magmem.errors import CaptureError
from magmem.snapshot import Snapshot

SAMPLES = Path(__file__).parent.parent / "samples"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(SAMPLES.glob("*.txt"))}
HEADED = {name: text for name, text in TEXTS.items() if name != "ps-no-header"}
# Of a text whose rows stand as its header does, so that a column can be put in between.
ALIGNED = {name: text for name, text in HEADED.items() if name != "ps-jobs-without-sums"}
KIB = 1024


def read(text: str) -> Snapshot:
    """The text as the transcript `t`."""
    return read_transcript(text, "t")


def facts(snap: Snapshot) -> dict[str, str]:
    """Every table but the remarks, as text that can be compared."""
    return {
        name: frame.to_csv()
        for name, frame in snap.tables().items()
        if name not in ("notes", "sources")
    }


def column_added(text: str, at: int, cell: str) -> str:
    """The text with a column SWAP before the nth heading, right-aligned as the others are."""
    lines = text.split("\n")
    head = next(line for line in lines if re.search(r"\bPSS\b|\bfree +VMOs|#h:|\bPss\b", line))
    place = [word.start() for word in re.finditer(r"[^ ]+", head.replace("mem total", "mem_total"))]
    # Between two columns: behind the heading before, where its cells end too.
    cut = len(head[: place[at]].rstrip())
    figures = re.compile(r"^ *(?:\? ?)?(?:[jpt]: ?)?[0-9]")
    made = []
    for line in lines:
        if line == head:
            made.append(f"{line[:cut]:<{cut}}    SWAP{line[cut:]}")
        elif figures.match(line) and len(line) >= cut and "TOTAL" not in line:
            made.append(f"{line[:cut]:<{cut}}{cell:>8}{line[cut:]}")
        else:
            made.append(line)
    return "\n".join(made)


@pytest.mark.parametrize("name", ALIGNED)
@pytest.mark.parametrize("cell", ["4k", "", "-", "1234"])
def test_an_unknown_column_is_left_out_and_noted(name: str, cell: str) -> None:
    """Filled or empty, before any figure, it changes no value, reaches no name, and is told."""
    text = HEADED[name]
    words = next(line for line in text.split("\n") if re.search(r"PSS|VMOs|#h:|Pss", line)).split()
    at = {"kstats-ipc": 3, "k-ps": 5, "procrank": 2}.get(name, len(words) - 1)
    snap = read(column_added(text, at, cell if name != "k-ps" else cell or "7"))
    assert facts(snap) == facts(read(text))
    told = snap.notes[snap.notes["message"].str.contains("SWAP")]
    assert list(told["kind"]) == ["skipped"]
    assert re.fullmatch(r"line [0-9]+", told["place"].iloc[0])


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_read_in_chunks_is_the_same(name: str) -> None:
    """Wherever a chunk ends, the rows are the same, for any line ends."""
    text = TEXTS[name].replace("\n", "\r\n")
    for size in (1, 7, 64, 10**6):
        chunks = (text[at : at + size] for at in range(0, len(text), size))
        assert facts(read_batches(batches(chunks), "t")) == facts(read(TEXTS[name]))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    "prefix",
    [
        "[00041.380] 01058:01061> ",
        "[00041.380] ",
        "[278.14][1902][1904][klog] INFO: ",
        "[41.380][klog][klog][I] ",
        "<6>[   41.380000] ",
        "[Wed Mar 13 11:16:48 2024] ",
        "Mar 27 01:15:36 host kernel: ",
        "2024-03-27T01:15:36.123456+00:00 host kernel: [   41.380000] ",
        "03-13 11:16:48.123  1234  1234 I lab     : ",
        "03-13 11:16:48.123 I/lab     ( 1234): ",
        "I/lab     ( 1234): ",
    ],
)
def test_a_prefix_of_any_log_is_none_of_the_dump(name: str, prefix: str) -> None:
    """Behind it a line stands as it was printed, with its indentation."""
    text = "\n".join(prefix + line for line in split_lines(TEXTS[name]))
    assert facts(read(text)) == facts(read(TEXTS[name]))
    assert unprefixed(prefix + "  x") == "  x"


@pytest.mark.parametrize("name", TEXTS)
def test_collapsed_blanks_move_no_figure(name: str) -> None:
    """A copy whose runs of blanks became one still gives every figure to its column."""
    text = "\n".join(
        re.match(r" *", line)[0] + re.sub(r" +", " ", line.strip(" "))  # type: ignore[index]
        for line in TEXTS[name].split("\n")
    )
    whole, collapsed = read(TEXTS[name]), read(text)
    for table in ("tasks", "kmem"):
        assert getattr(collapsed, table).equals(getattr(whole, table))


def test_a_line_that_a_terminal_wrapped_is_joined() -> None:
    """A row cut at the width of a terminal is read with the line below it, and noted."""
    lines = TEXTS["kstats-ipc"].split("\n")
    lines[2:3] = [lines[2][:60], lines[2][60:]]
    snap = read("\n".join(lines))
    assert facts(snap) == facts(read(TEXTS["kstats-ipc"]))
    assert "repaired" in set(snap.notes["kind"])


def test_a_missing_column_is_named() -> None:
    """A header that lacks what a format needs is refused with its line and the column."""
    with pytest.raises(CaptureError) as caught:
        read("hello\n" + TEXTS["procrank"].replace("Uss ", "Xss "))
    assert caught.value.place == "line 2"
    assert "procrank" in caught.value.expected
    assert "the column Uss is missing" in caught.value.expected


@pytest.mark.parametrize("name", HEADED)
def test_recognised_but_empty_is_an_error(name: str) -> None:
    """A header under which nothing stands is told, not given as an empty snapshot."""
    head = next(line for line in TEXTS[name].split("\n") if re.search("PSS|VMOs|#h:|Pss", line))
    with pytest.raises(CaptureError, match="below the line it begins with, found nothing"):
        read(head)


@settings(max_examples=150)
@given(data=st.data())
def test_hurt_samples_are_read_or_refused(data: st.DataObject) -> None:
    """Whatever happened to a sample, it is a valid snapshot or one error that names the file."""
    text = data.draw(hurt_text(data.draw(st.sampled_from(sorted(TEXTS.values())))))
    reads_or_refuses(lambda: read(text))


def test_formats_have_names_of_their_own() -> None:
    """Messages name a format, so no two are called alike."""
    names = [one.name for one in FORMATS]
    assert len(set(names)) == len(names)


def test_jobs_without_sums_keep_their_names() -> None:
    """Blank sums are unknown, not 0, and no part of the name."""
    tasks = read(TEXTS["ps-jobs-without-sums"]).tasks.set_index("koid")
    assert tasks.loc[2020, "name"] == "workers"
    assert tasks.loc[[2001, 2020], "reported_pss_bytes"].isna().all()
    assert tasks.loc[2010, "reported_private_bytes"] == 92 * KIB


def test_killoom_is_a_state_and_no_name() -> None:
    """The flag of a job stands in a note; its name begins behind it."""
    snap = read(TEXTS["ps-killoom"])
    assert snap.tasks.set_index("koid").loc[3020, "name"] == "session"
    assert any("killoom" in message and "3020" in message for message in snap.notes["message"])


def test_rows_of_a_ps_without_header_have_no_blanks_in_their_names() -> None:
    """The empty STATE column is no part of a name."""
    names = read(TEXTS["ps-no-header"]).tasks["name"].tolist()
    assert names == ["bin/starter", "driver_host:pci#7:aaaa:bbbb"]


def test_a_kstats_with_ipc_closes() -> None:
    """Two reports; with ipc (0.4M), which has no column, they add up to the total in tenths."""
    kmem = read(TEXTS["kstats-ipc"]).kmem
    parts = ["free_bytes", "vmo_bytes", "total_heap_bytes", "wired_bytes", "mmu_overhead_bytes"]
    rest = kmem["total_bytes"] - kmem[[*parts, "other_bytes"]].sum(axis=1)
    assert len(kmem) == 2
    assert all(abs(left - 0.4 * KIB**2) < 0.5 * KIB**2 for left in rest)


def test_procrank_is_read() -> None:
    """Each row is a process; the totals agree, swap and compressed swap are told."""
    snap = read(TEXTS["procrank"])
    assert snap.processes["koid"].tolist() == [1201, 1433, 1760, 402]
    assert snap.processes["reported_pss_bytes"].sum() == (151000 + 70200 + 41500 + 5300) * KIB
    assert snap.processes["name"].tolist()[2] == "lab.map:remote"
    assert snap.kmem["total_bytes"].tolist() == [2000000 * KIB]
    assert snap.coverage["processes"] == "complete"
    assert snap.processes["reported_swap_bytes"].sum() == (21000 + 8000 + 640) * KIB
    assert snap.processes["reported_swap_pss_bytes"].sum() == (20500 + 7600 + 640) * KIB
    assert snap.kmem["swap_total_bytes"].tolist() == [524284 * KIB]
    assert snap.kmem["swap_free_bytes"].tolist() == [(524284 - 29000) * KIB]
    assert snap.kmem["swap_memory_bytes"].tolist() == [8700 * KIB]
    assert not len(snap.notes)
    wrong = read(TEXTS["procrank"].replace("230400K", "330400K"))
    assert "contradiction" in set(wrong.notes["kind"])


def test_rows_know_what_they_were_given() -> None:
    """What a row leaves out is unknown, choices go by their word, a rounded size has slack."""
    rows = Rows("tasks")
    rows.add(0, 1, koid=7, kind="job", reported_pss_bytes=Rounded(100, 75))
    second = rows.add(0, 2, kind="process", koid=8, name="a", reported_pss_bytes=None)
    rows.change(second, parent_koid=7)
    loose = rows.loose()
    assert loose.column("koid")[0].tolist() == [7, 8]
    assert loose.column("kind")[0].tolist() == [0, 1]
    assert loose.column("name")[1].tolist() == [False, True]
    assert loose.column("reported_pss_bytes")[1].tolist() == [True, False]
    assert loose.slack["reported_pss_bytes"].tolist() == [75, 0]
    assert loose.column("parent_koid")[0].tolist() == [0, 7]

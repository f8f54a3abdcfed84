"""`read_capture` finds a capture, tells its kind from the content, and refuses clearly."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.damage import damaged_bytes, reads_or_refuses
from support.shared import captures, goldens

import magmem
from magmem import datasets
from magmem.captures import source as source_module
from magmem.captures.detect import kind_of
from magmem.captures.source import Source, load_source, readable_text
from magmem.errors import CaptureError

PS = "TASK           PSS PRIVATE  SHARED NAME\nj:1028       32.9M   32.8M         root\n"
PS += "  p:1043   1386.3k   1384k     28k bin/devmgr\n"


def file(folder: Path, data: bytes | str, name: str = "capture") -> Path:
    """A file with that content, its name telling nothing."""
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def refusal(*sources: str | Path) -> CaptureError:
    """The error that reading ends in."""
    with pytest.raises(CaptureError) as caught:
        magmem.read_capture(*sources)
    return caught.value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"format": "magmem-machine/1"}', "machine"),
        ('\n\t {"format": 7}', "machine"),
        ('[\n  {"id": "kernel/physmem"}]', "memgraph"),
        ("[]", "memgraph"),
        ("  [", "memgraph"),
        ('{"CompleteDigest": {}}', "ffx"),
        ('{"ComponentDigest": {}}', "ffx components"),
        ('{"Vmos": [], "Processes": []}', "mem"),
        ('{"Buckets": [], "Capture": {"Vmos": [], "Processes": []}}', "mem"),
        ("[00635.839] 00000.00000> ps", "transcript"),
        ("[ 12.5] log", "transcript"),
        (PS, "transcript"),
        ("TASK", "transcript"),
    ],
)
def test_the_content_tells_the_kind(text: str, kind: str) -> None:
    """Neither the file's name nor its ending matters."""
    assert kind_of(Source("x", text.encode())) == kind


@pytest.mark.parametrize("name", ["system-1.json", "system-2.json", "system-1/memgraph-vt.json"])
def test_structured_goldens_are_read(name: str, tmp_path: Path) -> None:
    """A golden is read from any file name, packed or not, to the same tables."""
    path = goldens() / name
    data = path.read_bytes()
    plain = magmem.read_capture(file(tmp_path, data))
    assert len(plain.tasks)
    assert plain.tasks.equals(magmem.read_capture(path).tasks)
    assert magmem.read_capture(file(tmp_path, gzip.compress(data))).equals(plain)
    twice = gzip.compress(data[:100]) + gzip.compress(data[100:])
    assert magmem.read_capture(file(tmp_path, twice)).equals(plain)


def test_a_transcript_is_read(tmp_path: Path) -> None:
    """Text goes to the transcript readers."""
    snap = magmem.read_capture(file(tmp_path, PS))
    assert snap.processes["koid"].tolist() == [1043]
    assert snap.processes["reported_private_bytes"].tolist() == [1384 * 1024]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le-bom"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str, tmp_path: Path) -> None:
    """UTF-8, UTF-16 and UTF-32 with a byte-order mark read like plain UTF-8."""
    text = (goldens() / "system-1.json").read_text()
    data = b"\xff\xfe" + text.encode("utf-16-le") if encoding.endswith("-bom") else None
    snap = magmem.read_capture(file(tmp_path, data or text.encode(encoding)))
    assert snap.equals(magmem.read_capture(goldens() / "system-1.json"))


def test_broken_utf16_is_refused(tmp_path: Path) -> None:
    """Half a character at the end of UTF-16 text is one error."""
    error = refusal(file(tmp_path, PS.encode("utf-16")[:-1]))
    assert error.expected == "UTF-16-LE text"


def test_standard_input_is_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads standard input to its end."""
    data = (goldens() / "system-1.json").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(_Pipe(data)))
    assert magmem.read_capture("-").name == "system-1"


class _Pipe(io.BytesIO):
    """Bytes that come without a file behind them."""


def test_every_dataset_is_a_capture() -> None:
    """A dataset's name works wherever a file does, and names the source."""
    for name in datasets.names():
        snap = magmem.read_capture(name)
        assert len(snap.sources), name
        assert not any("/" in source for source in snap.sources["source"]), name


def test_a_file_wins_over_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file has a dataset's name, the file is meant."""
    file(tmp_path, (goldens() / "system-2.json").read_bytes(), "small-machine")
    monkeypatch.chdir(tmp_path)
    assert magmem.read_capture("small-machine").name == "system-2"


def test_the_name_can_be_given() -> None:
    """`name` replaces what the capture calls itself and changes nothing else."""
    snap, named = (
        magmem.read_capture("small-machine"),
        magmem.read_capture("small-machine", name="x"),
    )
    assert named.name == "x"
    assert named.regions.equals(snap.regions)
    assert named.coverage == snap.coverage


def test_no_source_is_a_mistake_of_the_caller() -> None:
    """Without a source there is nothing to read."""
    with pytest.raises(TypeError, match="needs a file"):
        magmem.read_capture()


def test_what_is_missing_is_told_with_near_names() -> None:
    """A name that is neither file nor dataset says so, and which datasets are near."""
    error = refusal("smal-machine")
    assert error.source == "smal-machine"
    assert error.expected == "a file, the name of a dataset, or - for standard input"
    hint = "no such file or dataset; datasets of a similar name: small-machine"
    assert error.found.startswith(hint)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000, "no/such/folder/file"])
def test_impossible_names_are_refused(name: str) -> None:
    """No name of a file leads to anything but a `CaptureError`."""
    assert refusal(name).source == name


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder is no capture."""
    assert "directory" in refusal(tmp_path).found.lower()


@pytest.mark.parametrize(
    ("data", "expected", "found"),
    [
        (b"", "a capture", "an empty file"),
        (b"\xef\xbb\xbf", "a capture", "an empty file"),
        (b" \n\n\t", "a capture", "nothing in it"),
        (b"{}", "memgraph JSON", "an object with no fields"),
        (b'{"a": 1, "<b>": 2}', "memgraph JSON", "an object with 'a', '<b>'"),
        (b'{"a": ', "the rest of the JSON", "the end of the data"),
        (b'{"a": NaN}', "valid JSON", "invalid character at 'NaN}'"),
        (b'{"a": ' * 200_000, "JSON of sane depth", "nesting too deep"),
        (b'[{"a": ' * 200_000, "JSON of sane depth", "nesting too deep"),
        (b'[{"type": "j", ', "the rest of the JSON", "the end of the data"),
        (b"[]", "memgraph records", "an empty array"),
        (b'[{"type": "elf"}, {}]', "memgraph records", "an array of 2 others"),
        (bytes(range(256)) * 9, "text", "binary data"),
        (b"\0" * 5000, "text", "binary data"),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 60, "text", "binary data"),
        (
            b"hello\nworld\n",
            "or a capture of memory_monitor, or the output",
            "hello",
        ),
        (b"\x1f\x8b\x08junk", "gzip data", "Error"),
        (
            gzip.compress(b"x" * 500, mtime=0)[:20],
            "the rest of the gzip data",
            "the end of the file",
        ),
    ],
)
def test_bad_input_is_one_clear_error(
    data: bytes, expected: str, found: str, tmp_path: Path
) -> None:
    """Empty files, junk, bombs and half a file each say what was expected and what was found."""
    error = refusal(file(tmp_path, data))
    assert expected in error.expected
    assert found in error.found
    assert error.source == str(tmp_path / "capture")


def test_gzip_unpacks_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that unpacks to a huge one stops at the limit."""
    monkeypatch.setattr(source_module, "MAX_BYTES", 1_000_000)
    path = file(tmp_path, gzip.compress(b" " * 50_000_000))
    assert refusal(path).expected == "gzip data of at most 1000000 bytes"
    assert refusal(file(tmp_path, b" " * 1_000_001)).expected == "at most 1000000 bytes"


def test_unreadable_characters_in_readable_text_are_noted() -> None:
    """A few bytes that are no text read as U+FFFD, and the place of the first is noted."""
    text, notes = readable_text(Source("log", PS.encode() + b"p\xff\0x" + b"ok " * 40))
    assert "p\ufffd\ufffdx" in text
    assert notes == [
        ("repaired", "log", "line 4", "2 bytes are no readable characters; each reads as \ufffd")
    ]


def test_notes_of_the_text_reach_the_snapshot(tmp_path: Path) -> None:
    """What was unreadable in a transcript stands in its notes."""
    snap = magmem.read_capture(file(tmp_path, PS.encode().replace(b"devmgr", b"dev\xffgr") * 3))
    assert "repaired" in snap.notes["kind"].tolist()


def test_several_sources_are_merged() -> None:
    """Several captures become one snapshot, with the rows of each source."""
    snap = magmem.read_capture("guide-ps", "guide-kstats", name="guide")
    assert snap.name == "guide"
    assert len(snap.kmem) == 1
    assert len(snap.processes) == 12


def test_the_real_digest_is_read() -> None:
    """The much later tool's JSON: figures as reported, nothing made up."""
    snap = magmem.read_capture(captures() / "ffx-profile-memory-2024-trimmed.json")
    process = snap.processes.iloc[0]
    assert (process["koid"], process["reported_private_bytes"]) == (37989, 86425600)
    assert process["reported_pss_bytes"] == 417590872
    assert snap.kmem["total_bytes"].tolist() == [8588746752]
    assert snap.kmem["vmo_bytes"].isna().all()
    assert snap.vmos["reported_committed_bytes"].tolist() == [0]
    assert set(snap.coverage.values()) == {"partial", "absent"}
    assert snap.notes["kind"].tolist() == ["remark", "elided"]


def test_a_digest_names_its_broken_record(tmp_path: Path) -> None:
    """A damaged digest tells the path of the record."""
    digest = {"CompleteDigest": {"processes": [{"koid": 1}, {"koid": -1}]}}
    error = refusal(file(tmp_path, json.dumps(digest)))
    assert error.place == "CompleteDigest.processes[1].koid"
    digest["CompleteDigest"]["processes"][1]["koid"] = 1
    assert refusal(file(tmp_path, json.dumps(digest))).place == "CompleteDigest.processes[1]"


DIGEST = json.dumps(
    {
        "CompleteDigest": {
            "kernel": {"total": 1 << 30, "free": 5, "ipc": 3},
            "processes": [{"koid": 9, "name": "a", "memory": {"private": 1}, "vmos": [4]}],
            "vmos": [{"koid": 4, "name": "b", "parent_koid": 3, "committed_bytes": 4096}],
        }
    },
    indent=1,
).encode()


@settings(max_examples=100)
@given(data=damaged_bytes(DIGEST))
def test_damaged_digests_are_read_or_refused(data: bytes) -> None:
    """Injured digests give a snapshot or one `CaptureError`."""
    from magmem.captures.formats.ffx import parse_ffx

    reads_or_refuses(lambda: parse_ffx(data, "digest.json"))


@settings(max_examples=60)
@given(data=st.one_of(st.binary(max_size=300), damaged_bytes(PS.encode())))
def test_whatever_a_file_holds_is_read_or_refused(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Loading any bytes gives bytes to read or one `CaptureError`."""
    path = file(tmp_path_factory.getbasetemp(), data)
    reads_or_refuses(lambda: magmem.read_capture(path))


def test_load_source_keeps_what_the_user_called_it(tmp_path: Path) -> None:
    """Errors and tables name the source as it was given."""
    path = file(tmp_path, PS)
    assert load_source(path).name == str(path)
    assert load_source("guide-ps").name == "guide-ps"
    assert load_source(datasets.path("guide-ps")).name == "guide-ps"

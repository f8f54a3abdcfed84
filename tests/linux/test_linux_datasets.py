"""The Linux captures that ship: nobody's names in them, and every rule answers."""

from __future__ import annotations

import gzip
import json
import re

import pytest

import magmem
from magmem.accounting.attribution import attribution_of
from magmem.accounting.rules import linux
from magmem.snapshot import FACETS, TABLES, Snapshot

NEUTRAL = re.compile(
    r"(library-\d+\.so|(file|program|job|vmo)-\d+|\[anon:name-\d+\]|memfd:shared-\d+|proc:\d+)"
    r"( \(deleted\))?"
)
HEX = re.compile(r"0x[0-9a-f]{1,16}")
OUTSIDE = (
    "the kernel charges about N bytes of the pages found to processes that are not in this "
    "capture; PSS computed from it is higher by as much"
)
KERNEL = {
    "page cache, not mapped": "page-cache",
    "tmpfs, not mapped": "tmpfs",
    "anonymous, not captured": "others",
    "kept at boot": "reserved",
    "kernel stacks": "stacks",
    "vmalloc": "vmalloc",
    "per-CPU data": "percpu",
    "free lists of processors": "free-lists",
}
WELL_KNOWN = {
    "as",
    "bash",
    "cc1plus",
    "chrome_crashpad",
    "chromium",
    "g++",
    "jupyter-lab",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libcrypto.so.3",
    "libgmp.so.10.4.1",
    "libm.so.6",
    "libpython3.11.so.1.0",
    "libstdc++.so.6.0.30",
    "make",
    "python3",
    "python3.11",
    "root",
}
PROCESSES = {"linux-lab": 14, "linux-build": 10}


@pytest.fixture(scope="module", params=PROCESSES)
def snap(request: pytest.FixtureRequest) -> Snapshot:
    """A capture of Linux that ships."""
    return magmem.datasets.load(request.param)


def test_every_name_is_neutral_or_everybodys(snap: Snapshot) -> None:
    """Names are neutral, or of programs and libraries that are on every such machine."""
    kernels = snap.vmos["id"].str.startswith("kernel/").to_numpy(dtype=bool)
    names = {*snap.tasks["name"], *snap.vmos["name"][~kernels], *snap.aspaces["name"]}
    names |= {*snap.vmos["id"][~kernels], *snap.regions["name"].dropna()}
    left = {name for name in names if not NEUTRAL.fullmatch(name)} - WELL_KNOWN
    assert left <= {"[anon]", "[heap]", "[stack]", "[vdso]", "[vvar]", "[vvar_vclock]"}
    assert set(snap.sources["source"]) <= {"live", snap.name}
    assert not snap.notes["message"].str.contains("/").any()


def test_every_text_in_the_file_is_known(snap: Snapshot) -> None:
    """Byte by byte: no text in the file but neutral names, addresses, and words of the format."""
    path = magmem.datasets.path(snap.name)
    packed = path.read_bytes()
    if packed[:2] == b"\x1f\x8b":
        # Neither a file name nor a time of packing: flags 0, seconds 0.
        assert packed[3:8] == bytes(5)
        packed = gzip.decompress(packed)
    texts = {json.loads(text) for text in re.findall(rb'"(?:[^"\\]|\\.)*"', packed)}
    words = {"tables", "coverage", "timestamp", "seconds", "nanoseconds", "iso", "format"}
    words |= {"name", "page_size", "memgraph_self_koid", "root_job_koid", "---", "linux proc"}
    words |= {"magmem-machine/1", "complete", "partial", snap.name, snap.timestamp_iso, "live"}
    words |= {*FACETS, *TABLES, " ".join(sorted({*TABLES} - {"sources"}))}
    for table in TABLES.values():
        words |= {*table.columns}
        for column in table.columns.values():
            words |= {*column.choices}
    words |= {*KERNEL, *(f"kernel/{word}" for word in KERNEL.values()), "smaps"}
    words |= {"vmo", "file", "directory", "socket", "fifo", "event", "port", "timer", "process"}
    words |= {"anon_inode:inotify", "DMA", "DMA32", "Normal", "user"}
    words |= {"[anon]", "[heap]", "[stack]", "[vdso]", "[vvar]", "[vvar_vclock]"}
    words |= {f"{r}{w}{x}" for r in "r-" for w in "w-" for x in "x-"}
    left = texts - words - WELL_KNOWN
    left = {text for text in left if not NEUTRAL.fullmatch(text) and not HEX.fullmatch(text)}
    assert {re.sub(r"[0-9]+", "N", text) for text in left} <= {OUTSIDE}


def test_it_is_whole(snap: Snapshot) -> None:
    """Processes, mappings, pages and entries are complete, so every rule may answer."""
    assert snap.knows("processes", "mappings", "vmos", "pages", "entries", "handles")
    assert len(snap.processes) == PROCESSES[snap.name]


def test_linux_rule_agrees_with_the_kernel(snap: Snapshot) -> None:
    """PSS from pages is what the kernel reported, but for sharers outside of the container."""
    attribution = attribution_of(snap)
    from_pages = linux.charge(attribution).pss.fractions
    reported = snap.processes["reported_pss_bytes"].tolist()
    mappings = snap.mappings.groupby("aspace").size()
    slack = {
        int(koid): 1024 * int(mappings[space])
        for space, koid in snap.aspaces["process_koid"].items()
    }
    outside = 0
    for koid, pages, kernel in zip(
        attribution.population.koid.tolist(), from_pages, reported, strict=True
    ):
        assert pages >= kernel - 4096 * 16  # what changed between two reads
        outside += max(0, int(pages) - kernel - slack.get(koid, 0))
    told = snap.notes["message"].str.extract(r"charges about (\d+) bytes")[0].dropna()
    # Below a hundredth of the whole the capture does not mention it.
    assert outside <= (int(told.iloc[0]) if len(told) else sum(reported) // 100)


def test_ledgers_add_up(snap: Snapshot) -> None:
    """The ledger of Linux adds up to physical memory, with little that no counter tells."""
    sizes = magmem.linux_ledger(snap).df.set_index("line")["size_bytes"]
    assert sizes.iloc[:-1].sum() == sizes["physical memory"]
    assert 0 <= sizes["unexplained"] < sizes["physical memory"] // 100

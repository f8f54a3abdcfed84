"""Every file of /proc: what is read from it, and that surprises end in one clear error."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.damage import damaged_bytes
from support.fake_proc import MEMINFO, SLABINFO, ZONEINFO, Area

from magmem.errors import CaptureError
from magmem.linux.descriptors import parse_mounts
from magmem.linux.machine import parse_meminfo, parse_slabinfo, parse_zoneinfo
from magmem.linux.process import parse_cgroup, parse_rollup, parse_stat
from magmem.linux.procfs import numbers, shown
from magmem.linux.smaps import parse_smaps

STAT = b"2470 (sh) S 1 2470 2470 0 -1 4194304 102 0 0 0 0 0 0 0 20 0 3 0 14472 3133440 390 1 2 3\n"

ROLLUP = b"""\
55bd5055b000-7fff774b4000 ---p 00000000 00:00 0                          [rollup]
Rss:                1736 kB
Pss:                 353 kB
Pss_Anon:            112 kB
Shared_Clean:       1572 kB
Shared_Dirty:          0 kB
Private_Clean:        52 kB
Private_Dirty:       112 kB
"""

CGROUP = b"9:name=systemd:/\n4:memory:/user.slice/a b\n1:cpu,cpuacct:/other\n0::/unified\n"

MOUNTS = b"""\
22 27 0:21 / /proc rw,relatime shared:3 - proc proc rw
25 24 0:35 / /dev/shm rw - tmpfs tmpfs rw,size=24684092k
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
"""

LIBRARY = Area(
    0x7F00_0000_0000,
    16,
    "r-xp",
    0x2000,
    "fe:00",
    2**63 + 5,
    "/usr/lib/a b (deleted)",
    figures={"Rss": 64, "Pss": 21, "Shared_Clean": 64},
)
HEAP = Area(0x5555_0000_0000, 4, name="[heap]", figures={"Rss": 12, "Anonymous": 12, "Pss": 12})
SMAPS = HEAP.text() + LIBRARY.text()


def test_stat_is_read_from_the_last_parenthesis() -> None:
    """A process may call itself anything: parentheses, newlines, what looks like fields."""
    name = b"a) R 1 (b\n)\xff"
    stat = parse_stat(STAT.replace(b"(sh)", b"(%b)" % name), "stat")
    assert stat.name == "a) R 1 (b\\x0a)\\xff"
    assert (stat.state, stat.parent_pid, stat.start) == ("blocked", 1, 14472)
    assert (stat.virtual_bytes, stat.resident_pages) == (3133440, 390)
    assert not stat.is_kernel


def test_stat_knows_threads_of_the_kernel() -> None:
    """PF_KTHREAD tells them, not their name."""
    assert parse_stat(STAT.replace(b"4194304", b"2129984"), "stat").is_kernel


@pytest.mark.parametrize(
    ("letter", "state"), [("R", "running"), ("t", "suspended"), ("Z", "dead"), ("Q", "unknown")]
)
def test_stat_states(letter: str, state: str) -> None:
    """State letters are thread states; one of a later kernel is unknown, not an error."""
    assert parse_stat(STAT.replace(b") S", f") {letter}".encode()), "stat").state == state


def test_stat_too_short() -> None:
    """Fewer fields than any kernel writes are refused with what was found."""
    with pytest.raises(CaptureError, match=r"stat: expected PID \(NAME\) STATE .*found 7 \(x\) S"):
        parse_stat(b"7 (x) S 1 2", "stat")


def test_cgroup_prefers_the_memory_controller() -> None:
    """The group whose limit counts is that of the memory controller; else the unified one."""
    assert parse_cgroup(CGROUP, "cgroup") == "/user.slice/a b"
    assert parse_cgroup(b"0::/unified:with:colons\n", "cgroup") == "/unified:with:colons"
    assert parse_cgroup(b"3:pids:/p\n", "cgroup") == "/p"
    assert parse_cgroup(b"", "cgroup") == "/"


def test_cgroup_line_without_path() -> None:
    """A line that is no group is named."""
    with pytest.raises(CaptureError, match="cgroup, line 2: expected NUMBER:CONTROLLERS:/PATH"):
        parse_cgroup(b"0::/\nnonsense\n", "cgroup")


def test_rollup_sums() -> None:
    """Clean and dirty pages are added; kB become bytes."""
    sums = parse_rollup(ROLLUP, "smaps_rollup")
    assert sums.rss_bytes == 1736 * 1024
    assert sums.pss_bytes == 353 * 1024
    assert sums.private_bytes == (52 + 112) * 1024
    assert sums.shared_bytes == 1572 * 1024


def test_rollup_lacks_a_part() -> None:
    """A figure a kernel does not give is missing, not 0."""
    sums = parse_rollup(ROLLUP.replace(b"Private_Dirty", b"Other"), "smaps_rollup")
    assert sums.private_bytes is None
    with pytest.raises(CaptureError, match="expected lines Rss: and Pss:"):
        parse_rollup(b"Rss: 4 kB\n", "smaps_rollup")


def test_smaps_mappings() -> None:
    """Ranges, names with blanks, huge inodes, deleted files and figures are as written."""
    maps = parse_smaps(SMAPS, "smaps")
    assert maps.start.tolist() == [0x5555_0000_0000, 0x7F00_0000_0000]
    assert maps.name == ["[heap]", "/usr/lib/a b (deleted)"]
    assert maps.inode == [0, 2**63 + 5]
    assert maps.offset_bytes.tolist() == [0, 0x2000]
    assert maps.figure("Rss").tolist() == [12 * 1024, 64 * 1024]
    assert maps.sums.pss_bytes == 33 * 1024


def test_smaps_with_fields_of_later_kernels() -> None:
    """New fields anywhere, in any form, change nothing of what is known."""
    newer = SMAPS.replace(b"Pss_Dirty:", b"Pss_New:            9 kB\nNewField: a b c\nPss_Dirty:")
    newer = newer.replace(b"VmFlags:", b"ProtectionKey:         0\nVmFlags:")
    old, new = parse_smaps(SMAPS, "smaps"), parse_smaps(newer, "smaps")
    assert (old.figures == new.figures).all()
    assert old.name == new.name
    assert old.flags == new.flags


def test_smaps_fields_in_another_order() -> None:
    """The order of fields does not matter."""
    lines = HEAP.text().decode().splitlines()
    turned = "\n".join([lines[0], *reversed(lines[1:]), ""]).encode()
    assert (parse_smaps(turned, "s").figures == parse_smaps(HEAP.text(), "s").figures).all()


def test_plain_maps_know_no_figures() -> None:
    """From `maps` alone ranges are known, and every figure is missing."""
    maps = parse_smaps(b"400000-402000 r-xp 00001000 fe:00 12     /bin/cat\n", "maps")
    assert maps.figure("Rss").tolist() == [-1]
    assert maps.sums.rss_bytes is None


def test_smaps_gate_page_is_nobodys() -> None:
    """The page above all address spaces is left out."""
    gate = Area(0xFFFF_FFFF_FF60_0000, 1, "--xp", name="[vsyscall]")
    assert parse_smaps(SMAPS + gate.text(), "smaps").name == parse_smaps(SMAPS, "smaps").name


def test_smaps_out_of_order() -> None:
    """Mappings that overlap are refused."""
    with pytest.raises(CaptureError, match="mapping 2: expected mappings in address order"):
        parse_smaps(SMAPS + SMAPS, "smaps")


def test_smaps_line_of_no_kind() -> None:
    """A line that is neither a mapping nor a field is named."""
    with pytest.raises(CaptureError, match="smaps, line 1: expected START-END PERMS"):
        parse_smaps(b"hello\n", "smaps")


def test_meminfo_in_bytes() -> None:
    """Sizes are bytes, counts stay counts, unknown names are kept."""
    fields = parse_meminfo(MEMINFO + b"NewPages(anon):  4 kB\n", "meminfo")
    assert fields["MemTotal"] == 65536 * 1024
    assert fields["HugePages_Total"] == 0
    assert fields["NewPages(anon)"] == 4096


def test_meminfo_needs_its_totals() -> None:
    """Without MemTotal nothing can be added up."""
    with pytest.raises(CaptureError, match="expected a line MemTotal:"):
        parse_meminfo(b"MemFree: 1 kB\n", "meminfo")


def test_zones_of_any_name() -> None:
    """Zones are read whatever they are called; what one does not tell is missing."""
    data = ZONEINFO + b"Node 1, zone  Fancy64\n  pages free     7\n        present  9\n"
    normal, movable, fancy = parse_zoneinfo(data, "zoneinfo")
    assert (normal.name, normal.present_pages, normal.free_pages) == ("Normal", 17408, 8192)
    assert normal.object_pages == 100 + 156 + 500 + 556
    assert normal.cached_pages == 10 + 6
    assert movable.present_pages == 0
    assert (fancy.node, fancy.name, fancy.start_page, fancy.object_pages) == (
        1,
        "Fancy64",
        None,
        None,
    )


def test_slabs() -> None:
    """Pages of all caches, and bytes of the objects in use."""
    slabs = parse_slabinfo(SLABINFO, "slabinfo")
    assert slabs.total_pages == 50 * 1 + 1 * 2
    assert slabs.used_bytes == 1000 * 192 + 10 * 600


def test_mounts_by_id() -> None:
    """Devices are written as maps writes them; lines of another form are passed over."""
    assert parse_mounts(MOUNTS + b"junk\n\n") == {
        22: ("00:15", "proc"),
        25: ("00:23", "tmpfs"),
        27: ("fe:00", "ext4"),
    }


def test_names_are_shown_safely() -> None:
    """Control characters and bad UTF-8 become escapes; a cut name keeps whole characters."""
    assert shown(b"a\nb\x1b[31m\xff") == "a\\x0ab\\x1b[31m\\xff"
    assert shown("x" * 40, 31) == "x" * 28 + "…"
    assert len(shown("é" * 40, 31).encode()) <= 31
    assert numbers(["7", "x", "-1", "٣", "99999999999", "4194305", "10"]) == [7, 10]


PARSERS: list[tuple[Callable[[bytes, str], object], bytes]] = [
    (parse_stat, STAT),
    (parse_cgroup, CGROUP),
    (parse_rollup, ROLLUP),
    (parse_smaps, SMAPS),
    (parse_meminfo, MEMINFO),
    (parse_zoneinfo, ZONEINFO),
    (parse_slabinfo, SLABINFO),
    (lambda data, _: parse_mounts(data), MOUNTS),
]


@pytest.mark.parametrize(("parser", "good"), PARSERS)
@given(data=st.data())
@settings(max_examples=60)
def test_damage_is_read_or_refused(
    parser: Callable[[bytes, str], object], good: bytes, data: st.DataObject
) -> None:
    """Any damage gives a result or one `CaptureError` of readable length, nothing else."""
    damaged = data.draw(damaged_bytes(good))
    refusal = None
    try:
        parser(damaged, "somewhere")
    except CaptureError as error:
        refusal = error
    if refusal is not None:
        assert refusal.source == "somewhere"
        assert len(str(refusal)) < 1000

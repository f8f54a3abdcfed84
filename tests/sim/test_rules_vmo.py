"""The rules of reference/kernel.md "VMOs", one by one."""

from __future__ import annotations

import pytest

from magmem import (
    AccessDenied,
    BadState,
    InvalidArgs,
    Machine,
    NotSupported,
    OutOfRange,
)
from magmem.sim import MAX_VMO_BYTES
from magmem.sim.process import Process

PAGE = 4096


def free(machine: Machine) -> int:
    """Free pages."""
    return machine.pages["free"]


def test_paged_vmo_owns_nothing_at_first(machine: Machine, process: Process) -> None:
    """A paged VMO is sparse: made with any size, it owns no page."""
    process.create_vmo(PAGE)
    before = machine.kmem.vmo_bytes
    vmo = process.create_vmo("1T", "sparse").vmo
    assert (vmo.committed_pages, vmo.runs, machine.kmem.vmo_bytes) == (0, [], before)


def test_physical_vmo_uses_no_ram(machine: Machine, process: Process) -> None:
    """A physical VMO is a raw range: it never consumes RAM, also when touched."""
    device = process.create_physical_vmo(0xFED00000, 4 * PAGE, "hpet")
    mapping = process.map(device, "rw")
    before = machine.pages["object"]
    assert mapping.touch(write=True) == 0
    assert (device.vmo.kind, device.vmo.committed_pages) == ("physical", 0)
    assert machine.pages["object"] == before


@pytest.mark.parametrize(("base", "size"), [(0xFED00001, PAGE), (0xFED00000, 100), (0xFED00000, 0)])
def test_physical_vmo_is_whole_pages(process: Process, base: int, size: int) -> None:
    """A physical VMO begins and ends at pages and is not empty."""
    with pytest.raises(InvalidArgs):
        process.create_physical_vmo(base, size)


@pytest.mark.parametrize(
    "operation",
    [
        lambda v: v.read(0, 1),
        lambda v: v.write(0, b"x"),
        lambda v: v.commit(),
        lambda v: v.decommit(),
        lambda v: v.resize(PAGE),
        lambda v: v.clone(),
        lambda v: v.pin(0, PAGE),
        lambda v: v.unpin(0, PAGE),
    ],
)
def test_physical_vmo_has_no_pages_to_work_on(process: Process, operation: object) -> None:
    """What is about pages or bytes in RAM is not supported on a physical VMO."""
    device = process.create_physical_vmo(0xFED00000, PAGE)
    with pytest.raises(NotSupported, match="physical"):
        operation(device)  # type: ignore[operator]


def test_physical_vmo_looks_up_its_range(process: Process) -> None:
    """The addresses of a physical VMO are its range itself."""
    device = process.create_physical_vmo(0xFED00000, 4 * PAGE)
    assert device.lookup(PAGE, PAGE) == [(PAGE, 0xFED01000, PAGE)]


def test_size_is_in_bytes_and_may_be_odd(process: Process) -> None:
    """Sizes are not rounded to a page: reading ends at the very byte."""
    vmo = process.create_vmo(5001)
    assert vmo.size_bytes == 5001
    assert len(vmo.read()) == 5001
    assert len(vmo.read(5000, 2)) == 1


def test_largest_size_on_create(process: Process) -> None:
    """A size above the platform's limit is InvalidArgs on create; the limit itself is fine."""
    assert process.create_vmo(MAX_VMO_BYTES).size_bytes == MAX_VMO_BYTES
    with pytest.raises(InvalidArgs):
        process.create_vmo(MAX_VMO_BYTES + 1)


def test_largest_size_on_resize(process: Process) -> None:
    """A size above the limit is OutOfRange on resize; the size stays."""
    vmo = process.create_vmo(PAGE)
    with pytest.raises(OutOfRange):
        vmo.resize(MAX_VMO_BYTES + 1)
    assert vmo.size_bytes == PAGE


def test_pages_are_committed_by_writing_through_a_mapping(process: Process) -> None:
    """A write through a mapping commits the pages it touches, no others."""
    vmo = process.create_vmo(10 * PAGE)
    mapping = process.map(vmo, "rw")
    mapping.write(3 * PAGE - 1, b"ab")
    assert vmo.vmo.runs == [(2, 2)]


def test_pages_are_committed_by_vmo_write(process: Process) -> None:
    """A vmo_write commits the pages it touches."""
    vmo = process.create_vmo(10 * PAGE)
    assert vmo.write(PAGE - 1, b"ab") == 2
    assert vmo.vmo.runs == [(0, 2)]
    assert vmo.read(PAGE - 2, 4) == b"\0ab\0"


def test_pages_are_committed_by_commit(process: Process) -> None:
    """An explicit commit takes the pages of the range, and tells how many were new."""
    vmo = process.create_vmo(10 * PAGE)
    assert vmo.commit(2 * PAGE, 3 * PAGE) == 3
    assert vmo.vmo.runs == [(2, 3)]


def test_reading_commits_nothing(machine: Machine, process: Process) -> None:
    """Reading an uncommitted page, by vmo_read or through a mapping, sees the one zero page."""
    vmo = process.create_vmo(4 * PAGE)
    mapping = process.map(vmo, "r")
    objects = machine.pages["object"]
    assert vmo.read(100, 5000) == bytes(5000)
    assert mapping.read(100, 5000) == bytes(5000)
    assert mapping.touch() == 0
    assert (vmo.vmo.committed_pages, machine.pages["object"]) == (0, objects)


def test_commit_rounds_outward(process: Process) -> None:
    """Commit takes every page that the range touches."""
    vmo = process.create_vmo(4 * PAGE)
    assert vmo.commit(PAGE - 1, 2) == 2
    assert vmo.vmo.runs == [(0, 2)]


def test_commit_leaves_present_pages(process: Process) -> None:
    """Commit keeps pages already there, with their bytes."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.write(PAGE, b"kept")
    place = vmo.lookup(PAGE, 1)
    assert vmo.commit() == 3
    assert vmo.read(PAGE, 4) == b"kept"
    assert vmo.lookup(PAGE, 1) == place


@pytest.mark.parametrize("what", ["commit", "decommit"])
def test_commit_and_decommit_are_trimmed(process: Process, what: str) -> None:
    """Commit and decommit stop at the VMO's end; a start exactly at the end is fine."""
    vmo = process.create_vmo(4 * PAGE)
    if what == "decommit":
        vmo.commit()
    assert getattr(vmo, what)(2 * PAGE, 100 * PAGE) == 2
    assert getattr(vmo, what)(4 * PAGE, PAGE) == 0


@pytest.mark.parametrize(
    ("offset", "length"),
    [(4 * PAGE + 1, 0), (4 * PAGE + 1, 1), (PAGE, (1 << 64) - PAGE), (1 << 64, 0), (0, 1 << 64)],
)
@pytest.mark.parametrize("what", ["commit", "decommit", "read", "write"])
def test_past_the_end_or_past_all_numbers(
    machine: Machine, process: Process, what: str, offset: int, length: int
) -> None:
    """A start past the end, or offset and length past 2^64, is OutOfRange and changes nothing."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit(0, PAGE)
    if what == "write" and length > PAGE:
        return  # there is no such data
    before = machine.fingerprint()
    with pytest.raises(OutOfRange):
        getattr(vmo, what)(offset, b"x" * length if what == "write" else length)
    assert machine.fingerprint() == before


@pytest.mark.parametrize("what", ["lookup", "pin", "unpin"])
def test_lookup_and_pin_are_not_trimmed(machine: Machine, process: Process, what: str) -> None:
    """Lookup and pin refuse any overrun with OutOfRange; nothing changes."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit()
    if what == "unpin":
        vmo.pin(0, 4 * PAGE)
    before = machine.fingerprint()
    with pytest.raises(OutOfRange):
        getattr(vmo, what)(3 * PAGE, PAGE + 1)
    assert machine.fingerprint() == before
    getattr(vmo, what)(3 * PAGE, PAGE)


def test_no_right_for_commit_decommit_and_lookup(process: Process) -> None:
    """Commit, decommit and lookup need no right on the handle, only that it is a VMO's."""
    bare = process.create_vmo(2 * PAGE).duplicate(0)
    assert bare.commit() == 2
    assert bare.lookup(0, PAGE)
    assert bare.decommit() == 2


def test_kernels_data_stays(machine: Machine, process: Process) -> None:
    """No handle gives up pages that the machine stands on: AccessDenied, and nothing changes."""
    process.create_thread("t")
    arenas = [vmo for vmo in machine.vmos if vmo.name.startswith("arena:")]
    stack = next(vmo for vmo in machine.vmos if vmo.size_bytes == 2 * PAGE and not vmo.koid)
    for vmo in (machine.kernel.vdso, machine.kernel.ramdisk, *arenas, stack):
        assert vmo is not None
        handle = process.open(vmo)
        before = machine.fingerprint()
        with pytest.raises(AccessDenied):
            handle.decommit()
        assert machine.fingerprint() == before


def test_committed_pages_are_zero(process: Process) -> None:
    """A fresh page reads as zeros, also when its frame was used before."""
    first = process.create_vmo(PAGE)
    first.write(0, b"secret")
    first.close()
    second = process.create_vmo(PAGE)
    second.commit()
    assert second.read() == bytes(PAGE)


def test_decommit_frees_own_pages(machine: Machine, process: Process) -> None:
    """Decommit rounds outward, frees the VMO's own pages, and they read as zeros again."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.write(0, b"x" * 4 * PAGE)
    before = free(machine)
    assert vmo.decommit(PAGE + 1, PAGE) == 2
    assert vmo.vmo.runs == [(0, 1), (3, 1)]
    assert free(machine) == before + 2
    assert vmo.read(PAGE, 2 * PAGE) == bytes(2 * PAGE)


def test_decommit_is_refused_while_pinned(process: Process) -> None:
    """Decommit is BadState while any page of the range is pinned, and frees nothing then."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit()
    vmo.pin(2 * PAGE, PAGE)
    with pytest.raises(BadState):
        vmo.decommit()
    assert vmo.vmo.committed_pages == 4
    assert vmo.decommit(0, 2 * PAGE) == 2
    vmo.unpin(2 * PAGE, PAGE)
    assert vmo.decommit() == 2


def test_resize_smaller_frees_whole_pages_past_the_end(machine: Machine, process: Process) -> None:
    """Shrinking frees the whole pages past the new end; a page cut in part stays."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit()
    before = free(machine)
    vmo.resize(PAGE + 1)
    assert vmo.vmo.runs == [(0, 2)]
    assert free(machine) == before + 2


def test_resize_larger_adds_nothing(process: Process) -> None:
    """Growing adds no pages; what is new reads as zeros."""
    vmo = process.create_vmo(PAGE)
    vmo.write(0, b"x")
    vmo.resize(3 * PAGE)
    assert vmo.vmo.runs == [(0, 1)]
    assert vmo.read(PAGE) == bytes(2 * PAGE)


def test_shrinking_inside_a_page_keeps_the_tail(process: Process) -> None:
    """The bytes of a page cut in part come back when the VMO grows again."""
    vmo = process.create_vmo(PAGE)
    vmo.write(0, b"abcdef")
    vmo.resize(3)
    assert vmo.read() == b"abc"
    vmo.resize(PAGE)
    assert vmo.read(0, 6) == b"abcdef"


def test_shrinking_by_whole_pages_forgets_them(process: Process) -> None:
    """A page freed by shrinking reads as zeros after growing again."""
    vmo = process.create_vmo(2 * PAGE)
    vmo.write(PAGE, b"gone")
    vmo.resize(PAGE)
    vmo.resize(2 * PAGE)
    assert vmo.read(PAGE, 4) == bytes(4)


def test_resize_is_refused_below_a_pinned_page(process: Process) -> None:
    """A pinned page past the new end keeps the VMO from shrinking."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit()
    vmo.pin(3 * PAGE, PAGE)
    with pytest.raises(BadState):
        vmo.resize(3 * PAGE)
    assert vmo.size_bytes == 4 * PAGE


def test_kernel_image_data_stays_wired(machine: Machine) -> None:
    """The vDSO and the ramdisk own pages, but those count as wired, not as VMO memory."""
    kernel = machine.kernel
    names = [vmo.name for vmo in kernel.vdso_variants]
    assert names == ["vdso/full", "vdso/test1", "vdso/test2"]
    assert all(vmo.pages_are_wired for vmo in (*kernel.vdso_variants, kernel.ramdisk))
    assert kernel.vdso.committed_bytes == 28 * 1024
    assert kernel.ramdisk is not None
    assert kernel.ramdisk.committed_bytes > 0
    assert machine.kmem.vmo_bytes == 0


def test_nobody_writes_to_wired_pages(process: Process, machine: Machine) -> None:
    """A handle to read-only data never has the right to write."""
    assert process.open(machine.kernel.vdso).rights_text == "r-xmdt"


def test_kernel_vmo_has_no_koid_until_userspace_holds_it(
    machine: Machine, process: Process
) -> None:
    """A VMO the kernel made has koid 0; the first handle gives it one."""
    vmo = machine.kernel.create_vmo(PAGE, "own")
    assert vmo.koid == 0
    handle = process.open(vmo)
    assert handle.koid == vmo.koid > 0


def test_reading_and_writing_are_trimmed(process: Process) -> None:
    """A range to read or write is cut at the VMO's end; at the end itself it moves 0 bytes."""
    vmo = process.create_vmo(5000)
    assert vmo.read(5000, 10) == b""
    assert vmo.write(5000, b"beyond") == 0
    assert vmo.vmo.committed_pages == 0
    assert vmo.write(4997, b"abcdefghij") == 3
    assert vmo.read(4997, 10) == b"abc"
    assert vmo.size_bytes == 5000


def test_names_are_cut_at_31_bytes(process: Process) -> None:
    """A name has at most 31 bytes and is cut between characters; NUL is InvalidArgs."""
    vmo = process.create_vmo(PAGE, "ä" * 20)
    assert vmo.name == "ä" * 15
    vmo.set_name("x" * 40)
    assert vmo.name == "x" * 31
    with pytest.raises(InvalidArgs):
        vmo.set_name("a\0b")


def test_zero_size(process: Process) -> None:
    """A VMO may have size 0: nothing to commit, nothing to read."""
    vmo = process.create_vmo(0)
    assert (vmo.read(), vmo.commit(), vmo.decommit()) == (b"", 0, 0)


@pytest.mark.parametrize("size", [-1, "-4k", "68x", ""])
def test_malformed_sizes(process: Process, size: object) -> None:
    """Sizes that are none are InvalidArgs."""
    with pytest.raises(InvalidArgs):
        process.create_vmo(size)  # type: ignore[arg-type]


def test_checks_come_in_order(process: Process) -> None:
    """Rights are looked at before the kind, the kind before arguments, arguments before range."""
    device = process.create_physical_vmo(0xFED00000, PAGE)
    read_only = device.duplicate("rd")
    with pytest.raises(AccessDenied):
        read_only.write(-1, b"x")
    with pytest.raises(NotSupported):
        device.write(-1, b"x")
    vmo = process.create_vmo(PAGE)
    with pytest.raises(InvalidArgs):
        vmo.read(-1, 2 * PAGE)
    vmo.commit()
    vmo.pin(0, PAGE)
    with pytest.raises(OutOfRange):
        vmo.decommit(2 * PAGE, PAGE)
    with pytest.raises(BadState):
        vmo.decommit(0, 2 * PAGE)

"""The rules of reference/kernel.md "VMARs and mappings" about unmap and protect."""

from __future__ import annotations

import pytest

from magmem import AccessDenied, InvalidArgs, KernelError, Machine, NotFound
from magmem.sim.mapping import Mapping
from magmem.sim.process import Process
from magmem.sim.vmar import Vmar
from magmem.sim.vmo_handle import VmoHandle

PAGE = 4096
BASE = 0x1000000


@pytest.fixture
def vmo(process: Process) -> VmoHandle:
    """Sixteen pages, none committed."""
    return process.create_vmo(16 * PAGE, "vmo")


def layout(vmar: Vmar) -> list[tuple[int, int, str]]:
    """What lies in a VMAR: pages from its base, pages, permissions (or vmar)."""
    return [
        (
            (child.base - vmar.base) // PAGE,
            child.size_bytes // PAGE,
            child.perms if isinstance(child, Mapping) else "vmar",
        )
        for child in vmar.children
    ]


# ------------------------------------------------------------------------------ unmap


def test_unmap_shrinks_at_the_end(process: Process, vmo: VmoHandle) -> None:
    """Unmapping the end of a mapping shrinks it."""
    mapping = process.map(vmo, at=BASE, length=8 * PAGE)
    process.unmap(BASE + 5 * PAGE, 3 * PAGE)
    assert layout(process.root_vmar) == [(0, 5, "rw-")]
    assert mapping.vmo_offset_bytes == 0


def test_unmap_shrinks_at_the_front(process: Process, vmo: VmoHandle) -> None:
    """Unmapping the front moves base and VMO offset up alike."""
    vmo.write(3 * PAGE, b"three")
    mapping = process.map(vmo, at=BASE, length=8 * PAGE)
    process.unmap(BASE, 3 * PAGE)
    assert layout(process.root_vmar) == [(3, 5, "rw-")]
    assert (mapping.base, mapping.vmo_offset_bytes) == (BASE + 3 * PAGE, 3 * PAGE)
    assert mapping.read(0, 5) == b"three"


def test_unmap_splits_in_the_middle(process: Process, vmo: VmoHandle) -> None:
    """Unmapping the middle leaves two mappings of the same VMO; the right one is new."""
    vmo.write(6 * PAGE, b"six")
    left = process.map(vmo, at=BASE, length=8 * PAGE)
    process.unmap(BASE + 2 * PAGE, 4 * PAGE)
    assert layout(process.root_vmar) == [(0, 2, "rw-"), (6, 2, "rw-")]
    right = process.root_vmar.children[1]
    assert isinstance(right, Mapping)
    assert process.root_vmar.children[0] is left
    assert right.map_seq > left.map_seq
    assert right.read(0, 3) == b"six"
    assert len(vmo.vmo.mappings) == 2


def test_unmap_several(process: Process, vmo: VmoHandle) -> None:
    """Unmap may cover several mappings, some in part."""
    for page in (0, 4, 8):
        process.map(vmo, at=BASE + page * PAGE, length=4 * PAGE)
    process.unmap(BASE + 2 * PAGE, 7 * PAGE)
    assert layout(process.root_vmar) == [(0, 2, "rw-"), (9, 3, "rw-")]


def test_unmap_across_a_gap(process: Process, vmo: VmoHandle) -> None:
    """Unmapping across a gap succeeds, and so does unmapping nothing."""
    process.map(vmo, at=BASE, length=2 * PAGE)
    process.map(vmo, at=BASE + 6 * PAGE, length=2 * PAGE)
    process.unmap(BASE, 8 * PAGE)
    assert layout(process.root_vmar) == []
    process.unmap(BASE, 8 * PAGE)


def test_unmap_destroys_covered_vmars(process: Process, vmo: VmoHandle) -> None:
    """A child VMAR inside the range is destroyed with everything in it."""
    vmar = process.allocate(4 * PAGE, at=BASE + 2 * PAGE)
    inner = vmar.allocate(2 * PAGE)
    mapping = inner.map(vmo, length=PAGE)
    process.unmap(BASE, 8 * PAGE)
    assert layout(process.root_vmar) == []
    assert not (vmar.alive)
    assert not (inner.alive)
    assert not (mapping.alive)


def test_unmap_does_not_cut_vmars(process: Process, vmo: VmoHandle) -> None:
    """Cutting a child VMAR in part is InvalidArgs, and nothing at all is unmapped."""
    process.map(vmo, at=BASE, length=2 * PAGE)
    process.allocate(4 * PAGE, at=BASE + 2 * PAGE)
    for address, pages in ((BASE, 4), (BASE + 4 * PAGE, 4), (BASE + 3 * PAGE, 1)):
        with pytest.raises(InvalidArgs):
            process.unmap(address, pages * PAGE)
    assert layout(process.root_vmar) == [(0, 2, "rw-"), (2, 4, "vmar")]


@pytest.mark.parametrize(
    ("address", "length"), [(BASE + 1, PAGE), (BASE, 0), (0, PAGE), (0x7FFFFFFFF000, PAGE)]
)
def test_unmap_arguments(process: Process, address: int, length: int) -> None:
    """Unaligned, empty or outside ranges are InvalidArgs."""
    with pytest.raises(InvalidArgs):
        process.unmap(address, length)


def test_unmap_frees_the_last_reference(machine: Machine, process: Process) -> None:
    """Unmapping the last mapping of a VMO without handles frees its pages."""
    vmo = process.create_vmo(4 * PAGE)
    mapping = process.map(vmo)
    mapping.touch(write=True)
    vmo.close()
    before = machine.kmem.vmo_bytes
    mapping.unmap()
    assert before - machine.kmem.vmo_bytes == 4 * PAGE


def test_half_a_mapping_still_holds_the_vmo(machine: Machine, process: Process) -> None:
    """Unmapping a part frees nothing of the VMO."""
    vmo = process.create_vmo(4 * PAGE)
    process.map(vmo, at=BASE).touch(write=True)
    kept = vmo.vmo
    vmo.close()
    process.unmap(BASE, 3 * PAGE)
    assert kept.committed_pages == 4


# ---------------------------------------------------------------------------- protect


def test_protect_splits(process: Process, vmo: VmoHandle) -> None:
    """Protect splits a mapping where the range begins and ends; entries stay."""
    mapping = process.map(vmo, at=BASE, length=8 * PAGE)
    mapping.touch(write=True)
    process.protect(BASE + 2 * PAGE, 3 * PAGE, "r")
    assert layout(process.root_vmar) == [(0, 2, "rw-"), (2, 3, "r--"), (5, 3, "rw-")]
    assert [child.installed for child in process.root_vmar.children] == [  # type: ignore[union-attr]
        [(0, 2)],
        [(0, 3)],
        [(0, 3)],
    ]
    assert len(vmo.vmo.mappings) == 3


def test_protect_never_merges(process: Process, vmo: VmoHandle) -> None:
    """Giving the pieces the same permissions again leaves them apart."""
    process.map(vmo, at=BASE, length=8 * PAGE)
    process.protect(BASE + 4 * PAGE, 4 * PAGE, "r")
    process.protect(BASE, 8 * PAGE, "rw")
    assert layout(process.root_vmar) == [(0, 4, "rw-"), (4, 4, "rw-")]


def test_protect_over_several_mappings(process: Process, vmo: VmoHandle) -> None:
    """Protect may cover several mappings that touch each other."""
    process.map(vmo, at=BASE, length=4 * PAGE)
    process.map(vmo, at=BASE + 4 * PAGE, length=4 * PAGE)
    process.protect(BASE + 2 * PAGE, 4 * PAGE, "r")
    assert layout(process.root_vmar) == [
        (0, 2, "rw-"),
        (2, 2, "r--"),
        (4, 2, "r--"),
        (6, 2, "rw-"),
    ]


@pytest.mark.parametrize(
    ("address", "pages", "perms", "status"),
    [
        (BASE, 8, "r", NotFound),  # the gap at 4
        (BASE + 20 * PAGE, 1, "r", NotFound),  # nothing there at all
        (BASE + 6 * PAGE, 4, "r", InvalidArgs),  # the child VMAR at 8
        (BASE, 2, "rx", AccessDenied),  # the VMAR has no x
        (BASE, 2, "w", InvalidArgs),
        (BASE + 1, 1, "r", InvalidArgs),
        (BASE, 0, "r", InvalidArgs),
    ],
)
def test_failed_protect_changes_nothing(
    machine: Machine,
    process: Process,
    vmo: VmoHandle,
    address: int,
    pages: int,
    perms: str,
    status: type[KernelError],
) -> None:
    """Across a gap, across a child VMAR, beyond the VMAR: refused, and nothing changes."""
    vmar = process.allocate(64 * PAGE, at=BASE, perms="rw")
    vmar.map(vmo, offset=0, length=4 * PAGE)
    vmar.map(vmo, offset=6 * PAGE, length=2 * PAGE)
    vmar.allocate(2 * PAGE, offset=8 * PAGE, perms="rw")
    before = machine.fingerprint()
    with pytest.raises(status):
        vmar.protect(address, pages * PAGE, perms)
    assert machine.fingerprint() == before


def test_protect_to_nothing_drops_entries(process: Process, vmo: VmoHandle) -> None:
    """Without permissions no entry can be used: they go."""
    mapping = process.map(vmo)
    mapping.touch(write=True)
    mapping.protect("---")
    assert mapping.installed == []

"""The rules of reference/kernel.md "VMARs and mappings" about places, cutting and permissions."""

from __future__ import annotations

import itertools

import pytest

from magmem import AccessDenied, BadState, InvalidArgs, KernelError, Machine, NoMemory, NotFound
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


# ---------------------------------------------------------------------------- places


def test_sizes_round_up_to_pages(process: Process, vmo: VmoHandle) -> None:
    """Lengths of mappings and sizes of VMARs round up to whole pages."""
    process.map(vmo, length=1, at=BASE)
    process.allocate(PAGE + 1, at=BASE + PAGE)
    assert layout(process.root_vmar) == [(0, 1, "rw-"), (1, 2, "vmar")]


def test_zero_sizes(process: Process, vmo: VmoHandle) -> None:
    """A mapping or VMAR of no bytes is InvalidArgs."""
    with pytest.raises(InvalidArgs):
        process.map(vmo, length=0)
    with pytest.raises(InvalidArgs):
        process.allocate(0)


def test_vmo_offset_must_be_aligned(process: Process, vmo: VmoHandle) -> None:
    """A mapping shows whole pages of the VMO."""
    with pytest.raises(InvalidArgs):
        process.map(vmo, vmo_offset=100, length=PAGE)


def test_specific_place(process: Process, vmo: VmoHandle) -> None:
    """A mapping lies at the very place asked for; `offset` counts from the VMAR's base."""
    vmar = process.allocate(64 * PAGE)
    mapping = vmar.map(vmo, offset=5 * PAGE)
    assert mapping.base == vmar.base + 5 * PAGE


def test_specific_place_must_be_allowed(process: Process, vmo: VmoHandle) -> None:
    """Without CAN_MAP_SPECIFIC a VMAR refuses chosen places, but still maps where it likes."""
    vmar = process.allocate(64 * PAGE, specific=False)
    with pytest.raises(AccessDenied):
        vmar.map(vmo, offset=0)
    assert vmar.map(vmo).alive


def test_specific_cannot_be_regained(process: Process) -> None:
    """A child VMAR may not have CAN_MAP_SPECIFIC if its parent lacks it."""
    vmar = process.allocate(64 * PAGE, specific=False)
    with pytest.raises(AccessDenied):
        vmar.allocate(PAGE, specific=True)
    assert not vmar.allocate(PAGE, specific=False).specific


def test_place_must_be_aligned(process: Process, vmo: VmoHandle) -> None:
    """A place in the middle of a page is InvalidArgs."""
    with pytest.raises(InvalidArgs):
        process.map(vmo, at=BASE + 1)


@pytest.mark.parametrize("offset", [49 * PAGE, 64 * PAGE, 1 << 50])
def test_place_must_lie_inside(process: Process, vmo: VmoHandle, offset: int) -> None:
    """A place that reaches out of the VMAR is InvalidArgs."""
    vmar = process.allocate(64 * PAGE)
    with pytest.raises(InvalidArgs):
        vmar.map(vmo, offset=offset)


def test_last_place_inside(process: Process, vmo: VmoHandle) -> None:
    """A mapping may end exactly where its VMAR ends."""
    vmar = process.allocate(64 * PAGE)
    assert vmar.map(vmo, offset=48 * PAGE).end == vmar.end


def test_below_the_user_range(process: Process, vmo: VmoHandle) -> None:
    """Nothing can be mapped below the root VMAR."""
    with pytest.raises(InvalidArgs):
        process.map(vmo, at=BASE - PAGE)


def test_taken_place(process: Process, vmo: VmoHandle) -> None:
    """A place that overlaps a mapping or a VMAR is NoMemory."""
    process.map(vmo, at=BASE, length=4 * PAGE)
    process.allocate(4 * PAGE, at=BASE + 8 * PAGE)
    for page in (3, 5, 11):
        with pytest.raises(NoMemory):
            process.map(vmo, at=BASE + page * PAGE, length=4 * PAGE)
    assert process.map(vmo, at=BASE + 4 * PAGE, length=4 * PAGE).alive


def test_overwrite_replaces_mappings(process: Process, vmo: VmoHandle) -> None:
    """SPECIFIC_OVERWRITE cuts what is in its way out of the mappings there."""
    old = process.map(vmo, at=BASE, length=8 * PAGE)
    old.touch(write=True)
    process.map(vmo, "r", at=BASE + 2 * PAGE, length=3 * PAGE, overwrite=True)
    assert layout(process.root_vmar) == [(0, 2, "rw-"), (2, 3, "r--"), (5, 3, "rw-")]
    assert old.installed == [(0, 2)]


def test_overwrite_spares_vmars(process: Process, vmo: VmoHandle) -> None:
    """SPECIFIC_OVERWRITE does not replace VMARs; nothing changes then."""
    process.map(vmo, at=BASE, length=4 * PAGE)
    process.allocate(4 * PAGE, at=BASE + 4 * PAGE)
    with pytest.raises((NoMemory, InvalidArgs)):
        process.map(vmo, at=BASE + 2 * PAGE, length=4 * PAGE, overwrite=True)
    assert layout(process.root_vmar) == [(0, 4, "rw-"), (4, 4, "vmar")]


def test_overwrite_needs_a_place(process: Process, vmo: VmoHandle) -> None:
    """Overwriting without saying what is InvalidArgs."""
    with pytest.raises(InvalidArgs):
        process.map(vmo, overwrite=True)


def test_overwritten_mapping_lets_its_vmo_go(machine: Machine, process: Process) -> None:
    """The VMO of a mapping that was overwritten whole dies if nothing else holds it."""
    old = process.create_vmo(PAGE)
    process.map(old, at=BASE)
    gone = old.vmo
    old.close()
    process.map(process.create_vmo(PAGE), at=BASE, overwrite=True)
    assert gone not in machine.vmos


# ---------------------------------------------------------------------- random places


def test_default_place_is_anywhere(process: Process, vmo: VmoHandle) -> None:
    """Without a place the kernel picks uniformly: every fitting page position comes up."""
    vmar = process.allocate(8 * PAGE)
    vmar.map(vmo, length=PAGE, offset=3 * PAGE)
    counts = dict.fromkeys((0, 1, 4, 5, 6), 0)
    for _ in range(500):
        mapping = vmar.map(vmo, length=2 * PAGE)
        counts[(mapping.base - vmar.base) // PAGE] += 1
        mapping.unmap()
    assert min(counts.values()) > 50  # 100 each on average
    assert sum(counts.values()) == 500


def test_compact_packs(process: Process, vmo: VmoHandle) -> None:
    """COMPACT places near existing children, with a gap of 1 to 128 pages."""
    first = process.map(vmo, compact=True)
    for _ in range(50):
        process.map(vmo, compact=True)
    bases = [child.base for child in process.root_vmar.children]
    gaps = [b - a - 16 * PAGE for a, b in itertools.pairwise(bases)]
    assert len(gaps) == 50
    assert all(0 <= gap <= 128 * PAGE for gap in gaps)
    assert len(set(gaps)) > 10
    assert first.alive


def test_no_gap_is_wide_enough(process: Process, vmo: VmoHandle) -> None:
    """Where no gap fits, the answer is NoMemory; where one just fits, it is taken."""
    vmar = process.allocate(8 * PAGE)
    vmar.map(vmo, length=PAGE, offset=3 * PAGE)
    with pytest.raises(NoMemory):
        vmar.map(vmo, length=5 * PAGE)
    assert vmar.map(vmo, length=4 * PAGE).base == vmar.base + 4 * PAGE
    assert vmar.map(vmo, length=3 * PAGE, compact=True).base == vmar.base


def test_places_follow_from_the_seed() -> None:
    """The same seed and operations give the same places; another seed gives others."""

    def places(seed: int) -> list[int]:
        process = Machine(memory="64M", seed=seed).root_job.create_process("p")
        vmo = process.create_vmo(PAGE)
        return [process.map(vmo).base for _ in range(5)]

    assert places(1) == places(1) != places(2)


# ----------------------------------------------------------------------- permissions


def test_child_vmar_has_no_more_than_its_parent(process: Process) -> None:
    """A child VMAR may not have permissions its parent lacks."""
    vmar = process.allocate(64 * PAGE, perms="r")
    with pytest.raises(AccessDenied):
        vmar.allocate(PAGE, perms="rw")
    assert vmar.allocate(PAGE, perms="r").perms == "r--"


def test_mapping_has_no_more_than_its_vmar(process: Process, vmo: VmoHandle) -> None:
    """A mapping may not have permissions its VMAR lacks."""
    vmar = process.allocate(64 * PAGE, perms="rw")
    with pytest.raises(AccessDenied):
        vmar.map(vmo, "rx")
    assert vmar.map(vmo, "rw").perms == "rw-"


def test_write_needs_read(process: Process, vmo: VmoHandle) -> None:
    """Write without read permission is InvalidArgs, in map and in protect."""
    with pytest.raises(InvalidArgs):
        process.map(vmo, "w")
    mapping = process.map(vmo, "r")
    with pytest.raises(InvalidArgs):
        mapping.protect("wx")


def test_no_permissions_at_all(process: Process, vmo: VmoHandle) -> None:
    """A mapping may have no permissions: it only reserves its range."""
    assert process.map(vmo, "---").perms == "---"


@pytest.mark.parametrize(
    ("rights", "perms"), [("rwx", "r"), ("mwx", "r"), ("rmx", "rw"), ("rwm", "rx")]
)
def test_mapping_needs_rights(process: Process, vmo: VmoHandle, rights: str, perms: str) -> None:
    """Mapping needs the right to map, and to read, write or execute as asked."""
    with pytest.raises(AccessDenied):
        process.map(vmo.duplicate(rights), perms)


# ------------------------------------------------------------------------------ order


def test_children_are_in_address_order(process: Process, vmo: VmoHandle) -> None:
    """A VMAR is divided into children that do not overlap, in address order."""
    for page in (9, 3, 6, 0):
        process.map(vmo, at=BASE + page * PAGE, length=2 * PAGE)
    process.allocate(PAGE, at=BASE + 5 * PAGE)
    starts = [start for start, _, _ in layout(process.root_vmar)]
    assert starts == [0, 3, 5, 6, 9]


def test_mapping_may_pass_the_vmos_end(process: Process) -> None:
    """A mapping may be longer than its VMO, or lie past its end altogether."""
    vmo = process.create_vmo(PAGE)
    assert process.map(vmo, length=4 * PAGE).size_bytes == 4 * PAGE
    assert process.map(vmo, vmo_offset=8 * PAGE, length=PAGE).vmo_offset_bytes == 8 * PAGE


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


# ---------------------------------------------------------------------------- destroy


def test_destroy_removes_everything_inside(
    machine: Machine, process: Process, vmo: VmoHandle
) -> None:
    """Destroy removes a VMAR and all in it; using it afterwards is BadState."""
    vmar = process.allocate(64 * PAGE)
    inner = vmar.allocate(16 * PAGE)
    mapping = inner.map(vmo)
    vmar.destroy()
    assert layout(process.root_vmar) == []
    assert not (inner.alive)
    assert not (mapping.alive)
    for refused in (lambda: vmar.map(vmo), vmar.destroy, lambda: inner.allocate(PAGE)):
        with pytest.raises(BadState):
            refused()


def test_destroying_the_root(process: Process, vmo: VmoHandle) -> None:
    """The root VMAR can be destroyed: the address space is empty and stays so."""
    process.map(vmo)
    process.root_vmar.destroy()
    assert not vmo.vmo.mappings
    with pytest.raises(BadState):
        process.map(vmo)


def test_child_vmar_has_a_handle(process: Process) -> None:
    """Allocating a VMAR gives its process a handle; closing that leaves the VMAR in place."""
    vmar = process.allocate(PAGE)
    assert vmar.handle is not None
    assert (vmar.handle.type, vmar.handle.koid) == ("vmar", vmar.koid)
    vmar.handle.close()
    assert vmar.alive
    assert vmar in process.root_vmar.children

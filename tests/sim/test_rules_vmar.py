"""The rules of reference/kernel.md "VMARs and mappings" about places and permissions."""

from __future__ import annotations

import itertools

import pytest

from magmem import AccessDenied, BadState, InvalidArgs, Machine, NoMemory
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


def test_lengths_round_up_to_pages(process: Process, vmo: VmoHandle) -> None:
    """Lengths of mappings round up to whole pages."""
    process.map(vmo, length=1, at=BASE)
    assert layout(process.root_vmar) == [(0, 1, "rw-")]


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


def test_a_child_may_be_specific_where_its_parent_is_not(process: Process, vmo: VmoHandle) -> None:
    """CAN_MAP_SPECIFIC is asked of the region that is mapped in, not of those above it."""
    vmar = process.allocate(64 * PAGE, specific=False)
    child = vmar.allocate(32 * PAGE, specific=True)
    assert child.map(vmo, offset=PAGE).base == child.base + PAGE
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
    """A COMPACT region places near existing children, with a gap of 1 to 128 pages."""
    region = process.allocate("16G", compact=True)
    first = region.map(vmo)
    for _ in range(50):
        region.map(vmo)
    bases = [child.base for child in region.children]
    gaps = [b - a - 16 * PAGE for a, b in itertools.pairwise(bases)]
    assert len(gaps) == 50
    assert all(PAGE <= gap <= 128 * PAGE for gap in gaps)
    assert len(set(gaps)) > 10
    assert first.alive


def test_no_gap_is_wide_enough(process: Process, vmo: VmoHandle) -> None:
    """Where no gap fits, the answer is NoMemory; where one just fits, it is taken."""
    vmar = process.allocate(8 * PAGE)
    vmar.map(vmo, length=PAGE, offset=3 * PAGE)
    with pytest.raises(NoMemory):
        vmar.map(vmo, length=5 * PAGE)
    assert vmar.map(vmo, length=4 * PAGE).base == vmar.base + 4 * PAGE
    assert vmar.map(vmo, length=3 * PAGE).base == vmar.base


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

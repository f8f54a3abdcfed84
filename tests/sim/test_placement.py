"""Where regions go when nobody says where."""

from __future__ import annotations

from collections import Counter

import pytest

from magmem.errors import NoMemory
from magmem.sim import Machine

PAGE = 4096


def test_places_are_uniform_among_all_that_fit() -> None:
    """Every fitting page position is equally likely, also those before and after a child."""
    machine = Machine("64M", seed=5)
    process = machine.root_job.spawn("p")
    vmar = process.allocate(10 * PAGE)
    vmo = process.create_vmo(2 * PAGE)
    vmar.map(vmo, length=PAGE, offset=4 * PAGE)
    found = Counter[int]()
    for _ in range(2100):
        mapping = vmar.map(vmo)
        found[(mapping.base - vmar.base) // PAGE] += 1
        mapping.unmap()
    # Two pages fit at 0, 1, 2 below page 4 and at 5 … 8 above it: seven positions, 300 each.
    assert sorted(found) == [0, 1, 2, 5, 6, 7, 8]
    assert all(230 < count < 370 for count in found.values()), found


def test_the_last_place_is_found() -> None:
    """In a full VMAR the one gap left is found, and then there is no room."""
    machine = Machine("64M", seed=5)
    process = machine.root_job.spawn("p")
    vmar = process.allocate(400 * PAGE)
    vmo = process.create_vmo(PAGE)
    taken = {vmar.map(vmo).base for _ in range(400)}
    assert taken == {vmar.base + page * PAGE for page in range(400)}
    state = machine.fingerprint()
    with pytest.raises(NoMemory, match="no room for 4096 bytes in one piece"):
        vmar.map(vmo)
    assert machine.fingerprint() == state


def test_compact_places_lie_near_a_child() -> None:
    """A compact region has 1 to 128 pages between itself and some other region."""
    machine = Machine("64M", seed=6)
    process = machine.root_job.spawn("p", vdso=False, stack=0)
    vmo = process.create_vmo(3 * PAGE)
    region = process.allocate("16G", compact=True)
    region.map(vmo)
    gaps = set()
    for _ in range(300):
        mapping = region.map(vmo)
        others = [m for m in process.aspace.mappings() if m is not mapping]
        distance = min(
            [mapping.base - m.end for m in others if m.end <= mapping.base]
            + [m.base - mapping.end for m in others if m.base >= mapping.end]
        )
        assert 1 <= distance // PAGE <= 128
        gaps.add(distance // PAGE)
    assert len(gaps) > 30


def test_compact_in_an_empty_vmar_is_uniform() -> None:
    """Without a region to be near to, a compact place is any place."""
    machine = Machine("64M", seed=6)
    process = machine.root_job.spawn("p", vdso=False, stack=0)
    vmo = process.create_vmo(PAGE)
    region = process.allocate("16G", compact=True)
    places = set()
    for _ in range(20):
        mapping = region.map(vmo)
        places.add(mapping.base)
        mapping.unmap()
    assert len(places) == 20


def test_the_kernel_fills_from_the_bottom() -> None:
    """Kernel mappings take the lowest place that fits, also one that was given back."""
    machine = Machine("64M")
    first = machine.kernel.map_device(0xD0000000, PAGE)
    second = machine.kernel.map_device(0xD1000000, PAGE)
    assert second.base == first.base + PAGE
    first.unmap()
    assert machine.kernel.map_device(0xD2000000, PAGE).base == second.base - PAGE
    assert machine.kernel.map_device(0xD3000000, PAGE).base == second.base + PAGE


def test_compact_gaps_are_all_of_1_to_128_pages() -> None:
    """The gap is drawn from 1 … 128 pages, both ends included ("VMARs and mappings")."""
    machine = Machine("64M", seed=8)
    process = machine.root_job.spawn("p", vdso=False, stack=0)
    vmo = process.create_vmo(PAGE)
    region = process.allocate("16G", compact=True)
    first = region.map(vmo)
    gaps = set()
    for _ in range(4000):
        mapping = region.map(vmo)
        below = mapping.base < first.base
        gaps.add((first.base - mapping.end if below else mapping.base - first.end) // PAGE)
        mapping.unmap()
    # Of 4,000 draws a value is missed with a chance of (127/128)^4000, about 2e-14.
    assert gaps == set(range(1, 129))

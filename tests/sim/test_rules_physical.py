"""The rules of reference/kernel.md "Physical memory", and the identities of accounting.md."""

from __future__ import annotations

import itertools

import pytest

from magmem import BootPlan, InvalidArgs, Machine, NoMemory
from magmem.sim import HEAP_BYTES

PAGE = 4096
MIB = 1 << 20
GIB = 1 << 30
STATES = ["free", "alloc", "wired", "heap", "object", "mmu"]


def assert_identity(machine: Machine) -> None:
    """Every page is in one state, and the statistics are sums over the states."""
    kmem, pages = machine.kmem, machine.pages
    assert kmem.total_bytes == sum(pages.values()) * PAGE
    assert [kmem.free_bytes, kmem.other_bytes, kmem.wired_bytes] == [
        pages[state] * PAGE for state in ("free", "alloc", "wired")
    ]
    assert [kmem.total_heap_bytes, kmem.vmo_bytes, kmem.mmu_overhead_bytes] == [
        pages[state] * PAGE for state in ("heap", "object", "mmu")
    ]
    kheap = kmem.total_heap_bytes - kmem.free_heap_bytes
    assert kmem.total_bytes == (
        kmem.free_bytes
        + kmem.vmo_bytes
        + (kheap + kmem.free_heap_bytes)
        + kmem.wired_bytes
        + kmem.mmu_overhead_bytes
        + kmem.other_bytes
    )


def test_states_are_in_order(machine: Machine) -> None:
    """Pages are free, alloc, wired, heap, object or mmu, in that order."""
    assert list(machine.pages) == STATES


def test_total_is_the_sum(machine: Machine) -> None:
    """Total = free + VMOs + (kheap + kfree) + wired + mmu + other, to the byte, always."""
    assert_identity(machine)
    process = machine.root_job.spawn("p")
    vmo = process.create_vmo("1M")
    process.map(vmo).touch(write=True)
    process.create_socket()
    assert_identity(machine)
    vmo.decommit(0, "100k")
    process.kill()
    assert_identity(machine)


def test_kfree_is_no_page_multiple(machine: Machine) -> None:
    """Free heap bytes are those inside the heap's pages."""
    assert machine.kmem.free_heap_bytes % PAGE != 0


def test_memory_below_1_mib_is_dropped() -> None:
    """The PC platform uses nothing below 1 MiB."""
    machine = Machine(memory_map=[(0, 640 << 10), (MIB - PAGE, 40 * MIB)])
    assert [(arena.base, arena.size_bytes) for arena in machine.arenas] == [(MIB, 40 * MIB - PAGE)]


def test_one_arena_per_usable_range() -> None:
    """Each usable range is an arena with name, base, size and priority."""
    machine = Machine(memory_map=[(4 * GIB, 16 * MIB, 2, "high"), (MIB, 32 * MIB, 1, "low")])
    shown = {(a.name, a.base, a.size_bytes, a.priority) for a in machine.arenas}
    assert shown == {("high", 4 * GIB, 16 * MIB, 2), ("low", MIB, 32 * MIB, 1)}


def test_memory_above_the_pci_hole() -> None:
    """RAM above 3 GiB lies from 4 GiB on, in an arena of its own."""
    machine = Machine(memory="5G")
    assert [arena.base for arena in machine.arenas] == [MIB, 4 * GIB]
    assert machine.arenas[1].size_bytes == 2 * GIB
    assert 5 * GIB - machine.kmem.total_bytes <= 2 * MIB


@pytest.mark.parametrize("ranges", [[], [(0, MIB)], [(2 * MIB, 8 * MIB), (4 * MIB, 8 * MIB)]])
def test_ranges_that_make_no_machine(ranges: list[tuple[int, int]]) -> None:
    """No usable memory, or ranges that overlap, are InvalidArgs."""
    with pytest.raises(InvalidArgs):
        Machine(memory_map=ranges)


def test_too_little_memory_to_boot() -> None:
    """A machine that cannot hold its kernel does not boot."""
    with pytest.raises(NoMemory):
        Machine(memory_map=[(MIB, 2 * MIB)])


def test_allocation_by_priority() -> None:
    """The arena with the lowest priority number is used up first."""
    ranges = [(MIB, 40 * MIB, 5, "slow"), (4 * GIB, 8 * MIB, 1, "fast")]
    machine = Machine(memory_map=ranges, boot=BootPlan(ramdisk="1M", kernel_image="1M"))
    process = machine.root_job.create_process("p")
    vmo = process.create_vmo("16M")
    slow, fast = machine.arenas
    assert fast.name == "fast"
    vmo.commit(0, 100 * PAGE)
    frames = [run[2] for run in vmo.vmo.physical_runs]
    assert all(frame * PAGE >= 4 * GIB for frame in frames)
    vmo.commit()
    used = dict.fromkeys(("slow", "fast"), 0)
    for _, count, frame in vmo.vmo.physical_runs:
        used["fast" if frame * PAGE >= 4 * GIB else "slow"] += count
    assert used["slow"] > 0
    assert sum(used.values()) == 4096
    assert slow.base == MIB


def test_failed_commit_takes_nothing(machine: Machine) -> None:
    """A commit that does not fit as a whole allocates nothing at all."""
    vmo = machine.root_job.create_process("p").create_vmo("1G")
    free = machine.pages["free"]
    before = machine.fingerprint()
    with pytest.raises(NoMemory):
        vmo.commit(0, (free + 1) * PAGE)
    assert machine.fingerprint() == before
    assert vmo.commit(0, free * PAGE) == free
    assert machine.pages["free"] == 0
    with pytest.raises(NoMemory):
        vmo.commit(free * PAGE, PAGE)


def test_committing_what_is_there_needs_no_memory(machine: Machine) -> None:
    """With no page free, committing present pages still works."""
    vmo = machine.root_job.create_process("p").create_vmo("1G")
    free = machine.pages["free"]
    vmo.commit(0, free * PAGE)
    assert vmo.commit(0, free * PAGE) == 0


def test_freed_pages_can_be_taken_again(machine: Machine) -> None:
    """Pages go from free to object and back; no page is in two VMOs."""
    process = machine.root_job.create_process("p")
    vmos = [process.create_vmo("1M") for _ in range(4)]
    for n, vmo in enumerate(vmos):
        vmo.commit(0, f"{100 * (n + 1)}k")
    vmos[1].decommit("50k", "100k")
    vmos[3].commit()
    places = sorted(
        (frame, frame + count)
        for vmo in machine.vmos
        if vmo.kind == "paged"
        for _, count, frame in vmo.physical_runs
    )
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(places))
    assert sum(end - start for start, end in places) == (
        machine.pages["object"] + sum(v.committed_pages for v in machine.vmos if v.pages_are_wired)
    )


def test_contiguous_needs_one_run(machine: Machine) -> None:
    """Memory may be free and yet not in one piece: then a contiguous VMO is NoMemory."""
    process = machine.root_job.create_process("p")
    vmo = process.create_vmo("1G")
    free = machine.pages["free"]
    vmo.commit(0, free * PAGE)
    for page in range(1, 200, 2):
        vmo.decommit(page * PAGE, PAGE)
    runs = sorted((frame, count) for _, count, frame in vmo.vmo.physical_runs)
    ends = {frame + count for frame, count in runs}
    longest = max(b[0] - a[0] - a[1] for a, b in itertools.pairwise(runs))
    assert ends
    assert longest < 50
    before = machine.fingerprint()
    with pytest.raises(NoMemory):
        process.create_contiguous_vmo(60 * PAGE)
    assert machine.fingerprint() == before


def test_sum_of_alloc(machine: Machine) -> None:
    """Σ alloc over paged VMOs = VMOs + the wired pages that VMOs own."""
    machine.root_job.spawn("p").create_vmo("1M").commit()
    owned = sum(vmo.committed_bytes for vmo in machine.vmos if vmo.kind == "paged")
    wired = sum(vmo.committed_bytes for vmo in machine.vmos if vmo.pages_are_wired)
    assert owned == machine.kmem.vmo_bytes + wired
    assert 0 < wired < machine.kmem.wired_bytes


def test_wired_at_boot() -> None:
    """Kernel image, ramdisk, vDSO and early memory are wired; the plan says how much."""
    plan = BootPlan(kernel_image="2M", ramdisk="3M", early="1M", page_array=False, alloc_pages=5)
    machine = Machine(memory="64M", boot=plan)
    vdso = sum(vmo.committed_pages for vmo in machine.kernel.vdso_variants)
    assert machine.pages["wired"] == 6 * MIB // PAGE + vdso
    assert machine.pages["alloc"] == 5
    assert machine.kmem.other_bytes == 5 * PAGE


def test_page_array_is_wired() -> None:
    """The array of page structures grows with memory and is wired."""
    small, large = Machine(memory="64M"), Machine(memory="1G")
    assert large.kmem.wired_bytes > small.kmem.wired_bytes


def test_every_object_costs_heap(machine: Machine) -> None:
    """Every kernel object costs its documented bytes, and gives them back when it dies."""
    process = machine.root_job.create_process("p")

    def used() -> int:
        return machine.kmem.total_heap_bytes - machine.kmem.free_heap_bytes

    before = used()
    event = process.create_event()
    assert used() - before == HEAP_BYTES["event"]
    channel = process.create_channel()
    assert used() - before == HEAP_BYTES["event"] + 2 * HEAP_BYTES["channel"]
    for handle in (event, *channel):
        handle.close()
    assert used() == before
    vmo = process.create_vmo(PAGE)
    assert used() - before == HEAP_BYTES["paged vmo"] + HEAP_BYTES["vmo dispatcher"]
    mapping = process.map(vmo)
    vmo.close()
    assert used() - before == HEAP_BYTES["paged vmo"] + HEAP_BYTES["mapping"]
    mapping.unmap()
    assert used() == before


def test_objects_give_their_heap_back(machine: Machine) -> None:
    """However a process ends, its heap bytes come back exactly once."""

    def used() -> int:
        return machine.kmem.total_heap_bytes - machine.kmem.free_heap_bytes

    before = used()
    machine.root_job.spawn("p").kill()
    assert used() == before
    process = machine.root_job.spawn("p", vdso=False)
    process.root_vmar.destroy()
    process.kill()
    assert used() == before


def test_heap_grows_by_64k_and_never_shrinks(machine: Machine) -> None:
    """The heap takes whole 64 KiB when it must; dead objects leave free bytes, not pages."""
    process = machine.root_job.create_process("p")
    start = machine.pages["heap"]
    handles = [handle for _ in range(80) for handle in process.create_socket()]
    grown = machine.pages["heap"]
    assert grown > start
    assert (grown - start) % 16 == 0
    for handle in handles:
        handle.close()
    assert machine.pages["heap"] == grown
    assert_identity(machine)


def test_arena_counts_add_up(machine: Machine) -> None:
    """The snapshot's arenas hold every page once; their own free count agrees."""
    machine.root_job.spawn("p").create_vmo("1M").commit()
    arenas = machine.snapshot().arenas
    for state in STATES:
        assert arenas[f"{state}_pages"].sum() == machine.pages[state]
    assert (arenas["free_count"] == arenas["free_pages"]).all()
    total = arenas[[f"{state}_pages" for state in STATES]].sum(axis=1)
    assert (total * PAGE == arenas["size_bytes"]).all()

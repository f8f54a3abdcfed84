"""A machine just booted: ranges, wired memory, the kernel's own mappings, first koids."""

from __future__ import annotations

import pytest

from magmem.errors import BadState, InvalidArgs, NoMemory
from magmem.sim import HEAP_BYTES, BootPlan, Machine

PAGE = 4096
MIB = 1 << 20


def test_a_pc_of_2g_has_the_guides_total() -> None:
    """Below 1 MiB nothing is usable, and the firmware keeps 128 KiB: 2G is 2046.875M."""
    (arena,) = Machine("2G").arenas
    assert (arena.base, arena.size_bytes) == (MIB, 2048 * MIB - MIB - 128 * 1024)


def test_memory_above_3g_lies_from_4g_on() -> None:
    """The PCI hole splits larger memory into two arenas, the low one allocated from first."""
    low, high = Machine("8G").arenas
    assert (low.base, low.base + low.size_bytes) == (MIB, 3072 * MIB - 128 * 1024)
    assert (high.base, high.size_bytes) == (4096 * MIB, 5120 * MIB)
    assert low.priority < high.priority


def test_a_memory_map_is_cut_to_whole_usable_pages() -> None:
    """Ranges lose what lies below 1 MiB and parts of pages; names are cut to 15 bytes."""
    machine = Machine(
        memory_map=[(0, 0x9F000), (0x80000, 64 * MIB + 100), (256 * MIB, PAGE, 5, "x" * 20)]
    )
    low, tiny = machine.arenas
    assert (low.base, low.size_bytes) == (MIB, 64 * MIB + 0x80000 - MIB)
    assert (tiny.base, tiny.size_bytes, tiny.priority, tiny.name) == (256 * MIB, PAGE, 5, "x" * 15)


def test_ranges_may_not_overlap() -> None:
    """Two ranges over the same memory are refused, and so is a machine without memory."""
    with pytest.raises(InvalidArgs, match="memory ranges overlap at 0x2000000"):
        Machine(memory_map=[(MIB, 64 * MIB), (32 * MIB, 64 * MIB)])
    with pytest.raises(InvalidArgs, match="memory above 1 MiB"):
        Machine("1M")


def test_a_plan_has_no_negative_amounts() -> None:
    """Amounts below 0, and ranges that are not two to four values, are refused."""
    with pytest.raises(InvalidArgs, match="table_pages: expected 0"):
        Machine("64M", boot=BootPlan(table_pages=-1))
    with pytest.raises(InvalidArgs, match=r"expected \(base, size, priority, name\), found \(5,\)"):
        Machine(memory_map=[(5,)])
    with pytest.raises(InvalidArgs, match="seed: expected a number"):
        Machine("64M", seed="lucky")  # type: ignore[arg-type]


def test_too_little_memory_does_not_boot() -> None:
    """What booting wires must fit."""
    with pytest.raises(NoMemory, match=r"booting needs \d+ pages, the machine has 992"):
        Machine("5M")


def test_page_states_after_boot_follow_from_the_plan() -> None:
    """Every amount of the plan is found again in the state it belongs to."""
    plan = BootPlan(
        kernel_image="1M", ramdisk="3M", early="256k", page_array=False, heap="1M",
        table_pages=20, alloc_pages=7, kernel_threads=2,
    )  # fmt: skip
    machine = Machine("64M", boot=plan)
    pages = machine.pages
    # The vDSO has 7 pages, and each of its two variants one of its own.
    assert pages["wired"] == (MIB + 3 * MIB + MIB // 4) // PAGE + 7 + 2
    assert pages["heap"] == MIB // PAGE
    assert pages["mmu"] == 20 + 1
    assert pages["alloc"] == 7
    assert pages["object"] == 0
    assert machine.kmem.other_bytes == 7 * PAGE
    assert sum(pages.values()) == sum(sum(arena.counts) for arena in machine.arenas)


def test_the_page_array_costs_32_bytes_a_page() -> None:
    """The array of page structures is wired memory that grows with the machine."""
    wired = [
        Machine("1G", boot=BootPlan(page_array=array)).pages["wired"] for array in (True, False)
    ]
    total = (1024 * MIB - MIB - 128 * 1024) // PAGE
    assert wired[0] - wired[1] == -(-total * 32 // PAGE)


def test_vdso_and_ramdisk_own_wired_pages() -> None:
    """They show an alloc, yet their pages count under wired, not under VMOs."""
    machine = Machine("64M", boot=BootPlan(ramdisk="3M"))
    wired = {vmo.name: vmo.committed_pages for vmo in machine.vmos if vmo.pages_are_wired}
    assert wired == {"vdso/full": 7, "vdso/test1": 1, "vdso/test2": 1, "bootfs": 768}
    assert machine.kmem.vmo_bytes == 0
    full, *variants = machine.kernel.vdso_variants
    assert [variant.parent for variant in variants] == [full, full]


def test_the_first_koids_are_the_guides() -> None:
    """Super-root 1024, root job 1028, vDSO 1031 to 1033, and then on in creation order."""
    machine = Machine("64M")
    assert (machine.super_root.koid, machine.root_job.koid) == (1024, 1028)
    assert (machine.super_root.name, machine.root_job.name) == ("<superroot>", "root")
    assert [vmo.koid for vmo in machine.kernel.vdso_variants] == [1031, 1032, 1033]
    assert machine.root_job.create_job("next").koid == 1035


def test_kernel_vmos_have_no_koid() -> None:
    """What the kernel made for itself was never in userspace's hands."""
    machine = Machine("64M")
    own = [vmo for vmo in machine.vmos if not vmo.pages_are_wired]
    assert {vmo.koid for vmo in own} == {0}
    assert {"arena:handles", "arena:packets"} <= {vmo.name for vmo in own}


def test_the_handle_arena_lies_as_in_a_dump_of_2017() -> None:
    """4M of control, a guard page, 10M of entries, in one VMO of 14M and a VMAR of its name."""
    kernel = Machine("64M").kernel
    arena = kernel.handle_arena
    vmar = arena.data.vmar
    assert (vmar.name, vmar.size_bytes, arena.vmo.size_bytes) == (
        "arena:handles",
        0xE01000,
        0xE00000,
    )
    assert (arena.control.base, arena.control.size_bytes) == (vmar.base, 0x400000)
    assert (arena.data.base, arena.data.size_bytes) == (vmar.base + 0x401000, 0xA00000)
    assert arena.data.vmo_offset_bytes == 0x400000


def test_without_arenas_there_are_no_handles() -> None:
    """A kernel booted without its arenas has jobs, but nothing can be held."""
    machine = Machine("64M", boot=BootPlan(regions=("physmap",)))
    state = machine.fingerprint()
    with pytest.raises(BadState, match="booted without kernel arenas"):
        machine.root_job.spawn("sh")
    assert machine.fingerprint() == state
    process = machine.root_job.create_process("bare")
    with pytest.raises(BadState, match="booted without kernel arenas"):
        process.create_vmo(PAGE)


def test_an_unknown_region_is_refused() -> None:
    """A plan can name only the regions there are."""
    with pytest.raises(InvalidArgs, match="no kernel region 'attic'"):
        Machine("64M", boot=BootPlan(regions=("attic",)))


def test_heap_bytes_after_boot_are_those_of_the_objects() -> None:
    """The heap in use is the sum of what was made: VMOs, VMARs, mappings, jobs, threads."""
    machine = Machine("64M", boot=BootPlan(kernel_threads=3))
    vmos = sum(HEAP_BYTES[f"{vmo.kind} vmo"] for vmo in machine.vmos)
    regions = list(machine.kernel.aspace.mappings())
    # The kernel's root VMAR is part of its image.
    vmars = len(list(machine.kernel.aspace.vmars())) - 1
    expected = (
        vmos
        + len(regions) * HEAP_BYTES["mapping"]
        + vmars * HEAP_BYTES["vmar"]
        + 2 * HEAP_BYTES["job"]
        + 3 * HEAP_BYTES["kernel thread"]
    )
    assert machine.heap.used == expected
    assert machine.kmem.free_heap_bytes == machine.kmem.total_heap_bytes - expected

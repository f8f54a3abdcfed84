"""The rules of reference/kernel.md about page faults, page-table entries and table pages."""

from __future__ import annotations

import pytest

from magmem import Machine, NoMemory, NotSupported, PageFault
from magmem.sim.process import Process

PAGE = 4096
BASE = 0x1000000
TABLE = 512 * PAGE
"""Bytes that one lowest table maps."""


def refused(process: Process, address: int, **access: bool) -> tuple[int, str, str]:
    """Address, access and reason of the fault that touching an address raises."""
    with pytest.raises(PageFault) as caught:
        process.touch(address, **access)
    return caught.value.address, caught.value.access, caught.value.reason


def test_no_mapping(process: Process) -> None:
    """Touching what is not mapped faults, and the fault names address, access and reason."""
    assert refused(process, BASE + 5) == (BASE + 5, "read", "no mapping")


@pytest.mark.parametrize(
    ("perms", "access", "word"),
    [("rx", "write", "writable"), ("rw", "execute", "executable"), ("", "read", "readable")],
)
def test_wrong_permission(process: Process, perms: str, access: str, word: str) -> None:
    """A mapping without the permission faults and says which it lacks."""
    process.map(process.create_vmo(PAGE), perms, at=BASE)
    kind = {} if access == "read" else {access: True}
    assert refused(process, BASE, **kind) == (BASE, access, f"mapping is not {word}")


def test_past_the_vmos_end(process: Process) -> None:
    """A mapping may pass the VMO's end; touching there faults, page by page."""
    vmo = process.create_vmo(PAGE + 1)
    mapping = process.map(vmo, at=BASE, length=4 * PAGE)
    process.write(BASE + 2 * PAGE - 1, b"x")
    assert refused(process, BASE + 2 * PAGE) == (BASE + 2 * PAGE, "read", "past the end of the VMO")
    with pytest.raises(PageFault) as caught:
        mapping.touch(write=True)
    assert caught.value.address == BASE + 2 * PAGE


def test_range_faults_at_its_first_bad_page(machine: Machine, process: Process) -> None:
    """A range faults at the first page that cannot be accessed; the pages before it are done."""
    vmo = process.create_vmo(2 * PAGE)
    process.map(vmo, at=BASE)
    with pytest.raises(PageFault) as caught:
        process.write(BASE + 100, b"x" * (2 * PAGE))
    assert (caught.value.address, caught.value.access) == (BASE + 2 * PAGE, "write")
    assert vmo.vmo.runs == [(0, 2)]
    assert vmo.read() == bytes(100) + b"x" * (2 * PAGE - 100)
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_fault_at_the_first_page_changes_nothing(machine: Machine, process: Process) -> None:
    """An access whose very first page faults has done nothing, and is not recorded."""
    mapping = process.map(process.create_vmo(2 * PAGE), "r", at=BASE)
    before, step = machine.fingerprint(), machine.step
    for refused in (
        lambda: process.write(BASE, b"x"),
        lambda: process.read(BASE + 2 * PAGE, 1),
        lambda: process.touch(BASE - PAGE, 2 * PAGE),
        lambda: mapping.touch(write=True),
    ):
        with pytest.raises(PageFault):
            refused()
    assert (machine.fingerprint(), machine.step) == (before, step)


@pytest.mark.parametrize("through", ["mapping", "process"])
def test_half_a_touch(machine: Machine, process: Process, through: str) -> None:
    """A touch that faults half-way leaves entries and pages of the part before the fault."""
    vmo = process.create_vmo(2 * PAGE)
    mapping = process.map(vmo, at=BASE, length=4 * PAGE)
    act = {
        "mapping": lambda: mapping.touch(write=True),
        "process": lambda: process.touch(BASE, 4 * PAGE, write=True),
    }[through]
    with pytest.raises(PageFault):
        act()
    assert (mapping.installed, vmo.vmo.runs) == ([(0, 2)], [(0, 2)])
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_half_a_read(machine: Machine, process: Process) -> None:
    """A read across the end of a mapping installs the entries of the part before it."""
    mapping = process.map(process.create_vmo(2 * PAGE), at=BASE)
    with pytest.raises(PageFault):
        mapping.read(PAGE, 2 * PAGE)
    assert mapping.installed == [(1, 1)]
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_fault_installs_an_entry(process: Process) -> None:
    """A fault installs the entry of the touched page, in the touched mapping only."""
    vmo = process.create_vmo(4 * PAGE)
    first, second = process.map(vmo), process.map(vmo)
    first.touch(1, offset=PAGE)
    assert (first.installed, second.installed) == ([(1, 1)], [])


def test_mapping_installs_nothing(process: Process) -> None:
    """Mapping committed pages installs no entries."""
    vmo = process.create_vmo(4 * PAGE)
    vmo.commit()
    assert process.map(vmo).installed == []


def test_access_by_address_spans_mappings(process: Process) -> None:
    """Reading and writing by address goes across mappings that touch each other."""
    first, second = process.create_vmo(PAGE), process.create_vmo(PAGE)
    process.map(first, at=BASE)
    process.map(second, at=BASE + PAGE)
    process.write(BASE + PAGE - 2, b"abcd")
    assert (first.read(PAGE - 2), second.read(0, 2)) == (b"ab", b"cd")
    assert process.read(BASE + PAGE - 2, 4) == b"abcd"


def test_write_across_a_vmo_and_its_clone(process: Process) -> None:
    """Bytes are stored in address order: what the clone copies was already written."""
    parent = process.create_vmo(PAGE)
    clone = parent.clone()
    process.map(parent, at=BASE)
    process.map(clone, at=BASE + PAGE)
    process.write(BASE, b"A" * PAGE + b"B")
    assert clone.read(0, 4) == b"BAAA"


def test_commit_drops_entries(process: Process, other: Process) -> None:
    """Committing a page removes its entries in every mapping of the VMO, not those beside it."""
    vmo = process.create_vmo(2 * PAGE)
    mine = process.map(vmo)
    theirs = other.map(vmo)
    mine.touch()
    theirs.touch()
    vmo.commit(0, PAGE)
    assert (mine.installed, theirs.installed) == ([(1, 1)], [(1, 1)])


def test_write_fault_drops_other_entries(process: Process, other: Process) -> None:
    """A write fault that commits removes the others' entries and installs its own."""
    vmo = process.create_vmo(PAGE)
    mine, theirs = process.map(vmo), other.map(vmo)
    mine.touch()
    theirs.touch()
    assert mine.touch(write=True) == 1
    assert (mine.installed, theirs.installed) == ([(0, 1)], [])
    theirs.touch()
    assert theirs.installed == [(0, 1)]


def test_write_to_a_present_page_drops_nothing(process: Process, other: Process) -> None:
    """Writing to a page that is there changes no entry of anyone else."""
    vmo = process.create_vmo(PAGE)
    vmo.commit()
    mine, theirs = process.map(vmo), other.map(vmo)
    theirs.touch()
    assert mine.touch(write=True) == 0
    assert theirs.installed == [(0, 1)]


def test_decommit_drops_entries(process: Process) -> None:
    """Decommitting a page removes its entries; the next touch sees zeros again."""
    vmo = process.create_vmo(2 * PAGE)
    mapping = process.map(vmo)
    mapping.write(0, b"gone")
    mapping.write(PAGE, b"kept")
    vmo.decommit(0, PAGE)
    assert mapping.installed == [(1, 1)]
    assert mapping.read(0, 4) == bytes(4)


def test_resize_drops_entries(process: Process) -> None:
    """Shrinking removes the entries past the new end, also those of pages never committed."""
    vmo = process.create_vmo(4 * PAGE)
    mapping = process.map(vmo)
    mapping.touch(2 * PAGE, write=True)
    mapping.touch()
    vmo.resize(PAGE)
    assert mapping.installed == [(0, 1)]


def test_entries_of_clones_that_see_through_go(process: Process) -> None:
    """Committing or decommitting the parent's page drops entries of clones that see it."""
    parent = process.create_vmo(3 * PAGE)
    parent.commit()
    clone = parent.clone(PAGE)
    clone.write(PAGE, b"own copy of page 2")
    mapping = process.map(clone)
    mapping.touch()
    assert mapping.installed == [(0, 2)]
    parent.decommit()
    assert mapping.installed == [(1, 1)]


def test_entries_through_two_clones(process: Process) -> None:
    """Seeing through goes down chains of clones."""
    a = process.create_vmo(PAGE)
    c = a.clone().clone()
    mapping = process.map(c)
    mapping.touch()
    a.write(0, b"now")
    assert mapping.installed == []
    assert mapping.read(0, 3) == b"now"


def test_entries_past_the_end_of_a_clone_between_stay(process: Process) -> None:
    """What an ancestor commits past the end of a clone between is not seen, so entries stay there.

    Pages 0 to 3 are visible through all three; after the shrink the third sees the first through
    the second at pages 0 and 1 alone, so committing all four pages drops 4 − 2 entries.
    """
    a = process.create_vmo(4 * PAGE)
    b = a.clone()
    c = b.clone()
    b.resize(2 * PAGE)
    mapping = process.map(c)
    mapping.touch()
    assert mapping.installed == [(0, 4)]
    a.commit()
    assert mapping.installed == [(2, 2)]


def test_quirk_copies_drop_entries(process: Process) -> None:
    """A copy left in a clone between drops the entries of that clone's mappings too."""
    a = process.create_vmo(PAGE)
    a.commit()
    b = a.clone()
    c = b.clone()
    between = process.map(b)
    between.touch()
    c.write(0, b"x")
    assert between.installed == []


def test_unmap_drops_entries(process: Process) -> None:
    """Entries go with the part that is unmapped."""
    vmo = process.create_vmo(4 * PAGE)
    mapping = process.map(vmo, at=BASE)
    mapping.touch()
    process.unmap(BASE + 3 * PAGE, PAGE)
    assert mapping.installed == [(0, 3)]


def test_vmo_read_and_write_install_nothing(process: Process) -> None:
    """Reading and writing without a mapping installs no entries."""
    vmo = process.create_vmo(PAGE)
    mapping = process.map(vmo)
    vmo.write(0, b"x")
    vmo.read()
    assert mapping.installed == []


def test_bytes_of_a_device(process: Process) -> None:
    """A device's mapping can be touched; the laboratory knows no bytes of it."""
    mapping = process.map(process.create_physical_vmo(0xFED00000, 2 * PAGE))
    assert mapping.touch(write=True) == 0
    assert mapping.installed == [(0, 2)]
    with pytest.raises(NotSupported):
        mapping.read(0, 1)
    with pytest.raises(NotSupported):
        mapping.write(0, b"x")


# -------------------------------------------------------------------------- table pages


def test_one_top_table(machine: Machine, process: Process) -> None:
    """An address space has one top table from the start."""
    assert process.aspace is not None
    assert process.aspace.table_pages == 1
    before = machine.pages["mmu"]
    machine.root_job.create_process("another")
    assert machine.pages["mmu"] == before + 1


def test_first_entry_takes_three_tables(machine: Machine, process: Process) -> None:
    """x86-64 has 4 levels: the first entry brings a table of each of the lower three."""
    assert process.aspace is not None
    vmo = process.create_vmo(PAGE)
    before = machine.pages["mmu"]
    process.map(vmo, at=BASE).touch()
    assert process.aspace.table_pages == 4
    assert machine.pages["mmu"] == before + 3


def test_512_entries_a_table(process: Process) -> None:
    """A lowest table maps 2 MiB: pages in one share it, the next page takes another."""
    assert process.aspace is not None
    vmo = process.create_vmo(PAGE)
    for address in (0x40000000, 0x40000000 + TABLE - PAGE):
        process.map(vmo, at=address).touch()
        assert process.aspace.table_pages == 4
    process.map(vmo, at=0x40000000 + TABLE).touch()
    assert process.aspace.table_pages == 5
    process.map(vmo, at=0x40000000 + 512 * TABLE).touch()  # another GiB: two tables more
    assert process.aspace.table_pages == 7
    process.map(vmo, at=0x40000000 + 512 * 512 * TABLE).touch()  # another 512 GiB: three
    assert process.aspace.table_pages == 10


def test_tables_go_with_their_last_entry(machine: Machine, process: Process) -> None:
    """A table page exists while it has an entry."""
    assert process.aspace is not None
    vmo = process.create_vmo(2 * PAGE)
    before = machine.pages["mmu"]
    mapping = process.map(vmo, at=BASE)
    mapping.touch()
    process.unmap(BASE, PAGE)
    assert process.aspace.table_pages == 4
    vmo.commit(PAGE, PAGE)
    assert process.aspace.table_pages == 1
    mapping.touch()
    mapping.unmap()
    assert machine.pages["mmu"] == before


def test_scattered_mappings_cost_more(process: Process, other: Process) -> None:
    """Scattered mappings cost more table pages than compact ones."""
    vmo = process.create_vmo(PAGE)
    packed = other.allocate("16G", compact=True)
    for _ in range(32):
        process.map(vmo).touch()
        packed.map(vmo).touch()
    assert process.aspace is not None
    assert other.aspace is not None
    assert other.aspace.table_pages <= 1 + 3 * 2
    assert process.aspace.table_pages > 32 * 2


def test_tables_go_with_the_process(machine: Machine) -> None:
    """The end of a process gives its table pages back."""
    machine.root_job.spawn("warm").kill()  # the kernel's own tables for stacks and handles
    before = machine.pages["mmu"]
    process = machine.root_job.spawn("p")
    assert machine.pages["mmu"] > before
    process.kill()
    assert machine.pages["mmu"] == before


def test_a_fault_without_memory_for_tables(process: Process, machine: Machine) -> None:
    """If the tables for an entry do not fit, the touch is NoMemory and commits nothing."""
    filler, vmo = process.create_vmo("64M"), process.create_vmo(PAGE)
    mapping = process.map(vmo, at=BASE)
    filler.commit(0, (machine.pages["free"] - 3) * PAGE)
    before = machine.fingerprint()
    with pytest.raises(NoMemory):
        mapping.touch(write=True)
    assert machine.fingerprint() == before
    assert mapping.touch() == 0
    assert machine.pages["free"] == 0

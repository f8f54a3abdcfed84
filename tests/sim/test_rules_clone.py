"""The rules of reference/kernel.md "Copy-on-write clones (mid-2017 semantics)", one by one."""

from __future__ import annotations

import pytest

from magmem import InvalidArgs, Machine, NoMemory, NotFound, OutOfRange
from magmem.sim.process import Process

PAGE = 4096


def test_offset_must_be_page_aligned(process: Process) -> None:
    """A clone begins at a page of its parent."""
    with pytest.raises(InvalidArgs):
        process.create_vmo(4 * PAGE).clone(100, PAGE)


def test_offset_and_size_must_not_overflow(process: Process) -> None:
    """Offset + size past 64 bits is OutOfRange."""
    with pytest.raises(OutOfRange):
        process.create_vmo(4 * PAGE).clone((1 << 64) - PAGE, 2 * PAGE)


def test_range_may_start_past_the_parents_end(process: Process) -> None:
    """A clone may lie past the parent's end; it reads zeros and can be written."""
    clone = process.create_vmo(PAGE).clone(8 * PAGE, 2 * PAGE)
    assert clone.read() == bytes(2 * PAGE)
    clone.write(PAGE, b"x")
    assert clone.vmo.runs == [(1, 1)]


def test_range_may_extend_past_the_parents_end(process: Process) -> None:
    """What lies past the parent's end reads zeros, what lies before shows the parent."""
    parent = process.create_vmo(PAGE)
    parent.write(0, b"p")
    clone = parent.clone(0, 3 * PAGE)
    assert clone.read(0, 1) == b"p"
    assert clone.read(PAGE) == bytes(2 * PAGE)


def test_a_clone_owns_only_what_it_copied(process: Process) -> None:
    """A fresh clone owns nothing; a write copies one page; committed bytes are its copies only."""
    parent = process.create_vmo(4 * PAGE)
    parent.commit()
    clone = parent.clone()
    assert clone.vmo.committed_pages == 0
    clone.write(2 * PAGE, b"x")
    assert (clone.vmo.runs, clone.vmo.committed_bytes) == ([(2, 1)], PAGE)
    assert parent.vmo.committed_pages == 4


def test_read_finds_the_page_up_the_chain(process: Process) -> None:
    """A read goes from clone to parent at parent_offset + offset, recursively, else zeros."""
    a = process.create_vmo(6 * PAGE)
    a.write(3 * PAGE, b"deep")
    b = a.clone(PAGE, 5 * PAGE)
    c = b.clone(2 * PAGE, 3 * PAGE)
    assert b.read(2 * PAGE, 4) == b"deep"
    assert c.read(0, 4) == b"deep"
    assert c.read(PAGE, 4) == bytes(4)


def test_read_stops_at_the_size_of_each_ancestor(process: Process) -> None:
    """A page is seen only within the current size of every VMO on the way."""
    a = process.create_vmo(4 * PAGE)
    a.write(3 * PAGE, b"deep")
    b = a.clone()
    c = b.clone()
    assert c.read(3 * PAGE, 4) == b"deep"
    b.resize(3 * PAGE)
    assert c.read(3 * PAGE, 4) == bytes(4)
    b.resize(4 * PAGE)
    assert c.read(3 * PAGE, 4) == b"deep"


def test_write_copies_the_visible_page(process: Process) -> None:
    """The page written keeps the parent's other bytes; the parent does not change."""
    parent = process.create_vmo(PAGE)
    parent.write(0, b"parent")
    clone = parent.clone()
    clone.write(1, b"A")
    assert clone.read(0, 6) == b"pArent"
    assert parent.read(0, 6) == b"parent"


def test_quirk_copies_in_every_clone_between(process: Process) -> None:
    """The quirk: a write through a clone of a clone also leaves a copy in the clones between."""
    a = process.create_vmo(2 * PAGE)
    a.write(PAGE, b"a")
    b = a.clone()
    c = b.clone()
    d = c.clone()
    d.write(PAGE + 1, b"d")
    assert [v.vmo.runs for v in (b, c, d)] == [[(1, 1)]] * 3
    assert [v.read(PAGE, 2) for v in (a, b, c, d)] == [b"a\0", b"a\0", b"a\0", b"ad"]


def test_quirk_counts_every_copy(process: Process) -> None:
    """Commit through a clone of a clone takes a page per clone on the way, and says so."""
    a = process.create_vmo(2 * PAGE)
    a.commit(0, PAGE)
    c = a.clone().clone()
    assert c.commit() == 3
    assert c.vmo.runs == [(0, 2)]


def test_no_quirk_for_pages_nobody_owns(process: Process) -> None:
    """A page that nobody owns is committed in the written clone alone."""
    b = process.create_vmo(PAGE).clone()
    c = b.clone()
    c.write(0, b"c")
    assert (b.vmo.committed_pages, c.vmo.committed_pages) == (0, 1)


def test_quirk_ends_at_the_owner(process: Process) -> None:
    """Clones above the page's owner get no copy."""
    a = process.create_vmo(PAGE)
    a.commit()
    b = a.clone()
    b.write(0, b"b")
    c = b.clone()
    d = c.clone()
    d.write(1, b"d")
    assert [v.vmo.committed_pages for v in (a, b, c, d)] == [1, 1, 1, 1]
    assert d.read(0, 2) == b"bd"


def test_quirk_hides_later_writes_to_the_owner(process: Process) -> None:
    """After the quirk's copy, the clone between no longer sees its parent's writes."""
    a = process.create_vmo(PAGE)
    a.write(0, b"1")
    b = a.clone()
    b.clone().write(1, b"x")
    a.write(0, b"2")
    assert b.read(0, 1) == b"1"


def test_commit_copies_the_visible_page(process: Process) -> None:
    """A clone that commits copies the parent's visible page, or gets a zero page."""
    parent = process.create_vmo(2 * PAGE)
    parent.write(0, b"seen")
    clone = parent.clone()
    assert clone.commit() == 2
    parent.write(0, b"anew")
    assert clone.read(0, 4) == b"seen"
    assert clone.read(PAGE) == bytes(PAGE)


def test_parents_writes_stay_visible(process: Process) -> None:
    """A clone is no snapshot: writes to the parent show where the clone has no page."""
    parent = process.create_vmo(2 * PAGE)
    clone = parent.clone()
    clone.write(0, b"mine")
    parent.write(0, b"late")
    parent.write(PAGE, b"late")
    assert (clone.read(0, 4), clone.read(PAGE, 4)) == (b"mine", b"late")


def test_decommit_shows_the_parent_again(process: Process) -> None:
    """Decommitting a clone's page makes the parent's page visible again."""
    parent = process.create_vmo(PAGE)
    parent.write(0, b"parent")
    clone = parent.clone()
    clone.write(0, b"clone!")
    assert clone.decommit() == 1
    assert clone.read(0, 6) == b"parent"


def test_parent_resized_to_zero(process: Process) -> None:
    """With its parent at size 0, an untouched clone reads zeros."""
    parent = process.create_vmo(2 * PAGE)
    parent.write(0, b"parent")
    clone = parent.clone()
    parent.resize(0)
    assert clone.read() == bytes(2 * PAGE)


def test_copies_outlive_the_parents_size(process: Process) -> None:
    """Pages the clone copied stay when the parent shrinks."""
    parent = process.create_vmo(PAGE)
    parent.write(0, b"parent")
    clone = parent.clone()
    clone.commit()
    parent.resize(0)
    assert clone.read(0, 6) == b"parent"


def test_page_cut_by_the_parents_end_shows_whole(process: Process) -> None:
    """Pages are seen as wholes: the page in which the parent ends shows its tail as well."""
    parent = process.create_vmo(PAGE)
    parent.write(0, b"abcdef")
    clone = parent.clone()
    parent.resize(3)
    assert clone.read(0, 6) == b"abcdef"


def test_a_clone_keeps_its_parent(machine: Machine, process: Process) -> None:
    """Closing the parent's handles does not free it while a clone lives; then both go."""
    process.create_vmo(PAGE).close()  # the handle arena keeps the pages of its first entry
    before = machine.kmem.vmo_bytes
    parent = process.create_vmo(2 * PAGE, "parent")
    parent.write(0, b"parent")
    clone = parent.clone()
    kept = parent.vmo
    parent.close()
    assert clone.read(0, 6) == b"parent"
    assert kept in machine.vmos
    clone.close()
    assert kept not in machine.vmos
    assert machine.kmem.vmo_bytes == before


def test_whole_chain_dies_with_the_last_clone(machine: Machine, process: Process) -> None:
    """A chain of clones without handles dies as a whole with its last."""
    count = len(machine.vmos)
    a = process.create_vmo(PAGE)
    b = a.clone()
    c = b.clone()
    a.close()
    b.close()
    assert len(machine.vmos) == count + 3
    c.close()
    assert len(machine.vmos) == count


def test_num_children(process: Process) -> None:
    """#chld is the number of living clones; a clone of a clone is not among them."""
    parent = process.create_vmo(PAGE)
    first, second = parent.clone(), parent.clone()
    first.clone()
    assert len(parent.vmo.children) == 2
    second.close()
    assert len(parent.vmo.children) == 1


def test_rights_of_a_clone(process: Process) -> None:
    """A clone's handle has the source handle's rights plus write, get and set property."""
    vmo = process.create_vmo(PAGE)
    reader = vmo.duplicate("rd")
    assert reader.rights == 4 | 1
    assert reader.clone().rights == 4 | 1 | 8 | 64 | 128


def test_name_of_a_clone(process: Process) -> None:
    """The clone takes the name if the source handle may get properties, else it has none."""
    vmo = process.create_vmo(PAGE, "libc.so")
    assert vmo.clone().vmo.name == "libc.so"
    assert vmo.duplicate("rd").clone().vmo.name == ""
    assert vmo.clone(name="data:libc.so").vmo.name == "data:libc.so"


def test_size_of_a_clone(process: Process) -> None:
    """Without a size, a clone spans from its offset to the parent's end, or nothing."""
    vmo = process.create_vmo(3 * PAGE)
    assert vmo.clone(PAGE).size_bytes == 2 * PAGE
    assert vmo.clone(8 * PAGE).size_bytes == 0
    assert vmo.clone(0, 5001).size_bytes == 5001


def test_lookup_sees_ancestors_pages(process: Process) -> None:
    """Lookup of a clone gives the parent's frames where it sees them."""
    parent = process.create_vmo(2 * PAGE)
    parent.commit()
    clone = parent.clone(PAGE)
    assert clone.lookup(0, PAGE)[0][1] == parent.lookup(PAGE, PAGE)[0][1]


def test_pin_is_for_own_pages(process: Process) -> None:
    """A clone cannot pin a page it only sees."""
    parent = process.create_vmo(PAGE)
    parent.commit()
    clone = parent.clone()
    with pytest.raises(NotFound):
        clone.pin(0, PAGE)
    clone.commit()
    clone.pin(0, PAGE)


def test_quirk_copies_are_all_or_nothing() -> None:
    """If the copies of the quirk do not all fit, none is made."""
    machine = Machine(memory="64M", seed=1)
    process = machine.root_job.create_process("p")
    a = process.create_vmo("1M")
    a.commit()
    b = a.clone()
    c = b.clone()
    filler = process.create_vmo("64M")
    filler.commit(0, (machine.pages["free"] - 300) * PAGE)
    before = machine.fingerprint()
    with pytest.raises(NoMemory):
        c.commit()
    assert machine.fingerprint() == before
    assert c.commit(0, 150 * PAGE) == 300


def test_vdso_variants_share_pages(machine: Machine) -> None:
    """The vDSO's test variants are clones of vdso/full that own the pages they change."""
    full, *variants = machine.kernel.vdso_variants
    assert all(variant.parent is full for variant in variants)
    assert all(0 < variant.committed_pages < full.committed_pages for variant in variants)

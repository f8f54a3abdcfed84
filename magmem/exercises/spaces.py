"""Chapters 01 to 03: address spaces, and what `vmaps` and `vmos` print."""

from __future__ import annotations

import magmem
from magmem.exercises.cast import PROCESSES, VMOS, committed, listing, machine, running, size
from magmem.exercises.dice import Dice
from magmem.exercises.keys import Amount, Mistake
from magmem.exercises.registry import Draft, exercise
from magmem.units import PAGE_BYTES

__all__: list[str] = []


@exercise("promise", "01", "predict", "memory taken by writing into a large mapping")
def promise(dice: Dice) -> Draft:
    """A mapping is a promise; whole pages come with the first touch."""
    vmo_pages = dice.between(20, 60) * 64
    first, length = dice.between(0, 4000), dice.between(9000, 300_000)
    process, vmo = dice.choice(PROCESSES), dice.choice(VMOS)
    pages = -(-(first + length) // PAGE_BYTES)
    m = machine(dice, "promise")
    (owner,) = running(m, [process])
    mapping = owner.map(owner.create_vmo(vmo_pages * PAGE_BYTES, name=vmo), perms="rw")
    mapping.touch(length, offset=first, write=True)
    return Draft(
        f"`{process}` creates a VMO `{vmo}` of {size(vmo_pages)}, maps all of it, and writes "
        f"{length:,} bytes into it, beginning at byte {first:,}.\n\n"
        "**How much memory does the VMO use now?**",
        Amount(
            pages * PAGE_BYTES,
            f"the bytes lie in {pages} pages, and a page is in memory whole or not at all.",
            (
                Mistake(
                    vmo_pages * PAGE_BYTES,
                    "That is the size of the VMO. A mapping is a promise: pages come when touched.",
                ),
            ),
            "Memory comes in pages of 4096 bytes. Which pages do the bytes lie in?",
        ),
        {"machine": m},
    )


@exercise("handle-closed", "01", "repair", "memory of a VMO after its handle was closed")
def handle_closed(dice: Dice) -> Draft:
    """A mapping keeps its VMO, with every page, when the handle is gone."""
    pages, written = dice.between(100, 900), dice.between(10, 80)
    process, vmo = dice.choice(PROCESSES), dice.choice(VMOS)
    m = machine(dice, "handle-closed")
    (owner,) = running(m, [process])
    handle = owner.create_vmo(pages * PAGE_BYTES, name=vmo)
    owner.map(handle, perms="rw").touch(written * PAGE_BYTES, write=True)
    handle.close()
    return Draft(
        f"`{process}` creates a VMO `{vmo}` of {size(pages)}, maps it, writes its first "
        f"{size(written)}, and closes its handle, the only one. It does nothing else. “So the VMO "
        "is gone, and its memory is free.”\n\n"
        "**How much memory does the VMO use now?**",
        Amount(
            written * PAGE_BYTES,
            "the mapping keeps the VMO, and the VMO keeps its pages.",
            (
                Mistake(0, "The handle is gone, but something else still refers to the VMO."),
                Mistake(pages * PAGE_BYTES, "That is the VMO's size. Which pages were touched?"),
            ),
            "Ask two things: does anything still refer to the VMO, and which pages did it get?",
        ),
        {"machine": m},
    )


@exercise("resident", "02", "predict", "how much of an address space is in memory, from `vmaps`")
def resident(dice: Dice) -> Draft:
    """`:sz` is address space, `:res` is memory."""
    process = dice.choice(PROCESSES)
    names = dice.sample(VMOS, 4)
    m = machine(dice, "resident")
    (owner,) = running(m, [process])
    mapped = touched = 0
    for name in names:
        pages = dice.between(20, 900)
        part = dice.between(1, pages // 4)
        mapping = owner.map(owner.create_vmo(pages * PAGE_BYTES, name=name), perms="rw")
        mapping.touch(part * PAGE_BYTES, write=True)
        mapped, touched = mapped + pages, touched + part
    text = magmem.vmaps(m, owner.koid)
    return Draft(
        f"`vmaps {owner.koid}` prints:\n{listing(text)}\n"
        f"**How much memory does `{process}` (koid {owner.koid}) have in its mappings?**",
        Amount(
            touched * PAGE_BYTES,
            "that is the sum of `:res` over the lines that begin with `M`.",
            (
                Mistake(
                    mapped * PAGE_BYTES,
                    "You added `:sz`, which is address space. Memory stands under `:res`.",
                ),
            ),
            "Only mappings (`M`) have memory. Add one column over these lines, and mind the units.",
        ),
        {"machine": m},
    )


@exercise("rows-are-not-vmos", "03", "predict", "memory of all VMOs in a `vmos` listing")
def rows_are_not_vmos(dice: Dice) -> Draft:
    """A VMO stands once for each handle and once for each mapping."""
    process = dice.choice(PROCESSES)
    names = dice.sample(VMOS, 3)
    m = machine(dice, "rows-are-not-vmos")
    (owner,) = running(m, [process])
    once = rows = 0
    for place, name in enumerate(names):
        # The first is mapped, so that some VMO has more than one row.
        pages, mappings = dice.between(2, 200), dice.between(place == 0, 2)
        handle = committed(owner, pages, name)
        for _ in range(mappings):
            owner.map(handle, perms="r")
        once, rows = once + pages, rows + pages * (1 + mappings)
    text = magmem.vmos(m, owner.koid)
    return Draft(
        f"`vmos {owner.koid}` prints:\n{listing(text)}\n"
        f"**How much memory do the VMOs that `{process}` (koid {owner.koid}) uses have together?**",
        Amount(
            once * PAGE_BYTES,
            "each koid once: handles and mappings are rows, VMOs are what has memory.",
            (
                Mistake(
                    rows * PAGE_BYTES,
                    "You counted a VMO once per row. Rows with the same koid are the same VMO.",
                ),
            ),
            "Look at the koids, and add `alloc` once for each.",
        ),
        {"machine": m},
    )


@exercise("clone-alloc", "03", "predict", "`alloc` of a clone after some writes")
def clone_alloc(dice: Dice) -> Draft:
    """A clone owns only its copies."""
    pages = dice.between(60, 400)
    written = dice.between(3, pages // 2)
    process, vmo = dice.choice(PROCESSES), dice.choice(VMOS)
    m = machine(dice, "clone-alloc")
    (owner,) = running(m, [process])
    clone = committed(owner, pages, vmo).clone(name=f"{vmo}-clone")
    owner.map(clone, perms="rw").touch(written * PAGE_BYTES, write=True)
    return Draft(
        f"`{process}` has a VMO `{vmo}` of {size(pages)}, all of it in memory. It makes a clone of "
        f"it, maps the clone, writes to {written} pages of it and reads the others.\n\n"
        "**What does `vmos` print as `alloc` of the clone?**",
        Amount(
            written * PAGE_BYTES,
            "the clone owns the copies it made; the rest it sees in its parent.",
            (
                Mistake(
                    pages * PAGE_BYTES,
                    "You counted the parent's pages. `alloc` is what a VMO owns itself.",
                ),
                Mistake(
                    (pages - written) * PAGE_BYTES,
                    "Those are the pages it did not write. Which ones did it have to copy?",
                ),
                Mistake(0, "A write to a clone has to go somewhere: the page is copied first."),
            ),
            "Which pages does the clone own, and which does it only see?",
        ),
        {"machine": m},
    )

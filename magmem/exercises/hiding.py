"""Chapters 05 and 06: memory that no process maps, and what the kernel keeps for itself."""

from __future__ import annotations

import magmem
from magmem.exercises.cast import PROCESSES, VMOS, committed, listing, machine, running, share, size
from magmem.exercises.dice import Dice
from magmem.exercises.keys import Amount, Mistake, Pick
from magmem.exercises.registry import Draft, exercise
from magmem.units import PAGE_BYTES

__all__: list[str] = []


@exercise("hidden-holder", "05", "culprit", "which process holds a large hidden VMO")
def hidden_holder(dice: Dice) -> Draft:
    """The largest PSS is not the holder, nor is who has most handles."""
    m = machine(dice, "hidden-holder")
    names = dice.sample(PROCESSES, 6)
    processes = running(m, names, own_koids=True)
    holder, large, busy = dice.sample(processes, 3)
    vmo = dice.choice(VMOS)
    pages = dice.between(2000, 9000)
    committed(holder, pages, vmo)
    for process in processes:
        share(process, [], dice.between(20, 300), "heap")
    share(large, [], dice.between(9100, 20000), "framebuffer")
    for number in range(dice.between(20, 30)):
        busy.create_vmo("4k", name=f"slot-{number}")
    return Draft(
        f"A machine with six processes lacks {size(pages)} that `ps` does not show: one of them "
        "wrote so much into a VMO that nobody maps. Ask the machine, `exercise.machine` (where "
        "`exercise` is your name for this one), with any tool.\n\n"
        "**Which process holds this VMO?**",
        Pick(
            (holder.name, str(holder.koid)),
            "it has the only handle to the VMO, and no mapping shows it.",
            (
                Mistake(
                    f"{large.name}|{large.koid}",
                    "It has the largest PSS, and all of that is mapped. Look for what is not.",
                ),
                Mistake(
                    f"{busy.name}|{busy.koid}",
                    "It has many handles to VMOs, but are there pages in these VMOs?",
                ),
            ),
            "`magmem.hidden` sorts hidden memory by why it is hidden, and names who holds it.",
            "the name or koid of one of the six processes",
            tuple(word for each in processes for word in (each.name, str(each.koid))),
        ),
        {"machine": m},
    )


@exercise(
    "neither-free-nor-vmo", "06", "predict", "what the kernel keeps for itself, from `kstats`"
)
def neither_free_nor_vmo(dice: Dice) -> Draft:
    """Wired, heap and page tables: none of it belongs to a process."""
    from magmem.snapshot import Snapshot

    wired, heap, mmu = (
        dice.between(*between) * PAGE_BYTES for between in ((4000, 9000), (3000, 7000), (300, 2500))
    )
    kfree = heap * dice.between(30, 60) // 100
    # Whole megabytes, so that subtracting what is printed leaves nothing to rounding.
    vmos, total = dice.between(80, 800) << 20, 2 << 30
    rest = -(-(wired + heap + mmu) >> 20) << 20
    wired = rest - heap - mmu
    snap = Snapshot.of(
        {
            "kmem": {
                "total_bytes": [total],
                "free_bytes": [total - rest - vmos],
                "vmo_bytes": [vmos],
                "wired_bytes": [wired],
                "total_heap_bytes": [heap],
                "free_heap_bytes": [kfree],
                "mmu_overhead_bytes": [mmu],
                "other_bytes": [0],
            }
        },
        name="neither-free-nor-vmo",
        coverage={"kmem": "complete"},
    )
    table = magmem.kstats(snap).text.split("\n", 1)[1]
    return Draft(
        f"`kstats -m` prints:\n{listing(table)}\n**How much memory is neither free nor in VMOs?**",
        Amount(
            rest,
            "wired, heap in use and free, and page tables: the kernel's own.",
            (
                Mistake(
                    rest + vmos,
                    "That is all that is not free. VMOs are among it.",
                ),
                Mistake(
                    rest - kfree,
                    "You took `kfree` for free memory. It is heap that the kernel keeps in hand.",
                ),
                Mistake(wired, "Wired is the largest part, but there are others."),
            ),
            "Take the total, and subtract what is free and what is in VMOs.",
            within=(2 << 20) // 10,  # who adds up the four columns adds up their rounding
        ),
        {"snapshot": snap},
    )

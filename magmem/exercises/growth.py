"""Chapters 08 and 09: who grows, and what a picture of the whole machine shows."""

from __future__ import annotations

from magmem.exercises.cast import (
    PROCESSES,
    VMOS,
    committed,
    machine,
    printing,
    running,
    share,
    size,
)
from magmem.exercises.dice import Dice
from magmem.exercises.keys import Amount, Mistake, Pick
from magmem.exercises.registry import Draft, exercise
from magmem.units import PAGE_BYTES

__all__: list[str] = []


@exercise("leaking-process", "08", "culprit", "which process leaks, from two states")
def leaking_process(dice: Dice) -> Draft:
    """The biggest does not leak, nor does a cache that was filled once."""
    m = machine(dice, "leaking-process")
    names = dice.sample(PROCESSES, 6)
    processes = running(m, names, own_koids=True)
    leaker, big, cache = dice.sample(processes, 3)
    for process in processes:
        share(process, [], dice.between(20, 200), "heap")
    share(big, [], dice.between(9000, 20000), "textures")
    pool = cache.map(cache.create_vmo(4096 * PAGE_BYTES, name="cache"), perms="rw")
    before = m.snapshot(name="before")
    minutes = dice.between(3, 9)
    each = dice.between(100, 400)
    for minute in range(minutes):
        m.advance(60_000)
        committed(leaker, each, f"log-{minute}")
    pool.touch(dice.between(20, 90) * PAGE_BYTES, write=True)
    return Draft(
        f"Between the two states `exercise.before` and `exercise.after` (where `exercise` is your "
        f"name for this one) lie {minutes} minutes, and free memory fell all the time.\n\n"
        "**Which process leaks?**",
        Pick(
            (leaker.name, str(leaker.koid)),
            "it holds ever more VMOs, and maps none of them.",
            (
                Mistake(
                    f"{big.name}|{big.koid}",
                    "It is the biggest, but it was so before. A leak is a matter of time.",
                ),
                Mistake(
                    f"{cache.name}|{cache.koid}",
                    "It grew a little, and what it grew by it maps. Something else grew more.",
                ),
            ),
            "`magmem.diff` of the two states says what grew. Who holds it?",
            "the name or koid of one of the six processes",
            tuple(word for each in processes for word in (each.name, str(each.koid))),
        ),
        {"before": before, "after": m.snapshot(name="after")},
    )


@exercise("leak-rate", "08", "predict", "how much a process leaks a minute")
def leak_rate(dice: Dice) -> Draft:
    """Growth over time, without what was there before."""
    m = machine(dice, "leak-rate")
    name = dice.choice(PROCESSES)
    (leaker,) = running(m, [name])
    old = dice.between(500, 4000)
    committed(leaker, old, "journal")
    before = m.snapshot(name="before")
    minutes, each = dice.between(3, 12), dice.between(50, 900)
    for minute in range(minutes):
        m.advance(60_000)
        committed(leaker, each, f"log-{minute}")
    return Draft(
        f"`exercise.before` and `exercise.after` (where `exercise` is your name for this one) are "
        f"{minutes} minutes apart. `{name}` keeps VMOs that it never maps.\n\n"
        "**How much more does it hold each minute?**",
        Amount(
            each * PAGE_BYTES,
            "that is what came, divided by the minutes it took.",
            (
                Mistake(minutes * each * PAGE_BYTES, "That is the growth of all minutes together."),
                Mistake(
                    (old + minutes * each) * PAGE_BYTES,
                    "That is all it holds in the end. Some of it was there before.",
                ),
            ),
            "`magmem.diff` of the two states tells the growth. Divide it by the minutes.",
        ),
        {"before": before, "after": m.snapshot(name="after")},
    )


@exercise("largest-hidden-tile", "09", "culprit", "the largest hidden VMO of a machine")
def largest_hidden_tile(dice: Dice) -> Draft:
    """The largest tile is mapped, the largest hidden one is what one overlooks."""
    m = machine(dice, "largest-hidden-tile")
    processes = running(m, dice.sample(PROCESSES, 4))
    vmos = dice.sample(VMOS, 5)
    share(processes[0], [], dice.between(9000, 14000), vmos[0])
    share(processes[1], processes[2:], dice.between(4500, 8000), vmos[1])
    committed(dice.choice(processes), dice.between(2500, 4000), vmos[2])
    committed(dice.choice(processes), dice.between(500, 2000), vmos[3])
    dice.choice(processes).create_vmo(dice.between(30000, 60000) * PAGE_BYTES, name=vmos[4])
    return Draft(
        "Draw the treemap of `exercise.machine` (where `exercise` is your name for this one), or "
        "read it as text.\n\n**Of the VMOs that no process maps, which one has the most "
        "memory?** Answer with its name.",
        Pick(
            (vmos[2],),
            "no process maps it, so neither `ps` nor `vmaps` shows it; the treemap does.",
            (
                Mistake(vmos[0], "It is the largest of all, but a process maps it."),
                Mistake(vmos[1], "It is large, but several processes map it."),
                Mistake(vmos[3], "It is hidden, but there is a larger one."),
                Mistake(vmos[4], "Its size is large, but has it any pages?"),
            ),
            "Hidden memory is drawn apart, with dots. Which of its rectangles is the largest?",
            "the name of a VMO",
        ),
        {"machine": m},
    )


@exercise("hidden-in-all", "09", "predict", "how much the processes hold without mapping it")
def hidden_in_all(dice: Dice) -> Draft:
    """What is mapped elsewhere is not hidden."""
    m = machine(dice, "hidden-in-all")
    names = dice.sample(PROCESSES, 3)
    processes = running(m, names)
    vmos = dice.sample(VMOS, 3)
    hidden, shared, mapped = (
        dice.between(*between) for between in ((500, 4000), (300, 2000), (600, 5000))
    )
    committed(processes[0], hidden, vmos[0])
    handle = share(processes[1], [], shared, vmos[1])
    processes[2].open(handle.vmo)
    share(processes[2], [], mapped, vmos[2])
    return Draft(
        f"Three processes hold three VMOs, all pages in memory. `{names[0]}` has a handle to "
        f"`{vmos[0]}` ({size(hidden)}) and maps it nowhere. `{names[1]}` maps `{vmos[1]}` "
        f"({size(shared)}), to which `{names[2]}` has a handle only. `{names[2]}` maps "
        f"`{vmos[2]}` ({size(mapped)}).\n\n**How much of this is hidden?**",
        Amount(
            hidden * PAGE_BYTES,
            "only the first VMO has no mapping at all.",
            (
                Mistake(
                    (hidden + shared) * PAGE_BYTES,
                    "A VMO that some process maps is not hidden, whoever else has a handle to it.",
                ),
                Mistake(0, "A VMO that is written and mapped nowhere: does `ps` show it?"),
                Mistake(
                    (hidden + shared + mapped) * PAGE_BYTES,
                    "That is all of their memory. Which of it does a mapping show?",
                ),
            ),
            "Ask of each VMO whether any process at all maps it.",
            within=printing(hidden),
        ),
        {"machine": m},
    )

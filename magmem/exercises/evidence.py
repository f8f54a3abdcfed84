"""Chapter 10: captures that know only a part, and dumps of different moments."""

from __future__ import annotations

import magmem
from magmem.exercises.cast import PROCESSES, VMOS, listing, machine, running, share, size
from magmem.exercises.dice import Dice
from magmem.exercises.keys import Amount, Mistake
from magmem.exercises.registry import Draft, exercise
from magmem.units import PAGE_BYTES

__all__: list[str] = []


@exercise("at-least", "10", "predict", "the least memory a mapping can have, from sizes alone")
def at_least(dice: Dice) -> Draft:
    """A sum without places gives bounds, not a number."""
    pages = dice.between(100, 400)
    mapped = dice.between(pages // 2, pages - 10)
    alloc = dice.between(pages - mapped + 5, pages - 5)
    process, vmo = dice.choice(PROCESSES), dice.choice(VMOS)
    low = alloc - (pages - mapped)
    return Draft(
        f"A capture says of a VMO `{vmo}`: `size` {size(pages)}, `alloc` {size(alloc)}. It does "
        f"not say which pages these are. `{process}` maps {size(mapped)} of it.\n\n"
        "**How much of what it maps is in memory at least?**",
        Amount(
            low * PAGE_BYTES,
            f"{size(pages - mapped)} lie outside the mapping; what does not fit there is inside.",
            (
                Mistake(
                    min(alloc, mapped) * PAGE_BYTES,
                    "That is the most it can be. What if as many pages as possible lie outside?",
                ),
                Mistake(
                    (pages - mapped) * PAGE_BYTES,
                    "That is what fits outside of the mapping. Where is the rest?",
                ),
                Mistake(0, "Not all of `alloc` fits into the part that is not mapped."),
                Mistake(
                    alloc * mapped * PAGE_BYTES // pages,
                    "That is a guess: pages need not be spread evenly.",
                ),
            ),
            "Put as many pages as you can outside of the mapping. What is left over?",
        ),
    )


@exercise("moments-apart", "10", "predict", "by how much two dumps of one machine contradict")
def moments_apart(dice: Dice) -> Draft:
    """Exact PSS of all processes cannot be more than the VMOs have."""
    m = machine(dice, "moments-apart")
    processes = running(m, dice.sample(PROCESSES, 3))
    for process in processes:
        share(process, [], dice.between(2500, 6000), dice.choice(VMOS))
    ps = magmem.ps(m, units="B")
    pss = int(ps.df.query("kind == 'process'")["pss_bytes"].sum())
    later, gone = dice.between(100, 400), dice.choice(processes)
    gone.exit()
    extra = running(m, [gone.name])[0]
    share(extra, [], later, "new")
    vmos = m.kmem.vmo_bytes
    rows = "\n".join(line for line in ps.text.splitlines() if not line.startswith("j:"))
    stats = magmem.kstats(m)
    return Draft(
        f"Someone typed `ps --units=B`, and later `kstats -m`. The first printed, without the "
        f"line of the job:\n{listing(rows)}\nand the second:\n{listing(stats)}\n"
        f"In bytes, `VMOs` is {vmos:,}.\n\n"
        "**By how much do the processes' PSS exceed what all VMOs have?**",
        Amount(
            pss - vmos,
            "no machine can be so at one moment: the dumps are of different ones.",
            (
                Mistake(pss, "That is the sum of PSS. Compare it with what VMOs have."),
                Mistake(vmos, "That is what VMOs have. Compare the sum of PSS with it."),
            ),
            "Add up PSS of the processes, and subtract what `kstats` has under VMOs.",
        ),
        {"machine": m},
    )

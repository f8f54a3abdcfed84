"""Chapter 04: what a process pays for pages it shares."""

from __future__ import annotations

from fractions import Fraction

from magmem.exercises.cast import PROCESSES, VMOS, machine, running, share, size
from magmem.exercises.dice import Dice
from magmem.exercises.keys import Amount, Mistake
from magmem.exercises.registry import Draft, exercise
from magmem.units import PAGE_BYTES

__all__: list[str] = []

WHOLE = "You counted shared pages whole, as if nobody else mapped them: that sum is called RSS."


@exercise("pss-by-hand", "04", "predict", "PSS of a process with private and shared VMOs")
def pss_by_hand(dice: Dice) -> Draft:
    """Private pages count whole, shared ones by the number of processes that map them."""
    few, many = dice.between(2, 4), dice.between(5, 8)
    own, some, common = (dice.between(*between) for between in ((3, 40), (6, 48), (10, 96)))
    names = dice.sample(PROCESSES, many)
    vmos = dice.sample(VMOS, 3)
    m = machine(dice, "pss-by-hand")
    processes = running(m, names)
    share(processes[0], [], own, vmos[0])
    share(processes[0], processes[1:few], some, vmos[1])
    share(processes[0], processes[1:], common, vmos[2])
    right = PAGE_BYTES * (own + Fraction(some, few) + Fraction(common, many))
    return Draft(
        f"`{names[0]}` maps three VMOs, all of them in memory: `{vmos[0]}` of {size(own)}, which "
        f"nobody else maps; `{vmos[1]}` of {size(some)}, which {few} processes map, itself "
        f"included; and `{vmos[2]}` of {size(common)}, which {many} processes map.\n\n"
        f"**What is the PSS of `{names[0]}`?**",
        Amount(
            right,
            f"{size(own)} whole, 1/{few} of {size(some)} and 1/{many} of {size(common)}.",
            (
                Mistake((own + some + common) * PAGE_BYTES, WHOLE),
                Mistake(own * PAGE_BYTES, "That is PRIVATE. Shared pages cost their part too."),
                Mistake(
                    PAGE_BYTES * (own + Fraction(some + common, many)),
                    "You divided both shared VMOs by the same number. Each has its own sharers.",
                ),
            ),
            "Take one VMO after the other: how many processes map it, and what is one part?",
        ),
        {"machine": m},
    )


@exercise("pss-after-exit", "04", "predict", "PSS of a process after some sharers have exited")
def pss_after_exit(dice: Dice) -> Draft:
    """PSS depends on who else is there."""
    sharers = dice.between(4, 9)
    leaving = dice.between(2, sharers - 2)
    own, common = dice.between(2, 30), dice.between(20, 160)
    names = dice.sample(PROCESSES, sharers)
    m = machine(dice, "pss-after-exit")
    processes = running(m, names)
    share(processes[0], [], own, "own")
    share(processes[0], processes[1:], common, "common")
    left = sharers - leaving
    return Draft(
        f"{sharers} processes map a VMO of {size(common)}, all of it in memory. One of them, "
        f"`{names[0]}`, also has {size(own)} of its own. Then {leaving} of the others exit: "
        f"{', '.join(f'`{name}`' for name in names[-leaving:])}.\n\n"
        f"**What is the PSS of `{names[0]}` afterwards?**",
        Amount(
            PAGE_BYTES * (own + Fraction(common, left)),
            f"{left} are left, so it pays 1/{left} of {size(common)}, and its {size(own)}.",
            (
                Mistake(
                    PAGE_BYTES * (own + Fraction(common, sharers)),
                    "That is its PSS before the others exited. Who pays their parts now?",
                ),
                Mistake(PAGE_BYTES * (own + common), WHOLE),
                Mistake(
                    PAGE_BYTES * (own + Fraction(common, leaving)),
                    "You divided by those who left. Divide by those who still map the VMO.",
                ),
                Mistake(
                    PAGE_BYTES * Fraction(common, left),
                    "That is its part of the shared pages. It has pages of its own too.",
                ),
            ),
            "Count who maps the shared VMO after the exits, and add what is private.",
        ),
        {"machine": m},
    )


@exercise("freed-by-exit", "04", "repair", "how much memory becomes free when a process exits")
def freed_by_exit(dice: Dice) -> Draft:
    """PSS is not what one gets back; USS is."""
    sharers = dice.between(2, 6)
    own, common = dice.between(10, 200), dice.between(30, 400)
    names = dice.sample(PROCESSES, sharers)
    vmos = dice.sample(VMOS, 2)
    m = machine(dice, "freed-by-exit")
    processes = running(m, names)
    share(processes[0], [], own, vmos[0])
    share(processes[0], processes[1:], common, vmos[1])
    part = Fraction(common, sharers)
    return Draft(
        f"“If `{names[0]}` exits, we get back its whole PSS.” It maps {size(own)} that nobody else "
        f"maps, and {size(common)} that it shares "
        f"with {sharers - 1} other{'s' * (sharers > 2)}. All pages are in memory.\n\n"
        f"**How much of the VMOs' memory becomes free when `{names[0]}` exits?**",
        Amount(
            own * PAGE_BYTES,
            "only the pages that nobody else reaches become free. That is its USS.",
            (
                Mistake(
                    PAGE_BYTES * (own + part),
                    "That is its PSS. Its part of the shared pages moves to those who stay.",
                ),
                Mistake(PAGE_BYTES * (own + common), WHOLE + " The others still use these pages."),
                Mistake(PAGE_BYTES * part, "Shared pages stay as long as one process maps them."),
            ),
            "Ask of each page whether anyone could still read it afterwards.",
        ),
        {"machine": m},
    )


@exercise("sum-of-rss", "04", "repair", "all memory of processes that share a library")
def sum_of_rss(dice: Dice) -> Draft:
    """Sums of whole sizes count a shared page once per process."""
    workers = dice.between(3, 12)
    library, own = dice.between(60, 500), dice.between(4, 120)
    program, vmo = dice.choice(PROCESSES), dice.choice(VMOS)
    m = machine(dice, "sum-of-rss")
    processes = running(m, [f"{program}-{number}" for number in range(workers)])
    share(processes[0], processes[1:], library, vmo)
    for process in processes:
        share(process, [], own, "own")
    return Draft(
        f"“{workers} processes `{program}-0` … `{program}-{workers - 1}` map {size(library + own)} "
        f"each, so together they use {size(workers * (library + own))}.” {size(library)} of each "
        f"is one VMO `{vmo}` that all of them map; the rest is their own. All pages are in memory."
        f"\n\n**How much do they really use together?**",
        Amount(
            PAGE_BYTES * (library + workers * own),
            f"{size(library)} once, and {workers} times {size(own)}.",
            (
                Mistake(
                    PAGE_BYTES * workers * (library + own),
                    "You counted the shared VMO once per process. Its pages are there once.",
                ),
                Mistake(PAGE_BYTES * (library + own), "That is one process. What of the others?"),
                Mistake(
                    PAGE_BYTES * workers * own,
                    "Those are the private pages of all. The shared VMO is memory as well.",
                ),
            ),
            "Count every page once: the shared ones, then each process's own.",
        ),
        {"machine": m},
    )

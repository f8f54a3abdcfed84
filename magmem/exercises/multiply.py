"""Chapter 07: pages mapped several times, and copy-on-write."""

from __future__ import annotations

from fractions import Fraction

import magmem
from magmem.exercises.cast import PROCESSES, VMOS, committed, machine, opened, running, size
from magmem.exercises.dice import Dice
from magmem.exercises.keys import Amount, Built, Mistake
from magmem.exercises.registry import Draft, exercise
from magmem.sim import Machine, Process
from magmem.units import PAGE_BYTES

__all__: list[str] = []


@exercise("mapped-again", "07", "predict", "PRIVATE of a process that maps a VMO several times")
def mapped_again(dice: Dice) -> Draft:
    """`ps` counts each mapping, the exact rule each page."""
    pages, times, other = dice.between(4, 120), dice.between(2, 6), dice.between(1, 90)
    process, vmo = dice.choice(PROCESSES), dice.choice(VMOS)
    asks_ps = dice.below(2) == 0
    m = machine(dice, "mapped-again")
    (owner,) = running(m, [process])
    handle = committed(owner, pages, vmo)
    for _ in range(times):
        owner.map(handle, perms="r")
    owner.map(committed(owner, other, "other"), perms="r")
    reported, exact = (times * pages + other) * PAGE_BYTES, (pages + other) * PAGE_BYTES
    asked = "does `ps` print as PRIVATE" if asks_ps else "memory does it really use"
    wrong = (
        "`ps` does not look at pages: each mapping counts for itself."
        if asks_ps
        else "You counted a page once per mapping. It is there once."
    )
    return Draft(
        f"`{process}` maps a VMO `{vmo}` of {size(pages)} {times} times, and another one of "
        f"{size(other)} once. All pages are in memory; nobody else maps them.\n\n"
        f"**How much {asked}?**",
        Amount(
            reported if asks_ps else exact,
            "mappings are counted by `ps`, pages by the exact rule.",
            (
                Mistake(exact if asks_ps else reported, wrong),
                Mistake(
                    (pages if asks_ps else times * pages) * PAGE_BYTES,
                    "There is a second VMO, which is mapped as well.",
                ),
            ),
            "How often is each VMO counted?",
        ),
        {"machine": m},
    )


def _cloned(dice: Dice, name: str) -> tuple[Machine, Process, Process, str, int, int]:
    """An owner maps a VMO, a reader maps a clone of it and writes to some pages."""
    pages = 2 * dice.between(20, 120)
    written = dice.between(4, pages // 2 - 4)
    names, vmo = dice.sample(PROCESSES, 2), dice.choice(VMOS)
    m = machine(dice, name)
    owner, reader = running(m, names)
    original = committed(owner, pages, vmo)
    owner.map(original, perms="rw")
    handle = opened(reader, original)
    view = reader.map(handle.clone(name=f"{vmo}-clone"), perms="rw")
    handle.close()
    view.touch(written * PAGE_BYTES, write=True)
    return m, owner, reader, vmo, pages, written


@exercise("clone-exact", "07", "predict", "exact PSS of a process that maps a clone")
def clone_exact(dice: Dice) -> Draft:
    """Its copies are its own; the other pages it shares with the owner."""
    m, owner, reader, vmo, pages, written = _cloned(dice, "clone-exact")
    return Draft(
        f"`{owner.name}` maps a VMO `{vmo}` of {size(pages)}, all of it in memory. "
        f"`{reader.name}` maps a clone of it, whole, and has written to {written} of its pages. "
        f"Nobody else has anything of it.\n\n**What is the exact PSS of `{reader.name}`?**",
        Amount(
            PAGE_BYTES * (written + Fraction(pages - written, 2)),
            f"{written} copies of its own, and half of the {pages - written} pages it shares.",
            (
                Mistake(
                    written * PAGE_BYTES,
                    "That is what `ps` prints: the clone's own pages. It sees others through it.",
                ),
                Mistake(pages * PAGE_BYTES, "You counted pages whole that the owner maps as well."),
                Mistake(
                    PAGE_BYTES * (written + pages - written // 2),
                    "Pages it has copied it no longer shares.",
                ),
                Mistake(
                    PAGE_BYTES * Fraction(pages, 2),
                    "You divided its copies too. Nobody shares these.",
                ),
            ),
            "Two kinds of pages: those it has copied, and those it still sees in the original.",
        ),
        {"machine": m},
    )


@exercise("clone-memory", "07", "repair", "all memory of a VMO and its clones")
def clone_memory(dice: Dice) -> Draft:
    """Copy-on-write does not double memory."""
    pages, clones = dice.between(60, 500), dice.between(2, 6)
    written = dice.between(5, pages // 3)
    process, vmo = dice.choice(PROCESSES), dice.choice(VMOS)
    m = machine(dice, "clone-memory")
    parent, *children = running(m, [process, *(f"{process}-{each}" for each in range(clones))])
    original = committed(parent, pages, vmo)
    parent.map(original, perms="rw")
    for child in children:
        handle = opened(child, original)
        child.map(handle.clone(name="copy"), perms="rw").touch(written * PAGE_BYTES, write=True)
        handle.close()
    return Draft(
        f"`{process}` has a VMO `{vmo}` of {size(pages)}, all of it in memory. {clones} others "
        f"each get a clone of it and each write to {written} pages. “So there are now "
        f"{clones + 1} times {size(pages)}.”\n\n"
        "**How much memory do the VMO and all clones really use together?**",
        Amount(
            PAGE_BYTES * (pages + clones * written),
            f"the original once, and {clones} times {written} copies.",
            (
                Mistake(
                    PAGE_BYTES * pages * (1 + clones),
                    "A clone does not copy everything: only what is written.",
                ),
                Mistake(
                    PAGE_BYTES * (pages + written), "Each clone makes copies of its own pages."
                ),
                Mistake(PAGE_BYTES * pages, "The written pages were copied; copies are memory."),
            ),
            "Start with the original, then add the copies of each clone.",
        ),
        {"machine": m},
    )


@exercise("build-twice", "07", "build", "a machine in which PRIVATE is twice the real use")
def build_twice(dice: Dice) -> Draft:
    """Duplicate mappings, made on purpose."""
    name, pages = dice.choice(PROCESSES), dice.between(3, 150)

    def test(m: Machine) -> str:
        found = [process for process in m.processes if process.name == name]
        if len(found) != 1:
            return f"expected one process named {name}, found {len(found)}."
        rows = magmem.compare(m).df.set_index("koid").loc[found[0].koid]
        private = magmem.ps(m).df.set_index("koid")["private_bytes"].loc[found[0].koid]
        if int(rows["exact"]) != pages * PAGE_BYTES:
            return f"{name} really uses {int(rows['exact']):,} bytes, not {size(pages)}."
        if int(private) != 2 * pages * PAGE_BYTES:
            return f"`ps` prints {magmem.format_size(int(private))} as PRIVATE, not twice the use."
        return ""

    def build(times: int = 2, process: str = name, runs: bool = True) -> Machine:
        m = Machine(memory="64M")
        owner = m.root_job.create_process(process)
        vmo = committed(owner, pages, "twice")
        for _ in range(times):
            owner.map(vmo, perms="r")
        if runs:
            owner.start()
        return m

    return Draft(
        f"**Build a machine** with a process `{name}` of which `ps` prints as PRIVATE twice what "
        f"it really uses, and which really uses {size(pages)}. Your answer is the machine "
        '(`magmem.Machine(memory="64M")` to begin with). A process that you make with '
        "`create_process` maps nothing by itself, and must `start()` before `ps` counts it.",
        Built(
            test,
            "each page stands under PRIVATE as often as it is mapped.",
            f"{name} maps one committed VMO of {size(pages)} twice, and runs",
            build,
            {
                "not twice the use": lambda: build(times=1),
                f"one process named {name}": lambda: build(process="somebody-else"),
                "`ps` prints 0B": lambda: build(runs=False),
            },
        ),
    )

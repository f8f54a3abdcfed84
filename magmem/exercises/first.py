"""Chapter 00: the process that uses most memory, and what all of them use."""

from __future__ import annotations

import magmem
from magmem.exercises.cast import PROCESSES, listing, machine, running, share
from magmem.exercises.dice import Dice
from magmem.exercises.keys import Amount, Mistake, Pick
from magmem.exercises.registry import Draft, exercise
from magmem.sim import Machine, Process

__all__: list[str] = []


def _office(dice: Dice, name: str) -> tuple[Machine, list[Process], list[str]]:
    """Processes with memory of their own, most of which also share a large VMO."""
    m = machine(dice, name)
    names = dice.sample(PROCESSES, 5)
    processes = running(m, names)
    share(processes[0], processes[1:4], dice.between(300, 900), "shared")
    return m, processes, names


@exercise("biggest-by-pss", "00", "culprit", "the process with the largest PSS, from `ps`")
def biggest_by_pss(dice: Dice) -> Draft:
    """SHARED is not PSS."""
    names = dice.sample(PROCESSES, 5)
    m = machine(dice, "biggest-by-pss")
    processes = running(m, names, own_koids=True)
    # The largest one may be anywhere in the listing, or the last line would be the answer.
    big, *sharers = dice.shuffled(processes)
    share(sharers[0], sharers[1:], dice.between(300, 900), "shared")
    for process in sharers:
        share(process, [], dice.between(1, 60), "own")
    share(big, [], dice.between(400, 800), "own")
    ps = magmem.ps(m)
    rows = ps.df.set_index("koid")
    largest = max(processes, key=lambda process: rows["pss_bytes"][process.koid])
    return Draft(
        f"`ps` prints:\n{listing(ps)}\n**Which process uses the most memory by PSS?**",
        Pick(
            (largest.name, str(largest.koid)),
            "its PSS is the largest, though others have more under SHARED.",
            (
                Mistake(
                    f"{sharers[0].name}|{sharers[0].koid}",
                    "It has much under SHARED, but pays only its part of that. Compare PSS.",
                ),
            ),
            "Compare the column PSS, and mind the units.",
            "the name or koid of a process in the listing",
            tuple(word for each in processes for word in (each.name, str(each.koid))),
        ),
        {"machine": m},
    )


@exercise("all-processes", "00", "predict", "what all processes use together, from `ps`")
def all_processes(dice: Dice) -> Draft:
    """Of the three columns only PSS may be added up."""
    m, processes, _ = _office(dice, "all-processes")
    for process in processes:
        share(process, [], dice.between(20, 400), "own")
    ps = magmem.ps(m, units="B")
    rows = ps.df.query("kind == 'process'")
    pss, private, shared = (
        int(rows[f"{column}_bytes"].sum()) for column in ("pss", "private", "shared")
    )
    lines = ps.text.splitlines()
    text = "\n".join(line for line in lines if not line.startswith("j:"))
    return Draft(
        f"`ps --units=B` prints, without the line of the job:\n{listing(text)}\n"
        "**How much memory do the processes use together, by PSS?**",
        Amount(
            pss,
            "parts may be added up: that is what PSS is made for.",
            (
                Mistake(
                    private + shared,
                    "You added SHARED as well: it has the shared pages whole, once per process.",
                ),
                Mistake(private, "PRIVATE leaves out what is shared. That is memory too."),
            ),
            "One column says what each process pays. Add it up.",
        ),
        {"machine": m},
    )

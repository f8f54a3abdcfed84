"""Chapters 05 and 06: the tool that shows something, the column that counts it."""

from __future__ import annotations

from typing import NamedTuple

from magmem.exercises.cast import PROCESSES, VMOS, size
from magmem.exercises.dice import Dice
from magmem.exercises.keys import Mistake, Pick
from magmem.exercises.registry import Draft, exercise

__all__: list[str] = []

TOOLS = (
    *("ps", "vmaps", "vmos", "k mx vmos hidden", "kstats -m", "k mx asd kernel"),
    *("memgraph -vt", "k mx ht"),
)
COLUMNS = ("free", "VMOs", "kheap", "kfree", "wired", "mmu", "other")


class Question(NamedTuple):
    """One of the things that may be asked."""

    text: str
    right: str
    mistakes: tuple[Mistake, ...]


@exercise("which-tool", "05", "tool", "which command shows it")
def which_tool(dice: Dice) -> Draft:
    """Each tool sees something the others do not."""
    process = f"`{dice.choice(PROCESSES)}` (koid {dice.between(1100, 9900)})"
    vmo, much = dice.choice(VMOS), size(dice.between(40, 4000))
    unmapped = Mistake("ps|vmaps", "It tells of what processes map. Nobody maps this VMO.")
    holder = Question(
        f"{much} of memory are missing since about the time that {process} was started. They were "
        "written into a VMO that nobody maps and that no process has a handle to: the kernel alone "
        "keeps it. Which command lists the VMO?",
        "k mx vmos hidden",
        (
            unmapped,
            Mistake("vmos|memgraph -vt", "It tells of what processes map or have handles to."),
        ),
    )
    held = Question(
        f"You suspect that {process} holds a VMO `{vmo}` of {much} without mapping it. Which "
        "command lists what this one process holds, and how much is in it?",
        "vmos",
        (
            unmapped,
            Mistake("memgraph -vt", "It tells of every process at once, as JSON for a program."),
            Mistake("k mx ht", "It lists handles, but not how much memory is behind them."),
            Mistake("k mx vmos hidden", "It lists hidden VMOs of everyone, without a holder."),
        ),
    )
    region = Question(
        f"{process} has a region of {much}, and you want to see how much of it is resident. Which "
        "command shows it?",
        "vmaps",
        (
            Mistake("vmos", "It shows what a VMO has in all, not what one region shows."),
            Mistake("ps", "It has one sum for all regions of the process."),
        ),
    )
    room = Question(
        f"{process} wants {much} more, and you want to know how much is free in all. Which command "
        "prints it in one line?",
        "kstats -m",
        (
            Mistake("ps", "It tells of processes; free memory belongs to none."),
            Mistake("memgraph -vt", "It has the number too, among hundreds of records of JSON."),
            Mistake("k mx asd kernel", "It shows the kernel's mappings, not what is free."),
        ),
    )
    kernel = Question(
        f"Since {process} was started, the kernel itself maps something of {much}. Which command "
        "lists the mappings of the kernel's address space?",
        "k mx asd kernel",
        (
            Mistake("vmaps", "It shows the address space of a process, and wants its koid."),
            Mistake("kstats -m", "It has sums for the kernel, but no mappings."),
            Mistake("k mx vmos hidden", "It lists VMOs. Where they are mapped it leaves out."),
        ),
    )
    return _choice(
        dice,
        (holder, held, region, room, kernel),
        TOOLS,
        "Each is one of: {}. (Without koids: `vmaps`, not `vmaps 1234`.)",
        "Read again what each tool counts: the explorer of chapter 05 has a table of them.",
        "that is what each shows and the others do not.",
    )


@exercise("which-column", "06", "tool", "under which column of `kstats` something is counted")
def which_column(dice: Dice) -> Draft:
    """Every page of the machine is in one column."""
    process, vmo = f"`{dice.choice(PROCESSES)}`", dice.choice(VMOS)
    count, much = dice.between(200, 9000), size(dice.between(40, 4000))
    boot = Mistake("wired", "Wired is what the kernel got at boot. It does not grow.")
    hidden = Question(
        f"{process} writes {much} into a VMO `{vmo}` that nobody maps. Where do these pages count?",
        "VMOs",
        (
            Mistake("free", "A page that was written is not free, whoever maps it."),
            Mistake("other", "It is an ordinary VMO; mappings make no difference here."),
        ),
    )
    scattered = Question(
        f"{process} maps a VMO `{vmo}` of 4k at {count} places far from each other, and "
        "reads a byte at each. Where do most of the further pages count that this takes?",
        "mmu",
        (
            Mistake("VMOs", "The VMO has one page, however often it is mapped."),
            Mistake("kheap", "The mappings' records are there, but page tables are larger."),
        ),
    )
    objects = Question(
        f"{process} creates {count} events. Where do the objects themselves count?",
        "kheap",
        (Mistake("VMOs", "Handles are in a VMO of the kernel; objects are not."), boot),
    )
    handles = Question(
        f"{process} creates {count} events. Where do the handles themselves count?",
        "VMOs",
        (Mistake("kheap", "The events are there. Handles have an arena of their own."), boot),
    )
    freed = Question(
        f"{process} frees {count} kernel objects. The kernel keeps their pages in hand for the "
        "next ones. Where do these pages count now?",
        "kfree",
        (
            Mistake("free", "They belong to the heap still, and nobody else can have them."),
            Mistake("kheap", "In use they were there. Now they are not in use."),
        ),
    )
    return _choice(
        dice,
        (hidden, scattered, objects, handles, freed),
        COLUMNS,
        "**Which columns of `kstats -m`?** Each is one of: {}.",
        "Ask what kind of page it is: a VMO's, the heap's, a page table's, or nobody's.",
        "every page of the machine is in one column, and these are in those two.",
    )


def _choice(
    dice: Dice,
    questions: tuple[Question, ...],
    options: tuple[str, ...],
    asks: str,
    hint: str,
    because: str,
) -> Draft:
    """Two of the questions, with the options in chance order.

    One alone has so few answers that a neighbour's is right too often.
    """
    first, second = dice.sample(questions, 2)
    shown = ", ".join(f"`{option}`" for option in dice.shuffled(options))
    mistakes = [
        Mistake("|".join(f"{word}, {second.right}" for word in each.answer.split("|")), each.says)
        for each in first.mistakes
        if isinstance(each.answer, str)
    ]
    mistakes += [
        Mistake("|".join(f"{first.right}, {word}" for word in each.answer.split("|")), each.says)
        for each in second.mistakes
        if isinstance(each.answer, str)
    ]
    pairs = tuple(f"{one}, {other}" for one in options for other in options)
    key = Pick(
        (f"{first.right}, {second.right}",),
        because,
        tuple(mistakes),
        hint,
        "two of those in the question, with a comma between",
        pairs,
        parts=2,
    )
    text = f"**a.** {first.text}\n\n**b.** {second.text}\n\n{asks.format(shown)}"
    return Draft(f"{text} Answer both, with a comma between.", key)

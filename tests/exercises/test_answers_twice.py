"""The answer by arithmetic is what the accounting engine says of the machine."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

import magmem
from magmem import exercises
from magmem.accounting.attribution import attribution_of
from magmem.exercises.exercise import Exercise
from magmem.snapshot import Snapshot

STUDENTS = [f"student {number}" for number in range(12)]


def exact(machine: magmem.Machine, name: str) -> Fraction:
    """Exact PSS of the process with a name."""
    attribution = attribution_of(machine.snapshot())
    koid = next(process.koid for process in machine.processes if process.name == name)
    (row,) = attribution.population.rows(np.array([koid])).tolist()
    return attribution.process_stages[5][row]


def first_name(exercise: Exercise) -> str:
    """The first name in backquotes of the question."""
    return exercise.question.split("`")[1]


def asker(exercise: Exercise) -> str:
    """The name the question ends with."""
    return exercise.question.rsplit("`", 2)[1]


def used(machine: magmem.Machine) -> int:
    """Bytes of the VMOs that came after boot; the kernel's own have no koid."""
    snap = machine.snapshot()
    last = max(vmo.koid for vmo in magmem.Machine(memory="1G").vmos)
    ours = snap.vmos.index[snap.vmos["koid"] > last]
    return int(snap.pages["page_count"][snap.pages["vmo"].isin(ours)].sum()) * 4096


def alloc(snap: Snapshot, name: str) -> int:
    """Committed bytes of the VMO with a name."""
    (row,) = snap.vmos.index[snap.vmos["name"] == name].tolist()
    return int(snap.pages["page_count"][snap.pages["vmo"] == row].sum()) * 4096


def exits(exercise: Exercise) -> Fraction:
    """PSS of the first process after those named last have exited."""
    machine = exercise.machine
    first, *others = exercise.question.split("Then")[1].split("`")[1::2]
    leaving = [first, *others][:-1]
    name = asker(exercise)
    for process in machine.processes:
        if process.name in leaving:
            process.exit()
    return exact(machine, name)


def freed(exercise: Exercise) -> int:
    """What VMOs lose when the process exits."""
    machine, name = exercise.machine, asker(exercise)
    before = used(machine)
    next(process for process in machine.processes if process.name == name).exit()
    return before - used(machine)


def reported_or_exact(exercise: Exercise) -> Fraction:
    """PRIVATE by `ps`, or the exact PSS, as the question asks."""
    name = first_name(exercise)
    if "`ps` print" in exercise.question:
        rows = magmem.ps(exercise.machine).df.set_index("name")
        return Fraction(int(rows["private_bytes"][name]))
    return exact(exercise.machine, name)


def grown(exercise: Exercise) -> int:
    """Growth of hidden memory over the minutes between two states."""
    kmem = [snap.kmem["vmo_bytes"].iloc[-1] for snap in (exercise.before, exercise.after)]
    minutes = int(exercise.question.split(" minutes apart")[0].rsplit(" ", 1)[1])
    return int(kmem[1] - kmem[0]) // minutes


MEASURES: dict[str, Callable[[Exercise], Fraction | int]] = {
    "promise": lambda e: used(e.machine),
    "handle-closed": lambda e: used(e.machine),
    "resident": lambda e: exact(e.machine, asker(e)),
    "rows-are-not-vmos": lambda e: used(e.machine),
    "clone-alloc": lambda e: alloc(e.machine.snapshot(), e.question.split("`")[3] + "-clone"),
    "pss-by-hand": lambda e: exact(e.machine, asker(e)),
    "pss-after-exit": exits,
    "freed-by-exit": freed,
    "sum-of-rss": lambda e: used(e.machine),
    "mapped-again": reported_or_exact,
    "clone-exact": lambda e: exact(e.machine, asker(e)),
    "clone-memory": lambda e: used(e.machine),
    "leak-rate": grown,
    "hidden-in-all": lambda e: int(magmem.ledger(e.machine).df["handle_only_bytes"].sum()),
}


@pytest.mark.parametrize("name", MEASURES)
def test_arithmetic_and_engine_agree(name: str) -> None:
    """What the key holds right is what the machine really does."""
    for student in STUDENTS:
        exercise = exercises.make(name, student)
        verdict = exercises.check(exercise, MEASURES[name](exercise))
        assert verdict.right is True, (student, MEASURES[name](exercise), verdict)


@pytest.mark.parametrize("student", STUDENTS)
def test_culprits_are_found_by_the_tools(student: str) -> None:
    """Who holds hidden memory, who leaks, and which VMO is the largest hidden one."""
    holder = exercises.make("hidden-holder", student)
    table = magmem.ledger(holder.machine).df
    name = table.sort_values("handle_only_bytes")["name"].iloc[-1]
    assert exercises.check(holder, name).right
    leak = exercises.make("leaking-process", student)
    held = [magmem.ledger(snap).df.set_index("name") for snap in (leak.before, leak.after)]
    growth = held[1]["handle_only_bytes"] - held[0]["handle_only_bytes"]
    assert exercises.check(leak, growth.idxmax()).right
    tile = exercises.make("largest-hidden-tile", student)
    hidden = magmem.hidden(tile.machine).df.query("why == 'handle-only'")
    sizes = hidden.set_index("name")["size_bytes"]
    assert exercises.check(tile, sizes.idxmax()).right
    big = exercises.make("biggest-by-pss", student)
    rows = magmem.ps(big.machine).df.query("kind == 'process'").set_index("koid")
    assert exercises.check(big, int(rows["pss_bytes"].idxmax())).right


@pytest.mark.parametrize("student", STUDENTS)
def test_what_a_listing_says_is_enough(student: str) -> None:
    """From the printed numbers alone one gets the answer."""
    kernel = exercises.make("neither-free-nor-vmo", student)
    row = kernel.question.split("````")[1].splitlines()[2].split()
    total, free, vmos, *others = (magmem.parse_size(word) for word in row)
    assert exercises.check(kernel, total - free - vmos).right
    assert exercises.check(kernel, sum(others)).right
    assert not exercises.check(kernel, sum(others) - others[1]).right  # without kfree
    sums = exercises.make("all-processes", student)
    lines = [line.split() for line in sums.question.splitlines() if "p:" in line]
    assert exercises.check(sums, sum(magmem.parse_size(line[1]) for line in lines)).right
    moments = exercises.make("moments-apart", student)
    lines = [line.split() for line in moments.question.splitlines() if line.startswith("  p:")]
    pss = sum(magmem.parse_size(line[1]) for line in lines)
    had = int(moments.question.rsplit("`VMOs` is ", 1)[1].split(".")[0].replace(",", ""))
    assert exercises.check(moments, pss - had).right


@pytest.mark.parametrize("student", STUDENTS)
def test_bounds_are_reached_by_some_placement(student: str) -> None:
    """The least is what is left over when as many pages as possible lie outside the mapping."""
    exercise = exercises.make("at-least", student)
    size, alloc_text, mapped = (
        exercise.question.split(word)[1].split()[0].strip("`,.").replace("`", "")
        for word in ("`size` ", "`alloc` ", "maps ")
    )
    pages = [magmem.parse_size(text) // 4096 for text in (size, alloc_text, mapped)]
    outside = range(pages[0])[pages[2] :]
    placed = set(list(outside)[: pages[1]])
    placed |= set(range(pages[1] - len(placed)))
    inside = sum(page < pages[2] for page in placed)
    assert len(placed) == pages[1]
    assert exercises.check(exercise, inside * 4096).right

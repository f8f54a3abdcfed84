"""A student who reads only the question: every exercise solved by its words, not by its key.

Sizes are read from the text, and answers are written as a student writes them. Where the question
is about a machine or two states, the public tools are asked. Nothing of `magmem.exercises` but the
exercise itself is used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction

import magmem
from magmem.exercises.exercise import Exercise

__all__ = ["solve"]

SIZE = r"(\d+(?:\.\d)?[BkMG])"
WORDS = {
    "kernel alone keeps it": "k mx vmos hidden",
    "what this one process holds": "vmos",
    "how much of it is resident": "vmaps",
    "how much is free in all": "kstats -m",
    "the kernel itself maps": "k mx asd kernel",
    "that nobody maps. Where do these pages": "VMOs",
    "reads a byte at each": "mmu",
    "Where do the objects themselves": "kheap",
    "Where do the handles themselves": "VMOs",
    "keeps their pages in hand": "kfree",
}
"""What only one of the situations says, and its answer."""


def numbers(text: str, pattern: str) -> list[int]:
    """The numbers of the first place that matches; a size as bytes."""
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return [
        magmem.parse_size(word) if word[-1] in "BkMG" else int(word.replace(",", ""))
        for word in found.groups()
    ]


def columns(text: str, start: str) -> list[list[str]]:
    """The words of each line that begins so."""
    return [line.split() for line in text.splitlines() if line.lstrip().startswith(start)]


def biggest(text: str) -> object:
    """The koid in the line with the largest PSS."""
    largest = max(columns(text, "p:"), key=lambda line: magmem.parse_size(line[1]))
    return int(largest[0].removeprefix("p:"))


def all_pss(text: str) -> int:
    """The sum of the column PSS."""
    return sum(magmem.parse_size(line[1]) for line in columns(text, "p:"))


def promise(text: str) -> str:
    """Pages between the first byte and the last."""
    length, first = numbers(text, r"writes ([\d,]+) bytes into it, beginning at byte ([\d,]+)")
    return f"{(first + length - 1) // 4096 + 1} pages"


def resident(text: str) -> str:
    """The sum of `:res`."""
    return f"{sum(map(magmem.parse_size, re.findall(SIZE + ':res', text))):,} bytes"


def rows(text: str) -> int:
    """`alloc` of each koid once; a row of a handle has its rights before the koid."""
    lines = [line for line in text.splitlines() if re.match(r" *[r-]\S* +\d+ ", line)]
    alloc = {line.split()[1]: magmem.parse_size(line.split()[7]) for line in lines}
    return sum(alloc.values())


def pss(text: str) -> Fraction:
    """Private, and a part of two others."""
    own, some, few, common, many = numbers(
        text,
        rf"of {SIZE}, which nobody.* of {SIZE}, which (\d+) processes map, itself.* "
        rf"of {SIZE}, which (\d+) processes map",
    )
    return own + Fraction(some, few) + Fraction(common, many)


def after_exit(text: str) -> Fraction:
    """Divided by those who stay."""
    sharers, common, own, leaving = numbers(
        text, rf"(\d+) processes map a VMO of {SIZE}.*has {SIZE} of its own. Then (\d+) of"
    )
    return own + Fraction(common, sharers - leaving)


def together(text: str) -> int:
    """The library once, and each process's own."""
    workers, each, common = numbers(text, rf"“(\d+) processes .* map {SIZE} each.*” {SIZE} of each")
    return common + workers * (each - common)


def kernel(text: str) -> str:
    """Total less free less VMOs, as the table prints them."""
    words = text.split("mmu\n")[1].split("\n", 1)[0].split()
    total, free, vmos = (magmem.parse_size(word) for word in words[:3])
    return f"{(total - free - vmos) / 2**20:.1f}M"


def again(text: str) -> int:
    """By mappings for `ps`, by pages for what is really used."""
    size, times, other = numbers(text, rf"of {SIZE} (\d+) times, and another one of {SIZE}")
    return size * (times if "does `ps` print" in text else 1) + other


def clone_exact(text: str) -> str:
    """Copies whole, half of the rest, in k with decimals."""
    size, written = numbers(text, rf"of {SIZE}, all of it.* has written to (\d+) of its pages")
    return f"{(written * 4096 + Fraction(size - written * 4096, 2)) / 1024}k"


def clones(text: str) -> int:
    """The original and all copies."""
    size, count, written = numbers(
        text, rf"of {SIZE}, all of it in memory. (\d+) others.*each write to (\d+) pages"
    )
    return size + count * written * 4096


def hidden(text: str) -> int:
    """The VMO with a handle and no mapping."""
    return numbers(text, rf"has a handle to `\w+` \({SIZE}\) and maps it nowhere")[0]


def least(text: str) -> int:
    """What does not fit outside of the mapping."""
    size, alloc, mapped = numbers(text, rf"`size` {SIZE}, `alloc` {SIZE}.*maps {SIZE} of it")
    return alloc - (size - mapped)


def apart(text: str) -> int:
    """The sum of PSS less what VMOs have."""
    return all_pss(text) - numbers(text, r"`VMOs` is ([\d,]+)\.")[0]


def two(text: str) -> str:
    """Two situations, each known by its words."""
    parts = text.split("**b.**")
    answers = [next(WORDS[key] for key in WORDS if key in part) for part in parts]
    return ", ".join(answers)


READ: dict[str, Callable[[str], object]] = {
    "biggest-by-pss": biggest,
    "all-processes": all_pss,
    "promise": promise,
    "handle-closed": lambda text: numbers(text, rf"writes its first {SIZE}")[0],
    "resident": resident,
    "rows-are-not-vmos": rows,
    "clone-alloc": lambda text: f"{numbers(text, r'writes to ([0-9]+) pages')[0]} pages",
    "pss-by-hand": pss,
    "pss-after-exit": after_exit,
    "freed-by-exit": lambda text: numbers(text, rf"maps {SIZE} that nobody else")[0],
    "sum-of-rss": together,
    "which-tool": two,
    "neither-free-nor-vmo": kernel,
    "which-column": two,
    "mapped-again": again,
    "clone-exact": clone_exact,
    "clone-memory": clones,
    "hidden-in-all": hidden,
    "at-least": least,
    "moments-apart": apart,
}


def holder(exercise: Exercise) -> object:
    """Who holds most that no mapping shows."""
    table = magmem.ledger(exercise.machine).df
    return table.sort_values("handle_only_bytes")["koid"].iloc[-1].item()


def leaker(exercise: Exercise) -> object:
    """Whose handle-only memory grew."""
    before, after = (
        magmem.ledger(snap).df.set_index("koid")["handle_only_bytes"]
        for snap in (exercise.before, exercise.after)
    )
    return int((after - before).astype("int64").idxmax())


def rate(exercise: Exercise) -> str:
    """Growth of VMOs by the minutes."""
    before, after = (
        int(snap.kmem["vmo_bytes"].iloc[-1]) for snap in (exercise.before, exercise.after)
    )
    (minutes,) = numbers(exercise.question, r"are (\d+) minutes apart")
    return f"{math.floor((after - before) / minutes)} B"


def tile(exercise: Exercise) -> object:
    """The largest VMO that a process holds and nobody maps."""
    table = magmem.hidden(exercise.machine).df.query("why == 'handle-only'")
    return table.sort_values("size_bytes")["name"].iloc[-1]


ASKED: dict[str, Callable[[Exercise], object]] = {
    "hidden-holder": holder,
    "leaking-process": leaker,
    "leak-rate": rate,
    "largest-hidden-tile": tile,
}


def solve(exercise: Exercise) -> object:
    """The answer of one who reads the question; None for a machine that is to be built."""
    if exercise.name in READ:
        return READ[exercise.name](exercise.question)
    if exercise.name in ASKED:
        return ASKED[exercise.name](exercise)
    assert exercise.question.startswith("**Build a machine**")
    return None

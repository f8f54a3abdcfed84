"""Questions with numbers drawn from a seed, one form for each belief.

They ask again what was guessed wrong, and measure before and after the course what was learnt. An
answer is arithmetic on the drawn numbers; `tests/predictions` builds each machine and asks it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from magmem.exercises.dice import Dice
from magmem.predictions.beliefs import BELIEFS
from magmem.predictions.question import Mistake, Question

__all__ = ["draw", "numbers"]

_PROGRAMS = ("audio", "camera", "clock", "editor", "fonts", "mail", "maps", "player")

Numbers = dict[str, int]


def draw(belief: str, occasion: str, seed: str) -> Question:
    """The question about a belief, with the numbers of this occasion and seed.

    Raises
    ------
    KeyError
        Not one of `BELIEFS`.
    """
    form = _FORMS[belief]
    made = form(numbers(belief, occasion, seed), Dice("names", belief, occasion, seed))
    return replace(made, name=f"{occasion}/{belief}", belief=belief)


def numbers(belief: str, occasion: str, seed: str) -> Numbers:
    """The drawn numbers: kilobytes that are whole pages and differ, and small counts."""
    dice = Dice("numbers", belief, occasion, seed)
    small, middle, large = dice.between(3, 9), dice.between(12, 30), dice.between(40, 90)
    return {
        "small_k": 4 * small,
        "middle_k": 4 * middle,
        "large_k": 4 * large,
        "sharers": dice.between(3, 6),
        "times": dice.between(2, 4),
        "pages": small,
    }


def _size(ask: str, answer_k: int, reading: str, *mistakes: tuple[int, str]) -> Question:
    """A question for a size in kilobytes, and the wrong sizes that a belief leads to."""
    known = tuple(
        Mistake(str(wrong * 1024), "", belief) for wrong, belief in mistakes if wrong != answer_k
    )
    return Question("", "size", ask, str(answer_k * 1024), mistakes=known, reading=reading)


def _mapped(n: Numbers, dice: Dice) -> Question:
    who, size, wrote = dice.choice(_PROGRAMS), n["large_k"], n["small_k"]
    return _size(
        f"`{who}` creates a VMO of {size}k, maps all of it, and writes to the first {wrote}k. "
        "How much memory does the VMO own?",
        wrote,
        f"Only the {wrote}k that were written have pages. The rest of the {size}k is a promise.",
        (size, "mapped-is-memory"),
    )


def _handle(n: Numbers, dice: Dice) -> Question:
    who, wrote = dice.choice(_PROGRAMS), n["middle_k"]
    return _size(
        f"`{who}` writes {wrote}k into a VMO that it maps, and then closes its handle, the only "
        "one. The mapping stays. How much memory does the VMO own now?",
        wrote,
        f"All {wrote}k: the mapping keeps the VMO, and the VMO keeps its pages.",
        (0, "handle-keeps-all"),
    )


def _rows(n: Numbers, dice: Dice) -> Question:
    first, second, times = n["middle_k"], n["small_k"], n["times"] + 1
    return _size(
        f"`vmos` prints {times} rows with koid {dice.between(1100, 1400)} and an alloc of {first}k "
        f"each, and one row with koid {dice.between(1500, 1900)} and an alloc of {second}k. How "
        "much memory is that?",
        first + second,
        f"Two VMOs: {first}k + {second}k. A row is a handle or a mapping.",
        (first * times + second, "rows-are-vmos"),
    )


def _sums(n: Numbers, dice: Dice) -> Question:
    who, count, common, own = dice.choice(_PROGRAMS), n["sharers"], n["large_k"], n["small_k"]
    return _size(
        f"{count} processes of `{who}` map one library of {common}k, all of it in memory, and "
        f"each has {own}k of its own. How much memory do they use together?",
        common + count * own,
        f"The library is there once: {common}k + {count} × {own}k.",
        (count * (common + own), "sizes-add-up"),
    )


def _others(n: Numbers, dice: Dice) -> Question:
    who, count, own = dice.choice(_PROGRAMS), n["sharers"], n["small_k"]
    common = 4 * count * n["pages"]
    return _size(
        f"{count} processes map a VMO of {common}k, all of it in memory. One of them, `{who}`, has "
        f"{own}k of its own as well. All the others exit. What is the PSS of `{who}` now?",
        common + own,
        f"It is alone now and pays for everything: {common}k + {own}k.",
        (common // count + own, "others-do-not-matter"),
    )


def _comes_back(n: Numbers, dice: Dice) -> Question:
    who, count, own = dice.choice(_PROGRAMS), n["sharers"], n["middle_k"]
    common = 4 * count * n["pages"]
    return _size(
        f"`{who}` maps {own}k that nobody else maps or holds, and {common}k that it shares with "
        f"{count - 1} others. It exits. How much of that memory becomes free?",
        own,
        f"Only the {own}k that nobody else reaches. The others keep the {common}k.",
        (own + common // count, "pss-comes-back"),
        (own + common, "pss-comes-back"),
    )


def _unmapped(n: Numbers, dice: Dice) -> Question:
    who, size = dice.choice(_PROGRAMS), n["large_k"]
    return _size(
        f"`{who}` writes {size}k into a new VMO by its handle and never maps it. How much memory "
        "does the VMO take from the machine?",
        size,
        f"{size}k: pages belong to the VMO, whether or not a mapping shows them.",
        (0, "unmapped-is-nothing"),
    )


def _kfree(n: Numbers, dice: Dice) -> Question:
    free, kheap, kfree = 100 + n["large_k"], n["small_k"], n["pages"] + dice.between(10, 20)
    total = 1024
    rest = total - free - kheap - kfree - 20
    ask = (
        f"`kstats -m` prints total {total}M, free {free}M, VMOs {rest}M, kheap {kheap}M, kfree "
        f"{kfree}M, wired 16M and mmu 4M. How much memory can still be given to programs?"
    )
    return _size(
        ask,
        free * 1024,
        f"{free}M. The {kfree}M of kfree lie inside the kernel's heap.",
        ((free + kfree) * 1024, "kfree-is-free"),
    )


def _copies(n: Numbers, dice: Dice) -> Question:
    who, size, pages = dice.choice(_PROGRAMS), n["large_k"], n["pages"]
    return _size(
        f"A VMO of {size}k is all in memory. `{who}` makes a copy-on-write clone of it and writes "
        f"to {pages} pages of the clone. How much memory do the two VMOs own together?",
        size + 4 * pages,
        f"The {size}k of the original and {pages} copied pages of 4k.",
        (2 * size, "copy-doubles"),
    )


def _windows(n: Numbers, dice: Dice) -> Question:
    who, size, times = dice.choice(_PROGRAMS), n["middle_k"], n["times"]
    return _size(
        f"`{who}` maps a VMO of {size}k, all of it in memory, {times} times. How much memory is "
        "that?",
        size,
        f"{size}k. {times} windows show the same pages.",
        (size * times, "mapped-twice-is-twice"),
    )


def _leaks(n: Numbers, dice: Dice) -> Question:
    large, leaking, other = dice.sample(_PROGRAMS, 3)
    size, grown = n["large_k"], n["small_k"]
    sizes = ((large, size * 9, size * 9), (leaking, grown, 2 * grown), (other, size, size - 4))
    rows = "; ".join(f"`{name}` {before}k, then {after}k" for name, before, after in sizes)
    return Question(
        "",
        "choice",
        f"Two states an hour apart, at the same point of the machine's daily round. PSS: {rows}. "
        "Which process would you look into first for a leak?",
        repr(leaking),
        options=tuple(dice.shuffled((large, leaking, other))),
        mistakes=(Mistake(repr(large), "", "biggest-leaks"),),
        reading=f"`{leaking}` alone grew, by {grown}k.",
    )


_FORMS: dict[str, Callable[[Numbers, Dice], Question]] = {
    "mapped-is-memory": _mapped,
    "handle-keeps-all": _handle,
    "rows-are-vmos": _rows,
    "sizes-add-up": _sums,
    "others-do-not-matter": _others,
    "pss-comes-back": _comes_back,
    "unmapped-is-nothing": _unmapped,
    "kfree-is-free": _kfree,
    "copy-doubles": _copies,
    "mapped-twice-is-twice": _windows,
    "biggest-leaks": _leaks,
}
assert _FORMS.keys() == BELIEFS.keys()  # noqa: S101 (a belief that cannot be asked is none)

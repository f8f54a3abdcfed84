"""When drawn questions are asked: ten before the course, ten after it, and wrong ones between."""

from __future__ import annotations

from typing import Literal

from magmem.predictions.beliefs import BELIEFS
from magmem.predictions.drawn import draw
from magmem.predictions.kept import Guesses
from magmem.predictions.question import Question

__all__ = ["OCCASIONS", "Occasion", "again", "drawn_again", "standing", "ten"]

Occasion = Literal["before", "after"]
OCCASIONS: tuple[Occasion, ...] = ("before", "after")
TEN = tuple(name for name in BELIEFS if name != "mapped-twice-is-twice")
"""The beliefs that the ten questions are about. (Of two on counting twice one is enough.)"""


def ten(occasion: Occasion, seed: str) -> list[Question]:
    """The ten questions; those before and after differ in their numbers alone."""
    return [draw(belief, occasion, seed) for belief in TEN]


def again(chapter: str, guesses: Guesses) -> list[Question]:
    """Questions for this chapter about what was guessed wrong in an earlier one and not yet right.

    Once asked in a chapter, a question stays there, so that the chapter can be run again.
    """
    asked = [name for name in guesses.all() if name.startswith(f"{chapter}-again/")]
    beliefs = [name.partition("/")[2] for name in asked]
    beliefs += [belief for belief, held in standing(guesses, before=chapter).items() if held]
    return [drawn_again(chapter, belief, guesses.seed) for belief in dict.fromkeys(beliefs)]


def drawn_again(chapter: str, belief: str, seed: str) -> Question:
    """The question of a belief as that chapter asks it again."""
    return draw(belief, f"{chapter}-again", seed)


def standing(guesses: Guesses, *, before: str = "") -> dict[str, bool]:
    """Each belief that was met, and whether the student still held it when last asked.

    Parameters
    ----------
    guesses : Guesses
    before : str
        A chapter: only guesses of chapters before it, and the ten before the course, count.
    """
    held: dict[str, bool] = {}
    for guess in sorted(guesses.all().values(), key=lambda one: one.at):
        place, _, rest = guess.name.partition("/")
        if before and place[:2].isdigit() and place[:2] >= before:
            continue
        # The answers of the ten before are not shown, so nothing was learnt from them yet.
        if place == "before" or guess.right is None:
            continue
        if guess.right and rest in BELIEFS:
            held[rest] = False
        elif not guess.right and guess.belief:
            held[guess.belief] = True
    return dict(sorted(held.items(), key=lambda item: list(BELIEFS).index(item[0])))

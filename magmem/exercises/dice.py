"""Chance that is the same for ever: numbers drawn from a hash of a text.

Python guarantees the sequence of `random.random`, not that of `choice` or `shuffle`, and a
student's machine must not change with the version of Python or NumPy. So each number is a BLAKE2b
hash of the text and of how many numbers were drawn before.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

__all__ = ["Dice", "plain_name"]

T = TypeVar("T")


def plain_name(name: str) -> str:
    """A name without what one may type differently: case, width, accents' encoding, blanks."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


class Dice:
    """Numbers that depend on `words` alone."""

    def __init__(self, *words: str) -> None:
        self._seed = "\0".join(words).encode()
        self._drawn = 0

    def below(self, count: int) -> int:
        """A number from 0 to ``count - 1``."""
        self._drawn += 1
        digest = blake2b(self._seed, digest_size=8, key=str(self._drawn).encode()).digest()
        return int.from_bytes(digest, "big") % count

    def between(self, least: int, most: int) -> int:
        """A number from `least` to `most`, both included."""
        return least + self.below(most - least + 1)

    def choice(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """So many different items, in chance order."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All of them, in chance order."""
        return self.sample(items, len(items))

"""What a challenge asks of an explorer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Goal"]


@dataclass(frozen=True)
class Goal:
    """A state to reach.

    Attributes
    ----------
    name : str
        Unique within its series.
    ask : str
        What to reach, in one sentence, as Markdown.
    reached : callable
        Whether the explorer is there; reads its public state.
    hints : tuple of str
        From a nudge to almost the way; shown one at a time.
    learnt : str
        Said when it is reached: what there is to see in this state.
    """

    name: str
    ask: str
    reached: Callable[[Any], bool]
    hints: tuple[str, ...]
    learnt: str

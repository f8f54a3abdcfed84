"""Challenges: states to reach in an explorer, checked from its state.

>>> from magmem_widgets import PssExplorer, challenge
>>> challenge(PssExplorer(), "pss")  # doctest: +SKIP
"""

from magmem_widgets.challenges.challenged import Challenged, ChallengeView, challenge
from magmem_widgets.challenges.goal import Goal
from magmem_widgets.challenges.goals import GOALS

__all__ = ["GOALS", "ChallengeView", "Challenged", "Goal", "challenge"]

"""Every series of challenges by the name that a notebook uses."""

from __future__ import annotations

from typing import Final

from magmem_widgets.challenges import on_machines, on_pages
from magmem_widgets.challenges.goal import Goal

__all__ = ["GOALS"]

GOALS: Final[dict[str, tuple[Goal, ...]]] = {
    "first-look": on_machines.FIRST_LOOK,
    "space": on_machines.SPACE,
    "shell": on_machines.SHELL,
    "music": on_machines.MUSIC,
    "pss": on_pages.PSS,
    "hidden": on_pages.HIDDEN,
    "kernel": on_pages.KERNEL,
    "shortcuts": on_pages.SHORTCUTS,
    "leak": on_machines.LEAK,
    "history": on_machines.HISTORY,
    "treemap": on_machines.TREEMAP,
    "browser": on_machines.BROWSER,
}

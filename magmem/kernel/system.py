"""Which kernel a capture is of, and the rule that fits it: its own."""

from __future__ import annotations

from typing import Final

from magmem.errors import MissingData
from magmem.snapshot import Snapshot

__all__ = ["LINUX", "MAGENTA", "RULES", "is_linux", "own_rule", "rule_of"]

LINUX: Final = "linux"
MAGENTA: Final = "magenta-2017"

RULES: Final = (LINUX, MAGENTA)
"""The rules by which a kernel itself sums up a process."""

LINUX_DUMP = "linux"
"""How the dumps of captures of Linux are called at their beginning."""


def is_linux(snap: Snapshot) -> bool:
    """Whether what the source printed is Linux's: PSS page by page."""
    return bool(snap.sources["dump"].str.startswith(LINUX_DUMP).fillna(False).any())


def own_rule(snap: Snapshot) -> str:
    """The rule of the kernel that was captured."""
    return LINUX if is_linux(snap) else MAGENTA


def rule_of(snap: Snapshot, rule: str, tool: str) -> str:
    """The rule asked for; the kernel's own where none is.

    Raises
    ------
    ValueError
        No rule by which a kernel sums up.
    MissingData
        Linux's rule, of a capture that is of no Linux: nothing there has its numbers.
    """
    if rule and rule not in RULES:
        raise ValueError(f"expected the rule to be {' or '.join(RULES)}, found {rule!r}")
    if rule == LINUX and not is_linux(snap):
        raise MissingData(tool, "PSS as Linux reports it", "a capture of Linux, or `account`")
    return rule or own_rule(snap)

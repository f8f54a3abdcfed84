"""Rules that answer "how much memory does this process use?", one module each, side by side.

Every rule is a `Rule`: its name, what it says, where that is written, what it must know of a
snapshot, and a function from an `Attribution` to `Charges`. A further rule is one module more.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from magmem.accounting.rules import (
    exact,
    linux,
    magenta_2017,
    memory_monitor,
    rfc_0254,
    treemap_2017,
)
from magmem.accounting.rules.charges import Charges, Rule

__all__ = ["RULES", "Charges", "Rule"]

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        module.RULE.name: module.RULE
        for module in (magenta_2017, exact, linux, memory_monitor, rfc_0254, treemap_2017)
    }
)
"""Every rule by name."""

"""Named, seeded machines: the guide's own, and one for each thing worth seeing.

>>> from magmem import scenarios
>>> machine = scenarios.make("double_mapping", seed=3)
>>> scenarios.names()[0]
'guide_ps'

Every machine is built with the simulator's operations alone, so its history can be stepped through.
"""

from magmem.scenarios.fleet import FleetCapture, fleet
from magmem.scenarios.guide import guide_asd, guide_kstats, guide_ps, guide_vmaps, guide_vmos
from magmem.scenarios.random_machine import random_machine
from magmem.scenarios.registry import describe, make, names, parameters
from magmem.scenarios.slow_leak import slow_leak
from magmem.scenarios.teaching import (
    double_mapping,
    fork_like_clones,
    fresh_boot,
    handle_hoarder,
    shared_library_farm,
    unmapped_leak,
)

__all__ = [
    "FleetCapture",
    "describe",
    "double_mapping",
    "fleet",
    "fork_like_clones",
    "fresh_boot",
    "guide_asd",
    "guide_kstats",
    "guide_ps",
    "guide_vmaps",
    "guide_vmos",
    "handle_hoarder",
    "make",
    "names",
    "parameters",
    "random_machine",
    "shared_library_farm",
    "slow_leak",
    "unmapped_leak",
]

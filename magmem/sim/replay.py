"""Doing a history again.

After every step the heap bytes and page states must be what the history says; otherwise it does not
belong to this program, and `CaptureError` names the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from magmem.errors import CaptureError, MagmemError
from magmem.sim.boot import BootPlan
from magmem.sim.history import EFFECTS
from magmem.sim.operations import OPERATIONS

if TYPE_CHECKING:
    from magmem.sim.history import History
    from magmem.sim.machine import Machine

__all__ = ["replay"]


def replay(history: History, steps: int | None) -> Machine:
    """A machine after the first `steps` events of a history (all, if None)."""
    from magmem.sim.machine import Machine

    made = history.machine
    try:
        machine = Machine(
            memory_map=[tuple(item) for item in made["ranges"]],
            seed=made["seed"],
            boot=BootPlan.of(made["boot"]),
            time=made["time"],
            name=made["name"],
        )
    except (LookupError, TypeError, ValueError, AttributeError, MagmemError) as error:
        raise CaptureError(
            "history", "machine", "what a machine is made with", repr(error)
        ) from None
    events = machine.history.events
    for step, event in enumerate(history.events[:steps], 1):
        op, args, effects = event[0], event[2:-EFFECTS], event[-EFFECTS:]
        try:
            OPERATIONS[op].again(machine, *args)
        except (LookupError, TypeError, ValueError, AttributeError, MagmemError) as error:
            raise CaptureError(
                "history", f"step {step}", f"{op} to succeed", f"{type(error).__name__}: {error}"
            ) from None
        if len(events) != step or events[-1][-EFFECTS:] != effects:
            found = str(events[-1][-EFFECTS:] if events else None)
            raise CaptureError("history", f"step {step}", f"effects {effects} of {op}", found)
    return machine

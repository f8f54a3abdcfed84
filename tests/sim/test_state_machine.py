"""Random operations on the simulator and on the slow model, compared after each of them.

Where the model has to know what the kernel picks at random (a place, a page frame), it takes it
from the simulator and judges whether it was allowed. Long campaigns run the same operations from a
plain generator: ``python tests/sim/campaign.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sim.twins import access_ops, handle_ops, memory_ops, task_ops, vmo_ops
from sim.twins.beginning import begin
from sim.twins.driver import Twins
from sim.twins.whole import check_accounts, check_listings, check_replay

R = TypeVar("R")

MEMORY = (*memory_ops.OPERATIONS, *access_ops.OPERATIONS)


class Drawn:
    """Choices drawn by hypothesis, so that a failure shrinks."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data

    def of(self, items: Sequence[R]) -> R:
        """One of the items."""
        return self.data.draw(st.sampled_from(items))

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        return self.data.draw(st.integers(0, limit - 1))


class TwoMachines(RuleBasedStateMachine):
    """Does one operation after another to both machines."""

    twins: Twins

    @initialize(
        data=st.data(),
        seed=st.integers(0, 1 << 20),
        low=st.integers(20, 80),
        high=st.integers(70, 220),
    )
    def boot(self, data: st.DataObject, seed: int, low: int, high: int) -> None:
        """Two arenas of which the one that lies higher is used first; memory runs out soon."""
        self.twins = Twins(seed, low, high)
        begin(self.twins, Drawn(data))

    @rule(data=st.data(), operation=st.sampled_from(vmo_ops.OPERATIONS))
    def use_vmos(self, data: st.DataObject, operation: Any) -> None:
        """An operation on VMOs."""
        operation(self.twins, Drawn(data))

    @rule(
        data=st.data(), operation=st.sampled_from((*memory_ops.OPERATIONS, *access_ops.OPERATIONS))
    )
    def use_memory(self, data: st.DataObject, operation: Any) -> None:
        """An operation on address spaces."""
        operation(self.twins, Drawn(data))

    @rule(data=st.data(), operation=st.sampled_from(task_ops.OPERATIONS))
    def use_tasks(self, data: st.DataObject, operation: Any) -> None:
        """An operation on tasks."""
        operation(self.twins, Drawn(data))

    @rule(data=st.data(), operation=st.sampled_from(handle_ops.OPERATIONS))
    def use_handles(self, data: st.DataObject, operation: Any) -> None:
        """An operation on handles and other objects."""
        operation(self.twins, Drawn(data))

    @invariant()
    def same(self) -> None:
        """Both show the same state, and the identities of accounting hold."""
        self.twins.check()

    def teardown(self) -> None:
        """The accounts and the replay of the whole run."""
        if hasattr(self, "twins"):
            check_accounts(self.twins)
            check_replay(self.twins)
            check_listings(self.twins.machine)


TestTwoMachines = TwoMachines.TestCase
TestTwoMachines.settings = settings(max_examples=60, stateful_step_count=40)

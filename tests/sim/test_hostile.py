"""Whatever is called with whatever, the machine refuses by its rules and can be listed after."""

from __future__ import annotations

import pytest
from sim import hostile


@pytest.mark.parametrize("seed", range(6))
def test_hostile_calls(seed: int) -> None:
    """Any outcome is a legal result or a documented error, and a refusal changes nothing."""
    found = hostile.run(seed, 250)
    assert found["done"] > 30
    assert {"WrongArgument", "InvalidArgs"} <= found.keys()

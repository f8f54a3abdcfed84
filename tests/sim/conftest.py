"""A small machine, and two processes on it."""

from __future__ import annotations

import pytest

from magmem import Machine
from magmem.sim.process import Process


@pytest.fixture
def machine() -> Machine:
    """64 MiB, freshly booted."""
    return Machine(memory="64M", seed=7)


@pytest.fixture
def process(machine: Machine) -> Process:
    """A process with an empty address space and no handles."""
    return machine.root_job.create_process("one")


@pytest.fixture
def other(machine: Machine) -> Process:
    """A second one."""
    return machine.root_job.create_process("two")

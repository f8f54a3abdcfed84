"""Disposing of an explorer, whichever it is, leaves nothing of it behind."""

from __future__ import annotations

from collections.abc import Callable

import comm
import pytest
from magmem_widgets import (
    AddressSpaceExplorer,
    DiffExplorer,
    Explorer,
    FleetExplorer,
    HiddenVmoExplorer,
    KernelExplorer,
    MachineExplorer,
    MultiplyMappedLab,
    PssExplorer,
    TimeMachine,
    TreemapExplorer,
)

import magmem
from magmem.fleet import Fleet


def a_fleet() -> Fleet:
    """Two devices, two builds, two hours, in memory."""
    fleet = magmem.fleet("memory://closing")
    fleet.add(magmem.scenarios.fleet(devices=2, builds=2, hours=2))
    return fleet


MAKERS: dict[str, Callable[[], Explorer]] = {
    "AddressSpaceExplorer": lambda: AddressSpaceExplorer(
        magmem.scenarios.make("guide_vmaps"), 2470
    ),
    "DiffExplorer": lambda: DiffExplorer(
        magmem.read_capture("guide-vmaps-machine"), magmem.read_capture("guide-ps-machine")
    ),
    "FleetExplorer": lambda: FleetExplorer(a_fleet()),
    "HiddenVmoExplorer": HiddenVmoExplorer,
    "KernelExplorer": KernelExplorer,
    "MachineExplorer": lambda: MachineExplorer(magmem.read_capture("small-machine")),
    "MultiplyMappedLab": MultiplyMappedLab,
    "PssExplorer": PssExplorer,
    "TimeMachine": lambda: TimeMachine(magmem.scenarios.make("fork_like_clones")),
    "TreemapExplorer": lambda: TreemapExplorer(magmem.read_capture("small-machine")),
}


@pytest.mark.parametrize("name", MAKERS)
def test_closing_ends_every_comm(name: str) -> None:
    """Children, layouts and styles included: as many comms are open as before it was made."""
    comms = comm.get_comm_manager().comms
    before = set(comms)
    explorer = MAKERS[name]()
    assert len(set(comms) - before) > 5
    explorer.close()
    assert set(comms) == before

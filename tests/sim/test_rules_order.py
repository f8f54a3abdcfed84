"""The order of checks of reference/kernel.md "VMARs and mappings".

Each test names faults in the order of the reference. Of every two of them committed in one call,
the earlier decides the error, and the machine is as it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from magmem import errors
from magmem.sim import Machine

PAGE = 4096

Fault = tuple[str, type[errors.KernelError], dict[str, Any]]


class Place:
    """A machine with a region that holds one mapping, and handles that lack something."""

    def __init__(self) -> None:
        self.machine = Machine("64M", seed=3)
        self.process = self.machine.root_job.create_process("p")
        self.vmo = self.process.create_vmo(4 * PAGE)
        self.outer = self.process.allocate(64 * PAGE)
        self.region = self.outer.allocate(16 * PAGE, perms="rx")
        self.region.map(self.vmo, "r", offset=0, length=PAGE)
        self.gone = self.outer.allocate(PAGE, perms="rx")
        self.gone.destroy()
        self.loose = self.outer.allocate(16 * PAGE, perms="rx", specific=False)


MAP: list[Fault] = [
    ("type", errors.WrongType, {"vmo": "event"}),
    ("shape", errors.InvalidArgs, {"compact": True}),
    ("rights", errors.AccessDenied, {"vmo": "bare"}),
    ("region", errors.AccessDenied, {"perms": "rw"}),
    ("offset", errors.InvalidArgs, {"vmo_offset": 100}),
    ("size", errors.InvalidArgs, {"length": 0}),
    ("dead", errors.BadState, {"region": "gone"}),
    ("specific", errors.AccessDenied, {"region": "loose"}),
    ("bounds", errors.InvalidArgs, {"offset": 64 * PAGE}),
    ("overlap", errors.NoMemory, {}),
]
"""What is wrong with a map at offset 0 of the region, where a mapping is already."""

ALLOCATE: list[Fault] = [
    ("shape", errors.InvalidArgs, {"overwrite": True}),
    ("rights", errors.AccessDenied, {"handle": "bare", "perms": "r"}),
    ("region", errors.AccessDenied, {"perms": "rw"}),
    ("size", errors.InvalidArgs, {"size": 100}),
    ("dead", errors.BadState, {"region": "gone"}),
    ("specific", errors.AccessDenied, {"region": "loose"}),
    ("bounds", errors.InvalidArgs, {"offset": 64 * PAGE}),
    ("overlap", errors.NoMemory, {}),
]

PROTECT: list[Fault] = [
    ("rights", errors.AccessDenied, {"handle": "bare", "perms": "r"}),
    ("shape", errors.InvalidArgs, {"perms": "x"}),
    ("alignment", errors.InvalidArgs, {"skip": 1}),
    ("size", errors.InvalidArgs, {"length": 0}),
    ("dead", errors.BadState, {"region": "gone"}),
    ("bounds", errors.InvalidArgs, {"length": 64 * PAGE}),
    ("gap", errors.NotFound, {"skip": 2 * PAGE}),
]

UNMAP: list[Fault] = [
    ("alignment", errors.InvalidArgs, {"skip": 1}),
    ("size", errors.InvalidArgs, {"length": 0}),
    ("dead", errors.BadState, {"region": "gone"}),
    ("bounds", errors.InvalidArgs, {"length": 64 * PAGE}),
]


def pairs(faults: list[Fault]) -> list[Any]:
    """Every two faults of a call that can be committed together, the earlier one first."""
    found = []
    for first, second in itertools.combinations(faults, 2):
        both = {**second[2], **first[2]}
        if first[1] is second[1] or len(both) < len(first[2]) + len(second[2]):
            continue
        found.append(pytest.param(first[1], both, id=f"{first[0]}-{second[0]}"))
    return found


def refused(act: Callable[[], Any], place: Place, status: type[errors.KernelError]) -> None:
    """The call fails with this status, and nothing has changed."""
    before = place.machine.fingerprint()
    with pytest.raises(errors.KernelError) as caught:
        act()
    assert type(caught.value) in (status, *status.__subclasses__()), repr(caught.value)
    assert place.machine.fingerprint() == before


@pytest.mark.parametrize(("status", "wrong"), pairs(MAP))
def test_map(status: type[errors.KernelError], wrong: dict[str, Any]) -> None:
    """Map: types, shape, rights, region, offset, size, dead region, specific, bounds, overlap."""
    place = Place()
    region = getattr(place, wrong.pop("region", "region"))
    event = place.process.create_event()
    vmo = {"event": event, "bare": place.vmo.duplicate(0)}.get(wrong.pop("vmo", ""), place.vmo)
    arguments = {"perms": "r", "length": PAGE, "offset": 0, **wrong}
    refused(lambda: region.map(vmo, **arguments), place, status)


@pytest.mark.parametrize(("status", "wrong"), pairs(ALLOCATE))
def test_allocate(status: type[errors.KernelError], wrong: dict[str, Any]) -> None:
    """Allocate: shape, rights, region, size, dead region, specific, bounds, overlap."""
    place = Place()
    region = getattr(place, wrong.pop("region", "region"))
    handle = region.handle.duplicate(0) if wrong.pop("handle", "") else region
    arguments = {"size": PAGE, "perms": "r", "offset": 0, **wrong}
    refused(lambda: handle.allocate(arguments.pop("size"), **arguments), place, status)


@pytest.mark.parametrize(("status", "wrong"), pairs(PROTECT))
def test_protect(status: type[errors.KernelError], wrong: dict[str, Any]) -> None:
    """Protect: rights, shape, alignment, size, dead region, bounds, what is there."""
    place = Place()
    region = getattr(place, wrong.pop("region", "region"))
    handle = region.handle.duplicate(0) if wrong.pop("handle", "") else region
    address = region.base + wrong.pop("skip", 0)
    arguments = {"length": PAGE, "perms": "r", **wrong}
    refused(lambda: handle.protect(address, **arguments), place, status)


@pytest.mark.parametrize(("status", "wrong"), pairs(UNMAP))
def test_unmap(status: type[errors.KernelError], wrong: dict[str, Any]) -> None:
    """Unmap: alignment, size, dead region, bounds."""
    place = Place()
    region = getattr(place, wrong.pop("region", "region"))
    address = region.base + wrong.pop("skip", 0)
    refused(lambda: region.unmap(address, wrong.get("length", PAGE)), place, status)


@pytest.mark.parametrize(
    ("perms", "second", "status"),
    [
        ("r", "region", errors.NotFound),
        ("rw", "region", errors.AccessDenied),
        ("r", "mapping", errors.InvalidArgs),
    ],
)
def test_protect_meets_faults_in_address_order(
    perms: str, second: str, status: type[errors.KernelError]
) -> None:
    """In a range of several parts the one lowest in addresses decides."""
    place = Place()
    outer = place.process.allocate(16 * PAGE)
    if second == "mapping":
        outer.allocate(PAGE, offset=0)
        outer.map(place.vmo.duplicate("rm"), "r", offset=3 * PAGE, length=PAGE)
    else:
        outer.map(place.vmo.duplicate("rm"), "r", offset=0, length=PAGE)
        outer.allocate(PAGE, offset=2 * PAGE)
    refused(lambda: outer.protect(outer.base, 4 * PAGE, perms), place, status)

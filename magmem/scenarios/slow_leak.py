"""A machine that loses memory minute by minute, with suspects that are larger than the culprit."""

from __future__ import annotations

import random
from typing import Final

from magmem.errors import InvalidArgs
from magmem.scenarios.loader import use_heap
from magmem.scenarios.registry import scenario
from magmem.sim import Machine
from magmem.sim.arguments import size_of
from magmem.sim.process import Process

__all__ = ["CACHE_MINUTES", "SERVICES", "slow_leak"]

K: Final = 1024
M: Final = 1024 * K

SERVICES: Final = ("netsvc", "fontsvc", "audiosvc", "crashlogger")
"""Services that do the same work each minute; one of them forgets to clean up."""

CACHE_MINUTES: Final = 4
"""The cache grows for three minutes and is emptied in the fourth."""

CACHE_STEP: Final = 10 * M


@scenario
def slow_leak(minutes: int = 12, step: int | str = "4M", seed: int = 0) -> Machine:
    """A machine whose free memory falls by `step` a minute, and nobody knows why.

    Shows how a leak is found: by the difference of two states, not by the size of anything in one.
    The largest process does not change; a cache grows much faster than the leak, and is emptied
    again every fourth minute; shells come and go. Four services each fill a VMO every minute, unmap
    it and close its handle. One of them, chosen by the seed, forgets to close it, so its pages stay
    and no mapping shows them. Each minute ends with an ``advance`` among the machine's events.

    Parameters
    ----------
    minutes : int
        How long it has been going on, 1 or more.
    step : int or str
        Bytes that the leak takes each minute.
    """
    if minutes < 1:
        raise InvalidArgs(f"expected 1 minute or more, found {minutes}")
    chance = random.Random(seed)  # noqa: S311 (a seeded story, no secret)
    machine = Machine("1G", seed, name="slow_leak")
    step_bytes = size_of(step)
    use_heap(machine.root_job.spawn("browser"), "256M", 180 * M + chance.randrange(40) * 64 * K)
    indexer = machine.root_job.spawn("indexer")
    use_heap(indexer, "2M", "600k")
    cache = indexer.create_vmo(CACHE_STEP * (CACHE_MINUTES - 1), "cache")
    shelf = indexer.map(cache, "rw")
    services = [machine.root_job.spawn(name) for name in SERVICES]
    for service in services:
        use_heap(service, "2M", 100 * K + chance.randrange(100) * 4 * K)
    culprit = chance.choice(services)
    shell = None
    for minute in range(minutes):
        for service in chance.sample(services, len(services)):
            _one_message(service, step_bytes, forgets=service is culprit)
        phase = minute % CACHE_MINUTES
        if phase == CACHE_MINUTES - 1:
            cache.decommit()
        else:
            shelf.touch(CACHE_STEP, offset=phase * CACHE_STEP, write=True)
        if shell is not None:
            shell.exit()
        shell = machine.root_job.spawn("sh") if chance.random() < 0.5 else None
        if shell is not None:
            use_heap(shell, "2M", "300k")
        machine.advance(60_000)
    return machine


def _one_message(service: Process, size_bytes: int, *, forgets: bool) -> None:
    """Fill a VMO through a mapping and unmap it; the handle is closed unless it is forgotten."""
    message = service.create_vmo(size_bytes, "message")
    window = service.map(message, "rw")
    window.touch(write=True)
    window.unmap()
    if not forgets:
        message.close()

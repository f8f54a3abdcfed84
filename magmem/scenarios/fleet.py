"""A fleet of machines with planted causes: devices, builds and hours, made as they are asked for.

Nothing is downloaded and nothing is kept: the generator boots one machine for each device and
build, lets it run hour by hour, and yields a capture at the end of each hour.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from magmem.errors import InvalidArgs
from magmem.scenarios.loader import load_file, use_heap, vmo_handle
from magmem.sim import Machine
from magmem.sim.mapping import Mapping
from magmem.sim.process import Process

if TYPE_CHECKING:
    from magmem.snapshot import Snapshot

__all__ = ["LEAK_BYTES", "PLANTED", "FleetCapture", "fleet"]

K: Final = 1024
M: Final = 1024 * K

FIRST_BUILD: Final = (2026, 4)
"""Year and month of the first build; there is one a month."""

GUILTY_BUILD: Final = 2
"""Place of the build that makes one heap grow and another shrink: the third, 2026.06."""

LEAK_BYTES: Final = 256 * K
"""What a leaking device loses each hour by handles alone."""

CACHE_BYTES: Final = 24 * M
"""What the cache of an outlier takes beside what every other device has."""

PLANTED: Final = {
    "grows": "netstack",
    "shrinks": "fontsvc",
    "leaks": "audiosvc",
    "caches": "indexer",
}
"""The process behind each planted cause."""

SERVICES: Final = (
    ("devmgr", 1400),
    ("acpisvc", 770),
    ("netstack", 6000),
    ("fontsvc", 4000),
    ("audiosvc", 900),
    ("indexer", 2600),
    ("crashlogger", 296),
    ("appmgr", 3200),
    ("devhost:root", 248),
    ("devhost:pci", 2400),
    ("sh", 264),
)
"""Each process of a device, and the kibibytes that its heap uses."""


@dataclass(frozen=True)
class FleetCapture:
    """One machine at the end of one hour.

    Attributes
    ----------
    device, build : str
        Such as ``lab-01`` and ``2026.06``.
    captured_at : str
        ISO 8601, UTC.
    machine : Machine
        As it is now; it moves on when the next capture is asked for.
    """

    device: str
    build: str
    captured_at: str
    machine: Machine

    @property
    def labels(self) -> dict[str, str]:
        """What tells it from the others of its fleet."""
        return {"device": self.device, "build": self.build, "captured_at": self.captured_at}

    @property
    def path(self) -> str:
        """Where it belongs, as ``{device}/{build}.{captured_at}.json``."""
        stamp = self.captured_at.replace(":", "")
        return f"{self.device}/{self.build}.{stamp}.json"

    def snapshot(self) -> Snapshot:
        """The state of this moment."""
        return self.machine.snapshot(name=self.device)


def fleet(
    devices: int = 10,
    builds: int | Sequence[str] = 4,
    hours: int = 6,
    seed: int = 0,
) -> Iterator[FleetCapture]:
    """The captures of a lab, by device, build and hour, with four causes planted in them.

    From the third build on (2026.06; the last one if there are fewer) the heap of ``netstack``
    uses a third more and that of ``fontsvc`` a quarter less. On every fifth device ``audiosvc``
    keeps handles to VMOs that it has unmapped, 256 KiB more each hour. On two devices ``indexer``
    has a cache of 24 MiB that no other device has. All else differs by a few percent at random.

    Parameters
    ----------
    devices : int
        How many, 1 or more.
    builds : int or sequence of str
        How many builds, a month each from 2026.04; or their names.
    hours : int
        How long each build runs on each device, 1 or more; a capture is made every hour.
    seed : int
        The same seed gives the same captures.

    Yields
    ------
    FleetCapture
        To be read before the next one is asked for: the machine is the same one, later.

    Raises
    ------
    InvalidArgs
        A number below 1.
    """
    names = _builds(builds) if isinstance(builds, int) else tuple(builds)
    if min(devices, len(names), hours) < 1:
        raise InvalidArgs("expected 1 or more of devices, builds and hours")
    return _captures(devices, names, hours, seed)


def _captures(devices: int, builds: Sequence[str], hours: int, seed: int) -> Iterator[FleetCapture]:
    width = len(str(devices))
    chance = random.Random(f"caches {seed}")  # noqa: S311 (a seeded story, no secret)
    caching = set(chance.sample(range(devices), min(2, devices // 3)))
    guilty = min(GUILTY_BUILD, len(builds) - 1)
    for number in range(devices):
        device = f"lab-{number + 1:0{max(2, width)}}"
        for place, build in enumerate(builds):
            lab = _Lab(device, number, place >= guilty, number in caching, f"{seed} {build}")
            start = _start(place)
            for hour in range(hours):
                lab.hour()
                when = (start + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")
                yield FleetCapture(device, build, when, lab.machine)


class _Lab:
    """One device that runs one build."""

    def __init__(
        self, device: str, number: int, is_guilty: bool, has_cache: bool, seed: str
    ) -> None:
        self.chance = random.Random(f"{device} {seed}")  # noqa: S311 (a seeded story, no secret)
        self.leaks = number % 5 == 1
        self.log: Mapping | None = None
        self.machine = Machine("512M", self.chance.randrange(1 << 30), name=device, history=False)
        root = self.machine.root_job
        library = root.spawn("fshost").create_vmo(800 * K, "libc.so")
        library.commit(0, 600 * K)
        self.people: dict[str, Process] = {}
        for name, usual in SERVICES:
            process = root.spawn(name)
            self.people[name] = process
            used = usual
            if name == PLANTED["grows"] and is_guilty:
                used = usual * 4 // 3
            elif name == PLANTED["shrinks"] and is_guilty:
                used = usual * 3 // 4
            pages = used // 4 + self.chance.randrange(-4, 5)
            use_heap(process, max(2 * M, 2 * used * K), max(4, pages) * 4 * K)
            own = vmo_handle(process.open(library.vmo))
            load_file(process, own, 400 * K, 32 * K, 16 * K)
            own.close()
        if has_cache:
            indexer = self.people[PLANTED["caches"]]
            cache = indexer.create_vmo(CACHE_BYTES, "cache")
            indexer.map(cache, "rw").touch(write=True)

    def hour(self) -> None:
        """An hour of work: a log is written anew, and a leak takes its part."""
        if self.leaks:
            service = self.people[PLANTED["leaks"]]
            message = service.create_vmo(LEAK_BYTES, "message")
            window = service.map(message, "rw")
            window.touch(write=True)
            window.unmap()
        if self.log is not None:
            self.log.unmap()
        logger = self.people["crashlogger"]
        log = logger.create_vmo(64 * K, "log")
        self.log = logger.map(log, "rw")
        self.log.touch((1 + self.chance.randrange(4)) * 4 * K, write=True)
        log.close()
        self.machine.advance(3_600_000)


def _builds(count: int) -> tuple[str, ...]:
    year, month = FIRST_BUILD
    months = [year * 12 + month - 1 + place for place in range(count)]
    return tuple(f"{one // 12}.{one % 12 + 1:02}" for one in months)


def _start(place: int) -> datetime:
    """The first day of the build's month."""
    month = FIRST_BUILD[0] * 12 + FIRST_BUILD[1] - 1 + place
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)

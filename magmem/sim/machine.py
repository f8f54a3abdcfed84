"""The simulated machine: memory, kernel, jobs, and every operation on record.

Everything follows from the seed and the operations: addresses, koids, handle values, page frames. A
refused operation changes nothing and is not recorded; `Machine.fingerprint` tells two states apart
to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any

from magmem.errors import BadState, InvalidArgs, NoResources, NotFound, OutOfRange
from magmem.listing import count
from magmem.sim.arguments import (
    WORD,
    address_of,
    flag,
    name_text,
    number_of,
    shown,
    text_of,
    wrong,
)
from magmem.sim.boot import BootPlan, arenas_of, boot, boot_plan, memory_ranges
from magmem.sim.heap import KernelHeap
from magmem.sim.history import History
from magmem.sim.kmem import KernelMemory
from magmem.sim.physical import FREE, MMU, OBJECT, STATE_NAMES, Arena, PhysicalMemory
from magmem.sim.vmo import Vmo

if TYPE_CHECKING:
    import pandas as pd

    from magmem.sim.job import Job
    from magmem.sim.kernel import Kernel
    from magmem.sim.process import Process
    from magmem.sim.thread import Thread
    from magmem.snapshot import Snapshot

__all__ = ["Machine"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORD = (1 << 64) - 1
_LONGEST = 1 << 200

FIRST_MS = round((datetime.min.replace(tzinfo=UTC) - _EPOCH) / timedelta(milliseconds=1))
LAST_MS = int((datetime.max.replace(tzinfo=UTC) - _EPOCH) / timedelta(milliseconds=1))
"""The clock's first and last millisecond: the years 1 and 9999."""

MAX_KOID = (1 << 63) - 1
"""The last koid; the kernel's own are 64 bits, of which it keeps one."""


class Machine:
    """A machine, booted.

    Parameters
    ----------
    memory : int or str
        RAM, as a PC has it: below 1 MiB nothing is usable, the last 128 KiB below 3 GiB are the
        firmware's, and what is above 3 GiB lies from 4 GiB on. 2G gives 2046.875M in one arena.
    seed : int
        Where all random numbers come from (places in address spaces, handle values).
    memory_map : iterable of tuples, optional
        Usable ranges in place of `memory`: (base, size), (base, size, priority) or (base, size,
        priority, name). Arenas of lower priority numbers are allocated from first.
    boot : BootPlan, optional
        What booting takes and maps.
    time : str
        The clock, ISO 8601 in UTC.
    name : str
        What the machine is called in snapshots.
    history : bool
        Whether operations are recorded; without it there is no replay.

    Attributes
    ----------
    root_job, super_root : Job
        The job userspace tools start from, and the one above it.
    kernel : Kernel
        The kernel's own side.
    history : History
        What it was made with, and its events.

    Raises
    ------
    InvalidArgs
        Sizes or ranges that make no machine.
    NoMemory
        Too little memory to boot.

    Examples
    --------
    >>> m = Machine(memory="2G", seed=7)
    >>> sh = m.root_job.spawn("sh")
    >>> heap = sh.create_vmo("2M", name="jemalloc-heap")
    >>> sh.map(heap, perms="rw").touch("68k", write=True)
    17
    """

    root_job: Job
    super_root: Job
    kernel: Kernel

    def __init__(
        self,
        memory: int | str = "2G",
        seed: int = 0,
        *,
        memory_map: Iterable[tuple[Any, ...]] | None = None,
        boot: BootPlan | None = None,
        time: str = "2017-06-07T05:51:08.021Z",
        name: str = "",
        history: bool = True,
    ) -> None:
        seed = number_of(seed, "seed", -WORD, WORD)
        name = text_of(name, "name")
        flag(history, "history")
        plan = boot_plan(boot)
        ranges = memory_ranges(memory, memory_map)
        self.seed = seed
        self.name = name
        self.clock_ms = _milliseconds(time)
        self.random_state = (seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & _WORD
        self.random(2)
        self.recording = False
        self.objects: dict[int, Any] = {}
        self.jobs_by_koid: dict[int, Job] = {}
        self.processes_by_koid: dict[int, Process] = {}
        self.threads_by_koid: dict[int, Thread] = {}
        self.vmos_by_serial: dict[int, Vmo] = {}
        self.orphans: list[Process] = []
        self.physical = PhysicalMemory(arenas_of(ranges))
        self.heap = KernelHeap(self.physical, plan.heap_base)
        self.next_koid = plan.first_koid
        _boot(self, plan)
        self.history = History(
            {
                "ranges": [list(item) for item in ranges],
                "seed": seed,
                "boot": plan.to_dict(),
                "time": time,
                "name": name,
            },
            self.heap.used,
            list(self.physical.counts),
        )
        self._append = self.history.events.append
        self.recording = history

    # ----------------------------------------------------------------- facts

    @property
    def step(self) -> int:
        """Operations so far."""
        return len(self.history)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job, the super-root first, in creation order."""
        return tuple(self.jobs_by_koid.values())

    @property
    def processes(self) -> tuple[Process, ...]:
        """Every process, in creation order; the dead ones that are still held too."""
        return tuple(self.processes_by_koid.values())

    @property
    def threads(self) -> tuple[Thread, ...]:
        """Every thread, in creation order."""
        return tuple(self.threads_by_koid.values())

    @property
    def vmos(self) -> tuple[Vmo, ...]:
        """Every VMO, the kernel's too, in creation order."""
        return tuple(self.vmos_by_serial.values())

    @property
    def arenas(self) -> tuple[Arena, ...]:
        """The arenas of physical memory, by address."""
        return self.physical.arenas

    @property
    def pages(self) -> dict[str, int]:
        """Pages in each state, over all arenas."""
        return dict(zip(STATE_NAMES, self.physical.counts, strict=True))

    @property
    def kmem(self) -> KernelMemory:
        """Kernel memory statistics now."""
        return KernelMemory.of(self.heap.used, self.physical.counts)

    @property
    def time(self) -> str:
        """The clock, ISO 8601 in UTC."""
        moment = _EPOCH + timedelta(milliseconds=self.clock_ms)
        return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"

    def find(self, koid: int) -> Any:
        """The living object of that koid.

        Raises
        ------
        NotFound
            There is none.
        """
        found = self.objects.get(address_of(koid, "koid"))
        if found is None:
            raise NotFound(f"no object has koid {shown(koid)}")
        return found

    def advance(self, milliseconds: int) -> None:
        """Let time pass.

        Raises
        ------
        InvalidArgs
            A negative number.
        OutOfRange
            The clock would pass the end of the year 9999.
        """
        milliseconds = number_of(milliseconds, "milliseconds", 0, _LONGEST)
        if self.clock_ms + milliseconds > LAST_MS:
            raise OutOfRange(
                f"{shown(milliseconds)} milliseconds from {self.time} lie past the year 9999"
            )
        self.clock_ms += milliseconds
        if self.recording:
            self.record("advance", 0, milliseconds)

    # --------------------------------------------------------------- history

    @property
    def events(self) -> pd.DataFrame:
        """Every operation: step, op, who (koid of the process, 0 for none), arguments, pages.

        `pages` is how many physical pages the operation took (negative: gave back).
        """
        return self.history.frame()

    def statistics(self) -> pd.DataFrame:
        """Kernel memory statistics after every step: step, op and the columns of kmem, in bytes."""
        return self.history.statistics()

    def at_step(self, step: int) -> Machine:
        """The machine as it was after that many operations; 0 is just booted.

        The result is a machine of its own: what is done to it changes nothing here. It may be used
        in a ``with`` statement.

        Raises
        ------
        OutOfRange
            There was no such step.
        BadState
            The machine keeps no history.
        """
        if not self.recording:
            raise BadState("this machine keeps no history")
        number = number_of(step, "step", -_LONGEST, _LONGEST)
        if not 0 <= number <= self.step:
            raise OutOfRange(f"expected a step in 0 … {self.step}, found {shown(number)}")
        return Machine.replay(self.history, number)

    @classmethod
    def replay(cls, history: History, steps: int | None = None) -> Machine:
        """A machine made by doing a history's operations again, all or the first `steps`."""
        from magmem.sim.replay import replay

        return replay(history, steps)

    def save_history(self, path: str | PathLike[str]) -> None:
        """Write the history as JSON lines, atomically: the machine, then one line per event."""
        if not self.recording:
            raise BadState("this machine keeps no history")
        self.history.save(path)

    @classmethod
    def load_history(cls, path: str | PathLike[str]) -> Machine:
        """The machine whose history was saved.

        Raises
        ------
        CaptureError
            The file is no history, or doing it again does not lead where it says.
        """
        from magmem.sim.replay import replay

        return replay(History.load(path), None)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    # --------------------------------------------------------------- results

    def snapshot(self, name: str | None = None) -> Snapshot:
        """The state as tables; everything is known."""
        from magmem.sim.snapshotting import snapshot

        return snapshot(self, self.name if name is None else name_text(name))

    def fingerprint(self) -> str:
        """A digest of the whole state, contents and counters included; equal for equal states."""
        from magmem.sim.fingerprint import fingerprint

        return fingerprint(self)

    # ------------------------------------------------------ for other modules

    def record(self, *event: Any) -> None:
        """Append an event (operation, who, arguments …); callers look at `recording` first."""
        heap, counts = self.heap, self.physical.counts
        # Tuple addition is quicker here than unpacking.
        effects = (heap.used, heap.capacity, counts[FREE], counts[OBJECT], counts[MMU])
        self._append(event + effects)

    def random(self, count: int) -> int:
        """A number in ``0 … count - 1``: a 64-bit linear congruential step, scaled."""
        state = self.random_state = (
            self.random_state * 6364136223846793005 + 1442695040888963407
        ) & _WORD
        return (state * count) >> 64

    def require(self, what: str, *, heap_bytes: int = 0, pages: int = 0) -> None:
        """Raise `NoMemory` unless heap and pages for an operation are there."""
        self.physical.require(pages + self.heap.growth_pages(heap_bytes), what)

    def require_handles(
        self, count: int, what: str, *, heap_bytes: int = 0, pages: int = 0
    ) -> None:
        """The same with handles; `NoResources` if the handle arena is full."""
        if count:
            pages += self.kernel.require_handles(count)
        self.physical.require(pages + self.heap.growth_pages(heap_bytes), what)

    def check_koid(self, koid: int | None, count: int = 1) -> int:
        """The koid a new object will have, the first of `count`; a chosen one is above all others.

        Raises
        ------
        InvalidArgs
            A koid that is not above all that were given, or not below 2^63.
        NoResources
            Not so many koids are left below 2^63.
        """
        first = self.next_koid
        if koid is not None:
            first = number_of(koid, "koid", 0, MAX_KOID)
            if first < self.next_koid:
                raise InvalidArgs(
                    f"koids are given in order: expected {self.next_koid} or above, found {first}"
                )
        if first + count - 1 > MAX_KOID:
            raise NoResources(f"of the koids below 2^63 {MAX_KOID - first + 1} are left")
        return first

    def use_koid(self, koid: int) -> None:
        """Let the counter go on behind a checked koid."""
        self.next_koid = koid + 1

    def take_koid(self) -> int:
        """The next koid."""
        koid = self.next_koid
        self.next_koid = koid + 1
        return koid

    def name_vmo(self, vmo: Vmo) -> None:
        """Give a VMO of the kernel's own the koid that its first handle needs."""
        vmo.koid = self.take_koid()
        self.objects[vmo.koid] = vmo

    def need_known(self, target: Any) -> None:
        """Raise `BadState` unless the object lives in this machine."""
        if isinstance(target, Vmo):
            known = self.vmos_by_serial.get(target.serial) is target
        else:
            known = self.objects.get(target.koid) is target
        if not known:
            raise BadState(f"{target!r} is not a living object of this machine")

    def __repr__(self) -> str:
        return (
            f"<Machine {self.name or 'unnamed'}: step {self.step}, "
            f"{count(len(self.processes_by_koid), 'process', 'processes')}, "
            f"{count(len(self.vmos_by_serial), 'VMO')}, "
            f"{self.physical.counts[FREE]:,} of {sum(self.physical.counts):,} pages free>"
        )


def _boot(machine: Machine, plan: BootPlan) -> None:
    boot(machine, plan)


def _milliseconds(text: str) -> int:
    if not isinstance(text, str):
        raise wrong("time", "a time in ISO 8601, as text", text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgs(f"expected a time in ISO 8601, found {shown(text)}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    milliseconds = round((moment - _EPOCH) / timedelta(milliseconds=1))
    if not FIRST_MS <= milliseconds <= LAST_MS:
        raise InvalidArgs(f"expected a time in the years 1 … 9999 UTC, found {shown(text)}")
    return milliseconds

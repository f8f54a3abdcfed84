"""Both machines, and the one way to do something to both.

`Twins.do` lets the simulator act, asks the model what had to happen, and judges: the same success
or refusal, by an allowed status, and nothing changed after a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from sim.model import figures, vmars
from sim.model.state import PAGE, Refused, State
from sim.twins.boot import costs, model_of
from sim.twins.compare import compare

from magmem.errors import AccessDenied, KernelError, NoMemory, PageFault
from magmem.sim import BootPlan, Machine

__all__ = ["SMALL", "Choice", "Twins", "need"]

SMALL = BootPlan(
    kernel_image="64k",
    ramdisk="20k",
    early=0,
    heap="64k",
    alloc_pages=3,
    table_pages=2,
    kernel_threads=1,
)
"""A kernel that leaves most of a machine of 1 or 2 MiB free, so that memory runs out soon."""

R = TypeVar("R")
M = TypeVar("M")


class Choice(Protocol):
    """Where random choices come from: hypothesis, or a plain generator in long campaigns."""

    def of(self, items: Sequence[R]) -> R:
        """One of the items."""

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""


def need(state: State, handle: int, rights: int) -> None:
    """Refuse unless the handle has these rights."""
    if rights & ~state.handles[handle].rights:
        raise Refused([AccessDenied])


class Twins:
    """The simulator and the model, in step.

    Attributes
    ----------
    machine : Machine
    model : State
    twins : dict
        The simulator's object of each serial of the model; also of those that died.
    """

    def __init__(self, seed: int, low_pages: int, high_pages: int) -> None:
        ranges = [(1 << 20, low_pages * PAGE, 1, "low"), (1 << 32, high_pages * PAGE, 0, "high")]
        self.machine = Machine(seed=seed, memory_map=ranges, boot=SMALL)
        self.model, self.twins = model_of(self.machine)
        self.costs = costs()

    def __getitem__(self, serial: int) -> Any:
        return self.twins[serial]

    def check(self) -> None:
        """Compare everything."""
        compare(self.machine, self.model, self.twins)

    def do(
        self,
        act: Callable[[], R],
        predict: Callable[[State, R | None], M],
        *,
        spare_pages: int = 0,
    ) -> tuple[R, M] | None:
        """Do one thing to both; both results, or None if it was refused (rightly).

        Parameters
        ----------
        act : callable
            The operation on the simulator.
        predict : callable
            The same on a model state; gets the simulator's result (None if that refused), from
            which it may take only what the kernel chooses at random. Raises what must be raised.
        spare_pages : int
            The simulator may refuse with `NoMemory` although so many pages would be left.
        """
        before = self.machine.fingerprint()
        shown: R | None = None
        error: KernelError | None = None
        try:
            shown = act()
        except KernelError as raised:
            error = raised
        trial = self.model.copy()
        refusal: Refused | PageFault | None = None
        try:
            expected = predict(trial, shown)
        except (Refused, PageFault) as raised:
            refusal = raised
        if refusal is None and self._settle(trial, error, spare_pages):
            self.model = trial
            return shown, expected  # type: ignore[return-value]
        if isinstance(refusal, PageFault):
            if isinstance(error, NoMemory):
                # Not even what comes before the fault fits.
                assert not self._settle(trial, error, spare_pages)
                assert self.machine.fingerprint() == before, f"{error!r} has changed the machine"
                return None
            assert isinstance(error, PageFault), f"expected {refusal}, found {error!r}"
            found = (error.address, error.access, error.reason)
            assert found == (refusal.address, refusal.access, refusal.reason)
            if trial != self.model:
                assert self._settle(trial, None, spare_pages)
                self.model = trial
                return None
        if isinstance(refusal, Refused):
            allowed = tuple(refusal.statuses)
            assert isinstance(error, allowed), f"expected {refusal}, found {error!r}"
            assert not isinstance(error, PageFault)
        assert self.machine.fingerprint() == before, f"{error!r} has changed the machine"
        return None

    def _settle(self, trial: State, error: KernelError | None, spare_pages: int) -> bool:
        """Whether there was memory for what the model did, and the simulator agrees."""
        used = figures.heap_used_bytes(trial, self.costs)
        while used > trial.heap_pages * PAGE:
            trial.heap_pages += figures.GROW_PAGES
        left = figures.free_pages(trial)
        if left < 0:
            assert isinstance(error, NoMemory), f"expected NoMemory ({left} pages), found {error!r}"
            return False
        if error is None:
            return True
        # Tables that a commit frees on the way may have been needed before they were free.
        freed = sum(
            max(0, vmars.table_pages(self.model, aspace) - vmars.table_pages(trial, aspace))
            for aspace in self.model.aspaces
            if aspace in trial.aspaces
        )
        assert isinstance(error, NoMemory), f"expected success, found {error!r}"
        assert left < freed + spare_pages, f"{left} pages would be left, found {error!r}"
        return False

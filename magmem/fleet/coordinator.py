"""Getting batches done by whoever is there: this process, a pool of processes, or a Dask cluster.

What a death of a worker may blame is every batch that was with it. So batches that died are tried
again alone, with nothing else in flight; one that dies alone is halved, and only a single capture
that dies alone is refused. Work that was merely lost is sent again without blame.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal, Protocol

from magmem.errors import CaptureError
from magmem.fleet.batch import Job, Outcome, refuse, work
from magmem.fleet.errors import FleetError, needs
from magmem.fleet.policy import Aliases

__all__ = ["Cluster", "Engine", "Here", "Pool", "outcomes"]

Fate = Literal["done", "died", "lost"]

MOST_LOSSES = 20
"""How often a batch may be lost before the cluster is taken for gone."""


class Engine(Protocol):
    """Something that does jobs."""

    width: int

    def submit(self, job: Job) -> Any:
        """Begin a job; what it is known by."""

    def wait(self, tickets: Iterable[Any]) -> list[tuple[Any, Fate, Outcome | None]]:
        """Wait for some, and say what became of them."""

    def close(self) -> None:
        """Give everything back."""


def outcomes(engine: Engine, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
    """Each job with its outcome, in the order in which they are done.

    Raises
    ------
    FleetError
        The cluster loses a batch again and again.
    OSError
        A worker cannot write the fleet.
    """
    waiting, suspects = deque(jobs), deque[Job]()
    flying: dict[Any, Job] = {}
    losses: dict[str, int] = {}
    while waiting or flying or suspects:
        while waiting and len(flying) < 2 * engine.width:
            job = waiting.popleft()
            flying[engine.submit(job)] = job
        is_alone = not flying
        if is_alone:
            job = suspects.popleft()
            flying[engine.submit(job)] = job
        for ticket, fate, outcome in engine.wait(list(flying)):
            job = flying.pop(ticket)
            if outcome is not None:
                yield job, outcome
            elif fate == "lost":
                name = job.items[0].capture_id
                losses[name] = losses.get(name, 0) + 1
                if losses[name] > MOST_LOSSES:
                    raise FleetError(f"the cluster lost a batch {MOST_LOSSES} times: is it alive?")
                (suspects if is_alone else waiting).append(job)
            elif not is_alone:
                suspects.append(job)
            elif len(job.items) == 1:
                yield job, _killer(job)
            else:
                half = len(job.items) // 2
                suspects.appendleft(replace(job, items=job.items[half:]))
                suspects.appendleft(replace(job, items=job.items[:half]))


def _killer(job: Job) -> Outcome:
    item = job.items[0]
    error = CaptureError(item.source, "", "a capture that a worker survives", "its worker died")
    return Outcome(refused=[refuse(item, error, Aliases(job.key, job.policy.keep))])


class Here:
    """The process itself, one batch after another."""

    width = 1

    def __init__(self) -> None:
        self._ready: dict[int, Job] = {}
        self._next = 0

    def submit(self, job: Job) -> int:
        """Keep the job until somebody waits."""
        self._next += 1
        self._ready[self._next] = job
        return self._next

    def wait(self, tickets: Iterable[int]) -> list[tuple[int, Fate, Outcome | None]]:
        """Do the first."""
        first = min(tickets)
        return [(first, "done", work(self._ready.pop(first)))]

    def close(self) -> None:
        """Nothing is held."""


class Pool:
    """Processes of this machine."""

    def __init__(self, workers: int) -> None:
        self.width = workers
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    def submit(self, job: Job) -> Any:
        """Give the job to a process; a broken pool is made anew."""
        if self._pool is None:
            # Forking would copy DuckDB's and Jupyter's threads in the middle of what they do.
            context = multiprocessing.get_context("spawn")
            self._pool = concurrent.futures.ProcessPoolExecutor(self.width, context)
        try:
            return self._pool.submit(work, job)
        except BrokenProcessPool:
            self._pool.shutdown(wait=True)
            self._pool = None
            return self.submit(job)

    def wait(self, tickets: Iterable[Any]) -> list[tuple[Any, Fate, Outcome | None]]:
        """Wait for the first ones."""
        done, _ = concurrent.futures.wait(tickets, return_when=concurrent.futures.FIRST_COMPLETED)
        return [self._fate(future) for future in done]

    @staticmethod
    def _fate(future: Any) -> tuple[Any, Fate, Outcome | None]:
        try:
            return future, "done", future.result()
        except BrokenProcessPool:
            return future, "died", None

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


class Cluster:
    """A Dask cluster, through any ``distributed.Client``.

    Nothing is scattered: data that a dead worker held would not be made again.
    """

    def __init__(self, client: Any) -> None:
        try:
            import distributed
        except ImportError:
            raise needs("cluster", "distributed") from None
        self._distributed: Any = distributed
        self.client = client
        self.width = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))

    def submit(self, job: Job) -> Any:
        """Send the job."""
        return self.client.submit(work, job, pure=False)

    def wait(self, tickets: Iterable[Any]) -> list[tuple[Any, Fate, Outcome | None]]:
        """Wait for the first ones; workers that have come meanwhile get work too."""
        futures = list(tickets)
        # What was cancelled is found by its status.
        with suppress(concurrent.futures.CancelledError, self._distributed.CancelledError):
            self._distributed.wait(futures, return_when="FIRST_COMPLETED")
        self.width = max(1, len(self.client.scheduler_info(n_workers=-1)["workers"]))
        return [self._fate(future) for future in futures if future.status != "pending"]

    def _fate(self, future: Any) -> tuple[Any, Fate, Outcome | None]:
        if future.status in ("lost", "cancelled"):
            return future, "lost", None
        try:
            return future, "done", future.result()
        except self._distributed.KilledWorker:
            return future, "died", None
        except concurrent.futures.CancelledError:
            return future, "lost", None

    def close(self) -> None:
        """The cluster is its owner's."""


def engine_for(workers: int | None, client: Any) -> Engine:
    """Who does the work: a cluster's client wins over a number of processes."""
    if client is not None:
        return Cluster(client)
    return Pool(workers) if workers and workers > 1 else Here()

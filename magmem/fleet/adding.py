"""What goes into a fleet: captures are hashed, planned, derived by whoever is there, and refused.

Everything is hashed before anything is read, so that what is known is skipped and a capture that
is there twice goes in once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from os import PathLike, fspath
from typing import Any

from magmem import __version__
from magmem.fleet.answer import Answer
from magmem.fleet.asking import Questions
from magmem.fleet.batch import Item, Job, refuse, write_refused
from magmem.fleet.coordinator import engine_for, outcomes
from magmem.fleet.engine import MEMORY
from magmem.fleet.errors import FleetError
from magmem.fleet.labels import labeller
from magmem.fleet.place import Place
from magmem.fleet.policy import Aliases, Policy
from magmem.fleet.sources import hashed, items_of
from magmem.fleet.tables import LABELS

__all__ = ["Adding"]

Progress = Callable[[int, int], object] | None

PLANNED = 4_096
"""Files that are hashed before the first of them is read."""

PLANNED_IN_MEMORY = 256
"""The same of snapshots and machines, which are held until they are read."""

BATCH_CAPTURES = 256
BATCH_BYTES = 32 << 20
"""A batch has at most so many captures, and ends at so many bytes of originals."""


class Adding(Questions):
    """The half of a fleet that takes captures; its parameters are those of `Fleet`."""

    def __init__(
        self,
        place: str | PathLike[str],
        *,
        key: bytes | str | None = None,
        keep: Iterable[str] = (),
        originals: bool = True,
        retention_days: int | None = None,
        memory: str = MEMORY,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(Place(fspath(place), dict(options or {})), memory)
        self._key = key.encode() if isinstance(key, str) else key
        check = Aliases(self._key).check()
        stored = Policy.read(self.place)
        self._is_new = stored is None
        self.policy = stored or Policy(
            "plain" if self._key is None else "keyed",
            tuple(sorted(set(keep))),
            check,
            originals and self._key is None,
            retention_days,
        )
        if self._key is not None and self.policy.check != check:
            wanted = "its own key" if self.policy.check else "no key: its names are plain"
            raise FleetError(f"{self.place.root}: expected {wanted}, found another")

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever added."""
        return self._is_new

    def add(
        self,
        sources: Any,
        labels: Any = None,
        *,
        workers: int | None = None,
        client: Any = None,
        progress: Progress = None,
        batch: int | None = None,
    ) -> Answer:
        """Read captures, derive their facts, and store them.

        What is in already, or was refused by this version, is skipped by its hash; so a second run
        adds nothing. A capture that cannot be read is refused with its reason (`refused`), and
        nothing else is held up.

        Parameters
        ----------
        sources
            Files, folders, patterns (``captures/**/*.json*``), URLs, snapshots, machines, pairs of
            one of these and its labels, or an iterable of such (`magmem.scenarios.fleet`).
        labels
            A pattern of paths (``{device}/{build}.{captured_at}.json``), a CSV file or table with
            a column ``source``, a mapping from path to labels, or a function of the path.
        workers : int, optional
            Processes on this machine.
        client : distributed.Client, optional
            A Dask cluster; its workers must reach `sources` and the fleet.
        progress : callable, optional
            Called with captures done and captures known so far.
        batch : int, optional
            Captures a batch, at most.

        Returns
        -------
        Answer
            One row: added, skipped, refused.

        Raises
        ------
        FleetError
            The arguments do not fit, or the cluster is gone.
        OSError
            The fleet cannot be written.
        """
        if self.policy.check and self._key is None:
            raise FleetError(f"{self.place.root} has keyed names: expected its key, found none")
        workers = int(workers) if workers else 1
        if "memory" in self.place.root.split("://")[0] and (workers > 1 or client is not None):
            raise FleetError("memory:// belongs to this process: expected no workers and no client")
        engine = engine_for(workers, client)
        sums = {"added": 0, "skipped": 0, "refused": 0}
        planned = done = 0
        label = labeller(labels)
        try:
            for chunk in _chunks(items_of(sources, label, self.place.options)):
                planned += len(chunk)
                todo, refused, skipped = self._plan(chunk)
                sums["skipped"] += skipped
                done += skipped + len(refused)
                for row in refused:
                    self._refuse(row, sums)
                if todo and self._is_new:
                    further = sorted({key for item in todo for key in item.labels} - LABELS.keys())
                    self.policy = replace(self.policy, labels=tuple(further))
                    self.policy.write(self.place)
                    self._is_new = False
                jobs = self._jobs(todo, batch, engine.width)
                for job, outcome in outcomes(engine, jobs):
                    sums["added"] += len(outcome.added)
                    for row in outcome.refused:
                        self._refuse(row, sums)
                    done += len(job.items)
                    if progress:
                        progress(done, planned)
                self._forget_engine()
        finally:
            engine.close()
            self._forget_engine()
        import pandas as pd

        frame = pd.DataFrame({name: [value] for name, value in sums.items()})
        line = ", ".join(f"{value:,} {name}" for name, value in sums.items())
        hint = "; magmem fleet refused says why" if sums["refused"] else ""
        return Answer(f"{line}{hint}\n", frame, title=f"added to {self.place.root}")

    def _plan(
        self, chunk: list[Item | tuple[Item, Exception]]
    ) -> tuple[list[Item], list[dict[str, Any]], int]:
        """Hash every capture, and leave out what is known."""
        aliases = Aliases(self._key, self.policy.keep)
        refused, good = [], []
        for one in chunk:
            item, wrong = one if isinstance(one, tuple) else (one, None)
            wrong = hashed(item, aliases, self.place.options) or wrong
            if wrong is not None:
                refused.append(refuse(item, wrong, aliases))
            else:
                good.append(item)
        ids = [item.capture_id for item in good]
        engine = self.engine
        known = {
            row[0]
            for row in engine.query(
                "SELECT capture_id FROM captures WHERE capture_id IN (SELECT unnest(?))", [ids]
            )
        }
        given_up = {
            row[0]
            for row in engine.query("SELECT sha256 FROM refused WHERE magmem = ?", [__version__])
        }
        todo: list[Item] = []
        for item in good:
            if item.capture_id in known or item.sha256 in given_up:
                continue
            known.add(item.capture_id)
            todo.append(item)
        return todo, refused, len(good) - len(todo)

    def _jobs(self, todo: list[Item], most: int | None, width: int) -> Iterator[Job]:
        """Batches of one device after another, so that equal labels lie together."""
        todo = sorted(todo, key=lambda item: (sorted(item.labels.items()), item.capture_id))
        share = -(-len(todo) // (4 * width)) if width > 1 else len(todo)
        limit = most or max(1, min(BATCH_CAPTURES, max(16, share)))
        batch: list[Item] = []
        size = 0
        for item in todo:
            if batch and (len(batch) >= limit or size + item.size_bytes > BATCH_BYTES):
                yield self._job(batch)
                batch, size = [], 0
            batch.append(item)
            size += item.size_bytes
        if batch:
            yield self._job(batch)

    def _job(self, items: list[Item]) -> Job:
        return Job(self.place, self.policy, self._key, items, self.place.options)

    def _refuse(self, row: dict[str, Any], sums: dict[str, int]) -> None:
        sums["refused"] += 1
        if row["sha256"]:
            before = self.engine.query(
                "SELECT tries FROM refused WHERE sha256 = ?", [row["sha256"]]
            )
            row["tries"] = 1 + max((tries for (tries,) in before), default=0)
        write_refused(self.place, row)


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Items in plans: many files, or fewer captures that are held in memory."""
    chunk: list[Any] = []
    held = 0
    for one in items:
        chunk.append(one)
        held += isinstance(one, Item) and one.data is not None
        if len(chunk) >= PLANNED or held >= PLANNED_IN_MEMORY:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk

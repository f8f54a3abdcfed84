"""`magmem.fleet`: many captures of many machines, as facts that are derived once and then asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from os import PathLike, fspath
from typing import Any

from magmem import __version__
from magmem.fleet import questions, upkeep
from magmem.fleet.answer import Answer, answer, table_lines
from magmem.fleet.batch import Item, Job, refuse, snapshot_from, write_refused
from magmem.fleet.catalog import catalog_of
from magmem.fleet.coordinator import engine_for, outcomes
from magmem.fleet.engine import MEMORY, Engine
from magmem.fleet.errors import FleetError
from magmem.fleet.labels import labeller, time_text
from magmem.fleet.parquet import text
from magmem.fleet.place import Place
from magmem.fleet.policy import Aliases, Policy
from magmem.fleet.sources import hashed, items_of
from magmem.fleet.tables import LABELS, TABLES
from magmem.listing import count
from magmem.sizes import format_size

__all__ = ["Fleet", "fleet"]

Progress = Callable[[int, int], object] | None

PLANNED = 4_096
"""Files that are hashed before the first of them is read."""

PLANNED_IN_MEMORY = 256
"""The same of snapshots and machines, which are held until they are read."""

BATCH_CAPTURES = 256
BATCH_BYTES = 32 << 20
"""A batch has at most so many captures, and ends at so many bytes of originals."""


class Fleet:
    """Many captures, as facts on disk or on an object store, and the questions about them.

    Parameters
    ----------
    place : str or path
        A folder, or a URL that fsspec knows: ``s3://…``, ``memory://…``. The fleet is made when
        the first captures are added.
    key : bytes or str, optional
        Makes names keyed: processes, VMOs, jobs, devices and files are called by an HMAC with it.
        It is never stored; a fleet that has one needs it again to add captures, not to be asked.
    keep : iterable of str
        Names that stay as they are in a keyed fleet.
    originals : bool
        Whether the captures are kept beside their facts; never with a key.
    retention_days : int, optional
        What `forget` without a choice deletes.
    memory : str
        How much DuckDB may use for a question.
    options : mapping, optional
        For fsspec, such as ``{"endpoint_url": …}``.

    Raises
    ------
    NewerFleet
        It was written in a layout that this magmem does not know.
    FleetError
        The place is no fleet, the key is another one, or an extra is not installed.
    """

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
        self.place = Place(fspath(place), dict(options or {}))
        self.memory = memory
        self._key = key.encode() if isinstance(key, str) else key
        self._engine: Engine | None = None
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

    # what goes in

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
            unread = hashed(item, aliases, self.place.options)
            if unread or wrong:
                refused.append(refuse(item, unread or wrong or unread, aliases))
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
            before = self.engine.query("SELECT tries FROM refused WHERE sha256 = ?", [row["sha256"]])
            row["tries"] = 1 + max((tries for (tries,) in before), default=0)
        write_refused(self.place, row)

    # what is there

    @property
    def engine(self) -> Engine:
        """The views over what is there; made anew after a change."""
        if self._engine is None:
            self._engine = Engine(self.place, self.memory)
        return self._engine

    def _forget_engine(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def reload(self) -> None:
        """Look at the files again: another process may have added captures."""
        self._forget_engine()

    def _ask(self, ask: Callable[..., questions.Asked], *arguments: Any) -> questions.Asked:
        """Ask; once more if compaction has just deleted the files that were listed."""
        import duckdb

        try:
            return ask(self.engine, *arguments)
        except (duckdb.IOException, FileNotFoundError):
            self.reload()
            return ask(self.engine, *arguments)

    @property
    def refused(self) -> Answer:
        """What was not taken: source, labels, error, place, expected, found, tries."""
        self.reload()
        frame = self.engine.typed(
            "SELECT source, device, build, captured_at, error, place, expected, found, tries, "
            "source_bytes, sha256, magmem FROM refused ORDER BY source, sha256"
        )
        lines = [f"{count(len(frame), 'capture')} refused"]
        columns = ["source", "error", "place", "expected", "found"]
        for row in frame[columns].fillna("").itertuples(index=False):
            where = f"{row.source}, {row.place}" if row.place else row.source
            why = f"expected {row.expected}, found {row.found}" if row.expected else row.found
            lines.append(f"{where}: {why or row.error}")
        return Answer("\n".join([*lines, ""]), frame, title="refused", question="refused")

    def info(self) -> Answer:
        """How many captures, devices, builds, and bytes there are, and since when."""
        self.reload()
        frame = self.engine.typed(
            "SELECT count(*) AS captures, count(*) FILTER (complete) AS complete, "
            "count(DISTINCT device) AS devices, count(DISTINCT build) AS builds, "
            "min(captured_at) AS first, max(captured_at) AS last, "
            "sum(source_bytes)::BIGINT AS source_bytes FROM captures"
        )
        facts, originals = self._stored_bytes()
        refused = len(self.place.names("refused", ".parquet"))
        batches = len(self.engine.catalog.batches)
        frame = frame.assign(
            facts_bytes=facts, originals_bytes=originals, batches=batches, refused=refused
        )
        row = frame.iloc[0]
        when = "" if row["captures"] == 0 or row["first"] is None else f", {row['first']} to {row['last']}"
        lines = [
            f"{self.place.root}: {count(int(row['captures']), 'capture')} "
            f"({int(row['complete']):,} complete) of {count(int(row['devices']), 'device')}, "
            f"{count(int(row['builds']), 'build')}{when}",
            f"builds: {', '.join(questions.builds_of(self.engine)) or 'none'}",
            f"names: {self.policy.names}; facts {format_size(facts)} in "
            f"{count(batches, 'batch', 'batches')}, originals {format_size(originals)}; "
            f"{refused:,} refused",
        ]
        return Answer("\n".join([*lines, ""]), frame, title="fleet", question="info")

    def _stored_bytes(self) -> tuple[int, int]:
        facts = sum(
            size
            for layout in {*self.engine.catalog.batches.values()}
            for table in TABLES
            for size in self.place.names(f"facts-{layout}/{table}", ".parquet").values()
        )
        return facts, sum(self.place.names("originals", ".parquet").values())

    def files(self, table: str) -> list[str]:
        """The Parquet files of a table, for polars, ibis, dask.dataframe or Spark.

        Raises
        ------
        ValueError
            There is no such table.
        """
        if table not in TABLES:
            raise ValueError(f"expected one of {', '.join(TABLES)}, found {table!r}")
        return list(catalog_of(self.place).files[table])

    # questions

    def grew(self, since_build: str | None = None, rule: str = "exact", limit: int = 20) -> Answer:
        """Which process has more since a build: medians per device before it and from it on.

        Parameters
        ----------
        since_build : str, optional
            The newest if not given.
        rule : str
            A rule of accounting, ``private``, ``uss``, ``handle-only`` or ``reported``.
        limit : int
            Rows at most.
        """
        rows, out, every = self._ask(questions.grew, since_build, rule, limit)
        since = since_build or (questions.builds_of(self.engine) or [""])[-1]
        title = f"What each process has more since build {since}, by {rule}"
        note = "Before and after are medians over devices of each device's median."
        return answer("grew", title, rows, out, every, note)

    def percentiles(self, rule: str = "exact", limit: int = 20) -> Answer:
        """How much the processes of each name have: median, 90th, 99th percentile, and most."""
        rows, out, every = self._ask(questions.percentiles, rule, limit)
        return answer("percentiles", f"Percentiles by name, {rule}", rows, out, every)

    def regressions(self, rule: str = "exact", limit: int = 20) -> Answer:
        """What grew most from one build to the next, by median."""
        rows, out, every = self._ask(questions.regressions, rule, limit)
        return answer("regressions", f"Largest steps between builds, {rule}", rows, out, every)

    def leaks(self, of: str = "handle-only", by: str = "device", limit: int = 20) -> Answer:
        """What grows hour by hour on each device and build.

        Parameters
        ----------
        of : str
            What of a machine: ``alloc``, ``exact``, ``handle-only``, ``hidden``, ``heap``, …; by
            process, a rule.
        by : str
            ``device``; ``holder`` for whose handles hold hidden memory; ``process``.
        limit : int
            Rows at most.
        """
        rows, out, every = self._ask(questions.leaks, of, by, limit)
        title = f"Bytes an hour on each device and build, {of if by != 'holder' else 'hidden'}"
        note = "Fit is how well a straight line describes the growth: 1 is a perfect one."
        return answer("leaks", title, rows, out, every, note)

    def hidden(self, every: str = "day") -> Answer:
        """Memory that no mapping shows, by reason and day (or ``hour``, ``build``)."""
        rows, out, total = self._ask(questions.hidden, every)
        return answer("hidden", f"Hidden memory of a capture, by reason and {every}", rows, out, total)

    def outliers(self, of: str = "alloc", limit: int = 20) -> Answer:
        """The devices that differ most from others of the same build.

        Z is the distance from the build's median in robust standard deviations (by the median of
        distances). Each device has the capture in which it is farthest.
        """
        rows, out, every = self._ask(questions.outliers, of, limit)
        note = "Z is the distance from the median of the build, in robust standard deviations."
        return answer("outliers", f"Devices unlike the others, by {of}", rows, out, every, note)

    def like(self, capture_id: str, rule: str = "exact", limit: int = 20) -> Answer:
        """The captures most like one: bytes in common per name, of bytes in either.

        Parameters
        ----------
        capture_id : str
            Or how it begins, as listings show it.
        """
        rows, out, every = self._ask(questions.like, capture_id, rule, limit)
        return answer("like", f"Captures like {capture_id[:12]}, by {rule}", rows, out, every)

    def sql(self, query: str) -> Answer:
        """Any SELECT over captures, processes, hidden, ledger, vmos and refused.

        Raises
        ------
        FleetError
            It is not one SELECT, or DuckDB refuses it.
        """
        frame = self.engine.select(query)
        lines = table_lines(frame) if len(frame) else ["no rows"]
        return Answer("\n".join([*lines, ""]), frame, title=query, question="sql")

    # back to one machine

    def snapshot(self, capture_id: str) -> Any:
        """One machine, from its original: for every tool and explorer.

        Raises
        ------
        FleetError
            There is no such capture, or its original was not kept.
        """
        found = self.engine.query(
            "SELECT capture_id, source, original FROM captures WHERE starts_with(capture_id, ?) "
            "LIMIT 2",
            [capture_id],
        )
        if len(found) != 1 or not capture_id:
            raise FleetError(f"expected the id of a capture, found {capture_id!r}")
        ((one, source, original),) = found
        data = self._original(one, original)
        return snapshot_from(data, source)

    def _original(self, capture_id: str, original: str | None) -> bytes:
        if original is None:
            raise FleetError("this fleet keeps no originals: there is no way back to the machine")
        rows = self.engine.query(
            f"SELECT bytes FROM read_parquet({text(self.place.url(f'originals/{original}.parquet'))}) "  # noqa: S608
            "WHERE capture_id = ?",
            [capture_id],
        )
        if not rows:
            raise FleetError(f"the original of {capture_id} is missing in originals/{original}")
        data: bytes = rows[0][0]
        return data

    def map(
        self, function: Callable[[Any], Any], where: str = "true", *, client: Any = None
    ) -> dict[str, Any]:
        """Apply a function to the machine of each capture, here or on a cluster.

        Parameters
        ----------
        function : callable
            Of a Snapshot; what it returns must be picklable with a client.
        where : str
            An SQL condition over ``captures``.
        client : distributed.Client, optional

        Returns
        -------
        dict
            Capture id to result, in order of device, build and time.
        """
        rows = self.engine.select(
            f"SELECT capture_id FROM captures WHERE {where} "  # noqa: S608 (select refuses more)
            "ORDER BY device, build, captured_at, capture_id"
        )
        ids = rows["capture_id"].tolist()
        if client is None:
            return {one: function(self.snapshot(one)) for one in ids}
        futures = client.map(_mapped, ids, place=self.place, function=function, pure=False)
        return dict(zip(ids, client.gather(futures), strict=True))

    # upkeep

    def compact(self, most_captures: int = 16_384, *, progress: Progress = None) -> Answer:
        """Put small batches together: questions get faster, and files fewer."""
        before, after = upkeep.compact(self.place, most_captures, progress)
        self.reload()
        import pandas as pd

        frame = pd.DataFrame({"batches_before": [before], "batches_after": [after]})
        return Answer(f"{before:,} batches became {after:,}\n", frame, title="compacted")

    def refresh(self, *, every: bool = False, progress: Progress = None) -> Answer:
        """Derive facts anew from originals where another version of magmem wrote them.

        Parameters
        ----------
        every : bool
            Also where this version did.
        """
        from magmem.fleet.refresh import refresh

        rows = refresh(self.place, self.policy, self.engine, every, progress)
        self.reload()
        return Answer(f"{count(rows, 'capture')} derived anew\n", _one("captures", rows), title="refreshed")

    def forget(
        self,
        *,
        device: str | None = None,
        build: str | None = None,
        before: Any = None,
        progress: Progress = None,
    ) -> Answer:
        """Delete captures for good: facts, originals, refusals, to the last byte.

        Parameters
        ----------
        device, build : str, optional
        before : str or datetime, optional
            Those captured earlier. Several choices must all be met. Without any, the fleet's
            retention says how old a capture may be.

        Raises
        ------
        FleetError
            Nothing is chosen, and the fleet has no retention.
        """
        chosen = []
        if device is not None:
            aliases = Aliases(self._key, self.policy.keep)
            if self.policy.check and self._key is None:
                raise FleetError("device names are keyed: expected the fleet's key, found none")
            chosen.append(f"device = {text(aliases('device', device))}")
        if build is not None:
            chosen.append(f"build = {text(build)}")
        if before is None and not chosen:
            if self.policy.retention_days is None:
                raise FleetError("expected a device, a build or a time before which to forget")
            before = datetime.now(UTC) - timedelta(days=self.policy.retention_days)
        if before is not None:
            chosen.append(f"captured_at < TIMESTAMP {text(time_text(before))}")
        self._forget_engine()
        gone = upkeep.forget(self.place, " AND ".join(chosen), progress)
        self.reload()
        return Answer(f"{count(gone, 'capture')} forgotten\n", _one("captures", gone), title="forgotten")

    def close(self) -> None:
        """Free the connection to DuckDB."""
        self._forget_engine()

    def __repr__(self) -> str:
        return f"<Fleet {self.place.root}>"


def fleet(place: str | PathLike[str], **settings: Any) -> Fleet:
    """Open a fleet of captures, or make one when the first captures are added.

    Parameters
    ----------
    place : str or path
        A folder, or a URL that fsspec knows.
    **settings
        Those of `Fleet`.

    Examples
    --------
    >>> import magmem
    >>> lab = magmem.fleet("memory://lab")
    >>> lab.add(magmem.scenarios.fleet(devices=1, builds=1, hours=1))
    1 added, 0 skipped, 0 refused
    """
    return Fleet(place, **settings)


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


def _one(name: str, value: int) -> Any:
    import pandas as pd

    return pd.DataFrame({name: [value]})


def _mapped(capture_id: str, place: Place, function: Callable[[Any], Any]) -> Any:
    """One capture of `Fleet.map`, on a worker."""
    return function(Fleet(place.root, options=place.options).snapshot(capture_id))



"""`magmem.fleet`: many captures of many machines, as facts that are derived once and then asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from os import PathLike
from typing import Any

from magmem.fleet import questions, upkeep
from magmem.fleet.adding import Adding
from magmem.fleet.answer import Answer
from magmem.fleet.batch import snapshot_from
from magmem.fleet.catalog import catalog_of
from magmem.fleet.errors import FleetError
from magmem.fleet.labels import time_text
from magmem.fleet.parquet import text
from magmem.fleet.place import Place
from magmem.fleet.policy import Aliases
from magmem.fleet.tables import TABLES
from magmem.listing import count, wrapped
from magmem.sizes import format_size

__all__ = ["Fleet", "fleet"]

Progress = Callable[[int, int], object] | None


class Fleet(Adding):
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

    # what is there

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
        when = (
            ""
            if row["captures"] == 0 or row["first"] is None
            else f"captured from {row['first']} to {row['last']} (UTC)"
        )
        sums = (
            f"{self.place.root}: {count(int(row['captures']), 'capture')} "
            f"({int(row['complete']):,} complete) of {count(int(row['devices']), 'device')}, "
            f"{count(int(row['builds']), 'build')}"
        )
        stored = (
            f"names: {self.policy.names}; facts {format_size(facts)} in "
            f"{count(batches, 'batch', 'batches')}, originals {format_size(originals)}; "
            f"{refused:,} refused"
        )
        builds = f"builds: {', '.join(questions.builds_of(self.engine)) or 'none'}"
        lines = [sums, *([when] if when else []), wrapped(builds), stored]
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
        pack = text(self.place.url(f"originals/{original}.parquet"))
        rows = self.engine.query(
            f"SELECT bytes FROM read_parquet({pack}) WHERE capture_id = ?", [capture_id]
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
            f"SELECT capture_id FROM captures WHERE {where} "
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
        return Answer(
            f"{count(rows, 'capture')} derived anew\n", _one("captures", rows), title="refreshed"
        )

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
        return Answer(
            f"{count(gone, 'capture')} forgotten\n", _one("captures", gone), title="forgotten"
        )

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


def _one(name: str, value: int) -> Any:
    import pandas as pd

    return pd.DataFrame({name: [value]})


def _mapped(capture_id: str, place: Place, function: Callable[[Any], Any]) -> Any:
    """One capture of `Fleet.map`, on a worker."""
    return function(Fleet(place.root, options=place.options).snapshot(capture_id))

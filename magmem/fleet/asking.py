"""What a fleet can be asked: each question by name, each answer a listing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magmem.fleet import questions
from magmem.fleet.answer import Answer, answer, table_lines
from magmem.fleet.engine import Engine
from magmem.fleet.place import Place

__all__ = ["Questions"]


class Questions:
    """The asking half of a fleet.

    Parameters
    ----------
    place : Place
    memory : str
        How much DuckDB may use.
    """

    def __init__(self, place: Place, memory: str) -> None:
        self.place = place
        self.memory = memory
        self._engine: Engine | None = None

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
        return answer(
            "hidden", f"Hidden memory of a capture, by reason and {every}", rows, out, total
        )

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

"""A recording opened: its moments as snapshots, what changed between two, and who grows.

Sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from magmem.linux.assembly import assemble
from magmem.linux.kmem import Machine
from magmem.linux.recording import Moment, moments_of, stat_of_values
from magmem.linux.records import ProcessRecord, Reading
from magmem.listing import Listing
from magmem.printable import one_line
from magmem.sizes import format_size

if TYPE_CHECKING:
    from magmem.snapshot import Snapshot

__all__ = ["Recording", "read_recording"]

LEAST_MOMENTS = 3
"""A slope takes so many at least."""

HOUR = 3600.0


class Recording:
    """A recorded machine.

    Attributes
    ----------
    name : str
        Of the file, without its endings.
    moments : sequence of dict
        As `magmem.linux.recording.moments_of` gives them.
    """

    def __init__(self, name: str, moments: Sequence[Moment]) -> None:
        self.name = name
        self.moments = tuple(moments)
        self.at = lru_cache(maxsize=8)(self._at)

    def __len__(self) -> int:
        return len(self.moments)

    def __repr__(self) -> str:
        seconds = (self.moments[-1]["at"] - self.moments[0]["at"]) / 1e9
        return f"<Recording {self.name}: {len(self)} moments in {seconds:.0f} s>"

    @property
    def times(self) -> list[datetime]:
        """When each moment was, UTC."""
        return [datetime.fromtimestamp(moment["at"] / 1e9, UTC) for moment in self.moments]

    def _at(self, moment: int) -> Snapshot:
        """One moment as a snapshot; a negative number counts from the end.

        Raises
        ------
        IndexError
            There is no such moment.
        """
        told = self.moments[moment]
        reading = Reading(4096, False, False, Machine(told["machine"]), source=self.name)
        for pid, values in told["processes"].items():
            stat, cgroup, sums = stat_of_values(values, 4096)
            reading.records.append(ProcessRecord(int(pid), stat, cgroup, sums))
            if sums.pss_bytes is None and stat.state != "dead":
                reading.closed.append(int(pid))
        reading.seconds = told["took"]
        return assemble(reading, "cgroup", told["at"])

    def diff(self, before: int = 0, after: int = -1) -> Listing:
        """What grew, shrank, came and went from one moment to another (`magmem.diff`).

        Raises
        ------
        IndexError
            There is no such moment.
        """
        import magmem

        listing: Listing = magmem.diff(self.at(before), self.at(after))
        return listing

    def captures(self) -> Iterator[tuple[dict[str, str], Snapshot]]:
        """Every moment with labels, for a fleet: machine, time, and number of the moment."""
        for number, when in enumerate(self.times):
            labels = {
                "machine": self.name,
                "time": when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
                "moment": str(number),
            }
            yield labels, self.at(number)

    def series(self, column: str = "pss") -> pd.DataFrame:
        """A figure of every process over time.

        Parameters
        ----------
        column : {"pss", "private", "shared", "resident", "swap"}

        Returns
        -------
        pandas.DataFrame
            One row per moment (index: its time), one column per process (name and pid), Int64;
            missing before it began, after it ended, and where it may not be read.
        """
        from magmem.linux.recording import FIELDS

        if column not in FIELDS[7:]:
            raise ValueError(f"expected column to be one of {FIELDS[7:]}, found {column!r}")
        place = FIELDS.index(column)
        start = FIELDS.index("start")
        lives: dict[tuple[int, int], list[Any]] = {}
        names: dict[tuple[int, int], str] = {}
        for number, moment in enumerate(self.moments):
            for pid, values in moment["processes"].items():
                life = int(pid), int(values[start])
                lives.setdefault(life, [pd.NA] * len(self))[number] = (
                    pd.NA if values[place] is None else values[place]
                )
                names[life] = f"{values[0]} {pid}"
        frame = pd.DataFrame(
            {life: pd.array(lives[life], dtype="Int64") for life in sorted(lives)},
            index=pd.DatetimeIndex(self.times, name="time"),
        )
        frame.columns = pd.Index([names[life] for life in sorted(lives)], name="process")
        return frame

    def leaks(self, lines: int = 20) -> Listing:
        """Who grows: the straight line nearest to each process's private memory over time.

        Private memory (USS) is what a process would give back; PSS also moves when others come and
        go. A process that is seen fewer than three times has no line.

        Parameters
        ----------
        lines : int
            Processes in the text; 0 shows all.

        Returns
        -------
        Listing
            `df` has one row per process: koid, name, moments, first_bytes, last_bytes, highest
            and lowest (lowest_bytes, highest_bytes), slope_bytes_per_hour (float), fit (R² of the
            line, 0 to 1: near 1 grows steadily; missing where nothing changed), grows (share of
            steps that went up, of those that changed). Steepest first.
        """
        rows = [row for row in map(self._line, self._lives().items()) if row is not None]
        columns = [
            "koid", "name", "moments", "first_bytes", "last_bytes", "lowest_bytes",
            "highest_bytes", "slope_bytes_per_hour", "fit", "grows",
        ]  # fmt: skip
        table = pd.DataFrame(rows, columns=columns)
        table = table.sort_values(
            ["slope_bytes_per_hour", "koid"], ascending=[False, True], ignore_index=True
        )
        shown = table if lines == 0 else table.head(lines)
        head = f"{'PID':>8} {'FIRST':>8} {'LAST':>8} {'PER HOUR':>9} {'FIT':>5} NAME"
        text = [f"{self!r}"[1:-1], head]
        for row in shown.itertuples(index=False):
            slope = float(row.slope_bytes_per_hour)
            sign = "-" if slope < 0 else "+"
            fit = "" if pd.isna(row.fit) else f"{row.fit:.2f}"
            text.append(
                f"{row.koid:>8} {format_size(row.first_bytes):>8} {format_size(row.last_bytes):>8} "
                f"{sign + format_size(abs(round(slope))):>9} {fit:>5} {one_line(row.name)}"
            )
        if len(table) > len(shown):
            text.append(f"{len(table) - len(shown)} more")
        return Listing("\n".join(text) + "\n", table, title=f"who grows in {self.name}")

    def _lives(self) -> dict[tuple[int, int], list[tuple[int, int, str]]]:
        """Private bytes by (pid, start) with the time of each moment, and the name."""
        lives: dict[tuple[int, int], list[tuple[int, int, str]]] = {}
        for moment in self.moments:
            for pid, values in moment["processes"].items():
                if values[9] is not None:
                    life = int(pid), int(values[3])
                    lives.setdefault(life, []).append((moment["at"], values[9], values[0]))
        return lives

    @staticmethod
    def _line(life: tuple[tuple[int, int], list[tuple[int, int, str]]]) -> tuple[Any, ...] | None:
        (pid, _), seen = life
        if len(seen) < LEAST_MOMENTS:
            return None
        hours = np.array([at - seen[0][0] for at, _, _ in seen]) / 1e9 / HOUR
        size = np.array([value for _, value, _ in seen], np.int64)
        spread = hours - hours.mean()
        weight = float((spread**2).sum())
        slope = float((spread * (size - size.mean())).sum() / weight) if weight else 0.0
        variance = float(((size - size.mean()) ** 2).sum())
        fit = slope**2 * weight / variance if variance else None
        steps = np.diff(size)
        moved = steps[steps != 0]
        grows = float((moved > 0).mean()) if len(moved) else 0.0
        sizes = int(size[0]), int(size[-1]), int(size.min()), int(size.max())
        return (pid, seen[-1][2], len(seen), *sizes, slope, fit, grows)


def read_recording(path: str | Path) -> Recording:
    """Open what ``magmem record live`` wrote, also while it is still written.

    Raises
    ------
    CaptureError
        It is no recording.
    OSError
        It cannot be read.
    """
    place = Path(path)
    return Recording(place.name.partition(".")[0], tuple(moments_of(place)))

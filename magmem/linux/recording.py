"""A recording: many moments of one Linux machine in one file, each as what changed.

The file is text, one JSON object a line, compressed by gzip. Every line is complete when it is
written out, so a file that is still growing, or was cut off, is read up to its last whole line.

=========  =========================================================================================
line       what it holds
=========  =========================================================================================
first      ``magmem-recording``: 1; ``every``: seconds between two moments as asked; ``page_bytes``
moment     ``at``: nanoseconds of UTC; ``took``: seconds that reading took; ``all``: true where
           nothing before is needed to understand it; ``set``: processes that are new or changed,
           by pid, as values of `FIELDS`; ``gone``: pids that ended; ``machine``: changed lines of
           meminfo, bytes; ``groups``: charge of changed control groups, bytes
=========  =========================================================================================

Sizes are bytes.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from magmem.errors import CaptureError
from magmem.linux.cgroups import read_groups
from magmem.linux.process import PssSums, Stat
from magmem.linux.procfs import Proc
from magmem.linux.reading import read_system
from magmem.linux.records import Reading

__all__ = ["FIELDS", "FORMAT", "Moment", "Recorder", "moments_of", "record"]

FORMAT = "magmem-recording"
VERSION = 1

FIELDS = (
    "name",
    "state",
    "parent",
    "start",
    "is_kernel",
    "cgroup",
    "virtual",
    "resident",
    "pss",
    "private",
    "shared",
    "swap",
)
"""What is kept of a process, in this order; null for what may not be read."""

WHOLE_EVERY = 60
"""A moment of so many says everything anew, so that a damaged file is lost in part only."""

Moment = dict[str, Any]
"""``at``, ``took``, ``processes`` (pid to values of `FIELDS`), ``machine``, ``groups``."""


class Recorder:
    """Writes moments into a file; a context manager.

    Parameters
    ----------
    path : Path
        Written anew.
    every : float
        Seconds between two moments, for the file's head.
    page_bytes : int
        Bytes of a page of the machine.
    """

    def __init__(self, path: Path, every: float, page_bytes: int) -> None:
        self._file: BinaryIO = path.open("wb")
        self._zip = zlib.compressobj(6, zlib.DEFLATED, 31)
        self._last: Moment = {"processes": {}, "machine": {}, "groups": {}}
        self.moments = 0
        self._put({FORMAT: VERSION, "every": every, "page_bytes": page_bytes})

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add(self, moment: Moment) -> None:
        """One moment more; it is on disk when this returns."""
        whole = self.moments % WHOLE_EVERY == 0
        before: Moment = {"processes": {}, "machine": {}, "groups": {}} if whole else self._last
        line: dict[str, Any] = {"at": moment["at"], "took": round(moment["took"], 4)}
        if whole:
            line["all"] = True
        now = moment["processes"]
        line["set"] = {
            pid: values for pid, values in now.items() if before["processes"].get(pid) != values
        }
        line["gone"] = [pid for pid in before["processes"] if pid not in now]
        for part in ("machine", "groups"):
            line[part] = {
                name: size for name, size in moment[part].items() if before[part].get(name) != size
            }
        line["ended"] = [name for name in before["groups"] if name not in moment["groups"]]
        self._put(line)
        self._last = moment
        self.moments += 1

    def _put(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n"
        data = self._zip.compress(text.encode("utf-8", "surrogatepass"))
        self._file.write(data + self._zip.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """End the file properly."""
        if not self._file.closed:
            self._file.write(self._zip.flush(zlib.Z_FINISH))
            self._file.close()


def look(proc: Proc) -> Moment:
    """One moment: the kernel's sums of every process, the machine's, and the groups' charges."""
    at = time.time_ns()
    reading = read_system(proc, "processes", None, proc.page_bytes(), None, ("meminfo",))
    groups = {
        group.path: group.charge_bytes
        for group in read_groups(proc)
        if group.charge_bytes is not None
    }
    machine = dict(reading.machine.meminfo)
    return {
        "at": at,
        "took": reading.seconds,
        "processes": _processes(reading),
        "machine": machine,
        "groups": groups,
    }


def _processes(reading: Reading) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for record in reading.records:
        stat = record.stat
        if stat.is_kernel:
            continue
        told = record.sums or PssSums(None, None, None, None)
        resident = told.rss_bytes
        if resident is None:
            resident = stat.resident_pages * reading.page_bytes
        found[str(record.pid)] = [
            stat.name,
            stat.state,
            stat.parent_pid,
            stat.start,
            stat.is_kernel,
            record.cgroup,
            stat.virtual_bytes,
            resident,
            told.pss_bytes,
            told.private_bytes,
            told.shared_bytes,
            told.swap_bytes,
        ]
    return found


def record(
    path: str | Path,
    every: float = 10.0,
    duration: float | None = None,
    *,
    proc: Path = Path("/proc"),
    told: Callable[[Moment], object] | None = None,
) -> int:
    """Record this machine into a file until the time is over or Ctrl-C.

    Parameters
    ----------
    path : str or Path
        Written anew; what is recorded is on disk after every moment.
    every : float
        Seconds from one moment to the next.
    duration : float, optional
        Seconds in all; None: until interrupted.
    proc : Path
        Where the proc file system is mounted.
    told : callable, optional
        Called with every moment that was written.

    Returns
    -------
    int
        How many moments were recorded.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    source = Proc(proc)
    began = time.monotonic()
    with Recorder(Path(path), every, source.page_bytes()) as recorder:
        try:
            while True:
                moment = look(source)
                recorder.add(moment)
                if told is not None:
                    told(moment)
                # Moments keep to the clock, however long reading takes; missed ones are left out.
                spent = time.monotonic() - began
                due = (spent // every + 1) * every if every > 0 else spent
                if duration is not None and due > duration:
                    break
                time.sleep(max(0.0, due - spent))
        except KeyboardInterrupt:
            pass
    return recorder.moments


def moments_of(path: str | Path) -> Iterator[Moment]:
    """Every moment of a recording, whole, in order; up to the last that is complete.

    Raises
    ------
    CaptureError
        The file is no recording, or damaged before its first moment.
    """
    source = str(path)
    state: Moment = {"processes": {}, "machine": {}, "groups": {}}
    count = 0
    for number, text in enumerate(_lines(Path(path)), 1):
        try:
            line = json.loads(text)
            if number == 1:
                _check_head(line)
                continue
            state = _after(state, line)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            place = f"line {number}"
            expected = f"a recording of version {VERSION}" if number == 1 else "a moment"
            if number > 2:
                return
            raise CaptureError(source, place, expected, text[:60]) from error
        count += 1
        yield state
    if not count:
        raise CaptureError(source, "", "a recording with a moment in it", "none")


def _check_head(line: Mapping[str, Any]) -> None:
    if line.get(FORMAT) != VERSION:
        raise ValueError(FORMAT)


def _lines(path: Path) -> Iterator[str]:
    """Whole lines of a compressed file; what was cut off at its end is left out."""
    with path.open("rb") as raw:
        if raw.read(2) != b"\x1f\x8b":
            raise CaptureError(str(path), "", "a recording, compressed by gzip", "another file")
    with gzip.open(path, "rb") as file:
        while True:
            try:
                line = file.readline()
            except (EOFError, zlib.error, gzip.BadGzipFile):
                return
            if not line.endswith(b"\n"):
                return
            yield line.decode("utf-8", "surrogatepass")


def _after(state: Moment, line: Mapping[str, Any]) -> Moment:
    """The moment that a line makes of the one before."""
    fresh = bool(line.get("all"))
    processes = {} if fresh else dict(state["processes"])
    for pid in line["gone"]:
        processes.pop(str(pid), None)
    for pid, values in line["set"].items():
        if len(values) != len(FIELDS):
            raise ValueError
        processes[str(int(pid))] = values
    groups = {} if fresh else dict(state["groups"])
    for path in line.get("ended", ()):
        groups.pop(path, None)
    return {
        "at": int(line["at"]),
        "took": float(line["took"]),
        "processes": processes,
        "machine": {**({} if fresh else state["machine"]), **line["machine"]},
        "groups": {**groups, **line["groups"]},
    }


def stat_of_values(values: list[Any], page_bytes: int) -> tuple[Stat, str, PssSums]:
    """Facts, control group and sums of a process of a moment."""
    told = dict(zip(FIELDS, values, strict=True))
    stat = Stat(
        str(told["name"]),
        str(told["state"]),
        int(told["parent"]),
        bool(told["is_kernel"]),
        int(told["start"]),
        int(told["virtual"]),
        int(told["resident"]) // page_bytes,
    )
    sums = PssSums(
        told["resident"] if told["pss"] is not None else None,
        told["pss"],
        told["private"],
        told["shared"],
        told["swap"],
    )
    return stat, str(told["cgroup"]), sums

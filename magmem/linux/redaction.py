"""A snapshot without anybody's names: what is measured stays, what is called somehow does not.

Processes, threads, jobs, files, memfds and named anonymous memory get neutral names; koids of
tasks are numbered anew, because process and group numbers tell of a machine too. The same name
always gets the same neutral one. Sizes, pages, sharing, addresses and times stay. What everybody's
Linux calls the same (``[heap]``, ``[stack]``, the kernel's own memory) keeps its name, and so does
what the caller wants to keep.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from magmem.snapshot import TABLES, Snapshot

__all__ = ["Redaction", "redact"]

COMMON = {
    "",
    "live",
    "root",
    "kernel threads",
    "shared anonymous",
    "[anon]",
    "[heap]",
    "[stack]",
    "[vdso]",
    "[vvar]",
    "[vvar_vclock]",
}
"""Names that are the same on every machine."""

LIVE = "live"
"""What a capture of this machine is called."""

HARMLESS_PLACES = ("pagemap", "smaps", "fd", "slabinfo", "meminfo", "kpageflags")
"""Places of notes that name neither a process nor a path."""

FIRST_KOID = {"process": 1000, "job": 10_000_000, "vmo": 20_000_000, "thread": 100_000_000}
"""New koids lie above these."""

KERNEL_ID = "kernel/"

COMMON_INODES = {
    f"anon_inode:{name}"
    for name in (
        "inotify",
        "[fanotify]",
        "[signalfd]",
        "[io_uring]",
        "[userfaultfd]",
        "[perf_event]",
    )
}
"""Handle types that say nothing of a machine's drivers."""

_MEMFD = re.compile(r"memfd:(.*?)( \(deleted\))?$", re.DOTALL)
_NAMED = re.compile(r"\[(anon|anon_shmem):(.*)\]$", re.DOTALL)
_LIBRARY = re.compile(r"\.so(\.[0-9]+)*$")
_DELETED = " (deleted)"


class Redaction:
    """Neutral names, given out in the order in which names are met.

    One redaction may serve several snapshots (before and after): names they share stay shared.

    Parameters
    ----------
    keep : collection of str
        Names (of processes, threads, jobs, VMOs) that are left as they are.
    """

    def __init__(self, keep: Collection[str] = ()) -> None:
        self._keep = frozenset(keep) | COMMON
        self._names: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._koids: dict[tuple[str, int], int] = {}

    def __call__(self, snap: Snapshot) -> Snapshot:
        """The snapshot with neutral names.

        Parameters
        ----------
        snap : Snapshot
            Of Linux; any other is treated the same way.
        """
        frames = {name: frame.copy() for name, frame in snap.tables().items()}
        koid_of = self._task_koids(snap)
        vmo_koid_of = self._vmo_koids(snap)
        tasks, aspaces, handles = frames["tasks"], frames["aspaces"], frames["handles"]
        programs = set(snap.processes["name"].dropna())
        kinds = np.where((tasks["kind"] == "job") & ~tasks["name"].isin(programs), "job", "program")
        tasks["name"] = _texts(
            None if name is pd.NA else self._neutral(name, kind)
            for name, kind in zip(tasks["name"], kinds, strict=True)
        )
        tasks["koid"] = tasks["koid"].map(koid_of)
        tasks["parent_koid"] = _renumbered(tasks["parent_koid"], koid_of)
        owner = aspaces["process_koid"] = _renumbered(aspaces["process_koid"], koid_of)
        aspaces["name"] = _texts(
            name if koid is pd.NA else f"proc:{koid}"
            for name, koid in zip(aspaces["name"], owner, strict=True)
        )
        handles["process_koid"] = handles["process_koid"].map(koid_of)
        handles["koid"] = _renumbered(handles["koid"], {**koid_of, **vmo_koid_of})
        handles["type"] = _texts(map(_handle_type, handles["type"]))
        vmos = frames["vmos"]
        is_kernel = vmos["id"].str.startswith(KERNEL_ID).to_numpy(dtype=bool)
        names = [self._vmo_name(name) for name in vmos["name"].fillna("")]
        numbered = [f"vmo-{row + 1}" for row in range(len(vmos))]
        vmos["name"] = _texts(np.where(is_kernel, vmos["name"], names))
        vmos["id"] = _texts(np.where(is_kernel, vmos["id"], numbered))
        for column in ("koid", "parent_koid"):
            vmos[column] = _renumbered(vmos[column], vmo_koid_of)
        notes, sources = frames["notes"], frames["sources"]
        # A place or message may name a process or a path.
        harmless = notes["place"].isna() | notes["place"].isin(HARMLESS_PLACES)
        harmless &= notes["source"] == LIVE
        frames["notes"] = notes[harmless].reset_index(drop=True)
        sources["source"] = _texts(self._neutral(name, "source") for name in sources["source"])
        root = snap.root_job_koid
        return Snapshot.of(
            {name: frames[name] for name in TABLES},
            name=snap.name if snap.name == LIVE else "",
            root_job_koid=None if root is None else koid_of[root],
            memgraph_self_koid=koid_of.get(snap.memgraph_self_koid, 0),
            timestamp=snap.timestamp,
            timestamp_iso=snap.timestamp_iso,
            coverage=snap.coverage,
            page_bytes=snap.page_bytes,
        )

    def _task_koids(self, snap: Snapshot) -> dict[int, int]:
        """New koids: jobs from 10,000,001, processes from 1001, threads from 100,000,001."""
        tasks = snap.tasks
        return {
            koid: self._koid(koid, kind)
            for koid, kind in zip(tasks["koid"].tolist(), tasks["kind"].tolist(), strict=True)
        }

    def _vmo_koids(self, snap: Snapshot) -> dict[int, int]:
        """New koids of VMOs, from 20,000,001; 0 stays 0."""
        koids = pd.concat([snap.vmos["koid"], snap.vmos["parent_koid"]]).dropna().unique()
        return {int(koid): self._koid(int(koid), "vmo") if koid else 0 for koid in koids}

    def _koid(self, koid: int, kind: str) -> int:
        counter = f"koid of a {kind}"
        if (kind, koid) not in self._koids:
            self._counts[counter] = self._counts.get(counter, 0) + 1
            self._koids[kind, koid] = FIRST_KOID[kind] + self._counts[counter]
        return self._koids[kind, koid]

    def _neutral(self, name: str, kind: str, form: str = "{}") -> str:
        if name in self._keep:
            return form.format(name)
        key = (kind, name)
        if key not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[key] = f"{kind}-{self._counts[kind]}"
        return form.format(self._names[key])

    def _vmo_name(self, name: str) -> str:
        if name in self._keep:
            return name
        if match := _NAMED.match(name):
            return self._neutral(match[2], "name", f"[{match[1]}:{{}}]")
        if match := _MEMFD.match(name):
            return self._neutral(match[1], "shared", f"memfd:{{}}{match[2] or ''}")
        bare = name.removesuffix(_DELETED)
        gone = name[len(bare) :]
        if bare in self._keep:
            return name
        if library := _LIBRARY.search(bare):
            return self._neutral(bare[: library.start()], "library", f"{{}}.so{gone}")
        return self._neutral(bare, "file", f"{{}}{gone}")


def redact(snap: Snapshot, keep: Iterable[str] = ()) -> Snapshot:
    """Give processes, threads, jobs and files of a snapshot neutral names.

    Parameters
    ----------
    snap : Snapshot
    keep : iterable of str
        Names that are left as they are, such as ``python3`` or ``libc.so.6``.

    Returns
    -------
    Snapshot
        Equal but for names, ids and koids. Notes that name a process or a file are left out.
    """
    return Redaction(frozenset(keep))(snap)


def _handle_type(name: str) -> str:
    if name.startswith("anon_inode:") and name not in COMMON_INODES:
        return "anon_inode"
    return name


def _texts(values: Iterable[object]) -> pd.Series[str]:
    return pd.Series(list(values), dtype=TABLES["tasks"].columns["name"].dtype)


def _renumbered(koids: pd.Series[int], koid_of: dict[int, int]) -> pd.Series[int]:
    values = [pd.NA if koid is pd.NA else koid_of.get(koid, koid) for koid in koids]
    return pd.Series(values, dtype="Int64")

"""What the rules of a treemap need to know of a snapshot: sizes, share counts, who has which VMO.

Computed from the objects where the capture has them, else taken as its source reported them. All
arrays are as long as the table they describe; sizes are bytes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from magmem.kernel.mappings import view_of
from magmem.snapshot import Snapshot
from magmem.snapshot.columns import integers, is_choice
from magmem.treemap.numbers import Ints
from magmem.treemap.rows import NOBODY, Bools

__all__ = ["Facts"]

_KERNEL_IMAGE: Final = (r"vdso/.*|userboot", r"bootfs|ramdisk")
"""Names of VMOs made from the kernel image; the first are on every machine."""


class Facts:
    """What the rules need to know of a snapshot, computed from objects or taken as reported."""

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        self.view = view_of(snap)
        vmos = snap.vmos
        counted = vmos["pages_known"].to_numpy()
        reported = vmos["reported_committed_bytes"]
        physical = is_choice(vmos["kind"], "physical")
        committed = np.where(counted, self.view.committed_bytes, integers(reported))
        self.committed_bytes: Ints = np.where(physical, 0, committed)
        self.committed_known: Bools = counted | reported.notna().to_numpy() | physical
        self.share_count: Ints = self.view.shares.counts
        self.share_known: Bools = self.view.shares.known
        tasks = snap.tasks
        self.koids: Ints = tasks["koid"].to_numpy()
        self._by_koid = np.argsort(self.koids, kind="stable")
        awake = (tasks["state"].isna() | (tasks["state"] == "running")).to_numpy()
        self.running: Bools = (tasks["kind"] == "process").to_numpy() & awake
        self.wired: Bools = vmos["pages_are_wired"].fillna(False).to_numpy(dtype=bool)
        owner = snap.aspaces["process_koid"]
        user = owner.notna().to_numpy()
        self.process_of_aspace: Ints = np.full(len(owner), NOBODY, np.int64)
        self.process_of_aspace[user] = self.task_rows(integers(owner)[user])

    def guess_wired(self, vmo_bytes: int | None) -> str:
        """Take VMOs of the kernel image as wired where the capture does not say, but shows it.

        Their pages are wired (reference/kernel.md "VMOs"), so they are not in the kernel's VMO
        total. If all VMOs together exceed that total and the capture does not tell which pages are
        wired, these VMOs are taken out of it. Returns a remark; empty if nothing was taken.
        """
        unsure = self.snap.vmos["pages_are_wired"].isna().to_numpy(dtype=bool)
        unsure = unsure & (self.committed_bytes > 0)
        names = self.snap.vmos["name"].fillna("")
        guessed: set[str] = set()
        for pattern in _KERNEL_IMAGE:
            excess = int(self.committed_bytes[~self.wired].sum()) - (vmo_bytes or 0)
            if vmo_bytes is None or excess <= 0:
                break
            image = unsure & names.str.fullmatch(pattern).to_numpy(dtype=bool)
            self.wired[image] = True
            guessed.update(names[image])
        listed = ", ".join(sorted(guessed))
        return f"Taken as wired, or the sums would not fit: {listed}." if guessed else ""

    def task_rows(self, koid: Ints) -> Ints:
        """Rows of tasks that have these koids; all of them must be there."""
        return self._by_koid[np.searchsorted(self.koids, koid, sorter=self._by_koid)]

    def mappings(self) -> tuple[Ints, Ints]:
        """Of each mapping of a running process: row in the view's arrays, and process row."""
        mapper = self.process_of_aspace[self.view.aspace]
        rows = np.flatnonzero(mapper >= 0)
        rows = rows[self.running[mapper[rows]]]
        return rows, mapper[rows]

    def handles(self) -> tuple[Ints, Ints]:
        """Process row and VMO row of each VMO handle of a running process."""
        handles = self.snap.handles
        held = handles["vmo"].notna().to_numpy()
        process = self.task_rows(handles["process_koid"].to_numpy()[held])
        running = self.running[process]
        return process[running], integers(handles["vmo"])[held][running]

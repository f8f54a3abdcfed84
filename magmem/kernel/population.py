"""The processes of a snapshot as rows 0 … n, and who stands behind each address space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from magmem.kernel.runs import Ints
from magmem.snapshot import Snapshot
from magmem.snapshot.columns import integers, is_choice, is_known

__all__ = ["Population"]


class Population:
    """The processes of a snapshot, in the order of its tasks table.

    Attributes
    ----------
    koid : int64 array
        One item per process; the other arrays follow it.
    name : list of str
        Empty where the source does not tell.
    runs : bool array
        Whether the tools can read the process; a state that the source does not tell counts as
        running (a process that has not started, is dying or dead reports zeros).
    of_aspace : int64 array
        Per row of aspaces: the process it belongs to, -1 for the kernel's and for nobody's.
    is_kernel : bool array
        Per row of aspaces: whether it is the kernel's.
    """

    def __init__(self, snap: Snapshot) -> None:
        tasks, owner = snap.tasks, snap.aspaces["process_koid"]
        row = np.flatnonzero(is_choice(tasks["kind"], "process"))
        self.koid: Ints = tasks["koid"].to_numpy()[row]
        names = tasks["name"].array.take(row)
        self.name: list[str] = np.where(names.isna(), "", names.to_numpy()).tolist()
        state = tasks["state"]
        self.runs: npt.NDArray[np.bool_] = (~is_known(state) | is_choice(state, "running"))[row]
        self._order = np.argsort(self.koid)
        self.of_aspace: Ints = np.where(is_known(owner), self.rows(integers(owner)), -1)
        self.is_kernel: npt.NDArray[np.bool_] = is_choice(snap.aspaces["kind"], "kernel")

    def __len__(self) -> int:
        return len(self.koid)

    def rows(self, koids: Ints) -> Ints:
        """Row of each koid; -1 where no process has it."""
        if not len(self.koid):
            return np.full(len(koids), -1, np.int64)
        at = np.searchsorted(self.koid, koids, sorter=self._order)
        found = self._order[np.minimum(at, len(self.koid) - 1)]
        return np.where(self.koid[found] == koids, found, -1).astype(np.int64)

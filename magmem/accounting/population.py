"""The processes of a snapshot as rows 0 … n, and who stands behind each address space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from magmem.accounting.kernel import integers
from magmem.accounting.runs import Ints
from magmem.snapshot import Snapshot

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
        processes = snap.processes
        self.koid: Ints = processes["koid"].to_numpy()
        self.name: list[str] = processes["name"].fillna("").tolist()
        state = processes["state"]
        self.runs: npt.NDArray[np.bool_] = (state.isna() | (state == "running")).to_numpy()
        self._order = np.argsort(self.koid)
        owner = snap.aspaces["process_koid"]
        rows = self.rows(integers(owner))
        self.of_aspace: Ints = np.where(owner.notna().to_numpy(), rows, -1)
        self.is_kernel: npt.NDArray[np.bool_] = (snap.aspaces["kind"] == "kernel").to_numpy()

    def __len__(self) -> int:
        return len(self.koid)

    def rows(self, koids: Ints) -> Ints:
        """Row of each koid; -1 where no process has it."""
        if not len(self.koid):
            return np.full(len(koids), -1, np.int64)
        at = np.searchsorted(self.koid, koids, sorter=self._order)
        found = self._order[np.minimum(at, len(self.koid) - 1)]
        return np.where(self.koid[found] == koids, found, -1).astype(np.int64)

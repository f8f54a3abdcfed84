"""Which tasks are processes that run."""

from __future__ import annotations

import numpy as np

from magmem.snapshot import Snapshot

__all__ = ["runs"]


def runs(snap: Snapshot) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Per task row: it is a process that runs, or whose state the capture does not tell."""
    state = snap.tasks["state"]
    process = (snap.tasks["kind"] == "process").to_numpy()
    return np.asarray(process & (state.isna() | (state == "running")).to_numpy(), dtype=bool)

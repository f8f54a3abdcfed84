"""Processes that a capture of Linux names and may not read: what follows for all others.

On Linux it is known which processes were closed to the reader, and of each at least its resident
memory. So what is computed for all others stands, and the closed ones limit how far it may be off.
Other captures do not tell what they lack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from magmem.accounting.knowledge import lacks
from magmem.snapshot import Snapshot
from magmem.snapshot.columns import integers, is_known

__all__ = ["LINUX_DUMP", "Unread", "unread_of"]

LINUX_DUMP = "linux proc"
"""What captures of Linux call their source."""


@dataclass(frozen=True, slots=True)
class Unread:
    """What a capture of Linux does not show.

    Attributes
    ----------
    processes : int
        How many processes could not be read.
    resident_bytes : int
        Their resident memory in all, which is the most that they map of anything.
    says : str
        Both as a sentence.
    """

    processes: int
    resident_bytes: int

    @property
    def says(self) -> str:
        """What is not shown, as a sentence."""
        if not self.processes:
            return "this capture shows a part of the machine; what it lacks is not counted"
        many = "1 process" if self.processes == 1 else f"{self.processes} processes"
        return (
            f"{many} could not be read: up to {self.resident_bytes} bytes of what is counted here "
            "may be theirs too"
        )


def unread_of(snap: Snapshot, needs: tuple[str, ...]) -> Unread | None:
    """What a capture of Linux lacks of these facets.

    Returns
    -------
    Unread or None
        None where nothing is lacking, or where the capture cannot tell what.
    """
    is_linux = bool((snap.sources["dump"] == LINUX_DUMP).any())
    if not is_linux or not lacks(snap, needs) or snap.coverage["pages"] == "absent":
        return None
    processes = snap.processes
    spaces = snap.aspaces["process_koid"].dropna().tolist()
    seen = np.isin(processes["koid"].to_numpy(), np.array(spaces, np.int64))
    closed = ~seen & ~is_known(processes["reported_pss_bytes"])
    resident = integers(processes["reported_resident_bytes"])[closed]
    return Unread(int(closed.sum()), int(np.maximum(resident, 0).sum()))

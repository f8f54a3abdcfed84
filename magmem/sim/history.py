"""The history of a machine: what it was made with, and every operation since.

An event is one flat tuple: the operation, who did it, its arguments, and the machine after it (heap
bytes in use and taken; pages free, of VMOs, and of page tables). Arguments are plain values: koids,
handle values, addresses, sizes. That is enough to do everything again (`magmem.sim.replay`), and to
tell what each step cost. One flat tuple an event keeps recording quick and small.
"""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from magmem.errors import CaptureError
from magmem.files import write_atomically
from magmem.sim.operations import OPERATIONS
from magmem.sim.physical import ALLOC, FREE, HEAP, MMU, OBJECT
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EFFECTS", "FORMAT", "Event", "History"]

FORMAT = "magmem-history/2"

EFFECTS: Final = 5

Event = tuple[Any, ...]
"""Operation, who, arguments …, and five effects: heap bytes in use, heap bytes taken, pages free,
pages of VMOs, pages of page tables."""


class History:
    """What a machine was made with, and its events.

    Attributes
    ----------
    machine : dict
        Memory ranges, seed, boot plan, time and name.
    heap_used : int
        Heap bytes in use, just booted.
    counts : list of int
        Pages in each state, just booted.
    events : list of Event
        In order; step n is ``events[n - 1]``.
    """

    def __init__(self, machine: dict[str, Any], heap_used: int, counts: list[int]) -> None:
        self.machine = machine
        self.heap_used = heap_used
        self.counts = counts
        self.events: list[Event] = []

    def __len__(self) -> int:
        return len(self.events)

    def frame(self) -> pd.DataFrame:
        """The events as a table: step, op, who, arguments (text), pages (taken, or given back)."""
        import pandas as pd

        events = self.events
        free = [self.counts[FREE], *(event[-3] for event in events)]
        return pd.DataFrame(
            {
                "step": pd.array(range(1, len(events) + 1), dtype="int64"),
                "op": pd.array([event[0] for event in events], dtype="string"),
                "who": pd.array([event[1] for event in events], dtype="int64"),
                "arguments": pd.array(
                    [OPERATIONS[event[0]].text(event[2:-EFFECTS]) for event in events],
                    dtype="string",
                ),
                "pages": pd.array(
                    [before - after for before, after in pairwise(free)],
                    dtype="int64",
                ),
            }
        )

    def statistics(self) -> pd.DataFrame:
        """Kernel memory after each step, in bytes; row 0 is the machine just booted."""
        import numpy as np
        import pandas as pd

        events = self.events
        counts = self.counts
        first = (
            self.heap_used,
            counts[HEAP] * PAGE_BYTES,
            *(counts[s] for s in (FREE, OBJECT, MMU)),
        )
        effects = np.array([first, *(event[-EFFECTS:] for event in events)], np.int64).T
        used, heap, free, vmos, mmu = effects[0], effects[1], *(effects[2:] * PAGE_BYTES)
        total = sum(counts) * PAGE_BYTES
        other = counts[ALLOC] * PAGE_BYTES
        return pd.DataFrame(
            {
                "step": np.arange(len(used)),
                "op": pd.array(["boot", *(event[0] for event in events)], dtype="string"),
                "total_bytes": total,
                "free_bytes": free,
                "wired_bytes": total - other - heap - free - vmos - mmu,
                "total_heap_bytes": heap,
                "free_heap_bytes": heap - used,
                "vmo_bytes": vmos,
                "mmu_overhead_bytes": mmu,
                "other_bytes": other,
            }
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as JSON lines, atomically."""
        head = {
            "format": FORMAT,
            "machine": self.machine,
            "heap_used": self.heap_used,
            "counts": self.counts,
        }
        lines = [json.dumps(head, ensure_ascii=False)]
        lines += [json.dumps(_plain(event), ensure_ascii=False) for event in self.events]
        write_atomically(path, "\n".join(lines) + "\n")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> History:
        """Read what `save` wrote.

        Raises
        ------
        CaptureError
            Not such a file; names the line.
        """
        source = str(path)
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise CaptureError(source, "", "UTF-8 text", str(error)) from None
        head = _json(source, 1, lines[0] if lines else "")
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            found = head.get("format") if isinstance(head, dict) else head
            raise CaptureError(source, "line 1", f"a history of format {FORMAT}", repr(found))
        try:
            _, _, _, _, _, _ = counts = [int(count) for count in head["counts"]]
            history = cls(dict(head["machine"]), int(head["heap_used"]), counts)
        except (KeyError, TypeError, ValueError) as error:
            raise CaptureError(
                source, "line 1", "machine, heap_used and counts", repr(error)
            ) from None
        for number, line in enumerate(lines[1:], 2):
            history.events.append(_event(source, number, _json(source, number, line)))
        return history


def _plain(event: Event) -> list[Any]:
    return [
        {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for value in event
    ]


def _json(source: str, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CaptureError(source, f"line {number}", "JSON", f"{line[:60]!r} ({error})") from None


def _event(source: str, number: int, record: Any) -> Event:
    place = f"line {number}"
    if not isinstance(record, list) or not record or record[0] not in OPERATIONS:
        raise CaptureError(source, place, "a list that begins with an operation", repr(record))
    names = OPERATIONS[record[0]].names
    if len(record) != 2 + len(names) + EFFECTS:
        wanted = ", ".join(("operation", "who", *names))
        raise CaptureError(source, place, f"{wanted} and {EFFECTS} effects", f"{len(record)} items")
    try:
        args = [
            base64.b64decode(value["bytes"], validate=True) if isinstance(value, dict) else value
            for value in record[2:-EFFECTS]
        ]
        return (record[0], int(record[1]), *args, *map(int, record[-EFFECTS:]))
    except (KeyError, TypeError, ValueError) as error:
        raise CaptureError(source, place, "numbers, text and bytes", repr(error)) from None

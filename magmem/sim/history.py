"""The history of a machine: what it was made with, and every operation since.

An event is (operation, who, arguments, heap bytes in use after it, pages in each state after it).
Arguments are plain values: koids, handle values, addresses, sizes. That is enough to do everything
again (`magmem.sim.replay`), and to tell what each step cost.
"""

from __future__ import annotations

import base64
import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magmem.errors import CaptureError
from magmem.files import write_atomically
from magmem.sim.operations import OPERATIONS
from magmem.sim.physical import FREE, STATE_NAMES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMAT", "Event", "History"]

FORMAT = "magmem-history/1"

Event = tuple[str, int, tuple[Any, ...], int, tuple[int, ...]]
"""Operation, who, arguments, heap bytes in use, pages in each state."""


class History:
    """What a machine was made with, and its events.

    Attributes
    ----------
    machine : dict
        Memory ranges, seed, boot plan, time and name.
    booted : tuple of (int, tuple of int)
        Heap bytes in use and pages in each state, just booted.
    events : list of Event
        In order; step n is ``events[n - 1]``.
    """

    def __init__(self, machine: dict[str, Any], booted: tuple[int, tuple[int, ...]]) -> None:
        self.machine = machine
        self.booted = booted
        self.events: list[Event] = []

    def __len__(self) -> int:
        return len(self.events)

    def frame(self) -> pd.DataFrame:
        """The events as a table: step, op, who, arguments (text), pages (taken, or given back)."""
        import pandas as pd

        free = [self.booted[1][FREE], *(event[4][FREE] for event in self.events)]
        return pd.DataFrame(
            {
                "step": pd.array(range(1, len(self.events) + 1), dtype="int64"),
                "op": pd.array([event[0] for event in self.events], dtype="string"),
                "who": pd.array([event[1] for event in self.events], dtype="int64"),
                "arguments": pd.array(
                    [OPERATIONS[event[0]].text(event[2]) for event in self.events], dtype="string"
                ),
                "pages": pd.array(
                    [before - after for before, after in zip(free, free[1:], strict=False)],
                    dtype="int64",
                ),
            }
        )

    def statistics(self) -> pd.DataFrame:
        """Kernel memory after each step, in bytes; row 0 is the machine just booted."""
        import numpy as np
        import pandas as pd

        from magmem.sim.machine import KernelMemory

        used = np.array([self.booted[0], *(event[3] for event in self.events)], np.int64)
        counts = np.array([self.booted[1], *(event[4] for event in self.events)], np.int64)
        kmem = KernelMemory.of(0, [0] * len(STATE_NAMES))
        columns: dict[str, Any] = {
            "step": np.arange(len(used)),
            "op": pd.array(["boot", *(event[0] for event in self.events)], dtype="string"),
        }
        values = KernelMemory.of(used, counts.T)  # type: ignore[arg-type]
        columns.update({name: getattr(values, name) for name in kmem.__dict__})
        return pd.DataFrame(columns)

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as JSON lines, atomically."""
        head = {"format": FORMAT, "machine": self.machine, "booted": self.booted}
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
            used, counts = head["booted"]
            history = cls(dict(head["machine"]), (int(used), tuple(map(int, counts))))
        except (KeyError, TypeError, ValueError) as error:
            raise CaptureError(source, "line 1", "machine and booted", repr(error)) from None
        for number, line in enumerate(lines[1:], 2):
            history.events.append(_event(source, number, _json(source, number, line)))
        return history


def _plain(event: Event) -> list[Any]:
    op, who, args, used, counts = event
    values = [
        {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for value in args
    ]
    return [op, who, values, used, counts]


def _json(source: str, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CaptureError(source, f"line {number}", "JSON", f"{line[:60]!r} ({error})") from None


def _event(source: str, number: int, record: Any) -> Event:
    place = f"line {number}"
    try:
        op, who, values, used, counts = record
        args = tuple(
            base64.b64decode(value["bytes"], validate=True) if isinstance(value, dict) else value
            for value in values
        )
        event = (str(op), int(who), args, int(used), tuple(map(int, counts)))
    except (KeyError, TypeError, ValueError) as error:
        raise CaptureError(
            source, place, "[op, who, arguments, heap, pages]", repr(error)
        ) from None
    if event[0] not in OPERATIONS:
        raise CaptureError(source, place, "a known operation", repr(event[0]))
    if len(args) != len(OPERATIONS[event[0]].names):
        wanted = ", ".join(OPERATIONS[event[0]].names)
        raise CaptureError(source, place, f"arguments {wanted} of {op}", f"{len(args)} of them")
    return event

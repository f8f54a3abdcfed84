"""What a reader of snapshots is asked about: a snapshot, or a machine that can make one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from magmem.snapshot.snapshot import Snapshot

__all__ = ["HasSnapshot", "Source", "snapshot_of"]


@runtime_checkable
class HasSnapshot(Protocol):
    """A live machine: its state is read anew at each call."""

    def snapshot(self) -> Snapshot:
        """The state of this moment."""
        ...


Source = Snapshot | HasSnapshot
"""What every tool and rule accepts."""


def snapshot_of(source: Source) -> Snapshot:
    """The snapshot itself, or the machine's state of this moment.

    Raises
    ------
    TypeError
        Neither a snapshot nor something with a ``snapshot()`` method.
    """
    if isinstance(source, Snapshot):
        return source
    if isinstance(source, HasSnapshot):
        return source.snapshot()
    raise TypeError(f"expected a Snapshot or a Machine, found {type(source).__name__}")

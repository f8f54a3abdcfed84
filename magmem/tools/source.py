"""What a tool is asked about: a snapshot, or a machine that can make one."""

from __future__ import annotations

from magmem.snapshot.source import Source, snapshot_of

__all__ = ["Source", "snapshot_of"]

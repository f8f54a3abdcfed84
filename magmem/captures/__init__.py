"""Readers of captures: whatever tells the state of a machine becomes a `magmem.Snapshot`.

Kinds: machine descriptions, memgraph JSON, the digest of a later tool, and transcripts. Each
reader answers bad input with one `CaptureError` naming line or record.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magmem.captures.machine import dump_machine, load_machine, parse_machine, save_machine
    from magmem.captures.read import read_capture

__all__ = ["dump_machine", "load_machine", "parse_machine", "read_capture", "save_machine"]


def __getattr__(name: str) -> Any:
    # A reader's module is imported only when it is asked for, so that a quick command stays quick.
    if name not in __all__:
        raise AttributeError(f"module 'magmem.captures' has no attribute {name!r}")
    module = "read" if name == "read_capture" else "machine"
    return getattr(import_module(f"magmem.captures.{module}"), name)

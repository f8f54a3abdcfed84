"""Readers of captures: whatever tells the state of a machine becomes a `magmem.Snapshot`.

Kinds: machine descriptions, memgraph JSON, the digest of a later tool, and transcripts. Each
reader answers bad input with one `CaptureError` naming line or record.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "read_capture": "magmem.captures.read",
    "dump_machine": "magmem.captures.machine",
    "load_machine": "magmem.captures.machine",
    "parse_machine": "magmem.captures.machine",
    "save_machine": "magmem.captures.machine",
}

__all__ = list(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'magmem.captures' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)

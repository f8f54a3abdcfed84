"""The running Linux system as a capture: reading, redaction, and ``top``.

`capture_linux` reads ``/proc`` and gives a `magmem.Snapshot`; `redact` takes names out of one;
`top` looks again and again. Nothing here writes anything or touches a process.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "capture_linux": "magmem.linux.capture",
    "cgroups": "magmem.linux.cgroup_listing",
    "Recording": "magmem.linux.timeline",
    "read_recording": "magmem.linux.timeline",
    "record": "magmem.linux.recording",
    "redact": "magmem.linux.redaction",
    "top": "magmem.linux.top",
}

__all__ = list(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'magmem.linux' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)

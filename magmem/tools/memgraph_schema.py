"""The JSON schema of what `memgraph` writes (``memgraph -S``), draft 2020-12.

An array of flat records told apart by their ``type``. Readers ignore record types and members they
do not know; a member whose value the source does not know is left out.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["memgraph_schema"]

BYTES = {"type": "integer", "minimum": 0}
COUNT = {"type": "integer", "minimum": 0}
KOID = {"type": "integer", "minimum": 0}
NAME = {"type": "string", "description": "At most 31 bytes of UTF-8 in the kernel; may be empty."}


def memgraph_schema() -> str:
    """The JSON schema of `memgraph`'s output, as JSON text."""
    return json.dumps(_SCHEMA, indent=2) + "\n"


def _record(doc: str, kind: str, required: list[str], **members: Any) -> dict[str, Any]:
    return {
        "description": doc,
        "type": "object",
        "properties": {"type": {"const": kind}, **members},
        "required": ["type", *required],
    }


def _id(pattern: str) -> dict[str, str]:
    return {"type": "string", "pattern": f"^{pattern}$"}


_VMO = {
    "type": "object",
    "properties": {
        "koid": {**KOID, "description": "0 if userspace never had a handle to it."},
        "name": NAME,
        "size_bytes": BYTES,
        "parent_koid": {**KOID, "description": "0 if it is not a clone."},
        "num_children": COUNT,
        "num_mappings": COUNT,
        "share_count": COUNT,
        "committed_bytes": {**BYTES, "description": "Of the pages it owns; 0 if physical."},
    },
    "required": ["name"],
}

_VMO_REF = {
    "type": "object",
    "properties": {
        "vmo_koid": KOID,
        "via": {
            "type": "array",
            "items": {"enum": ["HANDLE", "MAPPING"]},
            "minItems": 1,
            "uniqueItems": True,
        },
        "handle_rights": {
            "type": "array",
            "items": {"enum": ["READ", "WRITE", "EXECUTE", "MAP", "DUPLICATE", "TRANSFER"]},
            "uniqueItems": True,
        },
    },
    "required": ["via"],
}

_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "memgraph",
    "description": "Tasks and memory of one machine.",
    "type": "array",
    "items": {
        "anyOf": [
            _record(
                "A part of physical memory; parts of one parent add up to it.",
                "kernel",
                ["id", "parent", "name", "size_bytes"],
                id=_id("kernel/.+"),
                parent=_id("(kernel/.+)?"),
                name={"type": "string"},
                size_bytes=BYTES,
            ),
            _record(
                "A job. The root job's parent is the memory of VMOs.",
                "j",
                ["id", "koid", "parent", "name"],
                id=_id("j/[0-9]+"),
                koid=KOID,
                parent=_id("(j/[0-9]+|kernel/vmo)"),
                name=NAME,
            ),
            _record(
                "A process; vmos and vmo_refs have one entry per handle and per mapping.",
                "p",
                ["id", "koid", "parent", "name"],
                id=_id("p/[0-9]+"),
                koid=KOID,
                parent=_id("(j/[0-9]+|kernel/vmo)"),
                name=NAME,
                private_bytes=BYTES,
                shared_bytes=BYTES,
                pss_bytes=BYTES,
                vmos={"type": "array", "items": _VMO},
                vmo_refs={"type": "array", "items": _VMO_REF},
            ),
            _record(
                "A thread.",
                "t",
                ["id", "koid", "parent", "name"],
                id=_id("t/[0-9]+"),
                koid=KOID,
                parent=_id("p/[0-9]+"),
                name=NAME,
                state={
                    "enum": [
                        "NEW",
                        "RUNNING",
                        "SUSPENDED",
                        "BLOCKED",
                        "DYING",
                        "DEAD",
                        "EXCEPTION",
                        "<UNKNOWN>",
                    ]
                },
            ),
            _record(
                "When the machine was looked at; the last record.",
                "__META",
                [],
                timestamp={"type": "string", "description": "ISO 8601, UTC."},
            ),
        ]
    },
}

"""Which kind of capture some bytes are, told from their content.

A JSON object with a ``format`` is a machine description, one with a ``CompleteDigest`` the digest
of a later tool; a JSON array of records is memgraph's; everything else is a transcript. A
kernel log also begins with ``[``, but then with a time, not with a record.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from magmem.captures.json_text import broken_json, shorten
from magmem.captures.source import Source
from magmem.errors import CaptureError

__all__ = ["KINDS", "Kind", "kind_of"]

Kind = Literal["machine", "memgraph", "ffx", "transcript"]

KINDS = "a machine description, memgraph JSON or the JSON of ffx profile memory"
"""What JSON may be, for messages."""

_ARRAY = re.compile(rb"\s*\[\s*(?:[{\]]|\Z)").match
_OBJECT = re.compile(rb"\s*\{").match


def kind_of(source: Source) -> Kind:
    """The kind of a capture.

    Raises
    ------
    CaptureError
        A JSON object that is broken, or of no kind magmem reads.
    """
    data = source.data
    if _ARRAY(data):
        return "memgraph"
    if not _OBJECT(data):
        return "transcript"
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken_json(error, data, source.name) from None
    if "format" in fields:
        return "machine"
    if "CompleteDigest" in fields:
        return "ffx"
    names = ", ".join(map(shorten, list(fields)[:5])) or "no fields"
    raise CaptureError(source.name, "", KINDS, f"an object with {names}")

"""Which kind of capture some bytes are, told from their content.

A JSON object is of the kind (`magmem.captures.formats.json_kinds`) whose members it has; a JSON
array of records is memgraph's; everything else is a transcript. A kernel log also begins with
``[``, but then with a time, not with a record.
"""

from __future__ import annotations

import json
import re

import msgspec

from magmem.captures.formats.json_kinds import JSON_KINDS, JsonKind
from magmem.captures.json_text import broken_json, shorten
from magmem.captures.source import Source
from magmem.errors import CaptureError

__all__ = ["KINDS", "documents", "json_kind", "kind_of"]

_NAMES = list(dict.fromkeys(kind.name for kind in JSON_KINDS))
KINDS = f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}"
"""What JSON may be, for messages."""

_ARRAY = re.compile(rb"\s*\[\s*(?:[{\]]|\Z)").match
_OBJECT = re.compile(rb"\s*\{").match
_BLANK = re.compile(r"\s*")
_MEMGRAPH = next(kind for kind in JSON_KINDS if kind.key == "memgraph")


def kind_of(source: Source) -> str:
    """The key of a capture's kind, ``transcript`` for a text.

    Raises
    ------
    CaptureError
        A JSON object that is broken, or of no kind magmem reads.
    """
    kind = json_kind(source)
    return "transcript" if kind is None else kind.key


def json_kind(source: Source) -> JsonKind | None:
    """The kind of a JSON document; None for a text.

    Raises
    ------
    CaptureError
        A JSON object that is broken, or of no kind magmem reads: tells what it looks like, and
        which member is missing.
    """
    data = source.data
    if _ARRAY(data):
        return _MEMGRAPH
    if not _OBJECT(data):
        return None
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken_json(error, data, source.name) from None
    near: tuple[float, JsonKind, tuple[str, ...]] | None = None
    for kind in JSON_KINDS:
        names = _members(fields, kind.inside)
        if names is None or not kind.members:
            continue
        lacks = kind.lacks(names)
        # Whoever publishes a capture of memory_monitor may leave out all but the tables.
        if not lacks or (kind.key == "mem" and {"Processes", "Vmos"} <= set(names)):
            return kind
        score = 1 - len(lacks) / len(kind.members)
        if score and (near is None or score > near[0]):
            near = score, kind, lacks
    if near is not None:
        _, kind, lacks = near
        plural = "members" if len(lacks) > 1 else "member"
        is_are = "are" if len(lacks) > 1 else "is"
        expected = (
            f"{kind.name} (it looks like one; the {plural} {', '.join(lacks)} {is_are} missing)"
        )
    else:
        expected = KINDS
    named = ", ".join(map(shorten, list(fields)[:5])) or "no fields"
    raise CaptureError(source.name, "", expected, f"an object with {named}")


def _members(fields: dict[str, msgspec.Raw], inside: str) -> list[str] | None:
    if not inside:
        return list(fields)
    if inside not in fields:
        return None
    try:
        return list(msgspec.json.decode(fields[inside], type=dict[str, msgspec.Raw]))
    except msgspec.DecodeError:
        return None


def documents(source: Source) -> list[bytes]:
    """The JSON objects that follow one another in a file, such as ``mem --repeat`` writes.

    Returns
    -------
    list of bytes
        One for an ordinary file. Where the last object is cut off it is left out.
    """
    data = source.data
    if not _OBJECT(data):
        return [data]
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if "trailing" not in str(error):
            return [data]
    else:
        return [data]
    text, at = data.decode("utf-8", "replace"), 0
    found: list[bytes] = []
    decoder = json.JSONDecoder()
    while (start := _BLANK.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        try:
            _, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        found.append(text[start:at].encode())
    whole = start >= len(text) or text[start] == "{"
    return found if whole and len(found) > 1 else [data]

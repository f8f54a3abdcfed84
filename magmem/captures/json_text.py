"""JSON decoding whose every failure is one `CaptureError` with line or record.

`decode` reads bytes into a typed structure. Structures forbid unknown fields, so that a field
nobody reads cannot pass unseen: when some are met, they are cut out, noted, and the rest is read.
Nesting deeper than the interpreter's limit, numbers beyond 63 bits, NaN and broken UTF-8 are
errors. Where a field is given twice the last one counts, as in other JSON readers.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

import msgspec

from magmem.errors import CaptureError

__all__ = ["INT63_MAX", "Natural", "Note", "broken_json", "decode", "shorten"]

T = TypeVar("T")

INT63_MAX = 2**63 - 1
"""The largest size, offset, count or koid a capture may hold."""

Natural = Annotated[int, msgspec.Meta(ge=0, le=INT63_MAX)]
"""An integer of 0 … 2^63 − 1."""

Note = tuple[str, str, str, str]
"""A row of the notes table: kind, source, place, message."""

MAX_NOTES = 20
"""Notes of one sort before the rest is told as a number."""

_PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]+)\]|\[\.\.\.\]")
_EXPECTED = re.compile(r"Expected `(?P<what>[^`]+)`(?:, got `(?P<got>[^`]+)`)?")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_KINDS = {
    "int": "an integer",
    "int | null": "an integer or null",
    "str": "text",
    "str | null": "text or null",
    "bool": "true or false",
    "array": "an array",
    "array | null": "an array or null",
    "object": "an object",
    "object | null": "an object or null",
}


def decode(data: bytes, kind: type[T], source: str) -> tuple[T, list[Note]]:
    """Bytes of JSON as `kind`, and notes on the fields that were skipped.

    Raises
    ------
    CaptureError
        Not JSON, or not of that structure; names the line or the record.
    """
    try:
        return msgspec.json.decode(data, type=kind), []
    except msgspec.ValidationError as error:
        if "unknown field" not in str(error):
            raise broken_json(error, data, source) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken_json(error, data, source) from None
    try:
        tree = msgspec.json.decode(data)
        skipped = list(_cut_unknown_fields(tree, kind))
        value = msgspec.convert(tree, kind)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise broken_json(error, data, source) from None
    notes = [
        ("skipped", source, place, f"field {shorten(name)} is not one magmem reads")
        for place, name in skipped[:MAX_NOTES]
    ]
    if len(skipped) > MAX_NOTES:
        rest = len(skipped) - MAX_NOTES
        notes.append(("skipped", source, "", f"{rest} more fields are not ones magmem reads"))
    return value, notes


def broken_json(error: Exception, data: bytes, source: str, prefix: str = "") -> CaptureError:
    """What went wrong in a decoder, told as a `CaptureError`.

    Parameters
    ----------
    error : Exception
        What the decoder raised.
    data : bytes
        What it was decoding.
    source : str
        Name of the capture.
    prefix : str
        Place of `data` inside the capture, such as ``record 12``; empty for the whole of it.
    """
    if isinstance(error, RecursionError):
        return CaptureError(source, prefix, "JSON of sane depth", "nesting too deep to read")
    if isinstance(error, UnicodeDecodeError):
        return _broken_text(data, source, prefix)
    message = str(error)
    if isinstance(error, msgspec.ValidationError):
        return _broken_field(message, data, source, prefix)
    if "truncated" in message:
        lines = data.count(b"\n") + 1
        return CaptureError(
            source, prefix or f"line {lines}", "the rest of the JSON", "the end of the data"
        )
    at = re.search(r"\(byte ([0-9]+)\)", message)
    position = min(int(at.group(1)), len(data)) if at else 0
    what = message.removeprefix("JSON is malformed: ").partition(" (byte")[0]
    seen = data[position : position + 20].decode("utf-8", "replace").partition("\n")[0]
    return CaptureError(
        source, prefix or _line_of(data, position), "valid JSON", f"{what} at {shorten(seen)}"
    )


def shorten(value: Any, length: int = 60) -> str:
    """A value as it reads in a message, cut to a readable length."""
    if isinstance(value, str):
        return repr(value if len(value) <= length else f"{value[:length]}…")
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of more than 30 digits"
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    if isinstance(value, list):
        return f"an array of {len(value)} items"
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    return repr(value)[:length]


def _broken_text(data: bytes, source: str, prefix: str) -> CaptureError:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte {data[error.start]:#04x}"
        return CaptureError(source, prefix or _line_of(data, error.start), "UTF-8 text", found)
    return CaptureError(source, prefix, "UTF-8 text", "bytes that are not")


def _line_of(data: bytes, position: int) -> str:
    line = data.count(b"\n", 0, position) + 1
    column = position - data.rfind(b"\n", 0, position)
    return f"line {line}, byte {column}"


def _broken_field(message: str, data: bytes, source: str, prefix: str) -> CaptureError:
    what, _, path = message.partition(" - at `$")
    path = path.removesuffix("`")
    place = f"{prefix}{path}" if prefix else path.removeprefix(".")
    value, known = _at(data, path)
    missing = _MISSING.match(what)
    if missing:
        return CaptureError(source, place, f"field {missing.group(1)!r}", "none")
    found = shorten(value) if known else what
    expected = _EXPECTED.match(what)
    if "out of range" in what or "<= 9223372036854775807" in what:
        return CaptureError(source, place, "an integer below 2^63", found)
    if ">= 0" in what:
        return CaptureError(source, place, "an integer of 0 or more", found)
    if expected:
        kind = expected.group("what")
        return CaptureError(source, place, _KINDS.get(kind, kind), found)
    return CaptureError(source, place, "a value of this format", found)


def _at(data: bytes, path: str) -> tuple[Any, bool]:
    """The value at a decoder's path, and whether it could be found."""
    try:
        value = msgspec.json.decode(data)
        for step in _PATH_STEP.finditer(path):
            name, number = step.groups()
            value = value[name if name is not None else int(number)]
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, RecursionError):
        return None, False
    return value, True


def _cut_unknown_fields(tree: Any, kind: Any) -> Iterator[tuple[str, str]]:
    """Remove what the structures do not know; yields (place, field)."""
    waiting: list[tuple[Any, Any, str]] = [(tree, kind, "")]
    while waiting:
        value, kind, place = waiting.pop()
        structure, item = _structure(kind, value), _item(kind)
        if isinstance(value, dict) and structure is not None:
            known: dict[str, Any] = {
                field.encode_name: field.type for field in msgspec.structs.fields(structure)
            }
            tag_field = structure.__struct_config__.tag_field
            for name in [name for name in value if name not in known and name != tag_field]:
                yield place, name
                del value[name]
            waiting.extend(
                (value[name], known[name], f"{place}.{name}" if place else name)
                for name in reversed(list(value))
                if name in known
            )
        elif isinstance(value, list) and item is not None:
            waiting.extend(
                (value[at], item, f"{place}[{at}]") for at in range(len(value) - 1, -1, -1)
            )


def _parts(kind: Any) -> list[Any]:
    """The members of a union, bare."""
    if typing.get_origin(kind) is Annotated:
        return _parts(typing.get_args(kind)[0])
    if isinstance(kind, type) and not typing.get_args(kind):
        return [kind]
    if typing.get_origin(kind) in (list, tuple, dict):
        return [kind]
    return [part for member in typing.get_args(kind) for part in _parts(member)]


def _structure(kind: Any, value: Any) -> Any:
    found = [
        part for part in _parts(kind) if isinstance(part, type) and issubclass(part, msgspec.Struct)
    ]
    if len(found) > 1 and isinstance(value, dict):
        found = [part for part in found if part.__struct_config__.tag == value.get("type")]
    return found[0] if found else None


def _item(kind: Any) -> Any:
    for part in _parts(kind):
        if typing.get_origin(part) is list:
            return typing.get_args(part)[0]
    return None

"""The bytes of a capture: from a file, standard input or a dataset, unpacked, as UTF-8.

Of a zip the text is taken that its ``main_entry.txt`` names, as in Android's bugreport.

Size is bounded (`MAX_BYTES`, also of what gzip unpacks to), so hostile input ends in a
`CaptureError` and not in an exhausted machine. A byte-order mark decides between UTF-8, UTF-16
and UTF-32; without one the text is taken for UTF-8.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import zipfile
import zlib
from dataclasses import dataclass
from difflib import get_close_matches
from os import PathLike, fspath
from pathlib import Path
from typing import BinaryIO, cast

from magmem import datasets
from magmem.captures.json_text import Note
from magmem.errors import CaptureError

__all__ = ["MAX_BYTES", "Source", "load_source", "readable_text"]

MAX_BYTES = 1 << 30
"""The largest capture that is read, bytes, packed or unpacked."""

MAX_BROKEN = 0.05
"""Above this share of unreadable characters a text is taken for binary data."""

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_MAIN = "main_entry.txt"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_TEXT_CONTROLS = frozenset("\t\n\v\f\r\b\a\x1b")


@dataclass(frozen=True, slots=True)
class Source:
    """A capture before its kind is known: its name in errors and tables, and its bytes."""

    name: str
    data: bytes


def load_source(source: str | PathLike[str]) -> Source:
    """The bytes of a capture.

    Parameters
    ----------
    source : str or path
        A file, ``-`` for standard input, or the name of a dataset; a file that exists wins.

    Raises
    ------
    CaptureError
        It does not exist, cannot be read, is empty, too large, or not text.
    """
    name, data = _read(fspath(source))
    if data.startswith(_GZIP):
        data = _unpack(data, name)
    elif data.startswith(_ZIP):
        data = _main_entry(data, name)
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            data = _recode(data[len(mark) :], encoding, name)
            break
    if not data or data.isspace():
        raise CaptureError(name, "", "a capture", "nothing in it" if data else "an empty file")
    return Source(name, data)


def readable_text(source: Source) -> tuple[str, list[Note]]:
    """The source as text, and a note if some of it could not be read.

    Raises
    ------
    CaptureError
        Binary data: more than `MAX_BROKEN` of it is no readable character.
    """
    text = source.data.decode("utf-8", "replace")
    controls = {
        ord(mark): "\ufffd" for mark in map(chr, (*range(32), 127)) if mark not in _TEXT_CONTROLS
    }
    cleaned = text.translate(controls) if any(chr(code) in text for code in controls) else text
    broken = cleaned.count("\ufffd")
    if not broken:
        return cleaned, []
    line = cleaned.count("\n", 0, cleaned.index("\ufffd")) + 1
    if broken > MAX_BROKEN * len(cleaned):
        found = f"binary data ({broken} of {len(cleaned)} characters are none)"
        raise CaptureError(source.name, f"line {line}", "text", found)
    message = f"{broken} bytes are no readable characters; each reads as \ufffd"
    return cleaned, [("repaired", source.name, f"line {line}", message)]


def _read(name: str) -> tuple[str, bytes]:
    if name == "-":
        return "<stdin>", _read_stdin()
    path = Path(name)
    try:
        if not path.exists():
            if name not in datasets.names():
                raise CaptureError(
                    name, "", "a file, the name of a dataset, or - for standard input", _near(name)
                )
            path = datasets.path(name)
        with path.open("rb") as file:
            # The whole of an ordinary file at once, without asking for MAX_BYTES of memory ahead.
            return _dataset_of(path) or name, _bounded(file, name, path.stat().st_size + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise CaptureError(name, "", "a readable file", str(reason)) from None


def _dataset_of(path: Path) -> str | None:
    """The name of the dataset that a file is, so that tables do not tell where magmem lives."""
    return next((name for name in datasets.names() if datasets.path(name) == path), None)


def _near(name: str) -> str:
    near = get_close_matches(name, datasets.names(), n=3, cutoff=0.5)
    hint = f"; datasets of a similar name: {', '.join(near)}" if near else ""
    return f"no such file or dataset{hint}"


def _read_stdin() -> bytes:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is not None:
        return _bounded(cast("BinaryIO", stream), "<stdin>")
    return sys.stdin.read().encode() if sys.stdin is not None else b""


def _bounded(file: BinaryIO, name: str, ahead: int = 0) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while size <= MAX_BYTES and (chunk := file.read(min(max(ahead, _CHUNK), MAX_BYTES + 1))):
        chunks.append(chunk)
        size += len(chunk)
        ahead = 0
    if size > MAX_BYTES:
        raise CaptureError(name, "", f"at most {MAX_BYTES} bytes", "more")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _unpack(data: bytes, name: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data:
        packed = zlib.decompressobj(wbits=31)
        try:
            part = packed.decompress(data, MAX_BYTES - size + 1)
        except zlib.error as error:
            raise CaptureError(name, "", "gzip data", str(error)) from None
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise CaptureError(name, "", f"gzip data of at most {MAX_BYTES} bytes", "more")
        if not packed.eof:
            raise CaptureError(name, "", "the rest of the gzip data", "the end of the file")
        data = packed.unused_data
    return b"".join(parts)


def _main_entry(data: bytes, name: str) -> bytes:
    """The text of a zip: what its main_entry.txt names, as in a bugreport, or the only text."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            texts = [one for one in packed.namelist() if one.endswith(".txt")]
            entry = texts[0] if len(texts) == 1 else ""
            if _MAIN in texts:
                with packed.open(_MAIN) as file:
                    entry = file.read(4096).decode("utf-8", "replace").strip()
            if entry not in packed.namelist():
                found = f"{len(texts)} of them" if texts else "none"
                raise CaptureError(name, "", "a zip of one text, or a bugreport's", found)
            with packed.open(entry) as file:
                return _bounded(cast("BinaryIO", file), name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, CaptureError):
            raise
        raise CaptureError(name, "", "a zip that can be unpacked", str(error)) from None


def _recode(data: bytes, encoding: str, name: str) -> bytes:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-8":
            return data
        found = f"{error.reason} at byte {error.start}"
        raise CaptureError(name, "", f"{encoding.upper()} text", found) from None
    return text.encode()

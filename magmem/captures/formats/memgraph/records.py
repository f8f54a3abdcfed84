"""The records of memgraph's JSON, decoded one by one.

The format is reference/tools.md "memgraph". Fields come and go between revisions, so all but the
type are optional: `ABSENT` stands for a number that is not there. Record types that nobody knows
are counted and skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from magmem.captures.json_text import Natural, broken_json, shorten
from magmem.errors import CaptureError

__all__ = ["ABSENT", "Record", "Records", "VmoEntry", "VmoRef", "split_records"]

ABSENT: Final = -1
"""A number that the record does not have."""

TYPES: Final = frozenset({"kernel", "j", "p", "t", "__META"})


class VmoEntry(msgspec.Struct, gc=False):
    """One item of a process's ``vmos``: a VMO once per mapping and per handle."""

    koid: Natural
    name: str | None = None
    size_bytes: Natural = ABSENT
    parent_koid: Natural = ABSENT
    num_children: Natural = ABSENT
    num_mappings: Natural = ABSENT
    share_count: Natural = ABSENT
    committed_bytes: Natural = ABSENT


class VmoRef(msgspec.Struct, gc=False):
    """One item of a process's ``vmo_refs``: how it came to a VMO."""

    vmo_koid: Natural
    via: tuple[str, ...] = ()
    handle_rights: tuple[str, ...] = ()


class Record(msgspec.Struct, gc=False):
    """One record of the array."""

    type: str = ""
    id: str = ""
    koid: Natural = ABSENT
    parent: str = ""
    name: str | None = None
    state: str = ""
    timestamp: str = ""
    size_bytes: Natural = ABSENT
    private_bytes: Natural = ABSENT
    shared_bytes: Natural = ABSENT
    pss_bytes: Natural = ABSENT
    vmos: list[VmoEntry] | None = None
    vmo_refs: list[VmoRef] | None = None


class _Typed(msgspec.Struct, gc=False):
    type: str = ""


class _Named(msgspec.Struct, gc=False):
    id: str = ""


@dataclass
class Records:
    """The array, cut into records that are decoded when iterated over.

    Attributes
    ----------
    skipped : int
        Records of unknown type met so far.
    """

    raw: list[msgspec.Raw]
    source: str
    skipped: int = 0

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        """Number, from 0, and record of every known type.

        Raises
        ------
        CaptureError
            A record whose fields are not what its type has; names it.
        """
        decode = msgspec.json.Decoder(Record).decode
        for at, raw in enumerate(self.raw):
            try:
                record = decode(raw)
            except msgspec.ValidationError as error:
                if self._is_unknown(raw):
                    self.skipped += 1
                    continue
                raise broken_json(error, bytes(raw), self.source, self.place(at)) from None
            if record.type in TYPES:
                yield at, record
            else:
                self.skipped += 1

    def place(self, at: int) -> str:
        """How errors call a record: its number, from 1, and its id."""
        try:
            name = msgspec.json.decode(self.raw[at], type=_Named).id
        except msgspec.DecodeError:
            name = ""
        return f"record {at + 1} ({name})" if name and len(name) < 40 else f"record {at + 1}"

    def _is_unknown(self, raw: msgspec.Raw) -> bool:
        try:
            return msgspec.json.decode(raw, type=_Typed).type not in TYPES
        except msgspec.ValidationError:
            return bytes(raw).startswith(b"{")


def split_records(data: bytes, source: str) -> Records:
    """The records of a JSON array, not decoded yet.

    Raises
    ------
    msgspec.DecodeError, UnicodeDecodeError, RecursionError
        Not JSON.
    CaptureError
        Not an array.
    """
    try:
        return Records(msgspec.json.decode(data, type=list[msgspec.Raw]), source)
    except msgspec.ValidationError:
        raise CaptureError(source, "", "an array of records", shorten(data[:20].decode())) from None

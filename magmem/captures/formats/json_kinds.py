"""Every kind of JSON that magmem reads: how each is recognised, and what reads it.

Beside `magmem.captures.formats.FORMATS`, which is the list of the texts. A kind is one whose
members are all there; where none is, the one with most of them is what the file looks like, and the
error names the member it lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

from magmem.snapshot import Snapshot

__all__ = ["JSON_KINDS", "JsonKind"]


@dataclass(frozen=True, slots=True)
class JsonKind:
    """One kind of JSON object.

    Attributes
    ----------
    key : str
        What `magmem.captures.detect.kind_of` answers.
    name : str
        What it is called in messages.
    members : tuple of str
        Members of the object, or of what `inside` holds, that it must have.
    reader : str
        ``module:function`` that makes a snapshot of its bytes and the name of the source.
    inside : str
        Member that holds the object with `members`; empty for the outermost.
    """

    key: str
    name: str
    members: tuple[str, ...]
    reader: str
    inside: str = ""

    def lacks(self, members: Iterable[str]) -> tuple[str, ...]:
        """The members that an object does not have, in order."""
        return tuple(member for member in self.members if member not in set(members))

    def parse(self, data: bytes, source: str) -> Snapshot:
        """Read such an object."""
        module, _, function = self.reader.partition(":")
        parse: Callable[[bytes, str], Snapshot] = getattr(import_module(module), function)
        return parse(data, source)


_FORMATS = "magmem.captures.formats"
_CAPTURE = ("Processes", "Vmos", "VmoNames", "Kernel", "Time")

JSON_KINDS: tuple[JsonKind, ...] = (
    JsonKind(
        "machine", "a machine description", ("format",), "magmem.captures.machine:parse_machine"
    ),
    JsonKind("memgraph", "memgraph JSON", (), f"{_FORMATS}.memgraph:parse_memgraph"),
    JsonKind(
        "ffx",
        "the JSON of ffx profile memory",
        ("CompleteDigest",),
        f"{_FORMATS}.ffx:parse_ffx",
    ),
    JsonKind(
        "ffx", "its ProcessDigest", ("ProcessDigest",), f"{_FORMATS}.ffx:parse_process_digest"
    ),
    JsonKind(
        "ffx components",
        "its ComponentDigest",
        ("ComponentDigest",),
        f"{_FORMATS}.component_digest:parse_component_digest",
    ),
    JsonKind(
        "mem",
        "a capture of memory_monitor",
        _CAPTURE,
        f"{_FORMATS}.mem_capture:parse_mem_capture",
    ),
    JsonKind(
        "mem",
        "a capture of memory_monitor",
        _CAPTURE,
        f"{_FORMATS}.mem_capture:parse_mem_capture",
        inside="Capture",
    ),
)
"""In the order they are tried. An array is memgraph's, which is why that needs no member."""

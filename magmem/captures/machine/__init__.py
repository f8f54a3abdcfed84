"""Machine descriptions: magmem's own interchange format, read and written.

One machine state as JSON, version 1 (reference/machine-format.md; what magmem adds is in
docs/machine-format.md). Reading and writing are exact both ways.
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from magmem.captures.machine.reader import parse_machine
from magmem.captures.machine.writer import dump_machine
from magmem.files import write_atomically
from magmem.snapshot import Snapshot

__all__ = ["dump_machine", "load_machine", "parse_machine", "save_machine"]


def load_machine(path: str | PathLike[str]) -> Snapshot:
    """Read a machine description from a file.

    Raises
    ------
    CaptureError
        Not a machine description, or a broken one; names the record.
    OSError
        The file cannot be read.
    """
    return parse_machine(Path(path).read_bytes(), fspath(path))


def save_machine(snap: Snapshot, path: str | PathLike[str]) -> None:
    """Write a snapshot as a machine description, atomically.

    Raises
    ------
    OSError
        The file cannot be written; what stood there before is untouched.
    """
    write_atomically(path, dump_machine(snap))

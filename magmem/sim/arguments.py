"""What callers may pass: sizes as numbers or text, names, page ranges.

Everything a caller can get wrong by itself is refused here with `InvalidArgs`, before anything is
looked at.
"""

from __future__ import annotations

from typing import Final

from magmem.errors import InvalidArgs
from magmem.sizes import parse_size
from magmem.snapshot.schema import PAGE_BYTES

__all__ = ["MAX_NAME_BYTES", "aligned", "bytes_of", "name_text", "round_up", "size_of"]

MAX_NAME_BYTES: Final = 31
"""Longest name of a kernel object, without its NUL (reference/kernel.md "Tasks")."""


def size_of(value: int | str) -> int:
    """Bytes of a size, length or offset given as a number or as text such as ``68k``."""
    if type(value) is int and value >= 0:
        return value
    try:
        return parse_size(value)
    except (TypeError, ValueError) as error:
        raise InvalidArgs(str(error)) from None


def name_text(name: str) -> str:
    """A name as the kernel keeps it: cut at a character to at most 31 bytes of UTF-8."""
    if not isinstance(name, str):
        raise InvalidArgs(f"expected a name as text, found {name!r}")
    if "\0" in name:
        raise InvalidArgs(f"expected a name without NUL, found {name[:40]!r}")
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise InvalidArgs(f"expected a name of whole characters, found {name[:40]!r}") from None
    return encoded[:MAX_NAME_BYTES].decode(errors="ignore")


def round_up(size_bytes: int) -> int:
    """The next multiple of a page."""
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES


def bytes_of(data: bytes | bytearray | memoryview) -> bytes:
    """Data to write; a number or text is not taken for bytes."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidArgs(f"expected bytes to write, found {data!r:.40}")
    return bytes(data)


def aligned(value: int, what: str) -> int:
    """The value, if it is a multiple of a page."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgs(f"{what} must be a number, found {value!r:.40}")
    if value % PAGE_BYTES:
        raise InvalidArgs(f"{what} must be a multiple of {PAGE_BYTES}, found {value:#x}")
    return value

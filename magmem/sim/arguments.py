"""What callers may pass: sizes as numbers or text, names, flags, addresses, data.

Everything a caller can get wrong by itself is refused here, before anything is looked at: a wrong
Python type with `WrongArgument`, a value that can never be right with `InvalidArgs`. Both name the
argument.
"""

from __future__ import annotations

from operator import index
from typing import Any, Final

from magmem.errors import InvalidArgs, WrongArgument
from magmem.sizes import parse_size
from magmem.units import PAGE_BYTES

__all__ = [
    "MAX_NAME_BYTES",
    "WORD",
    "address_of",
    "aligned",
    "bytes_of",
    "flag",
    "name_text",
    "number_of",
    "object_of",
    "round_up",
    "shown",
    "shown_hex",
    "size_of",
    "text_of",
    "wrong",
]

MAX_NAME_BYTES: Final = 31
"""Longest name of a kernel object, without its NUL (reference/kernel.md "Tasks")."""

WORD: Final = 1 << 64
"""One more than the largest number a system call takes: here offsets and lengths wrap."""

_LONGEST: Final = 1 << 200
"""Numbers above are not written out in messages: Python refuses to print the very long ones."""


def shown(value: object) -> str:
    """A value as messages show it, cut to a readable length; never fails."""
    if isinstance(value, int) and abs(value) > _LONGEST:
        return "a number of more than 60 digits"
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def wrong(what: str, expected: str, value: object) -> WrongArgument:
    """The error for an argument of a type that the call does not take."""
    return WrongArgument(f"{what}: expected {expected}, found {shown(value)}")


def size_of(value: int | str, what: str = "size") -> int:
    """Bytes of a size, length or offset given as a number or as text such as ``68k``."""
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str):
        try:
            return parse_size(value)
        except ValueError as error:
            raise InvalidArgs(f"{what}: {error}") from None
    size = _integer(value, what, "a size such as 68k or a number of bytes")
    if size < 0:
        raise InvalidArgs(f"{what}: expected a size of 0 bytes or more, found {shown(size)}")
    return size


def number_of(value: int, what: str, low: int, high: int) -> int:
    """An integer from `low` to `high`."""
    number = _integer(value, what, "a number")
    if not low <= number <= high:
        raise InvalidArgs(f"{what}: expected {low} … {high}, found {shown(number)}")
    return number


def address_of(value: int, what: str = "address") -> int:
    """An address; not negative, and not a size as text."""
    address = _integer(value, what, "an address as a number")
    if address < 0:
        raise InvalidArgs(f"{what}: expected an address of 0 or more, found {shown(address)}")
    return address


def _integer(value: Any, what: str, expected: str) -> int:
    # Whatever Python takes for an index will do (NumPy's integers, for one), but not a truth value.
    if not isinstance(value, bool):
        try:
            return index(value)
        except Exception:  # noqa: S110 (a caller's own __index__ may do anything)
            pass
    raise wrong(what, expected, value)


def flag(value: bool, what: str) -> bool:
    """A truth value, and nothing that merely counts as one."""
    if value is True or value is False:
        return value
    raise wrong(what, "True or False", value)


def text_of(value: str, what: str) -> str:
    """Text that can be written in UTF-8."""
    if not isinstance(value, str):
        raise wrong(what, "text", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgs(
            f"{what}: expected a name of whole characters, found {shown(value)}"
        ) from None
    # A subclass may print as it likes; what is kept is plain text.
    return str.__str__(value)


def name_text(name: str) -> str:
    """A name as the kernel keeps it: cut at a character to at most 31 bytes of UTF-8."""
    text = text_of(name, "name")
    if "\0" in text:
        raise InvalidArgs(f"name: expected a name without NUL, found {shown(name)}")
    return text.encode()[:MAX_NAME_BYTES].decode(errors="ignore")


def round_up(size_bytes: int) -> int:
    """The next multiple of a page."""
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES


def bytes_of(data: bytes | bytearray | memoryview) -> bytes:
    """Data to write; a number or text is not taken for bytes."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise wrong("data", "bytes to write", data)
    try:
        return bytes(data)
    except ValueError:
        raise InvalidArgs("data: expected bytes to write, found a released memoryview") from None


def aligned(value: int, what: str) -> int:
    """The value, if it is a multiple of a page."""
    if value % PAGE_BYTES:
        raise InvalidArgs(f"{what} must be a multiple of {PAGE_BYTES}, found {shown_hex(value)}")
    return value


def shown_hex(value: int) -> str:
    """A number in hexadecimal; no number is too long for that."""
    return f"{value:#x}" if abs(value) < _LONGEST else "a number of more than 60 digits"


def object_of(value: Any, cls: type | tuple[type, ...], what: str, expected: str) -> Any:
    """The value, if it is an object of that class."""
    if not isinstance(value, cls):
        raise wrong(what, expected, value)
    return value

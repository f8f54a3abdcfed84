"""Rights of handles: bits, text, and what a new handle of each type gets.

The six that `vmos` shows are ``rwxmdt``; ``g`` and ``s`` stand for get and set property here.
"""

from __future__ import annotations

from typing import Final

from magmem.errors import InvalidArgs
from magmem.sim.perms import EXECUTE, READ, WRITE

__all__ = [
    "RIGHT_DUPLICATE",
    "RIGHT_EXECUTE",
    "RIGHT_GET_PROPERTY",
    "RIGHT_MAP",
    "RIGHT_READ",
    "RIGHT_SET_PROPERTY",
    "RIGHT_TRANSFER",
    "RIGHT_WRITE",
    "VDSO_RIGHTS",
    "VMO_ALLOWED",
    "VMO_RIGHTS",
    "default_rights",
    "parse_rights",
    "rights_text",
]

RIGHT_DUPLICATE: Final = 1
RIGHT_TRANSFER: Final = 2
RIGHT_READ: Final = 4
RIGHT_WRITE: Final = 8
RIGHT_EXECUTE: Final = 16
RIGHT_MAP: Final = 32
RIGHT_GET_PROPERTY: Final = 64
RIGHT_SET_PROPERTY: Final = 128

_ALL: Final = 255
VMO_RIGHTS: Final = _ALL
"""A new VMO's handle: the six shown rights, and get and set property."""

VDSO_RIGHTS: Final = _ALL & ~RIGHT_WRITE & ~RIGHT_SET_PROPERTY
"""Handles to VMOs that are read only (`Vmo.is_read_only`), as the vDSO is."""

_LETTERS: Final = {
    "r": RIGHT_READ,
    "w": RIGHT_WRITE,
    "x": RIGHT_EXECUTE,
    "m": RIGHT_MAP,
    "d": RIGHT_DUPLICATE,
    "t": RIGHT_TRANSFER,
    "g": RIGHT_GET_PROPERTY,
    "s": RIGHT_SET_PROPERTY,
}

_BASIC: Final = RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_READ | RIGHT_WRITE
_DEFAULTS: Final = {
    "vmo": VMO_RIGHTS,
    "vmar": RIGHT_DUPLICATE | RIGHT_TRANSFER,
    "channel": RIGHT_TRANSFER | RIGHT_READ | RIGHT_WRITE,
    "event": _BASIC,
    "event-pair": _BASIC,
    "timer": _BASIC,
    "port": _BASIC,
    "socket": _BASIC,
    "fifo": _BASIC,
}
_TASK: Final = _BASIC | RIGHT_GET_PROPERTY | RIGHT_SET_PROPERTY


def _allowed(rights: int) -> int:
    if not rights & RIGHT_MAP:
        return 0
    return (
        (READ if rights & RIGHT_READ else 0)
        | (WRITE if rights & RIGHT_WRITE else 0)
        | (EXECUTE if rights & RIGHT_EXECUTE else 0)
    )


VMO_ALLOWED: Final = tuple(_allowed(rights) for rights in range(64))
"""Permissions a mapping may have, by the low six rights bits of the handle; none without map."""


def default_rights(kind: str) -> int:
    """Rights of a new handle to an object of that type."""
    return _DEFAULTS.get(kind, _TASK)


def rights_text(rights: int) -> str:
    """The six rights as `vmos` prints them: ``rwxmdt`` with ``-`` for missing."""
    return "".join(letter if rights & _LETTERS[letter] else "-" for letter in "rwxmdt")


def parse_rights(rights: int | str, held: int) -> int:
    """The mask of rights given as a mask or as letters out of ``rwxmdtgs``.

    Raises
    ------
    InvalidArgs
        A letter that is no right, or rights beyond `held`: reducing is all one may do.
    """
    if isinstance(rights, str):
        mask = 0
        for letter in rights.replace("-", ""):
            if letter not in _LETTERS:
                raise InvalidArgs(f"expected rights out of rwxmdtgs, found {rights[:20]!r}")
            mask |= _LETTERS[letter]
    else:
        mask = rights
    if mask & ~held or mask < 0:
        raise InvalidArgs(f"rights {mask:#x} are more than {held:#x}, which this handle has")
    return mask

"""Rights of handles: bits, text, and what a new handle of each type gets.

The six that `vmos` shows are ``rwxmdt``; ``g`` and ``s`` stand for get and set property here.
"""

from __future__ import annotations

from typing import Final

from magmem.errors import InvalidArgs
from magmem.sim.arguments import address_of, shown_hex
from magmem.sim.perms import EXECUTE, READ, WRITE

__all__ = [
    "REGION_ALLOWED",
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


VMAR_RIGHTS: Final = tuple(
    RIGHT_DUPLICATE | RIGHT_TRANSFER | right
    for right in (
        (RIGHT_READ if mask & READ else 0)
        | (RIGHT_WRITE if mask & WRITE else 0)
        | (RIGHT_EXECUTE if mask & EXECUTE else 0)
        for mask in range(8)
    )
)
"""Rights of a new handle to a region, by what may be mapped in it."""

REGION_ALLOWED: Final = tuple(_allowed(rights | RIGHT_MAP) for rights in range(64))
"""What may be mapped through a region's handle, by the low six bits of its rights."""


def default_rights(kind: str, mask: int = 0) -> int:
    """Rights of a new handle to an object of that type; a region's follow from its `mask`."""
    return VMAR_RIGHTS[mask] if kind == "vmar" else _DEFAULTS.get(kind, _TASK)


def rights_text(rights: int) -> str:
    """The six rights as `vmos` prints them: ``rwxmdt`` with ``-`` for missing."""
    return "".join(letter if rights & _LETTERS[letter] else "-" for letter in "rwxmdt")


def parse_rights(rights: int | str, held: int, whose: str = "which this handle has") -> int:
    """The mask of rights given as a mask or as letters out of ``rwxmdtgs``.

    Raises
    ------
    InvalidArgs
        A letter that is no right, or rights beyond `held`: reducing is all one may do.
    WrongArgument
        Neither text nor a number.
    """
    if isinstance(rights, str):
        mask = 0
        for letter in rights.replace("-", ""):
            if letter not in _LETTERS:
                raise InvalidArgs(f"expected rights out of rwxmdtgs, found {rights[:20]!r}")
            mask |= _LETTERS[letter]
    else:
        mask = address_of(rights, "rights")
    if mask & ~held:
        raise InvalidArgs(f"rights {shown_hex(mask)} are more than {held:#x}, {whose}")
    return mask
